//! A transaction as the log and PROPOSAL carry it: its bytes are kept, its fields survive.
#![no_main]

use bytes::Bytes;
use quorate::jute::txn::Proposal;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    let Ok(proposal) = Proposal::decode(bytes.clone()) else { return };
    assert_eq!(proposal.bytes(), &bytes);
    let (header, txn, digest) = (&proposal.header, &proposal.txn, &proposal.digest);
    let made = Proposal::new(header.clone(), txn.clone(), digest.clone());
    let again = Proposal::decode(made.bytes().clone()).expect("a proposal made of its fields");
    assert_eq!((&again.header, &again.txn, &again.digest), (header, txn, digest));
});
