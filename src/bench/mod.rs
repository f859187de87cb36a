//! `quorate bench`: a load client for any ZooKeeper server.
//!
//!     plan     the command line, checked         work     what is asked next
//!     frames   requests as bytes                 replies  replies as bytes
//!     link     one session                       client   all sessions on one thread
//!     pace     when an open loop's are due       tally    latencies, counts, errors
//!     one_run  set up, measure, clean up         compare  two targets in turn
//!     report   table and JSON                    page     plots
//!     disk     how fast it is just now
//!
//! It shares the machine with what it measures, so that a request costs it as little as can be:
//! assembled once, one read and one write for many, no allocation.
//!
//! A client beside the server, not a part of it: of the other rooms it knows jute and base alone, it
//! uses sockets, files and the clock of the machine without the runtime, and only the cli knows of it
//! (held by `tests/layers` and `tests/tidy`).

mod args;
mod client;
mod compare;
mod disk;
mod frames;
mod link;
mod one_run;
mod pace;
mod page;
mod plan;
mod replies;
mod report;
mod tally;
mod work;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

pub use args::BenchArgs;

use plan::Plan;

const FAILED: i32 = 1;
const INVALID: i32 = 2;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BenchError {
    #[error("{0}")]
    Invalid(String),
    #[error(
        "no session with {server}: {error}. Does a server serve there (quorate server status)? Does \
         its maxClientCnxns allow so many connections of one client?"
    )]
    Connect { server: SocketAddr, error: io::Error },
    #[error("{server} answers what was not asked: {what}")]
    OddReply { server: SocketAddr, what: String },
    #[error("{doing} failed: {what}")]
    Refused { doing: &'static str, what: String },
    #[error("{doing} failed: {error}")]
    Machine { doing: &'static str, error: io::Error },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
}

/// Nanoseconds since a run began.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn start() -> Clock {
        Clock(Instant::now())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

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
