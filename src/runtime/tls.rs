//! TLS for clients, as the operator wrote it: names of files, nothing read yet.
//!
//! Apache ZooKeeper reads Java's key stores besides PEM; here such a file is refused with the
//! commands that convert it ([`StoreFormat::conversion`]).
//! (X509Util, ClientX509Util, KeyStoreFileType)
//!
//! Not here: reading the files and the handshake (`os/tls`), the keys of zoo.cfg (config).

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::HostPort;

/// The TLS port of a server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTls {
    /// `secureClientPort` and `secureClientPortAddress`; `None` with `client.portUnification` alone.
    pub listen: Option<HostPort>,
    /// `client.portUnification`: the plain port takes TLS too.
    pub port_unification: bool,
    /// `ssl.keyStore.location`: a PEM file with the private key and its certificate chain.
    pub key_store: PathBuf,
    /// `ssl.keyStore.password` or the text of `ssl.keyStore.passwordPath`: of an encrypted key.
    pub key_password: Option<String>,
    /// `ssl.trustStore.location`: a PEM file with the certificates of the authorities.
    pub trust_store: Option<PathBuf>,
    /// `ssl.clientAuth`
    pub client_auth: ClientAuth,
    /// `ssl.clientHostnameVerification`: the client's certificate must name its address.
    pub verify_client_host: bool,
    /// `client.certReload`: the files are read again when they change.
    pub reload: bool,
    /// `ssl.protocol` and `ssl.enabledProtocols`.
    pub versions: Vec<TlsVersion>,
    /// `ssl.ciphersuites` by their Java names, all of [`CIPHER_SUITES`]; empty for all of them.
    pub cipher_suites: Vec<String>,
}

/// Without the password: a configuration is printed in places where nobody thinks of it.
impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("listen", &self.listen)
            .field("port_unification", &self.port_unification)
            .field("key_store", &self.key_store)
            .field("trust_store", &self.trust_store)
            .field("client_auth", &self.client_auth)
            .field("verify_client_host", &self.verify_client_host)
            .field("reload", &self.reload)
            .field("versions", &self.versions)
            .field("cipher_suites", &self.cipher_suites)
            .finish_non_exhaustive()
    }
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum ClientAuth {
    None,
    Want,
    #[default]
    Need,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

/// The cipher suites there are, by the names that Java gives them.
pub const CIPHER_SUITES: [&str; 9] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// What a port takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsPort {
    /// TLS alone: `secureClientPort`.
    Secure,
    /// TLS and plain text, told apart by the first byte: `client.portUnification`.
    Unified,
}

/// Which of the two files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    Key,
    Trust,
}

impl Store {
    /// The key of zoo.cfg that names the file.
    pub fn location_key(self) -> &'static str {
        match self {
            Store::Key => "ssl.keyStore.location",
            Store::Trust => "ssl.trustStore.location",
        }
    }
}

/// A format that Apache ZooKeeper reads and Quorate does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreFormat {
    Jks,
    Pkcs12,
    Bcfks,
}

impl StoreFormat {
    /// By the value of `ssl.keyStore.type`, in upper case.
    pub fn of_type(name: &str) -> Option<StoreFormat> {
        match name {
            "JKS" => Some(StoreFormat::Jks),
            "PKCS12" => Some(StoreFormat::Pkcs12),
            "BCFKS" => Some(StoreFormat::Bcfks),
            _ => None,
        }
    }

    /// By the end of the name of the file.
    pub fn of_suffix(file: &Path) -> Option<StoreFormat> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jks" => Some(StoreFormat::Jks),
            "p12" | "pfx" => Some(StoreFormat::Pkcs12),
            "bcfks" => Some(StoreFormat::Bcfks),
            _ => None,
        }
    }

    /// By how the file begins: JKS has a magic number, PKCS12 and BCFKS are a DER sequence.
    pub fn of_content(content: &[u8]) -> Option<StoreFormat> {
        match content {
            [0xfe, 0xed, 0xfe, 0xed, ..] => Some(StoreFormat::Jks),
            [0x30, 0x80..=0x84, ..] => Some(StoreFormat::Pkcs12),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            StoreFormat::Jks => "JKS",
            StoreFormat::Pkcs12 => "PKCS12",
            StoreFormat::Bcfks => "BCFKS",
        }
    }

    /// The commands that make a PEM file of this one, and the name of that, one a line.
    pub fn conversion(self, store: Store, file: &Path) -> String {
        let (from, name, pem) = (shell(file), self.name(), beside(file, "pem"));
        let to = shell(&pem);
        let provider = match self {
            StoreFormat::Bcfks => {
                " -providerclass org.bouncycastle.jcajce.provider.BouncyCastleFipsProvider \
                 -providerpath bc-fips.jar"
            }
            _ => "",
        };
        let mut lines = Vec::new();
        match store {
            Store::Trust => lines.push(format!(
                "keytool -list -rfc -keystore {from} -storetype {name}{provider} > {to}"
            )),
            Store::Key => {
                let mut p12 = from.clone();
                if self != StoreFormat::Pkcs12 {
                    p12 = shell(&beside(file, "p12"));
                    lines.push(format!(
                        "keytool -importkeystore -srckeystore {from} -srcstoretype {name} \
                         -destkeystore {p12} -deststoretype PKCS12{provider}"
                    ));
                }
                lines.push(format!("openssl pkcs12 -in {p12} -nodes -out {to}"));
            }
        }
        let key = store.location_key();
        format!("    {}\nand write {key}={}", lines.join("\n    "), pem.display())
    }
}

/// A file with another ending, never the file itself.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let other = file.with_extension(ending);
    if other == file { file.with_extension(format!("new.{ending}")) } else { other }
}

/// A file as an argument of a shell's command.
fn shell(file: &Path) -> String {
    let name = file.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if name.chars().all(plain) { name } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_type_suffix_and_content() {
        assert_eq!(StoreFormat::of_type("PKCS12"), Some(StoreFormat::Pkcs12));
        assert_eq!(StoreFormat::of_type("PEM"), None);
        assert_eq!(StoreFormat::of_suffix(Path::new("/a/k.JKS")), Some(StoreFormat::Jks));
        assert_eq!(StoreFormat::of_suffix(Path::new("k.bcfks")), Some(StoreFormat::Bcfks));
        assert_eq!(StoreFormat::of_suffix(Path::new("k.pem")), None);
        assert_eq!(StoreFormat::of_content(b"\xfe\xed\xfe\xed\0\0\0\x02"), Some(StoreFormat::Jks));
        assert_eq!(StoreFormat::of_content(b"\x30\x82\x0a\x0b"), Some(StoreFormat::Pkcs12));
        assert_eq!(StoreFormat::of_content(b"-----BEGIN"), None);
    }

    #[test]
    fn the_commands_name_the_very_file() {
        let jks = StoreFormat::Jks.conversion(Store::Key, Path::new("/etc/zk/key.jks"));
        assert_eq!(
            jks,
            "    keytool -importkeystore -srckeystore /etc/zk/key.jks -srcstoretype JKS \
             -destkeystore /etc/zk/key.p12 -deststoretype PKCS12\n    \
             openssl pkcs12 -in /etc/zk/key.p12 -nodes -out /etc/zk/key.pem\n\
             and write ssl.keyStore.location=/etc/zk/key.pem"
        );
        let spaced = StoreFormat::Pkcs12.conversion(Store::Trust, Path::new("my ca.p12"));
        assert!(
            spaced.starts_with(
                "    keytool -list -rfc -keystore 'my ca.p12' -storetype PKCS12 > 'my ca.pem'\n"
            ),
            "{spaced}"
        );
        let misnamed = StoreFormat::Jks.conversion(Store::Trust, Path::new("t.pem"));
        assert!(misnamed.contains("-storetype JKS > t.new.pem\n"), "{misnamed}");
        let bouncy = StoreFormat::Bcfks.conversion(Store::Key, Path::new("k.bcfks"));
        assert!(bouncy.contains("-srcstoretype BCFKS") && bouncy.contains("bc-fips.jar"));
    }

    #[test]
    fn a_password_is_not_printed() {
        let tls = ClientTls {
            listen: None,
            port_unification: true,
            key_store: "k.pem".into(),
            key_password: Some("hunter2".into()),
            trust_store: None,
            client_auth: ClientAuth::None,
            verify_client_host: false,
            reload: false,
            versions: vec![TlsVersion::V1_3],
            cipher_suites: Vec::new(),
        };
        let printed = format!("{tls:?}");
        assert!(printed.contains("k.pem") && !printed.contains("hunter2"), "{printed}");
    }
}
