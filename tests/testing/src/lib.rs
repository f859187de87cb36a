//! An ensemble of Quorate for one test: started, broken and ended by it.
//!
//!     let mut ensemble = quorate_testing::servers(3).start();
//!     let client = Client::connect(&ensemble.connect_string()).await?;
//!     let leader = ensemble.wait_for_leader();
//!     ensemble.kill(leader);
//!     ensemble.wait_for_leader();
//!     ensemble.revive(leader);
//!
//! Each server is a process of the program `quorate`, on the loopback interface, with ports that no
//! other test of this machine has and data in a temporary directory. All of it goes with the
//! [`Ensemble`]; when the test panics the ends of the logs are printed, and the directory stays.
//!
//! The program is `QUORATE_BIN`, or `quorate` where cargo puts the programs of this build, or in PATH.

mod ensemble;
mod ports;
mod program;
mod server;

pub use ensemble::{Builder, Ensemble};

/// An ensemble of so many voters, from 1 (which stands alone) to 9.
pub fn servers(voters: u16) -> Builder {
    Builder::new(voters)
}
