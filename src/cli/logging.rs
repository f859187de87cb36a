//! The log, in one line an event: as much as RUST_LOG or `log.level` asks for (`info`), to standard error,
//! or to the log file of a server in the background.

use std::path::Path;
use std::sync::OnceLock;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Registry, registry, reload};

use crate::base::AUDIT_TARGET;
use crate::config::ServerConfig;
use crate::runtime::os::log_layer;

/// What is logged, which may change while the process runs.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Once a process.
pub(super) fn set_up(config: &ServerConfig, file: Option<&Path>) {
    let (filter, handle) = reload::Layer::new(filter(config.log_level.as_deref()));
    let file = file.map(|file| (file, config.file_permissions));
    let subscriber = registry().with(filter).with(log_layer(&config.log, file));
    // Somebody who embeds the library may have set a subscriber: theirs stays.
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        let _first = FILTER.set(handle);
    }
}

/// `log.level` has changed.
pub(super) fn change(level: Option<&str>) {
    if let Some(handle) = FILTER.get() {
        // It fails where the subscriber is gone, and nobody logs any more.
        let _ = handle.reload(filter(level));
    }
}

/// RUST_LOG wins: it was given to this very process.
fn filter(level: Option<&str>) -> EnvFilter {
    if let Ok(filter) = EnvFilter::try_from_default_env() {
        return filter;
    }
    let level = level.unwrap_or("info");
    // Whoever switches the audit on wants it, however little is logged beside it.
    EnvFilter::try_new(format!("{AUDIT_TARGET}=info,{level}")).unwrap_or_else(|error| {
        eprintln!("log.level={level}: {error}; it is info instead");
        EnvFilter::new("info")
    })
}
