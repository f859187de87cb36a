//! The scenario driver. It sets up the machines, disks and clients of a scenario, and then does to the
//! world what the timeline says: at a moment, or when a trigger is met.
//!
//! Not here: how a fault is done (`fault`), what is judged and when (`one_run`).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use quorate::base::{Difference, Museum, ServerId, Stamp};
use quorate::config::{LearnerType, ServerConfig, ServerSpec};
use quorate::runtime::{HostPort, Runtime};

use super::options::RunOptions;
use super::recorder::Recorder;
use super::steps::{Observer, Steps};
use crate::checkers::Event;
use crate::draw::{Draws, key_of};
use crate::fault;
use crate::grammar::{Trigger, When};
use crate::scenario::{Action, ClientAct, Expectation, Line, Scenario};
use crate::workload::values::{BALLAST, ValueSizes, ballast};
use crate::workload::{Client, History, Op, Script, Source};
use crate::world::{ServerPorts, SimRuntime, World, server_name as host};

/// An `expect`, to be judged when everything up to its moment is known.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    pub(super) at: Stamp,
    pub(super) clauses: Vec<Expectation>,
    pub(super) place: (usize, usize),
}

/// Everything actions need. Cheap to clone.
#[derive(Clone)]
pub(super) struct Driver(Rc<Inner>);

struct Inner {
    scenario: Scenario,
    seed: u64,
    idle_task: bool,
    steps: Option<Steps>,
    recorder: Rc<Recorder>,
    history: Rc<RefCell<History>>,
    checkpoints: RefCell<Vec<Checkpoint>>,
    scripts: RefCell<BTreeMap<String, Rc<Script>>>,
    /// When the scenario ends; later actions are not done any more.
    scenario_end: Cell<Stamp>,
    /// No more of the ballast is written from then on.
    ballast_until: Rc<Cell<Stamp>>,
}

/// How often the disk of one server is inspected, of all in turn.
const INSPECT_EVERY: Duration = Duration::from_secs(1);

/// That of a configuration which has one.
const CONFIG_VERSION: i64 = 1 << 32;

/// Wakes up now and then, and does nothing.
async fn sleep_for_ever(rt: SimRuntime) {
    let mut at = rt.stamp();
    loop {
        at = at + Duration::from_micros(730);
        rt.sleep_until(at).await;
    }
}

impl Driver {
    pub(super) fn new(
        scenario: &Scenario,
        options: &RunOptions,
        recorder: Rc<Recorder>,
        history: Rc<RefCell<History>>,
        scenario_end: Stamp,
    ) -> Driver {
        Driver(Rc::new(Inner {
            scenario: scenario.clone(),
            seed: options.seed,
            idle_task: options.idle_task,
            steps: options.steps.clone(),
            recorder,
            history,
            checkpoints: RefCell::default(),
            scripts: RefCell::default(),
            scenario_end: Cell::new(scenario_end),
            ballast_until: Rc::new(Cell::new(Stamp::FAR)),
        }))
    }

    /// Machines, disks, clients and the timeline.
    pub(super) fn set_up(&self, world: &World, lines: &[Line]) {
        let ensemble = &self.0.scenario.ensemble;
        for server in ensemble.servers() {
            world.add_server(server, ServerPorts::default());
            self.install(world, server);
        }
        super::initial_disks::write(world, ensemble);
        for line in lines {
            for action in &line.actions {
                if let Action::Client { name, act: ClientAct::Connects(_) } = action {
                    drop(world.client_runtime(&format!("client-{name}")));
                }
            }
        }
        self.start_workload(world);
        for line in lines {
            self.schedule(world, line.clone());
        }
        let driver = self.clone();
        self.0
            .recorder
            .on_promise(Box::new(move |world, server| driver.inspect_disk(world, server)));
        self.inspect_disks(world, 0);
    }

    /// Reports what the server's disk would give back at this moment.
    fn inspect_disk(&self, world: &World, server: ServerId) {
        for rebuilt in super::rebuild::rebuild(world, server, &self.config(server)) {
            self.0.recorder.lab(world.now(), server, Event::Rebuilt(rebuilt));
        }
    }

    /// Inspects one server's disk a second, in turn.
    fn inspect_disks(&self, world: &World, n: usize) {
        let driver = self.clone();
        let at = world.now() + INSPECT_EVERY;
        world.at(at, move |world| {
            let servers: Vec<ServerId> = driver.0.scenario.ensemble.servers().into_iter().collect();
            driver.inspect_disk(world, servers[n % servers.len()]);
            driver.inspect_disks(world, n + 1);
        });
    }

    pub(super) fn take_checkpoints(&self, upto: Stamp) -> Vec<Checkpoint> {
        let mut all = self.0.checkpoints.borrow_mut();
        let (ready, later) = all.drain(..).partition(|checkpoint| checkpoint.at <= upto);
        *all = later;
        let mut ready: Vec<Checkpoint> = ready;
        ready.sort_by_key(|checkpoint| (checkpoint.at, checkpoint.place));
        ready
    }

    /// How many operations a scripted client was told before a moment.
    pub(super) fn told_before(&self, client: &str, at: Stamp) -> usize {
        self.0.scripts.borrow().get(client).map_or(0, |script| script.told_before(at))
    }

    fn schedule(&self, world: &World, line: Line) {
        let driver = self.clone();
        match line.when.clone() {
            When::At(at) => {
                let at = Stamp(0) + at;
                world.at(at, move |world| driver.perform_line(world, at, &line));
            }
            When::On(from, trigger) => {
                let from = Stamp(0) + from;
                driver.arm(world, from, trigger, line);
            }
        }
    }

    fn arm(&self, world: &World, from: Stamp, trigger: Trigger, line: Line) {
        let driver = self.clone();
        if let Trigger::Sends { from: sender, kind, to, zxid } = trigger {
            let fired = Cell::new(false);
            let to = to.map(host);
            world.on_send(&[kind], move |world, left, source, target, label| {
                let meant = source == host(sender)
                    && to.as_ref().is_none_or(|to| to == target)
                    && (zxid.is_none() || label.zxid == zxid);
                if meant && left >= from && !fired.replace(true) {
                    driver.perform_line(world, world.now(), &line);
                }
            });
            return;
        }
        let fire = move |world: &World, _| driver.perform_line(world, world.now(), &line);
        self.0.recorder.arm(from, trigger, Box::new(fire));
    }

    fn perform_line(&self, world: &World, at: Stamp, line: &Line) {
        if at > self.0.scenario_end.get() {
            return;
        }
        for action in &line.actions {
            self.0.recorder.action(at, line.fault, action.clone());
            self.act(world, at, action, line.place);
        }
    }

    fn act(&self, world: &World, at: Stamp, action: &Action, place: (usize, usize)) {
        match action {
            Action::Fault(fault) => fault.apply(world),
            Action::Client { name, act } => self.client(world, at, name, act),
            Action::Expect(clauses) => {
                let checkpoint = Checkpoint { at, clauses: clauses.clone(), place };
                self.0.checkpoints.borrow_mut().push(checkpoint);
            }
        }
    }

    /// What a start of a server runs.
    fn install(&self, world: &World, server: ServerId) {
        let config = self.config(server);
        let idle_task = self.0.idle_task;
        let steps = self.0.steps.clone();
        let program = move |rt: SimRuntime| {
            let config = config.clone();
            let observer = Observer::new(steps.clone());
            let main = async move {
                if idle_task {
                    rt.spawn("idle", sleep_for_ever(rt.clone()));
                }
                quorate::peer::run_observed(rt, config, observer, None).await;
            };
            Box::pin(main) as Pin<Box<dyn Future<Output = ()>>>
        };
        world.install(server, Rc::new(program));
    }

    /// The end of all faults: all disks are inspected, and what still runs may work undisturbed from now on.
    pub(super) fn heal_everything(&self, world: &World, at: Stamp) {
        self.0.recorder.over(at);
        let servers = self.0.scenario.ensemble.servers();
        servers.iter().for_each(|server| self.inspect_disk(world, *server));
        fault::heal_everything(world);
    }

    /// How long it takes to move all that the fullest disk holds, to another server and there to the
    /// disk.
    pub(super) fn transfer(&self, world: &World) -> Duration {
        let scenario = &self.0.scenario;
        if !scenario.moves_slowly() {
            return Duration::ZERO;
        }
        let servers = scenario.ensemble.servers();
        let bytes = servers.iter().map(|server| world.disk_bytes(*server)).max().unwrap_or(0);
        let seconds = |rate: u64| bytes as f64 / rate as f64;
        let rates = [scenario.bandwidth, scenario.throughput];
        Duration::from_secs_f64(rates.into_iter().flatten().map(seconds).sum())
    }

    fn client(&self, world: &World, at: Stamp, name: &str, act: &ClientAct) {
        if let ClientAct::Connects(servers) = act {
            let script = Rc::new(Script::default());
            self.0.scripts.borrow_mut().insert(name.to_owned(), script.clone());
            let key = key_of(name);
            let timeout = Duration::from_secs(10);
            let client =
                self.new_client(name, key, servers.clone(), timeout, Source::Scripted(script));
            spawn_client(world, &format!("client-{name}"), client, at);
        } else if let (Some(op), Some(script)) =
            (Op::of_act(act), self.0.scripts.borrow().get(name))
        {
            script.tell(at, op);
        }
    }

    /// A client that writes once, to see whether writes complete again.
    pub(super) fn probe(&self, world: &World, at: Stamp) {
        let servers = self.0.scenario.ensemble.servers().into_iter().collect();
        drop(world.client_runtime("client-probe"));
        self.client(world, at, "probe", &ClientAct::Connects(servers));
        self.probe_again(world, at);
    }

    /// What it wrote is lost if its server leaves for a reason from before: it writes again.
    pub(super) fn probe_again(&self, world: &World, at: Stamp) {
        let act = ClientAct::Create {
            path: "/probe-".into(),
            data: String::new(),
            ephemeral: false,
            sequential: true,
        };
        self.client(world, at, "probe", &act);
    }

    fn start_workload(&self, world: &World) {
        let Some(workload) = self.0.scenario.workload.clone() else { return };
        let servers: Vec<ServerId> = self.0.scenario.ensemble.servers().into_iter().collect();
        if let Some(total) = workload.ballast {
            self.start_ballast(world, total, workload.ballast_value, &servers);
        }
        for number in 1..=workload.clients as u64 {
            let name = format!("c{number}");
            drop(world.client_runtime(&name));
            let every = Duration::from_secs_f64(1.0 / workload.ops_per_second.max(0.001));
            let from = Stamp(0) + workload.from;
            let source = Source::Drawn {
                from,
                until: Stamp(0) + workload.until,
                every,
                writes: workload.writes,
                nodes: workload.nodes,
                sizes: ValueSizes(workload.value_bytes),
                mix: workload.mix.clone().map(Rc::new),
            };
            let timeout = workload.session_timeout;
            let client = self.new_client(&name, number, servers.clone(), timeout, source);
            world.at(from, move |world| spawn_client(world, &name, client, from));
        }
    }

    /// A client that fills the tree, from the start on.
    fn start_ballast(&self, world: &World, total: u64, sizes: (u64, u64), servers: &[ServerId]) {
        let name = "ballast";
        drop(world.client_runtime(name));
        let ops = ballast(&Draws::new(self.0.seed), total, sizes).into();
        let until = Rc::clone(&self.0.ballast_until);
        let source = Source::Listed { from: Stamp(0), until, ops };
        let client =
            self.new_client(name, BALLAST, servers.to_vec(), Duration::from_secs(10), source);
        world.at(Stamp(0), move |world| spawn_client(world, name, client, Stamp(0)));
    }

    /// Leaves the rest of the ballast unwritten.
    pub(super) fn end_ballast(&self, at: Stamp) {
        self.0.ballast_until.set(at);
    }

    /// Which clients of a workload take a server that only reads.
    fn takes_read_only(&self, number: u64) -> bool {
        let share = self.0.scenario.workload.as_ref().map_or(0.0, |workload| workload.read_only);
        Draws::new(self.0.seed).unit("client reads only", number, 0) < share
    }

    fn new_client(
        &self,
        name: &str,
        number: u64,
        servers: Vec<ServerId>,
        session_timeout: Duration,
        source: Source,
    ) -> Client {
        Client {
            name: name.to_owned(),
            number,
            servers,
            session_timeout,
            takes_read_only: self.takes_read_only(number),
            source,
            draws: Draws::new(self.0.seed),
            history: self.0.history.clone(),
        }
    }

    fn config(&self, me: ServerId) -> ServerConfig {
        let scenario = &self.0.scenario;
        let ensemble = &scenario.ensemble;
        let mut config = ServerConfig::defaults(me);
        for server in ensemble.servers() {
            config.servers.insert(server, self.spec(server));
        }
        if let Some(own) = config.servers.get_mut(&me).filter(|_| ensemble.own_line_open) {
            for address in [&mut own.quorum, &mut own.election] {
                address.host = "0.0.0.0".to_owned();
            }
        }
        config.hierarchical = !ensemble.weights.is_empty();
        config.client = Some(HostPort::new(host(me), 2181));
        (config.data_dir, config.data_log_dir) =
            (super::initial_disks::DATA_DIR.into(), super::initial_disks::DATA_DIR.into());
        config.tick_time = ensemble.tick_time;
        (config.init_limit, config.sync_limit) = (ensemble.init_limit, ensemble.sync_limit);
        config.session_timeout_min = ensemble.tick_time * 2;
        config.session_timeout_max = ensemble.tick_time * 20;
        config.max_client_cnxns = 0;
        config.snap_count = ensemble.snap_count;
        config.pre_alloc_bytes = 16 * 1024;
        config.sync = ensemble.sync.clone();
        let uninitialised = ensemble.disks.get(&me).is_some_and(|disk| disk.uninitialised);
        config.db_autocreate = ensemble.autocreate && !uninitialised;
        config.read_only_mode = ensemble.read_only_mode;
        config.finalize_wait = ensemble.finalize_wait;
        config.notification_interval_min = ensemble.notification_interval_min;
        config.notification_interval_max = ensemble.notification_interval_max;
        config.epoch_wait_max = ensemble.epoch_wait_max;
        config.dialect = ensemble.dialect.get(&me).copied().unwrap_or_default();
        if config.dialect.has(Difference::VersionedConfig) {
            config.config_version = CONFIG_VERSION;
        }
        config.museum =
            scenario.museum.iter().fold(Museum::default(), |museum, one| museum.with(*one));
        config
    }

    fn spec(&self, server: ServerId) -> ServerSpec {
        let ensemble = &self.0.scenario.ensemble;
        let votes = ensemble.voters.contains(&server);
        ServerSpec {
            quorum: HostPort::new(host(server), 2888),
            election: HostPort::new(host(server), 3888),
            client: Some(HostPort::new(host(server), 2181)),
            learner_type: if votes { LearnerType::Participant } else { LearnerType::Observer },
            weight: if votes { ensemble.weight(server) } else { 1 },
            group: if votes && !ensemble.weights.is_empty() { Some(1) } else { None },
        }
    }
}

fn spawn_client(world: &World, host: &str, client: Client, at: Stamp) {
    use quorate::runtime::Runtime as _;
    let rt = world.client_runtime(host);
    rt.clone().spawn("client", client.run(rt, at));
}
