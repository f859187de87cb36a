//! PKCS#12, the key stores of Java since version 9 and of everybody else.
//! (RFC 7292; sun.security.pkcs12.PKCS12KeyStore)
//!
//! Java trusts the certificates that `keytool -importcert` has marked, with an attribute of Oracle's;
//! openssl marks none. So it is here: a file that holds a chain does not make its authorities trusted.

use p12_keystore::error::Error;
use p12_keystore::{CertificateBag, Pkcs12Archive};
use pkcs8::der::ErrorKind;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::error::{StoreFile, TlsError};
use crate::runtime::tls::StoreFormat;

/// The only private key of the file, and its chain.
pub(super) fn key_and_chain(
    at: &StoreFile,
    content: &[u8],
    password: Option<&str>,
) -> Result<(PrivateKeyDer<'static>, Vec<CertificateDer<'static>>), TlsError> {
    let archive = open(at, content, password)?;
    let keys = archive.keys.into_iter().map(|bag| {
        let alias = bag.friendly_name.clone().unwrap_or_else(|| "one without an alias".into());
        (alias, bag)
    });
    let bag = at.only_key(keys.collect())?;
    let own = bag.local_key_id.as_ref().map(AsRef::as_ref);
    let key = PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec());
    Ok((key.into(), chain(own, &archive.certs)))
}

/// The certificates that are marked as trusted; at least one.
pub(super) fn trusted(
    at: &StoreFile,
    content: &[u8],
    password: Option<&str>,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let archive = open(at, content, password)?;
    let trusted = archive.certs.iter().filter(|bag| bag.trusted).map(der);
    let trusted: Vec<CertificateDer<'static>> = trusted.collect();
    if trusted.is_empty() {
        return Err(TlsError::NoTrusted { at: at.clone(), others: archive.certs.len() });
    }
    Ok(trusted)
}

/// The certificate with the id of the key, then its issuer, and so on; all of them if none has it.
fn chain(own: Option<&[u8]>, bags: &[CertificateBag]) -> Vec<CertificateDer<'static>> {
    let is_own = |bag: &&CertificateBag| own.is_some() && bag.local_key_id.as_deref() == own;
    let Some(mut last) = bags.iter().find(is_own) else { return bags.iter().map(der).collect() };
    let mut chain = vec![der(last)];
    while let Some(issuer) = bags.iter().find(|bag| bag.cert.subject() == last.cert.issuer())
        && !chain.contains(&der(issuer))
    {
        chain.push(der(issuer));
        last = issuer;
    }
    chain
}

fn der(bag: &CertificateBag) -> CertificateDer<'static> {
    CertificateDer::from(bag.cert.as_der().to_vec())
}

fn open(at: &StoreFile, content: &[u8], password: Option<&str>) -> Result<Pkcs12Archive, TlsError> {
    let opened = Pkcs12Archive::from_pkcs12(content, password.unwrap_or_default());
    opened.map_err(|error| explain(at, password, &error))
}

fn explain(at: &StoreFile, password: Option<&str>, error: &Error) -> TlsError {
    let why = error.to_string();
    match error {
        Error::MacError(_) | Error::UnpadError => wrong_password(at, password),
        // Where there is no code over the whole. (pkcs5::Error::{DecryptFailed, EncryptFailed})
        Error::Pkcs5Error(why) if why.ends_with("cryption failed") => wrong_password(at, password),
        Error::DerError(error) if !matches!(error.kind(), ErrorKind::OidUnknown { .. }) => {
            at.malformed(StoreFormat::Pkcs12, &why)
        }
        Error::X509Error(_)
        | Error::InvalidData
        | Error::InvalidLength
        | Error::InvalidPrivateKey => at.malformed(StoreFormat::Pkcs12, &why),
        _ => TlsError::Encryption {
            at: at.clone(),
            what: "it is protected",
            why,
            remedy: format!(
                "keytool -importkeystore -srckeystore {} -destkeystore NEW.p12 -deststoretype PKCS12",
                at.shell()
            ),
        },
    }
}

fn wrong_password(at: &StoreFile, password: Option<&str>) -> TlsError {
    match password {
        None => TlsError::PasswordMissing { at: at.clone(), what: "it has a password" },
        Some(_) => TlsError::PasswordWrong {
            at: at.clone(),
            what: "it cannot be opened",
            else_wrong: ": the password is wrong, or the file is damaged",
        },
    }
}
