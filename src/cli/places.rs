//! Where zkServer.sh finds and puts files: the configuration, the pid file, the log. (zkEnv.sh)

use std::fs;
use std::path::{Path, PathBuf};

use super::args::ServerArgs;
use crate::config::{Environment, Mistakes, ServerConfig};

#[derive(Debug)]
pub(super) struct Places {
    /// With what the two files of shell in the configuration directory change.
    pub(super) environment: Environment,
    pub(super) config: PathBuf,
    /// The configuration directory that was asked for, where those files are looked for first.
    pub(super) config_dir: PathBuf,
}

impl Places {
    /// The search of zkServer.sh: a bare name lies in the configuration directory (`--config`, ZOOCFGDIR,
    /// `conf`, or /etc/zookeeper), a path is taken as it is. Without a word about the directory it is
    /// that of the path.
    pub(super) fn find(args: &ServerArgs) -> Result<Places, Mistakes> {
        let given = args.config_dir.clone().or_else(|| variable("ZOOCFGDIR"));
        let default_dir = || {
            let beside = PathBuf::from("conf");
            if beside.is_dir() { beside } else { PathBuf::from("/etc/zookeeper") }
        };
        let config_dir = given.or_else(|| args.config.as_deref().and_then(dir_of_path));
        let config_dir = config_dir.unwrap_or_else(default_dir);
        let environment = Environment::of_process(&config_dir)?;
        let dir = environment.get("ZOOCFGDIR").map_or(config_dir.clone(), PathBuf::from);
        let given = args.config.clone().or_else(|| environment.get("ZOOCFG").map(PathBuf::from));
        let name = given.unwrap_or_else(|| "zoo.cfg".into());
        let in_dir = dir.join(&name);
        let is_bare = dir_of_path(&name).is_none();
        let config = if is_bare && (in_dir.exists() || !name.exists()) { in_dir } else { name };
        Ok(Places { environment, config, config_dir })
    }

    /// Those of a configuration that is given by its path.
    pub(super) fn of_file(config: &Path) -> Result<Places, Mistakes> {
        let given = variable("ZOOCFGDIR").or_else(|| dir_of_path(config));
        let config_dir = given.unwrap_or_else(|| ".".into());
        let environment = Environment::of_process(&config_dir)?;
        Ok(Places { environment, config: config.to_owned(), config_dir })
    }

    /// What finds these places again: the path, and the directory if that is another one.
    pub(super) fn arguments(&self) -> Vec<PathBuf> {
        let absolute = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let config = absolute(&self.config);
        let dir = absolute(&self.config_dir);
        match config.parent() == Some(&dir) {
            true => vec![config],
            false => vec![config, "--config".into(), dir],
        }
    }

    pub(super) fn pid_file(&self, config: &ServerConfig) -> PathBuf {
        match self.environment.get("ZOOPIDFILE") {
            Some(file) => file.into(),
            None => config.data_dir.join("zookeeper_server.pid"),
        }
    }

    pub(super) fn log_file(&self, config: &ServerConfig) -> PathBuf {
        let dir = self.environment.get("ZOO_LOG_DIR");
        let dir = dir.map_or_else(|| config.data_dir.join("logs"), PathBuf::from);
        dir.join(self.environment.get("ZOO_LOG_FILE").unwrap_or("zookeeper.log"))
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The directory in a path; `None` of a bare name.
fn dir_of_path(path: &Path) -> Option<PathBuf> {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).map(Path::to_owned)
}
