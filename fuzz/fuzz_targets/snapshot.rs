//! A snapshot file, and a snapshot behind SNAP.
#![no_main]

use bytes::Bytes;
use quorate::base::Zxid;
use quorate::database::Database;
use quorate::storage::snapshot_decoder::decode_snapshot;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    let _ = decode_snapshot(bytes.clone());
    let _ = Database::empty(0).install_stream(Zxid(1), bytes);
});
