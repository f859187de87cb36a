//! A snapshot from its beginning to its end, node by node, with what is wrong in it.
//!
//! Checked are the seals, that each node follows its parent, and that the digest in the file is that of
//! its nodes. A snapshot that was written while transactions were applied may hold a part of them: then
//! its digest is of another moment than its nodes, and says nothing.

use std::path::Path;

use super::bar::Bar;
use super::error::ToolError;
use super::log_walk::Damage;
use super::output::Output;
use super::verdict::Disk;
use crate::base::paths;
use crate::base::{SessionId, Zxid};
use crate::jute::data::Acl;
use crate::jute::persist::{NodeRef, SnapshotDigest};
use crate::storage::snapshot_format::{Compression, SnapshotFault};
use crate::storage::{SnapshotScan, parse_snapshot_name};
use crate::tree::node_digest;

/// A node that claims to be longer is damage.
const RECORD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What was read, and what is wrong with it.
#[derive(Default, Debug)]
pub(super) struct Walked {
    /// By the name of the file.
    pub(super) zxid: Option<Zxid>,
    pub(super) bytes: u64,
    pub(super) nodes: u64,
    /// The highest zxid that a node tells of.
    pub(super) zxid_max: Zxid,
    pub(super) last_path: Option<String>,
    pub(super) sessions: Vec<(SessionId, i32)>,
    pub(super) acls: Vec<(i64, Vec<Acl>)>,
    pub(super) digest: Option<SnapshotDigest>,
    pub(super) last_zxid: Option<Zxid>,
    /// Of the nodes.
    pub(super) computed: u64,
    pub(super) damages: Vec<Damage>,
    /// The most bytes that one piece had.
    pub(super) piece_bytes_max: usize,
}

impl Walked {
    /// Transactions may have been applied while it was written.
    fn is_fuzzy(&self) -> bool {
        let ends = [self.digest.as_ref().map(|digest| digest.zxid), self.last_zxid];
        self.zxid.is_none_or(|begin| ends.into_iter().flatten().any(|end| end > begin))
    }

    /// `None`: there is nothing to compare.
    pub(super) fn digest_matches(&self) -> Option<bool> {
        let known = self.digest.as_ref().filter(|digest| digest.zxid != Zxid::ZERO)?;
        Some(known.digest as u64 == self.computed)
    }
}

/// What the name of a file says of its content.
fn named(path: &Path) -> (Option<Zxid>, Compression) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if let Some(known) = parse_snapshot_name(&name) {
        return (Some(known.zxid), known.compression);
    }
    // A copy by another name.
    let compression = match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => Compression::Gz,
        Some("snappy") => Compression::Snappy,
        _ => Compression::None,
    };
    (None, compression)
}

/// Gives each node that can be read to `each`.
pub(super) async fn walk_snapshot(
    disk: &Disk,
    path: &Path,
    output: &Output,
    mut each: impl FnMut(&NodeRef<'_>) -> Result<(), ToolError>,
) -> Result<Walked, ToolError> {
    let (zxid, compression) = named(path);
    let opened = SnapshotScan::open(disk, path.to_path_buf(), compression).await;
    let mut scan = opened.map_err(|error| ToolError::Invalid(error.to_string()))?;
    let bar = Bar::of(scan.file_bytes(), path, output);
    let mut walked = Walked { zxid, bytes: scan.file_bytes(), ..Walked::default() };
    let mut order = Order::default();
    while !scan.is_done() {
        walked.piece_bytes_max = walked.piece_bytes_max.max(scan.wanted());
        if scan.wanted() > RECORD_BYTES_MAX {
            let why = format!("a node claims to have more than {RECORD_BYTES_MAX} bytes");
            walked.damages.push(Damage { offset: scan.offset() as u64, why });
            break;
        }
        let begin = scan.offset() as u64;
        scan.next().await?;
        bar.at(scan.at());
        let mut take = |node: &NodeRef<'_>| {
            walked.nodes += 1;
            walked.zxid_max = walked.zxid_max.max(node.stat.mzxid).max(node.stat.pzxid);
            walked.computed =
                walked.computed.wrapping_add(node_digest(node.path, node.data, &node.stat));
            if let Some(why) = order.take(node.path) {
                walked.damages.push(Damage { offset: begin, why });
            }
            each(node)
        };
        scan.body_mut().nodes.hand_over(&mut take)?;
    }
    walked.last_path = Some(order.last).filter(|_| walked.nodes > 0);
    if !walked.damages.is_empty() {
        return Ok(walked);
    }
    let (offset, at) = (scan.offset() as u64, scan.at());
    match scan.finish() {
        Ok(content) => {
            (walked.sessions, walked.acls) = (content.body.sessions, content.body.acls);
            (walked.digest, walked.last_zxid) = (content.digest, content.last_zxid);
            check_digest(&mut walked);
        }
        Err(fault) => walked.damages.push(damage_of(&fault, offset, at)),
    }
    Ok(walked)
}

fn damage_of(fault: &SnapshotFault, understood: u64, read: u64) -> Damage {
    let offset = match fault {
        SnapshotFault::Header { .. } => 0,
        SnapshotFault::Seal { offset, .. } => *offset as u64,
        SnapshotFault::Packed(_) => read,
        _ => understood,
    };
    Damage { offset, why: fault.to_string() }
}

fn check_digest(walked: &mut Walked) {
    let Some(known) = walked.digest.clone() else { return };
    if walked.digest_matches() == Some(false) && !walked.is_fuzzy() {
        let (stored, computed) = (known.digest, walked.computed);
        let why = format!("the digest in it is {stored:x}, that of its nodes is {computed:x}");
        walked.damages.push(Damage { offset: walked.bytes, why });
    }
}

/// Each node follows its parent, or what lies below that.
#[derive(Default)]
struct Order {
    last: String,
    begun: bool,
}

impl Order {
    /// What is wrong, if anything is.
    fn take(&mut self, path: &str) -> Option<String> {
        let parent = paths::split(path).map_or("", |(parent, _)| parent);
        let parent = if parent == paths::ROOT { "" } else { parent };
        let rest = self.last.strip_prefix(parent);
        let is_below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_in_order = if self.begun { !path.is_empty() && is_below } else { path.is_empty() };
        self.begun = true;
        self.last.clear();
        self.last.push_str(path);
        (!is_in_order).then(|| format!("{path:?} does not follow its parent"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::jute::data::StatPersisted;
    use crate::runtime::os::Machine;
    use crate::runtime::{LaneId, Runtime};
    use crate::storage::SnapshotEncoder;

    /// A snapshot of so many MiB, with nodes of so many bytes.
    fn snapshot(path: &Path, mib: usize, data_bytes: usize) {
        let mut encoder = SnapshotEncoder::for_file();
        encoder.sessions(&[]);
        encoder.acls(&[]);
        let data = vec![7; data_bytes];
        let stat = StatPersisted::default();
        encoder.node(&NodeRef { path: "", data: None, acl: -1, stat: stat.clone() });
        let mut file = std::fs::File::create(path).expect("a new file");
        for n in 0..(mib << 20) / data_bytes {
            let path = format!("/n{n}");
            let stat = stat.clone();
            encoder.node(&NodeRef { path: &path, data: Some(&data), acl: -1, stat });
            file.write_all(&encoder.take()).expect("it is writable");
        }
        file.write_all(&encoder.finish(None, None)).expect("it is writable");
    }

    /// TK-1
    #[test]
    fn what_is_held_of_a_snapshot_is_a_piece_however_long_it_is() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let machine = Machine::new();
        let largest = |name: &str, mib, data_bytes| {
            let path = dir.path().join(name);
            snapshot(&path, mib, data_bytes);
            let mut held = 0;
            let walked = machine.run(async {
                let disk = machine.disk(LaneId::History);
                let hidden = Output::nowhere();
                let walked = walk_snapshot(&disk, &path, &hidden, |node| {
                    held = held.max(node.data.map_or(0, <[u8]>::len));
                    Ok(())
                });
                walked.await.expect("a good disk")
            });
            let walked = walked.expect("a runtime");
            assert_eq!(
                (walked.damages.len(), walked.nodes as usize),
                (0, (mib << 20) / data_bytes + 1)
            );
            assert_eq!(held, data_bytes);
            walked.piece_bytes_max
        };
        let piece = 1024 * 1024;
        assert_eq!([largest("snapshot.1", 1, 1000), largest("snapshot.2", 24, 1000)], [piece; 2]);
        assert_eq!(largest("snapshot.3", 9, 3 * piece), 4 * piece, "a node that is longer");
    }

    /// TK-1
    #[test]
    fn a_node_that_claims_an_absurd_length_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("snapshot.1");
        snapshot(&path, 1, 1000);
        let mut bytes = std::fs::read(&path).expect("it was written");
        // Behind the header, no sessions, no lists, and the root: the length of the first node's data.
        let at = 16 + 4 + 4 + (4 + 4 + 8 + 60) + 4 + 3;
        bytes[at..at + 4].copy_from_slice(&i32::MAX.to_be_bytes());
        bytes.resize(130 << 20, 0);
        std::fs::write(&path, bytes).expect("it is writable");
        let machine = Machine::new();
        let disk = machine.disk(LaneId::History);
        let hidden = Output::nowhere();
        let walked = machine.run(walk_snapshot(&disk, &path, &hidden, |_| Ok(())));
        let walked = walked.expect("a runtime").expect("a good disk");
        assert!(walked.piece_bytes_max <= 2 * RECORD_BYTES_MAX, "{}", walked.piece_bytes_max);
        let [damage] = &walked.damages[..] else { panic!("{:?}", walked.damages) };
        assert!(damage.why.contains("a node claims to have more than 33554432 bytes"));
        assert_eq!(damage.offset as usize, at - 7);
    }

    #[test]
    fn a_node_follows_its_parent_or_what_is_below_that() {
        let wrong = |paths: &[&str]| -> Vec<String> {
            let mut order = Order::default();
            paths.iter().filter(|path| order.take(path).is_some()).map(|p| p.to_string()).collect()
        };
        assert!(wrong(&["", "/a", "/a/b", "/a/b/c", "/a/d", "/b", "/ba"]).is_empty());
        assert_eq!(wrong(&["/a"]), ["/a"]);
        assert_eq!(wrong(&["", "/a", "/b", "/a/c", "/d"]), ["/a/c"]);
        assert_eq!(wrong(&["", "/ab", "/a/c"]), ["/a/c"]);
        assert_eq!(wrong(&["", ""]), [""]);
    }
}
