//! The links of one port: opened, connected, served until they end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::{DialFailed, Ended, Inbound, Link, LinkWriter, Spares};
use crate::base::limits::LINK_QUEUE_BYTES_MAX;
use crate::base::{LinkId, Stamp};
use crate::runtime::{HostPort, Label, Runtime};

/// The open links of one driver, by number.
#[derive(Debug)]
pub struct LinkTable {
    writers: RefCell<BTreeMap<u64, LinkWriter>>,
    accepted: Cell<u64>,
    queued_bytes_max: Cell<usize>,
    spares: Spares,
}

impl Default for LinkTable {
    fn default() -> LinkTable {
        LinkTable {
            writers: RefCell::default(),
            accepted: Cell::new(0),
            queued_bytes_max: Cell::new(LINK_QUEUE_BYTES_MAX),
            spares: Spares::default(),
        }
    }
}

impl LinkTable {
    /// Links that are opened from now on end when more waits to be sent.
    pub fn set_queued_bytes_max(&self, max: usize) {
        self.queued_bytes_max.set(max);
    }

    /// Makes the link of this number known.
    pub fn open(&self, number: u64) -> LinkWriter {
        let writer = LinkWriter::new(self.queued_bytes_max.get(), self.spares.clone());
        let before = self.writers.borrow_mut().insert(number, writer.clone());
        assert!(before.is_none(), "a link number is used once");
        writer
    }

    /// A link that the other side opened: 1, 3, 5 ... The even numbers are for links that this
    /// side dials, and are chosen by the core.
    pub fn open_accepted(&self) -> (LinkId, LinkWriter) {
        let link = LinkId(2 * self.accepted.get() + 1);
        self.accepted.set(self.accepted.get() + 1);
        (link, self.open(link.0))
    }

    /// A link that this side dials. What is written to it waits for the connection.
    pub fn open_dialled(&self, link: LinkId) -> LinkWriter {
        assert!(link.0.is_multiple_of(2), "odd numbers belong to accepted links");
        self.open(link.0)
    }

    /// Connects a dialled link. `Err` if that fails or the link is closed meanwhile: it is
    /// forgotten then.
    pub async fn connect<R: Runtime>(
        &self,
        rt: &R,
        (link, writer): (LinkId, &LinkWriter),
        at: Stamp,
        to: &HostPort,
        timeout: Duration,
    ) -> Result<(Stamp, R::Stream), DialFailed> {
        let connected = match writer.unless_closed(rt.connect(at, to, timeout)).await {
            Ok((at, Ok(stream))) => Ok((at, stream)),
            Ok((at, Err(error))) => {
                let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                Err(DialFailed { at, why: error.to_string(), refused })
            }
            Err(Ended { at, why }) => Err(DialFailed { at, why, refused: false }),
        };
        connected.inspect_err(|_| self.forget(link.0))
    }

    /// Moves the bytes of a link until it ends, and forgets it.
    pub async fn serve<R: Runtime>(
        &self,
        rt: &R,
        number: u64,
        link: &mut Link<R::Stream, impl Inbound>,
    ) -> Ended {
        let ended = link.run(rt).await;
        self.forget(number);
        ended
    }

    fn forget(&self, number: u64) {
        self.writers.borrow_mut().remove(&number);
    }

    pub fn get(&self, number: u64) -> Option<LinkWriter> {
        self.writers.borrow().get(&number).cloned()
    }

    /// Queues a frame; a link whose queue is full ends. Nothing happens if it has ended already.
    pub fn write(&self, at: Stamp, number: u64, label: Label, bytes: Bytes) {
        if let Some(writer) = self.writers.borrow().get(&number) {
            let len = bytes.len();
            if !writer.enqueue(at, label, bytes) && writer.is_full_with(len) {
                let queued_bytes = writer.queued_bytes() + len;
                writer.abort(at, format!("{queued_bytes} bytes wait to be sent: too slow"));
            }
        }
    }

    pub fn close(&self, at: Stamp, number: u64) {
        if let Some(writer) = self.writers.borrow().get(&number) {
            writer.close(at);
        }
    }
}
