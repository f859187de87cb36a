//! The loop: a line, its command, the answer, until there are no more.      (ZooKeeperMain)

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use super::args::Invocation;
use super::command::{Action, Around, Call, Command, Verb, Waiting};
use super::lines::{Heard, Lines};
use super::print::Printer;
use super::refused::{INTERRUPTED, Refused};
use super::{table, words};
use crate::client::{Client, ClientSettings, Credentials, Failure, WatchedEvent};
use crate::jute::client::code;
use crate::runtime::Runtime;
use crate::runtime::tls::ServerTrust;

/// Lines that `history` shows, beside its own.
const HISTORY_SHOWN: usize = 10;

/// What a command does to the loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flow {
    Goes,
    Ends,
}

/// Who the client is to a server, and whom it trusts.
#[derive(Clone, Debug)]
pub(super) struct Security {
    pub(super) tls: Option<ServerTrust>,
    pub(super) sasl: Option<Credentials>,
}

pub(super) struct Shell<R> {
    rt: R,
    invocation: Invocation,
    security: Security,
    print: Printer,
    client: Option<Client>,
    /// As it was given: the prompt shows it.
    host: String,
    prints_watches: Rc<Cell<bool>>,
    has_ephemerals: Rc<Cell<bool>>,
    interrupted: Rc<dyn Fn() -> Waiting>,
    history: BTreeMap<usize, String>,
    /// The number of the next line.
    count: usize,
    exit_code: i32,
}

impl<R: Runtime> Shell<R> {
    pub(super) fn new(
        rt: R,
        invocation: Invocation,
        security: Security,
        print: Printer,
        interrupted: Rc<dyn Fn() -> Waiting>,
    ) -> Shell<R> {
        Shell {
            host: invocation.server.clone(),
            rt,
            invocation,
            security,
            print,
            client: None,
            prints_watches: Rc::new(Cell::new(true)),
            has_ephemerals: Rc::default(),
            interrupted,
            history: BTreeMap::new(),
            count: 0,
            exit_code: 0,
        }
    }

    /// The answer is the exit code of the process.
    pub(super) async fn run(mut self) -> i32 {
        if let Some((_, words)) =
            self.invocation.command.split_first().filter(|(name, _)| *name == "help")
        {
            let name = words.first().cloned();
            let helped = self.help(name.as_deref());
            return match helped {
                Ok(()) => self.exit_code,
                Err(refused) => self.fail(&refused),
            };
        }
        self.print.line(&format!("Connecting to {}", self.host));
        let host = self.host.clone();
        if let Err(refused) = self.connect(&host).await {
            refused.show(&self.print);
            return refused.exit_code;
        }
        // One answer is wanted, and nothing else.
        let is_one_answer = !self.invocation.command.is_empty() && !self.print.is_text();
        self.prints_watches.set(!is_one_answer);
        if self.invocation.command.is_empty() {
            self.run_lines().await;
        } else {
            let words = self.invocation.command.clone();
            self.perform(&words).await;
        }
        self.leave().await;
        self.exit_code
    }

    async fn run_lines(&mut self) {
        let (mut lines, above) = Lines::open();
        if let Some(above) = above {
            self.print.set_above(above);
        }
        self.print.line("Welcome to ZooKeeper!");
        if let Some(client) = &self.client
            && let Err(failure) = client.reached().await
        {
            // Every command that needs a server says so again.
            Refused::of(failure, None).show(&self.print);
        }
        while let Some(line) = self.next_line(&mut lines).await {
            if line.trim().is_empty() {
                continue;
            }
            self.history.insert(self.count, line.clone());
            let flow = self.perform_text(&line).await;
            self.count += 1;
            // Of a script Ctrl-C means the whole.
            let is_over = self.exit_code == INTERRUPTED && !lines.is_terminal();
            if flow == Flow::Ends || is_over {
                return;
            }
        }
    }

    /// `None`: there are no more.
    async fn next_line(&mut self, lines: &mut Lines) -> Option<String> {
        let state = self.client.as_ref().map_or("NOT_CONNECTED", Client::state_name);
        let prompt = format!("[zk: {}({state}) {}] ", self.host, self.count);
        lines.ask(&prompt);
        self.print.set_edits(true);
        let line = loop {
            match lines.said.recv().await {
                None | Some(Heard::End) => break None,
                Some(Heard::Line(line)) => break Some(line),
                Some(Heard::Names(path, answer)) => {
                    let names = match &self.client {
                        Some(client) => client.get_names(&path).await.unwrap_or_default(),
                        None => Vec::new(),
                    };
                    // The editor may have given up.
                    let _ = answer.send(names);
                }
            }
        };
        self.print.set_edits(false);
        // A script reads in its output what it did.
        if !lines.is_terminal() && self.print.is_text() {
            let echo = line.as_ref().map_or(String::new(), |line| format!("{prompt}{line}\n"));
            self.print.prompt(&echo);
        }
        line
    }

    async fn perform_text(&mut self, line: &str) -> Flow {
        match words::words(line) {
            Ok(words) => self.perform(&words).await,
            Err(at) => {
                let wrong = format!("the quote at character {at} has no end");
                let hint = "a word in single quotes may hold double ones, and the other way round";
                self.fail(&Refused::new(wrong).with_hint(hint));
                Flow::Goes
            }
        }
    }

    /// The answer is the exit code.
    fn fail(&mut self, refused: &Refused) -> i32 {
        refused.show(&self.print);
        self.exit_code = refused.exit_code;
        self.exit_code
    }

    async fn perform(&mut self, words: &[String]) -> Flow {
        let Some((name, words)) = words.split_first() else { return Flow::Goes };
        let Some(command) = table::find_command(name) else {
            self.print.note(&table::usage());
            self.fail(&Refused::unknown_command(name).with_hint("help explains every command"));
            return Flow::Goes;
        };
        let done = match command.action {
            Action::OfShell(verb) => Box::pin(self.do_verb(verb, command, words)).await,
            Action::Ask(run) => self.ask(run, command, words).await.map(|()| Flow::Goes),
        };
        match done {
            // What quit ends with is what came before.
            Ok(Flow::Ends) => Flow::Ends,
            Ok(Flow::Goes) => {
                self.exit_code = 0;
                Flow::Goes
            }
            Err(refused) => {
                self.fail(&refused);
                Flow::Goes
            }
        }
    }

    async fn ask(
        &mut self,
        run: fn(Call) -> super::command::Doing,
        command: &'static Command,
        words: &[String],
    ) -> Result<(), Refused> {
        let Some(client) = self.client.clone().filter(Client::is_alive) else {
            self.print.line("Not connected");
            self.print.answer(|| json!({ "connected": false }));
            return Ok(());
        };
        let given = command.parse(words)?;
        let (print, has_ephemerals) = (self.print.clone(), Rc::clone(&self.has_ephemerals));
        let call = Call { command, given, client, print, has_ephemerals, around: self.around() };
        let mut doing = run(call);
        if !command.is_interruptible {
            return doing.await;
        }
        tokio::select! {
            biased;
            done = &mut doing => done,
            () = (self.interrupted)() => Err(Refused::interrupted()),
        }
    }

    fn around(&self) -> Around {
        let (rt, invocation) = (self.rt.clone(), self.invocation.clone());
        let security = self.security.clone();
        Around {
            prints_watches: Rc::clone(&self.prints_watches),
            interrupted: Rc::clone(&self.interrupted),
            open: Rc::new(move |host| {
                let settings = settings(host, &invocation, &security)?;
                let (events, _) = mpsc::unbounded_channel();
                Ok(Client::begin(&rt, &settings, events))
            }),
        }
    }

    async fn do_verb(
        &mut self,
        verb: Verb,
        command: &'static Command,
        words: &[String],
    ) -> Result<Flow, Refused> {
        let word = words.first().map(String::as_str);
        match verb {
            Verb::Connect => {
                let host = word.unwrap_or(&self.host).to_owned();
                self.connect(&host).await?;
            }
            Verb::Close => self.close().await,
            Verb::Quit => {
                self.close().await;
                return Ok(Flow::Ends);
            }
            Verb::History => self.show_history(),
            Verb::Redo => return self.redo(command, word).await,
            Verb::PrintWatches => match word {
                Some(word) => self.prints_watches.set(word == "on"),
                None => {
                    let on = self.prints_watches.get();
                    let shown = if on { "on" } else { "off" };
                    self.print.line(&format!("printwatches is {shown}"));
                    self.print.answer(|| json!({ "printwatches": on }));
                }
            },
            Verb::Help => self.help(word)?,
        }
        Ok(Flow::Goes)
    }

    fn help(&self, name: Option<&str>) -> Result<(), Refused> {
        let text = match name {
            None => table::help(),
            Some(name) => {
                let unknown =
                    || Refused::unknown_command(name).with_hint("help lists the commands");
                table::help_of(table::find_command(name).ok_or_else(unknown)?)
            }
        };
        self.print.line(&text);
        self.print.answer(|| json!({ "help": text }));
        Ok(())
    }

    fn show_history(&self) {
        let first = self.count.saturating_sub(HISTORY_SHOWN);
        let shown: Vec<_> = self.history.range(first..).collect();
        for (number, line) in &shown {
            self.print.line(&format!("{number} - {line}"));
        }
        self.print.answer(|| json!({ "history": shown }));
    }

    async fn redo(&mut self, command: &Command, word: Option<&str>) -> Result<Flow, Refused> {
        let number: usize = word
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| command.misused().with_hint("history shows the numbers"))?;
        let line = self.history.get(&number).filter(|_| number < self.count).cloned();
        let line = line.ok_or_else(|| {
            Refused::new("Command index out of range").with_hint("history shows the numbers")
        })?;
        if line.split_whitespace().next() == Some("redo") {
            return Err(Refused::new("No redoing redos"));
        }
        self.history.insert(self.count, line.clone());
        Ok(Box::pin(self.perform_text(&line)).await)
    }

    async fn connect(&mut self, host: &str) -> Result<(), Refused> {
        let settings = settings(host, &self.invocation, &self.security)?;
        self.close().await;
        self.host = host.to_owned();
        let (events, heard) = mpsc::unbounded_channel();
        let client = Client::begin(&self.rt, &settings, events);
        let (print, prints) = (self.print.clone(), Rc::clone(&self.prints_watches));
        self.rt.spawn("watch events", show_events(heard, print, prints));
        if self.invocation.waits {
            self.wait_for_session(&client).await?;
        }
        self.has_ephemerals.set(false);
        self.client = Some(client);
        Ok(())
    }

    /// For as long as the session's timeout.
    async fn wait_for_session(&self, client: &Client) -> Result<(), Refused> {
        let millis = u64::from(self.invocation.timeout_ms.unsigned_abs());
        let end = self.rt.stamp() + Duration::from_millis(millis);
        let mut last = Failure::of(code::CONNECTION_LOSS);
        let reached = async {
            while let Err(failure) = client.reached().await {
                last = failure;
            }
        };
        let is_reached = tokio::select! {
            biased;
            () = reached => true,
            () = self.rt.sleep_until(end) => false,
        };
        if is_reached { Ok(()) } else { Err(Refused::of(last, None)) }
    }

    async fn close(&mut self) {
        if let Some(client) = self.client.as_ref().filter(|client| client.is_alive()) {
            client.close().await;
            // The last event is shown before anything else.
            self.rt.give_way().await;
        }
    }

    /// Without `quit` ephemeral nodes stay until the session expires, as with Apache's shell; a session
    /// without any is of no use to anybody.
    async fn leave(&mut self) {
        if !self.has_ephemerals.get() {
            self.prints_watches.set(false);
            self.close().await;
        }
    }
}

/// Of a session at these servers.
fn settings(
    host: &str,
    invocation: &Invocation,
    security: &Security,
) -> Result<ClientSettings, Refused> {
    let connect = host.parse().map_err(|error: crate::client::ConnectStringError| Refused {
        exit_code: 2,
        ..Refused::new(error.to_string())
    })?;
    Ok(ClientSettings {
        connect,
        session_timeout_ms: invocation.timeout_ms,
        read_only: invocation.read_only,
        tls: security.tls.clone(),
        sasl: security.sasl.clone(),
    })
}

async fn show_events(
    mut heard: mpsc::UnboundedReceiver<WatchedEvent>,
    print: Printer,
    prints: Rc<Cell<bool>>,
) {
    while let Some(event) = heard.recv().await {
        if prints.get() {
            print.event(&event);
        }
    }
}
