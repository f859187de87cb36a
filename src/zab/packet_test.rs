use std::rc::Rc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::Packet;
use crate::base::{Epoch, ServerId, SessionId, Zxid};
use crate::jute::client::op;
use crate::jute::quorum::{LearnerInfo, PROTOCOL_VERSION, QuorumPacket, Touch, kind};
use crate::jute::txn::{DeleteTxn, Proposal, Txn, TxnHeader};
use crate::jute::{DecodeError, Jute};
use crate::runtime::{Label, LabelKind};

const ZXID: Zxid = Zxid(0x1_0000_0001);

fn delete() -> Rc<Proposal> {
    let header = TxnHeader { kind: op::DELETE, zxid: ZXID, ..TxnHeader::default() };
    Rc::new(Proposal::new(header, Txn::Delete(DeleteTxn { path: "/x".into() }), None))
}

fn again(packet: &Packet, from_leader: bool) -> Packet {
    let record = QuorumPacket::decode(&mut crate::jute::Reader::new(packet.encode()));
    Packet::decode(record.expect("a whole record"), from_leader).expect("what was just encoded")
}

#[test]
fn a_ping_and_a_revalidate_are_told_from_their_answers_by_direction() {
    let session = SessionId(7);
    let touches = vec![Touch { session, timeout: 30_000 }];
    let both = [
        (Packet::Ping { zxid: ZXID }, true),
        (Packet::PingReply { zxid: ZXID, touches }, false),
        (Packet::PingReply { zxid: ZXID, touches: Vec::new() }, false),
        (Packet::RevalidateReply { session, valid: true }, true),
        (Packet::RevalidateRequest { session, timeout_ms: 30_000 }, false),
    ];
    for (packet, from_leader) in both {
        assert_eq!(again(&packet, from_leader), packet);
    }
}

#[test]
fn pk1_a_proposal_under_another_zxid_is_refused() {
    let other = ZXID.next();
    for kind in [kind::PROPOSAL, kind::INFORM] {
        let packet = QuorumPacket::with_data(kind, other, delete().bytes().clone());
        let what = "zxid of a proposal's packet";
        let refused = Err(DecodeError::Unknown { what, value: other.0 });
        assert_eq!(Packet::decode(packet, true), refused);
    }
}

#[test]
fn pk2_bytes_behind_the_known_fields_are_ignored() {
    let info = LearnerInfo {
        server_id: ServerId(3),
        protocol_version: PROTOCOL_VERSION,
        config_version: 0x1_0000_0000,
    };
    let accepted_epoch = Epoch(4);
    let packets = [
        (Packet::FollowerInfo { accepted_epoch, info: info.clone() }, false),
        (Packet::ObserverInfo { accepted_epoch, info }, false),
        (Packet::LeaderInfo { epoch: Epoch(5) }, true),
        (Packet::AckEpoch { last_zxid: ZXID, current_epoch: Some(Epoch(4)) }, false),
    ];
    for (packet, from_leader) in packets {
        let mut record = packet.to_quorum_packet();
        let data = [record.data.as_deref().unwrap_or_default(), b"later versions"].concat();
        record.data = Some(data.into());
        assert_eq!(Packet::decode(record, from_leader), Ok(packet));
    }
}

#[test]
fn an_epoch_that_was_acked_before_travels_as_minus_one() {
    let packet = Packet::AckEpoch { last_zxid: ZXID, current_epoch: None };
    let data = packet.to_quorum_packet().data.expect("an int");
    assert_eq!(&data[..], [255; 4]);
    assert_eq!(again(&packet, false), packet);
}

#[test]
fn an_unknown_type_and_missing_data_are_errors() {
    let unknown = QuorumPacket::bare(20, ZXID);
    let error = DecodeError::Unknown { what: "packet type", value: 20 };
    assert_eq!(Packet::decode(unknown, true), Err(error));
    for kind in [kind::PROPOSAL, kind::REQUEST, kind::LEADER_INFO, kind::COMMIT_AND_ACTIVATE] {
        let packet = Packet::decode(QuorumPacket::bare(kind, ZXID), true);
        assert_eq!(packet, Err(DecodeError::Null { offset: 12 }));
    }
    let old = QuorumPacket::with_data(kind::LEADER_INFO, ZXID, 0x0ffff.to_jute());
    assert!(Packet::decode(old, true).is_err(), "a leader before Zab 1.0");
}

#[test]
fn packets_print_as_one_line() {
    assert_eq!(Packet::Proposal(delete()).to_string(), "PROPOSAL 0x100000001 delete /x");
    assert_eq!(Packet::Commit { zxid: ZXID }.to_string(), "COMMIT 0x100000001");
    assert_eq!(Packet::UpToDate.to_string(), "UPTODATE");
    let request = Packet::Request {
        session: SessionId(0x10),
        cxid: 3,
        op: op::CREATE,
        body: Bytes::new(),
        auth: None,
    };
    assert_eq!(request.to_string(), "REQUEST session 0x10 cxid 3 create");
}

#[test]
fn the_activating_packets_are_labelled_as_what_they_extend() {
    let designated = ServerId(2);
    let commit = Packet::CommitAndActivate { zxid: ZXID, designated };
    assert_eq!(commit.label(), Label { kind: LabelKind::Commit, zxid: Some(ZXID) });
    let inform = Packet::InformAndActivate { designated, proposal: delete() };
    assert_eq!(inform.label(), Label { kind: LabelKind::Inform, zxid: Some(ZXID) });
    assert_eq!(Packet::UpToDate.label(), Label { kind: LabelKind::UpToDate, zxid: None });
}

proptest! {
    #[test]
    fn no_data_makes_a_packet_panic(
        kind in 0..21_i32,
        zxid: i64,
        data in proptest::option::of(vec(0..4_u8, 0..60)),
        from_leader: bool,
    ) {
        let data = data.map(Bytes::from);
        let record = QuorumPacket { kind, zxid: Zxid(zxid), data, authinfo: None };
        if let Ok(packet) = Packet::decode(record, from_leader) {
            prop_assert_eq!(packet.kind(), kind);
            // Low bits of an epoch's zxid and a constant zxid are not kept, nor are bytes behind
            // the known fields: what is written reads as what it was written from.
            prop_assert_eq!(again(&packet, from_leader), packet);
        }
    }
}
