//! Who a client may be, and what it must prove, as the operator wrote it.
//!
//! Not here: the proving (`server/auth`), the checking of a list (`tree/acl.rs`).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Access settings. The defaults are Apache's.
#[derive(Clone, Serialize, Deserialize)]
pub struct Access {
    /// `skipACL`: no permission is checked.
    pub skip_acl: bool,
    /// `enableEagerACLCheck`: a learner checks permissions before it forwards a write.
    pub eager_check: bool,
    /// `DigestAuthenticationProvider.enabled`
    pub digest_enabled: bool,
    /// `DigestAuthenticationProvider.digestAlg`
    pub digest_alg: DigestAlg,
    /// `DigestAuthenticationProvider.superDigest`: `super:BASE64`.
    pub super_digest: Option<String>,
    /// `X509AuthenticationProvider.superUser`: a distinguished name.
    pub x509_super_user: Option<String>,
    /// `superUser` and `superUser.*`: authorization ids of SASL that are superusers.
    pub sasl_super_users: Vec<String>,
    /// Users and passwords of the jaas file's server section (DigestLoginModule); `None` without
    /// `java.security.auth.login.config`: then no client can prove itself by SASL.
    pub sasl_users: Option<BTreeMap<String, String>>,
    /// `allowSaslFailedClients`: a client that failed to prove itself stays.
    pub allow_sasl_failed_clients: bool,
    /// `enforce.auth.enabled` with `enforce.auth.schemes`; `requireClientAuthScheme` and
    /// `sessionRequireClientSASLAuth` put `sasl` here. Empty: nothing is enforced.
    pub enforced_schemes: Vec<String>,
    /// `ensembleAuthName`: names a client of scheme `ensemble` may call; `None` is no such scheme.
    pub ensemble_names: Option<Vec<String>>,
}

/// Without passwords and digests: a configuration is printed in places where nobody thinks of it.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users = self.sasl_users.as_ref().map(|users| users.keys());
        f.debug_struct("Access")
            .field("skip_acl", &self.skip_acl)
            .field("eager_check", &self.eager_check)
            .field("digest_enabled", &self.digest_enabled)
            .field("digest_alg", &self.digest_alg)
            .field("has_super_digest", &self.super_digest.is_some())
            .field("x509_super_user", &self.x509_super_user)
            .field("sasl_super_users", &self.sasl_super_users)
            .field("sasl_users", &users)
            .field("allow_sasl_failed_clients", &self.allow_sasl_failed_clients)
            .field("enforced_schemes", &self.enforced_schemes)
            .field("ensemble_names", &self.ensemble_names)
            .finish()
    }
}

/// How a digest id hashes `user:password`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum DigestAlg {
    #[default]
    Sha1,
    Sha256,
    Sha512,
}

impl Default for Access {
    fn default() -> Access {
        Access {
            skip_acl: false,
            eager_check: false,
            digest_enabled: true,
            digest_alg: DigestAlg::Sha1,
            super_digest: None,
            x509_super_user: None,
            sasl_super_users: Vec::new(),
            sasl_users: None,
            allow_sasl_failed_clients: false,
            enforced_schemes: Vec::new(),
            ensemble_names: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_digests_are_not_printed() {
        let users = [("bob".to_string(), "hunter2".to_string())];
        let access = Access {
            super_digest: Some("super:c2VjcmV0".into()),
            sasl_users: Some(users.into()),
            ..Access::default()
        };
        let printed = format!("{access:?}");
        assert!(printed.contains("bob") && printed.contains("has_super_digest: true"), "{printed}");
        assert!(!printed.contains("hunter2") && !printed.contains("c2VjcmV0"), "{printed}");
    }
}
