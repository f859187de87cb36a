//! What holds for every fault of the list, whatever it is.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use quorate::base::ServerId;
use quorate::base::Stamp;
use quorate::runtime::Runtime;

use super::{Drawing, Ended, Fault, Paint, Step, classes, heal_everything, words};
use crate::draw::Draws;
use crate::grammar::{Names, Words};
use crate::world::{NoObserver, ServerPorts, SimRuntime, World, WorldOptions};

/// A few actions for each word.
pub(crate) const EXAMPLES: &[&str] = &[
    "start 1 2 3",
    "stop 2",
    "crash 1 3",
    "kill 2",
    "cut 1 2 | 3 4 5",
    "cut election 1 -> 2 3",
    "cut client 4 5",
    "heal quorum 1 | 2 3",
    "heal",
    "hold NEWLEADER 3 -> 1 2",
    "release NEWLEADER 3 -> 1",
    "release ACK",
    "release",
    "delay 5 -> 3 300ms",
    "hold-fsync 1 2",
    "release-fsync 1",
    "slow-fsync 2 3 40ms",
    "mend-disk 1 2",
    "fail-write 1",
    "fail-fsync 1 2",
    "fail-read 3",
    "fill-disk 1 2",
    "free-disk 1",
    "lie-fsync 2",
    "save-disk 1 2",
    "restore-disk 1",
    "clone-disk 1 2",
    "rot 1 2 log",
    "unsynced 1 2 torn",
    "clock 2 3 rate 0.5",
    "clock 2 jump -3600s",
    "slow-apply 2 40ms",
    "pause 3 4",
    "resume 3",
    "wipe 4",
    "look 2 3",
    "hand-over 1 2",
    "terminate 3",
    "fill-backlog 1 2",
    "free-backlog 1",
    "slow-steps 1 3 2ms",
    "impersonate 2 -> 3 1500ms",
    "impersonate 2 -> 3 epoch 7 silent 2s",
];

fn servers() -> Vec<ServerId> {
    (1..=5).map(ServerId).collect()
}

fn read(text: &str) -> Fault {
    let names = Names { servers: servers().into_iter().collect(), variable: None };
    let mut words = Words::of(text);
    let word = words.take_next().expect("an action has a word");
    let fault = Fault::read(word.text, &names, &mut words);
    let fault = fault.unwrap_or_else(|| panic!("{text}: no fault"));
    let fault = fault.unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
    assert_eq!(words.peek(), None, "{text}: words are left");
    fault
}

/// What this class draws with a hundred keys.
fn drawn(class: &super::Class, servers: &[ServerId]) -> Vec<Step> {
    let of_key = |key| {
        let (begins, ends) = (Duration::from_secs(5), Duration::from_secs(9));
        let busy = &mut BTreeMap::new();
        let mut drawing =
            Drawing { draws: Draws::new(7), key, begins, ends, servers, observers: servers, busy };
        (class.draw)(&mut drawing).unwrap_or_default()
    };
    (0..100).flat_map(of_key).collect()
}

#[test]
fn no_two_faults_share_a_word_or_a_class() {
    let words = words();
    assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "{words:?}");
    let names: Vec<&str> = classes().map(|class| class.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    for word in words {
        let begins = |text: &&str| text.split(' ').next() == Some(word);
        assert!(EXAMPLES.iter().any(begins), "`{word}` has no example");
    }
}

#[test]
fn every_example_prints_as_it_was_written_and_can_be_stored() {
    for text in EXAMPLES {
        let fault = read(text);
        // The second word for a crash.
        assert_eq!(fault.to_string(), text.replace("kill", "crash"));
        let stored = bincode::serde::encode_to_vec(&fault, bincode::config::standard());
        let stored = stored.expect("memory is never full");
        let loaded = bincode::serde::decode_from_slice(&stored, bincode::config::standard());
        assert_eq!(loaded.expect("it was stored"), (fault, stored.len()));
    }
}

#[test]
fn the_readme_lists_every_word_and_every_class() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let readme = std::fs::read_to_string(root.join("scenarios/README.md")).expect("it is there");
    for word in words() {
        let listed = readme.contains(&format!("`{word} ")) || readme.contains(&format!("`{word}`"));
        assert!(listed, "scenarios/README.md does not list `{word}`");
    }
    for class in classes() {
        let listed = readme.contains(&format!("`{}`", class.name));
        assert!(listed, "scenarios/README.md does not list the class `{}`", class.name);
    }
}

#[test]
fn what_is_drawn_prints_as_a_text_that_reads_back_as_the_same() {
    for class in classes() {
        let steps = drawn(class, &servers());
        assert!(!steps.is_empty(), "{} draws nothing", class.name);
        let of_one = drawn(class, &servers()[..1]);
        for step in steps.into_iter().chain(of_one) {
            let fault = Fault::from(step.fault);
            assert_eq!(read(&fault.to_string()), fault, "{}", class.name);
        }
    }
}

#[test]
fn what_lasts_is_ended_by_something_of_its_own_class_or_the_end() {
    for class in classes() {
        let steps = drawn(class, &servers());
        for step in steps.iter().filter(|step| step.fault.paint() != Paint::Moment) {
            let ends = |other: &Step| step.fault.ended_by(&*other.fault) != Ended::Nothing;
            assert!(steps.iter().any(ends), "{}: nothing ends {}", class.name, step.fault);
        }
    }
}

#[test]
fn without_a_server_a_fault_names_it_no_more() {
    for text in EXAMPLES {
        let fault = read(text);
        for server in fault.named() {
            let rest = fault.without(server);
            assert!(rest.is_none_or(|rest| !rest.named().contains(&server)), "{text}");
        }
        assert_eq!(fault.without(ServerId(9)), Some(fault), "{text}: 9 is not in it");
    }
}

#[test]
fn every_example_can_be_done_to_a_world_and_the_end_leaves_nobody_paused() {
    let limit = Duration::from_secs(60);
    World::run(7, WorldOptions::default(), Rc::new(NoObserver), limit, |world| async move {
        for server in servers() {
            world.add_server(server, ServerPorts::default());
            world.install(server, Rc::new(|rt: SimRuntime| Box::pin(asleep(rt))));
            world.boot(server);
        }
        drop(world.client_runtime("client"));
        for text in EXAMPLES {
            read("start 1 2 3 4 5").apply(&world);
            read(text).apply(&world);
            world.sleep_until(world.now() + Duration::from_millis(10)).await;
        }
        read("start 1 2 3 4 5").apply(&world);
        read("pause 2 3").apply(&world);
        assert!(world.is_paused(ServerId(3)));
        heal_everything(&world);
        assert!(servers().iter().all(|server| world.is_alive(*server)));
        assert!(servers().iter().all(|server| !world.is_paused(*server)));
    });
}

async fn asleep(rt: SimRuntime) {
    rt.sleep_until(Stamp::FAR).await;
}
