//! Ports for the servers of one test.
//!
//! They lie below the range from which the kernel gives outgoing connections theirs: nothing else
//! takes the port of a server that is down for a moment. The first port of a block is held open
//! as long as the block is in use, so that tests of other threads and processes pass it by.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 10_000;
const BLOCK: u16 = 21;
const BLOCKS: u16 = 1_080;
const SERVERS_MAX: u16 = 5;

/// The next block to try in this process.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// The ports of up to five servers.
pub(crate) struct Ports {
    first: u16,
    _held: TcpListener,
}

impl Ports {
    pub(crate) fn take() -> Ports {
        let begin = process::id() % u32::from(BLOCKS);
        for _ in 0..BLOCKS {
            let n = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            let block = (begin * 61 + n) % u32::from(BLOCKS);
            let first = FIRST + block as u16 * BLOCK;
            if let Ok(held) = TcpListener::bind(loopback(first))
                && (1..BLOCK).all(|n| TcpListener::bind(loopback(first + n)).is_ok())
            {
                return Ports { first, _held: held };
            }
        }
        panic!("no {BLOCK} free ports in a row");
    }

    fn of(&self, kind: u16, index: usize) -> SocketAddr {
        let index = u16::try_from(index).expect("few servers");
        assert!(index < SERVERS_MAX, "a block has ports for {SERVERS_MAX} servers");
        loopback(self.first + 1 + kind * SERVERS_MAX + index)
    }

    pub(crate) fn client(&self, index: usize) -> SocketAddr {
        self.of(0, index)
    }

    pub(crate) fn quorum(&self, index: usize) -> SocketAddr {
        self.of(1, index)
    }

    pub(crate) fn election(&self, index: usize) -> SocketAddr {
        self.of(2, index)
    }

    pub(crate) fn admin(&self, index: usize) -> SocketAddr {
        self.of(3, index)
    }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
