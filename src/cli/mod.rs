//! The `quorate` command: a local ensemble, zkServer.sh's verbs, and the check of a configuration.
//!
//! Called by the name of a script of Apache ZooKeeper (`zkServer.sh`), it answers as that script.
//! Exit codes: 0 done, 1 it failed, 2 the command or a file is wrong; a server's own are Apache's
//! (ExitCode.java). Not here: the server, which the caller passes in as a function.

mod control;
mod logging;
mod probe;
mod up;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::ServerConfig;
use crate::runtime::os::check_tls;

/// Runs a server until it ends; the answer is the exit code of the process.
pub type Serve = fn(ServerConfig) -> i32;

const FAILED: i32 = 1;
const INVALID: i32 = 2;

#[derive(Parser, Debug)]
#[command(name = "quorate", version, about = "A ZooKeeper-compatible coordination service")]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// An ensemble on this machine, for development; Ctrl-C ends it
    Up(UpArgs),
    /// One server, with zkServer.sh's verbs
    Server(ServerArgs),
    /// Says what is wrong with a configuration before it runs
    Check {
        /// A zoo.cfg
        config: PathBuf,
    },
}

#[derive(Args, Debug)]
struct UpArgs {
    /// How many servers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    servers: u16,
    /// Client port of the first server; the others follow it. Quorum ports are 1000 and election
    /// ports 2000 above
    #[arg(long, default_value_t = 2181, value_parser = clap::value_parser!(u16).range(1..=63_400))]
    port: u16,
    /// Where configurations, data and logs of the servers are kept
    #[arg(long, default_value = "quorate-data")]
    dir: PathBuf,
}

#[derive(Args, Debug)]
struct ServerArgs {
    /// Directory of the configuration [env: ZOOCFGDIR]
    #[arg(long = "config", value_name = "DIR")]
    config_dir: Option<PathBuf>,
    verb: ServerVerb,
    /// The configuration: a name in that directory, or a path [env: ZOOCFG; default: zoo.cfg]
    config: Option<PathBuf>,
    /// Leave the caller's terminal session
    #[arg(long, hide = true)]
    detached: bool,
    /// End when standard input ends: the parent is gone
    #[arg(long, hide = true)]
    attached: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
enum ServerVerb {
    Start,
    StartForeground,
    Stop,
    Restart,
    Status,
    PrintCmd,
    Version,
}

/// Parses the command line of this process and does what it says. The answer is the exit code.
pub fn run(serve: Serve) -> i32 {
    let mut args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let name = args.first().map(|name| Path::new(name).file_name().unwrap_or_default().to_owned());
    if name.is_some_and(|name| name == "zkServer.sh" || name == "zkServer") {
        args.insert(1, "server".into());
    }
    let command = match Command::try_parse_from(args) {
        Ok(command) => command,
        Err(error) => {
            // A closed stdout is no reason to fail: the text was all there was to do.
            let _ = error.print();
            return if error.use_stderr() { INVALID } else { 0 };
        }
    };
    match command.verb {
        Verb::Up(args) => up::run_ensemble(&args),
        Verb::Server(args) => control::run_server_verb(&args, serve),
        Verb::Check { config } => check(&config),
    }
}

fn check(path: &Path) -> i32 {
    let error = match ServerConfig::load(path) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                println!("warning: {warning}");
            }
            match loaded.config.client_tls.as_ref().map_or(Ok(()), check_tls) {
                Ok(()) => {
                    println!("{}: good: {}", path.display(), describe(&loaded.config));
                    return 0;
                }
                Err(error) => error.to_string(),
            }
        }
        Err(error) => error.to_string(),
    };
    eprintln!("error: {error}");
    INVALID
}

/// One line that lets an operator see whether the file says what was meant.
fn describe(config: &ServerConfig) -> String {
    let mut clients = match &config.client {
        Some(address) => format!("clients at {address}"),
        None => "no client port".into(),
    };
    if let Some(tls) = &config.client_tls {
        if tls.port_unification {
            clients.push_str(" (TLS too)");
        }
        if let Some(address) = &tls.listen {
            clients.push_str(&format!(", TLS at {address}"));
        }
    }
    if config.is_standalone() {
        return format!("a standalone server, {clients}");
    }
    let servers = config.servers.len();
    format!("server {} of an ensemble of {servers}, {clients}", config.my_id)
}
