use super::*;
use crate::world::{CrashMode, LATENCY_MIN, Plane};

const KIB: usize = 1024;

#[test]
fn a_connection_opens_in_one_round_trip_and_bytes_carry_their_arrival() {
    with_world(|world| async move {
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (opened, stream) = connect(&rt, at_ms(100), "s1").await;
        let mut stream = stream.expect("s1 listens");
        assert!(opened >= at_ms(100) + ms(2) && opened <= at_ms(100) + ms(10), "{opened}");
        send(&mut stream, at_ms(120), PING, b"abc").await;
        world.sleep_until(at_ms(200)).await;
        let seen = log.all();
        let [Seen::Opened(accepted), Seen::Data(arrived, data)] = &seen[..] else {
            panic!("{seen:?}")
        };
        assert!(*accepted > opened);
        assert!(*arrived >= at_ms(121) && *arrived <= at_ms(125), "{arrived}");
        assert_eq!(data, b"abc");
    });
}

#[test]
fn nobody_listening_refuses_after_one_round_trip() {
    with_world(|world| async move {
        let rt = world.client_runtime("c1");
        let (at, stream) = connect(&rt, at_ms(10), "s1").await;
        assert_eq!(stream.expect_err("refused").kind(), io::ErrorKind::ConnectionRefused);
        assert!(at >= at_ms(12) && at <= at_ms(20), "{at}");
    });
}

#[test]
fn a_connect_into_a_partition_hangs_until_its_timeout() {
    for (from, to) in [("c1", "s1"), ("s1", "c1")] {
        with_world(|world| async move {
            let log = Log::new();
            world.start(S1, reading_server(log.clone()));
            let rt = world.client_runtime("c1");
            world.cut(from, to, Plane::All);
            let (at, stream) = connect(&rt, at_ms(10), "s1").await;
            assert_eq!(stream.expect_err("cut off").kind(), io::ErrorKind::TimedOut);
            assert_eq!(at, at_ms(5_010));
            assert_eq!(log.all(), vec![]);
        });
    }
}

#[test]
fn a_full_backlog_leaves_a_connect_waiting_until_there_is_room() {
    with_world(|world| async move {
        world.start(S1, reading_server(Log::new()));
        let rt = world.client_runtime("c1");
        let (at, stream) = connect(&rt, at_ms(10), "s1").await;
        assert!(at < at_ms(100) && stream.is_ok(), "{at}");
        world.set_backlog_full(S1, true);
        let (at, stream) = connect(&rt, at_ms(1_000), "s1").await;
        assert_eq!(stream.expect_err("nobody answers").kind(), io::ErrorKind::TimedOut);
        assert_eq!(at, at_ms(6_000));
        world.at(at_ms(8_500), |world| world.set_backlog_full(S1, false));
        let (at, stream) = connect(&rt, at_ms(7_000), "s1").await;
        assert!(at > at_ms(8_500) && stream.is_ok(), "a SYN that is sent again is answered: {at}");
    });
}

#[test]
fn a_partition_hides_fin_until_it_heals() {
    with_world(|world| async move {
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        world.at(at_ms(100), |world| world.cut("c1", "s1", Plane::All));
        rt.sleep_until(at_ms(200)).await;
        drop(stream);
        world.sleep_until(at_ms(5_000)).await;
        assert!(matches!(log.last(), Some(Seen::Opened(_))), "{:?}", log.all());
        world.heal("c1", "s1", Plane::All);
        world.sleep_until(at_ms(12_000)).await;
        assert!(matches!(log.last(), Some(Seen::Fin(at)) if at > at_ms(5_000)), "{:?}", log.all());
    });
}

#[test]
fn bytes_in_flight_when_a_cut_falls_arrive_after_it_heals_and_in_order() {
    with_world(|world| async move {
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        world.at(at_ms(100) + LATENCY_MIN, |world| world.cut("c1", "s1", Plane::Client));
        world.at(at_ms(100) + LATENCY_MIN, |world| world.cut("c1", "s1", Plane::Quorum));
        rt.sleep_until(at_ms(100)).await;
        send(&mut stream, at_ms(100), PING, b"one").await;
        rt.sleep_until(at_ms(300)).await;
        send(&mut stream, at_ms(300), PING, b"two").await;
        world.sleep_until(at_ms(1_000)).await;
        assert_eq!(log.all().len(), 1, "{:?}", log.all());
        world.heal_all();
        world.sleep_until(at_ms(9_000)).await;
        let bytes: Vec<u8> = log.all().iter().flat_map(data_of).collect();
        assert_eq!(bytes, b"onetwo");
    });
}

fn data_of(seen: &Seen) -> Vec<u8> {
    match seen {
        Seen::Data(_, data) => data.clone(),
        _ => vec![],
    }
}

#[test]
fn a_sender_without_acknowledgements_times_out_and_the_reader_stays_half_open() {
    // Either direction cut is enough: what arrives but is not acknowledged counts as lost.
    for (from, to) in [("c1", "s1"), ("s1", "c1")] {
        with_world(|world| async move {
            let log = Log::new();
            world.start(S1, reading_server(log.clone()));
            let rt = world.client_runtime("c1");
            let (_, stream) = connect(&rt, at_ms(10), "s1").await;
            let mut stream = stream.expect("s1 listens");
            world.at(at_ms(100), move |world| world.cut(from, to, Plane::All));
            rt.sleep_until(at_ms(200)).await;
            send(&mut stream, at_ms(200), PING, b"lost").await;
            let mine = Log::new();
            rt.spawn("reader", read_all(stream, mine.clone()));
            world.sleep_until(at_ms(30_000)).await;
            let seen = mine.all();
            let [Seen::Failed(at, io::ErrorKind::TimedOut)] = &seen[..] else { panic!("{seen:?}") };
            assert!(*at >= at_ms(15_000) && *at <= at_ms(16_000), "{at}");
            let last = log.last();
            assert!(matches!(last, Some(Seen::Opened(_) | Seen::Data(..))), "{last:?}");
        });
    }
}

#[test]
fn a_writer_waits_while_nobody_reads() {
    with_world(|world| async move {
        let log: Log<Seen> = Log::new();
        let accepted = log.clone();
        world.start(S1, move |rt| async move {
            let mut listener = rt.listen(&to("s1")).await.expect("the port is free");
            let (_, stream) = listener.accept().await.expect("accept does not fail");
            rt.sleep_until(at_ms(2_000)).await;
            read_all(stream, accepted).await;
        });
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        let done = Log::new();
        let task_done = done.clone();
        rt.spawn("writer", async move {
            stream.begin_write(at_ms(100), PROPOSAL);
            for n in 0..1024_u32 {
                let chunk = vec![n as u8; KIB];
                stream.write_all(&chunk).await.expect("the connection is open");
            }
            task_done.push(());
        });
        world.sleep_until(at_ms(2_000)).await;
        assert_eq!(done.all().len(), 0, "a mebibyte went into a window of a quarter");
        world.sleep_until(at_ms(4_000)).await;
        assert_eq!(done.all().len(), 1);
        let bytes: Vec<u8> = log.all().iter().flat_map(data_of).collect();
        assert_eq!(bytes.len(), 1024 * KIB);
        assert!(bytes.chunks(KIB).enumerate().all(|(n, chunk)| chunk == vec![n as u8; KIB]));
    });
}

/// A server that accepts one connection and reads nothing.
fn deaf_server() -> impl FnOnce(SimRuntime) -> Main {
    |rt| {
        Box::pin(async move {
            let mut listener = rt.listen(&to("s1")).await.expect("the port is free");
            let _accepted = listener.accept().await.expect("accept does not fail");
            rt.sleep_until(at_ms(60_000)).await;
        })
    }
}

#[test]
fn a_writer_that_waits_for_a_dark_machine_is_told() {
    for back in [true, false] {
        with_world(|world| async move {
            world.start(S1, deaf_server());
            let rt = world.client_runtime("c1");
            let (_, stream) = connect(&rt, at_ms(10), "s1").await;
            let mut stream = stream.expect("s1 listens");
            let done = Log::new();
            let task_done = done.clone();
            rt.spawn("writer", async move {
                stream.begin_write(at_ms(100), PROPOSAL);
                let error = stream.write_all(&vec![7; 1024 * KIB]).await.expect_err("nobody reads");
                task_done.push(error.kind());
            });
            world.at(at_ms(1_000), |world| world.crash(S1, CrashMode::Power));
            if back {
                world.at(at_ms(2_000), |world| {
                    world.start(S1, reading_server(Log::new()));
                });
            }
            world.sleep_until(at_ms(30_000)).await;
            let told = if back { io::ErrorKind::ConnectionReset } else { io::ErrorKind::TimedOut };
            assert_eq!(done.all(), [told]);
        });
    }
}

#[test]
fn a_write_asked_of_a_dark_machine_long_after_its_step_waits_from_then_on() {
    with_world(|world| async move {
        world.start(S1, deaf_server());
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        send(&mut stream, at_ms(100), PROPOSAL, &vec![7; 256 * KIB]).await;
        world.at(at_ms(1_000), |world| world.crash(S1, CrashMode::Power));
        rt.sleep_until(at_ms(2_000)).await;
        stream.begin_write(at_ms(100), PROPOSAL);
        let error = stream.write_all(b"more").await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_hold_stops_a_connection_at_the_frame_it_names_until_the_release() {
    with_world(|world| async move {
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        world.hold("c1", "s1", Plane::Quorum, Some(LabelKind::Proposal));
        rt.sleep_until(at_ms(100)).await;
        send(&mut stream, at_ms(100), PING, b"before").await;
        rt.sleep_until(at_ms(200)).await;
        send(&mut stream, at_ms(200), PROPOSAL, b"held").await;
        rt.sleep_until(at_ms(300)).await;
        send(&mut stream, at_ms(300), PING, b"behind").await;
        world.sleep_until(at_ms(20_000)).await;
        let bytes: Vec<u8> = log.all().iter().flat_map(data_of).collect();
        assert_eq!(bytes, b"before");
        world.at(at_ms(21_000), |world| {
            world.release(Some(("s1", "c1")), None);
            world.release(Some(("c1", "s1")), Some(LabelKind::Ack));
        });
        world.at(at_ms(22_000), |world| {
            world.release(Some(("c1", "s1")), Some(LabelKind::Proposal));
        });
        world.sleep_until(at_ms(23_000)).await;
        let bytes: Vec<u8> = log.all().iter().flat_map(data_of).collect();
        assert_eq!(bytes, b"beforeheldbehind");
        let Some(Seen::Data(at, _)) = log.last() else { panic!("{:?}", log.all()) };
        assert_eq!(at, at_ms(22_000) + LATENCY_MIN);
    });
}

#[test]
fn a_hook_on_a_sent_frame_acts_before_the_frame_arrives() {
    with_world(|world| async move {
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        world.set_latency("c1", "s1", Plane::All, LATENCY_MIN, LATENCY_MIN);
        let calls = Log::new();
        let hook_calls = calls.clone();
        world.on_send(&[LabelKind::Proposal], move |world, at, from, to, label| {
            hook_calls.push((at, from.to_string(), to.to_string(), label.kind));
            world.cut("c1", "s1", Plane::All);
        });
        rt.sleep_until(at_ms(100)).await;
        send(&mut stream, at_ms(100), PING, b"ping").await;
        rt.sleep_until(at_ms(101)).await;
        send(&mut stream, at_ms(101), PROPOSAL, b"proposal").await;
        world.sleep_until(at_ms(400)).await;
        let bytes: Vec<u8> = log.all().iter().flat_map(data_of).collect();
        assert_eq!(bytes, b"ping");
        let call = (at_ms(101), "c1".to_string(), "s1".to_string(), LabelKind::Proposal);
        assert_eq!(calls.all(), vec![call]);
    });
}

#[test]
fn a_frame_may_arrive_in_pieces_and_never_out_of_order() {
    let options = WorldOptions { split_ppm: 1_000_000, ..WorldOptions::default() };
    World::run(3, options, Rc::new(NoObserver), MINUTE, |world| async move {
        world.add_server(S1, ServerPorts::default());
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        for n in 0..50_u8 {
            let at = at_ms(100 + u64::from(n) * 10);
            rt.sleep_until(at).await;
            send(&mut stream, at, PING, &[n; 10]).await;
        }
        world.sleep_until(at_ms(2_000)).await;
        let reads: Vec<Vec<u8>> = log.all().iter().map(data_of).collect();
        let bytes: Vec<u8> = reads.concat();
        assert!(bytes.chunks(10).enumerate().all(|(n, chunk)| chunk == [n as u8; 10]));
        assert!(reads.len() > 100, "{} reads of 50 split frames", reads.len());
        assert_eq!(world.late_events(), 0);
    });
}

#[test]
fn frames_whose_arrivals_fall_together_are_read_as_one() {
    with_world(|world| async move {
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        for n in 0..100_u64 {
            let at = at_ms(100) + ms(n) / 10;
            rt.sleep_until(at).await;
            send(&mut stream, at, PING, &[n as u8]).await;
        }
        world.sleep_until(at_ms(200)).await;
        let seen = log.all();
        let bytes: Vec<u8> = seen.iter().flat_map(data_of).collect();
        assert_eq!(bytes, (0..100).collect::<Vec<u8>>());
        assert!(seen.len() < 90 && seen.len() > 3, "{} reads of 100 frames", seen.len());
    });
}

#[test]
fn extra_delay_is_for_one_direction_and_later_frames_alone() {
    with_world(|world| async move {
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        rt.sleep_until(at_ms(100)).await;
        send(&mut stream, at_ms(100), PING, b"before").await;
        world.delay("c1", "s1", Plane::Quorum, ms(400));
        world.delay("s1", "c1", Plane::All, ms(4_000));
        world.delay("c1", "s1", Plane::Election, ms(4_000));
        rt.sleep_until(at_ms(200)).await;
        send(&mut stream, at_ms(200), PING, b"after").await;
        world.sleep_until(at_ms(1_000)).await;
        let [_, Seen::Data(before, _), Seen::Data(after, _)] = &log.all()[..] else {
            panic!("{:?}", log.all())
        };
        assert!(*before <= at_ms(105) && *after >= at_ms(601) && *after <= at_ms(605));
    });
}

#[test]
fn a_killed_server_closes_its_connections_and_a_dark_one_says_nothing() {
    for mode in [CrashMode::Kill, CrashMode::Power] {
        with_world(|world| async move {
            world.start(S1, reading_server(Log::new()));
            let rt = world.client_runtime("c1");
            let (_, stream) = connect(&rt, at_ms(10), "s1").await;
            let mine = Log::new();
            rt.spawn("reader", read_all(stream.expect("s1 listens"), mine.clone()));
            world.at(at_ms(100), move |world| world.crash(S1, mode));
            world.sleep_until(at_ms(8_000)).await;
            match (mode, &mine.all()[..]) {
                (CrashMode::Kill, [Seen::Fin(at)]) => {
                    assert!(*at >= at_ms(101) && *at <= at_ms(105), "{at}");
                }
                (CrashMode::Power, []) => {}
                (mode, seen) => panic!("{mode:?}: {seen:?}"),
            }
            // A connect to a dead process is refused; to a dark machine it hangs.
            let (_, again) = connect(&rt, at_ms(8_000), "s1").await;
            let kind = again.expect_err("nobody listens").kind();
            match mode {
                CrashMode::Kill => assert_eq!(kind, io::ErrorKind::ConnectionRefused),
                CrashMode::Power => assert_eq!(kind, io::ErrorKind::TimedOut),
            }
        });
    }
}

#[test]
fn a_half_open_end_learns_from_rst_once_the_machine_is_up_again() {
    with_world(|world| async move {
        world.start(S1, reading_server(Log::new()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        world.at(at_ms(100), |world| world.crash(S1, CrashMode::Power));
        world.at(at_ms(2_000), |world| {
            world.start(S1, reading_server(Log::new()));
        });
        rt.sleep_until(at_ms(3_000)).await;
        send(&mut stream, at_ms(3_000), PING, b"anybody there").await;
        let mine = Log::new();
        read_all(stream, mine.clone()).await;
        let Some(Seen::Failed(at, kind)) = mine.last() else { panic!("{:?}", mine.all()) };
        assert_eq!(kind, io::ErrorKind::ConnectionReset);
        assert!(at >= at_ms(3_002) && at <= at_ms(3_010), "{at}");
    });
}

#[test]
fn closing_a_listener_refuses_and_half_close_still_reads() {
    with_world(|world| async move {
        let log = Log::new();
        let server_log = log.clone();
        world.start(S1, move |rt| async move {
            let mut listener = rt.listen(&to("s1")).await.expect("the port is free");
            assert_eq!(
                rt.listen(&to("s1")).await.expect_err("taken").kind(),
                io::ErrorKind::AddrInUse
            );
            let (at, mut stream) = listener.accept().await.expect("accept does not fail");
            drop(listener);
            let mut buf = vec![];
            stream.read_to_end(&mut buf).await.expect("half-closed, not reset");
            server_log.push(Seen::Data(at, buf));
            let asked = stream.read_at();
            send(&mut stream, asked, PING, b"answer").await;
            std::future::pending::<()>().await;
        });
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        send(&mut stream, at_ms(20), PING, b"question").await;
        stream.shutdown().await.expect("shutdown does not fail");
        let mut buf = [0; 6];
        stream.read_exact(&mut buf).await.expect("the other half is open");
        assert_eq!(&buf, b"answer");
        assert!(matches!(log.last(), Some(Seen::Data(_, data)) if data == b"question"));
        let (_, refused) = connect(&rt, at_ms(100), "s1").await;
        assert_eq!(refused.expect_err("closed").kind(), io::ErrorKind::ConnectionRefused);
    });
}

#[test]
fn reset_connections_fail_at_once_on_one_side_and_later_on_the_other() {
    with_world(|world| async move {
        let log = Log::new();
        world.start(S1, reading_server(log.clone()));
        let rt = world.client_runtime("c1");
        let (_, stream) = connect(&rt, at_ms(10), "s1").await;
        let mut stream = stream.expect("s1 listens");
        send(&mut stream, at_ms(20), PING, b"before").await;
        world.sleep_until(at_ms(40)).await;
        world.at(at_ms(50), |world| world.reset_connections("s1", Plane::Election));
        world.at(at_ms(60), |world| world.reset_connections("s1", Plane::Quorum));
        world.sleep_until(at_ms(59)).await;
        let [.., Seen::Data(_, data)] = &log.all()[..] else { panic!("{:?}", log.all()) };
        assert_eq!(data, b"before");
        let error = stream.read_exact(&mut [0]).await.expect_err("it was reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        assert!(stream.read_at() > at_ms(60), "{}", stream.read_at());
        assert!(world.is_alive(S1));
        let ended = log.last();
        assert!(!matches!(ended, Some(Seen::Data(..))), "{ended:?}");
        let (_, again) = connect(&rt, at_ms(100), "s1").await;
        again.expect("s1 listens");
    });
}
