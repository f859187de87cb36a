//! TLS for clients, as the operator wrote it: names of files, nothing read yet.
//!
//! Not here: reading the files and the handshake (`runtime/os/tls.rs`).

use std::path::PathBuf;

use crate::runtime::HostPort;

/// The TLS port of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
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
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClientAuth {
    None,
    Want,
    #[default]
    Need,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}
