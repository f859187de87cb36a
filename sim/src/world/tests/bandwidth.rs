//! Links that carry so many bytes a second.

use super::*;
use crate::world::{CrashMode, Plane};

/// In these tests, so that a kilobyte takes a millisecond.
const RATE: Option<u64> = Some(1_000_000);

/// Connects `c1` to server 1 over a link with [`RATE`].
async fn slow_link(world: &World) -> (Log<Seen>, SimRuntime, SimStream) {
    let log = Log::new();
    world.start(S1, reading_server(log.clone()));
    let rt = world.client_runtime("c1");
    world.set_bandwidth("c1", "s1", RATE);
    let (_, stream) = connect(&rt, at_ms(10), "s1").await;
    (log, rt, stream.expect("s1 listens"))
}

/// When how many bytes had arrived, of all connections of a log whose bytes are `what`.
fn arrivals(log: &Log<Seen>, what: u8) -> Vec<(Stamp, usize)> {
    let of = |seen: &Seen| match seen {
        Seen::Data(at, data) => Some((*at, data.iter().filter(|byte| **byte == what).count())),
        _ => None,
    };
    log.all().iter().filter_map(of).filter(|(_, count)| *count > 0).collect()
}

fn total(arrivals: &[(Stamp, usize)]) -> usize {
    arrivals.iter().map(|(_, count)| count).sum()
}

#[test]
fn a_long_write_arrives_bit_by_bit_at_the_rate_of_its_link() {
    with_world(|world| async move {
        let (log, rt, mut stream) = slow_link(&world).await;
        rt.sleep_until(at_ms(100)).await;
        send(&mut stream, at_ms(100), PING, &[1; 200_000]).await;
        world.sleep_until(at_ms(500)).await;
        let came = arrivals(&log, 1);
        assert_eq!(total(&came), 200_000);
        assert!(came.len() >= 20, "{} reads", came.len());
        let (first, last) = (came[0].0, came[came.len() - 1].0);
        assert!(first >= at_ms(111) && first <= at_ms(115), "{first}");
        assert!(last >= at_ms(301) && last <= at_ms(305), "{last}");
    });
}

#[test]
fn a_link_without_a_bandwidth_is_as_fast_as_its_latency() {
    with_world(|world| async move {
        let (log, rt, mut stream) = slow_link(&world).await;
        world.set_bandwidth("c1", "s1", None);
        rt.sleep_until(at_ms(100)).await;
        send(&mut stream, at_ms(100), PING, &[1; 200_000]).await;
        world.sleep_until(at_ms(500)).await;
        let last = arrivals(&log, 1).last().map(|(at, _)| *at);
        assert!(last.is_some_and(|last| last <= at_ms(105)), "{last:?}");
    });
}

#[test]
fn two_connections_share_a_link_and_neither_waits_for_the_whole_of_the_other() {
    with_world(|world| async move {
        let (log, rt, mut one) = slow_link(&world).await;
        let (_, other) = connect(&rt, at_ms(50), "s1").await;
        let mut other = other.expect("s1 listens");
        rt.sleep_until(at_ms(100)).await;
        send(&mut one, at_ms(100), PING, &[1; 100_000]).await;
        send(&mut other, at_ms(100), PING, &[2; 100_000]).await;
        world.sleep_until(at_ms(500)).await;
        for what in [1, 2] {
            let came = arrivals(&log, what);
            assert_eq!(total(&came), 100_000);
            let half = came.iter().filter(|(at, _)| *at <= at_ms(206)).map(|(_, n)| n).sum();
            assert!((40_000..=60_000_usize).contains(&half), "{what}: {half} in half of the time");
            let last = came[came.len() - 1].0;
            assert!(last >= at_ms(286) && last <= at_ms(305), "{what}: {last}");
        }
    });
}

#[test]
fn a_small_frame_waits_for_a_piece_of_another_connection_and_not_for_all_of_it() {
    with_world(|world| async move {
        let (log, rt, mut long) = slow_link(&world).await;
        let (_, small) = connect(&rt, at_ms(50), "s1").await;
        let mut small = small.expect("s1 listens");
        rt.sleep_until(at_ms(100)).await;
        send(&mut long, at_ms(100), PING, &[1; 200_000]).await;
        rt.sleep_until(at_ms(141)).await;
        send(&mut small, at_ms(141), PING, &[2; 100]).await;
        world.sleep_until(at_ms(500)).await;
        let came = arrivals(&log, 2);
        let [(at, 100)] = came[..] else { panic!("{came:?}") };
        // The piece that was leaving ends at 150 ms.
        assert!(at >= at_ms(151) && at <= at_ms(156), "{at}");
    });
}

#[test]
fn what_a_cut_swallows_goes_through_the_link_once_more() {
    with_world(|world| async move {
        let (log, rt, mut stream) = slow_link(&world).await;
        world.at(at_ms(150), |world| world.cut("c1", "s1", Plane::All));
        rt.sleep_until(at_ms(100)).await;
        let content: Vec<u8> = (0..200_000_u32).map(|n| (n / 1_000) as u8).collect();
        send(&mut stream, at_ms(100), PING, &content).await;
        world.at(at_ms(2_000), |world| world.heal_all());
        world.sleep_until(at_ms(1_999)).await;
        let before = log.all().len();
        world.sleep_until(at_ms(9_000)).await;
        let data = |seen: &Seen| match seen {
            Seen::Data(at, data) => Some((*at, data.clone())),
            _ => None,
        };
        let came: Vec<(Stamp, Vec<u8>)> = log.all().iter().filter_map(data).collect();
        assert!(came.iter().flat_map(|(_, data)| data).eq(content.iter()), "NE-1");
        let after: Vec<Stamp> = came[before - 1..].iter().map(|(at, _)| *at).collect();
        let took = after[after.len() - 1] - after[0];
        assert!(after[0] > at_ms(2_000) && took >= ms(130) && took <= ms(160), "{took:?}");
    });
}

#[test]
fn a_killed_process_still_sends_all_that_it_wrote_and_a_dark_machine_nothing_more() {
    for (mode, all) in [(CrashMode::Kill, true), (CrashMode::Power, false)] {
        with_world(|world| async move {
            let log = Log::new();
            world.start(S1, reading_server(log.clone()));
            world.set_bandwidth("s2", "s1", RATE);
            world.start(S2, |rt| async move {
                let (_, stream) = connect(&rt, at_ms(10), "s1").await;
                let mut stream = stream.expect("s1 listens");
                rt.sleep_until(at_ms(100)).await;
                send(&mut stream, at_ms(100), PING, &[1; 100_000]).await;
                std::future::pending::<()>().await;
            });
            world.at(at_ms(150), move |world| world.crash(S2, mode));
            world.sleep_until(at_ms(1_000)).await;
            let came = total(&arrivals(&log, 1));
            match all {
                true => assert!(
                    came == 100_000 && matches!(log.last(), Some(Seen::Fin(at)) if at > at_ms(200))
                ),
                false => assert!((40_000..=60_000).contains(&came), "{came}"),
            }
        });
    }
}

#[test]
fn a_full_socket_buffer_lets_a_writer_go_on_when_bytes_were_read() {
    let options = WorldOptions {
        split_ppm: 0,
        bandwidth: RATE,
        socket_buffer: 20_000,
        ..WorldOptions::default()
    };
    World::run(7, options, Rc::new(NoObserver), MINUTE, |world| async move {
        world.add_server(S1, ServerPorts::default());
        world.add_server(S2, ServerPorts::default());
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let written = Log::new();
        let told = written.clone();
        world.start(S2, |rt| async move {
            let (_, stream) = connect(&rt, at_ms(10), "s1").await;
            let mut stream = stream.expect("s1 listens");
            rt.sleep_until(at_ms(100)).await;
            send(&mut stream, at_ms(100), PING, &[1; 100_000]).await;
            // The stamp of what let the last byte into the buffer.
            told.push(rt.stamp());
            std::future::pending::<()>().await;
        });
        world.sleep_until(at_ms(1_000)).await;
        let came = arrivals(&log, 1);
        assert_eq!(total(&came), 100_000);
        let last = came[came.len() - 1].0;
        // Its window is small for this latency, but not by much.
        assert!(last >= at_ms(201) && last <= at_ms(260), "{last}");
        let end = written.all()[0];
        assert!(end < last && end > at_ms(170), "{end}, {last}");
        assert_eq!((world.late_events(), world.late_reads(), world.stale_effects()), (0, 0, 0));
    });
}

/// The same traffic of servers 1 and 2, with more traffic on other links or without.
fn arrivals_with_others(others: bool) -> Vec<Seen> {
    let options = WorldOptions { bandwidth: RATE, ..WorldOptions::default() };
    let log = Log::new();
    let told = log.clone();
    World::run(7, options, Rc::new(NoObserver), MINUTE, |world| async move {
        world.add_server(S1, ServerPorts::default());
        world.add_server(S2, ServerPorts::default());
        world.start(S1, reading_server(told));
        world.start(S2, |rt| async move {
            for n in 0..3_u64 {
                let task = rt.clone();
                rt.spawn("writer", async move {
                    let (_, stream) = connect(&task, at_ms(10 + n), "s1").await;
                    let mut stream = stream.expect("s1 listens");
                    for at in (100..200).step_by(10 + n as usize).map(at_ms) {
                        task.sleep_until(at).await;
                        send(&mut stream, at, PING, &[n as u8; 4_000]).await;
                    }
                    std::future::pending::<()>().await;
                });
            }
            std::future::pending::<()>().await;
        });
        if others {
            for name in ["c1", "c2"] {
                let rt = world.client_runtime(name);
                world.set_bandwidth(name, "s2", RATE);
                let task = rt.clone();
                rt.spawn("busy", async move {
                    let (_, stream) = connect(&task, at_ms(20), "s2").await;
                    drop(stream);
                    for n in 0..1_000 {
                        task.sleep_until(at_ms(20) + Duration::from_micros(n * 170)).await;
                    }
                });
            }
        }
        world.sleep_until(at_ms(1_000)).await;
        assert_eq!((world.late_events(), world.late_reads(), world.stale_effects()), (0, 0, 0));
    });
    let mut seen = log.all();
    seen.sort_by_key(|seen| match seen {
        Seen::Opened(at) | Seen::Data(at, _) | Seen::Fin(at) | Seen::Failed(at, _) => *at,
    });
    seen
}

#[test]
fn traffic_on_other_links_changes_nothing() {
    let alone = arrivals_with_others(false);
    assert!(alone.len() > 25, "{}", alone.len());
    assert_eq!(alone, arrivals_with_others(true));
}
