//! Every byte that Apache ZooKeeper's leaders and learners sent each other, read and written again.

mod golden_files;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use golden_files::{
    SnapshotNode, acl, buffer, bytes, files, hex, ids, json_file, number, slice, text,
};
use quorate::base::Epoch;
use quorate::jute::client::{CreateRequest, CreateSessionRequest, PathRequest, SetDataRequest, op};
use quorate::jute::data::{Acl, StatPersisted};
use quorate::jute::quorum::{QuorumPacket, Touch, kind_name};
use quorate::jute::txn::{Proposal, Txn};
use quorate::jute::{Jute, Reader};
use quorate::zab::Packet;
use serde_json::{Value, json};

/// One captured packet: its bytes without an inline snapshot, its index entry, who sent it.
struct Captured {
    file: String,
    bytes: Bytes,
    stream: Bytes,
    entry: Value,
    from_leader: bool,
    /// `quorum/VERSION/SCENARIO.json`
    scenario: String,
}

impl Captured {
    fn place(&self) -> String {
        format!("{} offset {} {}", self.file, self.entry["o"], self.entry["kind"])
    }

    fn record(&self) -> QuorumPacket {
        let mut from = Reader::new(self.bytes.clone());
        let record = QuorumPacket::decode(&mut from);
        let record = record.unwrap_or_else(|e| panic!("{}: {e}", self.place()));
        assert_eq!(from.remaining(), 0, "{}", self.place());
        record
    }

    fn packet(&self) -> Packet {
        Packet::decode(self.record(), self.from_leader)
            .unwrap_or_else(|e| panic!("{}: {e}", self.place()))
    }
}

fn captured() -> Vec<Captured> {
    let mut all = Vec::new();
    for file in files("quorum") {
        let name = text(&file, "file");
        let stream = bytes(name);
        let mut end = 0;
        for entry in file["packets"].as_array().expect("packets") {
            assert_eq!(number(entry, "o"), end, "{name}: the index leaves no gap");
            end += number(entry, "l");
            let whole = slice(&stream, entry);
            if entry["kind"] == "INCOMPLETE" {
                continue;
            }
            let length = entry["packetLength"].as_i64().unwrap_or(whole.len() as i64) as usize;
            all.push(Captured {
                file: name.to_owned(),
                bytes: whole.slice(..length),
                stream: whole.slice(length..),
                entry: entry.clone(),
                // A learner connects to its leader.
                from_leader: file["initiatorSide"] == false,
                scenario: format!("quorum/{}.json", text(&file, "scenario")),
            });
        }
        assert_eq!(end as usize, stream.len(), "{name}: the index covers every byte");
    }
    assert!(all.len() > 2000, "only {} packets in the index", all.len());
    all
}

#[test]
fn every_packet_is_written_as_it_was_read() {
    let mut kinds = BTreeSet::new();
    for captured in captured() {
        let record = captured.record();
        assert_eq!(record.to_jute(), captured.bytes, "{}", captured.place());
        assert_eq!(kind_name(record.kind), text(&captured.entry, "kind"), "{}", captured.place());
        assert_eq!(hex(record.zxid.0), captured.entry["zxid"], "{}", captured.place());

        let packet = captured.packet();
        assert_eq!(packet.kind(), record.kind, "{}", captured.place());
        assert_eq!(packet.encode(), captured.bytes, "{}", captured.place());
        kinds.insert(record.kind);
    }
    assert_eq!(kinds, BTreeSet::from_iter(1..=19), "a packet type was never captured");
}

#[test]
fn every_packet_says_what_the_index_says() {
    for captured in captured() {
        let entry = &captured.entry;
        let said = said(&captured.packet());
        for (key, value) in said.as_object().expect("an object") {
            assert_eq!(value, &entry[key], "{}: {key}", captured.place());
        }
        // Nothing in the index but what is checked here or elsewhere.
        let elsewhere = [
            "o",
            "l",
            "t",
            "kind",
            "zxid",
            "txn",
            "request",
            "config",
            "emptyData",
            "packetLength",
            "signature",
            "streamOffset",
            "streamLength",
            "acls",
            "nodeCount",
            "paths",
            "digest",
            "op",
        ];
        for key in entry.as_object().expect("an object").keys() {
            let stream = entry["kind"] == "SNAP" && key == "sessions";
            let known = elsewhere.contains(&key.as_str()) || stream || said.get(key).is_some();
            assert!(known, "{}: {key} is not compared", captured.place());
        }
    }
}

/// A packet's fields in the words of the index.
fn said(packet: &Packet) -> Value {
    match packet {
        Packet::FollowerInfo { info, .. } | Packet::ObserverInfo { info, .. } => json!({
            "learnerInfo": {
                "serverid": info.server_id.0,
                "protocolVersion": info.protocol_version,
                "configVersion": hex(info.config_version),
            }
        }),
        Packet::LeaderInfo { .. } => json!({ "protocolVersion": 0x10000 }),
        Packet::AckEpoch { current_epoch, .. } => {
            json!({ "currentEpoch": current_epoch.map_or(-1, |Epoch(epoch)| epoch) })
        }
        Packet::PingReply { touches, .. } if !touches.is_empty() => {
            json!({ "sessions": touches.iter().map(touch).collect::<Value>() })
        }
        Packet::RevalidateRequest { session, timeout_ms } => {
            json!({ "sessionId": hex(session.0), "timeout": timeout_ms })
        }
        Packet::RevalidateReply { session, valid } => {
            json!({ "sessionId": hex(session.0), "valid": valid })
        }
        Packet::Request { session, cxid, op, auth, .. } => {
            let mut said = json!({ "sessionId": hex(session.0), "cxid": cxid, "opcode": op });
            if let Some(auth) = auth {
                said["authinfo"] = ids(auth);
            }
            said
        }
        Packet::CommitAndActivate { designated, .. }
        | Packet::InformAndActivate { designated, .. } => {
            json!({ "designatedLeader": designated.0 })
        }
        _ => json!({}),
    }
}

fn touch(touch: &Touch) -> Value {
    json!({ "sessionId": hex(touch.session.0), "timeout": touch.timeout })
}

#[test]
fn every_new_leader_carries_the_configuration_of_the_index() {
    let mut seen = 0;
    for captured in captured() {
        let Packet::NewLeader { config, .. } = captured.packet() else { continue };
        let configs = &json_file(&captured.scenario)["configs"];
        let expected = text(configs, text(&captured.entry, "config"));
        let config = config.unwrap_or_else(|| panic!("{}: no config", captured.place()));
        assert_eq!(config, expected.as_bytes(), "{}", captured.place());
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn every_proposal_is_encoded_from_its_fields_as_it_was_captured() {
    let mut scenarios = BTreeMap::new();
    let mut kinds = BTreeSet::new();
    for captured in captured() {
        let (Packet::Proposal(proposal)
        | Packet::Inform(proposal)
        | Packet::InformAndActivate { proposal, .. }) = captured.packet()
        else {
            continue;
        };
        let (header, txn) = (proposal.header.clone(), proposal.txn.clone());
        let again = Proposal::new(header, txn, proposal.digest.clone());
        assert_eq!(again.bytes(), proposal.bytes(), "{}", captured.place());
        assert_eq!(again.hash(), proposal.hash(), "{}", captured.place());

        let scenario = scenarios
            .entry(captured.scenario.clone())
            .or_insert_with(|| json_file(&captured.scenario));
        let expected = &scenario["txns"][text(&captured.entry, "txn")];
        compare_proposal(&proposal, expected, &captured.place());
        kinds.insert(proposal.header.kind);
    }
    // Every type there is but 13, which stands inside a multi only.
    let all = [-11, -10, -1, 1, 2, 5, 7, 14, 15, 16, 19, 20, 21];
    assert_eq!(kinds, BTreeSet::from_iter(all), "a transaction type was never captured");
}

fn compare_proposal(proposal: &Proposal, expected: &Value, place: &str) {
    let header = &proposal.header;
    let said = json!({
        "clientId": hex(header.client_id.0),
        "cxid": header.cxid,
        "zxid": hex(header.zxid.0),
        "time": header.time,
        "type": header.kind,
    });
    assert_eq!(said, expected["header"], "{place}");
    assert_eq!(txn(&proposal.txn), expected["txn"], "{place}");
    let digest = proposal.digest.as_ref().map_or(
        Value::Null,
        |digest| json!({ "version": digest.version, "treeDigest": hex(digest.tree_digest) }),
    );
    assert_eq!(digest, expected["digest"], "{place}");
}

fn txn(record: &Txn) -> Value {
    match record {
        Txn::Create(t) => json!({
            "path": t.path, "data": buffer(&t.data), "acl": acl(&t.acl),
            "ephemeral": t.ephemeral, "parentCVersion": t.parent_cversion,
        }),
        Txn::CreateTtl(t) => json!({
            "path": t.path, "data": buffer(&t.data), "acl": acl(&t.acl),
            "parentCVersion": t.parent_cversion, "ttl": t.ttl,
        }),
        Txn::CreateContainer(t) => json!({
            "path": t.path, "data": buffer(&t.data), "acl": acl(&t.acl),
            "parentCVersion": t.parent_cversion,
        }),
        Txn::Delete(t) => json!({ "path": t.path }),
        Txn::SetData(t) => {
            json!({ "path": t.path, "data": buffer(&t.data), "version": t.version })
        }
        Txn::SetAcl(t) => json!({ "path": t.path, "acl": acl(&t.acl), "version": t.version }),
        Txn::CreateSession(t) => json!({ "timeOut": t.timeout }),
        Txn::CloseSession(None) => Value::Null,
        Txn::CloseSession(Some(t)) => json!({ "paths2Delete": t.paths_to_delete }),
        Txn::Error(t) => json!({ "err": t.err }),
        Txn::CheckVersion(t) => json!({ "path": t.path, "version": t.version }),
        Txn::Multi(parts) => {
            let part = |(kind, part): &(i32, Txn)| {
                let mut data = Vec::new();
                part.encode(&mut data);
                json!({
                    "type": kind, "data": buffer(&Some(data.into())),
                    "record": record_name(part), "decoded": txn(part),
                })
            };
            json!({ "txns": parts.iter().map(part).collect::<Value>() })
        }
    }
}

fn record_name(txn: &Txn) -> &'static str {
    match txn {
        Txn::Create(_) => "CreateTxn",
        Txn::CreateTtl(_) => "CreateTTLTxn",
        Txn::CreateContainer(_) => "CreateContainerTxn",
        Txn::Delete(_) => "DeleteTxn",
        Txn::SetData(_) => "SetDataTxn",
        Txn::SetAcl(_) => "SetACLTxn",
        Txn::CreateSession(_) => "CreateSessionTxn",
        Txn::CloseSession(_) => "CloseSessionTxn",
        Txn::Error(_) => "ErrorTxn",
        Txn::CheckVersion(_) => "CheckVersionTxn",
        Txn::Multi(_) => "MultiTxn",
    }
}

#[test]
fn every_snapshot_behind_a_snap_is_written_as_it_was_read() {
    let mut seen = 0;
    for captured in captured() {
        if captured.stream.is_empty() {
            assert_ne!(captured.entry["kind"], "SNAP", "{}", captured.place());
            continue;
        }
        assert_eq!(captured.stream.len() as i64, number(&captured.entry, "streamLength"));
        compare_snapshot(&captured);
        seen += 1;
    }
    assert_eq!(seen, 8);
}

fn compare_snapshot(captured: &Captured) {
    let place = captured.place();
    let from = &mut Reader::new(captured.stream.clone());
    let sessions: Vec<Touch> = read(from, &place);
    let acls: Vec<(i64, Vec<Acl>)> =
        (0..read::<i32>(from, &place)).map(|_| (read(from, &place), read(from, &place))).collect();
    let mut nodes = Vec::new();
    loop {
        let path: String = read(from, &place);
        if path == "/" {
            break;
        }
        let (data, acl) = (read(from, &place), read(from, &place));
        nodes.push(SnapshotNode { path, data, acl, stat: read(from, &place) });
    }
    let signature: String = read(from, &place);
    assert_eq!((signature.as_str(), from.remaining()), ("BenWasHere", 0), "{place}");

    let mut out = Vec::new();
    sessions.encode(&mut out);
    (acls.len() as i32).encode(&mut out);
    for (index, acl) in &acls {
        index.encode(&mut out);
        acl.encode(&mut out);
    }
    for SnapshotNode { path, data, acl, stat } in &nodes {
        path.encode(&mut out);
        data.encode(&mut out);
        acl.encode(&mut out);
        StatPersisted::encode(stat, &mut out);
    }
    "/".to_owned().encode(&mut out);
    signature.encode(&mut out);
    assert_eq!(out, captured.stream, "{place}");

    let entry = &captured.entry;
    let session = |s: &Touch| json!({ "id": hex(s.session.0), "timeout": s.timeout });
    assert_eq!(sessions.iter().map(session).collect::<Value>(), entry["sessions"], "{place}");
    let acl_entry = |(index, list): &(i64, Vec<Acl>)| json!({ "index": index, "acl": acl(&Some(list.clone())) });
    assert_eq!(acls.iter().map(acl_entry).collect::<Value>(), entry["acls"], "{place}");
    assert_eq!(nodes.len() as i64, number(entry, "nodeCount"), "{place}");
    assert_eq!(nodes.iter().map(|n| json!(n.path)).collect::<Value>(), entry["paths"], "{place}");
    for node in &nodes {
        let known = node.acl == -1 || acls.iter().any(|(index, _)| *index == node.acl);
        assert!(known, "{place}: {} has an unknown ACL {}", node.path, node.acl);
    }
}

fn read<T: Jute>(from: &mut Reader, place: &str) -> T {
    T::decode(from).unwrap_or_else(|e| panic!("{place}: {e}"))
}

#[test]
fn the_body_of_a_forwarded_request_is_the_clients_own_record() {
    let mut compared = 0;
    for captured in captured() {
        let Packet::Request { op, body, .. } = captured.packet() else { continue };
        let (place, from) = (captured.place(), &mut Reader::new(body.clone()));
        let (said, again) = match op {
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => {
                let r: CreateRequest = read(from, &place);
                let said = json!({
                    "path": r.path, "data": buffer(&r.data), "acl": acl(&r.acl), "flags": r.flags,
                });
                (said, r.to_jute())
            }
            op::SET_DATA => {
                let r: SetDataRequest = read(from, &place);
                let said = json!({ "path": r.path, "data": buffer(&r.data), "version": r.version });
                (said, r.to_jute())
            }
            op::SYNC => {
                let r: PathRequest = read(from, &place);
                (json!({ "path": r.path }), r.to_jute())
            }
            op::CREATE_SESSION => {
                let r: CreateSessionRequest = read(from, &place);
                (json!({ "timeOut": r.timeout }), r.to_jute())
            }
            _ => continue,
        };
        assert_eq!((from.remaining(), again.as_slice()), (0, &body[..]), "{place}");
        assert_eq!(said, captured.entry["request"], "{place}");
        compared += 1;
    }
    assert!(compared > 50, "only {compared} requests compared");
}

#[test]
fn every_packet_prints_as_one_line_and_has_a_label() {
    for captured in captured() {
        let packet = captured.packet();
        let line = packet.to_string();
        assert!(line.starts_with(text(&captured.entry, "kind")), "{line}");
        assert!(!line.contains('\n'), "{line}");
        if let Some(zxid) = packet.label().zxid {
            assert_eq!(hex(zxid.0), captured.entry["zxid"], "{line}");
        }
    }
}
