use std::path::Path;

use bytes::Bytes;
use quorate::runtime::{File, Lane, LaneId, OpenMode};

use super::*;
use crate::world::{CrashMode, Unsynced};

const LOG: &str = "/data/version-2/log.1";

/// Runs one server on the first server's disk until a stamp, then crashes it.
fn run_then_crash<F: Future<Output = ()> + 'static>(
    world: &World,
    until: Stamp,
    mode: CrashMode,
    main: impl FnOnce(SimRuntime) -> F + 'static,
) {
    world.start(S1, |rt| async move {
        rt.disk(LaneId::Log)
            .create_dir_all(Path::new("/data/version-2"))
            .await
            .expect("a directory");
        main(rt).await;
        std::future::pending::<()>().await;
    });
    world.at(until, move |world| world.crash(S1, mode));
}

async fn create(rt: &SimRuntime, path: &str) -> crate::world::SimFile {
    let path = Path::new(path);
    rt.disk(LaneId::Log).open(path, OpenMode::Create).await.expect("it is created")
}

fn content(world: &World, path: &str) -> Option<Bytes> {
    let found = world.disk_files(S1).into_iter().find(|(name, _)| name == Path::new(path));
    found.map(|(_, content)| content)
}

#[test]
fn a_power_loss_takes_what_was_not_synced_and_leaves_what_was() {
    for (unsynced, left) in [(Unsynced::Lost, &b"safe"[..]), (Unsynced::Kept, b"safe and not")] {
        with_world(|world| async move {
            world.set_unsynced(S1, unsynced);
            run_then_crash(&world, at_ms(1_000), CrashMode::Power, |rt| async move {
                let mut file = create(&rt, LOG).await;
                file.write_at(0, Bytes::from_static(b"safe")).await.expect("written");
                file.sync().await.expect("synced");
                rt.disk(LaneId::Log).sync_dir(Path::new("/data/version-2")).await.expect("synced");
                file.write_at(4, Bytes::from_static(b" and not")).await.expect("written");
            });
            world.sleep_until(at_ms(1_001)).await;
            assert_eq!(content(&world, LOG).as_deref(), Some(left));
        });
    }
}

#[test]
fn a_kill_leaves_the_page_cache() {
    with_world(|world| async move {
        world.set_unsynced(S1, Unsynced::Lost);
        run_then_crash(&world, at_ms(1_000), CrashMode::Kill, |rt| async move {
            let mut file = create(&rt, LOG).await;
            file.write_at(0, Bytes::from_static(b"not synced")).await.expect("written");
        });
        world.sleep_until(at_ms(1_001)).await;
        assert_eq!(content(&world, LOG).as_deref(), Some(&b"not synced"[..]));
        // The machine loses its power afterwards.
        world.crash(S1, CrashMode::Power);
        assert_eq!(content(&world, LOG), None);
    });
}

#[test]
fn a_torn_write_keeps_whole_sectors_in_any_order() {
    let mut torn = 0;
    let mut out_of_order = 0;
    for seed in 0..40 {
        let options = WorldOptions { unsynced: Unsynced::Torn, ..WorldOptions::default() };
        let kept = World::run(seed, options, Rc::new(NoObserver), MINUTE, |world| async move {
            world.add_server(S1, ServerPorts::default());
            run_then_crash(&world, at_ms(1_000), CrashMode::Power, |rt| async move {
                let mut file = create(&rt, LOG).await;
                file.write_zeros_at(0, 1 << 20).await.expect("written");
                file.sync().await.expect("synced");
                rt.disk(LaneId::Log).sync_dir(Path::new("/data/version-2")).await.expect("synced");
                file.write_at(100, Bytes::from(vec![7; 4_000])).await.expect("written");
            });
            world.sleep_until(at_ms(1_001)).await;
            let content = content(&world, LOG).expect("its name was synced");
            assert_eq!(content.len(), 1 << 20);
            let mut kept = vec![];
            for (n, sector) in content[..4096 + 512].chunks(512).enumerate() {
                let inside = &sector[if n == 0 { 100 } else { 0 }..if n == 8 { 4 } else { 512 }];
                assert!(inside.iter().all(|byte| *byte == inside[0]), "half a sector");
                kept.push(inside[0] == 7);
            }
            kept
        });
        torn += usize::from(kept.contains(&true) && kept[..8].contains(&false));
        out_of_order += usize::from(kept.windows(2).any(|pair| pair == [false, true]));
    }
    assert!(torn >= 5, "{torn} of 40 torn");
    assert!(out_of_order >= 2, "{out_of_order} of 40 out of order");
}

#[test]
fn a_rename_without_sync_dir_is_lost_and_with_it_is_not() {
    for synced in [false, true] {
        with_world(|world| async move {
            world.set_unsynced(S1, Unsynced::Lost);
            world.put_file(S1, Path::new("/data/version-2/currentEpoch"), b"1");
            run_then_crash(&world, at_ms(1_000), CrashMode::Power, move |rt| async move {
                let lane = rt.disk(LaneId::Log);
                let dir = Path::new("/data/version-2");
                let mut file = create(&rt, "/data/version-2/currentEpoch.tmp").await;
                file.write_at(0, Bytes::from_static(b"2")).await.expect("written");
                file.sync().await.expect("synced");
                lane.rename(&dir.join("currentEpoch.tmp"), &dir.join("currentEpoch"))
                    .await
                    .expect("renamed");
                if synced {
                    lane.sync_dir(dir).await.expect("synced");
                }
                let content = lane.read(&dir.join("currentEpoch")).await.expect("readable");
                assert_eq!(&content[..], b"2");
            });
            world.sleep_until(at_ms(1_001)).await;
            let epoch = content(&world, "/data/version-2/currentEpoch");
            assert_eq!(epoch.as_deref(), Some(if synced { &b"2"[..] } else { b"1" }));
            assert_eq!(content(&world, "/data/version-2/currentEpoch.tmp"), None);
        });
    }
}

#[test]
fn a_failed_sync_drops_what_it_covered_and_no_later_sync_saves_it() {
    with_world(|world| async move {
        world.set_unsynced(S1, Unsynced::Lost);
        world.put_file(S1, Path::new(LOG), b"....");
        let control = world.clone();
        run_then_crash(&world, at_ms(1_000), CrashMode::Power, |rt| async move {
            let lane = rt.disk(LaneId::Log);
            let mut file = lane.open(Path::new(LOG), OpenMode::Write).await.expect("there");
            file.write_at(0, Bytes::from_static(b"ab")).await.expect("written");
            control.fail_next_sync(S1);
            assert_eq!(file.sync().await.expect_err("it fails").raw_os_error(), Some(5));
            file.write_at(2, Bytes::from_static(b"cd")).await.expect("written");
            file.sync().await.expect("synced");
            assert_eq!(&file.read_at(0, 9).await.expect("readable")[..], b"abcd");
        });
        world.sleep_until(at_ms(1_001)).await;
        assert_eq!(content(&world, LOG).as_deref(), Some(&b"..cd"[..]));
    });
}

#[test]
fn what_a_dead_incarnation_writes_is_refused() {
    struct WritesInDrop(Option<crate::world::SimFile>, SimRuntime, Log<&'static str>);
    impl Drop for WritesInDrop {
        fn drop(&mut self) {
            let (mut file, log) = (self.0.take().expect("dropped once"), self.2.clone());
            log.push("dropped");
            // Drop code cannot wait, but it can ask.
            let mut write =
                Box::pin(async move { file.write_at(0, Bytes::from_static(b"ghost")).await });
            let waker = std::task::Waker::noop();
            let polled = write.as_mut().poll(&mut std::task::Context::from_waker(waker));
            assert!(polled.is_pending());
            self.1.spawn("ghost", async move { drop(write.await) });
        }
    }
    with_world(|world| async move {
        world.put_file(S1, Path::new(LOG), b"alive");
        let log = Log::new();
        let drops = log.clone();
        run_then_crash(&world, at_ms(1_000), CrashMode::Kill, |rt| async move {
            let lane = rt.disk(LaneId::Log);
            let file = lane.open(Path::new(LOG), OpenMode::Write).await.expect("there");
            let _writes = WritesInDrop(Some(file), rt, drops);
            std::future::pending::<()>().await;
        });
        world.sleep_until(at_ms(2_000)).await;
        assert_eq!(log.all(), vec!["dropped"]);
        assert_eq!(content(&world, LOG).as_deref(), Some(&b"alive"[..]));
    });
}

#[test]
fn lanes_queue_their_own_operations_and_run_beside_each_other() {
    with_world(|world| async move {
        world.put_file(S1, Path::new(LOG), b"x");
        let ends = Log::new();
        for (name, lane) in [("log", LaneId::Log), ("snapshot", LaneId::Snapshot)] {
            let ends = ends.clone();
            let main = move |rt: SimRuntime| async move {
                let lane = rt.disk(lane);
                lane.begin(at_ms(10));
                let first = lane.open(Path::new(LOG), OpenMode::Read);
                let second = lane.open(Path::new(LOG), OpenMode::Read);
                let (a, b) = tokio::join!(first, second);
                drop((a.expect("there"), b.expect("there")));
                ends.push((name, lane.ended()));
            };
            if name == "log" {
                let rt = world.clone();
                world.start(S1, move |first| async move {
                    first.sleep_until(at_ms(10)).await;
                    main(first).await;
                    drop(rt);
                    std::future::pending::<()>().await;
                });
                world.sleep_until(at_ms(20)).await;
                world.crash(S1, CrashMode::Kill);
                world.sleep_until(at_ms(30)).await;
            }
        }
        let [(_, ended)] = ends.all()[..] else { panic!("{:?}", ends.all()) };
        let two = Duration::from_micros(400)..=Duration::from_micros(600);
        assert!(two.contains(&(ended - at_ms(10))), "{ended}");
    });
}

#[test]
fn a_held_fsync_ends_after_its_release_and_a_full_disk_says_so() {
    with_world(|world| async move {
        world.put_file(S1, Path::new(LOG), b"x");
        let log = Log::new();
        let ends = log.clone();
        world.start(S1, move |rt| async move {
            let lane = rt.disk(LaneId::Log);
            let mut file = lane.open(Path::new(LOG), OpenMode::Write).await.expect("there");
            file.sync().await.expect("synced");
            ends.push((lane.ended(), None));
            let full = file.write_at(9, Bytes::from_static(b"y")).await.map_err(|e| e.kind());
            ends.push((lane.ended(), full.err()));
            std::future::pending::<()>().await;
        });
        world.hold_fsync(S1);
        world.set_disk_full(S1, true);
        world.sleep_until(at_ms(500)).await;
        assert_eq!(log.all(), vec![]);
        world.at(at_ms(600), |world| world.release_fsync(S1));
        world.sleep_until(at_ms(700)).await;
        let [(synced, None), (_, Some(io::ErrorKind::StorageFull))] = log.all()[..] else {
            panic!("{:?}", log.all())
        };
        assert!(synced >= at_ms(600) && synced <= at_ms(601), "{synced}");
    });
}

#[test]
fn an_image_rolls_a_disk_back_and_a_wipe_empties_it() {
    with_world(|world| async move {
        world.put_file(S1, Path::new(LOG), b"old");
        let image = world.snapshot_disk(S1);
        world.put_file(S1, Path::new(LOG), b"new");
        assert!(world.corrupt(S1, Path::new(LOG), 0, 1));
        assert_eq!(content(&world, LOG).as_deref(), Some(&b"oew"[..]));
        world.clone_disk(S1, S2);
        world.restore_disk(S1, &image);
        assert_eq!(content(&world, LOG).as_deref(), Some(&b"old"[..]));
        assert_eq!(world.disk_files(S2).len(), 1);
        world.wipe_disk(S1);
        assert_eq!(world.disk_files(S1), vec![]);
    });
}

#[test]
fn a_read_fails_once_and_a_lying_sync_saves_nothing() {
    with_world(|world| async move {
        world.put_file(S1, Path::new(LOG), b"old");
        world.set_unsynced(S1, Unsynced::Lost);
        world.fail_next_read(S1);
        world.lie_about_syncs(S1);
        let log = Log::new();
        let seen = log.clone();
        world.start(S1, move |rt| async move {
            let lane = rt.disk(LaneId::Log);
            let mut file = lane.open(Path::new(LOG), OpenMode::Write).await.expect("there");
            seen.push(file.read_at(0, 3).await.is_ok());
            seen.push(file.read_at(0, 3).await.is_ok());
            file.write_at(0, Bytes::from_static(b"new")).await.expect("written");
            seen.push(file.sync().await.is_ok());
            std::future::pending::<()>().await;
        });
        world.sleep_until(at_ms(500)).await;
        assert_eq!(log.all(), [false, true, true]);
        assert_eq!(content(&world, LOG).as_deref(), Some(&b"new"[..]));
        world.crash(S1, CrashMode::Power);
        world.sleep_until(at_ms(501)).await;
        assert_eq!(content(&world, LOG).as_deref(), Some(&b"old"[..]));
    });
}

#[test]
fn what_a_failed_sync_dropped_is_saved_once_it_is_written_again() {
    for (again, left) in [(false, &b"old"[..]), (true, b"new")] {
        with_world(move |world| async move {
            world.put_file(S1, Path::new(LOG), b"old");
            world.set_unsynced(S1, Unsynced::Lost);
            world.fail_next_sync(S1);
            world.start(S1, move |rt| async move {
                let lane = rt.disk(LaneId::Log);
                let mut file = lane.open(Path::new(LOG), OpenMode::Write).await.expect("there");
                file.write_at(0, Bytes::from_static(b"new")).await.expect("written");
                file.sync().await.expect_err("it fails");
                if again {
                    file.write_at(0, Bytes::from_static(b"new")).await.expect("written");
                }
                file.sync().await.expect("it ends well");
                std::future::pending::<()>().await;
            });
            world.sleep_until(at_ms(500)).await;
            world.crash(S1, CrashMode::Power);
            world.sleep_until(at_ms(501)).await;
            assert_eq!(content(&world, LOG).as_deref(), Some(left));
        });
    }
}

#[test]
fn one_bit_rots_of_the_newest_file_of_that_name() {
    with_world(|world| async move {
        let newest = "/data/version-2/log.10";
        for path in [LOG, "/data/version-2/log.9", newest, "/data/version-2/log.100.tmp"] {
            world.put_file(S1, Path::new(path), b"content, and zeros\0\0\0\0");
        }
        let before = world.disk_files(S1);
        assert_eq!(world.rot(S1, "snapshot"), None);
        assert_eq!(world.rot(S1, "log").as_deref(), Some("log.10"));
        let after = world.disk_files(S1);
        let changed: Vec<_> = before.iter().zip(&after).filter(|(a, b)| a != b).collect();
        let [((path, old), (_, new))] = changed[..] else { panic!("{changed:?}") };
        assert_eq!(path, Path::new(newest));
        let bits: u32 = old.iter().zip(new).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!(bits, 1);
        assert!(new.ends_with(&[0; 4]), "{new:?}");
    });
}

#[test]
fn only_a_storage_error_that_the_process_was_given_explains_its_end() {
    use quorate::runtime::{BadFile, Halt};
    with_world(|world| async move {
        world.put_file(S1, Path::new(LOG), b"x");
        world.start(S1, |rt| async move {
            let lane = rt.disk(LaneId::Log);
            let mut file = lane.open(Path::new(LOG), OpenMode::Write).await.expect("there");
            file.sync().await.expect_err("it fails");
            std::future::pending::<()>().await;
        });
        let eio = Some(io::Error::from_raw_os_error(5).kind());
        let no_space = Some(io::ErrorKind::StorageFull);
        let explained = |exit_code, file: &str, failed| {
            let file = Some(BadFile { path: Path::new("/data").join(file), failed });
            world.disk_explains(S1, &Halt { file, ..Halt::new(exit_code, "") })
        };
        world.fail_next_sync(S1);
        assert!(!explained(1, "log.1", eio), "not given yet");
        world.sleep_until(at_ms(100)).await;
        assert!(explained(1, "log.1", eio));
        assert!(!explained(13, "log.1", eio));
        assert!(!explained(1, "log.1", no_space));
        assert!(!explained(1, "log.1", None), "it is damaged");
        assert!(!world.disk_explains(S1, &Halt::unexpected("something else")));
        world.rot(S1, "log");
        assert!(explained(1, "log.1", None));
        world.crash(S1, CrashMode::Kill);
        world.sleep_until(at_ms(200)).await;
        assert!(!explained(1, "snapshot.0", eio), "another process was given it");
    });
}

/// Ends the process at its first effect, as a trigger does.
#[derive(Default)]
struct CrashAtEffect {
    world: std::cell::RefCell<Option<World>>,
    saved: std::cell::RefCell<Vec<Vec<String>>>,
}

impl crate::world::Observer for CrashAtEffect {
    fn sync_ended(&self, at: Stamp, server: ServerId, _: u64, _: bool, saved: &[String]) {
        self.saved.borrow_mut().push(saved.to_vec());
        let Some(world) = self.world.borrow_mut().take() else { return };
        world.at(Stamp(at.0 - 1), move |world| world.crash(server, CrashMode::Power));
    }
}

#[test]
fn a_crash_at_an_effect_comes_behind_it_and_before_the_process_hears_of_it() {
    let observer = Rc::new(CrashAtEffect::default());
    let seen = observer.clone();
    World::run(1, WorldOptions::default(), observer, MINUTE, |world| async move {
        world.add_server(S1, ServerPorts::default());
        world.put_file(S1, Path::new(LOG), b"old");
        world.set_unsynced(S1, Unsynced::Lost);
        *seen.world.borrow_mut() = Some(world.clone());
        let heard = Log::new();
        let hears = heard.clone();
        world.start(S1, move |rt| async move {
            let lane = rt.disk(LaneId::Log);
            let mut file = lane.open(Path::new(LOG), OpenMode::Write).await.expect("there");
            file.write_at(0, Bytes::from_static(b"new")).await.expect("written");
            file.sync().await.expect("synced");
            hears.push(());
            std::future::pending::<()>().await;
        });
        world.sleep_until(at_ms(100)).await;
        assert!(!world.is_alive(S1));
        assert_eq!(content(&world, LOG).as_deref(), Some(&b"new"[..]));
        assert_eq!(*seen.saved.borrow(), [[String::from("log.1")]]);
        assert_eq!(heard.all(), []);
    });
}
