//! A client's certificate: whatever the bytes are, the names in it are found or they are not.
#![no_main]

use quorate::runtime::os::{hosts_of, subject_of};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = subject_of(data);
    let _ = hosts_of(data);
});
