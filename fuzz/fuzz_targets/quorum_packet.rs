//! A stream on the quorum port, from either side: what is understood is written and understood again.
#![no_main]

use bytes::Bytes;
use quorate::jute::quorum::QuorumPacket;
use quorate::jute::{Jute, Reader};
use quorate::zab::Packet;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut from = Reader::new(Bytes::copy_from_slice(data));
    while let Ok(record) = QuorumPacket::decode(&mut from) {
        for from_leader in [true, false] {
            let Ok(packet) = Packet::decode(record.clone(), from_leader) else { continue };
            let again = QuorumPacket::decode(&mut Reader::new(packet.encode()));
            let again = again.and_then(|record| Packet::decode(record, from_leader));
            assert_eq!(again, Ok(packet));
        }
    }
});
