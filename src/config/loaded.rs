//! What is read beside zoo.cfg, and what comes of it all.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

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
    /// Every key that was given, in zoo.cfg, the dynamic file or a flag, with a number that another value
    /// would hardly have: there are secrets among the values.
    pub settings: BTreeMap<String, u64>,
}

/// How a server that runs reads its configuration again.
#[derive(Clone)]
pub struct Reread {
    /// What is looked at for changes.
    pub file: PathBuf,
    /// The configuration as it is now, if something in it has changed that counts at once. Says what
    /// else has changed, and what is wrong.
    pub read: Rc<dyn Fn() -> Option<ServerConfig>>,
}

impl fmt::Debug for Reread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reread").field("file", &self.file).finish_non_exhaustive()
    }
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
    pub(super) passwords: Passwords<&'a str>,
}

/// The texts of the files that name the passwords of TLS.
#[derive(Clone, Copy, Default)]
pub(super) struct Passwords<T> {
    /// `ssl.keyStore.passwordPath`
    pub(super) key_store: Option<T>,
    /// `ssl.trustStore.passwordPath`
    pub(super) trust_store: Option<T>,
}

/// Without them.
impl<T> fmt::Debug for Passwords<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}
