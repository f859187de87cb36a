//! What a server is told: zoo.cfg and myid, as values.
//!
//! The parser (`parse.rs`) makes a [`ServerConfig`] out of a file; the simulator makes one out of
//! a scenario. Not here: what the numbers mean for a quorum (`quorum`).

mod access;
mod admin;
mod admin_keys;
mod client_config;
mod client_keys;
#[cfg(test)]
mod client_keys_test;
mod draft;
mod environment;
mod error;
mod jaas;
mod keys;
mod limits;
mod load;
mod loaded;
mod membership;
#[cfg(test)]
mod membership_test;
mod mistakes;
mod no_meaning;
mod otlp;
mod otlp_keys;
mod parse;
#[cfg(test)]
mod parse_test;
mod properties;
mod server_config;
mod server_line;
mod shell;
mod sync_limits;
mod tls_keys;
#[cfg(test)]
mod tls_keys_test;

pub use access::{Access, DigestAlg};
pub use admin::AdminConfig;
pub use client_config::ClientConfig;
pub use environment::Environment;
pub use error::{At, ConfigError};
pub use keys::is_live;
pub use limits::{ClientLimits, ConnectionThrottle};
pub use loaded::{Loaded, Reread};
pub use membership::{Members, read_members};
pub use mistakes::Mistakes;
pub use otlp::OtlpConfig;
pub use parse::parse;
pub use server_config::{ContainerReaping, LearnerType, ServerConfig, ServerSpec};
pub use sync_limits::SyncLimits;

pub use crate::runtime::tls::{ClientAuth, ClientTls, StoreSettings, TlsVersion};
