//! Which schemes a server has, what their ids look like, and whether permissions count at all.
//! (ProviderRegistry; isValid of the authentication providers; zookeeper.skipACL)
//!
//! A server that may not use a scheme refuses it in new lists; the lists that are stored already
//! stay as they are.
//!
//! Not here: whom a list lets pass (acl.rs), how ids are proven (`server/auth`).

use serde::{Deserialize, Serialize};

use super::acl::{check_acl, parse_net};
use crate::config::ServerConfig;
use crate::jute::data::{Acl, Id};

/// The default has every scheme and checks every permission.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AclRules {
    /// Everybody may do everything.
    skip: bool,
    digest: bool,
    x509: bool,
    sasl: bool,
}

impl Default for AclRules {
    fn default() -> AclRules {
        AclRules { skip: false, digest: true, x509: true, sasl: true }
    }
}

impl AclRules {
    /// A scheme is there if somebody can prove an id of it.
    pub fn of(config: &ServerConfig) -> AclRules {
        let access = &config.access;
        AclRules {
            skip: access.skip_acl,
            digest: access.digest_enabled,
            x509: config.client_tls.is_some(),
            sasl: access.sasl_users.is_some(),
        }
    }

    /// [`check_acl`], where permissions count.
    pub fn check(&self, list: &[Acl], wanted: i32, ids: &[Id]) -> bool {
        self.skip || check_acl(list, wanted, ids)
    }

    /// The list to store for the list a client sent: duplicates gone, `auth` replaced by the ids
    /// the client proved. `None` is INVALIDACL. (PrepRequestProcessor.fixupACL)
    pub fn fix_up(&self, list: Option<&[Acl]>, ids: &[Id]) -> Option<Vec<Acl>> {
        let mut unique: Vec<&Acl> = Vec::new();
        for acl in list? {
            if !unique.contains(&acl) {
                unique.push(acl);
            }
        }
        let mut fixed = Vec::with_capacity(unique.len());
        for acl in unique {
            if acl.id.scheme == "auth" {
                let before = fixed.len();
                // An address is no proof; `super` is a mark, not an identity.
                let proven =
                    ids.iter().filter(|id| matches!(&*id.scheme, "digest" | "x509" | "sasl"));
                fixed.extend(proven.map(|id| Acl { perms: acl.perms, id: id.clone() }));
                if fixed.len() == before {
                    return None;
                }
            } else if self.is_valid_id(&acl.id) {
                fixed.push(acl.clone());
            } else {
                return None;
            }
        }
        (!fixed.is_empty()).then_some(fixed)
    }

    fn is_valid_id(&self, id: &Id) -> bool {
        match id.scheme.as_str() {
            "world" => id.id == "anyone",
            "ip" => parse_net(&id.id).is_some(),
            "digest" => self.digest && is_user_and_hash(&id.id),
            "x509" => self.x509 && is_distinguished_name(&id.id),
            "sasl" => self.sasl && is_principal(&id.id),
            _ => false,
        }
    }
}

/// Java's split drops empty parts at the end.
fn is_user_and_hash(id: &str) -> bool {
    id.trim_end_matches(':').split(':').count() == 2
}

/// Any name without an at sign, otherwise `service@REALM` or `service/host@REALM`. (KerberosName)
fn is_principal(name: &str) -> bool {
    match name.split_once('@') {
        Some((user, realm)) => !realm.contains(['/', '@']) && user.matches('/').count() <= 1,
        None => true,
    }
}

/// Keywords of the parts of a name that Java knows.
const NAME_KEYWORDS: [&str; 21] = [
    "CN",
    "C",
    "L",
    "S",
    "ST",
    "O",
    "OU",
    "T",
    "IP",
    "STREET",
    "DC",
    "DNQUALIFIER",
    "DNQ",
    "SURNAME",
    "GIVENNAME",
    "INITIALS",
    "GENERATION",
    "EMAIL",
    "EMAILADDRESS",
    "UID",
    "SERIALNUMBER",
];

/// `CN=bob,OU=x+L=y,O="a, b"`: whether Java's X500Principal can be made of it. No parts at all is
/// a name too.
fn is_distinguished_name(name: &str) -> bool {
    let mut rest = name;
    if rest.is_empty() {
        return true;
    }
    loop {
        let Some((keyword, value)) = rest.split_once('=') else { return false };
        if !is_name_keyword(keyword.trim()) {
            return false;
        }
        match end_of_value(value.trim_start_matches([' ', '\n'])) {
            Some("") => return true,
            Some(behind) => rest = &behind[1..],
            None => return false,
        }
    }
}

fn is_name_keyword(keyword: &str) -> bool {
    let upper = keyword.to_ascii_uppercase();
    if NAME_KEYWORDS.contains(&upper.as_str()) {
        return true;
    }
    let numbers = upper.strip_prefix("OID.").unwrap_or(&upper);
    numbers.contains('.')
        && numbers.split('.').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// What follows a value: nothing, or a text that begins with its separator. `None`: no value.
fn end_of_value(value: &str) -> Option<&str> {
    const SEPARATORS: [char; 3] = [',', '+', ';'];
    if let Some(quoted) = value.strip_prefix('"') {
        let mut chars = quoted.char_indices();
        loop {
            match chars.next()? {
                (_, '\\') => drop(chars.next()?),
                (at, '"') => {
                    let behind = quoted[at + 1..].trim_start_matches([' ', '\n']);
                    let ends = behind.is_empty() || behind.starts_with(SEPARATORS);
                    return ends.then_some(behind);
                }
                _ => {}
            }
        }
    }
    if let Some(hex) = value.strip_prefix('#') {
        let digits = hex.find(SEPARATORS).unwrap_or(hex.len());
        let (digits, behind) = hex.split_at(digits);
        let digits = digits.trim_end();
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        return (is_hex && !digits.is_empty() && digits.len() % 2 == 0).then_some(behind);
    }
    let mut chars = value.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()?),
            '<' | '>' | '"' => return None,
            _ if SEPARATORS.contains(&c) => return Some(&value[at..]),
            _ => {}
        }
    }
    Some("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(scheme: &str, id: &str) -> Id {
        Id { scheme: scheme.into(), id: id.into() }
    }

    #[test]
    fn an_x509_id_is_a_distinguished_name() {
        for (name, valid) in [
            ("CN=bob", true),
            ("CN=bob,OU=x,O=Example Ltd.,C=DE", true),
            ("cn = bob, O = x", true),
            ("CN=a+UID=7;O=b", true),
            ("O=\"Example, Inc.\",C=US", true),
            ("O=\"Example, Inc.\" x", false),
            ("O=\"open", false),
            ("CN=a\\,b,O=c", true),
            ("CN=a\\", false),
            ("1.2.840.113549.1.9.1=#1603626F62", true),
            ("OID.2.5.4.3=bob", true),
            ("CN=#16", true),
            ("CN=#1", false),
            ("CN=#zz", false),
            ("CN=", true),
            ("", true),
            ("bob", false),
            ("NOSUCH=bob", false),
            ("CN=bob,", false),
            (",CN=bob", false),
            ("CN=<bob>", false),
        ] {
            assert_eq!(AclRules::default().is_valid_id(&id("x509", name)), valid, "{name:?}");
        }
    }

    #[test]
    fn a_sasl_id_is_a_name_or_a_principal() {
        for (name, valid) in [
            ("bob", true),
            ("", true),
            ("a/b/c", true),
            ("bob@REALM", true),
            ("zookeeper/host@REALM", true),
            ("a/b/c@REALM", false),
            ("bob@REALM/x", false),
            ("bob@A@B", false),
        ] {
            assert_eq!(AclRules::default().is_valid_id(&id("sasl", name)), valid, "{name:?}");
        }
    }

    #[test]
    fn a_scheme_that_nobody_can_prove_is_none() {
        let mut config = ServerConfig::defaults(crate::base::ServerId(1));
        let has = |config: &ServerConfig, scheme, name| {
            AclRules::of(config).is_valid_id(&id(scheme, name))
        };
        assert!(has(&config, "digest", "bob:x"));
        assert!(!has(&config, "sasl", "bob"));
        assert!(!has(&config, "x509", "CN=bob"));
        config.access.sasl_users = Some(Default::default());
        config.access.digest_enabled = false;
        assert!(has(&config, "sasl", "bob"));
        assert!(!has(&config, "digest", "bob:x"));
    }

    #[test]
    fn every_identity_that_was_proven_stands_for_auth() {
        let ids =
            [id("ip", "10.0.0.1"), id("super", "CN=a"), id("x509", "CN=a"), id("sasl", "bob")];
        let list = [Acl { perms: 7, id: id("auth", "whoever") }];
        let stored = AclRules::default().fix_up(Some(&list), &ids);
        let stored: Option<Vec<Id>> = stored.map(|list| list.into_iter().map(|a| a.id).collect());
        assert_eq!(stored.as_deref(), Some(&ids[2..]));
    }

    #[test]
    fn where_permissions_are_skipped_everybody_may_do_everything() {
        let mut config = ServerConfig::defaults(crate::base::ServerId(1));
        let list = [Acl { perms: 1, id: id("digest", "bob:x") }];
        assert!(!AclRules::of(&config).check(&list, 1, &[]));
        config.access.skip_acl = true;
        assert!(AclRules::of(&config).check(&list, 16, &[]));
    }
}
