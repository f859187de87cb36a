//! A snapshot behind SNAP, and a snapshot file.
#![no_main]

use bytes::Bytes;
use quorate::jute::Reader;
use quorate::jute::persist::decode_snapshot_body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = decode_snapshot_body(&mut Reader::new(Bytes::copy_from_slice(data)));
});
