//! What is wrong with the files of TLS, each mistake in a sentence that an operator can act on.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::runtime::tls::{Store, StoreFormat, shell};

/// Why TLS cannot be offered: one sentence that names the key of zoo.cfg and the file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    #[error("{at} cannot be read: {why}")]
    Unreadable { at: StoreFile, why: String },
    #[error("{at} is not a well-formed {format} file: {why}")]
    Malformed { at: StoreFile, format: &'static str, why: String },
    #[error("{at} holds no private key: {remedy}")]
    NoKey { at: StoreFile, remedy: String },
    #[error("{at} holds {count} private keys: {remedy}")]
    ManyKeys { at: StoreFile, count: usize, remedy: String },
    #[error("{at}: {what}: give {} or {}", at.store.password_key(), at.store.password_path_key())]
    PasswordMissing { at: StoreFile, what: &'static str },
    #[error("{at}: {what} with the password of {}{else_wrong}", at.store.password_key())]
    PasswordWrong { at: StoreFile, what: &'static str, else_wrong: &'static str },
    #[error("{at}: {what} in a way that is not supported ({why}). This writes it anew: {remedy}")]
    Encryption { at: StoreFile, what: &'static str, why: String, remedy: String },
    #[error(
        "{at}: its private key cannot be used ({why}): it must be RSA of 2048 bits or more, \
         ECDSA on P-256 or P-384, or Ed25519, and a certificate in the file must belong to it"
    )]
    Key { at: StoreFile, why: String },
    #[error("{at} holds no certificate")]
    NoCertificate { at: StoreFile },
    #[error(
        "{at} holds no trusted certificate{}. \
         `keytool -importcert -alias ca -file CA.pem -keystore {}` puts one in",
        of_others(*others), at.shell()
    )]
    NoTrusted { at: StoreFile, others: usize },
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

fn of_others(count: usize) -> String {
    match count {
        0 => String::new(),
        n => format!(" ({n} other(s) are not marked as trusted, and Java passes over those)"),
    }
}

impl StoreFile {
    /// Its name for a command.
    pub(super) fn shell(&self) -> String {
        shell(&self.file)
    }

    /// The error of a store of Java's that is none.
    pub(super) fn malformed(&self, format: StoreFormat, why: &str) -> TlsError {
        let why = format!(
            "{why}. Was it copied as a whole? `keytool -list -keystore {}` says what Java makes of it",
            self.shell()
        );
        TlsError::Malformed { at: self.clone(), format: format.name(), why }
    }

    /// The only one of these private keys of a store of Java's, each under its alias.
    pub(super) fn only_key<T>(&self, mut keys: Vec<(String, T)>) -> Result<T, TlsError> {
        let file = self.shell();
        if keys.len() > 1 {
            let aliases: Vec<&str> = keys.iter().map(|(alias, _)| alias.as_str()).collect();
            let remedy = format!(
                "{}. It must hold the one that the server shows: \
                 `keytool -delete -alias ALIAS -keystore {file}` takes another out",
                aliases.join(", ")
            );
            return Err(TlsError::ManyKeys { at: self.clone(), count: keys.len(), remedy });
        }
        keys.pop().map(|(_, key)| key).ok_or_else(|| {
            let remedy = format!(
                "it must have an entry of the kind PrivateKeyEntry \
                 (`keytool -list -keystore {file}` shows them)"
            );
            TlsError::NoKey { at: self.clone(), remedy }
        })
    }

    pub(super) fn certificate(&self, index: usize, why: impl fmt::Display) -> TlsError {
        TlsError::Certificate { at: self.clone(), number: index + 1, why: why.to_string() }
    }
}
