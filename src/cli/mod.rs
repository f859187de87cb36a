//! The `quorate` command: a local ensemble, zkServer.sh's verbs, the check of a configuration, a load.
//!
//! Called by the name of a script of Apache ZooKeeper (`zkServer.sh`), it answers as that script.
//! Exit codes: 0 done, 1 it failed, 2 the command or a file is wrong; a server's own are Apache's
//! (ExitCode.java). Not here: the server, which the caller passes in as a function.

mod args;
mod check;
mod control;
mod files;
mod logging;
mod places;
mod probe;
mod reread;
mod room;
mod up;

use std::path::Path;

use clap::Parser;

pub use args::Serve;

use crate::backup;
use crate::bench;
use args::{Command, INVALID, Verb};

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
        Verb::Bench(args) => bench::run(&args),
        Verb::Backup(args) => backup::run_backup(&args),
        Verb::Restore(args) => backup::run_restore(&args),
        Verb::Check { config } => check::check(&config),
    }
}
