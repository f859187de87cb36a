//! What is wrong with a configuration, where, and what was expected there.
//!
//! Every text is one that an operator can act on without the source: file, line and column first,
//! then what stands there, then what should. (QuorumPeerConfig.ConfigException)

use std::fmt;

use thiserror::Error;

/// A place in a file, or in an environment variable. Lines and columns count from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct At {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    #[error("{file}: cannot be read: {why}")]
    Unreadable { file: String, why: String },
    /// The data directory is not ours to look into.
    #[error("{file}: no access to the data directory: {why}")]
    NoAccess { file: String, why: String },
    #[error("{at}: {what}")]
    Syntax { at: At, what: &'static str },
    #[error("{at}: unknown key {key:?}{}", suggestion(*nearest))]
    UnknownKey { at: At, key: String, nearest: Option<&'static str> },
    /// Apache ZooKeeper would obey this key, and a server that does not is less safe or more open
    /// than the operator thinks.
    #[error(
        "{at}: {key} is not supported yet, and starting without it would {danger}: \
         remove the line if that is acceptable"
    )]
    Refused { at: At, key: String, danger: &'static str },
    #[error(
        "{at}: {comment:?} behind the value of {key} is not a comment but part of the value: \
         this format (Java properties) knows comments only on lines of their own. \
         Move it to the line above"
    )]
    CommentBehindValue { at: At, key: String, comment: String },
    #[error("{at}: {key} is {value:?}, expected {expected}")]
    Mistyped { at: At, key: String, value: String, expected: String },
    #[error("{file}: {key} is missing{why}")]
    MissingKey { file: String, key: &'static str, why: &'static str },
    #[error(
        "{file} is missing: it holds this server's number and nothing else. \
         Write it, for example: echo {example} > {file} (servers of the ensemble: {ids})"
    )]
    MissingMyid { file: String, example: i64, ids: String },
    #[error("{file}: {text:?} is not a server number (servers of the ensemble: {ids})")]
    MyidNotANumber { file: String, text: String, ids: String },
    #[error("{file}: there is no server.{myid} in the ensemble (its servers: {ids})")]
    MyidNotListed { file: String, myid: i64, ids: String },
    #[error("{at}: server.{id} stands twice, first in line {first_line}")]
    DuplicateServer { at: At, id: i64, first_line: usize },
    #[error("{at}: server.{id} uses {address}, which is also the address of server.{other}")]
    DuplicateAddress { at: At, id: i64, other: i64, address: String },
    #[error("{at}: server {id} stands in group.{group} and in group.{other}: one group each")]
    GroupsOverlap { at: At, id: i64, group: i64, other: i64 },
    #[error("{at}: group.{group} names server {id}, but there is no server.{id}")]
    GroupMemberUnknown { at: At, group: i64, id: i64 },
    #[error("{at}: server.{id} votes but stands in no group: with groups, each voter needs one")]
    ServerWithoutGroup { at: At, id: i64 },
    #[error("{at}: {key} without any group.N: weights count only inside groups")]
    WeightWithoutGroups { at: At, key: String },
    #[error("{at}: no voter has a weight above 0: no quorum is possible")]
    NoWeight { at: At },
    #[error("{at}: {observers} observer(s) but {voters} voter(s): {what}")]
    TooFewVoters { at: At, voters: usize, observers: usize, what: &'static str },
    #[error(
        "{at}: server.{id} gives {in_list} for clients, but {other_key} says {otherwise}: \
         keep one of the two"
    )]
    ClientAddressConflict {
        at: At,
        id: i64,
        in_list: String,
        other_key: &'static str,
        otherwise: String,
    },
    #[error("{at}: minSessionTimeout ({min_ms} ms) is above maxSessionTimeout ({max_ms} ms)")]
    SessionTimeouts { at: At, min_ms: u64, max_ms: u64 },
    #[error(
        "{at}: {key} is {file}, a BCFKS file, and Quorate reads PEM, JKS and PKCS12. Convert it with\n\
         {conversion}"
    )]
    KeyStoreFormat { at: At, key: &'static str, file: String, conversion: String },
    #[error("{at}: {key} does not belong into {file}, which names the servers itself")]
    SplitMembership { at: At, key: String, file: String },
}

impl ConfigError {
    /// Where the mistake is; `None` if no place is to blame.
    pub fn at(&self) -> Option<&At> {
        match self {
            ConfigError::Unreadable { .. }
            | ConfigError::NoAccess { .. }
            | ConfigError::MissingKey { .. }
            | ConfigError::MissingMyid { .. }
            | ConfigError::MyidNotANumber { .. }
            | ConfigError::MyidNotListed { .. } => None,
            ConfigError::Syntax { at, .. }
            | ConfigError::UnknownKey { at, .. }
            | ConfigError::Refused { at, .. }
            | ConfigError::CommentBehindValue { at, .. }
            | ConfigError::Mistyped { at, .. }
            | ConfigError::DuplicateServer { at, .. }
            | ConfigError::DuplicateAddress { at, .. }
            | ConfigError::GroupsOverlap { at, .. }
            | ConfigError::GroupMemberUnknown { at, .. }
            | ConfigError::ServerWithoutGroup { at, .. }
            | ConfigError::WeightWithoutGroups { at, .. }
            | ConfigError::NoWeight { at }
            | ConfigError::TooFewVoters { at, .. }
            | ConfigError::ClientAddressConflict { at, .. }
            | ConfigError::SessionTimeouts { at, .. }
            | ConfigError::KeyStoreFormat { at, .. }
            | ConfigError::SplitMembership { at, .. } => Some(at),
        }
    }

    /// Whether it is about all lines of servers, groups and weights together, and no single one.
    pub(super) fn is_of_all_servers(&self) -> bool {
        matches!(
            self,
            ConfigError::ServerWithoutGroup { .. }
                | ConfigError::NoWeight { .. }
                | ConfigError::TooFewVoters { .. }
        )
    }

    /// Whether a line of a server, group or weight that is missing may be the reason.
    pub(super) fn is_of_membership(&self) -> bool {
        self.is_of_all_servers()
            || matches!(
                self,
                ConfigError::MissingKey { key: "server.N", .. }
                    | ConfigError::MissingMyid { .. }
                    | ConfigError::MyidNotListed { .. }
                    | ConfigError::GroupMemberUnknown { .. }
                    | ConfigError::WeightWithoutGroups { .. }
            )
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(name) => format!(", did you mean {name}?"),
        None => ": neither Apache ZooKeeper nor Quorate knows it".into(),
    }
}
