//! Why a run cannot be, or cannot go on.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum BenchError {
    #[error("{0}")]
    Invalid(String),
    #[error(
        "no session with {server}: {error}. Does a server serve there (quorate server status)? Does \
         its maxClientCnxns allow so many connections of one client?"
    )]
    Connect { server: SocketAddr, error: io::Error },
    #[error("{server} answers what was not asked: {what}")]
    OddReply { server: SocketAddr, what: String },
    #[error("{doing} failed: {what}")]
    Refused { doing: &'static str, what: String },
    #[error("{doing} failed: {error}")]
    Machine { doing: &'static str, error: io::Error },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}
