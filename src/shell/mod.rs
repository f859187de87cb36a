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

pub use args::ShellArgs;

use std::rc::Rc;

use args::Invocation;
use print::{Form, Printer};
use session::{Security, Shell};

use crate::runtime::os::Machine;

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
    let machine = Machine::new();
    let interrupted = {
        let machine = machine.clone();
        Rc::new(move || -> command::Waiting {
            let machine = machine.clone();
            Box::pin(async move { machine.interrupted().await })
        })
    };
    let shell = Shell::new(machine.clone(), invocation, Security::default(), print, interrupted);
    machine.run(shell.run()).unwrap_or_else(|error| {
        eprintln!("error: the kernel gives no event queue: {error}");
        FAILED
    })
}
