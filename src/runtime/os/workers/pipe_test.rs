//! Both ends of a pipe, and the bells between them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};

use super::bell::{Bell, Ringer};
use super::pipe::{INWARD_BYTES_MAX, OUTWARD_BYTES_MAX, PumpEnd, Wish, Work, WorkerEnd, pipe};

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Both ends on one thread, and whoever polls the worker's.
struct Pair {
    pump: Option<PumpEnd>,
    worker: Option<WorkerEnd>,
    wakes: Arc<Count>,
}

impl Pair {
    fn new() -> Pair {
        let (ringer, to_pump) = (Ringer::default(), Bell::default());
        spawn_local(ringer.bell().listen());
        spawn_local(to_pump.clone().listen());
        spawn_local(ringer.clone().run());
        let (pump, worker) = pipe(ringer, to_pump);
        Pair { pump: Some(pump), worker: Some(worker), wakes: Arc::default() }
    }

    fn pump(&mut self) -> &mut PumpEnd {
        self.pump.as_mut().expect("it was not dropped")
    }

    fn worker(&self) -> &WorkerEnd {
        self.worker.as_ref().expect("it was not dropped")
    }

    fn look(&self, takes: bool) -> Work {
        let waker = Waker::from(self.wakes.clone());
        self.worker().look(&Context::from_waker(&waker), takes)
    }

    /// How often the worker was woken since it was last asked.
    async fn wakes(&self) -> usize {
        settle().await;
        self.wakes.0.swap(0, Ordering::Relaxed)
    }

    fn read_now(&mut self) -> Option<io::Result<Vec<u8>>> {
        let mut read = vec![0; 1024];
        let polled = now(self.pump().read(&mut read));
        polled.map(|result| result.map(|len| read[..len].to_vec()))
    }
}

/// The others have their turns.
async fn settle() {
    for _ in 0..10 {
        yield_now().await;
    }
}

/// What a future makes of being polled once.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut cx = Context::from_waker(Waker::noop());
    match std::pin::pin!(future).poll(&mut cx) {
        Poll::Ready(done) => Some(done),
        Poll::Pending => None,
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("the kernel gives an event queue")
}

fn run(test: impl AsyncFnOnce(Pair)) {
    LocalSet::new().block_on(&runtime(), async { test(Pair::new()).await });
}

#[test]
fn bytes_come_in_order_and_the_end_behind_them() {
    run(async |mut pair| {
        assert!(pair.read_now().is_none(), "there is nothing");
        pair.worker().put(b"one ");
        pair.worker().put(b"two");
        pair.worker().end(Ok(()));
        let mut read = [0; 5];
        pair.pump().read_exact(&mut read).await.expect("five bytes");
        assert_eq!(&read, b"one t");
        assert_eq!(pair.read_now().expect("the rest").expect("bytes"), b"wo");
        for _ in 0..2 {
            assert_eq!(pair.read_now().expect("the end").expect("no error"), b"");
        }
        assert_eq!(pair.look(true).wish, Wish::Open, "the other direction is open");
    });
}

#[test]
fn an_error_of_the_socket_comes_behind_the_bytes_in_its_own_words() {
    run(async |mut pair| {
        pair.worker().put(b"last");
        pair.worker().end(Err(io::Error::from_raw_os_error(104)));
        pair.worker().fail(io::Error::from_raw_os_error(32));
        assert_eq!(pair.read_now().expect("bytes").expect("bytes"), b"last");
        let error = pair.read_now().expect("an error").expect_err("it was reset");
        assert_eq!(error.raw_os_error(), Some(104));
        for _ in 0..2 {
            let error = now(pair.pump().write(b"x")).expect("at once").expect_err("it is broken");
            assert_eq!(error.raw_os_error(), Some(32));
            assert!(now(pair.pump().flush()).expect("at once").is_err());
            assert!(now(pair.pump().shutdown()).expect("at once").is_err());
        }
    });
}

#[test]
fn who_reads_is_woken_by_bytes_an_end_and_a_failed_write() {
    let news: [fn(&WorkerEnd); 3] = [
        |worker| worker.put(b"x"),
        |worker| worker.end(Ok(())),
        |worker| worker.fail(io::ErrorKind::BrokenPipe.into()),
    ];
    for news in news {
        run(async |mut pair| {
            let mut pump = pair.pump.take().expect("it was not dropped");
            let polls = Rc::new(RefCell::new(0));
            let counted = polls.clone();
            spawn_local(async move {
                poll_fn(|cx| {
                    *counted.borrow_mut() += 1;
                    let mut byte = [0];
                    let mut buf = tokio::io::ReadBuf::new(&mut byte);
                    let pump = std::pin::Pin::new(&mut pump);
                    tokio::io::AsyncRead::poll_read(pump, cx, &mut buf).map(drop)
                })
                .await;
            });
            settle().await;
            assert_eq!(*polls.borrow(), 1);
            news(pair.worker());
            settle().await;
            assert_eq!(*polls.borrow(), 2);
        });
    }
}

#[test]
fn a_worker_stops_reading_until_the_pump_has_taken_half() {
    run(async |mut pair| {
        assert_eq!(pair.look(false).room, INWARD_BYTES_MAX);
        pair.worker().put(&vec![7; INWARD_BYTES_MAX / 2 + 1000]);
        assert_eq!(pair.look(false).room, 0, "it is more than half full");
        let mut read = vec![0; 999];
        pair.pump().read_exact(&mut read).await.expect("bytes");
        assert_eq!((pair.wakes().await, pair.look(false).room), (0, 0), "still more than half");
        pair.pump().read_exact(&mut read[..1]).await.expect("a byte");
        assert_eq!(pair.wakes().await, 1);
        assert_eq!(pair.look(false).room, INWARD_BYTES_MAX / 2);
    });
}

#[test]
fn a_write_waits_until_half_of_what_waits_has_left() {
    run(async |mut pair| {
        let large = vec![7; 2 * OUTWARD_BYTES_MAX];
        let written = pair.pump().write(&large).await.expect("room");
        assert_eq!(written, OUTWARD_BYTES_MAX);
        assert_eq!(pair.look(true).outward.len(), OUTWARD_BYTES_MAX);
        let mut pump = pair.pump.take().expect("it was not dropped");
        let write = spawn_local(async move { (pump.write(b"more").await, pump) });
        settle().await;
        assert!(!write.is_finished(), "what the worker has taken counts");
        pair.worker().left(OUTWARD_BYTES_MAX / 2 - 1);
        settle().await;
        assert!(!write.is_finished(), "less than half has left");
        pair.worker().left(1);
        let (written, _pump) = write.await.expect("no panic");
        assert_eq!(written.expect("room"), 4);
        assert_eq!(pair.look(true).outward, b"more"[..]);
    });
}

#[test]
fn flushed_is_what_the_kernel_has() {
    run(async |mut pair| {
        pair.pump().write_all(b"abc").await.expect("room");
        let unawaited = |pump: &mut PumpEnd| {
            now(poll_fn(|cx| pump.poll_left(cx, false))).expect("at once").expect("no error")
        };
        assert!(!unawaited(pair.pump()), "it waits in the pipe");
        assert_eq!(pair.look(true).outward, b"abc"[..]);
        assert!(!unawaited(pair.pump()), "the worker has it");
        let mut pump = pair.pump.take().expect("it was not dropped");
        let flush = spawn_local(async move { (pump.flush().await, pump) });
        pair.worker().left(2);
        settle().await;
        assert!(!flush.is_finished(), "a byte is not with the kernel");
        pair.worker().left(1);
        let (flushed, mut pump) = flush.await.expect("no panic");
        flushed.expect("no error");
        assert!(unawaited(&mut pump));
    });
}

#[test]
fn the_worker_is_woken_once_for_many_writes() {
    run(async |mut pair| {
        pair.look(true);
        for _ in 0..100 {
            pair.pump().write_all(b"reply").await.expect("room");
        }
        assert_eq!(pair.wakes().await, 1);
        assert_eq!(pair.look(true).outward, b"reply".repeat(100)[..]);
        let slices = [io::IoSlice::new(b"two "), io::IoSlice::new(b"slices")];
        let written = pair.pump().write_vectored(&slices).await.expect("room");
        assert_eq!((written, pair.wakes().await), (10, 1));
        assert_eq!(pair.look(true).outward, b"two slices"[..]);
    });
}

#[test]
fn a_shutdown_is_done_once_the_worker_has_told_the_other_side() {
    run(async |mut pair| {
        pair.look(true);
        pair.pump().write_all(b"bye").await.expect("room");
        let mut pump = pair.pump.take().expect("it was not dropped");
        let shutdown = spawn_local(async move { (pump.shutdown().await, pump) });
        assert!(pair.wakes().await > 0);
        let work = pair.look(true);
        assert_eq!((work.wish, &work.outward[..]), (Wish::Shut, &b"bye"[..]));
        pair.worker().left(3);
        settle().await;
        assert!(!shutdown.is_finished());
        pair.worker().shut();
        let (shut, _pump) = shutdown.await.expect("no panic");
        shut.expect("no error");
    });
}

#[test]
fn an_end_that_is_dropped_wakes_the_other() {
    run(async |mut pair| {
        pair.look(false);
        pair.pump().write_all(b"left over").await.expect("room");
        pair.wakes().await;
        pair.look(false);
        pair.pump = None;
        assert_eq!(pair.wakes().await, 1);
        let work = pair.look(true);
        assert_eq!((work.wish, &work.outward[..]), (Wish::Gone, &b"left over"[..]));
    });
    run(async |mut pair| {
        let mut pump = pair.pump.take().expect("it was not dropped");
        let read = spawn_local(async move { (pump.read(&mut [0]).await, pump) });
        settle().await;
        pair.worker = None;
        let (read, mut pump) = read.await.expect("no panic");
        let kinds = [read.map(drop), pump.write(b"x").await.map(drop)]
            .map(|result| result.expect_err("nobody is there").kind());
        assert_eq!(kinds, [io::ErrorKind::ConnectionAborted; 2]);
    });
}

/// Both bells, with threads on both sides: nothing may be left lying, or this never ends.
#[test]
fn a_megabyte_each_way_between_two_threads() {
    const BYTES: usize = 1 << 20;
    let pattern = |from: usize, len: usize| (from..from + len).map(|n| (n % 251) as u8);
    LocalSet::new().block_on(&runtime(), async {
        let (ringer, to_pump) = (Ringer::default(), Bell::default());
        let bell = ringer.bell();
        spawn_local(to_pump.clone().listen());
        spawn_local(ringer.clone().run());
        let (mut pump, worker) = pipe(ringer, to_pump);
        let echo = thread::spawn(move || {
            let runtime = runtime();
            // It gives back what it takes, while there is room.
            let mut held = bytes::BytesMut::new();
            let echoed = poll_fn(|cx| {
                loop {
                    let work = worker.look(cx, held.is_empty());
                    if work.wish == Wish::Gone {
                        return Poll::Ready(());
                    }
                    if !work.outward.is_empty() {
                        held = work.outward;
                    }
                    let part = held.len().min(work.room).min(10_000);
                    if part == 0 {
                        return Poll::Pending;
                    }
                    worker.put(&held.split_to(part));
                    worker.left(part);
                }
            });
            runtime.spawn(bell.listen());
            runtime.block_on(echoed);
        });
        let (mut sent, mut got) = (0, 0);
        let mut read = vec![0; 30_000];
        while got < BYTES {
            if sent < BYTES {
                let chunk: Vec<u8> = pattern(sent, 7_000.min(BYTES - sent)).collect();
                if let Some(written) = now(pump.write(&chunk)) {
                    sent += written.expect("no error");
                }
            }
            if sent == BYTES {
                let len = pump.read(&mut read).await.expect("no error");
                assert!(read[..len].iter().copied().eq(pattern(got, len)), "behind {got}");
                got += len;
            } else if let Some(len) = now(pump.read(&mut read)) {
                let len = len.expect("no error");
                assert!(read[..len].iter().copied().eq(pattern(got, len)), "behind {got}");
                got += len;
            }
            yield_now().await;
        }
        drop(pump);
        settle().await;
        echo.join().expect("it has not panicked");
    });
}
