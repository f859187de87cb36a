//! What every layer uses: numbers, times, paths, notes, limits. Imports nothing from the crate.

mod dialect;
mod fingerprint;
mod ids;
pub mod invariant;
mod java_date;
pub mod limits;
mod members_changed;
mod misbehaviour;
pub mod museum;
mod note;
pub mod paths;
pub mod splitmix;
mod time;

pub use dialect::{Dialect, Difference};
pub use fingerprint::{Fingerprint, Rules};
pub use ids::{ConnId, Epoch, LinkId, ServerId, SessionId, Zxid};
pub(crate) use invariant::invariant;
pub use invariant::{Broken, COSTLY_CHECKS, routine};
pub use java_date::{iso_date, java_date};
pub use members_changed::{MembersChanged, ToldIn};
pub use misbehaviour::{Dismissed, GaveUp, PacketSeen, PeerMisbehaved};
pub use museum::{Exhibit, Museum};
pub use note::{AckKind, Note, RoleName, SyncMode};
pub use time::{Mono, Now, Stamp};

/// The target of the audit's lines in the log.
pub const AUDIT_TARGET: &str = "audit";
