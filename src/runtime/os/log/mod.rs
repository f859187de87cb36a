//! The log of a server: a line an event, on standard error or in a file that makes room.
//!
//! | file       | what it is                                                     |
//! |------------|----------------------------------------------------------------|
//! | `file.rs`  | the file of a server in the background, and those before it    |
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

mod file;
mod limit;
mod line;
mod queue;
mod veil;

pub(super) use veil::Veiled;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::stdio;
use tracing::{Event, Level, Subscriber, error, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::layer::Context;

use crate::base::AUDIT_TARGET;
use file::LogFile;
use limit::{Limits, Verdict};
use queue::Queue;

use crate::runtime::{FilePermissions, LogFormat, LogSettings};

/// The log of this process, once it has one.
static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// Begins the log of this process, and takes the words of panics into it. The layer does nothing if
/// no subscriber uses it. Without a file it goes to standard error, and is never rotated.
pub fn log_layer<S: Subscriber>(
    settings: &LogSettings,
    file: Option<(&Path, FilePermissions)>,
) -> impl Layer<S> {
    let log = LOG.get_or_init(|| {
        panic::set_hook(Box::new(log_panic));
        Arc::new(Log::begin(settings, file))
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
    format: LogFormat,
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
    fn begin(settings: &LogSettings, file: Option<(&Path, FilePermissions)>) -> Log {
        let format = settings.format;
        let opened = file.map(|(path, permissions)| {
            let opened = LogFile::open(path, permissions, settings.clone(), take_standard_streams);
            opened.map_err(|error| format!("{}: {error}", path.display()))
        });
        thread::spawn(move || {
            let log = LOG.wait();
            let out: Box<dyn Write> = match opened {
                Some(Ok(file)) => Box::new(file),
                Some(Err(error)) => {
                    warn!(error, "cannot open the log file: this goes to standard error");
                    Box::new(io::stderr())
                }
                None => Box::new(io::stderr()),
            };
            log.queue.write_to(out, || log.sums(), |lines| lost(format, lines))
        });
        Log {
            begun: Instant::now(),
            format,
            has_colours: format == LogFormat::Text && io::stderr().is_terminal(),
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
        let text = line::text_of(event, self.format);
        if verdict == Verdict::WriteFirst {
            self.limits().example(kind, &text);
        }
        self.queue.push(&timed(self.format, &self.coloured(*metadata.level(), text)));
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
        (sums.iter().map(|sum| timed(self.format, sum)).collect(), limits.until_sum(now))
    }
}

/// Has all that this process says go to a file.
fn take_standard_streams(file: &File) {
    let taken = stdio::dup2_stdout(file).and_then(|()| stdio::dup2_stderr(file));
    if let Err(error) = taken {
        warn!(%error, "what is not logged, but printed, does not reach the log file");
    }
}

/// A whole line.
fn timed(format: LogFormat, text: &str) -> String {
    let mut time = String::with_capacity(30);
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    match format {
        LogFormat::Text => format!("{time} {text}\n"),
        LogFormat::Json => format!("{{\"timestamp\":\"{time}\",{text}\"}}\n"),
    }
}

fn lost(format: LogFormat, lines: u64) -> String {
    let message = format!(
        "{lines} lines of this log are missing here: it was not read, or could not be written, in time"
    );
    timed(format, &line::spell(format, Level::WARN, module_path!(), &message, ""))
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

    use serde_json::{Value, json};
    use tracing::{debug, info};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::registry;

    use super::*;

    /// What the log says of this, without times.
    fn said(speak: impl FnOnce()) -> Vec<String> {
        let lines = written(LogFormat::Text, speak);
        lines.map(|line| line.split_once(' ').expect("a time").1.to_string()).collect()
    }

    fn written(format: LogFormat, speak: impl FnOnce()) -> impl Iterator<Item = String> {
        let log = Arc::new(Log {
            begun: Instant::now(),
            format,
            has_colours: false,
            limits: Mutex::default(),
            queue: Queue::default(),
        });
        let subscriber = registry().with(LogLayer(Arc::clone(&log)));
        tracing::subscriber::with_default(subscriber, speak);
        let (read, write) = std::io::pipe().expect("a pipe");
        log.queue.push("the end\n");
        let lost = move |lines| lost(format, lines);
        thread::spawn(move || log.queue.write_to(write, || (Vec::new(), None), lost));
        let lines = BufReader::new(read).lines().map(|line| line.expect("it is open"));
        lines.take_while(|line| line != "the end")
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
    fn a_line_of_the_audit_is_an_object_of_json_too() {
        let long = "x".repeat(300);
        let mut lines = written(LogFormat::Json, || {
            info!(target: AUDIT_TARGET, user = %"bob", znode = %long, result = %"failure");
        });
        let event: Value = serde_json::from_str(&lines.next().expect("a line")).expect("an object");
        assert_eq!(event["fields"], json!({ "user": "bob", "znode": long, "result": "failure" }));
        assert_eq!(event["target"], "audit");
    }

    #[test]
    fn an_event_is_one_object_of_json_whatever_stands_in_it() {
        let address = "a:1\n\"\\\u{1b}\u{202e}\u{85}";
        let lines = written(LogFormat::Json, || {
            info!(%address, scheme = "di\ngest", number = -7, open = true, why = ?Some("x"), "at {address}");
            (0..30).for_each(|_| warn!("again"));
        });
        let lines: Vec<String> = lines.collect();
        assert!(lines.iter().all(|line| line.chars().all(line::is_harmless)), "{lines:?}");
        let event: Value = serde_json::from_str(&lines[0]).expect("an object");
        let fields = json!({
            "address": address, "scheme": "di\ngest", "number": -7, "open": true, "why": "Some(\"x\")"
        });
        assert_eq!(event["fields"], fields);
        assert_eq!(event["message"], format!("at {address}"));
        assert_eq!((&event["level"], &event["target"]), (&json!("INFO"), &json!(module_path!())));
        assert!(event["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{event}");
        let lost: Value = serde_json::from_str(&lost(LogFormat::Json, 3)).expect("an object");
        let words = lost["message"].as_str().expect("a sentence");
        assert!(words.starts_with("3 lines of this log are missing here"), "{lost}");
        assert_eq!(lost["fields"], json!({}));
    }

    #[test]
    fn what_was_left_out_is_told_in_json_too() {
        let mut limits = Limits::default();
        let text = line::spell(LogFormat::Json, Level::WARN, "quorate", "knock", "");
        for n in 0..22 {
            if limits.judge(("a.rs", 1), Duration::ZERO) == Verdict::WriteFirst {
                assert_eq!(n, 0);
                limits.example(("a.rs", 1), &text);
            }
        }
        let sums = limits.take_sums(Duration::from_secs(60));
        let sum = timed(LogFormat::Json, &sums[0]);
        let sum: Value = serde_json::from_str(&sum).expect("an object");
        assert_eq!(sum["message"], "knock (2 more like this in 60 s)");
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
