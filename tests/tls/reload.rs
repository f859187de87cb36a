//! `client.certReload`: files that change under a running server.

use std::fs;
use std::path::Path;

use quorate::config::{ClientAuth, ClientTls, StoreSettings};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::certificates::{Authority, Files, Identity};
use crate::port::{Port, TlsClient, in_time, run};

/// Waits until the server shows this certificate.
async fn until_shown(client: &TlsClient, port: &Port, identity: &Identity) {
    in_time(async {
        while client.certificate_of(&port.secure).await != identity.certificate {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// Waits until the server shows a certificate that this client trusts.
async fn until_trusted(client: &TlsClient, port: &Port) {
    in_time(async {
        while client.connect(&port.secure).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[test]
fn new_handshakes_use_the_new_key_store_and_broken_ones_change_nothing() {
    run(async |machine| {
        let files = Files::new();
        let first = files.authority.sign("first", &["localhost"]);
        files.write("k.pem", &first.pem);
        let port = Port::open(&machine, &ClientTls { reload: true, ..files.settings() });
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        assert_eq!(client.certificate_of(&port.secure).await, first.certificate);
        let stays = client.connect(&port.secure).await.expect("a handshake");

        // Broken, then gone: whether the server looked meanwhile or not, it shows the first one.
        files.write("k.pem", &first.pem.replace("PRIVATE", "PUBLIC"));
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        assert_eq!(client.certificate_of(&port.secure).await, first.certificate);
        fs::remove_file(files.path("k.pem")).expect("it was there");
        assert_eq!(client.certificate_of(&port.secure).await, first.certificate);

        let second = files.authority.sign("second", &["localhost"]);
        files.write("k.pem", &second.pem);
        until_shown(&client, &port, &second).await;
        drop(stays);
    });
}

#[test]
fn a_changed_trust_store_decides_over_new_clients() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open(&machine, &ClientTls { reload: true, ..files.settings() });
        let other = Authority::new("other");
        // In TLS 1.2 a client hears the verdict before its handshake is done.
        let client = TlsClient::of(&files.authority).with_tls_1_2();
        let old = client.clone().showing(&files.authority.sign("old", &[]));
        let new = client.showing(&other.sign("new", &[]));
        assert!(new.connect(&port.secure).await.is_err());
        let stays = old.connect(&port.secure).await.expect("a handshake");
        assert_eq!(port.accepted().await, (1, Some("CN=old,O=Acme".into())));
        files.write("t.pem", &other.pem());
        in_time(async {
            while old.connect(&port.secure).await.is_ok() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        })
        .await;
        let _stream = new.connect(&port.secure).await.expect("a handshake");
        drop(stays);
    });
}

#[test]
fn without_the_key_the_files_of_the_start_stay_in_use() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open(&machine, &files.settings());
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        let before = client.certificate_of(&port.secure).await;
        files.write("k.pem", &files.authority.sign("second", &["localhost"]).pem);
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        assert_eq!(client.certificate_of(&port.secure).await, before);
    });
}

#[test]
fn a_key_store_of_java_is_read_again_too() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tls/stores");
    let authority = fs::read(golden.join("ca.pem")).expect("a golden file");
    let authority = CertificateDer::from_pem_slice(&authority).expect("its PEM");
    run(async |machine| {
        let files = Files::new();
        let first = files.authority.sign("first", &["localhost"]);
        files.write("k.pem", &first.pem);
        let password = Some("changeit".into());
        let key_store = StoreSettings { password, ..StoreSettings::of(files.path("k.pem")) };
        let settings = ClientTls {
            key_store,
            client_auth: ClientAuth::None,
            reload: true,
            ..files.settings()
        };
        let port = Port::open(&machine, &settings);
        let client = TlsClient::of(&files.authority);
        assert_eq!(client.certificate_of(&port.secure).await, first.certificate);
        fs::copy(golden.join("server.jks"), files.path("new")).expect("a writable directory");
        fs::rename(files.path("new"), files.path("k.pem")).expect("a writable directory");
        until_trusted(&TlsClient::trusting(authority.clone()), &port).await;
        files.write("k.pem", &first.pem);
        until_trusted(&client, &port).await;
    });
}
