use std::path::Path;
use std::time::Duration;

use quorate::base::{Epoch, ServerId, Zxid};

use crate::grammar::{Names, When};
use crate::scenario::mix::Kind;
use crate::scenario::{Action, Expectation, FileError, Scenario};

fn parse(text: &str) -> Result<Scenario, FileError> {
    Scenario::parse(Path::new("a.toml"), &format!("about = \"x\"\n{text}"))
}

fn refused(text: &str) -> FileError {
    parse(text).expect_err("this file has a mistake")
}

const THREE: &str = "[ensemble]\nvoters = [1, 2, 3]\n";

#[test]
fn a_mistake_in_a_timeline_has_its_line_and_column() {
    let error =
        refused(&format!("{THREE}timeline = [\n  \"0s  start 1\",\n  \"5s  strat 2\",\n]\n"));
    assert_eq!((error.line, error.column), (6, 8));
    assert!(error.to_string().starts_with("a.toml:6:8: unknown action `strat`"), "{error}");
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_one() {
    let error = refused("[ensemble]\nvoters = [1]\nobsrvers = [2]\n");
    assert_eq!(error.line, 4);
    assert!(error.message.contains("did you mean `observers`"), "{error}");
}

#[test]
fn values_are_checked_where_they_stand() {
    let error = refused(&format!("{THREE}tick_time = \"1 second\"\n"));
    assert_eq!((error.line, error.column), (4, 14));
    let error = refused(&format!("{THREE}disk.7 = {{ last = \"0x100000001\" }}\n"));
    assert!(error.message.contains("expected a server (1 2 3), found `7`"), "{error}");
    let error = refused(&format!("{THREE}disk.1 = {{ last = \"100000001\" }}\n"));
    assert_eq!((error.line, error.column), (4, 20));
    let error = refused("museum = [\"ack_before_flsh\"]\n[ensemble]\nvoters = [1]\n");
    assert!(error.message.contains("did you mean `ack_before_flush`"), "{error}");
    let error = refused("[ensemble]\nvoters = [1, 2, 2]\n");
    assert!(error.message.contains("different servers"), "{error}");
}

#[test]
fn a_pinned_seed_is_a_number_from_0_on() {
    assert_eq!(parse(&format!("seed = 7\n{THREE}")).expect("a scenario").seed, Some(7));
    assert_eq!(parse(THREE).expect("a scenario").seed, None);
    let error = refused(&format!("seed = -1\n{THREE}"));
    assert_eq!((error.line, error.column), (2, 8));
}

#[test]
fn a_client_connects_before_it_asks() {
    let lines = "timeline = [\"1s client a connects 1\", \"2s client b get /x\"]\n";
    let error = refused(&format!("{THREE}{lines}"));
    assert!(error.message.contains("client `b` has not connected"), "{error}");
}

#[test]
fn the_timeline_may_stand_behind_the_network_but_only_once() {
    let network = "[network]\nlatency = \"1ms..5ms\"\ntimeline = [\"0s start 1\"]\n";
    let scenario = parse(&format!("{THREE}{network}")).expect("a scenario");
    assert_eq!(scenario.cases[0].timeline.len(), 1);
    let twice = refused(&format!("timeline = [\"0s start 1\"]\n{THREE}{network}"));
    assert!(twice.message.contains("one timeline"), "{twice}");
}

#[test]
fn a_disk_line_says_a_whole_log() {
    let text = format!(
        "{THREE}disk.1 = {{ last = \"0x200000003\", accepted_epoch = 4 }}\n\
         disk.2 = {{ log = [\"0x100000001..0x100000002\", \"0x200000001\"] }}\n"
    );
    let scenario = parse(&text).expect("a scenario");
    let disk = &scenario.ensemble.disks[&ServerId(1)];
    assert_eq!((disk.current_epoch, disk.accepted_epoch), (Epoch(2), Epoch(4)));
    assert_eq!(disk.log.len(), 3);
    assert_eq!(disk.last(), Zxid::new(Epoch(2), 3));
    assert_eq!(scenario.ensemble.disks[&ServerId(2)].log.len(), 3);
    // Two different histories: no quorum holds either.
    assert_eq!(scenario.ensemble.committed, Zxid::ZERO);
}

#[test]
fn what_a_quorum_of_disks_holds_alike_is_committed() {
    let text = format!(
        "{THREE}disk.1 = {{ last = \"0x100000009\" }}\ndisk.2 = {{ last = \"0x100000005\" }}\n"
    );
    assert_eq!(parse(&text).expect("a scenario").ensemble.committed, Zxid::new(Epoch(1), 5));
}

#[test]
fn a_boundary_is_computed_and_tried_on_both_sides() {
    let text = format!(
        "{THREE}finalize_wait = \"300ms\"\n[network]\nlatency = \"2ms\"\n\
         timeline = [\"1s + $gap  start 1\"]\n[boundary]\nvary = \"gap\"\n\
         at = \"finalize_wait + 3 latency + 4ms\"\ndelta = \"10ms\"\ncheck_at = \"9s\"\n\
         expect_below = \"leader 1\"\nexpect_above = \"no leader\"\n"
    );
    let scenario = parse(&text).expect("a scenario");
    let times: Vec<When> = scenario.cases.iter().map(|c| c.timeline[0].when.clone()).collect();
    let ms = |n| When::At(Duration::from_millis(n));
    assert_eq!(times, [ms(1300), ms(1320)]);
    let expected = &scenario.cases[1].timeline[1].actions[0];
    assert_eq!(*expected, Action::Expect(vec![Expectation::NoLeader]));
    let range = refused(&text.replace("latency = \"2ms\"", "latency = \"1ms..2ms\""));
    assert!(range.message.contains("one latency"), "{range}");
}

#[test]
fn start_orders_are_all_of_them_and_the_best_of_the_first_quorum_leads() {
    let text = "[ensemble]\nvoters = [1, 2, 3, 4, 5]\ndisk.2 = { last = \"0x100000001\" }\n\
                [start_orders]\nof = \"all voters\"\ngap = \"5s\"\n\
                expect_leader = \"best of the first quorum\"\n";
    let scenario = parse(text).expect("a scenario");
    assert_eq!(scenario.cases.len(), 120);
    let leader_of = |name: &str| {
        let case = scenario.cases.iter().find(|case| case.name == name).expect("this order");
        let Some(Action::Expect(clauses)) = case.timeline.last().map(|line| &line.actions[0])
        else {
            panic!("an order ends with what it expects")
        };
        clauses[0].clone()
    };
    let leader = |id| Expectation::Leader { servers: vec![ServerId(id)], epoch: None };
    assert_eq!(leader_of("order 1,5,2,3,4"), leader(2));
    assert_eq!(leader_of("order 1,5,3,2,4"), leader(5));
}

/// The first word of an action.
fn word_of(action: &Action) -> String {
    action.to_string().split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn a_class_of_faults_that_is_not_known_is_refused_with_its_place_and_the_nearest_one() {
    let error = refused(&format!("{THREE}[chaos]\ncrash = 8\nhold_fsink = 1.0\n"));
    assert!(error.to_string().starts_with("a.toml:6:1: unknown class of faults `hold_fsink`"));
    assert!(error.message.contains("did you mean `hold_fsync`?"), "{error}");
    let error = refused(&format!("{THREE}[chaos]\ncrash = \"8\"\n"));
    assert_eq!((error.line, error.column), (5, 9), "{error}");
    let error = refused(&format!("{THREE}[chaos]\nfrom = \"5 s\"\n"));
    assert_eq!((error.line, error.column), (5, 9), "{error}");
}

#[test]
fn drawn_faults_repeat_and_one_left_out_moves_no_other() {
    let text = "duration = \"60s\"\n[ensemble]\nvoters = [1, 2, 3]\n[chaos]\ncrash = 20.0\n\
                cut = 20.0\npause = 20.0\n";
    let scenario = parse(text).expect("a scenario");
    let chaos = scenario.chaos.as_ref().expect("it has chaos");
    let mut seen = 0;
    for seed in 1..20 {
        let lines = chaos.lines(seed, &scenario.ensemble);
        assert_eq!(lines, chaos.lines(seed, &scenario.ensemble));
        seen += lines.len();
        for line in &lines {
            let When::At(at) = line.when else { panic!("faults have times") };
            assert!(at >= chaos.from && at <= chaos.until, "{line}");
        }
        // Whoever goes down comes back.
        let count = |word: &str| lines.iter().filter(|l| word_of(&l.actions[0]) == word).count();
        assert_eq!(count("crash"), count("start"));
    }
    assert!(seen > 100, "{seen} lines in all");
}

#[test]
fn plots_come_to_an_end_and_bursts_only_move_what_begins() {
    let text = |bursts| {
        format!(
            "duration = \"30s\"\n{THREE}[chaos]\nfrom = \"1s\"\nblackout = 40.0\nambush = 40.0\n\
             coup = 40.0\nstall = 40.0\nbursts = {bursts}\n"
        )
    };
    let (even, bursts) = (text("0.0"), text("1.0"));
    let (even, bursts) = (parse(&even).expect("a scenario"), parse(&bursts).expect("a scenario"));
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 1..30 {
        let lines = |of: &Scenario| {
            let chaos = of.chaos.as_ref().expect("it has chaos");
            chaos.lines(seed, &of.ensemble)
        };
        let (even, bursts) = (lines(&even), lines(&bursts));
        assert_eq!(even.len(), bursts.len(), "seed {seed}");
        // Whoever goes down is started again, whatever is held is let go.
        for line in &even {
            let ends = |action: &Action, of: &Action| {
                let (Action::Fault(back), Action::Fault(gone)) = (action, of) else { return false };
                let pair = (word_of(action), word_of(of));
                match (pair.0.as_str(), pair.1.as_str()) {
                    ("start", "crash" | "stop") => {
                        back.servers().iter().any(|server| gone.servers().contains(server))
                    }
                    ("resume", "pause")
                    | ("release-fsync", "hold-fsync")
                    | ("heal", "cut")
                    | ("release", "hold") => back.named() == gone.named(),
                    _ => false,
                }
            };
            let of = &line.actions[0];
            let word = word_of(of);
            let begins = ["crash", "stop", "pause", "hold-fsync", "cut", "hold"];
            let begins = begins.contains(&word.as_str());
            kinds.insert(word);
            let same = even.iter().filter(|other| other.fault == line.fault);
            let mut last = same.flat_map(|line| &line.actions);
            assert!(!begins || last.any(|action| ends(action, of)), "seed {seed}: {line}");
        }
    }
    for kind in ["crash", "stop", "pause", "cut", "hold", "hold-fsync", "slow-fsync"] {
        assert!(kinds.contains(kind), "{kind} is never drawn: {kinds:?}");
    }
}

#[test]
fn a_mix_says_what_clients_ask_for_by_weight() {
    let workload = "[workload]\nclients = 2\nwatches = 0.5\n";
    let scenario = parse(&format!("{THREE}{workload}mix = {{ get = 3, multi = 1 }}\n"));
    let mix = scenario.expect("a scenario").workload.and_then(|w| w.mix).expect("a mix");
    let drawn: Vec<Kind> = (0..4).map(|draw| mix.kind(draw)).collect();
    assert_eq!(drawn, [Kind::Multi, Kind::Get, Kind::Get, Kind::Get]);
    assert_eq!(mix.watches, 0.5);
    let plain = parse(&format!("{THREE}{workload}")).expect("a scenario");
    assert!(plain.workload.is_some_and(|w| w.mix.is_none()));
    let error = refused(&format!("{THREE}{workload}mix = {{ get = 3, mutli = 1 }}\n"));
    assert_eq!(error.line, 7);
    assert!(error.message.contains("did you mean `multi`"), "{error}");
}

#[test]
fn only_what_can_be_strict_may_be() {
    let scenario = parse(&format!("strict = [\"C-3\"]\n{THREE}")).expect("a scenario");
    assert_eq!(scenario.strict, ["C-3"]);
    assert!(parse(&format!("strict = [\"C-4\"]\n{THREE}")).is_err());
}

#[test]
fn a_disk_is_saved_before_it_is_put_back() {
    let line = |text: &str| format!("{THREE}timeline = [\"1s  {text}\"]\n");
    assert!(parse(&line("save-disk 1 2; restore-disk 2")).is_ok());
    let error = refused(&line("save-disk 1; restore-disk 2"));
    assert!(error.message.contains("no line above says `save-disk 2`"), "{error}");
}

#[test]
fn faults_of_disks_and_links_move_no_other_and_end_with_a_start() {
    let all = "[chaos]\nuntil = \"60s\"\ncrash = 20.0\ncut = 20.0\nhold_fsync = 20.0\n";
    let more = "fail_write = 20.0\nfail_fsync = 20.0\nfail_read = 20.0\nfull_disk = 20.0\n\
                crash_point = 20.0\nlook = 20.0\ndelay = 20.0\nhold = 20.0\n";
    let lines = |text: &str, seed| {
        let scenario = parse(&format!("duration = \"60s\"\n{THREE}{text}")).expect("a scenario");
        let lines = scenario.chaos.expect("it has chaos").lines(seed, &scenario.ensemble);
        lines.into_iter().map(|line| line.to_string()).collect::<Vec<String>>()
    };
    let mut kinds = std::collections::BTreeSet::new();
    for seed in 1..20 {
        let (old, new) = (lines(all, seed), lines(&format!("{all}{more}"), seed));
        let mut rest = new.iter();
        for line in &old {
            assert!(rest.any(|other| other == line), "seed {seed} has lost `{line}`");
        }
        let count = |what: &str| new.iter().filter(|line| line.contains(what)).count();
        let failing = count("fail-") + count("fill-disk") + count("effect");
        assert_eq!(count("start"), failing + count("  crash") - count("effect"), "seed {seed}");
        assert_eq!(count("fail-"), count("mend-disk"));
        assert_eq!(count("fill-disk"), count("free-disk"));
        for what in ["fail-write", "fail-fsync", "fail-read", "fill", "effect", "look", "delay"] {
            kinds.extend((count(what) > 0).then_some(what));
        }
        kinds.extend((count(" hold ") > 0).then_some("hold"));
        let names = Names { servers: (1..=3).map(ServerId).collect(), variable: None };
        assert!(new.iter().all(|line| names.line(line).is_ok()), "{new:?}");
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
}
