//! Why a request has no answer.      (KeeperException)

use thiserror::Error;

use crate::jute::client::code;

/// A reply code, the server's own or one that the client gives itself (CONNECTIONLOSS).
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("KeeperErrorCode = {}", name_of(*code))]
pub struct Failure {
    pub code: i32,
    /// What the client knows beyond the code: how a connection ended.
    pub why: Option<String>,
    /// It was sent, and nobody knows whether it was carried out.
    pub was_sent: bool,
}

impl Failure {
    pub fn of(code: i32) -> Failure {
        Failure { code, why: None, was_sent: false }
    }

    pub(super) fn connection_loss(why: &str) -> Failure {
        Failure { why: Some(why.to_owned()), ..Failure::of(code::CONNECTION_LOSS) }
    }
}

/// The text that Apache's exceptions have for a code. (KeeperException.getCodeMessage)
fn name_of(code: i32) -> String {
    let name = match code {
        code::OK => "ok",
        code::SYSTEM_ERROR => "SystemError",
        code::RUNTIME_INCONSISTENCY => "RuntimeInconsistency",
        code::DATA_INCONSISTENCY => "DataInconsistency",
        code::CONNECTION_LOSS => "ConnectionLoss",
        code::MARSHALLING_ERROR => "MarshallingError",
        code::UNIMPLEMENTED => "Unimplemented",
        code::OPERATION_TIMEOUT => "OperationTimeout",
        code::BAD_ARGUMENTS => "BadArguments",
        code::NEW_CONFIG_NO_QUORUM => "NewConfigNoQuorum",
        code::RECONFIG_IN_PROGRESS => "ReconfigInProgress",
        code::API_ERROR => "APIError",
        code::NO_NODE => "NoNode",
        code::NO_AUTH => "NoAuth",
        code::BAD_VERSION => "BadVersion",
        code::NO_CHILDREN_FOR_EPHEMERALS => "NoChildrenForEphemerals",
        code::NODE_EXISTS => "NodeExists",
        code::NOT_EMPTY => "Directory not empty",
        code::SESSION_EXPIRED => "Session expired",
        code::INVALID_CALLBACK => "Invalid callback",
        code::INVALID_ACL => "InvalidACL",
        code::AUTH_FAILED => "AuthFailed",
        code::SESSION_MOVED => "Session moved",
        code::NOT_READ_ONLY => "Not a read-only call",
        code::EPHEMERAL_ON_LOCAL_SESSION => "Ephemeral node on local session",
        code::NO_WATCHER => "No such watcher",
        code::RECONFIG_DISABLED => "Reconfig is disabled",
        code::SESSION_CLOSED_REQUIRE_SASL_AUTH => {
            "Session closed because client failed to authenticate"
        }
        code::QUOTA_EXCEEDED => "Quota has exceeded",
        code::THROTTLED_OP => "Op throttled due to high load",
        other => return format!("Unknown error {other}"),
    };
    name.to_owned()
}
