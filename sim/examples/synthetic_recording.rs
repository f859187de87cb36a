//! A recording of any length that no run made, for tests of what reads recordings:
//!
//!     cargo run -p quorate-sim --example synthetic_recording -- 100000 F.qrec
//!
//! Five servers and four clients work through a minute: writes that are proposed, logged, acked and
//! committed, a new leader every five seconds, now and then a lost frame or a cut; in the middle two
//! servers lead one epoch. The same number gives the same file.

use std::borrow::Cow;
use std::path::Path;

use quorate::base::ServerId;
use quorate_sim::grammar::Names;
use quorate_sim::recording::{
    Answer, Build, Event, Life, Member, Party, Recording, Request, Role, State, Target, Value,
    Violated, What,
};
use quorate_sim::scenario::ClientAct;

const MINUTE: u64 = 60_000_000_000;
const MS: u64 = 1_000_000;
const SERVERS: i64 = 5;

/// Events that one write makes, about.
const A_WRITE: u64 = 46;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [count, file] = &arguments[..] else { return Err("two arguments: EVENTS F.qrec".into()) };
    let recording = Generator::new(count.parse()?).tell();
    Target::open(Path::new(file))?.write(&recording)?;
    println!("{file}: {} events", recording.events.len());
    Ok(())
}

struct Generator {
    wanted: usize,
    events: Vec<Event>,
    states: Vec<State>,
    leader: i64,
    epoch: i64,
    counter: i64,
    draws: u64,
    syncs: u64,
    operations: u64,
    violated: Option<Violated>,
}

impl Generator {
    fn new(wanted: usize) -> Generator {
        let state = State {
            running: false,
            paused: false,
            role: Role::Looking,
            established: None,
            serving: None,
            accepted_epoch: 0,
            current_epoch: 0,
            last_logged: 0,
            durable: 0,
            applied: 0,
            committed: 0,
        };
        Generator {
            wanted,
            events: Vec::new(),
            states: vec![state; SERVERS as usize + 1],
            leader: 0,
            epoch: 0,
            counter: 0,
            draws: 1,
            syncs: 0,
            operations: 0,
            violated: None,
        }
    }

    /// A number below `below`.
    fn draw(&mut self, below: u64) -> u64 {
        self.draws = self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.draws >> 33) % below
    }

    fn tell(mut self) -> Recording {
        self.lab(0, "start 1 2 3 4 5");
        for server in 1..=SERVERS {
            self.states[server as usize].running = true;
            self.says(0, server, What::Life(Life::Started));
        }
        let writes = (self.wanted as u64 / A_WRITE).max(1);
        let apart = (MINUTE - 1000 * MS) / writes;
        for n in 0..writes {
            let at = 500 * MS + n * apart;
            if n % (writes / 12).max(1) == 0 {
                self.elect(at);
            }
            if n == writes / 2 {
                self.split(at);
            }
            if n % 97 == 13 {
                self.lab(at, "cut 1 2 | 3 4 5");
                self.lab(at + 40 * MS, "heal");
            }
            self.write(at, apart);
        }
        self.finish()
    }

    /// Makes up what is missing with pings, and sorts.
    fn finish(mut self) -> Recording {
        while self.events.len() < self.wanted {
            let at = self.draw(MINUTE);
            let (from, to) = (self.draw(5) as i64 + 1, self.draw(5) as i64 + 1);
            self.sends(at, from, Party::Server(to), "PING", None);
        }
        let clash: Vec<Event> = self
            .violated
            .iter()
            .flat_map(|violated| &violated.events)
            .map(|place| self.events[*place as usize].clone())
            .collect();
        self.events.sort_by_key(|event| event.at);
        let place = |event: &Event| self.events.iter().position(|other| other == event);
        let events: Vec<u32> = clash.iter().filter_map(place).map(|place| place as u32).collect();
        let member = |id| Member { id, votes: true, weight: 1 };
        Recording {
            build: Build::this(),
            scenario_file: "synthetic.toml".into(),
            scenario_text: "about = \"no run made this\"\n".into(),
            seed: 1,
            case: 1,
            servers: (1..=SERVERS).map(member).collect(),
            clients: (1..=4).map(|n| format!("c{n}")).collect(),
            violations: self
                .violated
                .take()
                .map(|v| Violated { events, ..v })
                .into_iter()
                .collect(),
            scenario_end: MINUTE,
            ended: MINUTE + 400 * MS,
            facts: self.events.len() as u64,
            operations: (self.operations, 0, 0),
            events: self.events,
            ..Recording::default()
        }
    }

    fn elect(&mut self, at: u64) {
        self.epoch += 1;
        self.counter = 0;
        self.leader = self.epoch % SERVERS + 1;
        let (leader, epoch) = (self.leader, self.epoch);
        for server in 1..=SERVERS {
            let state = &mut self.states[server as usize];
            (state.established, state.serving, state.role) = (None, None, Role::Looking);
            self.says(at, server, What::Role { role: Role::Looking, epoch: epoch - 1 });
            for other in (1..=SERVERS).filter(|other| *other != server) {
                let to = Party::Server(other);
                self.sends(at + MS, server, to, "NOTIFICATION", None);
            }
            let voters = Value::Servers((1..=SERVERS).collect());
            let fields = vec![("leader", Value::Server(leader)), ("voters", voters)];
            self.notes(at + 20 * MS, server, "Elected", fields);
            let role = if server == leader { Role::Leading } else { Role::Following };
            let state = &mut self.states[server as usize];
            (state.role, state.accepted_epoch, state.current_epoch) = (role, epoch, epoch);
            self.says(at + 21 * MS, server, What::Role { role, epoch });
        }
        for server in 1..=SERVERS {
            let state = &mut self.states[server as usize];
            let name = if server == leader {
                state.established = Some(epoch);
                "Established"
            } else {
                state.serving = Some(epoch);
                "Serving"
            };
            self.notes(at + 40 * MS, server, name, vec![("epoch", Value::Epoch(epoch))]);
        }
    }

    /// Another server leads the same epoch.
    fn split(&mut self, at: u64) {
        let (first, other) = (self.leader, self.leader % SERVERS + 1);
        let mut places = Vec::new();
        for (at, server) in [(at, first), (at + 30 * MS, other)] {
            let state = &mut self.states[server as usize];
            (state.role, state.established) = (Role::Leading, Some(self.epoch));
            let epoch = Value::Epoch(self.epoch);
            let voters = Value::Servers(vec![server]);
            self.notes(at, server, "Established", vec![("epoch", epoch), ("voters", voters)]);
            places.insert(0, self.events.len() as u32 - 1);
        }
        self.violated = Some(Violated {
            id: "I-1".into(),
            words: format!("epoch {} has two leaders, {first} and {other}", self.epoch),
            line: None,
            at: at + 30 * MS,
            servers: vec![other, first],
            events: places,
        });
    }

    fn write(&mut self, at: u64, apart: u64) {
        self.counter += 1;
        let (leader, zxid) = (self.leader, self.epoch << 32 | self.counter);
        let client = Party::Client(self.operations as u32 % 4);
        let n = self.operations;
        self.operations += 1;
        let act = ClientAct::Set { path: format!("/k{}", n % 8), data: n.to_string() };
        self.event(at, client, What::Asked { n, server: leader, request: Request::Act(act) });
        let at = at + self.draw(apart / 2 + 1);
        let about = || vec![("zxid", Value::Zxid(zxid))];
        self.notes(at, leader, "Proposed", about());
        for server in 1..=SERVERS {
            let mut then = at;
            if server != leader {
                self.sends(at, leader, Party::Server(server), "PROPOSAL", Some(zxid));
                then += 3 * MS;
            }
            self.states[server as usize].last_logged = zxid;
            self.notes(then, server, "Appended", about());
            let sync = self.syncs;
            self.syncs += 1;
            self.event(then, Party::Server(server), What::SyncBegan { n: sync });
            then += MS + self.draw(2 * MS);
            let ended = What::SyncEnded { n: sync, failed: false };
            self.event(then, Party::Server(server), ended);
            self.states[server as usize].durable = zxid;
            self.notes(then, server, "Durable", about());
            self.notes(then, server, "AckSent", about());
            if server != leader {
                self.sends(then, server, Party::Server(leader), "ACK", Some(zxid));
            }
        }
        self.states.iter_mut().for_each(|state| state.committed = zxid);
        let voters = Value::Servers(vec![1, 2, 3]);
        let committed = vec![("zxid", Value::Zxid(zxid)), ("voters", voters)];
        self.notes(at + 9 * MS, leader, "Committed", committed);
        for server in 1..=SERVERS {
            if server != leader {
                self.sends(at + 9 * MS, leader, Party::Server(server), "COMMIT", Some(zxid));
            }
            self.states[server as usize].applied = zxid;
            let then = at + if server == leader { 9 * MS } else { 12 * MS };
            self.notes(then, server, "Applied", about());
        }
        let result = Answer::Reply { zxid, err: 0, words: String::new() };
        self.event(at + 13 * MS, client, What::Answered { n, result });
    }

    fn lab(&mut self, at: u64, text: &str) {
        let names = Names { servers: (1..=SERVERS).map(ServerId).collect(), variable: None };
        let line = names.line(&format!("0s  {text}")).expect("it is written as in a timeline");
        for action in line.actions {
            self.event(at, Party::Lab, What::Action { fault: None, action });
        }
    }

    /// An event of a server, with its state.
    fn says(&mut self, at: u64, server: i64, what: What) {
        let state = Some(self.states[server as usize]);
        self.events.push(Event { at, by: Party::Server(server), what, state });
    }

    fn notes(&mut self, at: u64, server: i64, name: &'static str, of: Vec<(&'static str, Value)>) {
        let fields = of.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
        self.says(at, server, What::Note { name: name.into(), fields });
    }

    /// One of sixty frames is lost.
    fn sends(&mut self, at: u64, from: i64, to: Party, kind: &'static str, zxid: Option<i64>) {
        let lost = self.draw(60) == 0;
        let arrives = at + MS + self.draw(3 * MS);
        let arrives = (!lost).then_some(arrives);
        self.event(at, Party::Server(from), What::Frame { to, kind: kind.into(), zxid, arrives });
    }

    fn event(&mut self, at: u64, by: Party, what: What) {
        self.events.push(Event { at, by, what, state: None });
    }
}
