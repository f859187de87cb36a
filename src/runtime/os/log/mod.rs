//! The log of a server: a line an event on standard error.
//!
//! | file       | what it is                                                     |
//! |------------|----------------------------------------------------------------|
//! | `line.rs`  | an event as one line, escaped and cut                          |
//! | `limit.rs` | how many lines of a kind there are                             |
//! | `queue.rs` | lines on their way to a thread that writes them, or dropped    |
//! | `veil.rs`  | what no line shows                                             |
//!
//! - LG-1  an event is one line, whatever strangers have put into it
//! - LG-2  the server's thread never waits for whoever reads the log
//! - LG-3  how many lines are missing is said where they are missing
//!
//! Not here: what is logged, and at which level (RUST_LOG, cli).

mod limit;
mod line;
mod queue;
mod veil;

pub(super) use veil::Veiled;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Event, Level, Subscriber, error};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;

use crate::base::AUDIT_TARGET;
use limit::{Limits, Verdict};
use queue::Queue;

/// The log of this process, once it has one.
static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// Begins the log of this process, and takes the words of panics into it. The layer does nothing if
/// no subscriber uses it.
pub fn log_layer<S: Subscriber>() -> impl Layer<S> {
    let log = LOG.get_or_init(|| {
        panic::set_hook(Box::new(log_panic));
        Arc::new(Log::begin())
    });
    LogLayer(Arc::clone(log))
}

/// Waits until the log is written, or for a second if nobody takes it.
pub fn finish_log() {
    if let Some(log) = LOG.get() {
        log.queue.finish();
    }
}

#[derive(Debug)]
struct Log {
    begun: Instant,
    has_colours: bool,
    limits: Mutex<Limits>,
    queue: Queue,
}

struct LogLayer(Arc<Log>);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.0.take(event);
    }
}

impl Log {
    fn begin() -> Log {
        thread::spawn(|| {
            let log = LOG.wait();
            log.queue.write_to(io::stderr(), || log.sums(), lost)
        });
        Log {
            begun: Instant::now(),
            has_colours: io::stderr().is_terminal(),
            limits: Mutex::default(),
            queue: Queue::default(),
        }
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let kind = (metadata.file().unwrap_or_default(), metadata.line().unwrap_or_default());
        // An error is the end of something; what is below was asked for by its level, and an audit
        // that leaves lines out is none.
        let is_limited = matches!(*metadata.level(), Level::WARN | Level::INFO)
            && metadata.target() != AUDIT_TARGET;
        let verdict = match is_limited {
            true => self.limits().judge(kind, self.begun.elapsed()),
            false => Verdict::Write,
        };
        match verdict {
            Verdict::LeaveOut => return,
            Verdict::LeaveOutFirst => return self.queue.poke(),
            Verdict::Write | Verdict::WriteFirst => {}
        }
        let text = line::text_of(event);
        if verdict == Verdict::WriteFirst {
            self.limits().example(kind, &text);
        }
        self.queue.push(&timed(&self.coloured(*metadata.level(), text)));
    }

    fn coloured(&self, level: Level, text: String) -> String {
        if !self.has_colours {
            return text;
        }
        let colour = match level {
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            _ => 34,
        };
        // The level is as wide as the longest of them.
        let (name, rest) = text.split_at(5);
        format!("\x1b[{colour}m{name}\x1b[0m{rest}")
    }

    /// The lines about those that were left out, and when there will be more of them.
    fn sums(&self) -> (Vec<String>, Option<Duration>) {
        let now = self.begun.elapsed();
        let mut limits = self.limits();
        let sums = limits.take_sums(now);
        (sums.iter().map(|sum| timed(sum)).collect(), limits.until_sum(now))
    }
}

/// A whole line.
fn timed(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 30);
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut line));
    format!("{line} {text}\n")
}

fn lost(lines: u64) -> String {
    timed(&format!(
        " WARN {}: {lines} lines of this log are missing here: it was not read, or \
         could not be written, in time",
        module_path!()
    ))
}

/// Instead of the standard hook, which would wait for whoever reads standard error.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let words = panic.payload_as_str().unwrap_or("a panic without words");
    let at = panic.location().map(ToString::to_string).unwrap_or_default();
    error!(at, "panicked: {words}");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        for frame in backtrace.to_string().lines() {
            error!("{frame}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use tracing::{debug, info, warn};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::registry;

    use super::*;

    /// What the log says of this, without times.
    fn said(speak: impl FnOnce()) -> Vec<String> {
        let log = Arc::new(Log {
            begun: Instant::now(),
            has_colours: false,
            limits: Mutex::default(),
            queue: Queue::default(),
        });
        let subscriber = registry().with(LogLayer(Arc::clone(&log)));
        tracing::subscriber::with_default(subscriber, speak);
        let (read, write) = std::io::pipe().expect("a pipe");
        log.queue.push("the end\n");
        thread::spawn(move || log.queue.write_to(write, || (Vec::new(), None), lost));
        let lines = BufReader::new(read).lines().map(|line| line.expect("it is open"));
        let lines = lines.take_while(|line| line != "the end");
        lines.map(|line| line.split_once(' ').expect("a time").1.to_string()).collect()
    }

    #[test]
    fn an_event_is_one_line_whatever_stands_in_it() {
        const HERE: &str = "quorate::runtime::os::log::tests";
        let address = "a:1\n2026-01-01T00:00:00.000000Z  INFO quorate: forged";
        let lines = said(|| {
            info!(%address, scheme = "di\ngest", number = 7, "sen\u{1b}tence");
            warn!("at {address}");
        });
        let shown = r"a:1\n2026-01-01T00:00:00.000000Z  INFO quorate: forged";
        assert_eq!(
            lines,
            [
                format!(
                    r#" INFO {HERE}: sen\u{{1b}}tence address={shown} scheme="di\ngest" number=7"#
                ),
                format!(" WARN {HERE}: at {shown}"),
            ]
        );
    }

    #[test]
    fn a_line_of_the_audit_has_tabs_between_its_fields_and_none_in_them() {
        let (znode, none) = ("/a\tresult=success\n\u{1b}".repeat(2), None::<&str>);
        let long = "x".repeat(1 << 20);
        let lines = said(|| {
            for _ in 0..30 {
                info!(target: AUDIT_TARGET, user = %"bob", acl = none, %znode, result = %"failure");
            }
            info!(target: AUDIT_TARGET, znode = %long, result = %"failure");
        });
        let shown = r"/a\tresult=success\n\u{1b}".repeat(2);
        let line = format!(" INFO audit: user=bob\tznode={shown}\tresult=failure");
        assert_eq!(lines[..30], vec![line; 30], "none is left out");
        let cut = format!("{}... (1048576 bytes)", "x".repeat(2000));
        assert_eq!(lines[30], format!(" INFO audit: znode={cut}\tresult=failure"));
    }

    #[test]
    fn a_field_has_200_bytes_and_a_sentence_1000() {
        let long = "x".repeat(1 << 20);
        let lines = said(|| warn!(%long, "said: {long}"));
        let (sentence, field) = lines[0].split_once(" long=").expect("the field");
        assert_eq!(field, format!("{}... (1048576 bytes)", "x".repeat(200)));
        let sentence = sentence.split_once("said: ").expect("the sentence").1;
        assert_eq!(sentence, format!("{}... (1048582 bytes)", "x".repeat(994)));
    }

    #[test]
    fn a_kind_of_line_is_limited_unless_it_is_an_error_or_was_asked_for() {
        let lines = said(|| {
            for n in 0..100 {
                warn!("stranger {n}");
                debug!("detail {n}");
                error!("end {n}");
            }
        });
        let count = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
        assert_eq!((count("stranger"), count("detail"), count("end")), (20, 100, 100));
    }
}
