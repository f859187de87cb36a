//! What whoever runs a server tells it, on its way into the inbox.
//!
//! Not here: what a server does then (core.rs, stopping.rs, reread.rs).

use super::inbox::Inbox;
use super::io::Input;
use crate::config::Reread;
use crate::runtime::{Notice, Order, Runtime};

/// Behind all classes of sources that the pump has.
const CLASS: u8 = 6;

/// From now on orders are inputs. Where the configuration is to be read again, that is done at once.
pub(super) fn take<R: Runtime>(rt: &R, inbox: &Inbox<Input>, reread: Option<Reread>) {
    let (inbox, manager) = (inbox.clone(), rt.clone());
    rt.take_orders(move |at, order| {
        if order != Order::Reread {
            return inbox.post(at, (CLASS, 0), Input::Order(order));
        }
        manager.notify(Notice::Reloading);
        if let Some(config) = reread.as_ref().and_then(|reread| (reread.read)()) {
            inbox.post(at, (CLASS, 0), Input::Reread(Box::new(config)));
        }
        manager.notify(Notice::Ready);
    });
}
