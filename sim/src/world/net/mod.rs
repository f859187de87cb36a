//! The simulated network: hosts, directed links, connections.
//!
//! `link` and `conn` are what there is between machines, `state` holds all of it. `connect` makes
//! connections, `close` ends them, `flow` moves their bytes, through links with a `bandwidth` piece by
//! piece, `faults` cuts, delays, holds and retransmits, `stream` is what drivers hold.
//!
//! A frame is what one write call hands over. Its latency is keyed by (link, plane, connection,
//! frame no.), so traffic elsewhere changes nothing. Whether a cut swallowed it is decided on
//! arrival, from the list of cuts between its departure and its arrival: every cut in between is
//! known by then, in whatever order the executor ran things.
//!
//! - NE-1  bytes of one direction arrive in the order they were written, or not at all
//! - NE-2  nothing passes a cut: no SYN, data, FIN, RST, acknowledgement or window update
//! - NE-3  a sender whose bytes are not acknowledged for RETRANSMIT_LIMIT is told TimedOut
//!
//! Not here: names and planes of hosts (`World`), when processes die (`lifecycle`).

mod bandwidth;
mod close;
mod conn;
mod connect;
mod dispatch;
mod event;
mod faults;
mod flow;
mod link;
mod plane;
mod state;
mod stream;

pub(crate) use event::NetEvent;
pub use faults::RETRANSMIT_WAIT_MAX;
pub use plane::Plane;
pub(crate) use state::Net;
pub use stream::{SimListener, SimStream};
