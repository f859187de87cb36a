//! The log: to standard error, in one line an event, as much as RUST_LOG asks for (`info`).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Once a process. `start` redirects standard error to a file before this runs.
pub(super) fn set_up() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .finish();
    // Somebody who embeds the library may have set a subscriber: theirs stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
