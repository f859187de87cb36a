//! What the configuration of another server says that this one does not know.
//! (QuorumVerifier.equals, QuorumPeer.processReconfig)
//!
//! Servers tell each other their configuration with its version: in notifications, in NEWLEADER,
//! and in the transaction of a reconfiguration. A version is the zxid that made it, so the greater
//! one is the newer one. Two texts say the same if quorums of the one are quorums of the other: where
//! a server is found is nothing to it, since one file has a name where another has its address.
//!
//! Not here: what is done about it (`election`, `zab::learner`).

use std::rc::Rc;

use super::QuorumVerifier;
use crate::config::{LearnerType, ServerSpec, read_members};

/// What a configuration is to a server that has one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigNews {
    /// It is not newer, or it cannot be read.
    Nothing,
    /// A newer version of what this server has.
    SameMembers { version: i64 },
    /// A newer one with other members. `members` are its lines without the version, for a file.
    OtherMembers { version: i64, members: String },
}

impl QuorumVerifier {
    /// What the text of another server's configuration says to this one.
    pub fn judge(&self, text: &[u8]) -> ConfigNews {
        let text = std::str::from_utf8(text).unwrap_or_default();
        match version_of(text) {
            Some(version) if version > self.version => self.judge_newer(text, version),
            _ => ConfigNews::Nothing,
        }
    }

    fn judge_newer(&self, text: &str, version: i64) -> ConfigNews {
        let lines: Vec<&str> =
            text.lines().filter(|line| value_of_version(line).is_none()).collect();
        let Ok(members) = read_members(&lines.join("\n")) else { return ConfigNews::Nothing };
        let (servers, hierarchical) = (Rc::new(members.servers), members.hierarchical);
        let theirs = QuorumVerifier::of(servers, hierarchical, version);
        if self.has_members_of(&theirs) {
            ConfigNews::SameMembers { version }
        } else {
            ConfigNews::OtherMembers { version, members: theirs.members_text() }
        }
    }

    fn has_members_of(&self, theirs: &QuorumVerifier) -> bool {
        self.hierarchical == theirs.hierarchical
            && self.servers.len() == theirs.servers.len()
            && self
                .servers
                .iter()
                .all(|(sid, spec)| theirs.servers.get(sid).is_some_and(|other| same(spec, other)))
    }
}

/// `version=` in hexadecimal, the last line.
fn version_of(text: &str) -> Option<i64> {
    let value = text.lines().rev().find_map(value_of_version)?;
    i64::from_str_radix(value, 16).ok()
}

fn value_of_version(line: &str) -> Option<&str> {
    line.trim().strip_prefix("version=").map(str::trim)
}

fn same(ours: &ServerSpec, theirs: &ServerSpec) -> bool {
    let votes = ours.learner_type == LearnerType::Participant;
    // Whoever has no vote counts in no group.
    let counts_the_same = (ours.weight, ours.group) == (theirs.weight, theirs.group) || !votes;
    ours.learner_type == theirs.learner_type && counts_the_same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ServerId;
    use crate::config::ServerConfig;

    /// Voters 1 to 3 at h1 to h3, observer 9, version 0x10.
    fn ours() -> QuorumVerifier {
        let mut config = ServerConfig::defaults(ServerId(1));
        config.config_version = 0x10;
        for sid in [1, 2, 3, 9] {
            let spec = ServerSpec::test(sid);
            let spec = if sid == 9 { spec.observing() } else { spec };
            config.servers.insert(ServerId(sid), spec);
        }
        QuorumVerifier::new(&config)
    }

    /// The text of `ours` with one line replaced, in version 0x200000003.
    fn with(line: &str, by: &str) -> String {
        let text = ours().config_text().replace("version=10", "version=200000003");
        assert!(text.contains(line), "{line} is no part of {text}");
        text.replace(line, by)
    }

    #[test]
    fn the_version_of_the_same_members_is_news_if_it_is_greater() {
        let news = |text: String| ours().judge(text.as_bytes());
        let same = ConfigNews::SameMembers { version: 0x2_0000_0003 };
        assert_eq!(news(with("", "")), same);
        for version in ["10", "f", "0", "-5"] {
            let text = ours().config_text().replace("version=10", &format!("version={version}"));
            assert_eq!(news(text), ConfigNews::Nothing, "{version}");
        }
        let mut learnt = ours();
        learnt.learn_version(0x2_0000_0003);
        learnt.learn_version(0x11);
        assert!(learnt.config_text().ends_with("version=200000003"), "a version never falls");
        assert_eq!(learnt.judge(with("", "").as_bytes()), ConfigNews::Nothing);
    }

    #[test]
    fn where_a_server_is_found_makes_no_other_members() {
        for (line, by) in [
            ("server.1=h1:2888:3888:participant", "server.1=H1:2888:3888;0.0.0.0:2181"),
            ("server.1=h1:", "server.1=0.0.0.0:"),
            ("server.1=h1:", "server.1=[::]:"),
            ("server.2=h2:", "server.2=10.0.0.2:"),
            ("server.2=h2:2888:3888:", "server.2=h2:2889:3889:"),
            ("\nversion", "\n\n  version"),
        ] {
            let news = ours().judge(with(line, by).as_bytes());
            assert_eq!(news, ConfigNews::SameMembers { version: 0x2_0000_0003 }, "{by}");
        }
    }

    #[test]
    fn whatever_changes_a_quorum_makes_other_members() {
        for (line, by) in [
            ("server.3=h3:2888:3888:participant\n", ""),
            ("server.3=", "server.4="),
            ("server.9=", "server.4=h4:2888:3888:participant\nserver.9="),
            ("server.3=h3:2888:3888:participant", "server.3=h3:2888:3888:observer"),
            ("observer", "participant"),
            ("version", "group.1=1:2:3\nversion"),
        ] {
            let text = with(line, by);
            let ConfigNews::OtherMembers { version, members } = ours().judge(text.as_bytes())
            else {
                panic!("{text} has other members");
            };
            assert_eq!(version, 0x2_0000_0003);
            assert!(members.starts_with("server.1=h1:2888:3888:participant\n"), "{members}");
            assert!(!members.contains("version"), "a file may not hold it: {members}");
        }
    }

    #[test]
    fn groups_and_weights_of_voters_count() {
        let mut config = ServerConfig::defaults(ServerId(1));
        config.hierarchical = true;
        for sid in [1, 2, 3, 9] {
            let mut spec = ServerSpec::test(sid);
            spec.group = (sid != 9).then_some(if sid == 3 { 2 } else { 1 });
            let spec = if sid == 9 { spec.observing() } else { spec };
            config.servers.insert(ServerId(sid), spec);
        }
        let ours = QuorumVerifier::new(&config);
        let text = ours.config_text().replace("version=0", "version=5");
        let same = ConfigNews::SameMembers { version: 5 };
        assert_eq!(ours.judge(text.as_bytes()), same);
        assert_eq!(ours.judge(text.replace("weight.9=1", "weight.9=7").as_bytes()), same);
        assert_eq!(ours.judge(text.replace("weight.9=1\n", "").as_bytes()), same);
        for (line, by) in
            [("weight.2=1", "weight.2=2"), ("group.1=1:2\ngroup.2=3", "group.1=1\ngroup.2=2:3")]
        {
            let news = ours.judge(text.replace(line, by).as_bytes());
            assert!(matches!(news, ConfigNews::OtherMembers { .. }), "{by}: {news:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_news() {
        for text in [
            "",
            "version=200000003",
            "server.1=h1:2888:3888:participant",
            "server.1=h1:2888:3888:participant\nversion=xyz",
            "server.1=h1:2888\nversion=200000003",
            "server.1=a:1:2|b:1:2\nversion=200000003",
            "group.1=1\nversion=200000003",
            "server.9=h9:2888:3888:observer\nversion=200000003",
            "clientPort=2181\nversion=200000003",
        ] {
            assert_eq!(ours().judge(text.as_bytes()), ConfigNews::Nothing, "{text:?}");
        }
        assert_eq!(ours().judge(b"\xffversion=200000003"), ConfigNews::Nothing);
    }
}
