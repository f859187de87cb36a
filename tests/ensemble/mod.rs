//! Real ensembles for tests: processes of the program, their directories, ports and logs.
//!
//! Everything lives on the loopback interface and in a temporary directory. A server ends with
//! the test, however that ends: it is killed on drop, and it ends by itself when its standard
//! input does. Waiting is polling with a deadline that only a hung server reaches; no test claims
//! anything about time.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(unused_imports, reason = "each test binary uses its own part")]

mod client;
mod ports;
mod server;
mod tree;

pub(crate) use client::{
    Client, Failure, Session, create_request, delete_request, path_watch, set_request,
};
pub(crate) use ports::Ports;
pub(crate) use server::{Server, content_of};
pub(crate) use tree::{Tree, pipeline_sets, read_tree};

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What only a hung server reaches.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(25);

/// Lines of each server's log that a failed test shows.
const SHOWN_LINES: usize = 40;

/// Polls until there is an answer. Panics when there is none for a minute.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain: {what}");
        thread::sleep(POLL);
    }
}

/// What an ensemble shall be.
pub(crate) struct Plan {
    ids: Vec<i64>,
    observers: BTreeSet<i64>,
    settings: Vec<String>,
    log_dirs: bool,
}

impl Plan {
    /// Voters of these ids; one alone is a standalone server.
    pub(crate) fn voters(ids: &[i64]) -> Plan {
        Plan {
            ids: ids.to_vec(),
            observers: BTreeSet::new(),
            settings: Vec::new(),
            log_dirs: false,
        }
    }

    pub(crate) fn standalone() -> Plan {
        Plan::voters(&[1])
    }

    pub(crate) fn observer(mut self, id: i64) -> Plan {
        self.ids.push(id);
        self.observers.insert(id);
        self
    }

    /// One more line of every zoo.cfg; it wins over the ones that stand there anyway.
    pub(crate) fn setting(mut self, line: &str) -> Plan {
        self.settings.push(line.into());
        self
    }

    /// A dataLogDir beside the dataDir.
    pub(crate) fn log_dirs(mut self) -> Plan {
        self.log_dirs = true;
        self
    }

    /// Writes the directories. No server runs yet.
    pub(crate) fn lay_out(self) -> Ensemble {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let ports = Ports::take();
        let members: String = if self.ids.len() == 1 {
            String::new()
        } else {
            self.ids.iter().enumerate().map(|(index, id)| self.member(&ports, index, *id)).collect()
        };
        let server = |(index, id): (usize, &i64)| {
            let home = dir.path().join(id.to_string());
            let config = self.configuration(&home, &ports, index, *id) + &members;
            for (path, text) in [("data/myid", format!("{id}\n")), ("zoo.cfg", config)] {
                let path = home.join(path);
                fs::create_dir_all(path.parent().expect("below a directory"))
                    .and_then(|()| fs::write(path, text))
                    .expect("a writable directory");
            }
            Server::new(*id, home, ports.client(index))
        };
        let servers = self.ids.iter().enumerate().map(server).collect();
        Ensemble { servers, ports, observers: self.observers, _dir: dir }
    }

    /// Writes the directories, starts every server and waits until all of them serve.
    pub(crate) fn start(self) -> Ensemble {
        let mut ensemble = self.lay_out();
        ensemble.start_all();
        ensemble.wait_until_all_serve();
        ensemble
    }

    fn configuration(&self, home: &Path, ports: &Ports, index: usize, id: i64) -> String {
        let mut text = format!(
            "tickTime=250\ninitLimit=40\nsyncLimit=40\nmaxSessionTimeout=60000\n\
             4lw.commands.whitelist=*\npreAllocSize=256\ndataDir={}\n\
             clientPort={}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
             admin.serverAddress=127.0.0.1\nadmin.serverPort={}\n",
            home.join("data").display(),
            ports.client(index).port(),
            ports.admin(index).port()
        );
        if self.log_dirs {
            let _ = writeln!(text, "dataLogDir={}", home.join("log").display());
        }
        if self.observers.contains(&id) {
            text.push_str("peerType=observer\n");
        }
        for line in &self.settings {
            let key = line.split('=').next().unwrap_or(line);
            let kept: Vec<&str> =
                text.lines().filter(|old| old.split('=').next() != Some(key)).collect();
            text = kept.join("\n") + "\n" + line + "\n";
        }
        text
    }

    fn member(&self, ports: &Ports, index: usize, id: i64) -> String {
        let role = if self.observers.contains(&id) { ":observer" } else { "" };
        let (quorum, election) = (ports.quorum(index), ports.election(index));
        format!("server.{id}=127.0.0.1:{}:{}{role}\n", quorum.port(), election.port())
    }
}

/// Servers that know each other, or one alone.
pub(crate) struct Ensemble {
    pub(crate) servers: Vec<Server>,
    ports: Ports,
    observers: BTreeSet<i64>,
    _dir: TempDir,
}

impl Ensemble {
    /// The admin port of the server at this place.
    pub(crate) fn admin(&self, index: usize) -> SocketAddr {
        self.ports.admin(index)
    }

    pub(crate) fn start_all(&mut self) {
        for server in &mut self.servers {
            server.start();
        }
    }

    /// Every running server serves, and one of them leads (or stands alone).
    #[track_caller]
    pub(crate) fn wait_until_all_serve(&mut self) {
        for server in self.servers.iter_mut().filter(|server| server.is_running()) {
            server.wait_until_it_serves();
        }
    }

    pub(crate) fn server(&self, id: i64) -> &Server {
        let found = self.servers.iter().find(|server| server.id == id);
        found.expect("a server of this ensemble")
    }

    pub(crate) fn server_mut(&mut self, id: i64) -> &mut Server {
        let found = self.servers.iter_mut().find(|server| server.id == id);
        found.expect("a server of this ensemble")
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|server| server.address).collect()
    }

    /// Where server `id` listens for votes.
    pub(crate) fn election_address(&self, id: i64) -> SocketAddr {
        self.ports.election(self.index_of(id))
    }

    /// Where server `id` listens for learners while it leads.
    pub(crate) fn quorum_address(&self, id: i64) -> SocketAddr {
        self.ports.quorum(self.index_of(id))
    }

    fn index_of(&self, id: i64) -> usize {
        let index = self.servers.iter().position(|server| server.id == id);
        index.expect("a server of this ensemble")
    }

    /// The id of the server that leads now.
    #[track_caller]
    pub(crate) fn leader(&self) -> i64 {
        wait_for("a leader", || {
            let leads = |server: &&Server| server.mode().as_deref() == Some("leader");
            self.servers.iter().find(leads).map(|server| server.id)
        })
    }

    /// Ids of the voters that follow.
    #[track_caller]
    pub(crate) fn followers(&self) -> Vec<i64> {
        let leader = self.leader();
        let ids = self.servers.iter().map(|server| server.id);
        ids.filter(|id| *id != leader && !self.observers.contains(id)).collect()
    }

    /// A new session at server `id`.
    #[track_caller]
    pub(crate) fn client(&self, id: i64) -> Client {
        Client::reach(&[self.server(id).address], &Session::new(30_000))
    }

    /// The whole tree as each server shows it once it has caught up with the leader: they must be
    /// the same, node by node and field by field. Then waits until all of it is on every disk.
    #[track_caller]
    pub(crate) fn assert_same_trees(&self) -> Tree {
        let mut trees = self.servers.iter().map(|server| (server.id, read_tree(server.address)));
        let (first, expected) = trees.next().expect("an ensemble has a server");
        for (id, tree) in trees {
            for (path, node) in &expected {
                assert_eq!(tree.get(path), Some(node), "{path} at server {id} and at {first}");
            }
            let more: Vec<_> = tree.keys().filter(|path| !expected.contains_key(*path)).collect();
            assert!(more.is_empty(), "server {id} has {more:?}, server {first} does not");
        }
        for server in &self.servers {
            let logged = || server.has_logged_what_it_shows().then_some(());
            wait_for(&format!("server {} to log what it shows", server.id), logged);
        }
        expected
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        for server in &self.servers {
            let log = server.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
            eprintln!("--- the end of server {}'s log ---\n{last}", server.id);
        }
    }
}
