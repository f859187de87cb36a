//! A load that can be run: the command line, checked.

use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;

use super::args::LoadArgs;
use super::error::BenchError;
use super::frames::path_of;
use super::op::Load;
use crate::base::splitmix;

/// Room for a few requests more in what jute.maxbuffer (1 MiB) takes by default.
const VALUE_BYTES_MAX: usize = 1_000_000;
const NAME_DIGITS: usize = 7;

#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) load: Load,
    pub(super) connections: usize,
    pub(super) outstanding: usize,
    pub(super) reads: u8,
    pub(super) value_bytes: usize,
    pub(super) nodes: u64,
    pub(super) name_digits: usize,
    pub(super) children: u64,
    pub(super) batch: usize,
    pub(super) warmup: Duration,
    pub(super) length: Duration,
    pub(super) operations: Option<u64>,
    pub(super) rate: Option<f64>,
    pub(super) session_timeout_ms: i32,
    pub(super) root: Option<String>,
    pub(super) keep: bool,
    pub(super) seed: u64,
}

impl Plan {
    pub(super) fn of(args: &LoadArgs) -> Result<Plan, BenchError> {
        let invalid = |why: String| Err(BenchError::Invalid(why));
        if args.value_bytes > VALUE_BYTES_MAX {
            return invalid(format!(
                "--value-bytes {} is more than a server takes: give {VALUE_BYTES_MAX} or less",
                args.value_bytes
            ));
        }
        if args.op == Load::Multi && args.batch as usize * args.value_bytes > VALUE_BYTES_MAX {
            return invalid(format!(
                "a multi of {} values of {} bytes is more than a server takes: give a smaller \
                 --batch or --value-bytes",
                args.batch, args.value_bytes
            ));
        }
        if args.reads.is_some() && args.op != Load::Mix {
            return invalid("--reads is for --op mix: add that, or leave --reads out".into());
        }
        if args.rate.is_some_and(|rate| rate <= 0.0 || !rate.is_finite()) {
            return invalid("--rate is operations a second: give a number above 0".into());
        }
        if let Some(root) = &args.root {
            let good = root.len() > 1 && root.starts_with('/') && !root.ends_with('/');
            if !good || root.contains(['#', '\0']) || root.contains("//") {
                return invalid(format!("--root {root}: give a path such as /bench"));
            }
        }
        let mut plan = Plan {
            load: args.op,
            connections: args.connections as usize,
            outstanding: args.outstanding as usize,
            reads: args.reads.unwrap_or(90),
            value_bytes: args.value_bytes,
            nodes: args.nodes,
            name_digits: 0,
            children: args.children,
            batch: args.batch as usize,
            warmup: Duration::from_secs_f64(args.warmup),
            length: Duration::from_secs_f64(args.seconds),
            operations: args.operations,
            rate: args.rate,
            session_timeout_ms: args.session_timeout_ms,
            root: args.root.clone(),
            keep: args.keep,
            seed: 0x51e9_a1e5,
        };
        let digits = plan.targets().saturating_sub(1).max(1).ilog10() as usize + 1;
        plan.name_digits = args.name_bytes.unwrap_or(NAME_DIGITS.max(digits));
        if plan.name_digits < digits {
            return invalid(format!(
                "--name-bytes {} is too short to name {} nodes: give {digits} or more",
                plan.name_digits,
                plan.targets()
            ));
        }
        Ok(plan)
    }

    /// The load in one line.
    pub(super) fn describe(&self) -> String {
        let name = self.load.to_possible_value().map(|value| value.get_name().to_string());
        let mut text = name.unwrap_or_default();
        if self.load == Load::Mix {
            text.push_str(&format!(" {}/{}", self.reads, 100 - self.reads));
        }
        text.push_str(&format!(" {}x{}", self.connections, self.outstanding));
        if let Some(rate) = self.rate {
            text.push_str(&format!(" at {rate}/s"));
        }
        text.push_str(&format!(", {} bytes", self.value_bytes));
        match self.targets() {
            0 => {}
            nodes => text.push_str(&format!(", {nodes} nodes")),
        }
        text
    }

    pub(super) fn target_path(&self, root: &str) -> String {
        path_of(root, "", self.name_digits)
    }

    /// A child of a target.
    pub(super) fn child_path(&self, root: &str) -> String {
        const CHILD_DIGITS: usize = 5;
        path_of(&self.target_path(root), "", CHILD_DIGITS)
    }

    pub(super) fn value(&self) -> Bytes {
        value_of(self.value_bytes, self.seed)
    }

    /// Nodes of its own that each connection watches: so many that none is changed again before its
    /// event has come.
    pub(super) fn watched(&self) -> usize {
        if self.load == Load::Watch { self.outstanding.div_ceil(2) + 1 } else { 0 }
    }

    /// Nodes that are there before the load begins.
    pub(super) fn targets(&self) -> u64 {
        match self.load {
            Load::Create | Load::Delete | Load::Idle => 0,
            Load::Watch => (self.watched() * self.connections) as u64,
            _ => self.nodes,
        }
    }
}

/// The servers of a connect string.
pub(super) fn servers(text: &str) -> Result<Vec<SocketAddr>, BenchError> {
    let mut servers = Vec::new();
    for host in text.split(',').filter(|host| !host.is_empty()) {
        if host.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(BenchError::Invalid(format!(
                "{host} is no server: give HOST:PORT, and a comma between servers"
            )));
        }
        let mut found = host.to_socket_addrs().map_err(|error| {
            BenchError::Invalid(format!("{host}: the name has no address ({error})"))
        })?;
        servers.extend(found.next());
    }
    if servers.is_empty() {
        return Err(BenchError::Invalid(
            "no server is given: quorate bench HOST:PORT[,HOST:PORT...]".into(),
        ));
    }
    Ok(servers)
}

/// Letters that do not compress to nothing.
fn value_of(length: usize, seed: u64) -> Bytes {
    let mut random = seed;
    (0..length).map(|_| b'a' + (splitmix::next(&mut random) % 26) as u8).collect()
}
