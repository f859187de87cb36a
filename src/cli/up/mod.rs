//! `quorate up`: an ensemble on this machine, one child process a server.
//!
//! The children hold one end of a pipe as standard input and end when it closes, so that none of
//! them outlives this process, however it dies: Ctrl-C, a closed terminal, or kill -9.
//!
//!     args      the command line
//!     ports     which ports
//!     layout    directories, zoo.cfg, myid
//!     links     what the servers say to each other passes through here, and can be cut
//!     servers   the processes
//!     keys      what is typed
//!     events    what is said

mod args;
mod events;
mod keys;
mod layout;
mod links;
mod ports;
mod servers;

pub(super) use args::UpArgs;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::args::{FAILED, INVALID};
use super::probe;
use crate::runtime::os::hear_ends;
use events::{Event, Served, Voice};
use keys::{Key, Terminal, Typed};
use layout::{Layout, Member};
use links::LINKED_SERVERS_MAX;
use servers::Servers;

/// A cold ensemble elects in a second or two; a slow machine gets a minute.
const READY_WAIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);
/// How often each server is asked what it is, and how long it may take.
const ASK_EVERY: Duration = Duration::from_millis(250);
const ASK_TIMEOUT: Duration = Duration::from_secs(1);

/// What this process hears.
enum Input {
    /// SIGINT, SIGTERM, SIGHUP, or the parent is gone.
    End,
    Typed(u8),
    /// What a server is; `None` if it does not serve.
    Mode(u16, Option<String>),
}

pub(super) fn run_ensemble(args: &UpArgs) -> i32 {
    // From here on a signal is an input: a temporary directory goes, whenever it comes.
    let (tell, inputs) = channel();
    let teller = tell.clone();
    if let Err(error) = hear_ends(move || drop(teller.send(Input::End))) {
        eprintln!("signals cannot be heard: {error}");
        return FAILED;
    }
    let layout = match Layout::write(args) {
        Ok(layout) => layout,
        Err(problem) => {
            eprintln!("{problem}");
            return INVALID;
        }
    };
    let ended = Ensemble::new(args, &layout).run(&tell, &inputs);
    match ended {
        Ok(()) => {
            if layout.is_temporary
                && let Err(error) = fs::remove_dir_all(&layout.dir)
            {
                eprintln!("{} could not be removed: {error}", layout.dir.display());
                return FAILED;
            }
            let _ = Voice { json: args.json }.say(&Event::Stopped);
            0
        }
        Err(problem) => {
            eprintln!("{problem}\nData and logs are in {}.", layout.dir.display());
            FAILED
        }
    }
}

struct Ensemble<'a> {
    args: &'a UpArgs,
    layout: &'a Layout,
    voice: Voice,
    servers: Servers,
    /// What each was when it was asked last.
    modes: BTreeMap<u16, String>,
    is_ready: bool,
    terminal: Option<Terminal>,
}

impl<'a> Ensemble<'a> {
    fn new(args: &'a UpArgs, layout: &'a Layout) -> Ensemble<'a> {
        Ensemble {
            args,
            layout,
            voice: Voice { json: args.json },
            servers: Servers::default(),
            modes: BTreeMap::new(),
            is_ready: false,
            terminal: if args.json { None } else { Terminal::take() },
        }
    }

    /// Until it is told to end: well, or because a server ended by itself.
    fn run(mut self, tell: &Sender<Input>, inputs: &Receiver<Input>) -> Result<(), String> {
        for member in &self.layout.members {
            self.start(member)?;
            ask_again_and_again(member, tell.clone())?;
        }
        if self.reads_input() {
            read_input(tell.clone(), self.args.attached)?;
        }
        let begun = Instant::now();
        let mut typed = Typed::default();
        loop {
            match inputs.recv_timeout(POLL) {
                Ok(Input::End) => return Ok(()),
                Ok(Input::Mode(number, mode)) => self.on_mode(number, mode)?,
                Ok(Input::Typed(byte)) => match typed.take(byte) {
                    Some(Ok(Key::Quit)) => return Ok(()),
                    Some(Ok(key)) => self.on_key(key)?,
                    Some(Err(why)) => self.say(&Event::Refused { why })?,
                    None => {}
                },
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.check_ended()?;
            if !self.is_ready && begun.elapsed() >= READY_WAIT {
                return Err(self.who_does_not_serve());
            }
        }
    }

    /// Whether somebody may be at the other end of standard input.
    fn reads_input(&self) -> bool {
        let is_script = (self.args.json || self.args.attached) && !io::stdin().is_terminal();
        self.terminal.is_some() || is_script
    }

    fn say(&self, event: &Event) -> Result<(), String> {
        self.voice.say(event).map_err(|error| format!("nobody reads what is said: {error}"))
    }

    fn start(&mut self, member: &Member) -> Result<(), String> {
        let cannot = |e: io::Error| format!("server {} cannot be started: {e}", member.number);
        self.layout.links.open(member.number).map_err(cannot)?;
        let pid = self.servers.start(member).map_err(cannot)?;
        self.say(&Event::Started { server: member.number, pid })
    }

    fn kill(&mut self, member: &Member) -> Result<(), String> {
        let number = member.number;
        let cannot = |error: io::Error| format!("server {number} cannot be killed: {error}");
        self.servers.kill(number).map_err(cannot)?;
        self.layout.links.close(number).map_err(cannot)
    }

    fn on_mode(&mut self, number: u16, mode: Option<String>) -> Result<(), String> {
        if self.modes.get(&number) == mode.as_ref() {
            return Ok(());
        }
        let Some(member) = self.layout.member(number) else { return Ok(()) };
        match &mode {
            Some(mode) => drop(self.modes.insert(number, mode.clone())),
            None => drop(self.modes.remove(&number)),
        }
        self.say(&Event::Role { server: number, client: member.address().to_string(), mode })?;
        if !self.is_ready && self.layout.members.iter().all(|m| self.modes.contains_key(&m.number))
        {
            self.is_ready = true;
            self.say_ready()?;
        }
        Ok(())
    }

    fn say_ready(&self) -> Result<(), String> {
        let members = &self.layout.members;
        let addresses: Vec<String> = members.iter().map(|m| m.address().to_string()).collect();
        let served = members.iter().map(|member| Served {
            server: member.number,
            client: member.address().to_string(),
            admin: member.page(),
            dir: member.dir.display().to_string(),
        });
        self.say(&Event::Ready {
            connect: addresses.join(","),
            page: self.page(),
            dir: self.layout.dir.display().to_string(),
            temporary: self.layout.is_temporary,
            servers: served.collect(),
        })?;
        if self.terminal.is_some() {
            println!("{}", keys::HELP);
        }
        Ok(())
    }

    /// The page of the first server that runs.
    fn page(&self) -> String {
        let members = &self.layout.members;
        let running = members.iter().find(|member| self.servers.runs(member.number));
        running.unwrap_or(&members[0]).page()
    }

    fn on_key(&mut self, key: Key) -> Result<(), String> {
        let number = match key {
            Key::Kill(n) | Key::Pause(n) | Key::Restart(n) | Key::Isolate(n) => n,
            Key::Open => return self.open_page(),
            Key::Help | Key::Quit => return self.say(&Event::Refused { why: keys::HELP.into() }),
        };
        let layout = self.layout;
        let Some(member) = layout.member(number) else {
            let why = format!("There is no server {number}");
            return self.say(&Event::Refused { why });
        };
        let runs = self.servers.runs(number);
        match key {
            Key::Kill(_) | Key::Pause(_) if !runs => {
                let why = format!("Server {number} does not run; {number}r starts it");
                self.say(&Event::Refused { why })
            }
            Key::Isolate(_) if !layout.links.are_there() => {
                let why = format!(
                    "Nothing to cut: that needs 2 to {LINKED_SERVERS_MAX} servers, with observers"
                );
                self.say(&Event::Refused { why })
            }
            Key::Kill(_) => {
                self.kill(member)?;
                self.say(&Event::Killed { server: number })
            }
            Key::Restart(_) => {
                self.kill(member)?;
                self.start(member)
            }
            Key::Isolate(_) => match layout.links.switch(number) {
                true => self.say(&Event::Isolated { server: number }),
                false => self.say(&Event::Rejoined { server: number }),
            },
            _ => match self.servers.pause_or_resume(number) {
                Ok(true) => self.say(&Event::Paused { server: number }),
                Ok(false) => self.say(&Event::Resumed { server: number }),
                Err(error) => Err(format!("server {number} cannot be paused: {error}")),
            },
        }
    }

    fn open_page(&self) -> Result<(), String> {
        let url = self.page();
        let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        let mut command = Command::new(opener);
        command.arg(&url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // It may stay as long as the browser does.
        let opened = command.spawn().map(|mut child| thread::spawn(move || child.wait()));
        self.say(&Event::Page { url })?;
        match opened {
            Ok(_) => Ok(()),
            Err(error) => self.say(&Event::Refused { why: format!("{opener}: {error}") }),
        }
    }

    fn check_ended(&mut self) -> Result<(), String> {
        let Some((number, status)) = self.servers.ended() else { return Ok(()) };
        let Some(member) = self.layout.member(number) else { return Ok(()) };
        let log = servers::end_of_log(member);
        let event = Event::Ended { server: number, status: status.to_string(), log };
        if self.args.json {
            self.say(&event)?;
        }
        Err(event.to_string())
    }

    fn who_does_not_serve(&self) -> String {
        let numbers = self.layout.members.iter().map(|member| member.number);
        let waiting = numbers.filter(|number| !self.modes.contains_key(number));
        let waiting: Vec<String> = waiting.map(|number| number.to_string()).collect();
        format!(
            "server {} does not serve after {} s: see quorate.log in its directory",
            waiting.join(", "),
            READY_WAIT.as_secs()
        )
    }
}

/// Posts what the server is, from a thread of its own: one that is paused does not answer.
fn ask_again_and_again(member: &Member, tell: Sender<Input>) -> Result<(), String> {
    let (number, address) = (member.number, member.address());
    let ask = move || loop {
        let answer = probe::ask_srvr(&address, ASK_TIMEOUT).unwrap_or_default();
        let mode = probe::mode_of(&answer).map(String::from);
        if tell.send(Input::Mode(number, mode)).is_err() {
            return;
        }
        thread::sleep(ASK_EVERY);
    };
    let begun = thread::Builder::new().name(format!("asks {number}")).spawn(ask);
    begun.map(drop).map_err(|error| format!("no thread for server {number}: {error}"))
}

/// Posts what is typed, and with `ends` that nothing will come any more.
fn read_input(tell: Sender<Input>, ends: bool) -> Result<(), String> {
    let read = move || {
        for byte in io::stdin().lock().bytes().map_while(Result::ok) {
            if tell.send(Input::Typed(byte)).is_err() {
                return;
            }
        }
        if ends {
            let _ = tell.send(Input::End);
        }
    };
    let begun = thread::Builder::new().name("keys".into()).spawn(read);
    begun.map(drop).map_err(|error| format!("no thread for standard input: {error}"))
}
