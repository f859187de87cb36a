//! TLS of the client port: `secureClientPort`, `client.*` and `ssl.*`.
//!
//! Apache reads them in QuorumPeerConfig, ClientX509Util, X509Util and NettyServerCnxnFactory. Its
//! TLS is Java's, this one is rustls: stores are PEM, JKS or PKCS12, versions are TLS 1.2 and 1.3, and
//! cipher suites are those with forward secrecy and authenticated encryption. What a file asks for
//! beyond that is refused where leaving it out would let somebody in, and named in a warning where it
//! would only keep an old client out.
//!
//! Not here: `ssl.quorum.*` (refused), reading the files (`runtime/os/tls`).

use std::path::Path;

use super::draft::Draft;
use super::error::ConfigError;
use super::properties::Entry;
use crate::runtime::tls::{
    BCFKS, CIPHER_SUITES, ClientAuth, ClientTls, ServerTrust, Store, StoreFormat, StoreSettings,
    TlsVersion, bcfks_conversion,
};

/// `zookeeper.NAME` properties in Apache; `secureClientPort` and its address stand in the file alone.
pub(super) const TLS_PROPERTIES: [&str; 22] = [
    "client.certReload",
    "client.portUnification",
    "serverCnxnFactory",
    "ssl.authProvider",
    "ssl.ciphersuites",
    "ssl.clientAuth",
    "ssl.clientHostnameVerification",
    "ssl.crl",
    "ssl.enabledProtocols",
    "ssl.handshakeDetectionTimeoutMillis",
    "ssl.hostnameVerification",
    "ssl.keyStore.location",
    "ssl.keyStore.password",
    "ssl.keyStore.passwordPath",
    "ssl.keyStore.type",
    "ssl.ocsp",
    "ssl.protocol",
    "ssl.sslProvider",
    "ssl.trustStore.location",
    "ssl.trustStore.password",
    "ssl.trustStore.passwordPath",
    "ssl.trustStore.type",
];

const FACTORIES: [&str; 2] = ["NIOServerCnxnFactory", "NettyServerCnxnFactory"];

impl Draft {
    /// `None` where nothing asks for a TLS port.
    pub(super) fn client_tls(&mut self) -> Result<Option<ClientTls>, ConfigError> {
        self.check_factory()?;
        let why = ", although secureClientPortAddress is given";
        let listen = self.address("secureClientPort", "secureClientPortAddress", why)?;
        let port_unification = self.boolean("client.portUnification")?.unwrap_or(false);
        // Whatever they say, they say it well-formed.
        let reload = self.boolean("client.certReload")?.unwrap_or(false);
        let verify_client_host = self.boolean("ssl.clientHostnameVerification")?.unwrap_or(false);
        self.boolean("ssl.hostnameVerification")?;
        self.millis("ssl.handshakeDetectionTimeoutMillis", 0)?;
        if listen.is_none() && !port_unification {
            self.warn_without_port();
            return Ok(None);
        }
        self.refuse_what_is_not_checked()?;
        let client_auth = self.client_auth()?;
        let key_store = self.store(Store::Key)?.ok_or_else(|| ConfigError::MissingKey {
            file: self.file.clone(),
            key: Store::Key.location_key(),
            why: ": the TLS port needs a file with the server's private key and certificates",
        })?;
        let trust_store = self.store(Store::Trust)?;
        if trust_store.is_none() && client_auth != ClientAuth::None {
            return Err(ConfigError::MissingKey {
                file: self.file.clone(),
                key: Store::Trust.location_key(),
                why: ": clients' certificates are checked against it \
                      (ssl.clientAuth=none, if they need none; the default is need)",
            });
        }
        let versions = self.versions()?;
        let cipher_suites = self.cipher_suites(&versions)?;
        Ok(Some(ClientTls {
            listen,
            port_unification,
            key_store,
            trust_store,
            client_auth,
            verify_client_host,
            reload,
            versions,
            cipher_suites,
        }))
    }

    /// Whom a client trusts, and who it is. A client checks the names of servers, unless it is told not to.
    pub(super) fn server_trust(&mut self) -> Result<ServerTrust, ConfigError> {
        self.refuse_revocation("trust servers whose certificates have been revoked")?;
        let trust_store = self.store(Store::Trust)?.ok_or_else(|| ConfigError::MissingKey {
            file: self.file.clone(),
            key: Store::Trust.location_key(),
            why: ": servers' certificates are checked against it",
        })?;
        let versions = self.versions()?;
        Ok(ServerTrust {
            key_store: self.store(Store::Key)?,
            trust_store,
            verify_host: self.boolean("ssl.hostnameVerification")?.unwrap_or(true),
            cipher_suites: self.cipher_suites(&versions)?,
            versions,
        })
    }

    /// Apache has TLS with the Netty factory alone; here there is one implementation.
    fn check_factory(&self) -> Result<(), ConfigError> {
        let Some(entry) = self.setting("serverCnxnFactory") else { return Ok(()) };
        let name = entry.value.rsplit('.').next().unwrap_or_default();
        if FACTORIES.contains(&name) {
            return Ok(());
        }
        let expected = "NIOServerCnxnFactory or NettyServerCnxnFactory of Apache ZooKeeper, \
                        both the same here";
        Err(entry.mistyped(0, expected))
    }

    fn warn_without_port(&mut self) {
        let given = ["ssl.keyStore.location", "ssl.trustStore.location"].into_iter();
        let Some(entry) = given.filter_map(|key| self.setting(key)).next() else { return };
        let (at, key) = (entry.key_at.clone(), entry.key.clone());
        let text = format!(
            "{key} has no effect: there is no TLS port without secureClientPort or \
             client.portUnification=true"
        );
        self.warn_at(&at, &text);
    }

    /// Nothing here asks whether a certificate was revoked. `danger`: what ignoring that would do.
    fn refuse_revocation(&self, danger: &'static str) -> Result<(), ConfigError> {
        for key in ["ssl.crl", "ssl.ocsp"] {
            if self.boolean(key)? == Some(true)
                && let Some(entry) = self.setting(key)
            {
                return Err(ConfigError::Refused {
                    at: entry.key_at.clone(),
                    key: entry.key.clone(),
                    danger,
                });
            }
        }
        Ok(())
    }

    /// Ignoring these would let in clients that Apache keeps out.
    fn refuse_what_is_not_checked(&self) -> Result<(), ConfigError> {
        self.refuse_revocation("let in clients whose certificates have been revoked")?;
        match self.setting("ssl.authProvider") {
            Some(entry) if entry.value != "x509" => {
                Err(entry.mistyped(0, "x509, the only scheme that reads certificates"))
            }
            _ => Ok(()),
        }
    }

    fn client_auth(&self) -> Result<ClientAuth, ConfigError> {
        let Some(entry) = self.setting("ssl.clientAuth") else { return Ok(ClientAuth::Need) };
        match entry.value.to_ascii_lowercase().as_str() {
            "none" => Ok(ClientAuth::None),
            "want" => Ok(ClientAuth::Want),
            "need" | "" => Ok(ClientAuth::Need),
            _ => Err(entry.mistyped(0, "need, want or none")),
        }
    }

    /// What stands there about this store. (KeyStoreFileType)
    fn store(&self, store: Store) -> Result<Option<StoreSettings>, ConfigError> {
        let Some(entry) = self.setting(store.location_key()).filter(|e| !e.value.is_empty()) else {
            return Ok(None);
        };
        let file = Path::new(&entry.value);
        let given = self.setting(store.type_key()).filter(|e| !e.value.is_empty());
        let suffix = file.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
        if given.map_or(suffix, |given| &given.value).eq_ignore_ascii_case(BCFKS) {
            return Err(ConfigError::KeyStoreFormat {
                at: entry.value_at.clone(),
                key: store.location_key(),
                file: entry.value.clone(),
                conversion: bcfks_conversion(store, file),
            });
        }
        let format = match given {
            None => StoreFormat::of_suffix(file),
            Some(given) => {
                let format = StoreFormat::of_type(&given.value);
                Some(format.ok_or_else(|| given.mistyped(0, "PEM, JKS or PKCS12"))?)
            }
        };
        let password = self.store_password(store)?;
        Ok(Some(StoreSettings { file: file.into(), format, password }))
    }

    /// That of a file counts more than the one in zoo.cfg. (X509Util, SecretUtils)
    fn store_password(&self, store: Store) -> Result<Option<String>, ConfigError> {
        let key = store.password_path_key();
        let of_file = match store {
            Store::Key => &self.passwords.key_store,
            Store::Trust => &self.passwords.trust_store,
        };
        match (self.text(key), of_file) {
            (Some(_), Some(text)) => Ok(Some(text.trim_end_matches(['\r', '\n']).into())),
            (Some(path), None) => Err(ConfigError::Unreadable {
                file: path.into(),
                why: format!("there is no such file, and {key} names it"),
            }),
            (None, _) => Ok(self.text(store.password_key()).map(String::from)),
        }
    }

    /// `ssl.enabledProtocols`, else what `ssl.protocol` brings.
    fn versions(&mut self) -> Result<Vec<TlsVersion>, ConfigError> {
        let both = vec![TlsVersion::V1_2, TlsVersion::V1_3];
        let protocol = self.setting("ssl.protocol").filter(|e| !e.value.is_empty());
        let Some(entry) = self.setting("ssl.enabledProtocols").filter(|e| !e.value.is_empty())
        else {
            return match protocol.map(|entry| (entry, entry.value.as_str())) {
                None | Some((_, "TLSv1.3" | "TLS")) => Ok(both),
                Some((_, "TLSv1.2")) => Ok(vec![TlsVersion::V1_2]),
                Some((entry, _)) => Err(entry.mistyped(0, "TLSv1.3 or TLSv1.2")),
            };
        };
        let entry = entry.clone();
        let (mut versions, mut others) = (Vec::new(), Vec::new());
        for name in list(&entry) {
            match name {
                "TLSv1.2" => versions.push(TlsVersion::V1_2),
                "TLSv1.3" => versions.push(TlsVersion::V1_3),
                other => others.push(other.to_string()),
            }
        }
        if versions.is_empty() {
            return Err(entry.mistyped(0, "TLSv1.3, TLSv1.2 or both"));
        }
        self.warn_left_out(&entry, &others);
        versions.sort_unstable();
        versions.dedup();
        Ok(versions)
    }

    fn cipher_suites(&mut self, versions: &[TlsVersion]) -> Result<Vec<String>, ConfigError> {
        let Some(entry) = self.setting("ssl.ciphersuites").filter(|e| !e.value.is_empty()) else {
            return Ok(Vec::new());
        };
        let entry = entry.clone();
        let names = list(&entry).map(String::from);
        let (known, others): (Vec<_>, Vec<_>) =
            names.partition(|name| CIPHER_SUITES.contains(&name.as_str()));
        let version_of = |name: &String| {
            if name.contains("_WITH_") { TlsVersion::V1_2 } else { TlsVersion::V1_3 }
        };
        if !known.iter().any(|name| versions.contains(&version_of(name))) {
            let expected = format!(
                "one suite at least that the enabled protocols have, of {}",
                CIPHER_SUITES.join(", ")
            );
            return Err(entry.mistyped(0, &expected));
        }
        self.warn_left_out(&entry, &others);
        Ok(known)
    }

    fn warn_left_out(&mut self, entry: &Entry, names: &[String]) {
        if !names.is_empty() {
            let text = format!("{}: {} is not offered to clients", entry.key, names.join(", "));
            self.warn_at(&entry.value_at, &text);
        }
    }
}

/// The names of a list with commas.
fn list(entry: &Entry) -> impl Iterator<Item = &str> {
    entry.value.split(',').map(str::trim).filter(|name| !name.is_empty())
}
