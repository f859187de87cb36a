//! Every line prints as a text that reads back as the same line.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use quorate::base::{Epoch, ServerId, SyncMode, Zxid};
use quorate::runtime::LabelKind;

use super::Names;
use crate::fault::tests::EXAMPLES;
use crate::grammar::words::{FILES, KINDS, ROLES, kind_word};
use crate::grammar::{Links, List, Ports, Trigger, When, show_duration};
use crate::scenario::{Action, ClientAct, ClientState, Expectation, Line};

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
    let ports = select(vec![Ports::Both, Ports::Election, Ports::Quorum]);
    let all: Vec<ServerId> = (1..=5).map(ServerId).collect();
    let groups = subsequence(all, 2..=5).prop_map(|all| {
        let (one, rest) = all.split_at(1);
        match rest.len() {
            3.. => vec![one.to_vec(), rest[..1].to_vec(), rest[1..].to_vec()],
            _ => vec![one.to_vec(), rest.to_vec()],
        }
    });
    prop_oneof![
        (ports.clone(), groups).prop_map(|(ports, groups)| Links::Groups { ports, groups }),
        (ports, servers(), servers()).prop_map(|(ports, from, to)| Links::OneWay {
            ports,
            from,
            to
        }),
        servers().prop_map(Links::Clients),
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

fn names() -> Names {
    Names { servers: (1..=5).map(ServerId).collect(), variable: None }
}

/// Faults as they are written: all examples, and those with more to say in many forms.
fn fault() -> impl Strategy<Value = String> {
    let time = || time().prop_map(show_duration);
    let slow = select(vec!["slow-fsync", "slow-apply"]);
    let wait = select(vec!["hold", "release"]);
    let jump = (select(vec!["+", "-"]), 1u64..4_000_000)
        .prop_map(|(sign, ms)| format!("{sign}{}", show_duration(Duration::from_millis(ms))));
    prop_oneof![
        select(EXAMPLES.to_vec()).prop_map(|text| text.replace("kill", "crash")),
        (select(vec!["cut", "heal"]), links()).prop_map(|(word, links)| format!("{word} {links}")),
        (links(), time()).prop_map(|(links, by)| format!("delay {links} {by}")),
        (wait, kind(), links())
            .prop_map(|(word, kind, links)| format!("{word} {} {links}", kind_word(kind))),
        (slow, servers(), time()).prop_map(|(word, s, by)| format!("{word} {} {by}", List(&s))),
        (servers(), 5u32..2000).prop_map(|(s, n)| format!(
            "clock {} rate {}",
            List(&s),
            f64::from(n) / 100.0
        )),
        (servers(), jump).prop_map(|(s, by)| format!("clock {} jump {by}", List(&s))),
        (servers(), file()).prop_map(|(s, file)| format!("rot {} {file}", List(&s))),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let read = |text: String| {
        let line = names().line(&format!("0s {text}")).expect("it is written as it must be");
        let action = line.actions.into_iter().next().expect("a line has an action");
        assert_eq!(action.to_string(), text);
        action
    };
    prop_oneof![
        3 => fault().prop_map(read),
        1 => (word(), client_act()).prop_map(|(name, act)| Action::Client { name, act }),
        1 => vec(expectation(), 1..4).prop_map(Action::Expect),
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
        let text = line.to_string();
        let read = names().line(&text);
        prop_assert_eq!(read, Ok(line), "{}", text);
    }
}
