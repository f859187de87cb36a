//! TLS of the client port on rustls, either half.      (NettyServerCnxnFactory, X509Util, ZKTrustManager)
//!
//! | file        | what it is                                                            |
//! |-------------|-----------------------------------------------------------------------|
//! | `error.rs`  | what is wrong with a file, in one sentence                            |
//! | `files.rs`  | stores to a rustls configuration                                      |
//! | `ec_keys.rs`| private keys that lack their public key, as Java writes them          |
//! | `pem.rs`    | stores in PEM                                                         |
//! | `jks.rs`    | stores of Java before version 9                                       |
//! | `pkcs12.rs` | stores of Java since then                                             |
//! | `trust.rs`  | which certificates of clients are good                                |
//! | `accept.rs` | handshakes beside each other, the peer's address checked              |
//! | `dial.rs`   | a client's handshake, the server's certificate checked                |
//! | `crowd.rs`  | whose handshakes are under way, and who gives way                     |
//! | `names.rs`  | a certificate's subject and hosts, as Java writes them                |
//!
//! With `client.certReload` the files are read every few seconds, since only their content tells
//! for sure that they changed (mounted secrets are swapped by a link, times may be restored).
//!
//! TL-1  a handshake uses the newest files that could be used; broken ones change nothing
//! TL-2  no session is resumed: each handshake checks the client's certificate against these files
//!
//! Not here: what a subject may do (server), the keys of zoo.cfg (config).

mod accept;
mod crowd;
mod dial;
mod ec_keys;
mod error;
mod files;
mod jks;
mod names;
mod pace;
mod pem;
mod pkcs12;
#[cfg(test)]
mod stores_test;
#[cfg(test)]
mod tests;
mod trust;

pub(super) use accept::Accepting;
pub use dial::check_server_trust;
pub(super) use dial::dial;
pub use error::TlsError;
pub use names::{Hosts, hosts_of, subject_of};
pub(super) use pace::Pace;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use rustls::ServerConfig;
use tracing::{info, warn};

use crate::runtime::tls::ClientTls;
use files::Content;

/// How often the files are looked at.
const RELOAD_INTERVAL: Duration = Duration::from_secs(2);

/// Whether a server could offer TLS with these settings and files.
pub fn check_tls(settings: &ClientTls) -> Result<(), TlsError> {
    Content::read(settings)?.build(settings).map(drop)
}

/// What new handshakes use, on whichever thread.
pub(super) struct Tls {
    settings: ClientTls,
    config: Mutex<Arc<ServerConfig>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files; from now on they are watched, if that is wanted.
    pub(super) fn load(settings: &ClientTls) -> Result<Arc<Tls>, TlsError> {
        let content = Content::read(settings)?;
        let config = Mutex::new(content.build(settings)?);
        let tls = Arc::new(Tls { settings: settings.clone(), config });
        if settings.reload {
            tokio::task::spawn_local(watch(Arc::downgrade(&tls), settings.clone(), content));
        }
        Ok(tls)
    }

    pub(super) fn settings(&self) -> &ClientTls {
        &self.settings
    }

    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.locked())
    }

    fn locked(&self) -> MutexGuard<'_, Arc<ServerConfig>> {
        self.config.lock().expect("nobody panics with it")
    }
}

/// TL-1: replaces the configuration when the files change, until nobody uses it any more.
async fn watch(tls: Weak<Tls>, settings: ClientTls, mut seen: Content) {
    let mut complaint = None;
    loop {
        tokio::time::sleep(RELOAD_INTERVAL).await;
        if tls.strong_count() == 0 {
            return;
        }
        // A slow disk, or a key that takes a second to decrypt, must not stop the server.
        let (settings, before) = (settings.clone(), seen.clone());
        let looked = tokio::task::spawn_blocking(move || look(&settings, &before)).await;
        let (content, built) = match looked {
            Ok(Ok(None)) => continue,
            Ok(Ok(Some((content, built)))) => (Some(content), built),
            Ok(Err(error)) => (None, Err(error)),
            Err(_) => return, // the runtime ends
        };
        if let Some(content) = content {
            seen = content;
        }
        match (built, tls.upgrade()) {
            (_, None) => return,
            (Ok(config), Some(tls)) => {
                *tls.locked() = config;
                complaint = None;
                info!("TLS: new handshakes use the changed key store and trust store");
            }
            (Err(error), Some(_)) => {
                let text = error.to_string();
                if complaint.as_ref() != Some(&text) {
                    warn!("TLS: the files of before stay in use: {text}");
                    complaint = Some(text);
                }
            }
        }
    }
}

type Built = Result<Arc<ServerConfig>, TlsError>;

/// `None` if nothing changed; an error if the files could not even be read.
fn look(settings: &ClientTls, before: &Content) -> Result<Option<(Content, Built)>, TlsError> {
    let content = Content::read(settings)?;
    if content == *before {
        return Ok(None);
    }
    let built = content.build(settings);
    Ok(Some((content, built)))
}
