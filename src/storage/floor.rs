//! `quorate.floor`: how far the newest log is durable, between two versions of the guard file.
//!
//!     quorate-floor 1
//!     instance 0123456789abcdef           of the guard file
//!     number 17                           of the guard file: another one voids this one
//!     bound log.10000002b 4242 100000031
//!     crc32 89abcdef
//!
//! Written in place, on a lane of its own, behind the log's syncs: no ack waits for it, and one that
//! lags is true. A torn one is no claim; it fits in one sector, which none tears.
//!
//! A bound reaches the file when 64 KiB or 100 ms of the log have been acknowledged since the last
//! one, and the disk within 100 ms.
//!
//! - ST-3 whoever shortens the log first writes the guard file anew: from then on nothing that is
//!   still on its way here counts.
//!
//! Not here: what a start makes of it (`claims.rs`).

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::UnboundedReceiver;

use super::error::{StorageError, While};
use super::guard::{DurableBound, Guard, decode_id, encode_id, sealed, unsealed};
use super::layout::{FLOOR_FILE, Layout, read_file};
use super::queue::Queue;
use super::{Outcome, StorageOptions, Ticket};
use crate::base::Stamp;
use crate::runtime::{File, Lane, LaneId, OpenMode, Runtime};

const FIRST_LINE: &str = "quorate-floor 1";
/// Each content is as long as any other: none leaves a rest of a longer one.
const FILE_BYTES: usize = 256;
/// The oldest bound that is not durable waits so long at most.
const DURABLE_WITHIN: Duration = Duration::from_millis(100);
/// So many bytes of the log are covered at once, if only against the death of the process.
const WRITTEN_EVERY_BYTES: u64 = 64 * 1024;

/// The floor file's content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Floor {
    pub instance: Option<u64>,
    pub number: u64,
    pub bound: DurableBound,
}

impl Floor {
    /// It was written behind this version of the guard file.
    pub(super) fn follows(&self, guard: &Guard) -> bool {
        (self.instance, self.number) == (guard.instance, guard.number)
    }

    pub fn encode(&self) -> String {
        let (instance, number, bound) = (encode_id(self.instance), self.number, self.bound);
        let mut text =
            sealed(&format!("{FIRST_LINE}\ninstance {instance}\nnumber {number}\nbound {bound}\n"));
        while text.len() < FILE_BYTES {
            text.push('\n');
        }
        text
    }

    /// `None` if it is not what `encode` writes.
    pub fn decode(text: &[u8]) -> Option<Floor> {
        let mut lines = unsealed(text)?.lines();
        let is_ours = lines.next()? == FIRST_LINE;
        let instance = decode_id(lines.next()?.strip_prefix("instance ")?)?;
        let number = lines.next()?.strip_prefix("number ")?.parse().ok()?;
        let bound = DurableBound::decode(lines.next()?.strip_prefix("bound ")?)?;
        is_ours.then_some(Floor { instance, number, bound })
    }

    /// How much more of the log it covers than an earlier one.
    fn bytes_behind(&self, earlier: Option<&Floor>) -> u64 {
        let same = earlier.filter(|e| e.number == self.number && e.bound.log == self.bound.log);
        self.bound.offset - same.map_or(0, |earlier| earlier.bound.offset)
    }
}

/// `None`: there is none, or it is damaged, which claims nothing.
pub(super) async fn read_floor<L: Lane>(
    lane: &L,
    layout: &Layout,
) -> Result<Option<Floor>, StorageError> {
    let text = read_file(lane, &layout.log_dir.join(FLOOR_FILE)).await?;
    Ok(text.and_then(|text| Floor::decode(&text)))
}

/// Keeps the floor file level with the log until the queue is closed. `failed` hears of it if that
/// cannot be done: a disk that does not take these bytes will not take others.
pub async fn run_floor<R: Runtime>(
    rt: R,
    options: StorageOptions,
    floors: UnboundedReceiver<(Stamp, Floor)>,
    failed: impl Fn(Stamp, Ticket, Result<Outcome, StorageError>) + 'static,
) {
    let lane = rt.disk(LaneId::Floor);
    let file = FloorFile {
        lane: lane.clone(),
        layout: Layout::new(&options),
        file: None,
        is_new: false,
        written: None,
    };
    if let Err(error) = follow(&rt, Queue::new(floors), file).await {
        failed(lane.ended(), Ticket::FLOOR, Err(error));
    }
}

async fn follow<R: Runtime>(
    rt: &R,
    mut floors: Queue<(Stamp, Floor)>,
    mut file: FloorFile<R::Lane>,
) -> Result<(), StorageError> {
    // The first bound that is not durable in the file, and the last one that is not in it.
    let (mut since, mut waiting): (Option<Stamp>, Option<Floor>) = (None, None);
    loop {
        let due = since.map_or(Stamp::FAR, |since| since + DURABLE_WITHIN);
        let next = tokio::select! {
            biased;
            next = floors.next() => Some(next),
            () = rt.sleep_until(due + rt.settle()), if since.is_some() => None,
        };
        match next {
            Some(Some((stamp, floor))) if stamp <= due => {
                since.get_or_insert(stamp);
                if floor.bytes_behind(file.written.as_ref()) >= WRITTEN_EVERY_BYTES {
                    file.lane.begin(stamp);
                    file.write(floor).await?;
                    waiting = None;
                } else {
                    waiting = Some(floor);
                }
                continue;
            }
            Some(Some(later)) => floors.put_back(later),
            Some(None) if since.is_none() => return Ok(()),
            Some(None) | None => {}
        }
        file.lane.begin(due);
        if let Some(floor) = waiting.take() {
            file.write(floor).await?;
        }
        file.sync().await?;
        since = None;
    }
}

struct FloorFile<L: Lane> {
    lane: L,
    layout: Layout,
    /// Opened with the first bound.
    file: Option<L::File>,
    /// Its name is not durable.
    is_new: bool,
    written: Option<Floor>,
}

impl<L: Lane> FloorFile<L> {
    async fn write(&mut self, floor: Floor) -> Result<(), StorageError> {
        let path = self.layout.log_dir.join(FLOOR_FILE);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => match self.lane.open(&path, OpenMode::Write).await {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    self.is_new = true;
                    self.lane.open(&path, OpenMode::Create).await.when("creating", &path)?
                }
                opened => opened.when("opening", &path)?,
            },
        };
        let text = Bytes::from(floor.encode());
        file.write_at(0, text).await.when("writing", &path)?;
        self.file = Some(file);
        self.written = Some(floor);
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), StorageError> {
        let path = self.layout.log_dir.join(FLOOR_FILE);
        if let Some(file) = &mut self.file {
            file.sync().await.when("syncing", &path)?;
        }
        if std::mem::take(&mut self.is_new) {
            let dir = &self.layout.log_dir;
            self.lane.sync_dir(dir).await.when("syncing", dir)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::base::Zxid;
    use crate::storage::fake::{FakeWorld, run};
    use crate::storage::storage_test::{DIR, options};

    fn floor(offset: u64) -> Floor {
        let bound = DurableBound { log: Zxid(1), offset, last: Zxid(9) };
        Floor { instance: Some(7), number: 1, bound }
    }

    /// What is done for these bounds, told at these milliseconds.
    fn ops(told: &[(u64, u64)]) -> Vec<String> {
        let world = FakeWorld::default();
        let (floors, heard) = unbounded_channel();
        for (ms, offset) in told {
            floors.send((Stamp(ms * 1_000_000), floor(*offset))).expect("the receiver is here");
        }
        drop(floors);
        run(run_floor(world.clone(), options(), heard, |_, _, failure| panic!("{failure:?}")));
        let text = world.disk.get(format!("{DIR}/{FLOOR_FILE}")).expect("it was written");
        let last = told.last().map(|(_, offset)| floor(*offset));
        assert_eq!(Floor::decode(&text), last);
        world.disk.take_ops()
    }

    #[test]
    fn bounds_that_come_within_100_ms_share_a_write_and_a_sync() {
        let (write, sync) = ("write quorate.floor 0+256", "sync quorate.floor");
        let (create, name) = ("create quorate.floor", "sync_dir version-2");
        assert_eq!(ops(&[(0, 100), (50, 200), (100, 300)]), [create, write, sync, name]);
        let twice = [create, write, sync, name, write, sync];
        assert_eq!(ops(&[(0, 100), (50, 200), (101, 300)]), twice);
        // What is far behind is written at once, and synced with the rest.
        let at_once = [create, write, write, sync, name];
        assert_eq!(ops(&[(0, 100), (1, 70_000), (2, 70_100)]), at_once);
    }

    #[test]
    fn a_floor_is_read_back_and_any_changed_byte_claims_nothing() {
        let bound = DurableBound { log: Zxid(0x1_0000_0001), offset: 4242, last: Zxid(9) };
        let floor = Floor { instance: Some(0xfeed), number: 17, bound };
        let text = floor.encode();
        assert_eq!(text.len(), FILE_BYTES);
        assert_eq!(Floor::decode(text.as_bytes()), Some(floor.clone()));
        let end = text.trim_end().len();
        for at in 0..end {
            let mut changed = text.clone().into_bytes();
            changed[at] ^= 1;
            assert_eq!(Floor::decode(&changed), None, "byte {at}");
        }
        let bound = DurableBound { log: Zxid::MAX, offset: u64::MAX, last: Zxid::MAX };
        let longest = Floor { instance: Some(u64::MAX), number: u64::MAX, bound };
        assert_eq!(longest.encode().len(), FILE_BYTES);
    }
}
