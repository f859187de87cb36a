//! What an ensemble shall be, and the one that runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::ports::{Ports, ServerPorts};
use crate::program;
use crate::server::Server;

const SERVERS_MAX: u16 = 9;
/// Somebody else may be faster at a port, though hardly twice.
const STARTS_MAX: usize = 5;
/// What a server says whose port is taken.
const TAKEN: [&str; 2] = ["Address already in use", "EADDRINUSE"];
/// What only a hung server reaches.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(25);

/// What an ensemble shall be.
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    voters: u16,
    observers: u16,
    settings: Vec<String>,
    program: Option<PathBuf>,
}

impl Builder {
    pub(crate) fn new(voters: u16) -> Builder {
        assert!((1..=SERVERS_MAX).contains(&voters), "{voters} voters: 1 to {SERVERS_MAX} can be");
        Builder { voters, observers: 0, settings: Vec::new(), program: None }
    }

    /// So many observers, numbered behind the voters.
    pub fn observers(mut self, observers: u16) -> Builder {
        self.observers = observers;
        self
    }

    /// One more line of every zoo.cfg, as `snapCount=100`. It replaces the line of that key.
    pub fn setting(mut self, line: impl Into<String>) -> Builder {
        self.settings.push(line.into());
        self
    }

    /// This program in place of the one that would be found, as `env!("CARGO_BIN_EXE_quorate")`.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Builder {
        self.program = Some(program.into());
        self
    }

    /// Starts it, and waits until every server serves. Panics with the ends of the logs if one does not.
    #[track_caller]
    pub fn start(self) -> Ensemble {
        assert!(
            self.voters > 1 || self.observers == 0,
            "a server that stands alone has no observers: 2 voters or more"
        );
        let program = self.program.clone().map_or_else(program::find, Ok);
        let program = program.unwrap_or_else(|problem| panic!("{problem}"));
        for _ in 0..STARTS_MAX {
            let mut ensemble = self.lay_out(&program);
            if ensemble.start() {
                return ensemble;
            }
        }
        panic!("ports that were free were taken by others, {STARTS_MAX} times");
    }

    #[track_caller]
    fn lay_out(&self, program: &Path) -> Ensemble {
        let dir = tempfile::Builder::new().prefix("quorate-testing-").tempdir();
        let dir = dir.expect("a directory for temporary files");
        let count = self.voters + self.observers;
        let ports = Ports::take(usize::from(count)).unwrap_or_else(|problem| panic!("{problem}"));
        let ids = (1..=count).zip(&ports.of_servers);
        let servers = ids.map(|(id, own)| {
            let home = dir.path().join(id.to_string());
            let config = self.configuration(&home, id, own, &ports.of_servers);
            let server = Server::lay_out(id, *own, id > self.voters, home, &config);
            server.expect("a writable directory")
        });
        let servers = servers.collect();
        Ensemble { servers, program: program.to_owned(), dir: Some(dir), _ports: ports }
    }

    fn configuration(
        &self,
        home: &Path,
        id: u16,
        own: &ServerPorts,
        all: &[ServerPorts],
    ) -> String {
        // A backslash escapes the next character in this format.
        let data = home.join("data").display().to_string().replace('\\', "\\\\");
        let mut lines: Vec<String> = vec![
            "tickTime=500".into(),
            "initLimit=20".into(),
            "syncLimit=10".into(),
            "maxSessionTimeout=60000".into(),
            "maxClientCnxns=0".into(),
            "4lw.commands.whitelist=*".into(),
            format!("dataDir={data}"),
            format!("clientPort={}", own.client.port()),
            "clientPortAddress=127.0.0.1".into(),
            format!("admin.serverPort={}", own.admin.port()),
            "admin.serverAddress=127.0.0.1".into(),
        ];
        if id > self.voters {
            lines.push("peerType=observer".into());
        }
        for setting in &self.settings {
            let key = setting.split('=').next();
            lines.retain(|line| line.split('=').next() != key);
            lines.push(setting.clone());
        }
        if all.len() > 1 {
            lines.extend((1..).zip(all).map(|(other, ports): (u16, &ServerPorts)| {
                let role = if other > self.voters { ":observer" } else { "" };
                let (quorum, election) = (ports.quorum.port(), ports.election.port());
                format!("server.{other}=127.0.0.1:{quorum}:{election}{role}")
            }));
        }
        lines.join("\n") + "\n"
    }
}

/// Servers that run. They end, and their data goes, when this is dropped.
#[derive(Debug)]
pub struct Ensemble {
    servers: Vec<Server>,
    program: PathBuf,
    dir: Option<TempDir>,
    _ports: Ports,
}

impl Ensemble {
    /// Whether it serves; otherwise a port was taken.
    #[track_caller]
    fn start(&mut self) -> bool {
        for server in &mut self.servers {
            if let Err(error) = server.start(&self.program) {
                panic!("{} cannot be started: {error}", self.program.display());
            }
        }
        let begun = Instant::now();
        loop {
            if self.servers.iter().all(|server| server.mode().is_some()) {
                return true;
            }
            for server in &mut self.servers {
                if server.has_ended() {
                    let log = server.log();
                    assert!(
                        TAKEN.iter().any(|words| log.contains(words)),
                        "server {} ended",
                        server.id
                    );
                    return false;
                }
            }
            assert!(begun.elapsed() < DEADLINE, "waited in vain: every server to serve");
            thread::sleep(POLL);
        }
    }

    /// Every server, as clients take it: `127.0.0.1:10001,127.0.0.1:10002`.
    #[must_use]
    pub fn connect_string(&self) -> String {
        let addresses = self.servers.iter().map(|server| server.ports.client.to_string());
        addresses.collect::<Vec<_>>().join(",")
    }

    /// The numbers of the servers, from 1; observers come last.
    #[must_use]
    pub fn ids(&self) -> Vec<u16> {
        self.servers.iter().map(|server| server.id).collect()
    }

    /// Where clients find this server.
    #[must_use]
    pub fn address(&self, id: u16) -> SocketAddr {
        self.server(id).ports.client
    }

    /// Where its admin port is.
    #[must_use]
    pub fn admin_address(&self, id: u16) -> SocketAddr {
        self.server(id).ports.admin
    }

    /// `leader`, `follower`, `observer` or `standalone`; `None` while it does not serve.
    #[must_use]
    pub fn mode(&self, id: u16) -> Option<String> {
        self.server(id).mode()
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self, id: u16) -> String {
        self.server(id).log()
    }

    /// The server that leads, as soon as one does; the one that stands alone. Panics when none does
    /// for a minute.
    #[track_caller]
    pub fn wait_for_leader(&self) -> u16 {
        self.wait("a leader", || {
            let leads = |server: &&Server| {
                matches!(server.mode().as_deref(), Some("leader" | "standalone"))
            };
            self.servers.iter().find(leads).map(|server| server.id)
        })
    }

    /// Returns as soon as this server serves. Panics when it does not for a minute.
    #[track_caller]
    pub fn wait_until_it_serves(&self, id: u16) {
        self.wait(&format!("server {id} to serve"), || self.mode(id));
    }

    /// The voters that follow, once there is a leader.
    #[track_caller]
    pub fn followers(&self) -> Vec<u16> {
        let leader = self.wait_for_leader();
        let voters = self.servers.iter().filter(|server| !server.is_observer);
        voters.map(|server| server.id).filter(|id| *id != leader).collect()
    }

    /// Ends this server as a power cut would (SIGKILL).
    #[track_caller]
    pub fn kill(&mut self, id: u16) {
        self.server_mut(id).kill();
    }

    /// Starts a server again that was killed. Does not wait until it serves.
    #[track_caller]
    pub fn revive(&mut self, id: u16) {
        let program = self.program.clone();
        let server = self.server_mut(id);
        assert!(!server.runs(), "server {id} runs: it is revived after it was killed");
        server.start(&program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    }

    /// Stops this server where it is (SIGSTOP): its connections stay, and it says nothing.
    #[track_caller]
    pub fn pause(&mut self, id: u16) {
        self.signal(id, "STOP");
    }

    /// Lets a server that was paused go on (SIGCONT).
    #[track_caller]
    pub fn resume(&mut self, id: u16) {
        self.signal(id, "CONT");
    }

    #[track_caller]
    fn signal(&self, id: u16, signal: &str) {
        let server = self.server(id);
        assert!(server.runs(), "server {id} was killed");
        server.signal(signal).unwrap_or_else(|error| panic!("server {id}: {error}"));
    }

    #[track_caller]
    fn server(&self, id: u16) -> &Server {
        let found = self.servers.iter().find(|server| server.id == id);
        found.unwrap_or_else(|| panic!("there is no server {id}"))
    }

    #[track_caller]
    fn server_mut(&mut self, id: u16) -> &mut Server {
        let found = self.servers.iter_mut().find(|server| server.id == id);
        found.unwrap_or_else(|| panic!("there is no server {id}"))
    }

    #[track_caller]
    fn wait<T>(&self, what: &str, ask: impl Fn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(begun.elapsed() < DEADLINE, "waited in vain: {what}");
            thread::sleep(POLL);
        }
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for server in &mut self.servers {
            server.kill();
        }
        if !thread::panicking() {
            return;
        }
        for server in &self.servers {
            eprint!("{}", server.end_of_log());
        }
        if let Some(dir) = self.dir.take() {
            eprintln!("--- data and logs are in {} ---", dir.keep().display());
        }
    }
}
