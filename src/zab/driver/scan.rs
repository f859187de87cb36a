//! Where a record that arrives in pieces ends.
//!
//! Scanners remember how far they came: each byte is looked at once, however it arrives. They are
//! given the same buffer again and again, grown at its end, until the record is whole.
//!
//! ```text
//! packet    type int | zxid long | data buffer | authinfo vector<(scheme ustring, id ustring)>
//! snapshot  count int, (session long, timeout int)*
//!           count int, (acl long, vector<(perms int, scheme ustring, id ustring)>)*
//!           (path ustring, data buffer, acl long, StatPersisted)*, "/" instead of a path
//!           ustring "BenWasHere"
//! ```

/// What ends a snapshot stream.
const SIGNATURE: &[u8; 14] = b"\0\0\0\x0aBenWasHere";
/// acl long and StatPersisted.
const NODE_TAIL_BYTES: usize = 8 + 60;
const SESSION_BYTES: usize = 8 + 4;

/// A place in a growing buffer: `pos` may be behind its end, by what is to be skipped.
#[derive(Clone, Copy, Default, Debug)]
struct Cursor {
    pos: usize,
}

impl Cursor {
    /// The next `N` bytes, if they are there.
    fn array<const N: usize>(&mut self, buf: &[u8]) -> Option<[u8; N]> {
        let array = *buf.get(self.pos..)?.first_chunk::<N>()?;
        self.pos += N;
        Some(array)
    }

    fn int(&mut self, buf: &[u8]) -> Option<i32> {
        self.array(buf).map(i32::from_be_bytes)
    }

    fn is_within(self, buf: &[u8]) -> bool {
        self.pos <= buf.len()
    }
}

/// A field's length, 0 for null.
fn length(of: &str, length: i32, max: usize) -> Result<usize, String> {
    match usize::try_from(length) {
        Ok(length) if length <= max => Ok(length),
        _ if length == -1 => Ok(0),
        _ => Err(format!("{of}: length {length} is not between -1 and {max}")),
    }
}

/// A vector's count, 0 for null.
fn count(of: &str, count: i32) -> Result<u32, String> {
    match u32::try_from(count) {
        Ok(count) => Ok(count),
        Err(_) if count == -1 => Ok(0),
        Err(_) => Err(format!("{of}: count {count}")),
    }
}

/// Finds the end of one QuorumPacket.
#[derive(Clone, Debug)]
pub struct PacketScanner {
    field_bytes_max: usize,
    cursor: Cursor,
    state: PacketState,
}

#[derive(Clone, Copy, Debug)]
enum PacketState {
    Head,
    AuthCount,
    /// So many ustrings, two for each Id.
    Auth(u64),
}

impl PacketScanner {
    /// `field_bytes_max`: of its data. The whole packet, with authinfo, may have twice as much.
    pub fn new(field_bytes_max: usize) -> PacketScanner {
        PacketScanner { field_bytes_max, cursor: Cursor::default(), state: PacketState::Head }
    }

    /// The length of the packet at the front of `buf`, `None` as long as it is not whole.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Option<usize>, String> {
        loop {
            let max = self.field_bytes_max;
            let packet_max = max.saturating_mul(2);
            if self.cursor.pos > packet_max {
                return Err(format!("quorum packet of more than {packet_max} bytes"));
            }
            self.state = match self.state {
                PacketState::Head => {
                    let Some(head) = self.cursor.array::<16>(buf) else { return Ok(None) };
                    let data = i32::from_be_bytes([head[12], head[13], head[14], head[15]]);
                    self.cursor.pos += length("data of a quorum packet", data, max)?;
                    PacketState::AuthCount
                }
                PacketState::AuthCount => {
                    let Some(ids) = self.cursor.int(buf) else { return Ok(None) };
                    PacketState::Auth(2 * u64::from(count("authinfo of a quorum packet", ids)?))
                }
                PacketState::Auth(0) => {
                    return Ok(self.cursor.is_within(buf).then_some(self.cursor.pos));
                }
                PacketState::Auth(strings) => {
                    let Some(text) = self.cursor.int(buf) else { return Ok(None) };
                    self.cursor.pos += length("authinfo of a quorum packet", text, max)?;
                    PacketState::Auth(strings - 1)
                }
            };
        }
    }
}

/// Finds the end of one inline snapshot.
#[derive(Clone, Debug)]
pub struct SnapshotScanner {
    field_bytes_max: usize,
    cursor: Cursor,
    /// Where the last node that was met begins.
    node: usize,
    state: SnapshotState,
}

#[derive(Clone, Copy, Debug)]
enum SnapshotState {
    Sessions,
    AclMap,
    AclEntries { left: u32 },
    AclItem { items: u32, entries: u32 },
    AclItemId { items: u32, entries: u32 },
    Path,
    Data,
    Signature,
}

impl SnapshotScanner {
    pub fn new(field_bytes_max: usize) -> SnapshotScanner {
        let (cursor, state) = (Cursor::default(), SnapshotState::Sessions);
        SnapshotScanner { field_bytes_max, cursor, node: 0, state }
    }

    /// Whether the whole nodes at the front of the buffer, with all that stands before the first, have
    /// so many bytes. If so, their length: the next `scan` is given the buffer without them.
    pub fn cut(&mut self, bytes_min: usize) -> Option<usize> {
        let whole = self.node;
        (whole >= bytes_min.max(1)).then(|| {
            self.node = 0;
            self.cursor.pos -= whole;
            whole
        })
    }

    /// The length of the stream at the front of `buf`, `None` as long as it is not whole.
    pub fn scan(&mut self, buf: &[u8]) -> Result<Option<usize>, String> {
        loop {
            if let SnapshotState::Signature = self.state {
                return self.signature(buf);
            }
            match self.step(buf)? {
                Some(state) => self.state = state,
                None => return Ok(None),
            }
        }
    }

    /// Passes one count or field; `None` if it has not arrived.
    fn step(&mut self, buf: &[u8]) -> Result<Option<SnapshotState>, String> {
        use SnapshotState::*;
        let max = self.field_bytes_max;
        let at = &mut self.cursor;
        let state = match self.state {
            Sessions => {
                let Some(sessions) = at.int(buf) else { return Ok(None) };
                at.pos += count("sessions of a snapshot", sessions)? as usize * SESSION_BYTES;
                AclMap
            }
            AclMap => {
                let Some(entries) = at.int(buf) else { return Ok(None) };
                AclEntries { left: count("ACL map of a snapshot", entries)? }
            }
            AclEntries { left: 0 } => Path,
            AclEntries { left } => {
                let Some(head) = at.array::<12>(buf) else { return Ok(None) };
                let items = i32::from_be_bytes([head[8], head[9], head[10], head[11]]);
                AclItem { items: count("ACL of a snapshot", items)?, entries: left - 1 }
            }
            AclItem { items: 0, entries } => AclEntries { left: entries },
            AclItem { items, entries } => {
                let Some(head) = at.array::<8>(buf) else { return Ok(None) };
                let scheme = i32::from_be_bytes([head[4], head[5], head[6], head[7]]);
                at.pos += length("ACL scheme of a snapshot", scheme, max)?;
                AclItemId { items: items - 1, entries }
            }
            AclItemId { items, entries } => {
                let Some(id) = at.int(buf) else { return Ok(None) };
                at.pos += length("ACL id of a snapshot", id, max)?;
                AclItem { items, entries }
            }
            Path => return self.path(buf),
            Data => {
                let Some(data) = at.int(buf) else { return Ok(None) };
                at.pos += length("node data of a snapshot", data, max)? + NODE_TAIL_BYTES;
                Path
            }
            Signature => Signature,
        };
        Ok(Some(state))
    }

    /// A node's path, or the "/" that ends the nodes: every real path but the root's "" is longer.
    fn path(&mut self, buf: &[u8]) -> Result<Option<SnapshotState>, String> {
        let mut at = self.cursor;
        let Some(text) = at.int(buf) else { return Ok(None) };
        self.node = self.cursor.pos;
        if text == 1 {
            let Some([byte]) = at.array(buf) else { return Ok(None) };
            if byte != b'/' {
                return Err(format!("path of a snapshot: one byte, {byte:#x}"));
            }
            self.cursor = at;
            return Ok(Some(SnapshotState::Signature));
        }
        at.pos += length("path of a snapshot", text, self.field_bytes_max)?;
        self.cursor = at;
        Ok(Some(SnapshotState::Data))
    }

    fn signature(&mut self, buf: &[u8]) -> Result<Option<usize>, String> {
        match self.cursor.array::<{ SIGNATURE.len() }>(buf) {
            None => Ok(None),
            Some(signature) if signature == *SIGNATURE => Ok(Some(self.cursor.pos)),
            Some(_) => Err("snapshot without its signature BenWasHere".into()),
        }
    }
}

#[cfg(test)]
#[path = "scan_test.rs"]
mod tests;
