//! Words every layer uses. Imports nothing from the crate.

mod ids;
pub mod limits;
pub mod museum;
mod note;
pub mod paths;
mod time;

pub use ids::{ConnId, Epoch, LinkId, ServerId, SessionId, Zxid};
pub use museum::{Exhibit, Museum};
pub use note::{AckKind, Note, RoleName, SyncMode};
pub use time::{Mono, Now, Stamp};
