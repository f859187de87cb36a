//! Every record, against arbitrary bytes and against itself.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::client::*;
use super::data::*;
use super::quorum::{
    LearnerInfo, QuorumPacket, RequestHead, RevalidateReply, RevalidateRequest, Touch,
};
use super::txn::*;
use super::{DecodeError, Jute, Reader};
use crate::base::{SessionId, Zxid};

/// Bytes that get far: lengths that fit, strings, and noise between them.
fn noise() -> impl Strategy<Value = Bytes> {
    let piece = prop_oneof![
        4 => (0..6_i32).prop_map(|n| n.to_be_bytes().to_vec()),
        2 => any::<i32>().prop_map(|n| n.to_be_bytes().to_vec()),
        1 => Just(vec![255; 4]),
        3 => "[/a-z]{0,6}".prop_map(|text| text.to_jute()),
        1 => Just(vec![0; 32]),
        1 => vec(any::<u8>(), 0..20),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat().into())
}

/// Reads arbitrary bytes. What is accepted is written again and read again: the same, and no
/// larger than its bytes can be worth (a malformed byte becomes a character of three).
fn survives<T: Jute + PartialEq + std::fmt::Debug>(bytes: &Bytes) {
    let mut from = Reader::new(bytes.clone());
    let Ok(record) = T::decode(&mut from) else { return };
    let again = record.to_jute();
    assert!(again.len() <= 3 * from.position() + 1, "{record:?} from {bytes:?}");
    // A character beyond U+FFFF is written as two surrogates, and read back as two U+FFFD.
    let has_pair = again.windows(2).any(|two| two[0] == 0xed && two[1] >= 0xa0);
    let again = T::decode(&mut Reader::new(again.into())).expect("what was written reads");
    if !has_pair {
        assert_eq!(again, record);
    }
    assert_eq!(T::decode(&mut Reader::new(again.to_jute().into())), Ok(again));
}

macro_rules! for_all_records {
    ($check:ident $arguments:tt) => {
        for_all_records!($check $arguments;
            Id, Acl, Stat, StatPersisted,
            RequestHeader, ReplyHeader, CreateRequest, CreateTtlRequest, CreateResponse,
            Create2Response, DeleteRequest, PathWatchRequest, PathRequest, StatResponse,
            GetDataResponse, SetDataRequest, GetAclResponse, GetChildrenResponse,
            GetChildren2Response, SetWatches, SetAclRequest, CheckVersionRequest, MultiHeader,
            WatcherEvent, AuthPacket, CreateSessionRequest,
            QuorumPacket, LearnerInfo, Touch, RevalidateRequest, RevalidateReply, RequestHead,
            TxnHeader, TxnDigest, CreateTxn, CreateTtlTxn, CreateContainerTxn, DeleteTxn,
            SetDataTxn, SetAclTxn, CheckVersionTxn, CreateSessionTxn, CloseSessionTxn, ErrorTxn,
            MultiPart
        )
    };
    ($check:ident $arguments:tt; $($record:ty),*) => {
        $($check::<$record> $arguments;)*
    };
}

fn shortest_is_the_default<T: Jute + Default>() {
    assert_eq!(T::BYTES_MIN, T::default().to_jute().len(), "{}", std::any::type_name::<T>());
}

#[test]
fn the_shortest_encoding_of_a_record_is_its_default() {
    for_all_records!(shortest_is_the_default());
}

proptest! {
    #[test]
    fn no_decoder_panics_or_inflates_what_it_reads(bytes in noise()) {
        for_all_records!(survives(&bytes));
        survives::<ConnectRequest>(&bytes);
        survives::<ConnectResponse>(&bytes);
        survives::<Vec<Acl>>(&bytes);
        survives::<Option<Vec<String>>>(&bytes);
    }

    #[test]
    fn no_bytes_make_a_transaction_panic(bytes in noise(), kind in -12..23_i32) {
        let mut from = Reader::new(bytes.clone());
        if let Ok(txn) = Txn::decode(kind, &mut from) {
            let mut again = Vec::new();
            txn.encode(&mut again);
            // The oldest creates end before parentCVersion.
            prop_assert!(again.len() <= 3 * from.position() + 4);
        }
    }

    #[test]
    fn a_proposal_keeps_the_bytes_it_was_given(bytes in noise(), kind in -12..23_i32) {
        let mut whole = TxnHeader { kind, ..TxnHeader::default() }.to_jute();
        whole.extend_from_slice(&bytes);
        let whole = Bytes::from(whole);
        if let Ok(proposal) = Proposal::decode(whole.clone()) {
            prop_assert_eq!(proposal.bytes(), &whole);
            prop_assert!(!proposal.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_proposal_reads_as_it_was_made(proposal in proposal()) {
        prop_assert_eq!(Proposal::decode(proposal.bytes().clone()), Ok(proposal));
    }

    #[test]
    fn a_proposal_cut_anywhere_never_panics(proposal in proposal(), cut in any::<prop::sample::Index>()) {
        let bytes = proposal.bytes();
        let cut = cut.index(bytes.len());
        if let Ok(shorter) = Proposal::decode(bytes.slice(..cut)) {
            // Only where an optional end is cut: the digest, a list, parentCVersion.
            prop_assert_eq!(&shorter.header, &proposal.header);
            prop_assert_ne!(&shorter, &proposal);
        }
    }

    #[test]
    fn a_request_reads_as_it_was_made(path in path(), data in data(), acl in acl(), flags: i32, ttl: i64) {
        let create = CreateRequest { path, data, acl, flags };
        prop_assert_eq!(CreateRequest::decode(&mut Reader::new(create.to_jute().into())), Ok(create.clone()));
        let CreateRequest { path, data, acl, flags } = create;
        let create = CreateTtlRequest { path, data, acl, flags, ttl };
        prop_assert_eq!(CreateTtlRequest::decode(&mut Reader::new(create.to_jute().into())), Ok(create));
    }
}

fn path() -> impl Strategy<Value = String> {
    "(/[a-z\u{e4}\u{4e2d}]{0,8}){1,4}"
}

fn data() -> impl Strategy<Value = Option<Bytes>> {
    option::of(vec(any::<u8>(), 0..40).prop_map(Bytes::from))
}

fn acl() -> impl Strategy<Value = Option<Vec<Acl>>> {
    let id = ("[a-z]{0,6}", "[a-z:]{0,9}").prop_map(|(scheme, id)| Id { scheme, id });
    let entry = (any::<i32>(), id).prop_map(|(perms, id)| Acl { perms, id });
    option::of(vec(entry, 0..4))
}

/// A record and its type.
fn single_txn() -> impl Strategy<Value = (i32, Txn)> {
    let create = |kind| {
        let fields = (path(), data(), acl(), any::<bool>(), any::<i32>());
        fields.prop_map(move |(path, data, acl, ephemeral, parent_cversion)| {
            (kind, Txn::Create(CreateTxn { path, data, acl, ephemeral, parent_cversion }))
        })
    };
    let set_data = |kind| {
        (path(), data(), any::<i32>()).prop_map(move |(path, data, version)| {
            (kind, Txn::SetData(SetDataTxn { path, data, version }))
        })
    };
    let delete = |kind| path().prop_map(move |path| (kind, Txn::Delete(DeleteTxn { path })));
    prop_oneof![
        create(kind::CREATE),
        create(kind::CREATE2),
        delete(kind::DELETE),
        delete(kind::DELETE_CONTAINER),
        set_data(kind::SET_DATA),
        set_data(kind::RECONFIG),
        (path(), data(), acl(), any::<i32>(), any::<i64>()).prop_map(
            |(path, data, acl, parent_cversion, ttl)| {
                let txn = CreateTtlTxn { path, data, acl, parent_cversion, ttl };
                (kind::CREATE_TTL, Txn::CreateTtl(txn))
            }
        ),
        (path(), data(), acl(), any::<i32>()).prop_map(|(path, data, acl, parent_cversion)| {
            let txn = CreateContainerTxn { path, data, acl, parent_cversion };
            (kind::CREATE_CONTAINER, Txn::CreateContainer(txn))
        }),
        (path(), acl(), any::<i32>()).prop_map(|(path, acl, version)| {
            (kind::SET_ACL, Txn::SetAcl(SetAclTxn { path, acl, version }))
        }),
        (path(), any::<i32>()).prop_map(|(path, version)| {
            (kind::CHECK, Txn::CheckVersion(CheckVersionTxn { path, version }))
        }),
        any::<i32>().prop_map(|err| (kind::ERROR, Txn::Error(ErrorTxn { err }))),
    ]
}

fn txn() -> impl Strategy<Value = (i32, Txn)> {
    prop_oneof![
        4 => single_txn(),
        1 => any::<i32>().prop_map(|timeout| {
            (kind::CREATE_SESSION, Txn::CreateSession(CreateSessionTxn { timeout }))
        }),
        2 => option::of(vec(path(), 0..4)).prop_map(|paths| {
            let list = paths.map(|paths_to_delete| CloseSessionTxn { paths_to_delete });
            (kind::CLOSE_SESSION, Txn::CloseSession(list))
        }),
        2 => vec(single_txn(), 0..5).prop_map(|parts| (kind::MULTI, Txn::Multi(parts))),
    ]
}

fn proposal() -> impl Strategy<Value = Proposal> {
    let digest =
        any::<i64>().prop_map(|tree_digest| TxnDigest { version: DIGEST_VERSION, tree_digest });
    let head = (any::<i64>(), any::<i32>(), any::<i64>(), any::<i64>());
    (head, txn(), option::of(digest)).prop_map(
        |((client, cxid, zxid, time), (kind, txn), digest)| {
            let (client_id, zxid) = (SessionId(client), Zxid(zxid));
            Proposal::new(TxnHeader { client_id, cxid, zxid, time, kind }, txn, digest)
        },
    )
}

fn made(kind: i32, body: &[u8]) -> Result<Proposal, DecodeError> {
    let mut bytes = TxnHeader { kind, ..TxnHeader::default() }.to_jute();
    bytes.extend_from_slice(body);
    Proposal::decode(bytes.into())
}

#[test]
fn a_close_session_without_a_list_is_told_from_one_with() {
    let digest = TxnDigest { version: DIGEST_VERSION, tree_digest: 0x0000_0004_2f61_6263 };
    let list = |paths: &[&str]| {
        let paths_to_delete = paths.iter().map(|path| path.to_string()).collect();
        CloseSessionTxn { paths_to_delete }
    };
    let one = list(&["/abc"]);
    assert_eq!(one.to_jute().len(), digest.to_jute().len(), "the two that could be mixed up");
    let cases = [
        (None, None),
        (None, Some(digest.clone())),
        (Some(list(&[])), None),
        (Some(list(&[])), Some(digest.clone())),
        (Some(one.clone()), None),
        (Some(one), Some(digest.clone())),
        (Some(list(&["/a", "/b"])), Some(digest)),
    ];
    for (list, digest) in cases {
        let mut body = list.as_ref().map(Jute::to_jute).unwrap_or_default();
        body.extend(digest.as_ref().map(Jute::to_jute).unwrap_or_default());
        let read = made(kind::CLOSE_SESSION, &body).expect("a closeSession");
        assert_eq!((read.txn, read.digest), (Txn::CloseSession(list), digest));
    }
}

#[test]
fn a_create_of_the_oldest_logs_has_parent_cversion_minus_one() {
    let create = CreateTxn { path: "/x".into(), parent_cversion: 7, ..CreateTxn::default() };
    let body = create.to_jute();
    let read = made(kind::CREATE, &body[..body.len() - 4]).expect("the first form of a create");
    assert_eq!(read.txn, Txn::Create(CreateTxn { parent_cversion: -1, ..create }));
}

#[test]
fn a_multi_inside_a_multi_is_refused() {
    let inner = Vec::<MultiPart>::new().to_jute();
    let nested = vec![MultiPart { kind: kind::MULTI, data: inner.into() }].to_jute();
    let what = "transaction type inside a multi";
    assert_eq!(made(kind::MULTI, &nested), Err(DecodeError::Unknown { what, value: 14 }));
}

#[test]
fn the_types_of_a_multi_decide_its_records() {
    let delete = DeleteTxn { path: "/a".into() };
    let parts =
        vec![(kind::DELETE, Txn::Delete(delete)), (kind::ERROR, Txn::Error(ErrorTxn { err: -2 }))];
    let digest = Some(TxnDigest { version: DIGEST_VERSION, tree_digest: 9 });
    let header = TxnHeader { kind: kind::MULTI, zxid: Zxid(0x1_0000_0001), ..TxnHeader::default() };
    let proposal = Proposal::new(header, Txn::Multi(parts), digest);
    assert_eq!(proposal.to_string(), "0x100000001 multi delete /a; error -2");
    assert_eq!(Proposal::decode(proposal.bytes().clone()), Ok(proposal));
}

#[test]
fn the_last_byte_of_a_connect_request_is_optional() {
    for read_only in [None, Some(false), Some(true)] {
        let request = ConnectRequest { read_only, timeout_ms: 30_000, ..ConnectRequest::default() };
        let bytes = request.to_jute();
        assert_eq!(bytes.len(), 28 + usize::from(read_only.is_some()));
        assert_eq!(ConnectRequest::decode(&mut Reader::new(bytes.into())), Ok(request));
    }
}

#[test]
fn a_character_of_two_units_changes_once_and_then_no_more() {
    survives::<Id>(&Bytes::from_static(b"\0\0\0\0\0\0\0\x04\xf1\x80\x80\x80"));
}
