//! Scheme `digest`: a user, and what a hash makes of `user:password`.   (DigestAuthenticationProvider)
//!
//! Nothing is compared with a list of users: whoever knows the password can make the id again,
//! and an access list that holds the id lets them pass.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::config::{Access, DigestAlg};
use crate::jute::data::Id;

/// The ids these bytes prove: `super` if they are the superuser's, and always their own. No bytes
/// prove nothing; any others are accepted, with or without a colon.
pub(super) fn ids_of(access: &Access, proof: Option<&[u8]>) -> Option<Vec<Id>> {
    let digest = digest_id(access.digest_alg, &String::from_utf8_lossy(proof?));
    let is_super = access
        .super_digest
        .as_ref()
        .is_some_and(|wanted| wanted.as_bytes().ct_eq(digest.as_bytes()).into());
    let mark = is_super.then(|| Id { scheme: "super".into(), id: String::new() });
    let own = Id { scheme: "digest".into(), id: digest };
    Some(mark.into_iter().chain([own]).collect())
}

/// `bob:ikIaKsbtGweaHnb/jKn7OHqbunM=` of `bob:pw`: the part before the first colon (all of it, if
/// there is none), and the hash of the whole. (generateDigest)
fn digest_id(alg: DigestAlg, user_and_password: &str) -> String {
    let user = user_and_password.split(':').next().unwrap_or_default();
    let bytes = user_and_password.as_bytes();
    let hash = match alg {
        DigestAlg::Sha1 => STANDARD.encode(Sha1::digest(bytes)),
        DigestAlg::Sha256 => STANDARD.encode(Sha256::digest(bytes)),
        DigestAlg::Sha512 => STANDARD.encode(Sha512::digest(bytes)),
    };
    format!("{user}:{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_covers_user_and_password_and_stands_behind_the_user() {
        for (proof, id) in [
            ("bob:pw", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="),
            ("super:test", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
            ("", ":2jmj7l5rSw0yVb/vlWAYkK/YBwk="),
            (":pw", ":krPDEYdCl854cFNT6IXnoMv+VVA="),
            ("nocolon", "nocolon:Ra+cHr2ZoHvBjtNArFGNGlVie4g="),
            ("a:b:c", "a:cLzgnoJ6mP5qz3w+mwvPE2vDgu0="),
        ] {
            assert_eq!(digest_id(DigestAlg::Sha1, proof), id, "{proof}");
        }
    }

    #[test]
    fn the_algorithm_is_a_setting() {
        assert_eq!(
            digest_id(DigestAlg::Sha256, "bob:pw"),
            "bob:lXdkgIa9O1CDDWAryQ0pe9wUYi2LkG6M7Uocn/Vyn2g="
        );
        assert_eq!(
            digest_id(DigestAlg::Sha512, "bob:pw"),
            "bob:jQFpfQMlS0Fkelz3cdxBlcfmOOApGvKAjybCSpc/oHQD7ouOUKaAFXPlHr/2XpjmwJ0yssqB0Mh7gRRVqmyALQ=="
        );
    }

    #[test]
    fn the_superuser_keeps_its_digest_id_too() {
        let access = Access {
            super_digest: Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into()),
            ..Access::default()
        };
        let schemes = |proof: &[u8]| -> Vec<String> {
            ids_of(&access, Some(proof)).into_iter().flatten().map(|id| id.scheme).collect()
        };
        assert_eq!(schemes(b"super:test"), ["super", "digest"]);
        assert_eq!(schemes(b"super:wrong"), ["digest"]);
        assert_eq!(ids_of(&access, None), None, "no bytes at all");
        assert_eq!(schemes(b""), ["digest"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_as_java_does() {
        let id = &ids_of(&Access::default(), Some(b"b\xff:pw")).expect("digest never fails")[0].id;
        assert!(id.starts_with("b\u{fffd}:"), "{id}");
    }
}
