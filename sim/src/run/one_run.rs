//! One run, from the first start to the verdict.
//!
//! The driver does what the timeline says until the scenario ends. Then all faults end, and the
//! deadlines L-1 to L-4 run. Every 200 ms of simulated time the checkers are given the facts of the
//! instants that have settled since. The run ends at the first violation, or when all deadlines are
//! met; then the history of the clients is judged, and the verdict is made.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use quorate::base::{Broken, RoleName, ServerId, Stamp};

use super::driver::{Checkpoint, Driver};
use super::evidence::OwnedEvidence;
use super::options::{RunOptions, timeline};
use super::recorder::Recorder;
use super::verdict::Verdict;
use crate::checkers::liveness::{self, Deadlines};
use crate::checkers::{Checkers, Ghost, Violation};
use crate::grammar::words::role_word;
use crate::recording::Recording;
use crate::scenario::swarm::Drawn;
use crate::scenario::{Case, ClientState, Expectation, Scenario};
use crate::workload::contract::{Evidence, judge};
use crate::workload::history::Silence;
use crate::workload::values::without_padding;
use crate::workload::{History, Outcome, Record};
use crate::world::{SETTLE, World, WorldOptions};

/// How often the checkers are given the facts of a stretch of time.
const SLICE: Duration = Duration::from_millis(200);
/// Sooner where there are so many entries: servers that answer each other without an end double it
/// every few milliseconds, and the checkers are there to see that.
const ENTRIES_MAX: usize = 10_000;
const STEP: Duration = Duration::from_millis(10);
/// Violations reported of one run.
const VIOLATIONS_MAX: usize = 5;

/// Runs one case in this process.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Verdict {
    execute(scenario, options, &Rc::new(Recorder::new(options.trace, false))).0
}

/// The same, with everything that happened.
pub fn run_recorded(scenario: &Scenario, options: &RunOptions) -> (Verdict, Recording) {
    let recorder = Rc::new(Recorder::new(options.trace, true));
    let (verdict, results) = execute(scenario, options, &recorder);
    // What a broken simulator said last was perhaps never checked.
    let builder = recorder.take_builder(verdict.simulator.is_some()).unwrap_or_default();
    let recording = builder.finish(
        scenario,
        options,
        &verdict,
        &results.history.borrow(),
        &results.found.borrow(),
    );
    (verdict, recording)
}

/// The same, with what the client contract was judged by; `None` if the simulator failed.
pub fn run_with_evidence(
    scenario: &Scenario,
    options: &RunOptions,
) -> (Verdict, Option<OwnedEvidence>) {
    let (verdict, results) =
        execute(scenario, options, &Rc::new(Recorder::new(options.trace, false)));
    let evidence = results.evidence.take();
    let history = results.history.take();
    (verdict, evidence.map(|evidence| OwnedEvidence { history, ..evidence }))
}

/// What is seen from outside of a run, even of one that broke off.
#[derive(Default)]
struct Results {
    history: Rc<RefCell<History>>,
    /// What the checkers found, in their order.
    found: Rc<RefCell<Vec<Violation>>>,
    /// Without the history, which stands beside it.
    evidence: Rc<RefCell<Option<OwnedEvidence>>>,
}

fn execute(
    scenario: &Scenario,
    options: &RunOptions,
    recorder: &Rc<Recorder>,
) -> (Verdict, Results) {
    let case = &scenario.cases[options.case];
    let results = Results::default();
    let world_options = WorldOptions {
        latency: scenario.latency,
        bandwidth: scenario.bandwidth,
        socket_buffer: scenario.socket_buffer,
        fsync: scenario.fsync,
        disk_throughput: scenario.throughput,
        trace: options.trace,
        ..WorldOptions::default()
    };
    let deadlines = Deadlines::of(&scenario.ensemble);
    let transfers = Duration::from_secs(if scenario.moves_slowly() { 3600 } else { 0 });
    let limit = case.duration + deadlines.equal + transfers + Duration::from_secs(60);
    let observer = recorder.clone();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        World::run(options.seed, world_options, observer, limit, |world| {
            let mut run = OneRun::new(scenario, case, options, recorder.clone(), world, &results);
            async move {
                run.whole(deadlines).await;
                run.verdict()
            }
        })
    }));
    recorder.end();
    let verdict = outcome.unwrap_or_else(|payload| {
        let simulator = Some(format!("a panic: {}", Broken::caught(payload).what));
        Verdict { simulator, hash: recorder.hash(), ..empty_verdict(scenario, case, options) }
    });
    (verdict, results)
}

fn empty_verdict(scenario: &Scenario, case: &Case, options: &RunOptions) -> Verdict {
    let several = scenario.cases.len() > 1;
    Verdict {
        file: scenario.file.clone(),
        seed: options.seed,
        case: several.then(|| (options.case + 1, case.name.clone())),
        without: options.without.clone(),
        museum: options.museum.clone(),
        violations: Vec::new(),
        roles: Vec::new(),
        ended: Stamp(0),
        notes: 0,
        hash: 0,
        operations: (0, 0, 0),
        compared: BTreeMap::new(),
        wanted: scenario.violates.clone(),
        ensemble: scenario.drawn.as_ref().map(Drawn::words),
        simulator: None,
    }
}

struct OneRun {
    world: World,
    recorder: Rc<Recorder>,
    driver: Driver,
    checkers: Checkers,
    history: Rc<RefCell<History>>,
    found: Vec<Violation>,
    /// The roles of the servers of the first violation, as they were when it was found.
    roles: Option<Vec<String>>,
    /// What the checkers found, for whoever looks from outside.
    checked: Rc<RefCell<Vec<Violation>>>,
    /// How many of these `found` holds already.
    reported: usize,
    evidence: Rc<RefCell<Option<OwnedEvidence>>>,
    duration: Duration,
    goes_on: bool,
    liveness: bool,
    strict_sync: bool,
    /// The checkers have the facts up to here.
    checked_upto: Stamp,
    verdict: Verdict,
}

impl OneRun {
    fn new(
        scenario: &Scenario,
        case: &Case,
        options: &RunOptions,
        recorder: Rc<Recorder>,
        world: World,
        results: &Results,
    ) -> OneRun {
        let history = results.history.clone();
        let scenario_end = Stamp(0) + case.duration;
        recorder.begin(world.clone());
        let driver =
            Driver::new(scenario, options, recorder.clone(), history.clone(), scenario_end);
        driver.set_up(&world, &timeline(scenario, options));
        OneRun {
            checkers: Checkers::new(
                &scenario.ensemble,
                &super::initial_disks::logs(&scenario.ensemble),
            ),
            world,
            recorder,
            driver,
            history,
            found: Vec::new(),
            roles: None,
            checked: results.found.clone(),
            reported: 0,
            evidence: results.evidence.clone(),
            duration: case.duration,
            goes_on: options.goes_on,
            liveness: scenario.liveness,
            strict_sync: scenario.strict.iter().any(|id| id == "C-3"),
            checked_upto: Stamp(0),
            verdict: empty_verdict(scenario, case, options),
        }
    }

    async fn whole(&mut self, deadlines: Deadlines) {
        let scenario_end = Stamp(0) + self.duration;
        if !self.run_until(scenario_end).await {
            return;
        }
        let driver = self.driver.clone();
        // A little later: what happens now must lie ahead of what was checked.
        let over = scenario_end + Duration::from_millis(1);
        self.world.at(over, move |world| driver.heal_everything(world, over));
        if self.run_until(over).await && self.liveness {
            self.liveness(over, deadlines.with(self.driver.transfer(&self.world))).await;
        }
    }

    /// Runs on to this moment. False once something is violated.
    async fn run_until(&mut self, to: Stamp) -> bool {
        while self.checked_upto < to {
            let end = (self.checked_upto + SLICE).min(to);
            let mut upto = self.checked_upto;
            loop {
                upto = (upto + STEP).min(end);
                self.world.sleep_until(self.world.settled(upto) + SETTLE).await;
                if upto == end || self.recorder.pending() >= ENTRIES_MAX {
                    break;
                }
            }
            self.check_upto(upto);
            if !self.found.is_empty() && !self.goes_on {
                return false;
            }
        }
        true
    }

    fn check_upto(&mut self, upto: Stamp) {
        let world = self.world.clone();
        let facts = self.recorder.take_upto(upto, |server, at| match server.0 {
            0 => quorate::base::Mono(at.0),
            _ => world.clock_at(server, at).mono,
        });
        let mut checkpoints = self.driver.take_checkpoints(upto).into_iter().peekable();
        for fact in &facts {
            // An expectation is about what was before its moment: what a line does at the same time
            // does not count yet.
            while let Some(checkpoint) = checkpoints.next_if(|checkpoint| checkpoint.at <= fact.at)
            {
                self.meet(&checkpoint);
            }
            self.checkers.take(fact);
            let violations = self.checkers.violations().len();
            self.recorder.checked(&self.checkers.ghost, fact.server, violations);
            if violations > 0 && self.roles.is_none() {
                let first = &self.checkers.violations()[0];
                self.roles = Some(roles(&self.checkers.ghost, &first.servers));
            }
        }
        checkpoints.for_each(|checkpoint| self.meet(&checkpoint));
        self.found.extend(self.recorder.take_halts());
        let violations = self.checkers.violations();
        self.found.extend(violations[self.reported..].iter().cloned());
        self.reported = violations.len();
        self.checked.replace(self.checkers.violations().to_vec());
        self.checked_upto = upto;
    }

    fn meet(&mut self, checkpoint: &Checkpoint) {
        for clause in &checkpoint.clauses {
            if let Some(instead) = self.fails(clause, checkpoint.at) {
                let (line, at) = (Some(checkpoint.place.0), checkpoint.at);
                let words = format!("expects `{clause}`: {instead}");
                let id = "expect".into();
                self.found.push(Violation { id, words, at, servers: vec![], line });
            }
        }
    }

    /// What is instead of what was expected.
    fn fails(&self, clause: &Expectation, at: Stamp) -> Option<String> {
        let ghost = &self.checkers.ghost;
        let role = |server: ServerId, role: RoleName| is_in_role(ghost, server, role);
        let holds = match clause {
            Expectation::Leader { servers, epoch } => match ghost.leader() {
                Some((e, leader)) => {
                    servers.contains(&leader) && epoch.is_none_or(|epoch| epoch == e)
                }
                None => false,
            },
            Expectation::NoLeader => ghost.leader().is_none(),
            Expectation::NotLeader(server) => ghost.server(*server).established.is_none(),
            Expectation::InRole { servers, role: r } => servers.iter().all(|s| role(*s, *r)),
            Expectation::Down(servers) => servers.iter().all(|s| !ghost.server(*s).running),
            Expectation::Last { server, zxid } => ghost.server(*server).log.last() == *zxid,
            Expectation::Truncated { server, to } => {
                ghost.server(*server).truncated_to.contains(to)
            }
            Expectation::Synced { server, mode } => ghost.server(*server).synced_by == Some(*mode),
            Expectation::Client { name, state } => self.client_is(name, *state, at),
        };
        (!holds).then(|| match clause {
            Expectation::Client { name, .. } => self.client_words(name, at),
            _ => describe(ghost),
        })
    }

    /// The state of the client's newest operation as it was at that moment.
    fn client_is(&self, name: &str, state: ClientState, at: Stamp) -> bool {
        let history = self.history.borrow();
        let newest = history.newest_before(name, at);
        let outcome = newest.and_then(|record| record.outcome_at(at));
        let told = self.driver.told_before(name, at);
        let waits = told > history.count_before(name, at) || (told > 0 && outcome.is_none());
        match state {
            ClientState::Waits => waits,
            ClientState::Ok => !waits && matches!(outcome, Some(Outcome::Reply { err: 0, .. })),
            ClientState::Fails => match outcome {
                Some(Outcome::Reply { err, .. }) => !waits && *err != 0,
                Some(Outcome::Lost { .. }) => !waits,
                None => false,
            },
        }
    }

    fn client_words(&self, name: &str, at: Stamp) -> String {
        match self.history.borrow().newest_before(name, at) {
            Some(record) => {
                format!("its newest operation is {:?}: {:?}", record.op, record.outcome_at(at))
            }
            None => "it has asked for nothing".into(),
        }
    }

    async fn liveness(&mut self, healed: Stamp, deadlines: Deadlines) {
        if !liveness::is_available(&self.checkers.ghost) {
            return;
        }
        type Missing = fn(&Ghost) -> Option<String>;
        let steps: [(&str, Duration, Missing); 2] = [
            ("L-1", deadlines.leader, liveness::missing_leader),
            ("L-2", deadlines.learners, liveness::missing_learners),
        ];
        for (id, within, missing) in steps {
            if !self.comes(id, healed, within, |run| missing(&run.checkers.ghost)).await {
                return;
            }
        }
        let served = self.checked_upto;
        let (world, at) = (self.world.clone(), self.checked_upto + SLICE);
        let driver = self.driver.clone();
        world.at(at, move |world| driver.probe(world, at));
        if !self.run_until(at + SLICE).await {
            return;
        }
        if !self.comes("L-3", healed, deadlines.writes, OneRun::unwritten).await {
            return;
        }
        // What was asked is answered, and logs end in one place, only where no load goes on.
        self.driver.end_ballast(self.checked_upto);
        if self.comes("L-3", healed, deadlines.writes, OneRun::unanswered).await
            && !self.are_silent_since(served)
        {
            let missing = |run: &OneRun| liveness::missing_equality(&run.checkers.ghost);
            self.comes("L-4", healed, deadlines.equal, missing).await;
        }
    }

    /// The new client's write, until it is done; asked again if it was lost.
    fn unwritten(&self) -> Option<String> {
        if self.client_is("probe", ClientState::Ok, self.checked_upto) {
            return None;
        }
        if self.client_is("probe", ClientState::Fails, self.checked_upto) {
            let (driver, at) = (self.driver.clone(), self.checked_upto + SLICE / 2);
            self.world.at(at, move |world| driver.probe_again(world, at));
        }
        let newest = self.client_words("probe", self.checked_upto);
        Some(format!("a new client's write is not done: {newest}"))
    }

    /// A request that a server owes an answer.
    fn unanswered(&self) -> Option<String> {
        let (ghost, history) = (&self.checkers.ghost, self.history.borrow());
        let open = history.open(|server| ghost.server(server).is_up())?;
        let Record { client, server, op, invoked, .. } = open;
        Some(format!("{op:?} of client {client} at server {server}, asked at {invoked}, waits"))
    }

    /// Whether a client gave up a server that had answered it when all was well again.
    fn are_silent_since(&mut self, served: Stamp) -> bool {
        let ghost = &self.checkers.ghost;
        let in_vain =
            |silence: &&Silence| silence.heard >= served && ghost.server(silence.server).is_up();
        let history = self.history.borrow();
        let Some(silence) = history.silences.iter().find(in_vain) else { return false };
        let Silence { client, server, heard, at } = silence.clone();
        let words = format!("client {client} heard nothing of server {server} since {heard}");
        let servers = vec![server];
        self.found.push(Violation { id: "L-3".into(), words, at, servers, line: None });
        true
    }

    /// Runs on until nothing is missing. False if the deadline passes, or something is violated.
    async fn comes(
        &mut self,
        id: &str,
        healed: Stamp,
        within: Duration,
        missing: impl Fn(&OneRun) -> Option<String>,
    ) -> bool {
        loop {
            let Some(what) = missing(self) else { return true };
            if self.checked_upto > healed + within {
                self.found.push(liveness::missed(id, what, self.checked_upto, within));
                return false;
            }
            if !self.run_until(self.checked_upto + SLICE).await {
                return false;
            }
        }
    }

    fn verdict(mut self) -> Verdict {
        let (sequence, complete) = super::committed::committed(&self.world, &self.checkers.ghost);
        let history = self.history.borrow();
        let evidence = OwnedEvidence {
            history: History::default(),
            sequence,
            complete,
            observers: self.checkers.ghost.ensemble.observers.clone(),
            deeds: std::mem::take(&mut self.checkers.deeds),
            strict_sync: self.strict_sync,
        };
        let judgement = judge(&Evidence { history: &history, ..evidence.evidence() });
        self.evidence.replace(Some(evidence));
        self.found.extend(judgement.found);
        self.found.sort_by_key(|violation| violation.at);
        self.found.truncate(VIOLATIONS_MAX);
        let first = self.found.first();
        let roles = match (self.roles.take(), first) {
            (Some(roles), Some(first)) if self.checkers.violations().first() == Some(first) => {
                roles
            }
            (_, Some(first)) => roles(&self.checkers.ghost, &first.servers),
            (_, None) => Vec::new(),
        };
        for violation in &mut self.found {
            violation.words = without_padding(&violation.words);
        }
        let late = self.world.late_events();
        Verdict {
            violations: std::mem::take(&mut self.found),
            roles,
            ended: self.checked_upto,
            notes: self.recorder.notes(),
            hash: self.recorder.hash(),
            operations: history.counts(),
            compared: judgement.compared,
            simulator: (late > 0).then(|| format!("{late} events came late to their readers")),
            ..self.verdict.clone()
        }
    }
}

fn is_in_role(ghost: &Ghost, server: ServerId, role: RoleName) -> bool {
    let ghost = ghost.server(server);
    let serves =
        ghost.serving.is_some() || !matches!(role, RoleName::Following | RoleName::Observing);
    ghost.running && ghost.role == role && serves
}

/// What these servers are, sorted.
fn roles(ghost: &Ghost, servers: &[ServerId]) -> Vec<String> {
    let role = |server: &ServerId| match ghost.servers.get(server) {
        Some(server) if server.running => role_word(server.role).to_owned(),
        _ => "down".to_owned(),
    };
    let mut roles: Vec<String> = servers.iter().map(role).collect();
    roles.sort();
    roles
}

/// The roles of all servers, in one line.
fn describe(ghost: &Ghost) -> String {
    let mut words = Vec::new();
    for (id, server) in &ghost.servers {
        let role = role_word(server.role);
        let state = match (server.running, server.established, server.serving) {
            (false, ..) => "down".to_owned(),
            (true, Some(epoch), _) => format!("{role} epoch {epoch}"),
            (true, None, Some(epoch)) => format!("{role} epoch {epoch}"),
            (true, None, None) => format!("{role}, not serving"),
        };
        words.push(format!("{id} {state}, log to {}", server.log.last()));
    }
    words.join("; ")
}
