//! What is wrong with the files of TLS, each mistake in a sentence that an operator can act on.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::runtime::tls::Store;

/// Why TLS cannot be offered: one sentence that names the key of zoo.cfg and the file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    #[error("{at} cannot be read: {why}")]
    Unreadable { at: StoreFile, why: String },
    #[error("{at} is a {format} file, and Quorate reads PEM. Convert it with\n{conversion}")]
    Format { at: StoreFile, format: &'static str, conversion: String },
    #[error("{at} is not well-formed PEM: {why}")]
    Malformed { at: StoreFile, why: String },
    #[error(
        "{at} holds no private key: it must hold the key and its certificates, as \
         `cat KEY.pem CERTIFICATE.pem > {}` makes it", at.file.display()
    )]
    NoKey { at: StoreFile },
    #[error(
        "{at} holds {count} private keys: it must hold the one that the server shows, and its \
         certificates"
    )]
    ManyKeys { at: StoreFile, count: usize },
    #[error(
        "{at}: its private key is encrypted: give ssl.keyStore.password or \
         ssl.keyStore.passwordPath"
    )]
    PasswordMissing { at: StoreFile },
    #[error("{at}: its private key cannot be decrypted with the password of ssl.keyStore.password")]
    PasswordWrong { at: StoreFile },
    #[error(
        "{at}: its private key is encrypted in a way that is not supported ({why}). This encrypts \
         it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in {} -out NEW.pem; \
         then append the certificates to NEW.pem", at.file.display()
    )]
    Encryption { at: StoreFile, why: String },
    #[error(
        "{at}: its private key cannot be used ({why}): it must be RSA of 2048 bits or more, ECDSA or Ed25519"
    )]
    Key { at: StoreFile, why: String },
    #[error("{at} holds no certificate")]
    NoCertificate { at: StoreFile },
    #[error("{at}: none of its certificates belongs to its private key")]
    Mismatch { at: StoreFile },
    #[error("{at}: its certificate number {number} cannot be used: {why}")]
    Certificate { at: StoreFile, number: usize, why: String },
    #[error("TLS cannot be set up: {why}")]
    Setup { why: String },
}

/// Which file an error is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreFile {
    pub store: Store,
    pub file: PathBuf,
}

impl fmt::Display for StoreFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.store.location_key(), self.file.display())
    }
}

impl StoreFile {
    pub(super) fn certificate(&self, index: usize, why: impl fmt::Display) -> TlsError {
        TlsError::Certificate { at: self.clone(), number: index + 1, why: why.to_string() }
    }
}
