//! `quorate bench`: a load client for any ZooKeeper server.
//!
//!     plan     the command line, checked         work     what is asked next
//!     frames   requests as bytes                 replies  replies as bytes
//!     link     one session                       client   all sessions on one thread
//!     pace     when an open loop's are due       tally    latencies, counts, errors
//!     one_run  set up, measure, clean up         compare  two targets in turn
//!     report   table and JSON                    page     plots
//!     disk     how fast it is just now           op       what can be asked
//!
//! It shares the machine with what it measures, so that a request costs it as little as can be:
//! assembled once, one read and one write for many, no allocation.
//!
//! A client beside the server, not a part of it: of the other rooms it knows jute and base alone, it
//! uses sockets, files and the clock of the machine without the runtime, and only the cli knows of it
//! (held by `tests/layers` and `tests/tidy`).

mod args;
mod client;
mod clock;
mod compare;
mod disk;
mod error;
mod frames;
mod link;
mod one_run;
mod op;
mod pace;
mod page;
mod plan;
mod replies;
mod report;
mod tally;
mod work;

pub use args::BenchArgs;

use error::BenchError;
use plan::Plan;

const FAILED: i32 = 1;
const INVALID: i32 = 2;

/// Does what the command line says. The answer is the exit code: 1 if a connection was lost, a reply
/// was an error or did not come, 2 if the command is wrong.
pub fn run(args: &BenchArgs) -> i32 {
    match bench(args) {
        Ok(good) => i32::from(!good),
        Err(error) => {
            eprintln!("error: {error}");
            if matches!(error, BenchError::Invalid(_)) { INVALID } else { FAILED }
        }
    }
}

fn bench(args: &BenchArgs) -> Result<bool, BenchError> {
    let plan = Plan::of(&args.load)?;
    if let Some([a, b]) = args.compare.as_deref() {
        return compare::run(args, &plan, [a, b]);
    }
    let servers = plan::servers(args.servers.as_deref().unwrap_or_default())?;
    let outcome = one_run::run(&plan, &servers, args.quiet)?;
    report::write(args, &outcome)?;
    if let Some(path) = &args.html {
        page::write(path, &outcome)?;
    }
    Ok(outcome.is_good())
}
