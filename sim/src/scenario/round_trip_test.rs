//! Every line prints as a text that reads back as the same line.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use quorate::base::{Epoch, ServerId, SyncMode, Zxid};
use quorate::runtime::LabelKind;

use super::Names;
use crate::scenario::action::{KINDS, ROLES};
use crate::scenario::disk_deeds::FILES;
use crate::scenario::{
    Action, ClientAct, ClientState, DiskDeed, Expectation, Line, Links, Plane, Trigger, When,
};
use crate::world::Unsynced;

fn server() -> impl Strategy<Value = ServerId> {
    (1i64..=5).prop_map(ServerId)
}

fn servers() -> impl Strategy<Value = Vec<ServerId>> {
    vec(server(), 1..4)
}

fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0u64..100_000).prop_map(Duration::from_micros),
        (0u64..100_000).prop_map(Duration::from_millis),
        (0u64..9_000).prop_map(Duration::from_secs),
    ]
}

fn zxid() -> impl Strategy<Value = Zxid> {
    (0i64..5, 0i64..1000).prop_map(|(epoch, counter)| Zxid(epoch << 32 | counter))
}

fn kind() -> impl Strategy<Value = LabelKind> {
    select(KINDS.map(|(_, kind)| kind).to_vec())
}

fn word() -> impl Strategy<Value = String> {
    "[a-z0-9_.]{1,8}"
}

fn path() -> impl Strategy<Value = String> {
    "(/[a-z0-9]{1,4}){1,3}"
}

fn links() -> impl Strategy<Value = Links> {
    let plane = select(vec![Plane::Servers, Plane::Election, Plane::Quorum]);
    let all: Vec<ServerId> = (1..=5).map(ServerId).collect();
    let groups = subsequence(all, 2..=5).prop_map(|all| {
        let (one, rest) = all.split_at(1);
        match rest.len() {
            3.. => vec![one.to_vec(), rest[..1].to_vec(), rest[1..].to_vec()],
            _ => vec![one.to_vec(), rest.to_vec()],
        }
    });
    prop_oneof![
        (plane.clone(), groups).prop_map(|(plane, groups)| Links::between(plane, &groups)),
        (plane, servers(), servers()).prop_map(|(plane, a, b)| Links::one_way(plane, &a, &b)),
        servers().prop_map(|servers| Links {
            plane: Plane::Client,
            pairs: servers.iter().map(|server| (*server, *server)).collect(),
            text: servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        }),
    ]
}

fn client_act() -> impl Strategy<Value = ClientAct> {
    let data = || prop_oneof![Just(String::new()), word()];
    prop_oneof![
        servers().prop_map(ClientAct::Connects),
        (path(), data(), any::<bool>(), any::<bool>()).prop_map(
            |(path, data, ephemeral, sequential)| {
                ClientAct::Create { path, data, ephemeral, sequential }
            }
        ),
        (path(), data()).prop_map(|(path, data)| ClientAct::Set { path, data }),
        path().prop_map(|path| ClientAct::Get { path }),
        path().prop_map(|path| ClientAct::Exists { path }),
        path().prop_map(|path| ClientAct::List { path }),
        path().prop_map(|path| ClientAct::Delete { path }),
        path().prop_map(|path| ClientAct::Sync { path }),
        Just(ClientAct::Closes),
    ]
}

fn expectation() -> impl Strategy<Value = Expectation> {
    let role = || select(ROLES.map(|(_, role)| role).to_vec());
    let epoch = prop_oneof![Just(None), (0i64..9).prop_map(|epoch| Some(Epoch(epoch)))];
    let mode = select(vec![SyncMode::Diff, SyncMode::Trunc, SyncMode::Snap]);
    let state = select(vec![ClientState::Ok, ClientState::Fails, ClientState::Waits]);
    prop_oneof![
        (servers(), epoch).prop_map(|(servers, epoch)| Expectation::Leader { servers, epoch }),
        Just(Expectation::NoLeader),
        server().prop_map(Expectation::NotLeader),
        (servers(), role()).prop_map(|(servers, role)| Expectation::InRole { servers, role }),
        servers().prop_map(Expectation::Down),
        (server(), zxid()).prop_map(|(server, zxid)| Expectation::Last { server, zxid }),
        (server(), zxid()).prop_map(|(server, to)| Expectation::Truncated { server, to }),
        (server(), mode).prop_map(|(server, mode)| Expectation::Synced { server, mode }),
        (word(), state).prop_map(|(name, state)| Expectation::Client { name, state }),
    ]
}

fn file() -> impl Strategy<Value = String> {
    (select(FILES.to_vec()), prop_oneof![Just(""), Just(".1000000a")])
        .prop_map(|(name, zxid)| format!("{name}{zxid}"))
}

fn deed() -> impl Strategy<Value = DiskDeed> {
    let policies = vec![Unsynced::Drawn, Unsynced::Lost, Unsynced::Kept, Unsynced::Torn];
    prop_oneof![
        Just(DiskDeed::FailWrite),
        Just(DiskDeed::FailFsync),
        Just(DiskDeed::FailRead),
        Just(DiskDeed::Fill),
        Just(DiskDeed::Free),
        Just(DiskDeed::Mend),
        Just(DiskDeed::LieFsync),
        Just(DiskDeed::Save),
        Just(DiskDeed::Restore),
        file().prop_map(DiskDeed::Rot),
        select(policies).prop_map(DiskDeed::Unsynced),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let some_kind = || prop_oneof![Just(None), kind().prop_map(Some)];
    prop_oneof![
        servers().prop_map(Action::Start),
        servers().prop_map(Action::Stop),
        servers().prop_map(Action::Crash),
        servers().prop_map(Action::Pause),
        servers().prop_map(Action::Resume),
        servers().prop_map(Action::Wipe),
        servers().prop_map(Action::Look),
        (deed(), servers()).prop_map(|(deed, servers)| Action::Disk { deed, servers }),
        (server(), server())
            .prop_map(|(from, to)| Action::Disk { deed: DiskDeed::Clone, servers: vec![from, to] }),
        links().prop_map(Action::Cut),
        Just(Action::Heal(None)),
        links().prop_map(|links| Action::Heal(Some(links))),
        (links(), time()).prop_map(|(links, by)| Action::Delay { links, by }),
        (kind(), links()).prop_map(|(kind, links)| Action::Hold { kind, links }),
        some_kind().prop_map(|kind| Action::Release { kind, links: None }),
        (kind(), links())
            .prop_map(|(kind, links)| Action::Release { kind: Some(kind), links: Some(links) }),
        servers().prop_map(Action::HoldFsync),
        servers().prop_map(Action::ReleaseFsync),
        (servers(), time()).prop_map(|(servers, by)| Action::SlowFsync { servers, by }),
        (servers(), time()).prop_map(|(servers, by)| Action::SlowApply { servers, by }),
        (servers(), 5u32..2000).prop_map(|(servers, percent)| Action::ClockRate {
            servers,
            rate: f64::from(percent) / 100.0
        }),
        (servers(), -4_000_000i64..4_000_000)
            .prop_map(|(servers, by_ms)| Action::ClockJump { servers, by_ms }),
        (word(), client_act()).prop_map(|(name, act)| Action::Client { name, act }),
        vec(expectation(), 1..4).prop_map(Action::Expect),
    ]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let role = select(ROLES.map(|(_, role)| role).to_vec());
    let to = prop_oneof![Just(None), server().prop_map(Some)];
    let some_zxid = prop_oneof![Just(None), zxid().prop_map(Some)];
    let before = prop_oneof![Just(None), time().prop_map(Some)];
    prop_oneof![
        (server(), kind(), to, some_zxid).prop_map(|(from, kind, to, zxid)| Trigger::Sends {
            from,
            kind,
            to,
            zxid
        }),
        (server(), zxid()).prop_map(|(server, zxid)| Trigger::Durable { server, zxid }),
        (server(), role).prop_map(|(server, role)| Trigger::Role { server, role }),
        server().prop_map(|server| Trigger::Established { server }),
        server().prop_map(|server| Trigger::Elected { server }),
        (server(), prop_oneof![Just(None), file().prop_map(Some)], 1u32..9, before).prop_map(
            |(server, file, count, before)| Trigger::Effect { server, file, count, before }
        ),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    let when = prop_oneof![
        time().prop_map(When::At),
        (prop_oneof![Just(Duration::ZERO), time()], trigger())
            .prop_map(|(from, trigger)| When::On(from, trigger)),
    ];
    (when, vec(action(), 1..4)).prop_map(|(when, actions)| Line {
        when,
        actions,
        place: (0, 0),
        fault: None,
    })
}

proptest! {
    #[test]
    fn every_line_prints_as_a_text_that_reads_back_as_the_same(line in line()) {
        let names = Names { servers: (1..=5).map(ServerId).collect(), variable: None };
        let text = line.to_string();
        let read = names.line(&text);
        prop_assert_eq!(read, Ok(line), "{}", text);
    }
}
