//! Two servers are asked the same, at random, and must answer the same.
//!
//! Streams of operations out of a seed go to both, over several sessions each. Every reply, every
//! error, every Stat and every watch event must be the same in the same order on each connection,
//! once zxids are counted from a base, sessions are told by their order and times by their
//! transactions (`wire::Names`). Where the servers part, the stream is made as small as it gets.
//!
//! `tests/interop/run.sh differential` starts the servers: Apache ZooKeeper and this one.
//!
//!     DIFFERENTIAL_ONE     name@address of the one server, say apache@127.0.0.1:2181
//!     DIFFERENTIAL_OTHER   name@address of the other
//!     DIFFERENTIAL_RULES   3.8 where one of them is that version; otherwise nothing may differ
//!     DIFFERENTIAL_OPS     how many requests, 5000 if not said
//!     DIFFERENTIAL_SEED    where to begin; a stream is its seed
//!
//! Both need extendedTypesEnabled=true, enforceQuota=true, and super:test as the superuser.

mod admin;
mod generate;
mod pair;
mod random;
mod request;
mod shrink;
mod side;
mod step;
mod versions;
#[path = "../wire/mod.rs"]
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Instant;

use generate::Generator;
use pair::Pair;
use quorate::jute::client::op_name;
use side::{Reached, Side};
use versions::Rules;

/// Differences that are made small and told.
const TOLD_MAX: usize = 12;

/// With so many requests every operation has succeeded once.
const OPS_TO_REACH_ALL: u64 = 4_000;

/// What is always refused.
const NEVER_OK: [&str; 3] = ["reconfig", "check", "unknown"];

fn setting(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn number(name: &str, otherwise: u64) -> u64 {
    let value = setting(name).map(|value| value.parse().expect("a number"));
    value.unwrap_or(otherwise)
}

/// `name@host:port`
fn server(name: &str) -> (String, SocketAddr) {
    let value = setting(name).unwrap_or_else(|| panic!("{name} is not set: name@address"));
    let (name, address) = value.split_once('@').expect("name@address");
    let mut addresses = address.to_socket_addrs().expect("an address");
    (name.into(), addresses.next().expect("an address"))
}

#[test]
#[ignore = "needs two servers: tests/interop/run.sh differential"]
fn two_servers_answer_alike() {
    let rules = match setting("DIFFERENTIAL_RULES").as_deref() {
        Some("3.8") => Rules::As38,
        _ => Rules::Alike,
    };
    let [one, other] = ["DIFFERENTIAL_ONE", "DIFFERENTIAL_OTHER"].map(server);
    let side = |address| Side::new(address, rules.hides_event_zxids());
    let mut pair = Pair::new(side(one.1), side(other.1));
    let (wanted, first) = (number("DIFFERENTIAL_OPS", 5_000), number("DIFFERENTIAL_SEED", 1));
    println!("{} and {}: {wanted} requests from seed {first} on", one.0, other.0);

    let begun = Instant::now();
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut asked = 0;
    for seed in first.. {
        if asked >= wanted {
            break;
        }
        let steps = Generator::new(seed, rules).stream();
        asked += step::count_requests(&steps) as u64;
        pair.hurry(false);
        let Some(parting) = pair.play(&steps) else { continue };
        let signature = parting.signature(&steps);
        let count = found.entry(signature.clone()).or_default();
        *count += 1;
        if *count > 1 || found.len() > TOLD_MAX {
            continue;
        }
        pair.hurry(true);
        let (steps, parting) = shrink::shrink(&mut pair, steps, parting);
        let smallest = parting.signature(&steps);
        println!("\nseed {seed}: they part: {smallest}");
        if smallest == signature || !found.contains_key(&smallest) {
            println!("{}", parting.report(&steps, [&one.0, &other.0]));
            found.entry(smallest).or_default();
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("\n{asked} requests, {:.0} a second", asked as f64 / seconds);
    tell_what_was_reached(&pair.one.reached, asked);
    let listed: Vec<String> =
        found.iter().map(|(signature, count)| format!("  {count:>6} times {signature}")).collect();
    assert!(found.is_empty(), "they part:\n{}", listed.join("\n"));
}

/// Answers are worth comparing where there were some of each kind.
fn tell_what_was_reached(reached: &Reached, asked: u64) {
    let ops: BTreeSet<i32> = reached.keys().map(|(op, _)| *op).collect();
    let mut never = Vec::new();
    for op in ops {
        let codes = reached.iter().filter(|((of, _), _)| *of == op);
        let codes: Vec<String> = codes.map(|((_, err), count)| format!("{err}: {count}")).collect();
        println!("  {:<22} {}", op_name(op), codes.join(", "));
        if !reached.contains_key(&(op, 0)) && NEVER_OK.iter().all(|other| *other != op_name(op)) {
            never.push(op_name(op));
        }
    }
    let enough = asked >= OPS_TO_REACH_ALL;
    assert!(!enough || never.is_empty(), "no success of {never:?} was compared");
}
