//! What a certificate says about its owner.      (java.security.auth.x500.X500Principal, RFC 5280)
//!
//! ZooKeeper's x509 scheme compares subjects as text, and that text is Java's: ACLs and
//! `X509AuthenticationProvider.superUser` of an ensemble were written with it. The most specific
//! name stands first, nine attributes have keywords, all others are numbers with their value in
//! hexadecimal: `CN=zk,OU=x,O=y`, `1.2.840.113549.1.9.1=#160161,CN=zk`.
//!
//! ```text
//! Certificate     { TBSCertificate, ... }
//! TBSCertificate  { [0] version?, serial, signature, issuer, validity, subject, publicKey,
//!                   [1]? [2]? [3] { extensions }? }
//! ```
//!
//! The bytes come from outside, though the handshake has checked the certificate by then: what is
//! not read as above has no names.

use std::net::IpAddr;

/// One DER element: its tag, its content, and both with the length between them.
#[derive(Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

const OID: u8 = 0x06;
/// UTF8String, PrintableString, T61String, IA5String, GeneralString, BMPString.
const STRINGS: [u8; 6] = [0x0c, 0x13, 0x14, 0x16, 0x1b, 0x1e];
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// GeneralName: dNSName and iPAddress.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;

/// 2.5.4.3
const COMMON_NAME: [u8; 3] = [0x55, 4, 3];
/// 2.5.29.17
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 29, 17];

/// The attributes that have a keyword in this form of a name; 2.5.4.x and 0.9.2342.19200300.100.1.x.
const KEYWORDS: [(&[u8], &str); 9] = [
    (&COMMON_NAME, "CN"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "STREET"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
];

/// Takes the next element off the front; `None` at the end and where the bytes are none.
fn take<'a>(rest: &mut &'a [u8]) -> Option<Element<'a>> {
    let all = *rest;
    let (&tag, after_tag) = all.split_first()?;
    let (&first, after_length) = after_tag.split_first()?;
    // A tag of more bytes and a length without an end are in no certificate.
    if tag & 0x1f == 0x1f || first == 0x80 {
        return None;
    }
    let length_bytes = if first < 0x80 { 0 } else { usize::from(first & 0x7f) };
    if length_bytes > 4 {
        return None;
    }
    let (length, body) = after_length.split_at_checked(length_bytes)?;
    let length = match length_bytes {
        0 => usize::from(first),
        _ => length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
    };
    let (content, after) = body.split_at_checked(length)?;
    *rest = after;
    Some(Element { tag, content, whole: &all[..all.len() - after.len()] })
}

fn take_tagged<'a>(rest: &mut &'a [u8], tag: u8) -> Option<Element<'a>> {
    take(rest).filter(|element| element.tag == tag)
}

/// The parts of a certificate that are read here.
struct Parts<'a> {
    subject: &'a [u8],
    public_key: &'a [u8],
    /// Empty if there are none.
    extensions: &'a [u8],
}

fn parts(certificate: &[u8]) -> Option<Parts<'_>> {
    let mut certificate = take_tagged(&mut { certificate }, SEQUENCE)?.content;
    let mut rest = take_tagged(&mut certificate, SEQUENCE)?.content;
    let mut before = rest;
    if take(&mut before)?.tag == VERSION {
        rest = before;
    }
    for _ in ["serial", "signature", "issuer", "validity"] {
        take(&mut rest)?;
    }
    let subject = take_tagged(&mut rest, SEQUENCE)?.content;
    let public_key = take_tagged(&mut rest, SEQUENCE)?.whole;
    let mut extensions: &[u8] = &[];
    while let Some(element) = take(&mut rest) {
        if element.tag == EXTENSIONS {
            extensions = take_tagged(&mut { element.content }, SEQUENCE)?.content;
        }
    }
    Some(Parts { subject, public_key, extensions })
}

/// The SubjectPublicKeyInfo.
pub(super) fn public_key_of(certificate: &[u8]) -> Option<&[u8]> {
    parts(certificate).map(|parts| parts.public_key)
}

/// The subject of a certificate (DER) as `X500Principal.getName()` writes it (RFC 2253). `None` if
/// the bytes are not one.
pub fn subject_of(certificate: &[u8]) -> Option<String> {
    let mut names = Vec::new();
    let mut rest = parts(certificate)?.subject;
    while !rest.is_empty() {
        let mut attributes = take_tagged(&mut rest, SET)?.content;
        let mut name = Vec::new();
        while !attributes.is_empty() {
            name.push(attribute(take_tagged(&mut attributes, SEQUENCE)?)?);
        }
        names.push(name.join("+"));
    }
    names.reverse();
    Some(names.join(","))
}

/// `CN=value`
fn attribute(element: Element<'_>) -> Option<String> {
    let mut rest = element.content;
    let kind = take_tagged(&mut rest, OID)?.content;
    let value = take(&mut rest)?;
    let keyword = KEYWORDS.iter().find(|(oid, _)| *oid == kind);
    let name = keyword.map_or_else(|| dotted(kind), |(_, name)| (*name).into());
    match text_of(value).filter(|_| keyword.is_some()) {
        Some(text) => Some(format!("{name}={}", escape(&text))),
        None => {
            let hex: String = value.whole.iter().map(|byte| format!("{byte:02x}")).collect();
            Some(format!("{name}=#{hex}"))
        }
    }
}

/// `1.2.840.113549.1.9.1`
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
fn text_of(value: Element<'_>) -> Option<String> {
    STRINGS.contains(&value.tag).then(|| String::from_utf8_lossy(value.content).into_owned())
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
    let parts = parts(certificate)?;
    let mut hosts = Hosts::default();
    let mut rest = parts.extensions;
    while !rest.is_empty() {
        let mut extension = take_tagged(&mut rest, SEQUENCE)?.content;
        let kind = take_tagged(&mut extension, OID)?.content;
        let mut value = take(&mut extension)?;
        // A flag "critical" may stand between them.
        if value.tag != OCTET_STRING {
            value = take_tagged(&mut extension, OCTET_STRING)?;
        }
        if kind == SUBJECT_ALT_NAME {
            let mut names = take_tagged(&mut { value.content }, SEQUENCE)?.content;
            while !names.is_empty() {
                let name = take(&mut names)?;
                match name.tag {
                    DNS_NAME => hosts.names.push(String::from_utf8_lossy(name.content).into()),
                    IP_ADDRESS => hosts.addresses.extend(address_of(name.content)),
                    _ => {}
                }
            }
        }
    }
    if hosts == Hosts::default()
        && let Some(name) = common_name(parts.subject)
    {
        match name.parse() {
            Ok(address) => hosts.addresses.push(address),
            Err(_) => hosts.names.push(name),
        }
    }
    Some(hosts)
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The most specific one.
fn common_name(mut subject: &[u8]) -> Option<String> {
    let mut found = None;
    while let Some(mut attributes) = take_tagged(&mut subject, SET).map(|set| set.content) {
        while let Some(attribute) = take_tagged(&mut attributes, SEQUENCE) {
            let mut rest = attribute.content;
            if take_tagged(&mut rest, OID)?.content == COMMON_NAME {
                found = text_of(take(&mut rest)?);
            }
        }
    }
    found
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
