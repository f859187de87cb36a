//! A client of any ZooKeeper server, 3.5 to 3.9, or of Quorate.      (ZooKeeper, ClientCnxn)
//!
//!     connect_string  servers and chroot         settings  what a client is told
//!     core            the session: decides       driver    moves bytes and waits
//!     messages        what the core is told, and what it says
//!     request         what is asked, as bytes    handle    asks, and awaits the answer
//!     watches         what is watched, and what the server is told again after a reconnect
//!     event           what a watcher is told     failure   why there is no answer
//!     sasl            the client's half of DIGEST-MD5
//!
//! One thread, one task. Requests go out in the order in which they were asked, and are answered in
//! that order. A request that was sent when its connection ended fails with CONNECTIONLOSS: nobody
//! knows whether it was carried out. One that was not sent yet waits until every server of the list was
//! tried once.
//!
//! CL-1  an answer belongs to the oldest request that has none
//! CL-2  after a reconnect to the same session the server learns of everything that is still watched
//!
//! Not here: commands and their output (shell), certificates and the handshake of TLS (runtime).

mod calls;
mod connect_string;
mod core;
mod driver;
mod event;
mod failure;
mod handle;
mod messages;
mod request;
mod sasl;
mod settings;
mod watches;

pub use calls::{CreateMode, Reconfiguration, Write};
pub use connect_string::{ConnectString, ConnectStringError};
pub use event::{EventKind, KeeperState, WatchedEvent};
pub use failure::Failure;
pub use handle::Client;
pub use request::WatchedAs;
pub use settings::{ClientSettings, Credentials};
