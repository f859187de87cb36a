//! The order in which outputs are performed, and what may not happen to them.

use bytes::Bytes;

use super::*;
use crate::base::Zxid;
use crate::base::invariant::testing::fires;
use crate::base::{ConnId, Epoch, GaveUp, Note, ServerId};
use crate::config::{ServerConfig, ServerSpec};
use crate::election::{PeerState, Vote};
use crate::peer::io::Input;
use crate::server::Seeds;
use crate::storage::Outcome;

/// Of three servers, and it has not read its disk yet.
fn loading() -> Peer {
    let mut config = ServerConfig::defaults(ServerId(1));
    for sid in [1, 2, 3] {
        config.servers.insert(ServerId(sid), ServerSpec::test(sid));
    }
    Peer::new(Now::default(), config, Seeds::default())
}

fn note(zxid: i64) -> Note {
    Note::Durable { zxid: Zxid(zxid) }
}

/// What is performed, a word each.
fn performed(peer: &mut Peer) -> Vec<String> {
    peer.dispatch(Now::default());
    let word = |output: &Output| match output {
        Output::Note(Note::Durable { zxid }) => format!("note {}", zxid.0),
        Output::Note(Note::GaveUp { .. }) => "gave up".to_string(),
        Output::ClientClose { conn } => format!("close {}", conn.0),
        Output::ElectionDial { .. } => "dial".to_string(),
        _ => "other".to_string(),
    };
    peer.queue.take().iter().map(word).collect()
}

#[test]
fn outputs_are_performed_in_order_and_what_they_cause_behind_them() {
    let mut peer = loading();
    let send = election::core::Output::Send { to: ServerId(2), body: Bytes::new() };
    peer.queue.of_election(|out| out.push(send));
    peer.queue.of_service(|out| out.push(server::Output::Close(ConnId(7))));
    peer.queue.note_in_turn(note(1));
    peer.queue.of_learner(|out| out.push(learner::Output::Note(note(2))));
    assert_eq!(performed(&mut peer), ["close 7", "note 1", "note 2", "dial"]);
}

#[test]
fn what_stands_behind_the_end_of_a_role_is_performed() {
    let mut peer = loading();
    peer.queue.of_leader(|out| {
        out.push(leader::Output::GiveUp(GaveUp::CounterUsedUp));
        out.push(leader::Output::Note(note(1)));
    });
    let words = performed(&mut peer);
    assert_eq!(words.first().map(String::as_str), Some("gave up"));
    assert!(words.contains(&"note 1".to_string()), "{words:?}");
}

#[test]
fn an_output_that_is_left_over_is_found() {
    let mut peer = loading();
    peer.queue.note_in_turn(note(1));
    fires("PE-3", || peer.queue.take());
}

#[test]
fn what_a_role_puts_out_is_performed_while_it_lasts_or_not_at_all() {
    let now = Now::default();
    let (session, timeout_ms) = (SessionId(1), 4000);
    let mut peer = loading();
    peer.queue.of_leader(|out| out.push(leader::Output::Touch { session, timeout_ms }));
    fires("PE-4", || peer.dispatch(now));

    let mut peer = loading();
    peer.queue.of_learner(|out| out.push(learner::Output::Serve));
    fires("PE-8", || peer.dispatch(now));

    let mut peer = loading();
    let (leader, role, vote) = (ServerId(2), PeerState::Following, Vote::nobody());
    let decided = election::core::Output::Decided { leader, role, vote };
    peer.queue.of_election(|out| out.push(decided));
    fires("PE-8", || peer.dispatch(now));
}

#[test]
fn a_client_is_passed_over_only_where_nobody_serves() {
    let now = Now::default();
    let (session, timeout_ms) = (SessionId(1), 4000);
    let mut peer = loading();
    peer.queue.of_service(|out| out.push(server::Output::Touch { session, timeout_ms }));
    assert!(performed(&mut peer).is_empty());
    peer.step_service(now, server::Input::Serve);
    peer.queue.of_service(|out| out.push(server::Output::Touch { session, timeout_ms }));
    fires("PE-7", || peer.dispatch(now));
}

#[test]
fn no_election_begins_while_something_is_on_its_way_to_the_log() {
    let now = Now::default();
    let mut peer = loading();
    peer.write_epoch(EpochKind::Accepted, Epoch(1));
    fires("S-19", || peer.become_looking(now, false, None));
}

#[test]
fn a_disk_is_read_while_the_server_is_loading() {
    let now = Now::default();
    let mut peer = loading();
    let out = peer.step(now, Input::Begin);
    let [Output::Log(ticket, LogRequest::Load)] = out[..] else { panic!("{out:?}") };
    peer.role = Role::Looking;
    let loaded = Outcome::Loaded(Box::default());
    fires("PE-9", || peer.step(now, Input::Stored(ticket, Ok(loaded))));
}
