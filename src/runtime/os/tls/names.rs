//! What a certificate says about its owner.      (java.security.auth.x500.X500Principal, RFC 5280)
//!
//! ZooKeeper's x509 scheme compares subjects as text, and that text is Java's: ACLs and
//! `X509AuthenticationProvider.superUser` of an ensemble were written with it. The most specific
//! name stands first, nine attributes have keywords, all others are numbers with their value in
//! hexadecimal: `CN=zk,OU=x,O=y`, `1.2.840.113549.1.9.1=#160161,CN=zk`.
//!
//! The bytes come from outside, though the handshake has checked the certificate by then: what is
//! no certificate has no names.

use std::net::IpAddr;

use x509_parser::asn1_rs::{Any, Class, FromDer, Oid, Tag, ToDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::*;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The attributes that have a keyword in this form of a name.
const KEYWORDS: [(Oid<'static>, &str); 9] = [
    (OID_X509_COMMON_NAME, "CN"),
    (OID_X509_COUNTRY_NAME, "C"),
    (OID_X509_LOCALITY_NAME, "L"),
    (OID_X509_STATE_OR_PROVINCE_NAME, "ST"),
    (OID_X509_STREET_ADDRESS, "STREET"),
    (OID_X509_ORGANIZATION_NAME, "O"),
    (OID_X509_ORGANIZATIONAL_UNIT, "OU"),
    (OID_DOMAIN_COMPONENT, "DC"),
    (OID_USERID, "UID"),
];

const STRINGS: [Tag; 6] = [
    Tag::Utf8String,
    Tag::PrintableString,
    Tag::T61String,
    Tag::Ia5String,
    Tag::GeneralString,
    Tag::BmpString,
];

/// The number of dNSName among the general names.
const DNS_NAME: Tag = Tag(2);

pub(super) fn parse(certificate: &[u8]) -> Option<X509Certificate<'_>> {
    X509Certificate::from_der(certificate).ok().map(|(_, certificate)| certificate)
}

/// The SubjectPublicKeyInfo.
pub(super) fn public_key_of(certificate: &[u8]) -> Option<&[u8]> {
    parse(certificate).map(|certificate| certificate.tbs_certificate.subject_pki.raw)
}

/// The subject of a certificate (DER) as `X500Principal.getName()` writes it (RFC 2253). `None` if
/// the bytes are not one.
pub fn subject_of(certificate: &[u8]) -> Option<String> {
    let certificate = parse(certificate)?;
    let mut names = Vec::new();
    for name in certificate.subject().iter_rdn() {
        let attributes: Option<Vec<String>> = name.iter().map(attribute).collect();
        names.push(attributes?.join("+"));
    }
    names.reverse();
    Some(names.join(","))
}

/// `CN=value`
fn attribute(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let (kind, value) = (attribute.attr_type(), attribute.attr_value());
    let keyword = KEYWORDS.iter().find(|(oid, _)| oid == kind).map(|(_, name)| *name);
    match (keyword, text_of(value)) {
        (Some(name), Some(text)) => Some(format!("{name}={}", escape(&text))),
        _ => {
            let name = keyword.map_or_else(|| dotted(kind.as_bytes()), Into::into);
            let der = value.to_der_vec().ok()?;
            let hex: String = der.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(format!("{name}=#{hex}"))
        }
    }
}

/// `1.2.840.113549.1.9.1`. The crate's own text is wrong behind a first number of 2 (2.999).
fn dotted(oid: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_u128;
    for byte in oid {
        number = number << 7 | u128::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.push(first.to_string());
                number -= first * 40;
            }
            numbers.push(number.to_string());
            number = 0;
        }
    }
    numbers.join(".")
}

/// The characters of one of the kinds of strings; `None` for everything else. Java takes all of
/// them as UTF-8, which garbles two, always in the same way.
fn text_of(value: &Any<'_>) -> Option<String> {
    let is_text = value.class() == Class::Universal
        && !value.header.is_constructed()
        && STRINGS.contains(&value.tag());
    is_text.then(|| String::from_utf8_lossy(value.data).into_owned())
}

/// Java escapes a little more than RFC 2253 asks for: `=` and `#` wherever they stand.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    let is_blank = |c: char| c == ' ' || c == '\r';
    let lead = text.chars().take_while(|c| is_blank(*c)).count();
    let count = text.chars().count();
    let trail = count - text.chars().rev().take_while(|c| is_blank(*c)).count();
    for (n, ch) in text.chars().enumerate() {
        if ch == '\0' {
            escaped.push_str("\\00");
            continue;
        }
        if ",=+<>#;\"\\".contains(ch) || n < lead || n >= trail {
            escaped.push('\\');
        }
        escaped.push(ch);
    }
    escaped
}

/// What a certificate is good for, as far as it says: addresses and host names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hosts {
    pub addresses: Vec<IpAddr>,
    pub names: Vec<String>,
}

/// Of the alternative names; of the common name if there is none of them. (ZKHostnameVerifier)
pub fn hosts_of(certificate: &[u8]) -> Option<Hosts> {
    let certificate = parse(certificate)?;
    let mut hosts = Hosts::default();
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(alternatives) => {
                alternatives.general_names.iter().for_each(|name| hosts.add(name));
            }
            ParsedExtension::ParseError { .. }
                if extension.oid == OID_X509_EXT_SUBJECT_ALT_NAME =>
            {
                return None;
            }
            _ => {}
        }
    }
    if hosts == Hosts::default()
        && let Some(name) = common_name(certificate.subject())
    {
        match name.parse() {
            Ok(address) => hosts.addresses.push(address),
            Err(_) => hosts.names.push(name),
        }
    }
    Some(hosts)
}

impl Hosts {
    fn add(&mut self, name: &GeneralName<'_>) {
        match name {
            GeneralName::DNSName(name) => self.names.push((*name).into()),
            // Not ASCII: no host has that name, but the common name does not count any more.
            GeneralName::Invalid(DNS_NAME, name) => {
                self.names.push(String::from_utf8_lossy(name).into());
            }
            GeneralName::IPAddress(bytes) => self.addresses.extend(address_of(bytes)),
            _ => {}
        }
    }
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The most specific one.
fn common_name(subject: &X509Name<'_>) -> Option<String> {
    text_of(subject.iter_common_name().last()?.attr_value())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn golden(name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tls").join(name);
        std::fs::read(path).expect("a golden file")
    }

    fn certificates() -> Vec<CertificateDer<'static>> {
        let certificates = CertificateDer::pem_slice_iter(&golden("subjects.pem")).collect();
        let certificates: Result<Vec<_>, _> = certificates;
        certificates.expect("openssl's PEM")
    }

    #[test]
    fn subjects_read_as_java_writes_them() {
        let expected = String::from_utf8(golden("subjects.txt")).expect("UTF-8");
        let subjects = certificates().iter().map(|cert| subject_of(cert)).collect::<Vec<_>>();
        let expected: Vec<_> = expected.lines().map(|line| Some(line.to_string())).collect();
        assert_eq!(expected.len(), 12);
        assert_eq!(subjects, expected);
    }

    #[test]
    fn a_certificate_that_is_cut_or_garbled_has_no_names_and_does_no_harm() {
        for cert in certificates() {
            for end in 0..cert.len() {
                assert_eq!(subject_of(&cert[..end]), None, "{end} bytes");
                hosts_of(&cert[..end]);
            }
            for at in 0..cert.len() {
                for flip in [1, 0x80, 0xff] {
                    let mut garbled = cert.to_vec();
                    garbled[at] ^= flip;
                    subject_of(&garbled);
                    hosts_of(&garbled);
                }
            }
        }
    }

    #[test]
    fn numbers_of_attributes_are_dotted() {
        assert_eq!(dotted(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1]), "1.2.840.113549.1.9.1");
        assert_eq!(dotted(&[0x55, 4, 5]), "2.5.4.5");
        assert_eq!(dotted(&[0x88, 0x37, 3]), "2.999.3");
    }

    #[test]
    fn hosts_are_the_alternative_names_and_else_the_common_name() {
        let hosts = |sans: &[&str], name: &str| {
            let sans: Vec<String> = sans.iter().map(ToString::to_string).collect();
            let mut params = rcgen::CertificateParams::new(sans).expect("names");
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            let key = rcgen::KeyPair::generate().expect("a key");
            let cert = params.self_signed(&key).expect("a certificate");
            hosts_of(cert.der()).expect("a certificate")
        };
        let both = hosts(&["a.example", "10.0.0.1", "fd00::1"], "other.example");
        assert_eq!(both.names, ["a.example"]);
        let addresses: Vec<String> = both.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["10.0.0.1", "fd00::1"]);
        assert_eq!(hosts(&[], "b.example").names, ["b.example"]);
        let literal = hosts(&[], "127.0.0.1");
        assert_eq!(literal.addresses, [IpAddr::from([127, 0, 0, 1])]);
        assert!(literal.names.is_empty());
    }
}
