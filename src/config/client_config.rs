//! What a client is told, in the file of `-client-configuration` and in the flags of its JVM.
//! (ZKClientConfig, ClientX509Util, ZooKeeperSaslClient)
//!
//! Names are those of Apache's properties, with or without `zookeeper.` in front. Not here: reading files
//! (`load.rs`), what the keys of TLS mean (`tls_keys.rs`).

use super::client_keys::JAAS_KEY;
use super::draft::Draft;
use super::error::ConfigError;
use super::jaas::read_client_section;
use super::properties::Entry;
use super::tls_keys::TLS_PROPERTIES;
use crate::runtime::tls::ServerTrust;

/// The keys beside those of TLS. Which class carries the bytes makes no difference here.
const KEYS: [&str; 5] =
    ["client.secure", "clientCnxnSocket", "sasl.client", "sasl.clientconfig", JAAS_KEY];

/// A client's security.
#[derive(Clone, Default)]
pub struct ClientConfig {
    /// `client.secure`
    pub tls: Option<ServerTrust>,
    /// Name and password for SASL.
    pub sasl: Option<(String, String)>,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// Without the password.
impl std::fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientConfig").field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl Draft {
    /// What stands in the file counts more than a flag.
    pub(super) fn of_client(file: &str, flags: Vec<Entry>, entries: Vec<Entry>) -> Draft {
        let mut draft = Draft { file: file.to_owned(), ..Draft::default() };
        let of_file = entries.into_iter().map(|entry| (true, entry));
        for (is_of_file, entry) in flags.into_iter().map(|flag| (false, flag)).chain(of_file) {
            let mut known = TLS_PROPERTIES.iter().chain(&KEYS);
            match known.find(|known| **known == entry.name()) {
                Some(key) => {
                    draft.settings.insert(key, entry);
                }
                // The JVM has flags for everybody.
                None if is_of_file => {
                    let text = format!("{} has no effect on this client", entry.key);
                    draft.warn_at(&entry.key_at, &text);
                }
                None => {}
            }
        }
        draft
    }

    /// `jaas`: name and text of the file that stands under its key.
    pub(super) fn into_client(
        mut self,
        jaas: Option<(&str, &str)>,
    ) -> Result<ClientConfig, ConfigError> {
        let tls = match self.boolean("client.secure")?.unwrap_or(false) {
            true => Some(self.server_trust()?),
            false => {
                self.warn_without_secure();
                None
            }
        };
        let sasl = match jaas {
            Some((file, text)) if self.boolean("sasl.client")?.unwrap_or(true) => {
                let section = self.text("sasl.clientconfig").unwrap_or("Client");
                read_client_section(text, file, section)?
            }
            _ => None,
        };
        Ok(ClientConfig { tls, sasl, warnings: self.warnings })
    }

    fn warn_without_secure(&mut self) {
        let Some(entry) = self.setting("ssl.trustStore.location") else { return };
        let (at, key) = (entry.key_at.clone(), entry.key.clone());
        self.warn_at(&at, &format!("{key} has no effect without zookeeper.client.secure=true"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::properties::read_properties;

    fn read(text: &str, jaas: Option<&str>) -> Result<ClientConfig, ConfigError> {
        let entries = read_properties(text, "client.cfg").expect("properties");
        let draft = Draft::of_client("client.cfg", Vec::new(), entries);
        draft.into_client(jaas.map(|text| ("jaas.conf", text)))
    }

    const JAAS: &str = "Client { org.apache.zookeeper.server.auth.DigestLoginModule required \
                        username=\"bob\" password=\"secret\"; };";

    #[test]
    fn apache_s_names_say_whom_to_trust() {
        let text = "zookeeper.client.secure=true\nzookeeper.ssl.trustStore.location=/t.p12\n\
                    zookeeper.ssl.trustStore.password=x\nzookeeper.ssl.hostnameVerification=false\n";
        let tls = read(text, None).expect("good").tls.expect("secure");
        assert!(!tls.verify_host && tls.key_store.is_none());
        assert_eq!(tls.trust_store.password.as_deref(), Some("x"));
        let error = read("zookeeper.client.secure=true", None).expect_err("refused").to_string();
        assert!(error.contains("ssl.trustStore.location"), "{error}");
        let plain = read("zookeeper.ssl.trustStore.location=/t\nfoo=1", None).expect("good");
        assert!(plain.tls.is_none());
        assert_eq!(plain.warnings.len(), 2, "{:?}", plain.warnings);
    }

    #[test]
    fn a_section_says_who_the_client_is_unless_sasl_is_off() {
        let bob = Some(("bob".to_owned(), "secret".to_owned()));
        assert_eq!(read("", Some(JAAS)).expect("good").sasl, bob);
        assert_eq!(read("zookeeper.sasl.client=false", Some(JAAS)).expect("good").sasl, None);
        assert_eq!(read("zookeeper.sasl.clientconfig=Mine", Some(JAAS)).expect("good").sasl, None);
    }
}
