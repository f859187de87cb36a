//! A transaction log, record by record. What is a record is written again as it was.
#![no_main]

use bytes::Bytes;
use quorate::jute::txn::Proposal;
use quorate::storage::log_format::{encode_log_header, encode_record, read_records};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut file = Vec::new();
    encode_log_header(&mut file);
    let mut again = file.clone();
    // The checksums of what follows are right here: only so does a mutation get to a transaction.
    let (count, mut rest) = data.split_first().unwrap_or((&0, &[]));
    for _ in 0..*count % 4 {
        let length = rest.first().map_or(0, |length| usize::from(*length).min(rest.len()));
        let (payload, behind) = rest.split_at(length);
        if !payload.is_empty() {
            encode_record(payload, &mut file);
        }
        rest = behind;
    }
    file.extend_from_slice(rest);
    let file = Bytes::from(file);
    let (end, _) = read_records(&file, |offset, payload| {
        assert_eq!(offset, again.len() as u64);
        encode_record(&payload, &mut again);
        if let Ok(proposal) = Proposal::decode(payload) {
            let _ = proposal.to_string();
        }
    });
    assert_eq!(file[..end as usize], again[..]);
});
