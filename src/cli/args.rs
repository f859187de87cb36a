//! The command line as values.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::up::UpArgs;
use crate::backup::{BackupArgs, RestoreArgs};
use crate::bench::BenchArgs;
use crate::config::{Reread, ServerConfig};
use crate::shell::ShellArgs;
use crate::toolkit::ToolCommand;

/// Runs a server until it ends; the answer is the exit code of the process.
pub type Serve = fn(ServerConfig, Reread) -> i32;

pub(super) const FAILED: i32 = 1;
pub(super) const INVALID: i32 = 2;
/// ExitCode.UNABLE_TO_ACCESS_DATADIR
pub(super) const NO_ACCESS: i32 = 3;

const SERVER_EXAMPLES: &str = "\
Examples:
  quorate server start /etc/zookeeper/zoo.cfg
  quorate server --config /etc/zookeeper status
  quorate server start-foreground ./zoo.cfg

A bare name is looked for in the directory of the configuration: ./conf, else /etc/zookeeper.";

const CHECK_EXAMPLES: &str = "\
Example:
  quorate check /etc/zookeeper/zoo.cfg

Nothing is written. Exit code: 0 it can be started with, 2 it cannot; every mistake is listed.";

#[derive(Parser, Debug)]
#[command(name = "quorate", version, about = "A ZooKeeper-compatible coordination service")]
pub(super) struct Command {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// An ensemble on this machine, for development; Ctrl-C ends it
    Up(UpArgs),
    /// One server, with zkServer.sh's verbs
    Server(ServerArgs),
    /// A load for any ZooKeeper server, and what it took
    Bench(Box<BenchArgs>),
    /// The commands of zkCli.sh, for any ZooKeeper server
    Shell(ShellArgs),
    /// Keeps a server's snapshots and logs elsewhere, while it runs
    Backup(Box<BackupArgs>),
    /// Makes a data directory of a backup, as it was behind any transaction
    Restore(RestoreArgs),
    /// Says what is wrong with a configuration before it runs
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        /// A zoo.cfg
        config: PathBuf,
    },
    #[command(flatten)]
    Tool(ToolCommand),
}

#[derive(Args, Debug)]
#[command(after_help = SERVER_EXAMPLES)]
pub(super) struct ServerArgs {
    /// Directory of the configuration [env: ZOOCFGDIR]
    #[arg(long = "config", value_name = "DIR")]
    pub(super) config_dir: Option<PathBuf>,
    pub(super) verb: ServerVerb,
    /// The configuration: a name in that directory, or a path [env: ZOOCFG; default: zoo.cfg]
    pub(super) config: Option<PathBuf>,
    /// Leave the caller's terminal session
    #[arg(long, hide = true)]
    pub(super) detached: bool,
    /// End when standard input ends: the parent is gone
    #[arg(long, hide = true)]
    pub(super) attached: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub(super) enum ServerVerb {
    Start,
    StartForeground,
    Stop,
    Restart,
    Status,
    PrintCmd,
    Version,
    Upgrade,
}

impl ServerVerb {
    /// Whether a server runs, or should run, because of it.
    pub(super) fn starts(self) -> bool {
        matches!(self, ServerVerb::Start | ServerVerb::StartForeground | ServerVerb::Restart)
    }
}
