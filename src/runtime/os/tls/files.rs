//! The key store and the trust store: PEM files to a rustls configuration.    (PemReader, X509Util)
//!
//! A key store holds one private key (PKCS#8, PKCS#1 or SEC 1; PKCS#8 may be encrypted) and its
//! certificate with those of the authorities between it and the root, in any order. A trust store
//! holds certificates. Whatever stands around the PEM blocks is passed over, as openssl and
//! keytool write it.

use std::fs;
use std::sync::Arc;

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{SupportedProtocolVersion, version};

use super::error::{StoreFile, TlsError};
use super::names;
use super::trust;
use crate::runtime::tls::{ClientAuth, ClientTls, Store, StoreFormat, TlsVersion};

/// What the files hold.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Content {
    key_store: Vec<u8>,
    /// `None` where clients are not asked for certificates.
    trust_store: Option<Vec<u8>>,
}

impl Content {
    pub(super) fn read(settings: &ClientTls) -> Result<Content, TlsError> {
        let trust_store = match trust_file(settings) {
            Some(at) => Some(read(&at)?),
            None => None,
        };
        Ok(Content { key_store: read(&key_file(settings))?, trust_store })
    }

    pub(super) fn build(&self, settings: &ClientTls) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(provider(settings));
        let key = self.certified_key(settings, &provider)?;
        let versions = settings.versions.iter().map(|version| match version {
            TlsVersion::V1_2 => &version::TLS12,
            TlsVersion::V1_3 => &version::TLS13,
        });
        let versions: Vec<&'static SupportedProtocolVersion> = versions.collect();
        let setup = |error: rustls::Error| TlsError::Setup { why: error.to_string() };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .map_err(setup)?;
        let builder = match (trust_file(settings), &self.trust_store) {
            (Some(at), Some(pem)) => {
                let trusted = certificates(&at, pem)?;
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

    /// The key with its certificate first, then the others.
    fn certified_key(
        &self,
        settings: &ClientTls,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, TlsError> {
        let at = key_file(settings);
        let key = private_key(&at, &self.key_store, settings.key_password.as_deref())?;
        let mut chain = certificates(&at, &self.key_store)?;
        let key: Arc<dyn SigningKey> = provider
            .key_provider
            .load_private_key(key)
            .map_err(|error| TlsError::Key { at: at.clone(), why: error.to_string() })?;
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
}

fn key_file(settings: &ClientTls) -> StoreFile {
    StoreFile { store: Store::Key, file: settings.key_store.clone() }
}

fn trust_file(settings: &ClientTls) -> Option<StoreFile> {
    let file = settings.trust_store.clone().filter(|_| settings.client_auth != ClientAuth::None)?;
    Some(StoreFile { store: Store::Trust, file })
}

fn read(at: &StoreFile) -> Result<Vec<u8>, TlsError> {
    let unreadable =
        |error: std::io::Error| TlsError::Unreadable { at: at.clone(), why: error.to_string() };
    let content = fs::read(&at.file).map_err(unreadable)?;
    // A name without one of the usual endings says nothing about the format.
    match StoreFormat::of_content(&content) {
        None => Ok(content),
        Some(format) => Err(TlsError::Format {
            at: at.clone(),
            format: format.name(),
            conversion: format.conversion(at.store, &at.file),
        }),
    }
}

/// The cipher suites of `ring`, or those of them that are wanted.
fn provider(settings: &ClientTls) -> CryptoProvider {
    let mut provider = ring::default_provider();
    if !settings.cipher_suites.is_empty() {
        provider.cipher_suites.retain(|suite| {
            // rustls tells suites of TLS 1.3 by a name of its own.
            let name = suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_");
            settings.cipher_suites.contains(&name)
        });
    }
    provider
}

/// Every certificate of the file; at least one.
fn certificates(at: &StoreFile, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| malformed(at, &error))?;
    if found.is_empty() { Err(TlsError::NoCertificate { at: at.clone() }) } else { Ok(found) }
}

/// The only private key of the file.
fn private_key(
    at: &StoreFile,
    pem: &[u8],
    password: Option<&str>,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    if holds(pem, "Proc-Type: 4,ENCRYPTED") {
        let why = "the format of OpenSSL before 1.0".into();
        return Err(TlsError::Encryption { at: at.clone(), why });
    }
    let mut keys = Vec::new();
    for key in PrivateKeyDer::pem_slice_iter(pem) {
        keys.push(key.map_err(|error| malformed(at, &error))?);
    }
    for encrypted in encrypted_keys(at, pem)? {
        let Some(password) = password else {
            return Err(TlsError::PasswordMissing { at: at.clone() });
        };
        keys.push(decrypt(at, &encrypted, password)?.into());
    }
    let count = keys.len();
    match keys.pop() {
        None => Err(TlsError::NoKey { at: at.clone() }),
        Some(_) if count > 1 => Err(TlsError::ManyKeys { at: at.clone(), count }),
        Some(key) => Ok(key),
    }
}

const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// Blocks of that name: PKCS#8 with a password.
fn encrypted_keys(at: &StoreFile, pem: &[u8]) -> Result<Vec<Vec<u8>>, TlsError> {
    if !holds(pem, ENCRYPTED) {
        return Ok(Vec::new());
    }
    // Under the name that the reader of PEM knows, and without the keys that have it already.
    let text = String::from_utf8_lossy(pem).replace("PRIVATE KEY-----", "OTHER KEY-----");
    let text = text.replace("ENCRYPTED OTHER KEY-----", "PRIVATE KEY-----");
    let keys = PrivatePkcs8KeyDer::pem_slice_iter(text.as_bytes());
    keys.map(|key| Ok(key.map_err(|e| malformed(at, &e))?.secret_pkcs8_der().to_vec())).collect()
}

fn decrypt(
    at: &StoreFile,
    encrypted: &[u8],
    password: &str,
) -> Result<PrivatePkcs8KeyDer<'static>, TlsError> {
    let unsupported = |why: String| TlsError::Encryption { at: at.clone(), why };
    let info = EncryptedPrivateKeyInfoRef::try_from(encrypted)
        .map_err(|error| unsupported(error.to_string()))?;
    match info.decrypt(password) {
        Ok(key) => Ok(key.as_bytes().to_vec().into()),
        // What a wrong password leaves is mostly no padding (some releases call that a failed
        // encryption), and else no key.
        Err(
            pkcs8::Error::EncryptedPrivateKey(
                pkcs8::pkcs5::Error::DecryptFailed | pkcs8::pkcs5::Error::EncryptFailed,
            )
            | pkcs8::Error::Asn1(_),
        ) => Err(TlsError::PasswordWrong { at: at.clone() }),
        Err(error) => Err(unsupported(error.to_string())),
    }
}

fn malformed(at: &StoreFile, error: &pem::Error) -> TlsError {
    let why = match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("the end of {} is missing", String::from_utf8_lossy(end_marker))
        }
        pem::Error::IllegalSectionStart { line } => {
            format!("the line {:?}", String::from_utf8_lossy(line).trim_end())
        }
        other => other.to_string(),
    };
    TlsError::Malformed { at: at.clone(), why }
}

fn holds(pem: &[u8], words: &str) -> bool {
    pem.windows(words.len()).any(|window| window == words.as_bytes())
}
