//! The ports of an ensemble on this machine: those that were asked for, or some that are free.
//!
//! Free ones lie below the range from which the kernel gives outgoing connections theirs: nothing
//! else takes the port of a server that is down for a moment. They come in blocks for five servers;
//! the first port of a block is held open as long as the block is in use, so that other ensembles of
//! this machine pass it by.

use std::net::TcpListener;
use std::process;

pub(super) const LOOPBACK: &str = "127.0.0.1";
const QUORUM: u16 = 1000;
const ELECTION: u16 = 2000;
const ADMIN: u16 = 3000;

const FIRST: u16 = 10_000;
const BLOCK_SERVERS: u16 = 5;
const BLOCK: u16 = 1 + 4 * BLOCK_SERVERS;
const BLOCKS: u16 = 1_080;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ServerPorts {
    pub(super) client: u16,
    pub(super) quorum: u16,
    pub(super) election: u16,
    pub(super) admin: u16,
}

impl ServerPorts {
    /// Those that such a server opens.
    fn used(self, is_alone: bool) -> Vec<u16> {
        match is_alone {
            true => vec![self.client, self.admin],
            false => vec![self.client, self.quorum, self.election, self.admin],
        }
    }
}

/// The ports of each server, from the first client port on. The error names every one that somebody
/// else listens on.
pub(super) fn from_port(port: u16, servers: u16) -> Result<Vec<ServerPorts>, String> {
    let all: Vec<ServerPorts> = (port..port + servers)
        .map(|client| ServerPorts {
            client,
            quorum: client + QUORUM,
            election: client + ELECTION,
            admin: client + ADMIN,
        })
        .collect();
    let used = all.iter().flat_map(|ports| ports.used(servers == 1));
    let taken: Vec<String> = used.filter(|port| !is_free(*port)).map(|p| p.to_string()).collect();
    match taken.is_empty() {
        true => Ok(all),
        false => Err(format!(
            "in use on {LOOPBACK}: port {}. Stop what listens there, or choose others with --port; \
             --port 0 takes some that are free",
            taken.join(", ")
        )),
    }
}

/// The ports of each server among those that are free, and what keeps them from other ensembles.
pub(super) fn free(servers: u16) -> Result<(Vec<ServerPorts>, Vec<TcpListener>), String> {
    let mut ports = Vec::new();
    let mut held = Vec::new();
    let begin = process::id() % u32::from(BLOCKS);
    for n in 0..u32::from(BLOCKS) {
        let block = (begin * 61 + n) % u32::from(BLOCKS);
        let first = FIRST + block as u16 * BLOCK;
        let Ok(holder) = TcpListener::bind((LOOPBACK, first)) else { continue };
        if (1..BLOCK).all(|n| is_free(first + n)) {
            held.push(holder);
            ports.extend((1..=BLOCK_SERVERS).map(|n| ServerPorts {
                client: first + n,
                quorum: first + n + BLOCK_SERVERS,
                election: first + n + 2 * BLOCK_SERVERS,
                admin: first + n + 3 * BLOCK_SERVERS,
            }));
        }
        if ports.len() >= usize::from(servers) {
            ports.truncate(usize::from(servers));
            return Ok((ports, held));
        }
    }
    Err(format!(
        "not enough free ports on {LOOPBACK} for {servers} servers: {BLOCK} in a row from {FIRST} on \
         for each five. Choose others with --port"
    ))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((LOOPBACK, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_use_are_named() {
        let taken = TcpListener::bind((LOOPBACK, 0)).expect("a free port");
        let port = taken.local_addr().expect("it is bound").port().min(62_000);
        drop(taken);
        let taken = TcpListener::bind((LOOPBACK, port)).expect("it was free");
        let problem = from_port(port, 1).expect_err("the port is taken");
        assert!(problem.contains(&format!("port {port}.")), "{problem}");
        drop(taken);
        assert!(from_port(port, 1).is_ok());
    }

    #[test]
    fn each_server_has_a_client_and_an_admin_port_and_in_an_ensemble_two_more() {
        let ports = ServerPorts { client: 2181, quorum: 3181, election: 4181, admin: 5181 };
        assert_eq!(ports.used(true), [2181, 5181]);
        assert_eq!(ports.used(false), [2181, 3181, 4181, 5181]);
    }

    #[test]
    fn two_ensembles_get_ports_of_their_own() {
        let (one, held) = free(7).unwrap_or_else(|problem| panic!("{problem}"));
        let (other, _held_too) = free(7).unwrap_or_else(|problem| panic!("{problem}"));
        let mut all: Vec<u16> =
            one.iter().chain(&other).flat_map(|ports| ports.used(false)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), held.len()), (2 * 7 * 4, 2));
    }
}
