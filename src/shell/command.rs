//! What a command is: its name, how it is used, what it does. One file a family has a table of them.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::options::{Given, Opt};
use super::print::Printer;
use super::refused::Refused;
use crate::base::paths;
use crate::client::{Client, Failure};

/// A command in progress.
pub(super) type Doing = Pin<Box<dyn Future<Output = Result<(), Refused>>>>;

/// One line of the table.
pub(super) struct Command {
    pub(super) name: &'static str,
    /// What may stand behind the name, in Apache's words where Apache has the command.
    pub(super) usage: &'static str,
    /// One sentence.
    pub(super) help: &'static str,
    pub(super) options: &'static [Opt],
    /// Words without which nothing is done.
    pub(super) words_min: usize,
    /// Apache prints what its options are, too.
    pub(super) explains_options: bool,
    /// Ctrl-C ends it.
    pub(super) is_interruptible: bool,
    pub(super) action: Action,
}

/// Who carries a command out.
#[derive(Clone, Copy)]
pub(super) enum Action {
    /// It asks a server.
    Ask(fn(Call) -> Doing),
    /// The shell itself.
    OfShell(Verb),
}

/// What the shell does by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    Connect,
    Close,
    Quit,
    History,
    Redo,
    PrintWatches,
    Help,
}

impl Command {
    pub(super) const fn ask(
        name: &'static str,
        usage: &'static str,
        help: &'static str,
        run: fn(Call) -> Doing,
    ) -> Command {
        Command::of(name, usage, help, Action::Ask(run))
    }

    pub(super) const fn of_shell(
        name: &'static str,
        usage: &'static str,
        help: &'static str,
        verb: Verb,
    ) -> Command {
        Command::of(name, usage, help, Action::OfShell(verb))
    }

    const fn of(
        name: &'static str,
        usage: &'static str,
        help: &'static str,
        action: Action,
    ) -> Command {
        Command {
            name,
            usage,
            help,
            options: &[],
            words_min: 0,
            explains_options: false,
            is_interruptible: true,
            action,
        }
    }

    /// Ctrl-C is for itself, or for the program that it begins.
    pub(super) const fn uninterrupted(self) -> Command {
        Command { is_interruptible: false, ..self }
    }

    pub(super) const fn options(self, options: &'static [Opt]) -> Command {
        Command { options, ..self }
    }

    pub(super) const fn words_min(self, words_min: usize) -> Command {
        Command { words_min, ..self }
    }

    pub(super) const fn explaining(self) -> Command {
        Command { explains_options: true, ..self }
    }

    /// As Apache prints it when a command is not complete. (CliCommand.getUsageStr)
    fn usage_text(&self) -> String {
        let mut text = format!("{} {}", self.name, self.usage);
        if self.explains_options {
            let mut options: Vec<&Opt> = self.options.iter().collect();
            options.sort_by_key(|option| option.name);
            let shown = |option: &Opt| match option.has_value {
                true => format!("-{} <arg>", option.name),
                false => format!("-{}", option.name),
            };
            let width = options.iter().map(|option| shown(option).len()).max().unwrap_or(0);
            for option in options {
                text.push_str(&format!("\n {:width$}   {}", shown(option), option.help));
            }
            text.push('\n');
        }
        text
    }

    pub(super) fn parse(&self, words: &[String]) -> Result<Given, Refused> {
        let given = Given::of(words, self.options).map_err(|wrong| {
            let usage =
                format!("{} {}; -- stands before words that begin with -", self.name, self.usage);
            Refused::new(format!("org.apache.commons.cli.{wrong}")).with_hint(usage.trim_end())
        })?;
        if given.words.len() < self.words_min { Err(self.misused()) } else { Ok(given) }
    }

    pub(super) fn misused(&self) -> Refused {
        Refused::new(self.usage_text())
    }
}

/// A wait without an answer.
pub(super) type Waiting = Pin<Box<dyn Future<Output = ()>>>;

/// Begins a session at the servers of a connect string.
type Opening = dyn Fn(&str) -> Result<Client, Refused>;

/// What a command may need of the shell.
#[derive(Clone)]
pub(super) struct Around {
    /// Whether the shell prints watch events.
    pub(super) prints_watches: Rc<Cell<bool>>,
    /// Until Ctrl-C.
    pub(super) interrupted: Rc<dyn Fn() -> Waiting>,
    /// A session of its own at other servers.
    pub(super) open: Rc<Opening>,
}

/// A command with all that it needs.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) command: &'static Command,
    pub(super) given: Given,
    pub(super) client: Client,
    pub(super) print: Printer,
    /// Set once this session has made an ephemeral node.
    pub(super) has_ephemerals: Rc<Cell<bool>>,
    pub(super) around: Around,
}

impl Call {
    /// The word at this place, behind the name; the command needs so many.
    pub(super) fn word(&self, at: usize) -> Result<&str, Refused> {
        self.given.words.get(at).map(String::as_str).ok_or_else(|| self.command.misused())
    }

    /// The first word, which is a path.
    pub(super) fn path(&self) -> Result<String, Refused> {
        let path = self.word(0)?;
        checked(path)?;
        Ok(path.to_owned())
    }

    /// Of an option whose value is a number; this one if it is not given.
    pub(super) fn number<T: std::str::FromStr>(
        &self,
        option: &str,
        without: T,
    ) -> Result<T, Refused> {
        let Some(text) = self.given.value(option) else { return Ok(without) };
        text.parse().map_err(|_| {
            let wrong = format!("-{option} {text}: this is no number, or too large");
            Refused::new(wrong).with_hint(format!("{} {}", self.command.name, self.command.usage))
        })
    }
}

/// Whether a node may have this path.
pub(super) fn checked(path: &str) -> Result<(), Refused> {
    paths::validate(path).map_err(|error| Refused::of_path(path, error))
}

/// Of a request about this path.
pub(super) fn about(path: &str) -> impl Fn(Failure) -> Refused + '_ {
    move |failure| Refused::of(failure, Some(path))
}
