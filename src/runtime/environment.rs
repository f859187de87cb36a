//! Where a server runs, as the word `envi` shows it. (Environment)

/// What the machine said at the start; `None` is not known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Environment {
    pub host_name: Option<String>,
    pub tmp_dir: Option<String>,
    pub os_name: Option<String>,
    pub os_arch: Option<String>,
    pub os_version: Option<String>,
    pub user_name: Option<String>,
    pub user_home: Option<String>,
    /// The working directory.
    pub user_dir: Option<String>,
    /// Of the whole machine.
    pub memory_bytes: Option<u64>,
}
