//! Runs another process, and ends it if it takes too long.
//!
//! The limit is on processor time, so that a run is not too long only because the machine is busy. A
//! process that waits for ever uses no processor time, so five times the limit in wall time ends it
//! too.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::grammar::show_duration;

/// What a run may take if nobody says otherwise; the longest take seconds in an unoptimised build.
pub const RUN_LIMIT: Duration = Duration::from_secs(60);
/// Wall time is this much more patient than processor time.
const WALL: u32 = 5;
/// How often the limits are checked.
const POLL: Duration = Duration::from_millis(50);

/// When a process has to be over.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Processor time it may use.
    pub work: Duration,
    /// Whatever it has used.
    pub until: Option<Instant>,
}

impl Limit {
    pub fn of(work: Duration) -> Limit {
        Limit { work, until: None }
    }
}

/// What a process that ended by itself left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) error: String,
}

/// Why a process left nothing.
#[derive(Debug, Error)]
pub(crate) enum NoEnd {
    #[error("it could not be started: {0}")]
    NotStarted(#[from] io::Error),
    #[error("did not end within {0}")]
    TooLong(Reached),
}

/// The limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Work(Duration),
    Wall(Duration),
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reached::Work(limit) => write!(f, "{} of processor time", show_duration(*limit)),
            Reached::Wall(limit) => f.write_str(&show_duration(*limit)),
        }
    }
}

/// Runs a command to its end, or ends it: only this one process, whatever it may have started.
pub(crate) fn run(mut command: Command, limit: Limit) -> Result<Ended, NoEnd> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    let (output, error) = (text_of(child.stdout.take()), text_of(child.stderr.take()));
    let mut watch = Watch { begun, limit, pid: child.id() };
    let ended = || -> Result<Ended, Reached> {
        let (output, error) = (watch.text(&output)?, watch.text(&error)?);
        let status = watch.end(&mut child)?;
        Ok(Ended { status, output, error })
    }();
    ended.map_err(|reached| {
        // It may have ended this moment.
        let _ = (child.kill(), child.wait());
        NoEnd::TooLong(reached)
    })
}

/// Reads in a thread of its own, so that no full pipe holds the process up.
fn text_of(from: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (to, text) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What came before an error is what there is.
            let _ = from.read_to_end(&mut bytes);
        }
        // Nobody waits for it any more if the process had to be ended.
        let _ = to.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    text
}

struct Watch {
    begun: Instant,
    limit: Limit,
    pid: u32,
}

impl Watch {
    /// What a pipe brought until the process closed it.
    fn text(&mut self, from: &Receiver<String>) -> Result<String, Reached> {
        let poll = POLL.min(self.limit.work / 4).max(Duration::from_millis(1));
        loop {
            match from.recv_timeout(poll) {
                Ok(text) => return Ok(text),
                Err(RecvTimeoutError::Disconnected) => return Ok(String::new()),
                Err(RecvTimeoutError::Timeout) => self.check()?,
            }
        }
    }

    /// A process that has closed its pipes has ended, or will in a moment.
    fn end(&mut self, child: &mut Child) -> Result<ExitStatus, Reached> {
        let mut pause = Duration::from_micros(100);
        loop {
            if let Ok(Some(status)) = child.try_wait() {
                return Ok(status);
            }
            self.check()?;
            thread::sleep(pause);
            pause = (pause * 2).min(POLL);
        }
    }

    fn check(&self) -> Result<(), Reached> {
        let Limit { work, until } = self.limit;
        if used_by(self.pid).is_some_and(|used| used >= work) {
            return Err(Reached::Work(work));
        }
        let wall = work.saturating_mul(WALL);
        if self.begun.elapsed() >= wall {
            return Err(Reached::Wall(wall));
        }
        match until {
            Some(until) if Instant::now() >= until => Err(Reached::Wall(self.begun.elapsed())),
            _ => Ok(()),
        }
    }
}

/// Processor time of a process that nobody has waited for. Only Linux tells.
fn used_by(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    times_of(&stat).map(|times| times[0])
}

/// Processor time of all child processes that have ended. Only Linux tells.
pub(crate) fn used_by_children() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    times_of(&stat).map(|times| times[1])
}

/// Its own time (utime and stime, the 14th and 15th word of /proc/PID/stat) and that of its
/// children (the next two), all in hundredths of a second. The second word is the program's name
/// in parentheses, and may hold anything.
fn times_of(stat: &str) -> Option<[Duration; 2]> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace().skip(11);
    let mut time = || {
        let (user, system): (u64, u64) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Duration::from_millis(user.saturating_add(system).saturating_mul(10)))
    };
    Some([time()?, time()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, work_ms: u64) -> Result<Ended, NoEnd> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, Limit::of(Duration::from_millis(work_ms)))
    }

    #[test]
    fn what_ends_leaves_everything_it_said() {
        let ended = shell("seq 30000; echo away >&2; exit 7", 60_000).expect("it ends");
        assert_eq!(ended.output.lines().count(), 30_000);
        assert_eq!((ended.error.as_str(), ended.status.code()), ("away\n", Some(7)));
    }

    #[test]
    fn what_works_on_for_ever_is_ended() {
        let error = shell("while :; do :; done", 300).expect_err("it does not end");
        let words = error.to_string();
        let wanted = ["did not end within 300ms of processor time", "did not end within 1500ms"];
        assert!(wanted.contains(&words.as_str()), "{words}");
    }

    #[test]
    fn what_waits_for_ever_is_ended() {
        for script in ["exec sleep 1000", "exec sleep 1000 >/dev/null 2>&1", "sleep 3; sleep 3"] {
            let error = shell(script, 100).expect_err("it does not end");
            assert_eq!(error.to_string(), "did not end within 500ms", "{script}");
        }
    }

    #[test]
    fn what_is_no_program_is_not_started() {
        let error = run(Command::new("/nowhere/at/all"), Limit::of(RUN_LIMIT));
        let words = error.expect_err("it is not there").to_string();
        assert!(words.starts_with("it could not be started: "), "{words}");
    }

    #[test]
    fn times_are_read_behind_a_strange_name() {
        let stat = "7 (a ) b) S 1 2 3 4 5 6 7 8 9 10 11 12 150 25 20 0";
        let times = [Duration::from_millis(230), Duration::from_millis(1750)];
        assert_eq!(times_of(stat), Some(times));
        assert_eq!(times_of("7 (a) S 1"), None);
    }
}
