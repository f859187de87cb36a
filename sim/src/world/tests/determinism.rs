//! One seed, one trace: in another process, beside another task, and before the last fault.

use std::path::Path;

use bytes::Bytes;
use quorate::runtime::{File, Lane, LaneId, OpenMode};

use super::*;
use crate::draw::Key;
use crate::world::{CrashMode, Plane};

const SERVERS: u64 = 3;
const PRINT: &str = "QUORATE_SIM_PRINT_TRACE";

#[derive(Clone, Copy, PartialEq)]
enum Twist {
    None,
    IdleTask,
    NoLastFault,
}

/// (stamp, server, what): what the servers saw, sorted.
type Trace = Vec<(Stamp, u64, String)>;

/// What a pump does, in small: inputs wait until their instant has settled, and are then taken
/// in the order of their stamps.
struct Inbox {
    rt: SimRuntime,
    me: u64,
    inputs: RefCell<std::collections::BTreeMap<(Stamp, u64, u64), Vec<u8>>>,
    arrived: tokio::sync::Notify,
}

impl Inbox {
    fn post(&self, at: Stamp, source: u64, n: u64, data: Vec<u8>) {
        self.inputs.borrow_mut().insert((at, source, n), data);
        self.arrived.notify_one();
    }

    /// Takes inputs for ever; `outputs` sends on what they cause.
    async fn pump(&self, trace: Log<(Stamp, u64, String)>, outputs: &[Outbox]) {
        loop {
            let first = self.inputs.borrow().keys().next().copied();
            let Some((at, ..)) = first else {
                self.arrived.notified().await;
                continue;
            };
            self.rt.sleep_until(at + self.rt.settle()).await;
            let ((at, source, n), data) =
                self.inputs.borrow_mut().pop_first().expect("nobody else takes inputs");
            let now = self.rt.now_at(at);
            let hash = Key::new(0, "data").name(&String::from_utf8_lossy(&data)).draw();
            trace.push((at, self.me, format!("{source}.{n} {hash:x} {}", now.mono.0)));
            for outbox in outputs {
                if hash.is_multiple_of(3) || data.first() == Some(&b't') {
                    outbox.queue.borrow_mut().push_back((at, format!("m{hash:x}")));
                    outbox.filled.notify_one();
                }
            }
        }
    }
}

#[derive(Default)]
struct Outbox {
    queue: RefCell<std::collections::VecDeque<(Stamp, String)>>,
    filled: tokio::sync::Notify,
}

impl Outbox {
    /// Keeps a connection to one peer and writes what is queued; drops it while there is none.
    async fn run(&self, rt: SimRuntime, peer: u64) {
        let mut at = rt.stamp();
        loop {
            let host = format!("s{peer}");
            let (opened, stream) = rt.connect(at, &to(&host), ms(300)).await;
            at = opened + ms(50);
            if let Ok(mut stream) = stream {
                self.queue.borrow_mut().clear();
                loop {
                    let next = self.queue.borrow_mut().pop_front();
                    let Some((caused, text)) = next else {
                        self.filled.notified().await;
                        continue;
                    };
                    stream.begin_write(caused, PING);
                    at = caused + ms(50);
                    if stream.write_all(text.as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
            rt.sleep_until(at).await;
            at = rt.stamp();
        }
    }
}

async fn gossiping(rt: SimRuntime, me: u64, trace: Log<(Stamp, u64, String)>) {
    let inbox = Rc::new(Inbox {
        rt: rt.clone(),
        me,
        inputs: RefCell::default(),
        arrived: tokio::sync::Notify::new(),
    });
    let outboxes: Rc<Vec<Outbox>> = Rc::new((1..=SERVERS).map(|_| Outbox::default()).collect());
    for peer in (1..=SERVERS).filter(|peer| *peer != me) {
        let (rt, outboxes) = (rt.clone(), outboxes.clone());
        let task = rt.clone();
        rt.spawn("outbox", async move { outboxes[peer as usize - 1].run(task, peer).await });
    }
    rt.spawn("acceptor", accepting(rt.clone(), inbox.clone()));
    rt.spawn("disk", writing(rt.clone(), inbox.clone()));
    inbox.pump(trace, &outboxes).await;
}

async fn accepting(rt: SimRuntime, inbox: Rc<Inbox>) {
    let mut listener = rt.listen(&to("0.0.0.0")).await.expect("the port is free");
    let mut source = 100;
    while let Ok((_, mut stream)) = listener.accept().await {
        source += 1;
        let (source, inbox) = (source, inbox.clone());
        rt.spawn("reader", async move {
            let mut buf = [0; 64];
            for n in 0.. {
                let read = stream.read(&mut buf).await;
                let data = read.as_ref().map_or(&b"error"[..], |len| &buf[..*len]);
                inbox.post(stream.read_at(), source, n, data.to_vec());
                if read.is_err() || read.is_ok_and(|len| len == 0) {
                    return;
                }
            }
        });
    }
}

/// A timer that writes, and an input when it is durable.
async fn writing(rt: SimRuntime, inbox: Rc<Inbox>) {
    let lane = rt.disk(LaneId::Log);
    let mut file = lane.open(Path::new("/log"), OpenMode::Create).await.expect("it is created");
    let mut at = lane.ended();
    for n in 0.. {
        at = (at + ms(7)).max(lane.ended());
        rt.sleep_until(at).await;
        at = rt.stamp();
        inbox.post(at, 1, n, format!("t{n}").into_bytes());
        lane.begin(at);
        let text = Bytes::from(format!("record {n}"));
        file.write_at(n * 16, text).await.expect("written");
        file.sync().await.expect("synced");
        inbox.post(lane.ended(), 2, n, format!("d{n}").into_bytes());
    }
}

const LAST_FAULT: u64 = 2_200;

fn run(seed: u64, twist: Twist) -> Trace {
    run_in(WorldOptions { split_ppm: 100_000, ..WorldOptions::default() }, seed, twist)
}

/// In a world where bytes take time, and wait for each other.
fn run_slow(seed: u64, twist: Twist) -> Trace {
    let options = WorldOptions {
        split_ppm: 100_000,
        bandwidth: Some(2_000),
        disk_throughput: Some(10_000),
        ..WorldOptions::default()
    };
    run_in(options, seed, twist)
}

fn run_in(options: WorldOptions, seed: u64, twist: Twist) -> Trace {
    World::run(seed, options, Rc::new(NoObserver), MINUTE, |world| async move {
        let trace: Log<(Stamp, u64, String)> = Log::new();
        for id in 1..=SERVERS {
            let id = ServerId(id as i64);
            world.add_server(id, ServerPorts::default());
            world.put_file(id, Path::new("/log"), b"");
        }
        let start = |id: u64, trace: &Log<(Stamp, u64, String)>| {
            let trace = trace.clone();
            move |world: &World| {
                world.start(ServerId(id as i64), move |rt| async move {
                    if twist == Twist::IdleTask && id == 2 {
                        let idle = rt.clone();
                        rt.spawn("idle", async move {
                            for n in 0.. {
                                idle.sleep_until(Stamp(n * 1_234_567)).await;
                            }
                        });
                    }
                    gossiping(rt, id, trace).await;
                });
            }
        };
        for id in 1..=SERVERS {
            world.at(at_ms(id), start(id, &trace));
        }
        world.at(at_ms(500), |world| world.cut("s1", "s2", Plane::All));
        world.at(at_ms(800), |world| world.heal_all());
        world.at(at_ms(1_000), |world| world.crash(ServerId(3), CrashMode::Power));
        world.at(at_ms(1_200), start(3, &trace));
        world.at(at_ms(1_400), |world| world.pause(S2));
        world.at(at_ms(1_600), |world| world.resume(S2));
        world.at(at_ms(1_800), |world| world.crash(S1, CrashMode::Kill));
        world.at(at_ms(1_801), start(1, &trace));
        if twist != Twist::NoLastFault {
            world.at(at_ms(LAST_FAULT), |world| world.cut("s3", "s1", Plane::All));
        }
        world.sleep_until(at_ms(3_000)).await;
        assert_eq!((world.late_events(), world.late_reads(), world.stale_effects()), (0, 0, 0));
        let mut trace = trace.all();
        trace.sort();
        trace
    })
}

fn hash(trace: &Trace) -> u64 {
    trace.iter().fold(Key::new(0, "trace"), |key, entry| key.name(&format!("{entry:?}"))).draw()
}

#[test]
fn the_same_seed_gives_the_same_trace_in_another_process() {
    let name = "world::tests::determinism::the_same_seed_gives_the_same_trace_in_another_process";
    if std::env::var_os(PRINT).is_some() {
        println!("trace {:x}", hash(&run(11, Twist::None)));
        return;
    }
    let print = || {
        let program = std::env::current_exe().expect("a test has a program");
        let mut command = std::process::Command::new(program);
        command.args([name, "--exact", "--nocapture"]).env(PRINT, "1");
        let output = command.output().expect("the program runs again");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find_map(|line| line.split("trace ").nth(1).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no trace in {text}"))
    };
    let first = print();
    assert_eq!(first, print());
    assert_eq!(first, format!("{:x}", hash(&run(11, Twist::None))));
}

#[test]
fn the_trace_has_something_to_compare() {
    let trace = run(1, Twist::None);
    assert!(trace.len() > 2_000, "{}", trace.len());
    assert_ne!(hash(&trace), hash(&run(2, Twist::None)));
}

#[test]
fn an_idle_task_more_changes_nothing() {
    for seed in 0..10 {
        same_until(&run(seed, Twist::None), &run(seed, Twist::IdleTask), Stamp::FAR);
        same_until(&run_slow(seed, Twist::None), &run_slow(seed, Twist::IdleTask), Stamp::FAR);
    }
}

#[test]
fn without_the_last_fault_everything_before_it_is_the_same() {
    for seed in 0..5 {
        for run in [run, run_slow] {
            let (with, without) = (run(seed, Twist::None), run(seed, Twist::NoLastFault));
            same_until(&with, &without, at_ms(LAST_FAULT));
            assert_ne!(with, without);
        }
    }
}

fn same_until(one: &Trace, other: &Trace, until: Stamp) {
    let before = |trace: &Trace| trace.iter().take_while(|(at, ..)| *at <= until).count();
    for n in 0..before(one).max(before(other)) {
        assert_eq!(one.get(n), other.get(n), "entry {n}");
    }
}
