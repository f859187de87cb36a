//! PEM files.      (PemReader)
//!
//! A private key is PKCS#8, PKCS#1 or SEC 1, and PKCS#8 may be encrypted; certificates stand in any
//! order. Whatever stands around the PEM blocks is passed over, as openssl and keytool write it.

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::error::{StoreFile, TlsError};
use crate::runtime::tls::StoreFormat;

/// The only private key of the file, and its certificates in their order.
pub(super) fn key_and_chain(
    at: &StoreFile,
    pem: &[u8],
    password: Option<&str>,
) -> Result<(PrivateKeyDer<'static>, Vec<CertificateDer<'static>>), TlsError> {
    Ok((private_key(at, pem, password)?, certificates(at, pem)?))
}

/// Every certificate of the file; at least one.
pub(super) fn certificates(
    at: &StoreFile,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| malformed(at, &error))?;
    if found.is_empty() { Err(TlsError::NoCertificate { at: at.clone() }) } else { Ok(found) }
}

fn private_key(
    at: &StoreFile,
    pem: &[u8],
    password: Option<&str>,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    if holds(pem, "Proc-Type: 4,ENCRYPTED") {
        return Err(unsupported(at, "the format of OpenSSL before 1.0".into()));
    }
    let mut keys = Vec::new();
    for key in PrivateKeyDer::pem_slice_iter(pem) {
        keys.push(key.map_err(|error| malformed(at, &error))?);
    }
    for encrypted in encrypted_keys(at, pem)? {
        let Some(password) = password else {
            let what = "its private key is encrypted";
            return Err(TlsError::PasswordMissing { at: at.clone(), what });
        };
        keys.push(decrypt(at, &encrypted, password)?.into());
    }
    let count = keys.len();
    match keys.pop() {
        None => Err(TlsError::NoKey { at: at.clone(), remedy: made_by(at) }),
        Some(_) if count > 1 => {
            let remedy = "it must hold the one that the server shows, and its certificates".into();
            Err(TlsError::ManyKeys { at: at.clone(), count, remedy })
        }
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
    let info = EncryptedPrivateKeyInfoRef::try_from(encrypted)
        .map_err(|error| unsupported(at, error.to_string()))?;
    match info.decrypt(password) {
        Ok(key) => Ok(key.as_bytes().to_vec().into()),
        // What a wrong password leaves is mostly no padding (some releases call that a failed
        // encryption), and else no key.
        Err(
            pkcs8::Error::EncryptedPrivateKey(
                pkcs8::pkcs5::Error::DecryptFailed | pkcs8::pkcs5::Error::EncryptFailed,
            )
            | pkcs8::Error::Asn1(_),
        ) => {
            let what = "its private key cannot be decrypted";
            Err(TlsError::PasswordWrong { at: at.clone(), what, else_wrong: "" })
        }
        Err(error) => Err(unsupported(at, error.to_string())),
    }
}

fn made_by(at: &StoreFile) -> String {
    let file = at.shell();
    format!(
        "it must hold the key and its certificates, as `cat KEY.pem CERTIFICATE.pem > {file}` makes it"
    )
}

fn unsupported(at: &StoreFile, why: String) -> TlsError {
    let remedy = format!(
        "openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out NEW.pem; then append the certificates to \
         NEW.pem",
        at.shell()
    );
    TlsError::Encryption { at: at.clone(), what: "its private key is encrypted", why, remedy }
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
    TlsError::Malformed { at: at.clone(), format: StoreFormat::Pem.name(), why }
}

fn holds(pem: &[u8], words: &str) -> bool {
    pem.windows(words.len()).any(|window| window == words.as_bytes())
}
