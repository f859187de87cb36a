//! The `quorate` command: a local ensemble, zkServer.sh's verbs, the check of a configuration, a load.
//!
//! Called by the name of a script of Apache ZooKeeper (`zkServer.sh`), it answers as that script.
//! Exit codes: 0 done, 1 it failed, 2 the command or a file is wrong; a server's own are Apache's
//! (ExitCode.java). Not here: the server, which the caller passes in as a function.

mod args;
mod control;
mod files;
mod logging;
mod probe;
mod up;

use std::path::Path;

use clap::Parser;

pub use args::Serve;

use crate::bench;
use crate::config::ServerConfig;
use crate::runtime::os::check_tls;
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
