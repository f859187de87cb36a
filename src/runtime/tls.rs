//! TLS for clients, as the operator wrote it: names of files, nothing read yet.
//! (X509Util, ClientX509Util, KeyStoreFileType)
//!
//! Not here: reading the files and the handshake (`os/tls`), the keys of zoo.cfg (config).

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::HostPort;

/// The TLS port of a server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientTls {
    /// `secureClientPort` and `secureClientPortAddress`; `None` with `client.portUnification` alone.
    pub listen: Option<HostPort>,
    /// `client.portUnification`: the plain port takes TLS too.
    pub port_unification: bool,
    /// `ssl.keyStore.*`: the private key and its certificate chain.
    pub key_store: StoreSettings,
    /// `ssl.trustStore.*`: the certificates of the authorities.
    pub trust_store: Option<StoreSettings>,
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

/// What a client needs to talk to a TLS port: whom it trusts, and who it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerTrust {
    /// `ssl.keyStore.*`: for servers that ask for a certificate.
    pub key_store: Option<StoreSettings>,
    /// `ssl.trustStore.*`: the certificates of the authorities.
    pub trust_store: StoreSettings,
    /// `ssl.hostnameVerification`: the server's certificate must name the host that was dialled.
    pub verify_host: bool,
    /// `ssl.protocol` and `ssl.enabledProtocols`.
    pub versions: Vec<TlsVersion>,
    /// `ssl.ciphersuites`; empty for all of them.
    pub cipher_suites: Vec<String>,
}

/// A key store or trust store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreSettings {
    /// `.location`
    pub file: PathBuf,
    /// By `.type`, else by the end of the file's name; what the file begins with counts more.
    pub format: Option<StoreFormat>,
    /// `.password`, or the text of the file that `.passwordPath` names.
    pub password: Option<String>,
}

impl StoreSettings {
    /// A file that needs no password, and whose content says what it is.
    pub fn of(file: impl Into<PathBuf>) -> StoreSettings {
        StoreSettings { file: file.into(), format: None, password: None }
    }
}

/// Without the password: a configuration is printed in places where nobody thinks of it.
impl fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSettings")
            .field("file", &self.file)
            .field("format", &self.format)
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

    /// The key of zoo.cfg that says which format the file has.
    pub fn type_key(self) -> &'static str {
        match self {
            Store::Key => "ssl.keyStore.type",
            Store::Trust => "ssl.trustStore.type",
        }
    }

    /// The key of zoo.cfg that holds the password.
    pub fn password_key(self) -> &'static str {
        match self {
            Store::Key => "ssl.keyStore.password",
            Store::Trust => "ssl.trustStore.password",
        }
    }

    /// The key of zoo.cfg that names a file with the password.
    pub fn password_path_key(self) -> &'static str {
        match self {
            Store::Key => "ssl.keyStore.passwordPath",
            Store::Trust => "ssl.trustStore.passwordPath",
        }
    }
}

/// A format of key stores and trust stores. (KeyStoreFileType, but for BCFKS)
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StoreFormat {
    Pem,
    Jks,
    Pkcs12,
}

impl StoreFormat {
    /// By the value of `ssl.keyStore.type`.
    pub fn of_type(name: &str) -> Option<StoreFormat> {
        let all = [StoreFormat::Pem, StoreFormat::Jks, StoreFormat::Pkcs12];
        all.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// By the end of the name of the file.
    pub fn of_suffix(file: &Path) -> Option<StoreFormat> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "pem" => Some(StoreFormat::Pem),
            "jks" => Some(StoreFormat::Jks),
            "p12" | "pfx" => Some(StoreFormat::Pkcs12),
            _ => None,
        }
    }

    /// By how the file begins: JKS has a magic number, PKCS12 is a DER sequence. Java, too, reads
    /// either of them whichever the type names, and `keytool` writes PKCS12 whatever the name.
    pub fn of_content(content: &[u8]) -> Option<StoreFormat> {
        match content {
            [0xfe, 0xed, 0xfe, 0xed, ..] => Some(StoreFormat::Jks),
            [0x30, 0x80..=0x84, ..] => Some(StoreFormat::Pkcs12),
            _ if content.windows(10).any(|window| window == b"-----BEGIN") => {
                Some(StoreFormat::Pem)
            }
            _ => None,
        }
    }

    /// As `ssl.keyStore.type` has it.
    pub fn name(self) -> &'static str {
        match self {
            StoreFormat::Pem => "PEM",
            StoreFormat::Jks => "JKS",
            StoreFormat::Pkcs12 => "PKCS12",
        }
    }
}

/// The type of Bouncy Castle's store, whose format nobody else reads. Its files end in it too.
pub const BCFKS: &str = "BCFKS";

/// The command that makes a PKCS12 file of a BCFKS file, and the name of that.
pub fn bcfks_conversion(store: Store, file: &Path) -> String {
    let p12 = beside(file, "p12");
    format!(
        "    keytool -importkeystore -srckeystore {} -srcstoretype BCFKS -destkeystore {} \
         -deststoretype PKCS12 \
         -providerclass org.bouncycastle.jcajce.provider.BouncyCastleFipsProvider \
         -providerpath bc-fips.jar\nand write {}={}",
        shell(file),
        shell(&p12),
        store.location_key(),
        p12.display()
    )
}

/// A file with another ending, never the file itself.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let other = file.with_extension(ending);
    if other == file { file.with_extension(format!("new.{ending}")) } else { other }
}

/// A file as an argument of a shell's command.
pub fn shell(file: &Path) -> String {
    let name = file.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if name.chars().all(plain) { name } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_type_suffix_and_content() {
        assert_eq!(StoreFormat::of_type("pkcs12"), Some(StoreFormat::Pkcs12));
        assert_eq!(StoreFormat::of_type("PEM"), Some(StoreFormat::Pem));
        assert_eq!(StoreFormat::of_type(BCFKS), None);
        assert_eq!(StoreFormat::of_suffix(Path::new("/a/k.JKS")), Some(StoreFormat::Jks));
        assert_eq!(StoreFormat::of_suffix(Path::new("k.pfx")), Some(StoreFormat::Pkcs12));
        assert_eq!(StoreFormat::of_suffix(Path::new("/a.jks/k")), None);
        let of_content = StoreFormat::of_content;
        assert_eq!(of_content(b"\xfe\xed\xfe\xed\0\0\0\x02"), Some(StoreFormat::Jks));
        assert_eq!(of_content(b"\x30\x82\x0a\x0b"), Some(StoreFormat::Pkcs12));
        assert_eq!(of_content(b"subject=CN\n-----BEGIN X-----\n"), Some(StoreFormat::Pem));
        assert_eq!(of_content(b"\xce\xce\xce\xce\0\0\0\x02"), None);
    }

    #[test]
    fn the_command_names_the_very_file() {
        let text = bcfks_conversion(Store::Key, Path::new("/etc/my zk/k.bcfks"));
        let command = "    keytool -importkeystore -srckeystore '/etc/my zk/k.bcfks' \
                       -srcstoretype BCFKS -destkeystore '/etc/my zk/k.p12' ";
        assert!(text.starts_with(command), "{text}");
        assert!(text.ends_with("\nand write ssl.keyStore.location=/etc/my zk/k.p12"), "{text}");
        let misnamed = bcfks_conversion(Store::Trust, Path::new("t.p12"));
        assert!(misnamed.contains("-destkeystore t.new.p12 "), "{misnamed}");
    }

    #[test]
    fn a_password_is_not_printed() {
        let store =
            StoreSettings { password: Some("hunter2".into()), ..StoreSettings::of("k.pem") };
        let printed = format!("{store:?}");
        assert!(printed.contains("k.pem") && !printed.contains("hunter2"), "{printed}");
    }
}
