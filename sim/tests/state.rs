//! A server's state can be copied, compared and stored, and nothing but its inputs changes it.
//!
//! Servers of a few runs are driven again outside of any world, from the steps that were kept of
//! them. `QUORATE_STATE_STEPS` says how many steps are wanted together.

use std::env;
use std::path::Path;

use quorate::peer::{Output, Peer};
use quorate_sim::run::Step;
use quorate_sim::run::{RunOptions, ServerSteps, Steps, run};
use quorate_sim::scenario::Scenario;

/// Files and cases, each played with seeds from 1 on until there are steps enough.
const RUNS: [&str; 5] = [
    "chaos/plain.toml",
    "chaos/contract.toml",
    "chaos/short.toml",
    "chaos/disks.toml",
    "chaos/read_only.toml",
];
const STEPS: usize = 40_000;

fn steps_wanted() -> usize {
    env::var("QUORATE_STATE_STEPS").map_or(STEPS, |n| n.parse().expect("a number of steps"))
}

/// The servers of one run.
fn play(file: &str, seed: u64) -> Vec<ServerSteps> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let scenario = Scenario::load(&root.join("scenarios").join(file)).expect("a kept scenario");
    let scenario = scenario.drawn(seed).expect("a seed draws a scenario");
    let steps = Steps::default();
    let verdict =
        run(&scenario, &RunOptions { seed, steps: Some(steps.clone()), ..RunOptions::default() });
    assert_eq!((verdict.violations.len(), &verdict.simulator), (0, &None), "{file}, seed {seed}");
    steps.take()
}

/// Hands servers to `check` until they have done as many steps as wanted.
fn for_servers_of_many_runs(mut check: impl FnMut(&str, &ServerSteps)) {
    let mut done = 0;
    for seed in 1.. {
        for file in RUNS {
            for server in play(file, seed) {
                let name = format!("{file}, seed {seed}, server {}", server.config.my_id);
                check(&name, &server);
                done += server.steps.len();
            }
            if done >= steps_wanted() {
                println!("{done} steps, seeds up to {seed}");
                return;
            }
        }
    }
}

fn new(server: &ServerSteps) -> Peer {
    Peer::new(server.started, server.config.clone(), server.seeds)
}

#[test]
fn a_server_is_a_function_of_its_inputs() {
    for_servers_of_many_runs(|name, server| {
        let mut peer = new(server);
        for (n, step) in server.steps.iter().enumerate() {
            let outputs = peer.step(step.now, step.input.clone());
            assert_eq!(outputs, step.outputs, "{name}, step {n}: {:?}", step.input);
        }
    });
}

/// A copy is looked at before each so many steps; a stored one more rarely.
const COPIED_EVERY: usize = 7;
const STORED_EVERY: usize = 61;

/// Both do the step: the same comes out, and they are in the same state.
#[track_caller]
fn step_both(one: &mut Peer, other: &mut Peer, step: &Step, name: &str) -> Vec<Output> {
    let outputs = one.step(step.now, step.input.clone());
    assert_eq!(outputs, other.step(step.now, step.input.clone()), "{name}: {:?}", step.input);
    let states = (one.fingerprint(step.now), other.fingerprint(step.now));
    assert_eq!(states.0, states.1, "{name}: {:?}", step.input);
    outputs
}

fn stored(peer: &Peer) -> Peer {
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(peer, config).expect("a server serialises");
    let (peer, length) = bincode::serde::decode_from_slice(&bytes, config).expect("and reads");
    assert_eq!(length, bytes.len());
    peer
}

#[test]
fn a_copy_of_a_server_goes_on_as_the_server_does() {
    for_servers_of_many_runs(|name, server| {
        let mut peer = new(server);
        let mut copy = peer.clone();
        for (n, step) in server.steps.iter().enumerate() {
            if n % COPIED_EVERY == 0 {
                copy = peer.clone();
                assert_eq!(copy.fingerprint(step.now), peer.fingerprint(step.now), "{name}");
            }
            let outputs = step_both(&mut peer, &mut copy, step, name);
            assert_eq!(outputs, step.outputs, "{name}, step {n}");
        }
    });
}

#[test]
fn a_stored_server_goes_on_as_if_it_had_not_been() {
    for_servers_of_many_runs(|name, server| {
        let mut peer = new(server);
        let mut loaded = peer.clone();
        for (n, step) in server.steps.iter().enumerate() {
            if n % STORED_EVERY == 0 {
                loaded = stored(&peer);
                assert_eq!(loaded.fingerprint(step.now), peer.fingerprint(step.now), "{name}");
            }
            step_both(&mut peer, &mut loaded, step, name);
        }
    });
}

/// A copy shares nothing that changes with what it was copied from: whichever steps first.
#[test]
fn the_steps_of_two_servers_commute() {
    for_servers_of_many_runs(|name, server| {
        let mut peer = new(server);
        for (n, pair) in server.steps.windows(2).enumerate() {
            let [first, second] = pair else { unreachable!("windows of two") };
            if n % COPIED_EVERY == 0 {
                // The other one is a step ahead: two servers in different states.
                let mut ahead = peer.clone();
                ahead.step(first.now, first.input.clone());
                let (mut a, mut b) = (peer.clone(), ahead.clone());
                let a_first = (
                    a.step(first.now, first.input.clone()),
                    b.step(second.now, second.input.clone()),
                );
                let b_first = (
                    ahead.step(second.now, second.input.clone()),
                    peer.step(first.now, first.input.clone()),
                );
                assert_eq!((&a_first.0, &a_first.1), (&b_first.1, &b_first.0), "{name}, step {n}");
                let now = second.now;
                assert_eq!(a.fingerprint(now), peer.fingerprint(now), "{name}, step {n}");
                assert_eq!(b.fingerprint(now), ahead.fingerprint(now), "{name}, step {n}");
            } else {
                peer.step(first.now, first.input.clone());
            }
        }
    });
}

/// What a copy costs: `cargo test --release -p quorate-sim --test state -- --ignored --nocapture`.
#[test]
#[ignore = "prints a figure and asserts nothing"]
fn what_a_copy_costs() {
    let mut shown = 0;
    for_servers_of_many_runs(|name, server| {
        let mut peer = new(server);
        for step in &server.steps {
            peer.step(step.now, step.input.clone());
        }
        if shown < 10 {
            shown += 1;
            let begun = std::time::Instant::now();
            let copies: Vec<Peer> = (0..1000).map(|_| peer.clone()).collect();
            let spent = begun.elapsed() / 1000;
            println!("{name}: {} nodes, {spent:?} a copy", copies[0].tree().node_count());
        }
    });
}
