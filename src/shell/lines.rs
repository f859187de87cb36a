//! Where the lines of a session come from: a terminal, with history and completion, or standard input.
//!
//! Either is read by a thread of its own, since reading waits. The editor of a terminal asks the shell's
//! thread for the names below a node, and the shell answers between two requests.

use std::env;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::sync::mpsc as threads;
use std::thread;
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, ExternalPrinter, Helper};
use tokio::sync::mpsc;

use super::print::Above;
use super::table;

/// In the user's home. Apache's shell keeps none.
const HISTORY: &str = ".quorate_history";
const HISTORY_LINES_MAX: usize = 1000;
/// How long a completion waits for the names of a node.
const NAMES_TIMEOUT: Duration = Duration::from_secs(2);
/// Lines that are read before they are wanted.
const LINES_AHEAD: usize = 64;

/// What a reading thread says.
pub(super) enum Heard {
    Line(String),
    /// The names of the children of that node are wanted.
    Names(String, threads::Sender<Vec<String>>),
    End,
}

/// The lines of one session.
pub(super) struct Lines {
    pub(super) said: mpsc::Receiver<Heard>,
    /// Where a prompt asks for the next line; `None`: they come by themselves.
    prompts: Option<threads::Sender<String>>,
}

impl Lines {
    /// And how to print above a line that is being edited.
    pub(super) fn open() -> (Lines, Option<Above>) {
        let (say, said) = mpsc::channel(LINES_AHEAD);
        if !io::stdin().is_terminal() {
            thread::spawn(move || read_script(&say));
            return (Lines { said, prompts: None }, None);
        }
        let (prompts, asked) = threads::channel();
        let (give, printer) = threads::channel();
        thread::spawn(move || edit(&say, &asked, &give));
        let above = printer.recv().ok().flatten();
        (Lines { said, prompts: Some(prompts) }, above)
    }

    /// Whether somebody types them.
    pub(super) fn is_terminal(&self) -> bool {
        self.prompts.is_some()
    }

    pub(super) fn ask(&self, prompt: &str) {
        if let Some(prompts) = &self.prompts {
            // A thread that has ended has said so.
            let _ = prompts.send(prompt.to_owned());
        }
    }
}

fn read_script(say: &mpsc::Sender<Heard>) {
    for line in io::stdin().lock().split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        if say.blocking_send(Heard::Line(line)).is_err() {
            return;
        }
    }
    let _ = say.blocking_send(Heard::End);
}

fn history_file() -> Option<PathBuf> {
    env::var_os("HOME")
        .filter(|home| !home.is_empty())
        .map(|home| PathBuf::from(home).join(HISTORY))
}

/// A line with a secret is no line for a file.
fn is_kept(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with("addauth")
}

fn edit(
    say: &mpsc::Sender<Heard>,
    asked: &threads::Receiver<String>,
    give: &threads::Sender<Option<Above>>,
) {
    let config = Config::builder().max_history_size(HISTORY_LINES_MAX).map(|config| config.build());
    let editor = config.and_then(Editor::<Names, FileHistory>::with_config);
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(error) => {
            eprintln!("the terminal cannot be edited ({error}): lines are read as they come");
            let _ = give.send(None);
            return read_script(say);
        }
    };
    editor.set_helper(Some(Names { say: say.clone() }));
    let history = history_file();
    if let Some(file) = &history {
        // Without one there is nothing to go back to yet.
        let _ = editor.load_history(file);
    }
    let printer = editor.create_external_printer();
    let _ = give.send(printer.ok().map(|mut printer| {
        let above: Above = Box::new(move |text| {
            let _ = printer.print(text);
        });
        above
    }));
    for prompt in asked {
        match editor.readline(&prompt) {
            Ok(line) => {
                if is_kept(&line) {
                    let _ = editor.add_history_entry(line.as_str());
                    if let Some(file) = &history {
                        let _ = editor.append_history(file);
                    }
                }
                if say.blocking_send(Heard::Line(line)).is_err() {
                    return;
                }
            }
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => break,
            Err(error) => {
                eprintln!("the terminal cannot be read: {error}");
                break;
            }
        }
    }
    let _ = say.blocking_send(Heard::End);
}

/// Completes names of commands, options and nodes.
struct Names {
    say: mpsc::Sender<Heard>,
}

impl Names {
    fn names(&self, path: &str) -> Vec<String> {
        let (answer, names) = threads::channel();
        if self.say.blocking_send(Heard::Names(path.to_owned(), answer)).is_err() {
            return Vec::new();
        }
        names.recv_timeout(NAMES_TIMEOUT).unwrap_or_default()
    }
}

impl Completer for Names {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..pos];
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let word = &before[start..];
        if let Some(at) = word.rfind('/').filter(|_| word.starts_with('/')) {
            let (parent, begun) = (&word[..at.max(1)], &word[at + 1..]);
            let found = self.names(parent);
            return Ok((start + at + 1, completions(found, begun)));
        }
        let command = before.split_whitespace().next().filter(|_| start > 0);
        let known: Vec<String> = match command {
            None => table::all().into_iter().map(|command| command.name.to_owned()).collect(),
            Some("help") => {
                table::all().into_iter().map(|command| command.name.to_owned()).collect()
            }
            Some(name) => {
                let options = table::find_command(name).map_or(&[][..], |command| command.options);
                options.iter().map(|option| format!("-{}", option.name)).collect()
            }
        };
        Ok((start, completions(known, word)))
    }
}

fn completions(mut known: Vec<String>, begun: &str) -> Vec<String> {
    known.retain(|name| name.starts_with(begun));
    known.sort_unstable();
    known
}

impl Hinter for Names {
    type Hint = String;
}
impl Highlighter for Names {}
impl Validator for Names {}
impl Helper for Names {}
