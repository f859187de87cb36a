//! A server's state can be copied, compared and stored, and nothing but its inputs changes it.
//!
//! Servers of a few runs are driven again outside of any world, from the steps that were kept of
//! them. `QUORATE_STATE_STEPS` says how many steps are wanted together.

use std::env;
use std::path::Path;

use quorate::peer::Peer;
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
