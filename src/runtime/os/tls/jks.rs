//! JKS, the key stores of Java before version 9.
//! (sun.security.provider.JavaKeyStore, sun.security.provider.KeyProtector)
//!
//! Numbers are big-endian; a string is `length u16 | bytes`, and `block` is `length u32 | bytes`.
//!
//! ```text
//! magic feedfeed | version u32 = 2 | count u32 | entry * count | digest [20]
//! entry:  1 u32 | alias string | made u64 | protected block | count u32 | certificate * count
//!         2 u32 | alias string | made u64 | certificate
//! certificate:  type string | DER block
//! protected:    EncryptedPrivateKeyInfo of Sun's own algorithm, over  salt [20] | key | check [20]
//! ```
//!
//! With SHA-1 throughout, and the password as UTF-16: the digest is that of the password, a fixed
//! text and all bytes before it; the key is covered by hash(password, salt), then
//! hash(password, that), and so on; the check is hash(password, key). Who knows a password can tell
//! whether it is right, and little else: a JKS file is no protection against guessing.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha1::{Digest, Sha1};
use x509_parser::asn1_rs::{FromDer, OctetString, Oid, Sequence, oid};
use x509_parser::x509::AlgorithmIdentifier;

use super::error::{StoreFile, TlsError};
use crate::runtime::tls::StoreFormat;

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
const PRIVATE_KEY: u32 = 1;
const TRUSTED_CERTIFICATE: u32 = 2;
/// What Java mixes into the digest of a whole file.
const WHITENER: &[u8] = b"Mighty Aphrodite";
const HASH_LEN: usize = 20;
const KEY_PROTECTOR: Oid<'static> = oid!(1.3.6.1.4.1.42.2.17.1.1);

/// What a file holds.
#[derive(Default)]
struct Entries<'a> {
    /// By their aliases.
    keys: Vec<(String, KeyEntry<'a>)>,
    trusted: Vec<CertificateDer<'static>>,
}

struct KeyEntry<'a> {
    protected: &'a [u8],
    chain: Vec<CertificateDer<'static>>,
}

/// The only private key of the file, and its chain.
pub(super) fn key_and_chain(
    at: &StoreFile,
    content: &[u8],
    password: Option<&str>,
) -> Result<(PrivateKeyDer<'static>, Vec<CertificateDer<'static>>), TlsError> {
    let entries = open(at, content, password)?;
    let entry = at.only_key(entries.keys)?;
    let key = unprotect(entry.protected, &utf_16(password));
    let key = key.map_err(|flaw| match flaw {
        Flaw::Malformed => at.malformed(StoreFormat::Jks, "its private key is not as Java writes it"),
        Flaw::Password => TlsError::PasswordWrong {
            at: at.clone(),
            what: "its private key cannot be decrypted",
            else_wrong: ", though the file can: as in Apache ZooKeeper one password must do for both \
                         (keytool -keypasswd changes that of the key)",
        },
    })?;
    Ok((PrivatePkcs8KeyDer::from(key).into(), entry.chain))
}

/// The certificates of the entries without a key; at least one.
pub(super) fn trusted(
    at: &StoreFile,
    content: &[u8],
    password: Option<&str>,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let entries = open(at, content, password)?;
    if entries.trusted.is_empty() {
        return Err(TlsError::NoTrusted { at: at.clone(), others: 0 });
    }
    Ok(entries.trusted)
}

/// The entries of a file that nobody has changed since it was written with this password.
fn open<'a>(
    at: &StoreFile,
    content: &'a [u8],
    password: Option<&str>,
) -> Result<Entries<'a>, TlsError> {
    let entries = parse(content).map_err(|why| at.malformed(StoreFormat::Jks, &why))?;
    let (before, digest) = content.split_at(content.len() - HASH_LEN);
    if hash(&[&utf_16(password), WHITENER, before]) == digest {
        return Ok(entries);
    }
    Err(match password {
        None => TlsError::PasswordMissing { at: at.clone(), what: "it has a password" },
        Some(_) => TlsError::PasswordWrong {
            at: at.clone(),
            what: "it cannot be opened",
            else_wrong: ": the password is wrong, or the file is damaged",
        },
    })
}

fn utf_16(password: Option<&str>) -> Vec<u8> {
    password.unwrap_or_default().encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn hash(parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut sha1 = Sha1::new();
    parts.iter().for_each(|part| sha1.update(part));
    sha1.finalize().into()
}

/// An error is what is wrong, for the sentence. With the digest at its end still to be checked.
fn parse(content: &[u8]) -> Result<Entries<'_>, String> {
    let mut rest = Rest(content);
    if rest.u32()? != MAGIC {
        return Err("it does not begin as one".into());
    }
    let version = rest.u32()?;
    if version != VERSION {
        return Err(format!(
            "its version is {version}, and {VERSION} is what Java has long written"
        ));
    }
    let mut entries = Entries::default();
    for _ in 0..rest.u32()? {
        let kind = rest.u32()?;
        let alias = String::from_utf8_lossy(rest.string()?).into_owned();
        rest.take(8)?;
        match kind {
            PRIVATE_KEY => {
                let protected = rest.block()?;
                let mut chain = Vec::new();
                for _ in 0..rest.u32()? {
                    chain.push(rest.certificate()?);
                }
                entries.keys.push((alias, KeyEntry { protected, chain }));
            }
            TRUSTED_CERTIFICATE => entries.trusted.push(rest.certificate()?),
            other => {
                return Err(format!("its entry {alias:?} is of the kind {other}, which JKS lacks"));
            }
        }
    }
    match rest.0.len() {
        HASH_LEN => Ok(entries),
        0..HASH_LEN => Err(CUT.into()),
        more => Err(format!("{} bytes stand behind its last entry", more - HASH_LEN)),
    }
}

const CUT: &str = "it ends too early";

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*taken))
    }

    fn string(&mut self) -> Result<&'a [u8], String> {
        let (length, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        self.take(u16::from_be_bytes(*length).into())
    }

    fn block(&mut self) -> Result<&'a [u8], String> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    fn certificate(&mut self) -> Result<CertificateDer<'static>, String> {
        let kind = self.string()?;
        if kind != b"X.509" {
            let kind = String::from_utf8_lossy(kind);
            return Err(format!("a certificate in it is of the type {kind:?} instead of X.509"));
        }
        Ok(CertificateDer::from(self.block()?.to_vec()))
    }
}

/// Why a key cannot be had.
enum Flaw {
    Malformed,
    Password,
}

/// The key in PKCS#8.
fn unprotect(info: &[u8], password: &[u8]) -> Result<Vec<u8>, Flaw> {
    let protected = protected_bytes(info).ok_or(Flaw::Malformed)?;
    let (salt, rest) = protected.split_first_chunk::<HASH_LEN>().ok_or(Flaw::Malformed)?;
    let (covered, check) = rest.split_last_chunk::<HASH_LEN>().ok_or(Flaw::Malformed)?;
    let mut key = Vec::with_capacity(covered.len());
    let mut cover = *salt;
    for part in covered.chunks(HASH_LEN) {
        cover = hash(&[password, &cover]);
        key.extend(part.iter().zip(cover).map(|(byte, cover)| byte ^ cover));
    }
    if hash(&[password, &key]) == *check { Ok(key) } else { Err(Flaw::Password) }
}

/// Those of an EncryptedPrivateKeyInfo (RFC 5208) of Sun's algorithm.
fn protected_bytes(info: &[u8]) -> Option<Vec<u8>> {
    let (_, info) = Sequence::from_der(info).ok()?;
    let (rest, algorithm) = AlgorithmIdentifier::from_der(&info.content).ok()?;
    let (_, bytes) = OctetString::from_der(rest).ok()?;
    (algorithm.algorithm == KEY_PROTECTOR).then(|| bytes.as_ref().to_vec())
}
