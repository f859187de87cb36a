//! The `quorate` command: a local ensemble, zkServer.sh's verbs, the check of a configuration, a load.
//!
//! Called by the name of a script of Apache ZooKeeper (`zkServer.sh`, `zkCli.sh`), it answers as that script.
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

use clap::{CommandFactory, Parser};

pub use args::Serve;

use crate::backup;
use crate::bench;
use crate::shell;
use crate::toolkit;
use args::{Command, INVALID, Verb};

/// Apache's scripts, without `.sh`, and the verb that answers as each of them.
const SCRIPTS: [(&str, &str); 7] = [
    ("zkCleanup", "purge"),
    ("zkCli", "shell"),
    ("zkServer", "server"),
    ("zkSnapShotToolkit", "zkSnapShotToolkit"),
    ("zkSnapshotComparer", "zkSnapshotComparer"),
    ("zkSnapshotRecursiveSummaryToolkit", "zkSnapshotRecursiveSummaryToolkit"),
    ("zkTxnLogToolkit", "zkTxnLogToolkit"),
];

/// The command line as clap has it, for manual pages and completions.
pub fn command_line() -> clap::Command {
    Command::command()
}

/// Parses the command line of this process and does what it says. The answer is the exit code.
pub fn run(serve: Serve) -> i32 {
    let mut args: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let name = args.first().map(|name| Path::new(name).file_name().unwrap_or_default().to_owned());
    let name = name.unwrap_or_default().to_string_lossy().into_owned();
    let script = SCRIPTS.iter().find(|(script, _)| *script == name.trim_end_matches(".sh"));
    if let Some((_, verb)) = script {
        args.insert(1, verb.into());
    }
    let command = match Command::try_parse_from(toolkit::spelled_out(args)) {
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
        Verb::Shell(args) => shell::run(&args),
        Verb::Backup(args) => backup::run_backup(&args),
        Verb::Restore(args) => backup::run_restore(&args),
        Verb::Check { config } => check::check(&config),
        Verb::Tool(command) => toolkit::run(&command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands without an example in their help, but the script names of others, which have Apache's usage.
    fn without_example(command: &clap::Command, name: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
            let name = format!("{name} {}", below.get_name());
            let after = below.get_after_help().map(ToString::to_string).unwrap_or_default();
            if below.get_name() != "help" && !after.contains(&format!("\n  {name} ")) {
                found.push(name.clone());
            }
            without_example(below, &name, found);
        }
    }

    #[test]
    fn the_help_of_each_command_has_an_example_of_it() {
        let mut found = Vec::new();
        without_example(&command_line(), "quorate", &mut found);
        assert_eq!(found, Vec::<String>::new());
    }
}
