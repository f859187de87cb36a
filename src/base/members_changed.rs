//! Why a server ends that finds its ensemble reconfigured.
//!
//! Whom a server counts is fixed while it runs. Once the ensemble has other members, a quorum of
//! the old ones and a quorum of the new ones need have no server in common: a vote or an ack of a
//! server that still counts the old ones might make a second leader.

use std::fmt;

use super::{ServerId, Zxid};

/// The ensemble has a newer configuration, with other members than this server counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MembersChanged {
    /// Who said so.
    pub server: ServerId,
    pub told_in: ToldIn,
    pub version: i64,
    /// Lines of a configuration file.
    pub members: String,
}

/// What a configuration came with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ToldIn {
    Notification,
    NewLeader,
    /// The transaction of a reconfiguration.
    Proposal(Zxid),
}

impl fmt::Display for ToldIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToldIn::Notification => f.write_str("in an election"),
            ToldIn::NewLeader => f.write_str("with NEWLEADER"),
            ToldIn::Proposal(zxid) => write!(f, "with the reconfiguration {zxid}"),
        }
    }
}

impl fmt::Display for MembersChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MembersChanged { server, told_in, version, members } = self;
        write!(
            f,
            "the ensemble was reconfigured: server {server} told us {told_in} of version \
             {version:x} of the configuration, whose members are not those of ours. Members cannot \
             be changed while this server runs, so it ends, without another vote or ack: among the \
             old members it might make a second leader. Write the new members into its \
             configuration in place of the old ones, and start it again:\n{}",
            members.trim_end()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_says_what_happened_and_what_to_do() {
        let members = "server.1=h1:2888:3888:participant\nserver.4=h4:2888:3888:participant\n";
        let told_in = ToldIn::Proposal(Zxid(0x2_0000_0003));
        let (server, version) = (ServerId(3), 0x2_0000_0003);
        let why = MembersChanged { server, told_in, version, members: members.into() }.to_string();
        assert!(
            why.starts_with("the ensemble was reconfigured: server 3 told us with the "),
            "{why}"
        );
        assert!(why.contains("reconfiguration 0x200000003 of version 200000003 of"), "{why}");
        let (says, lines) = why.split_once('\n').expect("the members stand below");
        assert!(says.ends_with("Write the new members into its configuration in place of the old ones, and start it again:"), "{says}");
        assert_eq!(lines, members.trim_end());
    }
}
