//! Stores of Java and of openssl, as `tests/golden/tls/stores/make.sh` makes them.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::check_tls;
use super::error::StoreFile;
use super::{jks, pkcs12};
use crate::runtime::tls::{ClientAuth, ClientTls, Store, StoreFormat, StoreSettings, TlsVersion};

const PASSWORD: &str = "changeit";
const KEY_STORES: [&str; 6] = [
    "server.jks",
    "server.p12",
    "server_legacy.p12",
    "server_openssl.p12",
    "server_openssl_legacy.p12",
    "server_and_ca.p12",
];
const TRUST_STORES: [&str; 3] = ["trust.jks", "trust.p12", "trust_legacy.p12"];

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tls/stores").join(name)
}

fn content(name: &str) -> Vec<u8> {
    fs::read(golden(name)).expect("a golden file")
}

fn store(file: impl Into<PathBuf>, password: impl Into<Option<&'static str>>) -> StoreSettings {
    let file = file.into();
    let format = StoreFormat::of_suffix(&file);
    StoreSettings { format, password: password.into().map(String::from), file }
}

fn settings(key_store: StoreSettings, trust_store: StoreSettings) -> ClientTls {
    ClientTls {
        listen: None,
        port_unification: true,
        key_store,
        trust_store: Some(trust_store),
        client_auth: ClientAuth::Need,
        verify_client_host: false,
        reload: false,
        versions: vec![TlsVersion::V1_2, TlsVersion::V1_3],
        cipher_suites: Vec::new(),
    }
}

/// What is wrong with this key store, without its directory.
#[track_caller]
fn key_error(key_store: StoreSettings) -> String {
    let dir = key_store.file.parent().expect("a file").to_owned();
    error(&settings(key_store, store(golden("ca.pem"), None)), &dir)
}

#[track_caller]
fn trust_error(trust_store: StoreSettings) -> String {
    let dir = trust_store.file.parent().expect("a file").to_owned();
    error(&settings(store(golden("server.jks"), PASSWORD), trust_store), &dir)
}

#[track_caller]
fn error(settings: &ClientTls, dir: &Path) -> String {
    let error = check_tls(settings).expect_err("it cannot be used").to_string();
    error.replace(&format!("{}/", dir.display()), "")
}

#[track_caller]
fn assert_good(key_store: StoreSettings, trust_store: StoreSettings) {
    let settings = settings(key_store, trust_store);
    if let Err(error) = check_tls(&settings) {
        panic!("{error}");
    }
}

#[test]
fn stores_of_keytool_and_openssl_are_read_as_they_are() {
    for name in KEY_STORES {
        assert_good(store(golden(name), PASSWORD), store(golden("ca.pem"), None));
    }
    for name in TRUST_STORES {
        assert_good(store(golden("server.jks"), PASSWORD), store(golden(name), PASSWORD));
    }
    for name in ["server_rsa.jks", "server_p384.p12", "server.pem"] {
        assert_good(store(golden(name), PASSWORD), store(golden("ca.pem"), None));
    }
    let umlaut = store(golden("trust_umlaut.jks"), "p\u{e4}ssw\u{f6}rt");
    assert_good(store(golden("server_empty_password.p12"), None), umlaut);
    let open = store(golden("trust_without_password.p12"), None);
    assert_good(store(golden("server_empty_password.p12"), ""), open);
}

#[test]
fn the_content_says_which_format_it_is() {
    let dir = TempDir::new().expect("a temporary directory");
    let copy = |name: &str, to: &str| {
        let to = dir.path().join(to);
        fs::copy(golden(name), &to).expect("a writable directory");
        to
    };
    // keytool has written PKCS12 into files of any name since Java 9.
    let key = store(copy("server.p12", "key.jks"), PASSWORD);
    assert_eq!(key.format, Some(StoreFormat::Jks));
    assert_good(key, store(copy("trust.jks", "trust"), PASSWORD));
    assert_good(
        store(copy("server.jks", "key.pem"), PASSWORD),
        store(copy("ca.pem", "c.p12"), None),
    );
    // Only where it says nothing is it what the name says.
    for (name, said) in [
        (
            "none.jks",
            "ssl.keyStore.location: none.jks is not a well-formed JKS file: it ends too early",
        ),
        ("none.p12", "ssl.keyStore.location: none.p12 is not a well-formed PKCS12 file: "),
        ("none", "ssl.keyStore.location: none holds no private key: it must hold the key and"),
    ] {
        let file = dir.path().join(name);
        fs::write(&file, "").expect("a writable directory");
        let error = key_error(store(file, None));
        assert!(error.starts_with(said), "{error}");
        let asks = error.contains(&format!("`keytool -list -keystore {name}`"));
        assert!(asks || name == "none", "{error}");
    }
}

#[test]
fn the_chain_is_the_certificate_of_the_key_and_then_its_authority() {
    let chain_of = |name: &str| {
        let at = StoreFile { store: Store::Key, file: golden(name) };
        let read = if name.ends_with("jks") { jks::key_and_chain } else { pkcs12::key_and_chain };
        let (_, chain) = read(&at, &content(name), Some(PASSWORD)).expect("a golden file");
        let subject = |cert: &_| super::subject_of(cert).expect("a certificate");
        chain.iter().map(|cert| subject(cert)).collect::<Vec<_>>()
    };
    for name in KEY_STORES {
        assert_eq!(chain_of(name), ["CN=server,O=Acme", "CN=store authority,O=Acme"], "{name}");
    }
}

#[test]
fn a_wrong_password_and_a_missing_one_are_told_apart() {
    for name in KEY_STORES {
        let said = key_error(store(golden(name), "Changeit"));
        let expected = format!(
            "ssl.keyStore.location: {name}: it cannot be opened with the password of \
             ssl.keyStore.password: the password is wrong, or the file is damaged"
        );
        assert_eq!(said, expected);
    }
    for name in TRUST_STORES {
        let said = trust_error(store(golden(name), None));
        let expected = format!(
            "ssl.trustStore.location: {name}: it has a password: give ssl.trustStore.password or \
             ssl.trustStore.passwordPath"
        );
        assert_eq!(said, expected);
    }
    let said = key_error(store(golden("other_key_password.jks"), PASSWORD));
    assert!(said.contains("its private key cannot be decrypted with the password of"), "{said}");
    assert!(said.contains("one password must do for both (keytool -keypasswd"), "{said}");
}

#[test]
fn a_store_without_what_it_must_hold_says_how_to_put_it_in() {
    let said = key_error(store(golden("trust.jks"), PASSWORD));
    assert!(said.starts_with("ssl.keyStore.location: trust.jks holds no private key: "), "{said}");
    assert!(said.contains("`keytool -list -keystore trust.jks`"), "{said}");
    for name in ["two_keys.jks", "two_keys.p12"] {
        let said = key_error(store(golden(name), PASSWORD));
        assert!(said.contains(&format!("{name} holds 2 private keys: ")), "{said}");
        assert!(said.contains("server") && said.contains("other"), "{said}");
        assert!(
            said.contains(&format!("keytool -delete -alias ALIAS -keystore {name}`")),
            "{said}"
        );
    }
    for (name, others) in
        [("server.jks", ""), ("server.p12", " (2 other"), ("trust_openssl.p12", " (1 o")]
    {
        let said = trust_error(store(golden(name), PASSWORD));
        assert!(said.contains(&format!("{name} holds no trusted certificate{others}")), "{said}");
        assert!(said.contains("`keytool -importcert -alias ca -file CA.pem -keystore "), "{said}");
    }
}

#[test]
fn a_protection_that_is_not_supported_is_named() {
    let said = key_error(store(golden("server_rc2_128.p12"), PASSWORD));
    assert!(said.contains("server_rc2_128.p12: it is protected in a way that is not"), "{said}");
    assert!(said.contains("keytool -importkeystore -srckeystore server_rc2_128.p12 "), "{said}");
}

/// Never a panic, and never a key or a certificate of a file that somebody has changed.
#[test]
fn no_damage_to_a_file_does_harm() {
    let at = |store| StoreFile { store, file: PathBuf::from("a store") };
    for (name, read) in [
        ("server.jks", jks::key_and_chain as fn(&_, &_, _) -> _),
        ("server_openssl.p12", pkcs12::key_and_chain),
    ] {
        let good = content(name);
        let (key, chain) = read(&at(Store::Key), &good, Some(PASSWORD)).expect("a golden file");
        each_damage(&good, |bad, where_| {
            if let Ok(got) = read(&at(Store::Key), bad, Some(PASSWORD)) {
                assert_eq!(got, (key.clone_key(), chain.clone()), "{name}: {where_}");
            }
        });
    }
    for (name, read) in
        [("trust.jks", jks::trusted as fn(&_, &_, _) -> _), ("trust.p12", pkcs12::trusted)]
    {
        let good = content(name);
        let trusted = read(&at(Store::Trust), &good, Some(PASSWORD)).expect("a golden file");
        each_damage(&good, |bad, where_| {
            if let Ok(got) = read(&at(Store::Trust), bad, Some(PASSWORD)) {
                assert_eq!(got, trusted, "{name}: {where_}");
            }
        });
    }
}

/// Cut at every length; each byte changed in three ways.
fn each_damage(good: &[u8], mut look: impl FnMut(&[u8], &str)) {
    for length in 0..good.len() {
        look(&good[..length], &format!("cut at {length}"));
    }
    for index in 0..good.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bad = good.to_vec();
            bad[index] ^= change;
            look(&bad, &format!("byte {index} xor {change:#x}"));
        }
    }
}
