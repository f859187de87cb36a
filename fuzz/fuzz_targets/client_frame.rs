//! A client's frame without its length: as a first message, and as a request of its operation.
#![no_main]

use bytes::Bytes;
use quorate::jute::client::*;
use quorate::jute::{Jute, Reader};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut from = Reader::new(Bytes::copy_from_slice(data));
    same_again::<ConnectRequest>(&mut from.clone());
    let Ok(RequestHeader { op, .. }) = Jute::decode(&mut from) else { return };
    request(op, &mut from);
});

fn request(op: i32, from: &mut Reader) {
    match op {
        op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => same_again::<CreateRequest>(from),
        op::CREATE_TTL => same_again::<CreateTtlRequest>(from),
        op::DELETE => same_again::<DeleteRequest>(from),
        op::SET_DATA => same_again::<SetDataRequest>(from),
        op::SET_ACL => same_again::<SetAclRequest>(from),
        op::CHECK => same_again::<CheckVersionRequest>(from),
        op::AUTH => same_again::<AuthPacket>(from),
        op::SET_WATCHES => same_again::<SetWatches>(from),
        op::SET_WATCHES2 => same_again::<SetWatches2>(from),
        op::ADD_WATCH => same_again::<AddWatchRequest>(from),
        op::CHECK_WATCHES | op::REMOVE_WATCHES => same_again::<WatcherTypeRequest>(from),
        op::GET_EPHEMERALS => same_again::<GetEphemeralsRequest>(from),
        op::DELETE_CONTAINER => same_again::<DeleteContainerRequest>(from),
        op::RECONFIG => same_again::<ReconfigRequest>(from),
        op::SASL => same_again::<SaslToken>(from),
        op::GET_ACL | op::SYNC | op::GET_ALL_CHILDREN_NUMBER => same_again::<PathRequest>(from),
        op::MULTI | op::MULTI_READ => {
            while let Ok(MultiHeader { kind, done: false, .. }) = Jute::decode(from) {
                if kind != op::MULTI && kind != op::MULTI_READ {
                    request(kind, from);
                }
            }
        }
        _ => same_again::<PathWatchRequest>(from),
    }
}

fn same_again<T: Jute + PartialEq + std::fmt::Debug>(from: &mut Reader) {
    let Ok(record) = T::decode(from) else { return };
    assert_eq!(T::decode(&mut Reader::new(record.to_jute().into())), Ok(record));
}
