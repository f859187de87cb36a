//! The `quorate` program.

use std::rc::Rc;

use quorate::config::{Reread, ServerConfig};
#[cfg(feature = "otlp")]
use quorate::otlp;
use quorate::peer;
use quorate::runtime::os::{Machine, finish_log};

fn main() {
    std::process::exit(quorate::cli::run(serve));
}

/// Runs one server on this machine; it ends by a signal or through `Runtime::halt`.
fn serve(mut config: ServerConfig, reread: Reread) -> i32 {
    let machine = Machine::with_permissions(config.file_permissions);
    let threads = config.net_threads.unwrap_or_else(Machine::client_threads);
    let machine = machine.with_client_threads(threads).with_client_sockets(config.client_sockets);
    let machine = machine.with_manager();
    if let Err(error) = machine.obey_signals(config.stop_timeout, &reread.file) {
        tracing::warn!("signals end the server at once: {error}");
    }
    let (descriptors, clients_max) = machine.descriptors();
    config.limits.fit(clients_max);
    let read = Rc::clone(&reread.read);
    let fitted = move || {
        let mut config = read()?;
        config.limits.fit(clients_max);
        Some(config)
    };
    let reread = Reread { read: Rc::new(fitted), ..reread };
    tracing::info!(
        descriptors,
        net.threads = threads,
        "room for {} clients",
        config.limits.connections_max
    );
    let exit_code = match machine.run(serve_on(machine.clone(), config, reread)) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!("the server could not start: {error}");
            1
        }
    };
    finish_log();
    exit_code
}

async fn serve_on(machine: Machine, config: ServerConfig, reread: Reread) {
    #[cfg(feature = "otlp")]
    if let Some(to) = config.otlp.clone() {
        return otlp::run(machine, config, reread, to).await;
    }
    peer::run(machine, config, reread).await;
}
