use std::fmt::Display;
use std::path::Path;

use quorate::base::{Broken, Note};
use quorate::runtime::{Halt, Purpose};

use super::*;
use crate::world::{CrashMode, Observer, Plane, SETTLE};

/// Writes down what the world says of servers.
struct Watcher(Log<(Stamp, u64, String)>);

impl Observer for Watcher {
    fn note(&self, at: Stamp, _: ServerId, n: u64, note: &Note) {
        self.0.push((at, n, format!("{note:?}")));
    }

    fn trace(&self, at: Stamp, _: ServerId, n: u64, line: &dyn Display) {
        self.0.push((at, n, line.to_string()));
    }

    fn halted(&self, at: Stamp, _: ServerId, n: u64, halt: &Halt) {
        self.0.push((at, n, format!("halted {} {}", halt.exit_code, halt.why)));
    }

    fn panicked(&self, at: Stamp, _: ServerId, n: u64, broken: &Broken) {
        self.0.push((at, n, format!("panicked {} {}", broken.id, broken.what)));
    }
}

/// A world with server 1 and a watcher.
fn watched<F: Future<Output = ()>>(main: impl FnOnce(World, Log<(Stamp, u64, String)>) -> F) {
    let log = Log::new();
    let observer = Rc::new(Watcher(log.clone()));
    World::run(7, WorldOptions::default(), observer, MINUTE, |world| async move {
        world.add_server(S1, ServerPorts::default());
        main(world.clone(), log).await;
        assert_eq!((world.late_events(), world.late_reads()), (0, 0));
    });
}

/// Ticks every ten milliseconds of its own clock, as a pump would: it waits for the instant to
/// settle, then takes its step.
async fn ticking(rt: SimRuntime, log: Log<(Stamp, u64)>) {
    let mut next = rt.now_at(rt.stamp()).mono;
    for n in 0.. {
        next = next + ms(10);
        let at = rt.stamp_of(next);
        rt.sleep_until(at + rt.settle()).await;
        let now = rt.now_at(at);
        log.push((at, now.mono.0));
        rt.trace(at, &format_args!("tick {n}"));
    }
}

#[test]
fn what_inputs_up_to_a_death_caused_is_told_and_nothing_later() {
    for (crash, ticks) in [(ms(55), 5), (ms(50), 5), (ms(50) - Duration::from_nanos(1), 4)] {
        watched(|world, log| async move {
            world.start(S1, |rt| ticking(rt, Log::new()));
            world.at(Stamp(0) + crash, |world| world.crash(S1, CrashMode::Kill));
            world.sleep_until(at_ms(200)).await;
            assert_eq!(log.all().len(), ticks, "{:?}", log.all());
            assert!(!world.is_alive(S1));
        });
    }
}

#[test]
fn a_paused_server_sees_what_it_missed_after_the_resume_and_in_order() {
    with_world(|world| async move {
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        world.at(at_ms(100), |world| world.pause(S1));
        world.at(at_ms(900), |world| world.resume(S1));
        for n in 0..5_u8 {
            let at = at_ms(200 + 20 * u64::from(n));
            rt.sleep_until(at).await;
            send(&mut stream, at, PING, &[n]).await;
        }
        // The kernel of a paused process takes connections.
        let (opened, second) = connect(&rt, at_ms(500), "s1").await;
        assert!(second.is_ok() && opened < at_ms(511), "{opened}");
        world.sleep_until(at_ms(899)).await;
        assert_eq!(log.all().len(), 1);
        assert!(world.is_paused(S1));
        world.sleep_until(at_ms(901)).await;
        let seen = log.all();
        assert_eq!(seen.len(), 7, "{seen:?}");
        let mut stamps = vec![];
        for (n, seen) in seen.iter().filter(|seen| matches!(seen, Seen::Data(..))).enumerate() {
            let Seen::Data(at, data) = seen else { continue };
            assert_eq!(data, &[n as u8]);
            stamps.push(*at);
        }
        assert!(stamps.is_sorted());
        assert!(stamps[0] >= at_ms(900) && stamps[4] <= at_ms(900) + SETTLE, "{stamps:?}");
    });
}

#[test]
fn a_server_that_is_stopped_for_its_disk_starts_when_that_is_done() {
    with_world(|world| async move {
        let log = Log::new();
        let starts = log.clone();
        world.install(
            S1,
            Rc::new(move |rt: SimRuntime| {
                let starts = starts.clone();
                Box::pin(async move { starts.push(rt.stamp()) })
            }),
        );
        world.boot(S1);
        world.put_file(S1, Path::new("/data/x"), b"old");
        world.at(at_ms(100), |world| {
            world.once_stopped(S1, |world| world.wipe_disk(S1));
            world.boot(S1);
        });
        world.sleep_until(at_ms(100) + Duration::from_micros(999)).await;
        assert_eq!((log.all().len(), world.disk_files(S1).len()), (1, 1));
        world.sleep_until(at_ms(102)).await;
        assert_eq!((log.all().len(), world.disk_files(S1).len()), (2, 0));
        assert!(log.last().expect("there are two") >= at_ms(101), "{:?}", log.all());
    });
}

#[test]
fn the_clock_of_a_paused_server_goes_on_and_a_timer_finds_it_at_the_resume() {
    with_world(|world| async move {
        let log = Log::new();
        let ticks = log.clone();
        world.start(S1, |rt| ticking(rt, ticks));
        world.at(at_ms(35), |world| world.pause(S1));
        world.at(at_ms(500), |world| world.resume(S1));
        world.sleep_until(at_ms(505)).await;
        let seen = log.all();
        let mono = |at: u64| world.clock_at(S1, at_ms(at)).mono.0;
        // The tick of 40 ms is taken at the resume, and so are those it should have taken since.
        assert_eq!((seen[2].1, seen[3].0), (mono(30), at_ms(40)));
        assert!(seen[3].1 >= mono(500) && seen[3].1 <= mono(501), "{seen:?}");
        assert_eq!(seen.len(), 50);
    });
}

#[test]
fn a_clock_that_runs_twice_as_fast_ticks_twice_as_often() {
    with_world(|world| async move {
        let log = Log::new();
        let ticks = log.clone();
        world.set_clock_rate(S1, 2 * crate::world::RATE_ONE);
        world.start(S1, |rt| ticking(rt, ticks));
        world.sleep_until(at_ms(201)).await;
        assert_eq!(log.all().len(), 40);
    });
}

#[test]
fn halt_ends_the_process_at_its_step_and_the_next_incarnation_draws_anew() {
    watched(|world, log| async move {
        let draws = Log::new();
        let main = |draws: Log<u64>| {
            move |rt: SimRuntime| async move {
                draws.push(rt.random_u64(Purpose::Identity, 0));
                let at = rt.stamp() + ms(20);
                rt.sleep_until(at + rt.settle()).await;
                rt.now_at(at);
                rt.trace(at, &"before");
                rt.halt(Halt::unexpected("fsync failed"));
                rt.trace(at, &"after");
                rt.sleep_until(at + ms(1)).await;
                unreachable!("its process is over");
            }
        };
        assert!(world.start(S1, main(draws.clone())));
        assert!(!world.start(S1, |_| async {}), "it is alive");
        world.sleep_until(at_ms(50)).await;
        let told = [
            (at_ms(20), 0, "before".to_string()),
            (at_ms(20), 1, "halted 1 fsync failed".to_string()),
        ];
        assert_eq!(log.all(), told);
        assert!(!world.is_alive(S1));
        assert!(world.start(S1, main(draws.clone())));
        world.sleep_until(at_ms(60)).await;
        let drawn = draws.all();
        assert!(drawn.len() == 2 && drawn[0] != drawn[1], "{drawn:?}");
        assert_eq!(world.incarnations(S1), 2);
    });
}

#[test]
fn a_panic_ends_its_server_and_nothing_else() {
    watched(|world, log| async move {
        world.start(S1, |rt| async move {
            let at = rt.stamp() + ms(20);
            let task = rt.clone();
            rt.spawn("faulty", async move {
                task.sleep_until(at).await;
                panic!("on purpose");
            });
            rt.sleep_until(at + ms(1)).await;
            unreachable!("its process is over");
        });
        world.sleep_until(at_ms(50)).await;
        assert_eq!(log.all(), [(at_ms(20), 0, "panicked assert on purpose".to_string())]);
        assert!(!world.is_alive(S1));
    });
}

#[test]
fn a_start_right_after_a_crash_waits_until_the_old_process_is_gone() {
    with_world(|world| async move {
        let first = Log::new();
        world.start(S1, reading_server(first.clone()));
        let second = Log::new();
        let log = second.clone();
        world.at(at_ms(100), |world| {
            world.crash(S1, CrashMode::Kill);
            assert!(world.start(S1, reading_server(log)));
        });
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(110), "s1").await;
        assert!(stream.is_ok(), "the port is free again");
        world.sleep_until(at_ms(200)).await;
        assert_eq!((first.all().len(), second.all().len()), (0, 1));
        world.cut("s1", "s2", Plane::All);
    });
}
