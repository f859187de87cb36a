//! `quorate check`: everything that is wrong with a configuration, before it runs.
//!
//! What a start would read is read, and what it would open is tried without a trace: the addresses
//! for clients (at another port: a running server has its own), the files of TLS, the directories.

use std::net::{TcpListener, ToSocketAddrs};
use std::path::Path;

use super::args::INVALID;
use super::places::Places;
use crate::config::{Loaded, Mistakes, ServerConfig};
use crate::runtime::HostPort;
use crate::runtime::os::check_tls;

/// Prints warnings and either what the configuration means or each mistake. The answer is the exit code.
pub(super) fn check(path: &Path) -> i32 {
    let loaded = Places::of_file(path)
        .and_then(|places| ServerConfig::load(&places.config, &places.environment));
    let (loaded, mut errors) = match loaded {
        Ok(loaded) => (Some(loaded), Vec::new()),
        Err(Mistakes { errors, rest }) => (rest.map(|rest| *rest), errors_as_text(&errors)),
    };
    if let Some(Loaded { config, warnings, unknown_keys, .. }) = &loaded {
        for warning in warnings {
            println!("warning: {warning}");
        }
        errors.extend(errors_as_text(unknown_keys));
        if let Some(tls) = &config.client_tls
            && let Err(error) = check_tls(tls)
        {
            errors.push(error.to_string());
        }
        let secure = config.client_tls.as_ref().and_then(|tls| tls.listen.as_ref());
        errors.extend(config.client.iter().chain(secure).filter_map(cannot_listen));
        for dir in [&config.data_dir, &config.data_log_dir] {
            let error = cannot_be_a_directory(dir);
            errors.extend(error.filter(|error| !errors.contains(error)));
        }
    }
    if let Some(loaded) = loaded.filter(|_| errors.is_empty()) {
        println!("{}: good: {}", path.display(), describe(&loaded.config));
        return 0;
    }
    for error in errors {
        eprintln!("error: {error}");
    }
    INVALID
}

fn errors_as_text(errors: &[crate::config::ConfigError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// Why this machine cannot listen at the host of this address.
fn cannot_listen(address: &HostPort) -> Option<String> {
    let host = &address.host;
    if address.is_any() {
        return None;
    }
    let mut addresses = match (host.as_str(), 0).to_socket_addrs() {
        Ok(addresses) => addresses.peekable(),
        Err(error) => return Some(format!("clients cannot be heard at {address}: {error}")),
    };
    let first = *addresses.peek()?;
    if addresses.any(|address| TcpListener::bind(address).is_ok()) {
        return None;
    }
    let error = TcpListener::bind(first).err()?;
    Some(format!("clients cannot be heard at {address}: {error}"))
}

/// Whether a file stands where this directory would be made.
fn cannot_be_a_directory(dir: &Path) -> Option<String> {
    let nearest = dir.ancestors().find(|dir| dir.exists())?;
    let is_file = !nearest.is_dir();
    is_file.then(|| format!("{}: {} is no directory", dir.display(), nearest.display()))
}

/// One line that lets an operator see whether the file says what was meant.
fn describe(config: &ServerConfig) -> String {
    let mut clients = match &config.client {
        Some(address) => format!("clients at {address}"),
        None => "no client port".into(),
    };
    if let Some(tls) = &config.client_tls {
        if tls.port_unification {
            clients.push_str(" (TLS too)");
        }
        if let Some(address) = &tls.listen {
            clients.push_str(&format!(", TLS at {address}"));
        }
    }
    if config.is_standalone() {
        return format!("a standalone server, {clients}");
    }
    let servers = config.servers.len();
    format!("server {} of an ensemble of {servers}, {clients}", config.my_id)
}
