//! Tools for a data directory: what stands in logs and snapshots, whether it is whole, what can be saved.
//! (TxnLogToolkit, SnapshotFormatter, SnapshotRecursiveSummary, SnapshotComparer, PurgeTxnLog)
//!
//!     args        the commands, and Apache's scripts by their names
//!     files       which files a path stands for           numbers  zxids, sessions and times as written
//!     log_walk    one log, damage and all                 filter   which transactions are wanted
//!     txn_text    a transaction as a line                 txn_json  and as JSON
//!     txnlog      print, verify                           log_copy  recover, chop, into a new file
//!     txnlog_script  zkTxnLogToolkit.sh
//!     snapshot_walk  one snapshot, checked           subtrees  how much lies below each node
//!     snapshot    print, verify                       statistics  what is largest, and whose
//!     compare     two snapshots, or one and its logs  purge    what is old goes
//!     history     who did what to a node              snapshot_scripts, comparer_script  Apache's
//!     output      standard output                         bar      how far it is, on a terminal
//!
//! Files are read by storage's own readers, on the runtime of this machine: there is one reader for each
//! format. Nothing is ever written to a file that was given to be read.
//!
//! - TK-1 what is held of a file at once is a piece of it, or one record if that is longer.
//!
//! Exit codes: 0 done, 1 it failed or something is damaged, 2 the command or a file is wrong.

mod args;
mod bar;
mod compare;
mod comparer_script;
mod error;
mod files;
mod filter;
mod history;
mod log_copy;
mod log_walk;
mod numbers;
mod output;
mod purge;
mod snapshot;
mod snapshot_scripts;
mod snapshot_walk;
mod statistics;
mod subtrees;
mod txn_json;
mod txn_text;
mod txnlog;
mod txnlog_script;
mod verdict;

use std::ffi::OsString;
use std::io::Write;

pub use args::ToolCommand;

use crate::runtime::os::Machine;
use crate::runtime::{LaneId, Runtime};
use error::ToolError;
use output::Output;
use verdict::{Disk, Verdict};

/// Apache's tool for snapshots has an option of many letters behind one dash.
pub fn spelled_out(mut args: Vec<OsString>) -> Vec<OsString> {
    let is_snapshot = |verb: &OsString| verb == "snapshot" || verb == "zkSnapShotToolkit";
    if args.get(1).is_some_and(is_snapshot) {
        args.iter_mut().filter(|arg| *arg == "-json").for_each(|arg| *arg = "--json".into());
    }
    args
}

/// Does what the command line says. The answer is the exit code.
pub fn run(command: &ToolCommand) -> i32 {
    let machine = Machine::new();
    let disk = machine.disk(LaneId::History);
    let mut output = Output::standard();
    let ran = machine.run(async {
        let time_ms = machine.now_at(machine.stamp()).wall_ms;
        let verdict = dispatch(command, time_ms, &disk, &mut output).await;
        let flushed = output.flush();
        verdict.and_then(|sound| Ok(flushed.map(|()| sound)?))
    });
    match ran.map_err(ToolError::from).and_then(|verdict| verdict) {
        Ok(sound) => i32::from(!sound),
        Err(error) => {
            error.tell();
            error.exit_code()
        }
    }
}

async fn dispatch(
    command: &ToolCommand,
    time_ms: i64,
    disk: &Disk,
    output: &mut Output,
) -> Verdict {
    match command {
        ToolCommand::Txnlog(args) => txnlog::run(args, disk, output).await,
        ToolCommand::TxnlogScript(args) => txnlog_script::run(args, disk, output).await,
        ToolCommand::Snapshot(args) => snapshot::run(args, time_ms, disk, output).await,
        ToolCommand::SnapshotScript(args) => {
            snapshot_scripts::format(args, time_ms, disk, output).await
        }
        ToolCommand::SummaryScript(args) => snapshot_scripts::summary(args, disk, output).await,
        ToolCommand::ComparerScript(args) => comparer_script::run(args, disk, output).await,
        ToolCommand::Purge(args) => purge::run(args, disk, output).await,
        ToolCommand::History(args) => history::run(args, disk, output).await,
    }
}
