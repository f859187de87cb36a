//! The configuration of a server that runs, read again: what has changed, and what of it counts at once.
//!
//! Not here: when it is read (runtime/os/orders.rs), what the server does with it (peer/reread.rs).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::logging;
use super::places::Places;
use crate::config::{Environment, Loaded, Reread, ServerConfig, is_live};

/// `loaded` is what the server has started with.
pub(super) fn reread(places: &Places, loaded: &Loaded) -> Reread {
    let file = places.config.clone();
    let (path, dir) = (file.clone(), places.config_dir.clone());
    let settings = RefCell::new(loaded.settings.clone());
    let read = move || {
        // The files of shell beside zoo.cfg may have changed, too.
        let read = Environment::of_process(&dir).and_then(|env| ServerConfig::load(&path, &env));
        match read {
            Ok(loaded) => judge(loaded, &mut settings.borrow_mut()),
            Err(mistakes) => {
                for error in mistakes.errors {
                    tracing::warn!("the changed configuration has no effect: {error}");
                }
                None
            }
        }
    };
    Reread { file, read: Rc::new(read) }
}

/// `settings`: what counts so far, and what the server has started with where it takes a start to change it.
fn judge(loaded: Loaded, settings: &mut BTreeMap<String, u64>) -> Option<ServerConfig> {
    let all = loaded.settings.keys().chain(settings.keys());
    let mut changed: Vec<String> =
        all.filter(|key| loaded.settings.get(*key) != settings.get(*key)).cloned().collect();
    changed.sort_unstable();
    changed.dedup();
    let (live, late): (Vec<String>, Vec<String>) =
        changed.into_iter().partition(|key| is_live(key));
    for key in late {
        tracing::warn!(
            "{key} has changed in the configuration: that counts from the next start on"
        );
    }
    for key in &live {
        tracing::info!("{key} has changed in the configuration, and counts from now on");
        match loaded.settings.get(key) {
            Some(value) => settings.insert(key.clone(), *value),
            None => settings.remove(key),
        };
    }
    if live.iter().any(|key| key == "log.level") {
        logging::change(loaded.config.log_level.as_deref());
    }
    (!live.is_empty()).then_some(loaded.config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn load(more: &str) -> Loaded {
        let text = format!("dataDir=/d\nclientPort=2181\n{more}");
        parse(&text, "zoo.cfg", None, None).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn what_counts_at_once_is_given_out_and_what_does_not_is_told_again() {
        let mut settings = load("tickTime=2000\n").settings;
        assert!(judge(load("tickTime=2000\n"), &mut settings).is_none(), "nothing has changed");
        let before = settings.clone();
        assert!(judge(load("tickTime=3000\n"), &mut settings).is_none());
        assert_eq!(settings, before, "the server still runs with what it started with");
        let both = "tickTime=3000\nmaxClientCnxns=7\n";
        let config = judge(load(both), &mut settings).expect("maxClientCnxns counts at once");
        assert_eq!(config.max_client_cnxns, 7);
        assert!(judge(load(both), &mut settings).is_none(), "it counts already");
        let config = judge(load("tickTime=2000\n"), &mut settings).expect("it is gone again");
        assert_eq!(config.max_client_cnxns, 60);
        assert_eq!(settings, before);
    }
}
