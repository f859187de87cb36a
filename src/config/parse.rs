//! zoo.cfg to [`ServerConfig`]: which keys stand there, and what their values are.
//!
//! Pure: text in, values or the errors out (`mistakes.rs`). Files are read in `load.rs`, the syntax is
//! in `properties.rs`, the list of keys in `keys.rs`, servers and groups in `membership.rs`.
//! (QuorumPeerConfig.parseProperties, and the system properties of the classes that own them)

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::draft::{Draft, INT_MAX};
use super::environment::Environment;
use super::error::ConfigError;
use super::keys::{Class, classify_key, is_bare_property, is_foreign_property};
use super::loaded::{Beside, Loaded, Passwords};
use super::membership::{Place, read_membership, version_in_name};
use super::mistakes::{Mistakes, Sources};
use super::properties::Entry;
use super::server_config::ServerConfig;
use super::server_line::parse_server_line;
use crate::base::ServerId;
use crate::base::limits::COMMITTED_LOG_COUNT;
use crate::runtime::FilePermissions;

/// What some editors put in front of a text in UTF-8, as Latin-1 characters.
const BYTE_ORDER_MARK: &str = "\u{ef}\u{bb}\u{bf}";

/// Reads the text of a zoo.cfg that keeps its servers in itself (no `dynamicConfigFile`).
/// `file` is its name for error texts, `myid` the text of `<dataDir>/myid` if there is that file,
/// `jvm_flags` the environment variable SERVER_JVMFLAGS.
pub fn parse(
    text: &str,
    file: &str,
    myid: Option<&str>,
    jvm_flags: Option<&str>,
) -> Result<Loaded, Mistakes> {
    let flags = jvm_flags.map(|flags| ("SERVER_JVMFLAGS".to_owned(), flags.to_owned()));
    let flags = Environment::new(flags).jvm_flags();
    parse_beside(text, file, Beside { myid, flags: &flags, ..Beside::default() })
}

pub(super) fn parse_beside(text: &str, file: &str, beside: Beside<'_>) -> Result<Loaded, Mistakes> {
    let has_mark = text.starts_with(BYTE_ORDER_MARK);
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut loaded =
        Sources::new(text, file, beside).read_to_the_end(|sources| attempt(sources, beside))?;
    if has_mark {
        loaded.warnings.insert(0, format!(
            "{file}:1:1: a byte order mark is passed over; Apache ZooKeeper takes it as the beginning \
             of the first key"
        ));
    }
    Ok(loaded)
}

fn attempt(sources: &Sources, beside: Beside<'_>) -> Result<Loaded, ConfigError> {
    let mut draft = Draft { file: sources.file.clone(), ..Draft::default() };
    for entry in sources.entries.iter().cloned() {
        draft.add(entry)?;
    }
    for flag in sources.flags.iter().cloned() {
        draft.add_flag(flag)?;
    }
    if let Some((name, entries)) = &sources.dynamic {
        draft.add_dynamic(name, entries.clone())?;
    } else if let Some(entry) = draft.settings.get("dynamicConfigFile") {
        return Err(ConfigError::Unreadable {
            file: entry.value.clone(),
            why: format!("named by dynamicConfigFile in {}", entry.value_at),
        });
    }
    draft.boolean("config.strict")?;
    draft.passwords = Passwords {
        key_store: beside.passwords.key_store.map(String::from),
        trust_store: beside.passwords.trust_store.map(String::from),
    };
    let sasl_users = draft.sasl_users(beside.jaas)?;
    let mut loaded = draft.into_config(beside.myid)?;
    loaded.config.access.sasl_users = sasl_users;
    loaded.settings = sources.settings();
    loaded.config.config_version = beside.dynamic.map_or(0, |(name, _)| version_in_name(name));
    Ok(loaded)
}

impl Draft {
    fn add(&mut self, entry: Entry) -> Result<(), ConfigError> {
        no_comment_behind(&entry)?;
        match classify_key(&entry.key) {
            None => Ok(()), // `Sources::unknown_keys` tells of it.
            Some(Class::Harmless(why)) => {
                self.warn_at(&entry.key_at, &format!("{} has no effect: {why}", entry.key));
                Ok(())
            }
            Some(Class::File(name) | Class::Property(name)) => {
                if let Some(first) = self.settings.insert(name, entry) {
                    self.warn_at(
                        &first.key_at,
                        &format!("{name} is given again below, and the last one counts"),
                    );
                }
                Ok(())
            }
            Some(Class::NotYet(harmless)) => {
                self.warn_not_yet(&entry, harmless);
                Ok(())
            }
            Some(Class::NoMeaning(why, harmless)) => {
                self.warn_no_meaning(&entry, why, harmless);
                Ok(())
            }
            Some(Class::Refused(danger, harmless)) => refuse(entry, danger, harmless),
            Some(Class::AuthProvider) => known_provider(&entry),
            Some(Class::SuperUser) => {
                self.super_users.push(entry);
                Ok(())
            }
            Some(class @ (Class::Server | Class::Group | Class::Weight)) => {
                self.add_membership(entry, class)
            }
        }
    }

    /// `server.N`, `group.N` and `weight.N`.
    fn add_membership(&mut self, entry: Entry, class: Class) -> Result<(), ConfigError> {
        let number = entry.key.rsplit_once('.').and_then(|(_, n)| n.parse::<i64>().ok());
        let Some(id) = number.filter(|id| *id >= 0) else {
            return Err(ConfigError::Mistyped {
                at: entry.key_at,
                value: entry.key.clone(),
                key: "the name of this key".into(),
                expected: "server.N, group.N or weight.N with a whole number N".into(),
            });
        };
        match class {
            Class::Server => {
                let line = parse_server_line(&entry)?;
                if let Some((first, _)) = self.servers.get(&id) {
                    let first_line = first.key_at.line;
                    return Err(ConfigError::DuplicateServer { at: entry.key_at, id, first_line });
                }
                if id > 254 {
                    self.warn_at(
                        &entry.key_at,
                        "session ids keep only the low byte of a server number: use 0 to 254",
                    );
                }
                self.servers.insert(id, (entry, line));
            }
            Class::Group => {
                self.groups.insert(id, entry);
            }
            _ => {
                self.weights.insert(id, entry);
            }
        }
        Ok(())
    }

    /// A `-D` flag of the JVM: zoo.cfg wins over it.
    fn add_flag(&mut self, flag: Entry) -> Result<(), ConfigError> {
        if is_foreign_property(&flag.key) {
            return Ok(());
        }
        match classify_key(&flag.key) {
            Some(Class::Property(name))
                if flag.key.starts_with("zookeeper.") != is_bare_property(name) =>
            {
                self.settings.entry(name).or_insert(flag);
            }
            Some(Class::AuthProvider) => return known_provider(&flag),
            Some(Class::SuperUser) => self.super_users.push(flag),
            Some(Class::NotYet(harmless)) => self.warn_not_yet(&flag, harmless),
            Some(Class::NoMeaning(why, harmless)) => self.warn_no_meaning(&flag, why, harmless),
            Some(Class::Refused(danger, harmless)) => return refuse(flag, danger, harmless),
            None => {}
            _ => {
                let text =
                    format!("{} has no effect as a JVM flag: write it into zoo.cfg", flag.key);
                self.warn_at(&flag.key_at, &text);
            }
        }
        Ok(())
    }

    /// The file of `dynamicConfigFile`: servers, groups and weights, which zoo.cfg then may not have.
    pub(super) fn add_dynamic(
        &mut self,
        name: &str,
        entries: Vec<Entry>,
    ) -> Result<(), ConfigError> {
        let servers = self.servers.values().map(|(entry, _)| entry);
        if let Some(entry) = servers.chain(self.groups.values()).chain(self.weights.values()).next()
        {
            return Err(ConfigError::SplitMembership {
                at: entry.key_at.clone(),
                key: entry.key.clone(),
                file: format!("a file whose dynamicConfigFile is {name}"),
            });
        }
        for entry in entries {
            no_comment_behind(&entry)?;
            match classify_key(&entry.key) {
                Some(class @ (Class::Server | Class::Group | Class::Weight)) => {
                    self.add_membership(entry, class)?;
                }
                _ => {
                    return Err(ConfigError::SplitMembership {
                        at: entry.key_at,
                        key: entry.key,
                        file: "a dynamic configuration file".into(),
                    });
                }
            }
        }
        Ok(())
    }

    fn warn_not_yet(&mut self, entry: &Entry, harmless: &[&str]) {
        if !is_harmless(&entry.value, harmless) {
            let text = format!("{} is not supported yet and has no effect", entry.key);
            self.warn_at(&entry.key_at, &text);
        }
    }

    fn warn_no_meaning(&mut self, entry: &Entry, why: &str, harmless: &[&str]) {
        if !is_harmless(&entry.value, harmless) {
            let text = format!("{} has no meaning here: {why}", entry.key);
            self.warn_at(&entry.key_at, &text);
        }
    }

    fn into_config(mut self, myid: Option<&str>) -> Result<Loaded, ConfigError> {
        // A standalone server numbers its sessions as server 1 does.
        let mut config = ServerConfig::defaults(ServerId(1));
        let missing = |key, why| ConfigError::MissingKey { file: self.file.clone(), key, why };
        let data_dir = self.text("dataDir").ok_or_else(|| missing("dataDir", ""))?;
        config.data_dir = PathBuf::from(data_dir);
        config.data_log_dir = PathBuf::from(self.text("dataLogDir").unwrap_or(data_dir));
        self.read_times(&mut config)?;
        self.read_words(&mut config)?;
        self.read_clients(&mut config)?;
        self.read_storage(&mut config)?;
        self.read_election(&mut config)?;
        config.client_tls = self.client_tls()?;
        let why = ", although clientPortAddress is given";
        let client = self.address("clientPort", "clientPortAddress", why)?;
        match read_membership(&mut self, client, myid)? {
            Place::Standalone { client } => config.client = client,
            Place::Member { my_id, servers, hierarchical, client } => {
                config.my_id = my_id;
                self.check_type_byte(&config)?;
                config.servers = servers;
                config.hierarchical = hierarchical;
                config.client = client;
                let missing = |key, why| ConfigError::MissingKey { file: self.file, key, why };
                let why = ": an ensemble needs it";
                if !self.settings.contains_key("initLimit") {
                    return Err(missing("initLimit", why));
                }
                if !self.settings.contains_key("syncLimit") {
                    return Err(missing("syncLimit", why));
                }
            }
        }
        let secure = config.client_tls.as_ref().is_some_and(|tls| tls.listen.is_some());
        if config.client.is_none() && !secure {
            self.warnings.push("no clientPort is given: no client can connect".into());
        }
        Ok(Loaded {
            config,
            warnings: self.warnings,
            unknown_keys: Vec::new(),
            settings: BTreeMap::new(),
        })
    }

    /// The highest byte of a TTL node's owner is 0xFF, and that of a session id its server.
    fn check_type_byte(&self, config: &ServerConfig) -> Result<(), ConfigError> {
        match self.setting("extendedTypesEnabled") {
            Some(entry) if config.extended_types && config.my_id > ServerId(254) => {
                Err(entry.mistyped(0, "false, or a server number of at most 254 in myid"))
            }
            _ => Ok(()),
        }
    }

    fn read_times(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        if let Some(tick_time) = self.millis("tickTime", 1)? {
            config.tick_time = tick_time;
        }
        if let Some(ticks) = self.number("initLimit", 1, INT_MAX, "ticks")? {
            config.init_limit = ticks as u32;
        }
        if let Some(ticks) = self.number("syncLimit", 1, INT_MAX, "ticks")? {
            config.sync_limit = ticks as u32;
        }
        let (min, max) =
            (self.millis("minSessionTimeout", -1)?, self.millis("maxSessionTimeout", -1)?);
        config.session_timeout_min = min.unwrap_or(config.tick_time * 2);
        config.session_timeout_max = max.unwrap_or(config.tick_time * 20);
        if config.session_timeout_min > config.session_timeout_max {
            let entry = self.setting("maxSessionTimeout").or(self.setting("minSessionTimeout"));
            return Err(ConfigError::SessionTimeouts {
                at: entry.map_or(self.whole_file(), |entry| entry.value_at.clone()),
                min_ms: config.session_timeout_min.as_millis() as u64,
                max_ms: config.session_timeout_max.as_millis() as u64,
            });
        }
        Ok(())
    }

    fn read_words(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        if let Some(words) = self.setting("4lw.commands.whitelist") {
            let words = words.value.split(',').map(str::trim).filter(|word| !word.is_empty());
            config.four_letter_words = words.map(String::from).collect();
        }
        config.admin = self.admin()?;
        config.otlp = self.otlp()?;
        // zkServer.sh depends on it. (FourLetterCommands)
        let words = &mut config.four_letter_words;
        if !words.iter().any(|word| word == "srvr" || word == "*") {
            words.push("srvr".into());
        }
        Ok(())
    }

    fn read_storage(&mut self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        if let Some(n) = self.number("snapCount", 0, INT_MAX, "transactions")? {
            config.snap_count = self.at_least("snapCount", n, 2) as u32;
        }
        if let Some(ms) = self.number("fsync.warningthresholdms", 0, INT_MAX, "milliseconds")? {
            config.fsync_warning = Duration::from_millis(ms as u64);
        }
        if let Some(kib) = self.number("snapSizeLimitInKb", -INT_MAX, INT_MAX, "kilobytes")? {
            config.snap_log_bytes = log_bytes(kib);
        }
        if let Some(kib) = self.number("txnLogSizeLimitInKb", -INT_MAX, INT_MAX, "kilobytes")? {
            config.txn_log_bytes_max = log_bytes(kib);
        }
        if let Some(entry) = self.setting("filePermissions") {
            let what = "three octal digits such as 640: the owner reads and writes, and nobody \
                        executes (directories get that where files may be read)";
            config.file_permissions =
                FilePermissions::parse(&entry.value).ok_or_else(|| entry.mistyped(0, what))?;
        }
        if let Some(kib) = self.number("preAllocSize", 0, INT_MAX, "kilobytes")? {
            config.pre_alloc_bytes = kib as u64 * 1024;
        }
        if let Some(n) = self.number("autopurge.snapRetainCount", 0, INT_MAX, "snapshots")? {
            config.snap_retain_count = self.at_least("autopurge.snapRetainCount", n, 3) as usize;
        }
        if let Some(hours) = self.number("autopurge.purgeInterval", 0, 100_000, "hours")? {
            config.purge_interval = (hours > 0).then(|| Duration::from_secs(hours as u64 * 3600));
        }
        if let Some(n) = self.number("commitLogCount", 0, INT_MAX, "transactions")? {
            let floor = COMMITTED_LOG_COUNT as i64;
            config.sync.committed_log_count = self.at_least("commitLogCount", n, floor) as usize;
        }
        if let Some(entry) = self.setting("snapshotSizeFactor") {
            let factor = entry.value.parse().ok().filter(|f: &f64| f.is_finite());
            config.sync.snapshot_size_factor = factor
                .ok_or_else(|| entry.mistyped(0, "a number such as 0.33, below 0 for never"))?;
        }
        if let Some(autocreate) = self.boolean("datadir.autocreate")? {
            config.datadir_autocreate = autocreate;
        }
        if let Some(autocreate) = self.boolean("db.autocreate")? {
            config.db_autocreate = autocreate;
        }
        if let Some(trusted) = self.boolean("snapshot.trust.empty")? {
            config.trust_empty_snapshot = trusted;
        }
        Ok(())
    }

    fn read_election(&self, config: &mut ServerConfig) -> Result<(), ConfigError> {
        if let Some(entry) = self.setting("electionAlg").filter(|entry| entry.value != "3") {
            return Err(entry.mistyped(0, "3, fast leader election, the only one there is"));
        }
        if let Some(timeout) = self.millis("cnxTimeout", 1)? {
            config.election_connect_timeout = timeout;
        }
        if let Some(interval) = self.millis("fastleader.minNotificationInterval", 1)? {
            config.notification_interval_min = interval;
        }
        if let Some(interval) = self.millis("fastleader.maxNotificationInterval", 1)? {
            config.notification_interval_max = interval;
        }
        if config.notification_interval_max < config.notification_interval_min {
            let key = "fastleader.maxNotificationInterval";
            let entry = self.setting(key).or(self.setting("fastleader.minNotificationInterval"));
            return Err(entry.map_or_else(
                || ConfigError::MissingKey { file: self.file.clone(), key, why: "" },
                |entry| entry.mistyped(0, "a minimum that is not above the maximum"),
            ));
        }
        if let Some(n) = self.number("electionPortBindRetry", 0, INT_MAX, "tries")? {
            config.election_bind_tries = Some(n as u32).filter(|n| *n > 0);
        }
        config.epoch_wait_max = self.millis("leader.maxTimeToWaitForEpoch", -1)?;
        if let Some(all) = self.boolean("quorumListenOnAllIPs")? {
            config.quorum_listen_on_all_ips = all;
        }
        Ok(())
    }
}

/// Zero and below is no limit.
fn log_bytes(kib: i64) -> Option<u64> {
    u64::try_from(kib).ok().filter(|kib| *kib > 0).map(|kib| kib * 1024)
}

fn is_harmless(value: &str, harmless: &[&str]) -> bool {
    harmless.iter().any(|same| value.eq_ignore_ascii_case(same))
}

fn refuse(entry: Entry, danger: &'static str, harmless: &[&str]) -> Result<(), ConfigError> {
    if is_harmless(&entry.value, harmless) {
        return Ok(());
    }
    Err(ConfigError::Refused { at: entry.key_at, key: entry.key, danger })
}

/// The providers that are built in; a class of the operator's own cannot be run here.
fn known_provider(entry: &Entry) -> Result<(), ConfigError> {
    const KNOWN: [&str; 5] = ["Digest", "Ensemble", "IP", "SASL", "X509"];
    let class = entry.value.strip_prefix("org.apache.zookeeper.server.auth.");
    let name = class.and_then(|class| class.strip_suffix("AuthenticationProvider"));
    match name {
        Some(name) if KNOWN.contains(&name) => Ok(()),
        _ => Err(entry.mistyped(
            0,
            "a provider that is built in (SASL, X509, Digest, IP or Ensemble, for example \
             org.apache.zookeeper.server.auth.SASLAuthenticationProvider): other Java classes \
             cannot be loaded",
        )),
    }
}

/// `clientPort=2181 # the port`, as tutorials have it.
fn no_comment_behind(entry: &Entry) -> Result<(), ConfigError> {
    let mut before = ' ';
    for (offset, ch) in entry.value.chars().enumerate() {
        if ch == '#' && before.is_whitespace() {
            return Err(ConfigError::CommentBehindValue {
                at: entry.at(offset),
                key: entry.key.clone(),
                comment: entry.value.chars().skip(offset).collect(),
            });
        }
        before = ch;
    }
    Ok(())
}
