//! The key store and the trust store: their files to a rustls configuration.    (X509Util)
//!
//! A key store holds one private key and its certificate, with those of the authorities between it
//! and the root. A trust store holds certificates. What a file begins with says which format it has:
//! only if that says nothing do `ssl.keyStore.type` and the end of its name count, for the error.

use std::fs;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{SupportedProtocolVersion, version};

use super::error::{StoreFile, TlsError};
use super::{ec_keys, jks, names, pem, pkcs12, trust};
use crate::runtime::tls::{ClientAuth, ClientTls, Store, StoreFormat, StoreSettings, TlsVersion};

/// What the files hold.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Content {
    key_store: Vec<u8>,
    /// `None` where clients are not asked for certificates.
    trust_store: Option<Vec<u8>>,
}

impl Content {
    pub(super) fn read(settings: &ClientTls) -> Result<Content, TlsError> {
        let trust_store = match trust_store(settings) {
            Some(trust_store) => Some(read(&place(Store::Trust, trust_store))?),
            None => None,
        };
        let key_store = read(&place(Store::Key, &settings.key_store))?;
        Ok(Content { key_store, trust_store })
    }

    pub(super) fn build(&self, settings: &ClientTls) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(provider(&settings.cipher_suites));
        let key = certified_key(&settings.key_store, &self.key_store, &provider)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions(&settings.versions))
            .map_err(setup)?;
        let builder = match (trust_store(settings), &self.trust_store) {
            (Some(store), Some(content)) => {
                let at = place(Store::Trust, store);
                let trusted = trusted(&at, store, content)?;
                let mandatory = settings.client_auth == ClientAuth::Need;
                let verifier = trust::verifier(&at, trusted, mandatory, &provider)?;
                builder.with_client_cert_verifier(verifier)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
        // TL-2. Clients stay for hours: there is little to gain by resuming.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// The key with its certificate first, then the others.
pub(super) fn certified_key(
    settings: &StoreSettings,
    content: &[u8],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let at = place(Store::Key, settings);
    let (key, mut chain) = key_and_chain(&at, settings, content)?;
    let load = |key| provider.key_provider.load_private_key(key);
    let mut whole = chain.iter().filter_map(|cert| ec_keys::with_public_key(&key, cert));
    let key: Arc<dyn SigningKey> = match whole.find_map(|key| load(key).ok()) {
        Some(key) => key,
        None => {
            load(key).map_err(|error| TlsError::Key { at: at.clone(), why: error.to_string() })?
        }
    };
    if let Some(public) = key.public_key() {
        let own = |cert: &CertificateDer<'_>| {
            names::public_key_of(cert).is_some_and(|spki| spki == public.as_ref())
        };
        let Some(place) = chain.iter().position(own) else {
            return Err(TlsError::Mismatch { at });
        };
        let own = chain.remove(place);
        chain.insert(0, own);
    }
    Ok(CertifiedKey::new(chain, key))
}

pub(super) fn setup(error: rustls::Error) -> TlsError {
    TlsError::Setup { why: error.to_string() }
}

pub(super) fn versions(wanted: &[TlsVersion]) -> Vec<&'static SupportedProtocolVersion> {
    let version = |wanted: &TlsVersion| match wanted {
        TlsVersion::V1_2 => &version::TLS12,
        TlsVersion::V1_3 => &version::TLS13,
    };
    wanted.iter().map(version).collect()
}

pub(super) fn place(store: Store, settings: &StoreSettings) -> StoreFile {
    StoreFile { store, file: settings.file.clone() }
}

/// `None` where clients are not asked for certificates.
fn trust_store(settings: &ClientTls) -> Option<&StoreSettings> {
    settings.trust_store.as_ref().filter(|_| settings.client_auth != ClientAuth::None)
}

pub(super) fn read(at: &StoreFile) -> Result<Vec<u8>, TlsError> {
    let unreadable =
        |error: std::io::Error| TlsError::Unreadable { at: at.clone(), why: error.to_string() };
    fs::read(&at.file).map_err(unreadable)
}

fn format_of(settings: &StoreSettings, content: &[u8]) -> StoreFormat {
    StoreFormat::of_content(content).or(settings.format).unwrap_or(StoreFormat::Pem)
}

/// The private key, and all that may belong to its chain; at least one certificate.
fn key_and_chain(
    at: &StoreFile,
    settings: &StoreSettings,
    content: &[u8],
) -> Result<(PrivateKeyDer<'static>, Vec<CertificateDer<'static>>), TlsError> {
    let password = settings.password.as_deref();
    let (key, chain) = match format_of(settings, content) {
        StoreFormat::Pem => pem::key_and_chain(at, content, password),
        StoreFormat::Jks => jks::key_and_chain(at, content, password),
        StoreFormat::Pkcs12 => pkcs12::key_and_chain(at, content, password),
    }?;
    if chain.is_empty() {
        Err(TlsError::NoCertificate { at: at.clone() })
    } else {
        Ok((key, chain))
    }
}

/// The certificates of authorities and clients; at least one.
pub(super) fn trusted(
    at: &StoreFile,
    settings: &StoreSettings,
    content: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let password = settings.password.as_deref();
    match format_of(settings, content) {
        StoreFormat::Pem => pem::certificates(at, content),
        StoreFormat::Jks => jks::trusted(at, content, password),
        StoreFormat::Pkcs12 => pkcs12::trusted(at, content, password),
    }
}

/// The cipher suites of `ring`, or those of them that are wanted.
pub(super) fn provider(cipher_suites: &[String]) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !cipher_suites.is_empty() {
        provider.cipher_suites.retain(|suite| {
            // rustls tells suites of TLS 1.3 by a name of its own.
            let name = suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_");
            cipher_suites.contains(&name)
        });
    }
    provider
}
