//! The content of one file: sparse pages, shared between copies until written.
//!
//! A file has two contents: what reads see (`cache`) and what survives a power loss
//! (`durable`). The journal between them lists the writes that no sync has covered.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use quorate::base::Stamp;

const PAGE: u64 = 4096;

/// A length and the pages that are not all zeros.
#[derive(Clone, Default)]
pub(crate) struct Content {
    len: u64,
    pages: BTreeMap<u64, Rc<[u8; PAGE as usize]>>,
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn read(&self, offset: u64, len: usize) -> Bytes {
        let end = offset.saturating_add(len as u64).min(self.len);
        let mut bytes = Vec::with_capacity(end.saturating_sub(offset) as usize);
        for (page, from, to) in pages(offset, end) {
            match self.pages.get(&page) {
                Some(content) => bytes.extend_from_slice(&content[from..to]),
                None => bytes.resize(bytes.len() + (to - from), 0),
            }
        }
        bytes.into()
    }

    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        for (page, from, to) in pages(offset, end) {
            let at = (page * PAGE + from as u64 - offset) as usize;
            let content = self.pages.entry(page).or_insert_with(|| Rc::new([0; PAGE as usize]));
            Rc::make_mut(content)[from..to].copy_from_slice(&data[at..at + (to - from)]);
        }
        self.len = self.len.max(end);
    }

    pub(crate) fn zero(&mut self, offset: u64, len: u64) {
        let end = offset + len;
        self.zero_pages(offset, end);
        self.len = self.len.max(end);
    }

    /// Cuts, or grows by a hole that reads as zeros.
    pub(crate) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.zero_pages(len, self.len);
        }
        self.len = len;
    }

    /// The page, if it is not all zeros.
    fn page(&self, page: u64) -> Option<&Rc<[u8; PAGE as usize]>> {
        self.pages.get(&page).filter(|content| content.iter().any(|byte| *byte != 0))
    }

    fn zero_pages(&mut self, offset: u64, end: u64) {
        let first = offset.div_ceil(PAGE);
        let last = end / PAGE;
        if first < last {
            let inside: Vec<u64> = self.pages.range(first..last).map(|(page, _)| *page).collect();
            for page in inside {
                self.pages.remove(&page);
            }
        }
        for edge in [offset / PAGE, end / PAGE] {
            let from = offset.max(edge * PAGE).min((edge + 1) * PAGE) - edge * PAGE;
            let to = end.max(edge * PAGE).min((edge + 1) * PAGE) - edge * PAGE;
            if from < to
                && let Some(content) = self.pages.get_mut(&edge)
            {
                Rc::make_mut(content)[from as usize..to as usize].fill(0);
            }
        }
    }
}

/// Whether reads see the same. Pages that two copies share are not compared.
impl PartialEq for Content {
    fn eq(&self, other: &Content) -> bool {
        let is_same = |page: &u64| {
            self.pages.get(page) == other.pages.get(page) || self.page(*page) == other.page(*page)
        };
        let mut pages = self.pages.keys().chain(other.pages.keys());
        self.len == other.len && pages.all(is_same)
    }
}

/// The parts of a byte range, page by page.
fn pages(offset: u64, end: u64) -> impl Iterator<Item = (u64, usize, usize)> {
    let range = if offset < end { offset / PAGE..(end - 1) / PAGE + 1 } else { 0..0 };
    range.map(move |page| {
        let from = offset.max(page * PAGE) - page * PAGE;
        let to = end.min((page + 1) * PAGE) - page * PAGE;
        (page, from as usize, to as usize)
    })
}

/// One change of a file's content.
#[derive(Clone)]
pub(super) enum Change {
    Write { offset: u64, data: Bytes },
    Zeros { offset: u64, len: u64 },
    SetLen(u64),
}

impl Change {
    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Change::Write { offset, data } => content.write(*offset, data),
            Change::Zeros { offset, len } => content.zero(*offset, *len),
            Change::SetLen(len) => content.set_len(*len),
        }
    }

    /// The part of it that lies in a byte range; None if there is none.
    pub(super) fn within(&self, from: u64, to: u64) -> Option<Change> {
        let clip = |offset: u64, len: u64| {
            let (start, end) = (offset.max(from), (offset + len).min(to));
            (start < end).then_some((start, end))
        };
        match self {
            Change::Write { offset, data } => {
                let (start, end) = clip(*offset, data.len() as u64)?;
                let data = data.slice((start - offset) as usize..(end - offset) as usize);
                Some(Change::Write { offset: start, data })
            }
            Change::Zeros { offset, len } => {
                let (start, end) = clip(*offset, *len)?;
                Some(Change::Zeros { offset: start, len: end - start })
            }
            Change::SetLen(_) => None,
        }
    }

    pub(super) fn range(&self) -> (u64, u64) {
        match self {
            Change::Write { offset, data } => (*offset, offset + data.len() as u64),
            Change::Zeros { offset, len } => (*offset, offset + len),
            Change::SetLen(len) => (*len, *len),
        }
    }
}

/// A change that no sync has covered.
#[derive(Clone)]
pub(super) struct Unsaved {
    pub(super) n: u64,
    at: Stamp,
    pub(super) change: Change,
    /// A failed sync dropped it: reads see it, no later sync saves it.
    pub(super) dropped: bool,
}

#[derive(Clone, Default)]
pub(super) struct Inode {
    pub(super) cache: Content,
    pub(super) durable: Content,
    pub(super) journal: Vec<Unsaved>,
    pub(super) handles: u32,
}

impl Inode {
    pub(super) fn change(&mut self, n: u64, at: Stamp, change: Change) {
        change.apply(&mut self.cache);
        self.journal.push(Unsaved { n, at, change, dropped: false });
    }

    /// Makes durable what was done up to `begun`, but for what a failed sync dropped. Whether there
    /// was something.
    pub(super) fn save(&mut self, begun: Stamp) -> bool {
        let before = self.journal.len();
        let mut written: Vec<(u64, (u64, u64))> = vec![];
        self.journal.retain(|unsaved| {
            let saved = unsaved.at <= begun && !unsaved.dropped;
            if saved {
                unsaved.change.apply(&mut self.durable);
                written.push((unsaved.n, unsaved.change.range()));
            }
            !saved
        });
        // What was dropped and is written again since cannot come back.
        self.journal.retain(|unsaved| {
            let (from, to) = unsaved.change.range();
            let again = |(n, (a, b)): &(u64, (u64, u64))| *n > unsaved.n && *a <= from && to <= *b;
            !(unsaved.dropped && written.iter().any(again))
        });
        self.journal.len() < before
    }

    /// How much a sync that begins then has to save. Zeros are no bytes: a file system only notes them.
    pub(super) fn unsaved_bytes(&self, begun: Stamp) -> u64 {
        let is_meant = |unsaved: &&Unsaved| unsaved.at <= begun && !unsaved.dropped;
        let bytes = |unsaved: &Unsaved| match &unsaved.change {
            Change::Write { data, .. } => data.len() as u64,
            Change::Zeros { .. } | Change::SetLen(_) => 0,
        };
        self.journal.iter().filter(is_meant).map(bytes).sum()
    }

    /// A sync failed: the kernel marks the pages clean, and they may never be written.
    pub(super) fn drop_dirty(&mut self, begun: Stamp) {
        for unsaved in self.journal.iter_mut().filter(|unsaved| unsaved.at <= begun) {
            unsaved.dropped = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_reads_back_what_a_plain_buffer_would() {
        let mut content = Content::default();
        let mut plain: Vec<u8> = vec![];
        for n in 0..400_u64 {
            let key = crate::draw::Key::new(3, "content").with(n);
            let offset = key.with(1).range(0, 20_000);
            let len = key.with(2).range(0, 9_000);
            let end = (offset + len) as usize;
            match key.with(3).range(0, 2) {
                0 => {
                    plain.resize(plain.len().max(end), 0);
                    plain[offset as usize..end].fill(n as u8);
                    content.write(offset, &vec![n as u8; len as usize]);
                }
                1 => {
                    plain.resize(plain.len().max(end), 0);
                    plain[offset as usize..end].fill(0);
                    content.zero(offset, len);
                }
                _ => {
                    plain.resize(offset as usize, 0);
                    content.set_len(offset);
                }
            }
            assert_eq!(content.len(), plain.len() as u64);
            assert_eq!(content.read(0, 40_000), plain);
        }
    }

    #[test]
    fn contents_are_equal_if_they_read_the_same() {
        let mut content = Content::default();
        content.write(3, b"abc");
        let mut copy = content.clone();
        assert!(content == copy);
        copy.write(9000, b"x");
        assert!(content != copy);
        copy.zero(9000, 1);
        assert!(content != copy, "one is longer");
        content.set_len(9001);
        assert!(content == copy, "a page of zeros and none");
        content.write(5, b"d");
        assert!(content != copy);
        copy.write(5, b"d");
        assert!(content == copy);
    }

    #[test]
    fn zeros_take_no_pages() {
        let mut content = Content::default();
        content.write(10, b"abc");
        content.zero(0, 64 << 20);
        assert_eq!(content.len(), 64 << 20);
        assert!(content.pages.len() <= 1);
    }
}
