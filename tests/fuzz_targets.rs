//! Every fuzz target over inputs drawn at random, so that each change compiles them and their
//! stories go on working. `make fuzz` looks for what only libFuzzer finds.
#![allow(
    unused_attributes,
    reason = "the targets are programs without main, here they are modules"
)]

use std::collections::BTreeSet;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

// A target names the macro by the crate that it has it from.
extern crate self as libfuzzer_sys;

#[macro_export]
macro_rules! fuzz_target {
    (|$data:ident: &[u8]| $body:block) => {
        pub(crate) fn run($data: &[u8]) {
            $body
        }
    };
}

macro_rules! targets {
    ($($name:ident in $file:literal, $cases:literal cases of $inputs:expr;)*) => {$(
        #[path = $file]
        #[allow(clippy::duplicate_mod, reason = "two of them have a module in common")]
        mod $name;

        #[test]
        fn $name() {
            holds($name::run, $cases, $inputs);
        }
    )*

        #[test]
        fn each_target_is_here() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
            let here: BTreeSet<_> = [$($file),*].map(|file| folder.join(file)).into();
            let files = std::fs::read_dir(folder.join("../fuzz/fuzz_targets")).expect("the targets");
            let files = files.map(|entry| entry.expect("an entry").path());
            assert_eq!(files.filter(|file| file.is_file()).collect::<BTreeSet<_>>(), here);
        }
    };
}

targets! {
    certificate in "../fuzz/fuzz_targets/certificate.rs", 1000 cases of bytes();
    client_frame in "../fuzz/fuzz_targets/client_frame.rs", 1000 cases of bytes();
    clients in "../fuzz/fuzz_targets/clients.rs", 400 cases of story(1);
    notification in "../fuzz/fuzz_targets/notification.rs", 1000 cases of bytes();
    packed_snapshot in "../fuzz/fuzz_targets/packed_snapshot.rs", 1000 cases of bytes();
    peers in "../fuzz/fuzz_targets/peers.rs", 400 cases of story(3);
    proposal in "../fuzz/fuzz_targets/proposal.rs", 1000 cases of bytes();
    quorum_packet in "../fuzz/fuzz_targets/quorum_packet.rs", 1000 cases of bytes();
    snapshot in "../fuzz/fuzz_targets/snapshot.rs", 1000 cases of bytes();
    txnlog in "../fuzz/fuzz_targets/txnlog.rs", 1000 cases of bytes();
}

fn bytes() -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), 0..200).boxed()
}

/// Deeds: so many bytes that say what is done, two of length, and a body.
fn story(head: usize) -> BoxedStrategy<Vec<u8>> {
    let deed = (vec(any::<u8>(), head), vec(any::<u8>(), 0..40)).prop_map(|(mut deed, body)| {
        deed.extend((body.len() as u16).to_be_bytes());
        deed.extend(body);
        deed
    });
    vec(deed, 0..40).prop_map(|deeds| deeds.concat()).boxed()
}

fn holds(target: fn(&[u8]), cases: u32, inputs: BoxedStrategy<Vec<u8>>) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let found = TestRunner::new(config).run(&inputs, |data| {
        target(&data);
        Ok(())
    });
    found.expect("the target holds");
}
