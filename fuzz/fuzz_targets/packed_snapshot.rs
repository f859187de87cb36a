//! A packed snapshot: in whatever pieces it comes, it unpacks to the same bytes or to the same failure.
#![no_main]

use quorate::storage::snapshot_format::{Compression, SnapshotFault, Unpacker};

const SNAPPY_HEAD: &[u8] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";
/// Of a gzip member without name or time.
const GZIP_HEAD: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03";

fn unpack(packed: &[u8], as_what: Compression, piece: usize) -> Result<Vec<u8>, SnapshotFault> {
    let (mut unpacker, mut plain) = (Unpacker::new(as_what), Vec::new());
    for piece in packed.chunks(piece) {
        unpacker.feed(piece, &mut plain)?;
    }
    unpacker.finish(&mut plain)?;
    Ok(plain)
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for (as_what, head) in [(Compression::Snappy, SNAPPY_HEAD), (Compression::Gz, GZIP_HEAD)] {
        for head in [&[][..], head] {
            let packed = [head, data].concat();
            let whole = unpack(&packed, as_what, packed.len().max(1));
            for piece in [1, 7] {
                let pieces = unpack(&packed, as_what, piece);
                assert_eq!(whole.as_ref().ok(), pieces.as_ref().ok());
            }
        }
    }
});
