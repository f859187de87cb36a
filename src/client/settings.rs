//! What a client is told when it begins.      (ZKClientConfig)

use std::fmt;

use super::connect_string::ConnectString;
use crate::runtime::tls::ServerTrust;

/// Whom a client talks to, and how.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    pub connect: ConnectString,
    /// What the session asks for, in milliseconds; the server has limits of its own.
    pub session_timeout_ms: i32,
    /// A server without a leader will do.
    pub read_only: bool,
    /// With TLS, if the servers have it.
    pub tls: Option<ServerTrust>,
    /// Who the client is, by DIGEST-MD5.
    pub sasl: Option<Credentials>,
}

/// The options of a client's login module. (DigestLoginModule)
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
