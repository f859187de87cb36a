//! Every bound of the product in one place. Units are in the names.

/// `jute.maxbuffer`: largest client frame, inclusive, in bytes (Apache BinaryInputArchive).
pub const JUTE_MAXBUFFER_BYTES: usize = 0xf_ffff;
/// Largest string or buffer a record may hold: maxbuffer plus its `extrasize`.
pub const JUTE_FIELD_BYTES_MAX: usize = 2 * JUTE_MAXBUFFER_BYTES;
/// Largest election message (QuorumCnxManager PACKETMAXSIZE), in bytes.
pub const ELECTION_FRAME_BYTES_MAX: usize = 512 * 1024;
/// Longest election address text in a connection's first message, in bytes.
pub const ELECTION_ADDRESS_BYTES_MAX: usize = 2048;
/// Bytes queued to one peer or client before its connection is given up.
pub const LINK_QUEUE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Znodes written in one slice of a snapshot, between two steps of the pump.
pub const SNAPSHOT_SLICE_NODES: usize = 512;
/// Committed transactions kept in memory for DIFF (`commitLogCount`).
pub const COMMITTED_LOG_COUNT: usize = 500;
