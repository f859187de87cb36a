//! Where bytes are cut into parts, so that what two backups have in common is stored once.
//!
//! The bytes alone say where: a part ends where a rolling sum of the last bytes has so many zeros
//! ("gear" of FastCDC: Xia and others, USENIX ATC 2016). So a snapshot in which few nodes have changed
//! shares nearly all parts with the one before, and the log of one server its parts with that of
//! another: whatever their files begin with, they come to the same cuts behind a while.
//!
//! - BK-1 the same bytes are cut at the same places.
//!
//! Not here: what a part is for.

use crate::base::splitmix;

/// Bytes of a part: at least, about, at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) min: usize,
    /// A power of two.
    pub(super) about: usize,
    pub(super) max: usize,
}

impl Sizes {
    /// One is held in memory, and is one request to a store of objects.
    pub(super) const USUAL: Sizes = Sizes { min: 256 << 10, about: 2 << 20, max: 16 << 20 };
}

/// Cuts a stream of bytes.
pub(super) struct Cutter {
    sizes: Sizes,
    gear: [u64; 256],
    sum: u64,
    part: Vec<u8>,
}

impl Cutter {
    pub(super) fn new(sizes: Sizes) -> Cutter {
        let mut state = 0;
        let gear = std::array::from_fn(|_| splitmix::next(&mut state));
        Cutter { sizes, gear, sum: 0, part: Vec::new() }
    }

    /// The next bytes; `each` gets the parts that end in them.
    pub(super) fn feed<E>(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            let (taken, is_cut) = self.find_cut(bytes);
            self.part.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if is_cut {
                self.sum = 0;
                each(std::mem::take(&mut self.part))?;
            }
        }
        Ok(())
    }

    /// The rest, unless it is empty.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.part.is_empty()).then_some(self.part)
    }

    /// How many of these bytes belong to the part, and whether it ends with them.
    fn find_cut(&mut self, bytes: &[u8]) -> (usize, bool) {
        // The upper bits have seen the most bytes.
        let zeros = self.sizes.about.ilog2();
        let mask = u64::MAX << (64 - zeros);
        let (skipped, room) = (self.sizes.min.saturating_sub(self.part.len()), self.room());
        for (n, byte) in bytes.iter().enumerate().take(room) {
            self.sum = (self.sum << 1).wrapping_add(self.gear[usize::from(*byte)]);
            if n + 1 >= skipped && self.sum & mask == 0 {
                return (n + 1, true);
            }
        }
        (bytes.len().min(room), bytes.len() >= room)
    }

    fn room(&self) -> usize {
        self.sizes.max - self.part.len()
    }
}

/// Whether a part of a log ends behind this record: about one of them in `sizes.about` bytes does, and
/// whether it does is in the record alone.
pub(super) fn ends_part(record: &[u8], bytes: usize, sizes: Sizes) -> bool {
    let share = (record.len() as u64).saturating_mul(1 << 32) / sizes.about as u64;
    bytes >= sizes.max || (u64::from(crc32fast::hash(record)) < share && bytes >= sizes.min)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { min: 64, about: 256, max: 1024 };

    fn noise(mut state: u64, len: usize) -> Vec<u8> {
        (0..len).map(|_| splitmix::next(&mut state) as u8).collect()
    }

    fn parts(bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::new(SIZES);
        let mut found = Vec::new();
        for piece in bytes.chunks(piece) {
            let each = |part| -> Result<(), ()> {
                found.push(part);
                Ok(())
            };
            cutter.feed(piece, each).expect("it never fails");
        }
        found.extend(cutter.finish());
        found
    }

    #[test]
    fn parts_are_all_of_the_bytes_however_they_come() {
        let bytes = noise(1, 20_000);
        let found = parts(&bytes, bytes.len());
        assert_eq!(found.concat(), bytes);
        assert!((20..200).contains(&found.len()), "{}", found.len());
        let (last, whole) = found.split_last().expect("there are some");
        assert!(whole.iter().all(|part| (64..=1024).contains(&part.len())));
        assert!(last.len() <= 1024);
        for piece in [1, 7, 1000] {
            assert_eq!(parts(&bytes, piece), found, "{piece}");
        }
        assert!(parts(&[0; 5000], 10).iter().all(|part| part.len() <= 1024));
        assert!(parts(b"", 1).is_empty());
    }

    #[test]
    fn what_changes_in_the_middle_changes_few_parts() {
        let bytes = noise(1, 20_000);
        let mut changed = bytes.clone();
        changed.splice(9_000..9_010, noise(2, 33));
        let (old, new) = (parts(&bytes, 4096), parts(&changed, 4096));
        let fresh = new.iter().filter(|part| !old.contains(part)).count();
        assert!((1..=4).contains(&fresh), "{fresh} of {}", new.len());
    }

    #[test]
    fn the_cuts_of_a_log_are_in_its_records_alone() {
        let records: Vec<Vec<u8>> = (0..400).map(|n| noise(n, 20 + n as usize % 30)).collect();
        let cuts = |from: usize| {
            let (mut found, mut bytes) = (Vec::new(), 0);
            for (n, record) in records.iter().enumerate().skip(from) {
                bytes += record.len();
                if ends_part(record, bytes, SIZES) {
                    found.push(n);
                    bytes = 0;
                }
            }
            found
        };
        let (all, later) = (cuts(0), cuts(57));
        assert!(all.len() > 20, "{all:?}");
        assert_eq!(all[all.len() - 10..], later[later.len() - 10..]);
    }
}
