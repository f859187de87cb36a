//! Disks that read and make durable so many bytes a second.

use std::path::Path;

use bytes::Bytes;
use quorate::runtime::{File, Lane, LaneId, OpenMode};

use super::*;
use crate::world::{CrashMode, SimFile};

/// Runs `main` on server 1, whose disk does a kilobyte in a millisecond.
fn with_slow_disk<F: Future<Output = ()> + 'static>(
    rate: Option<u64>,
    main: impl FnOnce(SimRuntime) -> F + 'static,
) {
    let fsync = (ms(1), ms(1));
    let options = WorldOptions { fsync, disk_throughput: rate, ..WorldOptions::default() };
    World::run(7, options, Rc::new(NoObserver), MINUTE, |world| async move {
        world.add_server(S1, ServerPorts::default());
        world.put_file(S1, Path::new("/log"), b"");
        world.put_file(S1, Path::new("/snapshot"), b"");
        let done = Log::new();
        let told = done.clone();
        world.start(S1, move |rt| async move {
            main(rt).await;
            told.push(());
            std::future::pending::<()>().await;
        });
        world.sleep_until(at_ms(5_000)).await;
        assert_eq!(done.all().len(), 1, "the server has come to its end");
        assert_eq!((world.late_events(), world.stale_effects()), (0, 0));
    });
}

async fn open(rt: &SimRuntime, lane: LaneId, path: &str) -> SimFile {
    rt.disk(lane).open(Path::new(path), OpenMode::Create).await.expect("it is created")
}

async fn write(file: &mut SimFile, offset: u64, len: usize) {
    file.write_at(offset, Bytes::from(vec![7; len])).await.expect("written");
}

#[test]
fn a_sync_takes_as_long_as_the_device_needs_for_what_is_unsaved() {
    for (rate, least, most) in [(Some(1_000_000), 101, 102), (None, 1, 2)] {
        with_slow_disk(rate, move |rt| async move {
            let mut file = open(&rt, LaneId::Log, "/log").await;
            let lane = rt.disk(LaneId::Log);
            write(&mut file, 0, 100_000).await;
            let written = lane.ended();
            assert!(written < at_ms(2), "a write goes to the page cache: {written}");
            file.sync().await.expect("synced");
            let took = lane.ended() - written;
            assert!(took >= ms(least) && took < ms(most), "{took:?}");
            // Nothing is left to save; zeros are no bytes.
            file.write_zeros_at(100_000, 1 << 20).await.expect("written");
            let written = lane.ended();
            file.sync().await.expect("synced");
            assert!(lane.ended() - written < ms(2));
        });
    }
}

#[test]
fn a_read_takes_as_long_as_what_is_there() {
    with_slow_disk(Some(1_000_000), |rt| async move {
        let mut file = open(&rt, LaneId::Log, "/log").await;
        let lane = rt.disk(LaneId::Log);
        write(&mut file, 0, 50_000).await;
        let written = lane.ended();
        file.read_at(0, 1 << 20).await.expect("read");
        let took = lane.ended() - written;
        assert!(took >= ms(50) && took < ms(52), "{took:?}");
    });
}

#[test]
fn the_device_serves_one_lane_after_another() {
    with_slow_disk(Some(1_000_000), |rt| async move {
        let mut log = open(&rt, LaneId::Log, "/log").await;
        write(&mut log, 0, 1_000).await;
        rt.disk(LaneId::Snapshot).begin(rt.stamp());
        let mut snapshot = open(&rt, LaneId::Snapshot, "/snapshot").await;
        write(&mut snapshot, 0, 200_000).await;
        let ended = Log::new();
        let told = ended.clone();
        let task = rt.clone();
        rt.spawn("snapshot", async move {
            task.sleep_until(at_ms(100)).await;
            task.disk(LaneId::Snapshot).begin(at_ms(100));
            snapshot.sync().await.expect("synced");
            told.push(task.disk(LaneId::Snapshot).ended());
        });
        rt.sleep_until(at_ms(150)).await;
        rt.disk(LaneId::Log).begin(at_ms(150));
        log.sync().await.expect("synced");
        let (log, snapshot) = (rt.disk(LaneId::Log).ended(), ended.all()[0]);
        assert_eq!(snapshot, at_ms(301));
        assert_eq!(log, at_ms(302), "behind the snapshot's 200 kB");
    });
}

#[test]
fn a_power_loss_leaves_the_device_idle() {
    let options = WorldOptions {
        fsync: (ms(1), ms(1)),
        disk_throughput: Some(1_000_000),
        ..WorldOptions::default()
    };
    World::run(7, options, Rc::new(NoObserver), MINUTE, |world| async move {
        world.add_server(S1, ServerPorts::default());
        world.put_file(S1, Path::new("/log"), b"");
        let ended = Log::new();
        for (from, len) in [(10, 3_000_000), (500, 1_000)] {
            let told = ended.clone();
            world.at(at_ms(from), move |world| {
                world.start(S1, move |rt| async move {
                    let mut file = open(&rt, LaneId::Log, "/log").await;
                    write(&mut file, 0, len).await;
                    file.sync().await.expect("synced");
                    told.push(rt.disk(LaneId::Log).ended());
                    std::future::pending::<()>().await;
                });
            });
            world.at(at_ms(from + 300), |world| world.crash(S1, CrashMode::Power));
        }
        world.sleep_until(at_ms(4_000)).await;
        let ended = ended.all();
        let [at] = ended[..] else { panic!("{ended:?}") };
        assert!(at > at_ms(500) && at < at_ms(504), "{at}");
    });
}
