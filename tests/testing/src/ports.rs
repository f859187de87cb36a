//! Ports for one ensemble.
//!
//! They lie below the range from which the kernel gives outgoing connections theirs: nothing else
//! takes the port of a server that is down for a moment. The first port of a block is held open as
//! long as the block is in use: tests of other threads and processes, and `quorate up --port 0`, pass
//! it by.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 10_000;
const BLOCK_SERVERS: u16 = 5;
const BLOCK: u16 = 1 + 4 * BLOCK_SERVERS;
const BLOCKS: u16 = 1_080;

/// The next block to try in this process.
static NEXT: AtomicU16 = AtomicU16::new(0);

#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerPorts {
    pub(crate) client: SocketAddr,
    pub(crate) quorum: SocketAddr,
    pub(crate) election: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// The ports of each server, and what keeps them from others.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) of_servers: Vec<ServerPorts>,
    _held: Vec<TcpListener>,
}

impl Ports {
    pub(crate) fn take(servers: usize) -> Result<Ports, String> {
        let mut of_servers = Vec::new();
        let mut held = Vec::new();
        let begin = process::id() % u32::from(BLOCKS);
        for _ in 0..BLOCKS {
            let n = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            let first = FIRST + ((begin * 61 + n) % u32::from(BLOCKS)) as u16 * BLOCK;
            let Ok(holder) = TcpListener::bind(loopback(first)) else { continue };
            if (1..BLOCK).any(|n| TcpListener::bind(loopback(first + n)).is_err()) {
                continue;
            }
            held.push(holder);
            of_servers.extend((1..=BLOCK_SERVERS).map(|n| ServerPorts {
                client: loopback(first + n),
                quorum: loopback(first + n + BLOCK_SERVERS),
                election: loopback(first + n + 2 * BLOCK_SERVERS),
                admin: loopback(first + n + 3 * BLOCK_SERVERS),
            }));
            if of_servers.len() >= servers {
                of_servers.truncate(servers);
                return Ok(Ports { of_servers, _held: held });
            }
        }
        Err(format!("there are no {BLOCK} free ports in a row at 127.0.0.1 from {FIRST} on"))
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ensembles_at_one_time_share_no_port() {
        let taken: Vec<Ports> = (0..4).map(|_| Ports::take(7).expect("free ports")).collect();
        let all = taken.iter().flat_map(|ports| &ports.of_servers);
        let all: Vec<_> = all.flat_map(|p| [p.client, p.quorum, p.election, p.admin]).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4 * 7 * 4);
    }
}
