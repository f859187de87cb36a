//! The sizes and counts that are not to be exceeded, in one place. Units are in the names.

use std::time::Duration;

use super::Epoch;

/// `jute.maxbuffer`: largest client frame, inclusive, in bytes (Apache BinaryInputArchive).
pub const JUTE_MAXBUFFER_BYTES: usize = 0xf_ffff;
/// Largest string or buffer between servers and on the disk: maxbuffer plus its `extrasize`. More
/// where `jute.maxbuffer` is set higher (`ClientLimits::field_bytes_max`).
pub const JUTE_FIELD_BYTES_MAX: usize = 2 * JUTE_MAXBUFFER_BYTES;
/// Largest election message (QuorumCnxManager PACKETMAXSIZE), in bytes.
pub const ELECTION_FRAME_BYTES_MAX: usize = 512 * 1024;
/// Longest election address text in a connection's first message, in bytes.
pub const ELECTION_ADDRESS_BYTES_MAX: usize = 2048;
/// How far above what is known for sure a reported acceptedEpoch may be and be believed. As many
/// leaderships that came to nothing in a row are hardly possible; a forged report costs as many.
pub const EPOCH_REACH: i64 = 10_000;
/// Far above any epoch that an ensemble has reached: half of those there are. Nobody may jump beyond.
pub const EPOCH_OF_NOBODY: Epoch = Epoch(1 << 30);
/// The last epoch that fits in a zxid.
pub const EPOCH_MAX: Epoch = Epoch(i32::MAX as i64);
/// Links that one address may have open to the election port, and as many to the quorum port.
pub const PEER_LINKS_PER_ADDRESS_MAX: usize = 256;
/// Learners that may wait for a server that looks to lead. Who comes with more is turned away.
pub const EARLY_LEARNERS_MAX: usize = 1024;
/// How long a server outside the configuration may stay on the election port. It comes again when it
/// has something to ask.
pub const STRANGER_LINK_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes queued to one peer or client before its connection is given up.
pub const LINK_QUEUE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Znodes written in one slice of a snapshot, between two steps of the pump.
pub const SNAPSHOT_SLICE_NODES: usize = 512;
/// Bytes after which a slice of a snapshot ends, whatever the number of its znodes, and a portion of
/// a learner's history.
pub const SNAPSHOT_SLICE_BYTES: usize = 1024 * 1024;
/// A snapshot that arrives is told of each time so many bytes more are there.
pub const SNAPSHOT_PROGRESS_BYTES: usize = 1024 * 1024;
/// Committed transactions kept in memory for DIFF (`commitLogCount`).
pub const COMMITTED_LOG_COUNT: usize = 500;
/// Bytes of all identities of one connection. A follower forwards them with every write, and a list
/// with an entry `auth` holds all of them.
pub const CLIENT_ID_BYTES_MAX: usize = 512 * 1024;
/// Identities of one connection: whatever is asked of its rights looks at each of them.
pub const CLIENT_IDS_MAX: usize = 128;
/// Bytes of requests read from a client ahead of their turn, before it is not read any more.
pub const CLIENT_HELD_BYTES_MAX: usize = 128 * 1024;
/// Bytes of requests of one client in process, before it is not read any more.
pub const CLIENT_PENDING_BYTES_HOLD: usize = 256 * 1024;
/// `maxResponseBytes`: the longest reply, with its length and the events that go before it.
pub const RESPONSE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// `maxClientPendingResponseBytes`: bytes sent to a client and not taken by its connection, before
/// its requests wait.
pub const CLIENT_UNSENT_BYTES_HOLD: usize = 1024 * 1024;
/// `maxPendingResponseBytes`: bytes sent to all clients and not taken by them, before requests wait.
pub const UNSENT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of long answers to four-letter words on their way, before no other is given.
pub const WORD_ANSWERS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Beyond so many of them no watch event is added: the connection is given up.
pub const CLIENT_UNSENT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Namespaces that are counted each for itself: the first components of paths, which clients choose.
pub const NAMESPACES_MAX: usize = 1000;
