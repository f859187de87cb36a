//! The nodes of a snapshot, one or all.
//!
//! All of them stay as they came: whole records, in pieces. A tree is built from them without a
//! copy of each, and each piece is let go when its nodes are in the tree.

use std::borrow::Cow;
use std::mem;

use bytes::Bytes;

use super::codec::{DecodeError, Jute, Reader, encode_buffer, encode_text, records};
use super::data::StatPersisted;
use super::text::borrowed_text_of;

/// The path that ends the nodes of a snapshot, and every seal of a snapshot file.
pub const BODY_END: &str = "/";
/// acl long and StatPersisted.
const TAIL_BYTES: usize = 8 + 60;

records! {
    /// One znode. `acl` is -1 for world:anyone:all, else a key of the snapshot's ACL map.
    SnapshotNode { path: String, data: Option<Bytes>, acl: i64, stat: StatPersisted }
}

/// A [`SnapshotNode`] that is not copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeRef<'a> {
    pub path: &'a str,
    pub data: Option<&'a [u8]>,
    pub acl: i64,
    pub stat: StatPersisted,
}

impl NodeRef<'_> {
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode_text(self.path, out);
        encode_buffer(self.data, out);
        self.acl.encode(out);
        self.stat.encode(out);
    }

    pub fn to_node(&self) -> SnapshotNode {
        SnapshotNode {
            path: self.path.to_owned(),
            data: self.data.map(Bytes::copy_from_slice),
            acl: self.acl,
            stat: self.stat.clone(),
        }
    }
}

impl SnapshotNode {
    pub fn as_node_ref(&self) -> NodeRef<'_> {
        let SnapshotNode { path, data, acl, stat } = self;
        NodeRef { path, data: data.as_deref(), acl: *acl, stat: stat.clone() }
    }
}

/// The stream behind SNAP, in the pieces in which it was taken from its link. Each but the last ends
/// with a whole node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Pieces(pub Vec<Bytes>);

impl From<Bytes> for Pieces {
    fn from(whole: Bytes) -> Pieces {
        Pieces(vec![whole])
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(whole: Vec<u8>) -> Pieces {
        Pieces(vec![whole.into()])
    }
}

/// Many nodes, in their order.
#[derive(Clone, Debug, Default)]
pub struct PackedNodes {
    pieces: Vec<Bytes>,
    count: usize,
}

/// Where the whole records at the front of some bytes end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Split {
    /// They end here; of a body that ends here, behind its end.
    pub end: usize,
    /// The nodes end with them.
    pub is_last: bool,
}

impl PackedNodes {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Takes the whole records at the front of these bytes. `is_all`: nothing comes behind the bytes,
    /// so that a record which is not whole is a mistake. The whole ones in front of a mistake are taken.
    pub fn take(&mut self, bytes: &Bytes, is_all: bool) -> Result<Split, DecodeError> {
        let mut at = 0;
        let mut count = 0;
        let split = loop {
            match record_at(bytes, at) {
                Ok(Record::Node(node)) => at = node.end,
                Ok(Record::End(end)) => break Ok(Split { end, is_last: true }),
                Err(DecodeError::Short { .. }) if !is_all => {
                    break Ok(Split { end: at, is_last: false });
                }
                Err(error) => break Err(error),
            }
            count += 1;
        };
        if count > 0 {
            self.count += count;
            self.pieces.push(bytes.slice(..at));
        }
        split
    }

    /// Every node in its order. A piece goes when the last of its nodes has been handed over.
    pub fn hand_over<E>(
        &mut self,
        mut each: impl FnMut(&NodeRef<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.count = 0;
        mem::take(&mut self.pieces).into_iter().try_for_each(|piece| each_of(&piece, &mut each))
    }

    #[cfg(test)]
    pub fn to_nodes(&self) -> Vec<SnapshotNode> {
        let mut nodes = Vec::new();
        for piece in &self.pieces {
            let mut push = |node: &NodeRef<'_>| {
                nodes.push(node.to_node());
                Ok::<_, std::convert::Infallible>(())
            };
            let Ok(()) = each_of(piece, &mut push);
        }
        nodes
    }
}

impl PartialEq for PackedNodes {
    /// Whatever the pieces are.
    fn eq(&self, other: &PackedNodes) -> bool {
        let bytes = |nodes: &PackedNodes| nodes.pieces.iter().map(Bytes::len).sum::<usize>();
        let all = |nodes: &PackedNodes| nodes.pieces.concat();
        self.count == other.count && bytes(self) == bytes(other) && all(self) == all(other)
    }
}

impl Eq for PackedNodes {}

impl From<Vec<SnapshotNode>> for PackedNodes {
    fn from(nodes: Vec<SnapshotNode>) -> PackedNodes {
        let mut out = Vec::new();
        nodes.iter().for_each(|node| node.encode(&mut out));
        PackedNodes { pieces: vec![out.into()], count: nodes.len() }
    }
}

fn each_of<E>(
    piece: &Bytes,
    each: &mut impl FnMut(&NodeRef<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut at = 0;
    while at < piece.len() {
        let Ok(Record::Node(node)) = record_at(piece, at) else {
            panic!("a piece is of whole records");
        };
        at = node.end;
        let data = node.data.map(|(from, to)| &piece[from..to]);
        let mut tail = Reader::new(piece.slice(node.tail..node.end));
        let read = tail.long().and_then(|acl| Ok((acl, StatPersisted::decode(&mut tail)?)));
        let (acl, stat) = read.expect("the record is whole");
        let path: Cow<'_, str> = borrowed_text_of(&piece[node.path.0..node.path.1]);
        each(&NodeRef { path: &path, data, acl, stat })?;
    }
    Ok(())
}

enum Record {
    Node(NodeAt),
    /// Behind the path that ends the nodes.
    End(usize),
}

/// Where the fields of a record begin and end.
struct NodeAt {
    path: (usize, usize),
    data: Option<(usize, usize)>,
    tail: usize,
    end: usize,
}

fn record_at(bytes: &[u8], at: usize) -> Result<Record, DecodeError> {
    let path = field_at(bytes, at)?.ok_or(DecodeError::Null { offset: at })?;
    if &bytes[path.0..path.1] == BODY_END.as_bytes() {
        return Ok(Record::End(path.1));
    }
    let data = field_at(bytes, path.1)?;
    let tail = data.map_or(path.1 + 4, |(_, to)| to);
    let left = bytes.len() - tail;
    if left < TAIL_BYTES {
        return Err(DecodeError::Short { offset: tail, wanted: TAIL_BYTES, left });
    }
    Ok(Record::Node(NodeAt { path, data, tail, end: tail + TAIL_BYTES }))
}

/// From where to where a field reaches, behind its length; `None` for null.
fn field_at(bytes: &[u8], at: usize) -> Result<Option<(usize, usize)>, DecodeError> {
    let short = |offset, wanted| DecodeError::Short { offset, wanted, left: bytes.len() - offset };
    let length = bytes.get(at..at + 4).and_then(|bytes| bytes.first_chunk());
    let length = i32::from_be_bytes(*length.ok_or_else(|| short(at, 4))?);
    let from = at + 4;
    match usize::try_from(length) {
        Ok(length) if length > bytes.len() - from => Err(short(from, length)),
        Ok(length) => Ok(Some((from, from + length))),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(DecodeError::Length { offset: at, length }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<SnapshotNode> {
        let node = |path: &str, data: Option<&'static [u8]>| SnapshotNode {
            path: path.into(),
            data: data.map(Bytes::from_static),
            acl: -1,
            stat: StatPersisted { ctime: 5, ..StatPersisted::default() },
        };
        vec![node("", None), node("/a", Some(b"")), node("/\u{e4}", Some(b"data"))]
    }

    #[test]
    fn nodes_come_back_whatever_the_pieces_are() {
        let packed = PackedNodes::from(nodes());
        assert_eq!((packed.len(), packed.to_nodes()), (3, nodes()));
        let mut bytes = packed.pieces[0].to_vec();
        bytes.extend_from_slice(b"\0\0\0\x01/and more");
        let bytes = Bytes::from(bytes);
        for length in 1..bytes.len() {
            let (mut taken, mut at, mut wanted) = (PackedNodes::default(), 0, length);
            loop {
                let to = bytes.len().min(at + wanted);
                let split = taken.take(&bytes.slice(at..to), to == bytes.len()).expect("whole");
                at += split.end;
                wanted = if split.end == 0 { 2 * wanted } else { length };
                if split.is_last {
                    break;
                }
            }
            assert_eq!(&bytes[at..], b"and more");
            assert_eq!(taken, packed, "{length}");
            let mut handed = Vec::new();
            let hand = |node: &NodeRef<'_>| {
                handed.push(node.to_node());
                Ok::<_, std::convert::Infallible>(())
            };
            let Ok(()) = taken.hand_over(hand);
            assert_eq!((handed, taken.len()), (nodes(), 0));
        }
    }
}
