//! The body of an election message, and the first message of an election connection.
#![no_main]

use bytes::Bytes;
use quorate::election::packet::{Handshake, Notification};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Handshake::decode(data);
    let Ok(notification) = Notification::decode(Bytes::copy_from_slice(data)) else { return };
    let _ = Notification::decode(notification.encode());
});
