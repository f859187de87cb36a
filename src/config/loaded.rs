//! What is read beside zoo.cfg, and what comes of it all.

use super::ServerConfig;
use super::error::ConfigError;
use super::properties::Entry;

/// A configuration that can be started, and what its author should hear.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: ServerConfig,
    /// One sentence each, with file, line and column where there is one.
    pub warnings: Vec<String>,
    /// Keys that nobody knows: Apache ZooKeeper starts with them, but they are hardly meant.
    pub unknown_keys: Vec<ConfigError>,
}

/// What stands beside zoo.cfg.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Beside<'a> {
    /// The text of `<dataDir>/myid`.
    pub(super) myid: Option<&'a str>,
    /// Name and text of the file that `java.security.auth.login.config` names.
    pub(super) jaas: Option<(&'a str, &'a str)>,
    /// The `-D` flags of the JVM.
    pub(super) flags: &'a [Entry],
    /// Name and text of the file that `dynamicConfigFile` names.
    pub(super) dynamic: Option<(&'a str, &'a str)>,
    /// The text of the file that `ssl.keyStore.passwordPath` names.
    pub(super) key_password: Option<&'a str>,
}
