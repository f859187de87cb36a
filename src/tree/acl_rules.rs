//! Which schemes a server has, what their ids look like, and whether permissions count at all.
//! (ProviderRegistry; isValid of the authentication providers; zookeeper.skipACL)
//!
//! A server that may not use a scheme refuses it in new lists; the lists that are stored already
//! stay as they are.
//!
//! Not here: whom a list lets pass (acl_list.rs), how ids are proven (`server/auth`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::acl_list::{AclList, AskedLists, parse_net};
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

    /// Whether somebody with these ids holds one of the wanted permissions.
    pub fn check(&self, list: &AclList, wanted: i32, ids: &[Id]) -> bool {
        self.skip || list.lets_pass(wanted, ids)
    }

    /// The same, by one request that may ask it often.
    pub fn check_once(
        &self,
        asked: &mut AskedLists,
        list: &AclList,
        wanted: i32,
        ids: &[Id],
    ) -> bool {
        self.skip || asked.lets_pass(list, wanted, ids)
    }

    /// Whether the list a client sent may be stored.
    pub fn may_be_stored(&self, list: Option<&[Acl]>, ids: &[Id]) -> bool {
        let proves = ids.iter().any(is_proven);
        let is_valid = |acl: &Acl| if is_auth(acl) { proves } else { self.is_valid_id(&acl.id) };
        list.is_some_and(|list| !list.is_empty() && list.iter().all(is_valid))
    }

    /// The list to store for the list a client sent: duplicates gone, `auth` replaced by the ids
    /// the client proved. Each entry `auth` stands for all of them, so that a list may be much longer than
    /// what was sent: `TooLong` if it has more than `bytes_max` bytes. (PrepRequestProcessor.fixupACL)
    pub fn fix_up(
        &self,
        list: Option<&[Acl]>,
        ids: &[Id],
        bytes_max: usize,
    ) -> Result<Vec<Acl>, Unfit> {
        if !self.may_be_stored(list, ids) {
            return Err(Unfit::Invalid);
        }
        let mut seen = BTreeSet::new();
        let mut unique: Vec<&Acl> = list.unwrap_or_default().iter().collect();
        unique.retain(|acl| seen.insert((acl.perms, &*acl.id.scheme, &*acl.id.id)));

        let proven: Vec<&Id> = ids.iter().filter(|id| is_proven(id)).collect();
        let proven_bytes: usize = proven.iter().map(|id| entry_bytes(id)).sum();
        let bytes_of = |acl: &&Acl| if is_auth(acl) { proven_bytes } else { entry_bytes(&acl.id) };
        if unique.iter().map(bytes_of).fold(0, usize::saturating_add) > bytes_max {
            return Err(Unfit::TooLong);
        }
        let mut fixed = Vec::with_capacity(unique.len());
        for acl in unique {
            if is_auth(acl) {
                let of = |id: &&Id| Acl { perms: acl.perms, id: (*id).clone() };
                fixed.extend(proven.iter().map(of));
            } else {
                fixed.push(acl.clone());
            }
        }
        Ok(fixed)
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

/// Why a list is not stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// INVALIDACL.
    Invalid,
    TooLong,
}

/// Bytes of an entry with this id, at least.
pub fn entry_bytes(id: &Id) -> usize {
    12 + id.scheme.len() + id.id.len()
}

fn is_auth(acl: &Acl) -> bool {
    acl.id.scheme == "auth"
}

/// An address is no proof; `super` is a mark, not an identity.
fn is_proven(id: &Id) -> bool {
    matches!(&*id.scheme, "digest" | "x509" | "sasl")
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

    fn acl(perms: i32, scheme: &str, name: &str) -> Acl {
        Acl { perms, id: id(scheme, name) }
    }

    fn fix_up(list: &[Acl], ids: &[Id]) -> Result<Vec<Acl>, Unfit> {
        AclRules::default().fix_up(Some(list), ids, 1000)
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
        let stored = fix_up(&list, &ids).expect("three prove something");
        assert_eq!(stored.into_iter().map(|acl| acl.id).collect::<Vec<_>>(), ids[2..]);
    }

    #[test]
    fn where_permissions_are_skipped_everybody_may_do_everything() {
        let mut config = ServerConfig::defaults(crate::base::ServerId(1));
        let list = vec![Acl { perms: 1, id: id("digest", "bob:x") }].into();
        assert!(!AclRules::of(&config).check(&list, 1, &[]));
        config.access.skip_acl = true;
        assert!(AclRules::of(&config).check(&list, 16, &[]));
    }

    #[test]
    fn a_list_is_valid_when_every_entry_is() {
        for (scheme, name, valid) in [
            ("world", "anyone", true),
            ("world", "bob", false),
            ("ip", "10.0.0.1", true),
            ("ip", "10.0.0.0/33", false),
            ("ip", "fe80::/129", false),
            ("ip", "fe80::/64", true),
            ("ip", "10.0.0/8", false),
            ("digest", "bob:pw", true),
            ("digest", "bob", false),
            ("digest", "a:b:c", false),
            ("digest", "bob:", false),
            ("auth", "", false),
            ("nosuch", "x", false),
        ] {
            let list = [acl(31, "world", "anyone"), acl(0, scheme, name)];
            assert_eq!(fix_up(&list, &[]).is_ok(), valid, "{scheme}:{name}");
        }
        assert_eq!(AclRules::default().fix_up(None, &[], 1000), Err(Unfit::Invalid));
        assert_eq!(fix_up(&[], &[]), Err(Unfit::Invalid));
    }

    #[test]
    fn auth_becomes_the_ids_that_were_proven() {
        let ids = [id("ip", "10.0.0.1"), id("digest", "bob:x"), id("super", "")];
        let list = [acl(3, "auth", ""), acl(3, "auth", ""), acl(1, "world", "anyone")];
        assert_eq!(
            fix_up(&list, &ids),
            Ok(vec![acl(3, "digest", "bob:x"), acl(1, "world", "anyone")])
        );
    }

    #[test]
    fn of_entries_that_are_the_same_the_first_stays() {
        let list = [
            acl(1, "digest", "b:x"),
            acl(2, "auth", "one"),
            acl(1, "digest", "b:x"),
            acl(2, "digest", "b:x"),
            acl(2, "auth", "two"),
            acl(2, "auth", "one"),
        ];
        let bob = acl(2, "digest", "bob:x");
        let want = vec![list[0].clone(), bob.clone(), list[3].clone(), bob];
        assert_eq!(fix_up(&list, &[id("digest", "bob:x")]), Ok(want), "two entries auth are two");
    }

    /// Comparing each with each would be 20,000,000,000 comparisons of texts that begin alike.
    #[test]
    fn a_list_of_a_mebibyte_is_fixed_up_at_once() {
        let mut list: Vec<Acl> = (0..100_000).map(|n| acl(n, "digest", "somebody:x")).collect();
        let want = list.clone();
        list.extend(want.iter().rev().cloned());
        assert_eq!(AclRules::default().fix_up(Some(&list), &[], usize::MAX), Ok(want));
        list.push(acl(1, "", ""));
        assert_eq!(fix_up(&list, &[]), Err(Unfit::Invalid), "the last of them");
    }

    /// Written out, the list would have 2,000,000,000 entries.
    #[test]
    fn a_list_that_would_be_too_long_is_not_written_out() {
        let list: Vec<Acl> = (0..50_000).map(|n| acl(n, "auth", "")).collect();
        let ids: Vec<Id> = (0..40_000).map(|n| id("digest", &format!("{n}:x"))).collect();
        let rules = AclRules::default();
        assert_eq!(rules.fix_up(Some(&list), &ids, 1 << 20), Err(Unfit::TooLong));
        assert!(rules.may_be_stored(Some(&list), &ids));
        let one = rules.fix_up(Some(&list[..1]), &ids, 1 << 20).expect("that is short enough");
        assert_eq!(one.len(), 40_000);
    }
}
