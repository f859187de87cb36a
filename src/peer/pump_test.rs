//! How the pump shares its time.

use super::*;
use crate::base::ServerId;
use crate::server::driver::ClientEvent;
use crate::storage::fake::FakeWorld;
use crate::zab::driver::QuorumEvent;
use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

/// Remembers the names of the inputs; a step of a client lasts so long.
struct Watch {
    seen: Rc<RefCell<Vec<&'static str>>>,
    present: Rc<Cell<Stamp>>,
    client_takes: Duration,
}

impl StepObserver for Watch {
    fn started(&mut self, _: Now, _: &ServerConfig, _: Seeds) {}
    fn input(&mut self, _: Now, input: &Input) {
        self.seen.borrow_mut().push(input.name());
        if matches!(input, Input::Client(_)) {
            self.present.set(self.present.get() + self.client_takes);
        }
    }
    fn outputs(&mut self, _: &[Output]) {}
}

struct Bench {
    inbox: Inbox<Input>,
    seen: Rc<RefCell<Vec<&'static str>>>,
    present: Rc<Cell<Stamp>>,
}

const CLIENT: &str = "a client's request";
const QUORUM: &str = "a quorum packet";

impl Bench {
    fn new(client_takes: Duration) -> (Bench, Pump<FakeWorld, Watch>) {
        let present = Rc::new(Cell::new(Stamp(1)));
        let mut rt = FakeWorld::default();
        rt.present = Some(present.clone());
        let inbox = Inbox::new(Duration::ZERO, class::CLIENT);
        let seen = Rc::new(RefCell::new(Vec::new()));
        let config = ServerConfig::defaults(ServerId(1));
        let seeds = Seeds { connection_throttle: 0, nonces: [0, 0] };
        let pump = Pump {
            hands: Hands::new(&rt, &config, &inbox),
            slow_step: config.tick_time / 4,
            peer: Peer::new(Now::default(), config, seeds),
            observer: Watch { seen: seen.clone(), present: present.clone(), client_takes },
            last: Stamp(0),
            apply_at: None,
            applied: 0,
            planned: Stamp(0),
            timer: None,
            steps: 0,
            present: Now::default(),
            outputs: Vec::new(),
            free_at: None,
            rotation: 0,
            alive_at: Stamp::FAR,
            alive_every: Duration::ZERO,
            is_ready: false,
            rt,
            inbox: inbox.clone(),
        };
        (Bench { inbox, seen, present }, pump)
    }

    fn post_clients(&self, at: Stamp, count: usize) {
        for _ in 0..count {
            let lost = ClientEvent::Lost { conn: crate::base::ConnId(1) };
            self.inbox.post(at, (class::CLIENT, 1), Input::Client(lost));
        }
    }

    fn post_quorum(&self, at: Stamp, count: usize) {
        for _ in 0..count {
            let drained = QuorumEvent::Drained { link: crate::base::LinkId(1) };
            self.inbox.post(at, (class::QUORUM, 1), Input::Quorum(drained));
        }
    }

    /// What one turn did.
    fn turn(&self, run: Pin<&mut impl Future<Output = ()>>) -> Vec<&'static str> {
        assert!(run.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        self.seen.take()
    }
}

#[test]
fn a_turn_ends_however_much_waits() {
    let (bench, pump) = Bench::new(Duration::ZERO);
    bench.post_clients(Stamp(0), 3 * TURN_STEPS_MAX);
    let mut run = pin!(pump.run());
    let turns = [(); 3].map(|()| bench.turn(run.as_mut()).len());
    assert_eq!(turns, [TURN_STEPS_MAX; 3]);
}

#[test]
fn a_turn_ends_when_its_time_is_up() {
    let (bench, pump) = Bench::new(TURN_TIME_MAX / 2);
    bench.post_clients(Stamp(0), 10);
    let mut run = pin!(pump.run());
    assert_eq!(bench.turn(run.as_mut()).len(), 3, "the third step passes the time");
    assert_eq!(bench.turn(run.as_mut()).len(), 3);
}

#[test]
fn a_pump_that_is_behind_takes_what_servers_sent_between_older_requests() {
    let (bench, pump) = Bench::new(Duration::ZERO);
    bench.post_clients(Stamp(0), 6);
    bench.post_quorum(Stamp(1), 2);
    let mut run = pin!(pump.run());
    bench.present.set(Stamp(0) + BEHIND_AFTER);
    let in_order = [[CLIENT; 6].as_slice(), &[QUORUM; 2]].concat();
    assert_eq!(bench.turn(run.as_mut()), in_order, "it is not behind");
    bench.post_clients(Stamp(0), 6);
    bench.post_quorum(Stamp(1), 2);
    bench.present.set(Stamp(1000) + BEHIND_AFTER);
    let seen = bench.turn(run.as_mut());
    let at = |name| seen.iter().position(|other| *other == name);
    assert_eq!((seen.len(), at(CLIENT)), (8, Some(0)), "{seen:?}");
    let last = seen.iter().rposition(|name| *name == QUORUM);
    assert!(last < Some(6), "clients do not wait for all of it, nor it for them: {seen:?}");
}

#[test]
fn a_step_that_is_too_slow_is_told() {
    let tick = ServerConfig::defaults(ServerId(1)).tick_time;
    let (bench, pump) = Bench::new(tick / 4);
    bench.post_clients(Stamp(0), 1);
    assert_eq!(bench.turn(pin!(pump.run())), [CLIENT]);
    let (bench, pump) = Bench::new(tick / 4 + Duration::from_millis(1));
    bench.post_clients(Stamp(0), 1);
    assert_eq!(bench.turn(pin!(pump.run())), [CLIENT, "a slow step"]);
}

/// What is due at a time to come would take the server there.
#[test]
fn nothing_is_done_before_its_time_however_far_behind_the_pump_is() {
    let (bench, mut pump) = Bench::new(Duration::ZERO);
    bench.present.set(Stamp(1000) + BEHIND_AFTER);
    for _ in 0..6 {
        pump.apply_at = Some(Stamp(0));
        pump.turn();
        assert!(pump.last <= bench.present.get(), "{:?}", pump.last);
    }
    assert_eq!(bench.seen.take(), ["a transaction"; 6]);
}
