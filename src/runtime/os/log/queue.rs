//! What lies between the server's thread and whoever reads its log.
//!
//! Nobody may read it: a pipe is full after some hundred lines, and a disk may be. So a thread of its
//! own writes, and the server only puts lines into a queue. Lines that have no room there are dropped
//! and counted, and the log says how many once it is read again. (tracing-appender drops them too, but
//! counts them only for the program, and has no bound in bytes.)
//!
//! Not here: what a line is (`line.rs`), which are written (`limit.rs`).

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines that wait to be written.
const QUEUE_BYTES_MAX: usize = 1 << 20;
/// How long a process that ends waits for somebody to read its last words.
const LAST_WORDS_MAX: Duration = Duration::from_secs(1);
/// A pipe of the other side's making may not block; how long to wait until it is asked again.
const REST: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// There is something to do for the writer.
    news: Condvar,
    /// The writer has done it.
    idle: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whole lines with their line breaks.
    bytes: Vec<u8>,
    lines: u64,
    /// Behind those lines.
    dropped: u64,
    is_writing: bool,
    /// Somebody wants the writer to look whether there are sums.
    is_poked: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing here panics half-way through a change.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never waits. `line` ends with a line break.
    pub(super) fn push(&self, line: &str) {
        let mut waiting = self.lock();
        // Once one is dropped all are, so that it is clear where the hole is.
        if waiting.dropped > 0 || waiting.bytes.len() + line.len() > QUEUE_BYTES_MAX {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes.extend_from_slice(line.as_bytes());
        waiting.lines += 1;
        drop(waiting);
        self.news.notify_one();
    }

    /// Has the writer ask for sums again.
    pub(super) fn poke(&self) {
        self.lock().is_poked = true;
        self.news.notify_one();
    }

    /// Waits until all is written, or nobody seems to read it.
    pub(super) fn finish(&self) {
        let waiting = self.lock();
        let is_busy = |waiting: &mut Waiting| waiting.lines > 0 || waiting.is_writing;
        // Whether it was in time changes nothing.
        drop(self.idle.wait_timeout_while(waiting, LAST_WORDS_MAX, is_busy));
    }

    /// The writer's thread. `sums` gives lines that are due, and how long it is until more are;
    /// `lost` makes the line about what was dropped.
    pub(super) fn write_to(
        &self,
        mut out: impl Write,
        sums: impl Fn() -> (Vec<String>, Option<Duration>),
        lost: impl Fn(u64) -> String,
    ) -> ! {
        let mut dropped = 0;
        loop {
            let (lines, until_sum) = sums();
            lines.iter().for_each(|line| self.push(line));
            let mut waiting = self.lock();
            if waiting.lines == 0 && !waiting.is_poked {
                waiting = match until_sum {
                    Some(wait) => {
                        let woken = self.news.wait_timeout(waiting, wait);
                        woken.unwrap_or_else(PoisonError::into_inner).0
                    }
                    None => self.news.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                };
            }
            waiting.is_poked = false;
            let (bytes, count) =
                (std::mem::take(&mut waiting.bytes), std::mem::take(&mut waiting.lines));
            let behind = std::mem::take(&mut waiting.dropped);
            waiting.is_writing = true;
            drop(waiting);
            if write_all(&mut out, &bytes).is_err() {
                dropped += count;
            }
            dropped += behind;
            if dropped > 0 && write_all(&mut out, lost(dropped).as_bytes()).is_ok() {
                dropped = 0;
            }
            self.lock().is_writing = false;
            self.idle.notify_all();
        }
    }
}

/// Waits for room as long as it takes.
fn write_all(out: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(REST),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::sync::Arc;
    use std::sync::mpsc;

    use super::*;

    /// What only a hung writer reaches.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn lost(count: u64) -> String {
        format!("{count} lost\n")
    }

    #[test]
    fn a_log_that_nobody_reads_holds_up_nobody_and_says_what_it_lacks() {
        let (read, write) = std::io::pipe().expect("a pipe");
        let queue = Arc::new(Queue::default());
        let writer = Arc::clone(&queue);
        thread::spawn(move || writer.write_to(write, || (Vec::new(), None), lost));
        const LINES: u64 = 100_000;
        for n in 0..LINES {
            queue.push(&format!("line {n:0>50}\n"));
        }
        // Only now somebody reads.
        let mut lines = BufReader::new(read).lines().map(|line| line.expect("it is open"));
        let (mut got, mut gone) = (0, 0);
        while got + gone < LINES {
            let line = lines.next().expect("the writer lives");
            match line.strip_suffix(" lost") {
                Some(count) => gone += count.parse::<u64>().expect("a number"),
                None => {
                    assert_eq!(line, format!("line {:0>50}", got + gone), "no hole without a word");
                    got += 1;
                }
            }
        }
        assert!(gone > 0 && got > 0, "{got} lines came, {gone} did not");
        queue.push("again\n");
        assert_eq!(lines.next().as_deref(), Some("again"));
    }

    /// Fails until it is told not to.
    struct Full(mpsc::Sender<Vec<u8>>, u32);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.1 > 0 {
                self.1 -= 1;
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_a_full_disk_did_not_take_are_counted_too() {
        let (sent, written) = mpsc::channel();
        let queue = Arc::new(Queue::default());
        let writer = Arc::clone(&queue);
        queue.push("one\n");
        thread::spawn(move || writer.write_to(Full(sent, 2), || (Vec::new(), None), lost));
        queue.finish();
        assert!(written.try_recv().is_err(), "neither the line nor the word about it had room");
        queue.push("two\n");
        assert_eq!(written.recv_timeout(PATIENCE).expect("it writes"), b"two\n");
        assert_eq!(written.recv_timeout(PATIENCE).expect("it writes"), b"1 lost\n");
    }

    #[test]
    fn the_end_waits_for_the_last_words_and_not_for_ever() {
        let (sent, written) = mpsc::channel();
        let queue = Arc::new(Queue::default());
        let writer = Arc::clone(&queue);
        thread::spawn(move || writer.write_to(Full(sent, 0), || (Vec::new(), None), lost));
        queue.push("the last\n");
        queue.finish();
        assert_eq!(
            written.try_recv().expect("it was written before finish came back"),
            b"the last\n"
        );
        // Nobody writes here.
        let queue = Queue::default();
        queue.push("never\n");
        queue.finish();
    }
}
