//! The operations of a workload without a mix: reads and writes of a few shared nodes.

use bytes::Bytes;

use super::memory::Memory;
use super::op::{Create, Op};
use super::values::ValueSizes;
use crate::draw::Draws;

/// The `n`-th operation of a client. `writes` is the share that writes, `nodes` the number of
/// nodes all clients share.
pub(super) fn draw(
    draws: &Draws,
    client: u64,
    n: u64,
    writes: f64,
    nodes: u32,
    sizes: ValueSizes,
    memory: &Memory,
) -> Op {
    // The first client begins by creating what all of them work on.
    if client == 1 && n < u64::from(nodes) {
        return create(format!("/k{n}"), sizes.data(draws, client, n), false, false);
    }
    let node = draws.below("op node", client, n, u64::from(nodes));
    let path = format!("/k{node}");
    let kind = draws.below("op kind", client, n, 100);
    if draws.unit("op writes", client, n) < writes {
        let data = sizes.data(draws, client, n);
        return match kind {
            0..40 => Op::Set { path, data, version: -1 },
            40..50 => Op::Set { path, data, version: memory.seen_version },
            50..65 => create(format!("/c{client}-{n}"), data, false, false),
            65..75 => create("/q-".into(), data, false, true),
            75..85 => create(format!("/e{client}-{n}"), data, true, false),
            85..90 => create(path, data, false, false),
            _ => {
                let missing = format!("/c{client}-none");
                let path = memory.created.last().cloned().unwrap_or(missing);
                Op::Delete { path, version: -1 }
            }
        };
    }
    match kind {
        0..60 => Op::Get { path, watch: false },
        60..80 => Op::Exists { path: format!("/c{client}-{}", n.saturating_sub(3)), watch: false },
        80..90 => Op::List { path: "/".into(), watch: false },
        _ => Op::Sync { path: "/".into() },
    }
}

fn create(path: String, data: Bytes, ephemeral: bool, sequential: bool) -> Op {
    Op::Create(Create { path, data, ephemeral, sequential, with_stat: false })
}
