//! `quorate shell`: Apache ZooKeeper's zkCli.sh, command by command and line by line.
//!
//!     args      the command line              session   the loop
//!     words     a line as words               options   options as commons-cli takes them
//!     command   what a command is             table     all of them
//!     lines     a terminal, or a script       print     text or JSON, stdout or stderr
//!     text      answers as Apache prints them refused   errors, and what to do about them
//!
//!     walk      everything below a node       record    a node as a line of an export
//!
//!     nodes  deletes  acls  watches  quotas  ensemble    the commands of zkCli.sh, a family a file
//!     subtrees  searches  follow  transfer  edit  diff   what it never had
//!
//! A new command is a line in the table of its family, and a function. It prints its answer twice, as
//! lines and as JSON; the printer knows which of the two is wanted.
//!
//! Not here: the session and what can be asked (client).

mod acls;
mod args;
mod command;
mod deletes;
mod diff;
mod edit;
mod ensemble;
mod follow;
mod lines;
mod nodes;
mod options;
mod print;
mod quotas;
mod record;
mod refused;
mod searches;
mod session;
mod subtrees;
mod table;
mod text;
mod transfer;
mod walk;
mod watches;
mod words;

use std::env;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use args::ShellArgs;

use args::Invocation;
use print::{Form, Printer};
use session::{Security, Shell};

use crate::client::Credentials;
use crate::config::{ClientConfig, Environment, Mistakes};
use crate::runtime::os::{Machine, check_server_trust};

const FAILED: i32 = 1;
const INVALID: i32 = 2;

/// Does what the command line says. The answer is the exit code.
pub fn run(args: &ShellArgs) -> i32 {
    let invocation = match Invocation::of(&args.words) {
        Ok(invocation) => invocation,
        Err(wrong) => {
            eprintln!("error: {wrong}");
            return INVALID;
        }
    };
    let print = Printer::new(if invocation.json { Form::Json } else { Form::Text });
    let security = match security(invocation.configuration.as_deref()) {
        Ok(security) => security,
        Err(mistakes) => {
            mistakes.errors.iter().for_each(|error| eprintln!("error: {error}"));
            return INVALID;
        }
    };
    if let Some(Err(error)) = security.tls.as_ref().map(check_server_trust) {
        eprintln!("error: {error}");
        return INVALID;
    }
    let machine = Machine::new();
    let interrupted = {
        let machine = machine.clone();
        Rc::new(move || -> command::Waiting {
            let machine = machine.clone();
            Box::pin(async move { machine.interrupted().await })
        })
    };
    let shell = Shell::new(machine.clone(), invocation, security, print, interrupted);
    machine.run(shell.run()).unwrap_or_else(|error| {
        eprintln!("error: the kernel gives no event queue: {error}");
        FAILED
    })
}

/// What the file of `-client-configuration` and CLIENT_JVMFLAGS say. (zkEnv.sh)
fn security(configuration: Option<&Path>) -> Result<Security, Mistakes> {
    let given = env::var_os("ZOOCFGDIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let dir = given.unwrap_or_else(|| {
        let beside = PathBuf::from("conf");
        if beside.is_dir() { beside } else { PathBuf::from("/etc/zookeeper") }
    });
    let config = ClientConfig::load(configuration, &Environment::of_process(&dir)?)?;
    config.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let sasl = config.sasl.map(|(username, password)| Credentials { username, password });
    Ok(Security { tls: config.tls, sasl })
}
