//! Builds the [`Recording`] of a run.
//!
//! While the run goes on, the recorder hands over everything in its order, and it is only kept: so
//! recording costs little and changes nothing. When the run is over, [`RecordingBuilder::finish`] makes
//! the recording of it. Arrivals of frames and the requests of clients have no place in the recorder's
//! order; they are put in at the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use quorate::base::{ServerId, Stamp, Zxid};
use quorate::runtime::{Label, LabelKind};

use super::options::RunOptions;
use super::verdict::Verdict;
use crate::checkers::{Event as FactEvent, Ghost, Violation};
use crate::grammar::words::kind_word;
use crate::recording::notes;
use crate::recording::{
    Answer, Build, Event, Life, Member, Party, Recording, Request, State, Violated, What,
};
use crate::scenario::{Action, Scenario};
use crate::workload::values::without_padding;
use crate::workload::{History, Outcome, Record};

/// Something that happened, as the recorder knows it.
#[derive(Clone, Debug)]
pub(super) enum Recorded {
    Fact(FactEvent),
    /// In a box: actions are large and few, and every entry of a run has the size of the largest.
    Action {
        fault: Option<usize>,
        action: Box<Action>,
    },
    Over,
    Frame {
        to: i64,
        label: Label,
    },
    SyncBegan {
        n: u64,
    },
    SyncEnded {
        n: u64,
        failed: bool,
    },
}

struct Entry {
    at: Stamp,
    /// A server, or the number of another host; 0 is the laboratory.
    by: i64,
    what: Recorded,
    state: Option<State>,
}

/// Sent when, by whom, to whom, and what: enough to find a frame again.
type FrameKey = (Stamp, i64, i64, LabelKind, Option<Zxid>);

#[derive(Default)]
pub(super) struct RecordingBuilder {
    entries: Vec<Entry>,
    /// Facts that the checkers have not yet taken.
    unchecked: VecDeque<usize>,
    /// Violations the checkers have found, and the entry each was found at.
    blamed: Vec<usize>,
    arrivals: BTreeMap<FrameKey, VecDeque<Stamp>>,
    /// Hosts that are no servers, by number.
    hosts: BTreeMap<i64, String>,
}

impl RecordingBuilder {
    pub(super) fn push(&mut self, at: Stamp, by: i64, what: Recorded) {
        if matches!(what, Recorded::Fact(_)) {
            self.unchecked.push_back(self.entries.len());
        }
        self.entries.push(Entry { at, by, what, state: None });
    }

    /// The checkers have taken the next fact, which is of this server, and have found so many
    /// violations in all.
    pub(super) fn checked(&mut self, ghost: &Ghost, server: ServerId, violations: usize) {
        let Some(n) = self.unchecked.pop_front() else { return };
        self.entries[n].state = Some(state(ghost, server));
        while self.blamed.len() < violations {
            self.blamed.push(n);
        }
    }

    pub(super) fn host(&mut self, number: i64, name: &str) {
        let is_server = name.strip_prefix('s').is_some_and(|id| id.parse::<i64>().is_ok());
        if !is_server && !self.hosts.contains_key(&number) {
            self.hosts.insert(number, name.to_owned());
        }
    }

    pub(super) fn arrived(&mut self, sent: Stamp, at: Stamp, from: i64, to: i64, label: Label) {
        let key = (sent, from, to, label.kind, label.zxid);
        self.arrivals.entry(key).or_default().push_back(at);
    }

    /// The recording of a run that is over.
    pub(super) fn finish(
        mut self,
        scenario: &Scenario,
        options: &RunOptions,
        verdict: &Verdict,
        history: &History,
        found: &[Violation],
    ) -> Recording {
        let clients = Clients::of(&self.hosts, history);
        let blamed = std::mem::take(&mut self.blamed);
        let arrivals = std::mem::take(&mut self.arrivals);
        let events = events(self.entries, arrivals, &clients);
        let (mut events, places) = with_operations(events, history, &clients);
        events.shrink_to_fit();
        let blamed: Vec<(&Violation, usize)> =
            found.iter().zip(blamed.iter().map(|n| places[*n])).collect();
        let violations = verdict.violations.iter().map(|v| violated(v, &blamed, &events)).collect();
        let case = &scenario.cases[options.case];
        let ended = events.last().map_or(0, |event| event.at).max(verdict.ended.0);
        let (answered, lost, open) = history.counts();
        Recording {
            build: Build::this(),
            scenario_file: scenario.file.display().to_string(),
            scenario_text: scenario.text.clone(),
            seed: options.seed,
            case: options.case as u32 + 1,
            case_name: case.name.clone(),
            without: options.without.iter().map(|fault| *fault as u32).collect(),
            museum: options.museum.clone(),
            servers: members(scenario),
            clients: clients.names,
            violations,
            wanted: verdict.wanted.clone(),
            simulator: verdict.simulator.clone(),
            trace_hash: verdict.hash,
            scenario_end: u64::try_from(case.duration.as_nanos()).unwrap_or(u64::MAX),
            ended,
            facts: verdict.notes,
            operations: (answered as u64, lost as u64, open as u64),
            events,
        }
    }
}

/// Numbers of hosts that are no servers begin here.
pub(super) const CLIENTS_FROM: i64 = 1_000_000;

fn members(scenario: &Scenario) -> Vec<Member> {
    let ensemble = &scenario.ensemble;
    let member = |id: ServerId| Member {
        id: id.0,
        votes: ensemble.voters.contains(&id),
        weight: ensemble.weight(id),
    };
    ensemble.servers().into_iter().map(member).collect()
}

/// The names of clients, sorted, and which host has which.
struct Clients {
    names: Vec<String>,
    by_host: BTreeMap<i64, u32>,
}

impl Clients {
    fn of(hosts: &BTreeMap<i64, String>, history: &History) -> Clients {
        let plain = |host: &String| host.strip_prefix("client-").unwrap_or(host).to_owned();
        let mut names: BTreeSet<String> = hosts.values().map(plain).collect();
        names.extend(history.records.iter().map(|record| record.client.clone()));
        let names: Vec<String> = names.into_iter().collect();
        let place = |name: &String| names.iter().position(|n| n == name).unwrap_or(0) as u32;
        let by_host = hosts.iter().map(|(number, host)| (*number, place(&plain(host)))).collect();
        Clients { names, by_host }
    }

    fn party(&self, number: i64) -> Party {
        match self.by_host.get(&number) {
            Some(client) => Party::Client(*client),
            None => Party::Server(number),
        }
    }

    fn named(&self, name: &str) -> Party {
        Party::Client(self.names.iter().position(|n| n == name).unwrap_or(0) as u32)
    }
}

fn events(
    entries: Vec<Entry>,
    mut arrivals: BTreeMap<FrameKey, VecDeque<Stamp>>,
    clients: &Clients,
) -> Vec<Event> {
    let mut events = Vec::with_capacity(entries.len());
    for Entry { at, by: from, what, state } in entries {
        let by = match what {
            Recorded::Action { .. } | Recorded::Over => Party::Lab,
            _ => clients.party(from),
        };
        let what = match what {
            Recorded::Fact(FactEvent::Note(note)) => notes::what(&note),
            Recorded::Fact(FactEvent::Rebuilt(rebuilt)) => notes::rebuilt(&rebuilt),
            Recorded::Fact(FactEvent::HeardLate { from }) => notes::heard_late(from),
            Recorded::Fact(event) => What::Life(life(&event)),
            Recorded::Action { fault, action } => {
                What::Action { fault: fault.map(|fault| fault as u32), action: *action }
            }
            Recorded::Over => What::Over,
            Recorded::Frame { to, label } => {
                let key = (at, from, to, label.kind, label.zxid);
                let arrives = arrivals.get_mut(&key).and_then(VecDeque::pop_front);
                What::Frame {
                    to: clients.party(to),
                    kind: kind_word(label.kind).into(),
                    zxid: label.zxid.map(|zxid| zxid.0),
                    arrives: arrives.map(|at| at.0),
                }
            }
            Recorded::SyncBegan { n } => What::SyncBegan { n },
            Recorded::SyncEnded { n, failed } => What::SyncEnded { n, failed },
        };
        events.push(Event { at: at.0, by, what, state });
    }
    events
}

fn life(event: &FactEvent) -> Life {
    match event {
        FactEvent::Started
        | FactEvent::Note(_)
        | FactEvent::Rebuilt(_)
        | FactEvent::HeardLate { .. } => Life::Started,
        FactEvent::Died => Life::Died,
        FactEvent::Wiped => Life::Wiped,
        FactEvent::DiskSaved => Life::DiskSaved,
        FactEvent::DiskPut { .. } => Life::DiskPut,
        FactEvent::Paused => Life::Paused,
        FactEvent::Resumed => Life::Resumed,
    }
}

/// Puts what clients asked and heard between the other events, behind those of the same time.
/// Where each of the others then stands comes with it.
fn with_operations(
    events: Vec<Event>,
    history: &History,
    clients: &Clients,
) -> (Vec<Event>, Vec<usize>) {
    let count = events.len();
    let mut all: Vec<(u64, usize, Event)> = Vec::with_capacity(count + history.records.len() * 2);
    let mut latest = 0;
    for (n, event) in events.into_iter().enumerate() {
        latest = event.at.max(latest);
        all.push((event.at, n, event));
    }
    for (n, record) in history.records.iter().enumerate() {
        let by = clients.named(&record.client);
        let n = n as u64;
        for (at, what) in [Some(asked(n, record)), answered(n, record)].into_iter().flatten() {
            if at <= latest {
                all.push((at, count + n as usize, Event { at, by, what, state: None }));
            }
        }
    }
    // Stable: an answer stands behind its question.
    all.sort_by_key(|(at, n, _)| (*at, *n));
    let mut places = vec![0; count];
    for (place, (_, n, _)) in all.iter().enumerate() {
        if *n < count {
            places[*n] = place;
        }
    }
    (all.into_iter().map(|(_, _, event)| event).collect(), places)
}

fn asked(n: u64, record: &Record) -> (u64, What) {
    let request = match record.op.as_act() {
        Some(act) => Request::Act(act),
        None => Request::Other(without_padding(&format!("{:?}", record.op))),
    };
    (record.invoked.0, What::Asked { n, server: record.server.0, request })
}

fn answered(n: u64, record: &Record) -> Option<(u64, What)> {
    let (at, result) = match record.outcome.as_ref()? {
        Outcome::Lost { at } => (at, Answer::Lost),
        Outcome::Reply { at, zxid, err, answer } => {
            let words = answer.as_ref().map_or(String::new(), |answer| format!("{answer:?}"));
            let words = without_padding(&words);
            (at, Answer::Reply { zxid: zxid.0, err: *err, words })
        }
    };
    Some((at.0, What::Answered { n, result }))
}

fn state(ghost: &Ghost, server: ServerId) -> State {
    let s = ghost.server(server);
    State {
        running: s.running,
        paused: s.paused,
        role: notes::role(s.role),
        established: s.established.map(|epoch| epoch.0),
        serving: s.serving.map(|epoch| epoch.0),
        accepted_epoch: s.accepted.0,
        current_epoch: s.current.0,
        last_logged: s.log.last().0,
        durable: s.durable_upto().0,
        applied: s.applied.0,
        committed: ghost.committed.last().0,
    }
}

fn violated(violation: &Violation, blamed: &[(&Violation, usize)], events: &[Event]) -> Violated {
    let mut places = Vec::new();
    let found = blamed.iter().find(|(other, _)| *other == violation);
    let upto = events.partition_point(|event| event.at <= violation.at.0);
    places.extend(found.map(|(_, place)| *place).or_else(|| first_of(violation, &events[..upto])));
    for server in violation.servers.iter().skip(1) {
        places.extend(latest_of(server.0, &events[..upto]));
    }
    Violated {
        id: violation.id.clone(),
        words: violation.words.clone(),
        line: violation.line,
        at: violation.at.0,
        servers: violation.servers.iter().map(|server| server.0).collect(),
        events: places.into_iter().map(|place| place as u32).collect(),
    }
}

/// What a violation that no checker found at a fact is about: a client's answer at its moment, or
/// the newest of its server.
fn first_of(violation: &Violation, before: &[Event]) -> Option<usize> {
    let is_it =
        |event: &Event| event.at == violation.at.0 && matches!(event.what, What::Answered { .. });
    let answer = before.iter().rposition(is_it);
    answer.or_else(|| latest_of(violation.servers.first()?.0, before))
}

/// The newest fact of a server.
fn latest_of(server: i64, before: &[Event]) -> Option<usize> {
    before.iter().rposition(|event| event.by == Party::Server(server) && event.state.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::run_recorded;
    use crate::scenario::Line;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn a_simulator_that_panics_leaves_a_recording_up_to_there() {
        let text = "about = \"x\"\nduration = \"5s\"\n[ensemble]\nvoters = [1]\ntimeline = [\"0s start 1\"]\n";
        let mut scenario = Scenario::parse(Path::new("a.toml"), text).expect("a scenario");
        // Nobody has a machine for this server, which no file can say.
        let line = Line::at(Duration::from_millis(1_050), Action::start(vec![ServerId(99)]));
        scenario.cases[0].timeline.push(line);
        let (verdict, recording) = run_recorded(&scenario, &RunOptions::default());
        assert!(verdict.simulator.is_some(), "{verdict}");
        assert_eq!(recording.simulator, verdict.simulator);
        let last = recording.events.last().expect("something happened before");
        assert!((1_000_000_000..1_051_000_000).contains(&last.at), "{}", recording.show(last));
        let role = |event: &&Event| matches!(event.what, What::Role { .. });
        assert!(recording.events.iter().any(|event| role(&event)), "the server told of itself");
        // What came after the last look of the checkers has no state, and is there.
        assert!(recording.events.iter().filter(role).any(|event| event.state.is_some()));
    }
}
