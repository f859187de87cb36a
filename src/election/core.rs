//! The rounds of an election (FastLeaderElection), as a state machine.
//!
//!     Idle --Look--> Polling --quorum--> Finalizing --silence, or all agree--> Idle (Decided)
//!                      ^  ^----better vote----'
//!                      '-- silence: ask again, twice as patient
//!     Polling --a quorum follows a leader that says it is LEADING--> Idle (Decided)
//!
//! A server answers notifications in every state. Its own notifications to itself do not leave
//! this file: they are counted at the end of the step that sent them.
//!
//! - E-4   observers, strangers, weight 0 and zxid -1 neither count nor win
//! - E-5   within a round a vote only improves
//! - EL-1  somebody else is joined only if it said itself that it is LEADING
//! - EL-2  a server told that it leads believes it only in the round it is in (ZOOKEEPER-1514)
//! - EL-3  the vote is LOOKING while an election goes on, and only then; nothing heard before the
//!   first election, and no notification to itself, is left over from a step of one
//! - EL-4  who waits for a better vote has a quorum for its own
//! - EL-5  the ballots of this round are of this round
//!
//! Where this differs from Apache, on purpose: (1) after a silence it always asks again and also
//! connects if something is undelivered; Apache asks again if *any* queue is empty, which comes
//! to the same with one peer alive. (2) While LOOKING, a non-voter is told the vote of this round,
//! not the outcome of the last one. (3) Non-voters do not answer laggards, only LOOKING
//! non-voters are answered, and a laggard is not told the same twice at once: two servers whose
//! configurations disagree would answer each other for ever, at the speed of the network.
//! (4) An ensemble of one voter does not wait for a better vote.
//!
//! (5) A newer configuration in a notification gives its version to ours if the members are the
//! same; with other members, a server that is LOOKING ends instead of voting on. (6) A vote for this
//! server with a history that its log does not hold makes it begin the next round. (7) After a
//! leader's term nobody waits for a better vote that cannot come (agreement.rs). (8) A leader that has
//! handed over votes for its successor at first, with the history that both have. It is a candidate
//! as ever in the next round: when it hears of one, when the successor refuses its connection, and
//! after two silences.
//!
//! Over 500 lines: one match, and a function for each message and time of it.
//!
//! Not here: connections (links.rs), whether a configuration is newer (quorum).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::agreement::Agreement;
use super::packet::{Form, NOTIFICATION_VERSION, Notification, PeerState};
use super::tally::{Ballots, tally_votes};
use super::vote::Vote;
use crate::base::{
    Dialect, Difference, Epoch, Exhibit, MembersChanged, Mono, Museum, Note, Now, ServerId, ToldIn,
    Zxid, invariant,
};
use crate::config::ServerConfig;
use crate::quorum::{ConfigNews, QuorumVerifier};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Start an election: the last logged zxid (`Zxid::UNINITIALISED`: may not vote) and
    /// `currentEpoch`. `after_term`: of an established leader, which this server served under, or was.
    /// `successor`: the voter with the same history to which this server, that leader, has handed over.
    Look { zxid: Zxid, epoch: Epoch, after_term: bool, successor: Option<ServerId> },
    /// A decoded message of another server.
    Notification { from: ServerId, notification: Notification },
    /// Nobody listens on this server's election port.
    Refused { sid: ServerId },
    /// The connection with this server has ended.
    Gone { sid: ServerId },
    /// The role is established in `epoch`: members answer later joiners with one and the same
    /// epoch, so that those find a quorum (QuorumPeer.updateElectionVote, ZOOKEEPER-1732).
    Established { epoch: Epoch },
    /// The configuration of these members has this version.
    ConfigVersion(i64),
    /// The time of the last `WakeAt` has come. `delivered`: no message waits for a connection
    /// (`Links::all_delivered`).
    Timer { delivered: bool },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// One frame's body; replaces what was not yet sent to that server.
    Send {
        to: ServerId,
        body: Bytes,
    },
    /// Connect to every server that a message waits for.
    ConnectAll,
    /// Connect to this one: is anybody there?
    Connect {
        to: ServerId,
    },
    /// The election is over; this server's state is `role` now.
    Decided {
        leader: ServerId,
        role: PeerState,
        vote: Vote,
    },
    /// A server knows a newer version of our configuration.
    ConfigVersion(i64),
    /// The ensemble has other members: this server must end. The last output of its step but for
    /// `WakeAt`.
    MembersChanged(MembersChanged),
    /// Wants `Input::Timer` then. The latest one counts; `Mono::FAR` cancels.
    WakeAt(Mono),
    Note(Note),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Not looking for a leader: before the first `Look`, and in every role.
    Idle,
    /// Waiting for notifications until the silence is long enough to ask again.
    Polling { deadline: Mono },
    /// `voters` are a quorum for the vote; waiting for a better one.
    Finalizing { deadline: Mono, voters: Vec<ServerId> },
}

/// One server's part in elections. Lives as long as its process: the round must not fall.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Election {
    me: ServerId,
    verifier: QuorumVerifier,
    museum: Museum,
    dialect: Dialect,
    interval_min: Duration,
    interval_max: Duration,
    finalize_wait: Duration,
    /// What every notification ends with.
    config_text: Bytes,

    phase: Phase,
    /// My vote: while LOOKING the proposal, else the outcome. Carries round and state.
    vote: Vote,
    /// What I voted when this election began: myself, my successor, or nobody.
    initial: Vote,
    /// How long the next silence is (notTimeout).
    not_timeout: Duration,
    /// Votes of this round (recvset).
    round_votes: Ballots,
    /// Votes of servers that are not LOOKING, of any round (outofelection).
    out_of_election_votes: Ballots,
    /// Whether anybody may have a better vote.
    agreement: Agreement,
    /// My notifications to myself.
    to_myself: VecDeque<Notification>,
    /// Notifications from before the first `Look`: the newest of each voter.
    early: BTreeMap<ServerId, Notification>,
    /// What laggards were told last, and when.
    told: BTreeMap<ServerId, (Mono, Vote)>,
    /// The last `WakeAt`.
    wake_at: Mono,
}

impl Election {
    pub fn new(config: &ServerConfig, verifier: QuorumVerifier) -> Election {
        Election {
            me: config.my_id,
            museum: config.museum,
            dialect: config.dialect,
            interval_min: config.notification_interval_min,
            interval_max: config.notification_interval_max,
            finalize_wait: config.finalize_wait,
            config_text: verifier.config_text().into(),
            verifier,
            phase: Phase::Idle,
            vote: Vote::nobody(),
            initial: Vote::nobody(),
            not_timeout: config.notification_interval_min,
            round_votes: Ballots::default(),
            out_of_election_votes: Ballots::default(),
            agreement: Agreement::begin(false, config.finalize_wait),
            to_myself: VecDeque::new(),
            early: BTreeMap::new(),
            told: BTreeMap::new(),
            wake_at: Mono::FAR,
        }
    }

    pub fn step(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let now = now.mono;
        match input {
            Input::Look { zxid, epoch, after_term, successor } => {
                self.agreement = Agreement::begin(after_term, self.finalize_wait);
                self.on_look(now, (zxid, epoch), successor, out);
            }
            Input::Refused { sid } => {
                self.agreement.on_refused(sid);
                if self.phase != Phase::Idle && self.successor() == Some(sid) {
                    self.leave_round(now, self.round(), out);
                }
                self.end_wait_if_all_agree(out);
            }
            Input::Gone { sid } => {
                // What was written to it last may have been lost, too.
                let is_sought = self.phase != Phase::Idle && self.verifier.is_voter(sid);
                if is_sought && self.agreement.on_gone(sid) {
                    out.push(Output::Connect { to: sid });
                }
            }
            Input::Notification { from, notification } => {
                if self.hear_config(from, &notification, out) {
                    self.on_notification(now, from, notification, out);
                }
            }
            Input::Established { epoch } => self.on_established(epoch),
            Input::ConfigVersion(version) => self.learn_version(version),
            Input::Timer { delivered } => self.on_timer(now, delivered, out),
        }
        while let Some(mine) = self.to_myself.pop_front() {
            self.on_polled(now, self.me, mine, out);
        }
        self.set_timer(out);
        self.invariants();
    }

    fn on_established(&mut self, epoch: Epoch) {
        if self.phase == Phase::Idle {
            self.vote.peer_epoch = epoch;
        }
    }

    /// Whether the sender's configuration lets this server go on. Somebody with a newer one of other
    /// members means something to a server that looks for a leader: one that has a leader hears
    /// of a reconfiguration from that.
    fn hear_config(&mut self, from: ServerId, n: &Notification, out: &mut Vec<Output>) -> bool {
        let Some(text) = n.config.as_ref().filter(|text| **text != self.config_text) else {
            return true;
        };
        let reads = !self.dialect.has(Difference::NoConfig);
        if !reads || !self.verifier.servers().contains_key(&from) {
            return true;
        }
        match self.verifier.judge(text) {
            ConfigNews::SameMembers { version } => {
                self.learn_version(version);
                out.push(Output::ConfigVersion(version));
            }
            ConfigNews::OtherMembers { version, members }
                if self.vote.state == PeerState::Looking && self.verifier.is_voter(from) =>
            {
                let (server, told_in) = (from, ToldIn::Notification);
                let why = MembersChanged { server, told_in, version, members };
                out.push(Output::MembersChanged(why));
                return false;
            }
            ConfigNews::OtherMembers { .. } | ConfigNews::Nothing => {}
        }
        true
    }

    fn learn_version(&mut self, version: i64) {
        self.verifier.learn_version(version);
        self.config_text = self.verifier.config_text().into();
    }

    /// While LOOKING the vote of this round, else the outcome with the role as its state.
    pub fn vote(&self) -> &Vote {
        &self.vote
    }

    /// The round (logicalclock): 0 before the first election of this process.
    pub fn round(&self) -> i64 {
        self.vote.election_epoch
    }

    pub fn state(&self) -> PeerState {
        self.vote.state
    }

    /// Whether this server may name a leader: a voter with a history, be it an empty one.
    fn may_vote(&self) -> bool {
        self.verifier.is_voter(self.me) && self.initial.zxid != Zxid::UNINITIALISED
    }

    /// To whom this server has handed over, as long as it votes for that one.
    fn successor(&self) -> Option<ServerId> {
        let first = self.initial.leader;
        let is_other = first != self.me && first != ServerId::NOBODY;
        (is_other && self.vote.leader == first).then_some(first)
    }

    fn on_look(
        &mut self,
        now: Mono,
        (zxid, epoch): (Zxid, Epoch),
        successor: Option<ServerId>,
        out: &mut Vec<Output>,
    ) {
        let mut initial = Vote::nobody();
        if self.verifier.is_voter(self.me) {
            let successor = successor.filter(|sid| self.verifier.weight(*sid) > 0);
            let leader = successor.unwrap_or(self.me);
            initial = Vote { leader, zxid, peer_epoch: epoch, ..initial };
        }
        // Wraps like Java's counter: a peer may have sent any number as its round.
        initial.election_epoch = self.vote.election_epoch.wrapping_add(1);
        self.initial = initial;
        self.round_votes = Ballots::default();
        self.out_of_election_votes = Ballots::default();
        self.told.clear();
        self.not_timeout = self.interval_min;
        self.phase = Phase::Polling { deadline: now + self.not_timeout };
        self.propose(initial, out);
        self.send_notifications(out);
        for (from, notification) in std::mem::take(&mut self.early) {
            self.on_notification(now, from, notification, out);
        }
    }

    fn on_timer(&mut self, now: Mono, delivered: bool, out: &mut Vec<Output>) {
        self.wake_at = Mono::FAR;
        match &self.phase {
            Phase::Polling { deadline } if *deadline <= now => {
                if !delivered {
                    out.push(Output::ConnectAll);
                }
                if self.successor().is_some() && self.not_timeout > self.interval_min {
                    self.leave_round(now, self.round(), out);
                } else {
                    self.send_notifications(out);
                }
                self.not_timeout = (self.not_timeout * 2).min(self.interval_max);
                self.phase = Phase::Polling { deadline: now + self.not_timeout };
            }
            Phase::Finalizing { deadline, voters } if *deadline <= now => {
                let voters = voters.clone();
                self.decide(self.vote, voters, out);
            }
            Phase::Finalizing { .. } if self.agreement.ask_at() <= now => {
                self.agreement.on_asked(now);
                let missing = self.agreement.missing(self.me, &self.vote, &self.verifier);
                out.extend(missing.map(|to| Output::Connect { to }));
            }
            // A timer that was set before the last message came.
            _ => {}
        }
    }

    /// What the receiving thread does in Apache: answers, and hands on what an election needs.
    fn on_notification(
        &mut self,
        now: Mono,
        from: ServerId,
        n: Notification,
        out: &mut Vec<Output>,
    ) {
        let asks = n.state == PeerState::Looking;
        if self.phase == Phase::Idle && self.vote.state == PeerState::Looking {
            if self.verifier.is_voter(from) {
                self.early.insert(from, n);
            }
            return;
        }
        if !self.verifier.is_voter(from) || self.phase == Phase::Idle {
            if asks {
                self.answer(from, out);
            }
            return;
        }
        if asks && n.election_epoch < self.round() && self.verifier.is_voter(self.me) {
            self.answer_laggard(now, from, out);
        }
        self.on_polled(now, from, n, out);
    }

    fn answer(&self, to: ServerId, out: &mut Vec<Output>) {
        out.push(Output::Send { to, body: self.notification().encode() });
    }

    fn answer_laggard(&mut self, now: Mono, to: ServerId, out: &mut Vec<Output>) {
        let told = self.told.insert(to, (now, self.vote));
        match told {
            Some((then, vote)) if vote == self.vote && now.since(then) < self.interval_min => {
                self.told.insert(to, (then, vote));
            }
            _ => self.answer(to, out),
        }
    }

    /// One message taken from the receive queue, in Apache's terms.
    fn on_polled(&mut self, now: Mono, from: ServerId, n: Notification, out: &mut Vec<Output>) {
        let heard = Vote { version: 0, ..Vote::heard(&n) };
        if self.agreement.on_heard(from, heard)
            && heard.election_epoch == self.round()
            && !is_better(&heard, &self.vote, &self.verifier, self.museum)
        {
            self.answer(from, out); // A better one is told to everybody.
        }
        if let Phase::Finalizing { deadline, .. } = &mut self.phase {
            let candidate = n.state != PeerState::Looking || n.zxid != Zxid::UNINITIALISED;
            let heard = Vote::heard(&n);
            if !(candidate && is_better(&heard, &self.vote, &self.verifier, self.museum)) {
                *deadline = now + self.finalize_wait;
                return self.end_wait_if_all_agree(out);
            }
            self.phase = Phase::Polling { deadline: now };
        }
        if self.verifier.is_voter(n.leader) {
            match n.state {
                PeerState::Looking => self.on_looking(now, from, &n, out),
                PeerState::Following | PeerState::Leading => self.on_out_of_election(from, &n, out),
                PeerState::Observing => {}
            }
        }
        if let Phase::Polling { deadline } = &mut self.phase {
            *deadline = now + self.not_timeout;
        }
    }

    fn on_looking(&mut self, now: Mono, from: ServerId, n: &Notification, out: &mut Vec<Output>) {
        // Without a history of its own neither of the two servers may take part (E-4).
        if self.initial.zxid == Zxid::UNINITIALISED || n.zxid == Zxid::UNINITIALISED {
            return;
        }
        let heard = Vote { version: 0, ..Vote::heard(n) };
        if heard.election_epoch < self.round() {
            return;
        }
        let counts = heard.election_epoch > self.round()
            || is_better(&heard, &self.vote, &self.verifier, self.museum);
        if counts && self.is_echo(&heard) {
            return self.leave_round(now, heard.election_epoch, out);
        }
        if heard.election_epoch > self.round() {
            self.become_candidate();
            self.round_votes = Ballots::default();
            let better = is_better(&heard, &self.initial, &self.verifier, self.museum);
            let mine = Vote { election_epoch: heard.election_epoch, ..self.initial };
            self.propose(if better { heard } else { mine }, out);
            self.send_notifications(out);
        } else if is_better(&heard, &self.vote, &self.verifier, self.museum) {
            let excused = self.museum.on(Exhibit::TieAcrossEpochs);
            let improves = heard.rank() > self.vote.rank();
            invariant!(improves || excused, "E-5", "{heard:?} is worse than {:?}", self.vote);
            if !improves && from == self.me {
                return; // ZOOKEEPER-1419: its own last words would chase it within one step, for ever
            }
            self.propose(heard, out);
            self.send_notifications(out);
        }
        self.cast(from, heard, out);
        let ballots = &mut self.round_votes;
        if let Some(voters) = tally_votes(ballots, from, self.vote, &self.verifier, self.museum) {
            if self.verifier.voters().count() == 1 {
                self.decide(self.vote, voters, out);
            } else {
                self.phase = Phase::Finalizing { deadline: now + self.finalize_wait, voters };
                self.agreement.on_wait(now);
                self.end_wait_if_all_agree(out);
            }
        }
    }

    /// Whoever waits for a better vote does not wait for one that cannot come.
    fn end_wait_if_all_agree(&mut self, out: &mut Vec<Output>) {
        if let Phase::Finalizing { voters, .. } = &self.phase
            && self.agreement.is_complete(self.me, &self.vote, &self.verifier)
        {
            let voters = voters.clone();
            self.decide(self.vote, voters, out);
        }
    }

    /// What this server said of itself before its log was cut, told by somebody who heard it then.
    fn is_echo(&self, heard: &Vote) -> bool {
        heard.leader == self.me && heard.beats(&self.initial, &self.verifier)
    }

    /// Others may hold on to a vote for this server that its log does not keep, as long as this
    /// round lasts. In the next one all begin with what they have. Apache votes for itself with the
    /// history it has lost, and leaves it to discovery to find a follower that is ahead.
    fn leave_round(&mut self, now: Mono, round: i64, out: &mut Vec<Output>) {
        self.become_candidate();
        self.round_votes = Ballots::default();
        self.phase = Phase::Polling { deadline: now + self.not_timeout };
        self.propose(Vote { election_epoch: round.wrapping_add(1), ..self.initial }, out);
        self.send_notifications(out);
    }

    /// A successor is voted for in the first round alone: its log may not hold what this server
    /// believes, and each would send the other into the next round, for ever.
    fn become_candidate(&mut self) {
        if self.verifier.is_voter(self.me) {
            self.initial.leader = self.me;
        }
    }

    /// A voter that is FOLLOWING or LEADING: is there a leader to join?
    fn on_out_of_election(&mut self, from: ServerId, n: &Notification, out: &mut Vec<Output>) {
        let heard = Vote::heard(n);
        if heard.election_epoch == self.round() {
            // Version 0: within a round only the leader counts, since some of its followers may
            // not have reached its epoch yet.
            self.cast(from, Vote { version: 0, ..heard }, out);
            let ballots = &mut self.round_votes;
            let voters = tally_votes(ballots, from, heard, &self.verifier, self.museum);
            if let Some(voters) = voters
                && self.leader_is_known(&self.round_votes, &heard)
            {
                return self.decide(heard, voters, out);
            }
        } else {
            self.note_counted(&self.out_of_election_votes, from, &heard, out);
        }
        self.out_of_election_votes.votes.insert(from, heard);
        let ballots = &mut self.out_of_election_votes;
        let voters = tally_votes(ballots, from, heard, &self.verifier, self.museum);
        if let Some(voters) = voters
            && self.leader_is_known(&self.out_of_election_votes, &heard)
        {
            self.decide(heard, voters, out);
        }
    }

    /// Whether the leader that a quorum names is one (checkLeader): the others may not have
    /// noticed yet that it is gone.
    fn leader_is_known(&self, ballots: &Ballots, vote: &Vote) -> bool {
        if self.verifier.weight(vote.leader) <= 0 {
            return false;
        }
        if vote.leader == self.me {
            return self.may_vote() && vote.election_epoch == self.round();
        }
        ballots.votes.get(&vote.leader).is_some_and(|own| own.state == PeerState::Leading)
    }

    fn decide(&mut self, vote: Vote, voters: Vec<ServerId>, out: &mut Vec<Output>) {
        let role = if vote.leader == self.me {
            PeerState::Leading
        } else if self.verifier.is_voter(self.me) {
            PeerState::Following
        } else {
            PeerState::Observing
        };
        let leads = role == PeerState::Leading;
        invariant!(!leads || self.may_vote(), "E-4", "elected without a vote");
        // The round is that of the vote, be it an older one: an established ensemble does not
        // start a new round for one server.
        self.vote = Vote { state: role, version: 0, ..vote };
        self.phase = Phase::Idle;
        self.to_myself.clear();
        out.push(Output::Note(Note::Elected {
            round: vote.election_epoch as u64,
            leader: vote.leader,
            voters,
        }));
        out.push(Output::Decided { leader: vote.leader, role, vote: self.vote });
    }

    fn propose(&mut self, vote: Vote, out: &mut Vec<Output>) {
        self.vote = Vote { state: PeerState::Looking, version: 0, ..vote };
        if self.may_vote() {
            out.push(Output::Note(Note::Vote {
                round: vote.election_epoch as u64,
                leader: vote.leader,
                zxid: vote.zxid,
                epoch: vote.peer_epoch,
            }));
        }
    }

    fn cast(&mut self, from: ServerId, vote: Vote, out: &mut Vec<Output>) {
        self.note_counted(&self.round_votes, from, &vote, out);
        self.round_votes.votes.insert(from, vote);
    }

    fn note_counted(&self, b: &Ballots, from: ServerId, vote: &Vote, out: &mut Vec<Output>) {
        let known =
            b.votes.get(&from).is_some_and(|old| Vote { version: vote.version, ..*old } == *vote);
        if !known && self.verifier.weight(from) > 0 {
            let round = self.round() as u64;
            out.push(Output::Note(Note::VoteCounted { round, from, leader: vote.leader }));
        }
    }

    /// Tells every voter my vote (sendNotifications).
    fn send_notifications(&mut self, out: &mut Vec<Output>) {
        let notification = self.notification();
        let body = notification.encode();
        for to in self.verifier.voters().filter(|sid| *sid != self.me) {
            out.push(Output::Send { to, body: body.clone() });
        }
        if self.verifier.is_voter(self.me) {
            self.to_myself.push_back(notification);
        }
    }

    /// What I tell others, in any state.
    fn notification(&self) -> Notification {
        let is_old = self.dialect.has(Difference::NoVersionInNotifications);
        let is_short = self.dialect.has(Difference::NoConfig);
        let version = if is_short { NOTIFICATION_VERSION - 1 } else { NOTIFICATION_VERSION };
        Notification {
            state: self.vote.state,
            leader: self.vote.leader,
            zxid: self.vote.zxid,
            election_epoch: self.vote.election_epoch,
            peer_epoch: self.vote.peer_epoch,
            version: if is_old { 0 } else { version },
            config: (!is_short).then(|| self.config_text.clone()),
            form: if is_old { Form::WithoutVersion { ignored: 0 } } else { Form::Current },
            trailing: Bytes::new(),
        }
    }

    /// What must hold between two steps.
    fn invariants(&self) {
        let Election { me, vote, initial, verifier, .. } = self;
        self.round_votes.invariants(verifier);
        self.out_of_election_votes.invariants(verifier);
        let looks = self.phase != Phase::Idle;
        let is_new = vote.leader == ServerId::NOBODY && initial.leader == ServerId::NOBODY;
        invariant!(
            looks == (vote.state == PeerState::Looking) || (is_new && !looks),
            "EL-3",
            "{:?} with the vote {vote:?}",
            self.phase
        );
        if !looks {
            let leads = vote.state == PeerState::Leading;
            let by_vote = vote.leader == *me && self.may_vote() && verifier.weight(*me) > 0;
            invariant!(!leads || by_vote, "E-4", "leads by {vote:?}, began with {initial:?}");
            return;
        }
        let left = self.to_myself.len() + self.early.len();
        invariant!(left == 0, "EL-3", "{left} notifications were not heard");
        let old = |vote: &&Vote| vote.election_epoch != self.round();
        let other = self.round_votes.votes.values().find(old);
        invariant!(other.is_none(), "EL-5", "the ballot {other:?} beside {vote:?}");
        let excused = self.museum.on(Exhibit::TieAcrossEpochs);
        let improved = vote.rank() >= initial.rank() || excused;
        invariant!(improved, "E-5", "{vote:?} is worse than the first, {initial:?}");
        if let Phase::Finalizing { voters, .. } = &self.phase {
            let Ballots { target, backers, .. } = &self.round_votes;
            let counted = *target == Some(*vote) && backers.sids().eq(voters.iter().copied());
            let wins = counted && backers.has_quorum(verifier);
            invariant!(wins, "EL-4", "{vote:?} by {voters:?}, counted {target:?} {backers:?}");
        }
    }

    fn set_timer(&mut self, out: &mut Vec<Output>) {
        let deadline = match &self.phase {
            Phase::Idle => Mono::FAR,
            Phase::Polling { deadline } => *deadline,
            Phase::Finalizing { deadline, .. } => (*deadline).min(self.agreement.ask_at()),
        };
        if deadline != self.wake_at {
            self.wake_at = deadline;
            out.push(Output::WakeAt(deadline));
        }
    }
}

/// Whether a server that votes for `mine` changes to `heard`.
fn is_better(heard: &Vote, mine: &Vote, verifier: &QuorumVerifier, museum: Museum) -> bool {
    // ZOOKEEPER-1419 compared the ids of any two votes with one zxid.
    let is_tie = heard.zxid == mine.zxid && heard.leader > mine.leader;
    let wins_tie = museum.on(Exhibit::TieAcrossEpochs) && is_tie;
    heard.beats(mine, verifier) || (wins_tie && verifier.weight(heard.leader) > 0)
}

#[cfg(test)]
#[path = "core_test.rs"]
pub(super) mod tests;

#[cfg(test)]
#[path = "successor_test.rs"]
mod successor_tests;

#[cfg(test)]
#[path = "config_test.rs"]
mod config_tests;
