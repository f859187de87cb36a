//! The log: to standard error, in one line an event, as much as RUST_LOG asks for (`info`).

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, registry};

use crate::runtime::os::log_layer;

/// Once a process. `start` redirects standard error to a file before this runs.
pub(super) fn set_up() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = registry().with(filter).with(log_layer());
    // Somebody who embeds the library may have set a subscriber: theirs stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
