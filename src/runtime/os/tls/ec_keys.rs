//! Private keys on elliptic curves, as Java writes them: without the public key.
//! (sun.security.ec.ECPrivateKeyImpl; RFC 5915 leaves it to the writer, ring asks for it)
//!
//! The public key stands in the certificate, and whoever uses the pair checks that they belong
//! together.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivateSec1KeyDer};
use x509_parser::asn1_rs::{Any, Class, FromDer, OctetString, Oid, Sequence, Tag, oid};

use super::names::parse;

const ID_EC_PUBLIC_KEY: Oid<'static> = oid!(1.2.840.10045.2.1);
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const BIT_STRING: u8 = 0x03;
/// `[1]` of ECPrivateKey.
const PUBLIC_KEY: u8 = 0xa1;
const PUBLIC_KEY_TAG: Tag = Tag(1);

/// This key with the public key of this certificate; `None` if it has one, or is of another kind.
pub(super) fn with_public_key(
    key: &PrivateKeyDer<'_>,
    certificate: &CertificateDer<'_>,
) -> Option<PrivateKeyDer<'static>> {
    let number = private_number(key)?;
    let certificate = parse(certificate)?;
    let public = certificate.public_key();
    if public.algorithm.algorithm != ID_EC_PUBLIC_KEY {
        return None;
    }
    let no_unused_bits: &[u8] = &[0];
    let public = tlv(BIT_STRING, &[no_unused_bits, &public.subject_public_key.data])?;
    let parts =
        [tlv(INTEGER, &[&[1]])?, tlv(OCTET_STRING, &[&number])?, tlv(PUBLIC_KEY, &[&public])?];
    let whole = tlv(SEQUENCE, &parts.each_ref().map(Vec::as_slice))?;
    Some(PrivateSec1KeyDer::from(whole).into())
}

/// That of an ECPrivateKey in PKCS#8 that lacks the public key.
fn private_number(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    let PrivateKeyDer::Pkcs8(pkcs8) = key else { return None };
    let info = pkcs8::PrivateKeyInfoRef::try_from(pkcs8.secret_pkcs8_der()).ok()?;
    if info.algorithm.oid.as_bytes() != ID_EC_PUBLIC_KEY.as_bytes() {
        return None;
    }
    let (_, inner) = Sequence::from_der(info.private_key.as_bytes()).ok()?;
    let (rest, _version) = u8::from_der(&inner.content).ok()?;
    let (rest, number) = OctetString::from_der(rest).ok()?;
    // Behind the number: the curve, if it is named twice, and the public key.
    let mut rest = rest;
    while !rest.is_empty() {
        let (behind, part) = Any::from_der(rest).ok()?;
        if part.class() == Class::ContextSpecific && part.tag() == PUBLIC_KEY_TAG {
            return None;
        }
        rest = behind;
    }
    Some(number.as_ref().to_vec())
}

/// In DER; `None` if it is too long for any key.
fn tlv(tag: u8, parts: &[&[u8]]) -> Option<Vec<u8>> {
    let value = parts.concat();
    let length = u8::try_from(value.len()).ok()?;
    let mut all = vec![tag];
    if length > 127 {
        all.push(0x81);
    }
    all.push(length);
    all.extend(value);
    Some(all)
}
