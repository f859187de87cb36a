//! Start orders, histories and delays against the leader that ZooKeeper would elect.
//!
//! A discrete-event world of election cores alone: a message takes its link's latency, the newest
//! message to a server that is down waits for it, a leader with a quorum of followers is
//! established at once. Connections and Zab itself are not in it.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::core::{Election, Input, Output};
use super::packet::{Notification, PeerState};
use super::test_ensemble::Ensemble;
use crate::base::{Epoch, Mono, Note, Now, ServerId, Zxid};
use crate::quorum::QuorumVerifier;

enum Event {
    Start(i64),
    Message { from: i64, to: i64, body: Bytes },
    Wake(i64),
}

#[derive(Default)]
struct Server {
    /// Absent while the server is down.
    election: Option<Election>,
    zxid: i64,
    epoch: i64,
    wake_ms: Option<u64>,
}

struct World {
    ensemble: Ensemble,
    verifier: QuorumVerifier,
    servers: BTreeMap<i64, Server>,
    /// By time in milliseconds, then in the order of their making.
    events: BTreeMap<(u64, u64), Event>,
    made: u64,
    now_ms: u64,
    latency_ms: fn(i64, i64) -> u64,
    /// The newest message from one server to another that is down.
    waiting: BTreeMap<(i64, i64), Bytes>,
    /// The leader that has a quorum, and its epoch.
    established: Option<(i64, i64)>,
}

impl World {
    fn new(ensemble: Ensemble) -> World {
        let verifier = QuorumVerifier::new(&ensemble.config(1));
        let servers = verifier.servers().keys().map(|sid| (sid.0, Server::default())).collect();
        World {
            ensemble,
            verifier,
            servers,
            events: BTreeMap::new(),
            made: 0,
            now_ms: 0,
            latency_ms: |_, _| 1,
            waiting: BTreeMap::new(),
            established: None,
        }
    }

    fn voters(count: i64) -> World {
        World::new(Ensemble::of_voters(count))
    }

    /// The epoch and last zxid that a server has on its disk.
    fn history(mut self, sid: i64, epoch: i64, zxid: (i64, u32)) -> World {
        let server = self.servers.get_mut(&sid).expect("a server");
        server.epoch = epoch;
        server.zxid = Zxid::new(Epoch(zxid.0), zxid.1).0;
        self
    }

    fn schedule(&mut self, at_ms: u64, event: Event) {
        self.made += 1;
        assert!(self.made < 20_000, "servers answer each other for ever");
        self.events.insert((at_ms, self.made), event);
    }

    fn start(&mut self, sid: i64, at_ms: u64) {
        self.schedule(at_ms, Event::Start(sid));
    }

    /// All at once, at 0 ms; then everything that happens within two minutes.
    fn together(mut self, sids: &[i64]) -> World {
        sids.iter().for_each(|sid| self.start(*sid, 0));
        self.run()
    }

    /// One after another, `gap_ms` apart.
    fn one_by_one(mut self, sids: &[i64], gap_ms: u64) -> World {
        (0..).step_by(gap_ms as usize).zip(sids).for_each(|(at, sid)| self.start(*sid, at));
        self.run()
    }

    fn crash(mut self, sids: &[i64]) -> World {
        for sid in sids {
            let server = self.servers.get_mut(sid).expect("a server");
            (server.election, server.wake_ms) = (None, None);
            self.waiting.retain(|(from, _), _| from != sid);
        }
        self
    }

    /// Everybody that is up gives its role up.
    fn look(mut self) -> World {
        self.established = None;
        let up: Vec<i64> = self.up().collect();
        up.into_iter().for_each(|sid| self.start(sid, self.now_ms + 1));
        self.run()
    }

    fn run(mut self) -> World {
        let end_ms = self.now_ms + 120_000;
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > end_ms {
                break;
            }
            self.now_ms = entry.key().0;
            match entry.remove() {
                Event::Start(sid) => self.on_start(sid),
                Event::Message { from, to, body } => self.on_message(from, to, body),
                Event::Wake(sid) => self.on_wake(sid),
            }
        }
        self.now_ms = end_ms;
        self
    }

    fn up(&self) -> impl Iterator<Item = i64> + '_ {
        self.servers.iter().filter(|(_, server)| server.election.is_some()).map(|(sid, _)| *sid)
    }

    fn on_start(&mut self, sid: i64) {
        let config = self.ensemble.config(sid);
        let server = self.servers.get_mut(&sid).expect("a server");
        let verifier = self.verifier.clone();
        server.election.get_or_insert_with(|| Election::new(&config, verifier));
        let input = Input::Look {
            zxid: Zxid(server.zxid),
            epoch: Epoch(server.epoch),
            after_term: false,
            successor: None,
        };
        self.step(sid, input);
        let waiting: Vec<_> = self.waiting.extract_if(.., |(_, to), _| *to == sid).collect();
        for ((from, to), body) in waiting {
            let at_ms = self.now_ms + (self.latency_ms)(from, to);
            self.schedule(at_ms, Event::Message { from, to, body });
        }
    }

    fn on_message(&mut self, from: i64, to: i64, body: Bytes) {
        if self.servers[&to].election.is_none() {
            self.waiting.insert((from, to), body);
            return;
        }
        let notification = Notification::decode(body).expect("what a core encoded");
        self.step(to, Input::Notification { from: ServerId(from), notification });
    }

    fn on_wake(&mut self, sid: i64) {
        if self.servers[&sid].wake_ms == Some(self.now_ms) {
            let delivered = self.waiting.keys().all(|(from, _)| *from != sid);
            self.step(sid, Input::Timer { delivered });
        }
    }

    fn step(&mut self, sid: i64, input: Input) {
        let now = Now { mono: Mono(self.now_ms * 1_000_000), wall_ms: 0 };
        let server = self.servers.get_mut(&sid).expect("a server");
        let mut out = Vec::new();
        server.election.as_mut().expect("is up").step(now, input, &mut out);
        for output in out {
            match output {
                Output::Send { to, body } => {
                    let (from, to) = (sid, to.0);
                    let at_ms = self.now_ms + (self.latency_ms)(from, to);
                    self.schedule(at_ms, Event::Message { from, to, body });
                }
                Output::WakeAt(at) => {
                    let wake_ms = (at != Mono::FAR).then_some(at.millis());
                    self.servers.get_mut(&sid).expect("a server").wake_ms = wake_ms;
                    if let Some(at_ms) = wake_ms {
                        self.schedule(at_ms, Event::Wake(sid));
                    }
                }
                Output::Note(Note::Elected { voters, .. }) => {
                    assert!(self.verifier.contains_quorum(&voters), "S-20: {sid} by {voters:?}");
                }
                Output::ConnectAll
                | Output::Connect { .. }
                | Output::Decided { .. }
                | Output::Note(_) => {}
                Output::ConfigVersion(_) | Output::MembersChanged(_) => {
                    unreachable!("all have one configuration")
                }
            }
        }
        self.establish();
    }

    /// Leaders with a quorum of followers get an epoch, and so does everybody that joined them.
    fn establish(&mut self) {
        let leaders: Vec<i64> =
            self.up().filter(|sid| self.role(*sid) == PeerState::Leading).collect();
        for leader in leaders {
            let members: Vec<ServerId> = self
                .up()
                .filter(|sid| self.role(*sid) != PeerState::Looking && self.follows(*sid) == leader)
                .map(ServerId)
                .collect();
            if !self.verifier.contains_quorum(&members) {
                continue;
            }
            let newest = members.iter().map(|sid| self.servers[&sid.0].epoch).max();
            let next = newest.expect("a quorum is not empty") + 1;
            let known = self.established.filter(|(of, _)| *of == leader);
            let (_, epoch) = *self.established.insert(known.unwrap_or((leader, next)));
            let now = Now { mono: Mono(self.now_ms * 1_000_000), wall_ms: 0 };
            for sid in members {
                let server = self.servers.get_mut(&sid.0).expect("a server");
                server.epoch = epoch;
                let (input, mut out) = (Input::Established { epoch: Epoch(epoch) }, Vec::new());
                server.election.as_mut().expect("is up").step(now, input, &mut out);
                assert_eq!(out, [], "it has nobody to tell");
            }
        }
    }

    fn election(&self, sid: i64) -> &Election {
        self.servers[&sid].election.as_ref().expect("is up")
    }

    fn role(&self, sid: i64) -> PeerState {
        self.election(sid).state()
    }

    fn follows(&self, sid: i64) -> i64 {
        self.election(sid).vote().leader.0
    }

    /// The epoch a server established or joined, as it tells others.
    fn peer_epoch(&self, sid: i64) -> i64 {
        self.election(sid).vote().peer_epoch.0
    }

    /// All that are up have a role under this leader.
    #[track_caller]
    fn leads(self, leader: i64) -> World {
        for sid in self.up() {
            let expected = match sid {
                _ if sid == leader => PeerState::Leading,
                _ if self.verifier.is_voter(ServerId(sid)) => PeerState::Following,
                _ => PeerState::Observing,
            };
            let (role, of) = (self.role(sid), self.follows(sid));
            assert_eq!((role, of), (expected, leader), "server {sid}");
        }
        self
    }

    #[track_caller]
    fn nobody_leads(self) -> World {
        for sid in self.up() {
            assert_eq!(self.role(sid), PeerState::Looking, "server {sid}");
        }
        self
    }
}

#[test]
fn row_1_one_by_one_the_third_of_five_leads() {
    World::voters(5).one_by_one(&[1, 2, 3, 4, 5], 5000).leads(3);
}

#[test]
fn row_2_together_the_highest_leads() {
    World::voters(5).together(&[1, 2, 3, 4, 5]).leads(5);
}

#[test]
fn row_3_downwards_the_first_leads() {
    World::voters(5).one_by_one(&[5, 4, 3, 2, 1], 5000).leads(5);
}

#[test]
fn row_4_the_third_server_completes_the_quorum_and_the_best_of_three_leads() {
    World::voters(5).one_by_one(&[1, 5, 2, 3, 4], 5000).leads(5);
}

/// Servers 1 and 2, then 3, and 4 a little later.
fn fourth_starts_after(gap_ms: u64, finalize_ms: u64) -> World {
    let mut world = World::voters(5);
    world.ensemble.set_finalize_wait_ms(finalize_ms);
    for (sid, at_ms) in [(1, 0), (2, 5000), (3, 10_000), (4, 10_000 + gap_ms), (5, 20_000)] {
        world.start(sid, at_ms);
    }
    world.run()
}

#[test]
fn row_5_a_better_candidate_within_finalize_wait_leads() {
    fourth_starts_after(100, 200).leads(4);
}

#[test]
fn row_6_a_better_candidate_after_finalize_wait_follows() {
    fourth_starts_after(500, 200).leads(3);
}

#[test]
fn row_6_the_boundary_is_finalize_wait_and_one_latency() {
    for finalize_ms in [50, 200, 400] {
        // 3 is heard after 1 ms, and so are the votes it causes; then the silence begins.
        let silence_ends = 1 + 1 + finalize_ms;
        let heard_in_time = silence_ends - 1 - 1;
        fourth_starts_after(heard_in_time, finalize_ms).leads(4);
        fourth_starts_after(heard_in_time + 1, finalize_ms).leads(3);
    }
}

#[test]
fn row_7_two_four_one_elect_four() {
    World::voters(5).one_by_one(&[2, 4, 1, 5, 3], 5000).leads(4);
}

#[test]
fn row_8_the_highest_of_three_follows_when_it_comes_last() {
    World::voters(3).one_by_one(&[1, 2, 3], 5000).leads(2);
}

#[test]
fn row_9_the_highest_of_three_leads_when_it_is_among_the_first_two() {
    for order in [[3, 1, 2], [1, 3, 2], [2, 3, 1]] {
        World::voters(3).one_by_one(&order, 5000).leads(3);
    }
}

#[test]
fn row_11_a_longer_log_beats_a_higher_sid() {
    let world = World::voters(3).history(1, 1, (1, 10));
    let world = world.history(2, 1, (1, 8)).history(3, 1, (1, 8)).together(&[1, 2, 3]).leads(1);
    assert_eq!(world.peer_epoch(3), 2);
}

#[test]
fn row_12_a_longer_log_that_is_down_does_not_count() {
    let mut world = World::voters(5).history(2, 1, (1, 9));
    for sid in [1, 3, 4, 5] {
        world = world.history(sid, 1, (1, 5));
    }
    let mut world = world.together(&[1, 3, 4, 5]).leads(5);
    world.start(2, world.now_ms);
    world.run().leads(5);
}

#[test]
fn row_14_an_epoch_beats_a_longer_log() {
    let world = World::voters(3).history(1, 3, (2, 1));
    let world = world.history(2, 2, (2, 9)).history(3, 2, (2, 9));
    let world = world.together(&[1, 2, 3]).leads(1);
    assert_eq!(world.peer_epoch(2), 4);
}

#[test]
fn row_15_the_epoch_half_of_the_zxid_decides() {
    let world = World::voters(3).history(1, 3, (2, 9)).history(2, 3, (3, 1));
    let world = world.history(3, 3, (2, 9)).together(&[1, 2, 3]).leads(2);
    assert_eq!(world.peer_epoch(1), 4);
}

#[test]
fn row_16_a_crashed_leader_comes_back_as_a_follower() {
    let mut world = World::voters(3).together(&[1, 2, 3]).leads(3).crash(&[3]).look().leads(2);
    assert_eq!(world.peer_epoch(1), 2);
    world.start(3, world.now_ms);
    world.run().leads(2);
}

#[test]
fn row_17_the_rest_elects_its_best_while_it_is_a_quorum() {
    let world = World::voters(5).together(&[1, 2, 3, 4, 5]).leads(5);
    let world = world.crash(&[4, 5]).look().leads(3);
    world.crash(&[3]).look().nobody_leads();
}

#[test]
fn row_19_an_observer_with_the_best_history_observes() {
    let world = World::new(Ensemble::of_voters(3).observer(9)).history(9, 9, (9, 9));
    world.together(&[1, 2, 3, 9]).leads(3);
}

#[test]
fn row_20_observers_complete_no_quorum() {
    let ensemble = Ensemble::of_voters(3).observer(7).observer(8).observer(9);
    World::new(ensemble).together(&[1, 7, 8, 9]).nobody_leads();
}

#[test]
fn row_21_a_server_of_weight_zero_follows() {
    World::new(Ensemble::of_voters(5).weight(5, 0)).together(&[1, 2, 3, 4, 5]).leads(4);
}

#[test]
fn row_22_weight_is_what_makes_a_quorum() {
    let heavy = || World::new(Ensemble::of_voters(5).weight(1, 3));
    heavy().together(&[1, 2]).leads(2);
    heavy().together(&[2, 3, 4]).nobody_leads();
}

#[test]
fn row_23_quorums_of_even_and_other_sizes() {
    World::voters(4).together(&[1, 2]).nobody_leads();
    World::voters(4).together(&[1, 2, 3]).leads(3);
    World::voters(6).together(&[1, 2, 3]).nobody_leads();
    World::voters(6).one_by_one(&[1, 2, 3, 4, 5, 6], 5000).leads(4);
    World::voters(2).together(&[1]).nobody_leads();
    World::voters(2).together(&[1, 2]).leads(2);
    World::voters(7).one_by_one(&[1, 2, 3, 4, 5, 6, 7], 5000).leads(4);
}

#[test]
fn row_24_a_candidate_heard_too_late_follows() {
    let mut slow = World::voters(5);
    slow.latency_ms = |from, _| if from == 5 { 300 } else { 1 };
    slow.together(&[1, 2, 3, 4, 5]).leads(4);
    let mut fair = World::voters(5);
    fair.latency_ms = |from, _| if from == 5 { 150 } else { 1 };
    fair.together(&[1, 2, 3, 4, 5]).leads(5);
}

#[test]
fn row_25_relayed_votes_beat_a_slow_link() {
    let mut world = World::voters(5);
    world.latency_ms = |from, to| if from == 5 && (to == 3 || to == 4) { 300 } else { 1 };
    world.together(&[1, 2, 3, 4, 5]).leads(5);
}

#[test]
fn row_33_an_uninitialised_server_follows_although_it_is_the_highest() {
    let mut world = World::voters(3);
    world.servers.get_mut(&3).expect("a server").zxid = Zxid::UNINITIALISED.0;
    world.together(&[1, 2, 3]).leads(2);
}

#[test]
fn row_33_uninitialised_servers_complete_no_quorum() {
    let mut world = World::voters(3);
    for sid in [2, 3] {
        world.servers.get_mut(&sid).expect("a server").zxid = Zxid::UNINITIALISED.0;
    }
    world.together(&[1, 2, 3]).nobody_leads();
}

#[test]
fn row_37_an_observer_that_waits_learns_of_the_leader() {
    World::new(Ensemble::of_voters(3).observer(4)).one_by_one(&[4, 1, 2], 5000).leads(2);
}

#[test]
fn row_38_a_joiner_of_a_higher_round_goes_back_to_the_round_of_the_ensemble() {
    let mut world = World::voters(3).together(&[1, 2]).leads(2);
    for at_ms in [0, 1, 2, 3] {
        world.start(3, world.now_ms + at_ms);
    }
    let world = world.run().leads(2);
    assert_eq!(world.election(3).round(), world.election(2).round());
}

#[test]
fn every_start_order_of_five_elects_the_best_of_the_first_three() {
    fn orders(rest: &[i64]) -> Vec<Vec<i64>> {
        if rest.is_empty() {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for first in rest {
            let others: Vec<i64> = rest.iter().copied().filter(|sid| sid != first).collect();
            for mut order in orders(&others) {
                order.insert(0, *first);
                all.push(order);
            }
        }
        all
    }
    for order in orders(&[1, 2, 3, 4, 5]) {
        let best = *order[..3].iter().max().expect("three servers");
        World::voters(5).one_by_one(&order, 5000).leads(best);
    }
}
