//! Why a command failed, in Apache's words, and what to do about it. (CliWrapperException)

use serde_json::{Value, json};

use super::print::Printer;
use super::text;
use crate::base::paths::PathError;
use crate::client::Failure;
use crate::jute::client::code;

/// The exit code of a command that is not known.
const NOT_FOUND: i32 = 127;

/// Of a process that SIGINT ended, as shells have it.
pub(super) const INTERRUPTED: i32 = 130;

/// A failed command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refused {
    /// Apache's lines.
    pub(super) text: String,
    /// What to do; a line of its own.
    pub(super) hint: Option<String>,
    pub(super) exit_code: i32,
    /// The server's or the client's.
    pub(super) code: Option<i32>,
    pub(super) path: Option<String>,
}

impl Refused {
    pub(super) fn new(text: impl Into<String>) -> Refused {
        Refused { text: text.into(), hint: None, exit_code: 1, code: None, path: None }
    }

    /// By Ctrl-C.
    pub(super) fn interrupted() -> Refused {
        Refused { exit_code: INTERRUPTED, ..Refused::new("Interrupted") }
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Refused {
        Refused { hint: Some(hint.into()), ..self }
    }

    pub(super) fn unknown_command(name: &str) -> Refused {
        let text = format!("Command not found: Command not found {name}");
        Refused { exit_code: NOT_FOUND, ..Refused::new(text) }
    }

    /// Of a request about this path; `None`: about none.
    pub(super) fn of(failure: Failure, path: Option<&str>) -> Refused {
        let shown = text::shown(path.unwrap_or_default());
        let text = apache_text(&failure, &shown);
        let hint = hint(&failure);
        let path = path.map(String::from);
        Refused { text, hint, exit_code: 1, code: Some(failure.code), path }
    }

    /// A list of ACLs that has none: no server was asked.
    pub(super) fn empty_acl() -> Refused {
        let failure = Failure::of(code::INVALID_ACL);
        Refused { text: "Acl is not valid : null".into(), ..Refused::of(failure, None) }
    }

    /// A path that can be none. (PathUtils.validatePath)
    pub(super) fn of_path(path: &str, error: PathError) -> Refused {
        let invalid =
            |why: &str, at: usize| format!("Invalid path string \"{path}\" caused by {why} @{at}");
        let text = match error {
            PathError::Empty => "Path length must be > 0".to_owned(),
            PathError::Relative => "Path must start with / character".to_owned(),
            PathError::TrailingSlash => "Path must not end with / character".to_owned(),
            PathError::EmptyName(at) => invalid("empty node name specified", at),
            PathError::Dots(at) => {
                let second = usize::from(path[at..].starts_with(".."));
                invalid("relative paths not allowed", at + second)
            }
            PathError::Character(at) => invalid("invalid character", at),
        };
        Refused { path: Some(path.to_owned()), ..Refused::new(text) }
    }

    pub(super) fn show(&self, print: &Printer) {
        let text = match &self.hint {
            Some(hint) => format!("{}\nhint: {hint}", self.text),
            None => self.text.clone(),
        };
        print.error(&text, || self.to_json());
    }

    fn to_json(&self) -> Value {
        json!({ "text": self.text, "code": self.code, "path": self.path, "hint": self.hint })
    }
}

fn apache_text(failure: &Failure, path: &str) -> String {
    match failure.code {
        code::NO_NODE => format!("Node does not exist: {path}"),
        code::NO_CHILDREN_FOR_EPHEMERALS => format!("Ephemerals cannot have children: {path}"),
        code::NODE_EXISTS => format!("Node already exists: {path}"),
        code::NOT_EMPTY => format!("Node not empty: {path}"),
        code::NOT_READ_ONLY => format!("Not a read-only call: {path}"),
        code::INVALID_ACL => format!("Acl is not valid : {path}"),
        code::NO_AUTH => format!("Insufficient permission : {path}"),
        code::BAD_ARGUMENTS => format!("Arguments are not valid : {path}"),
        code::BAD_VERSION => format!("version No is not valid : {path}"),
        code::QUOTA_EXCEEDED => format!("Quota has exceeded : {path}"),
        code::RECONFIG_IN_PROGRESS => {
            "Another reconfiguration is in progress -- concurrent reconfigs not supported (yet)"
                .into()
        }
        // With the spelling of 3.9.
        code::NEW_CONFIG_NO_QUORUM => {
            "No quorum of new config is connected and up-to-date with the \
             leader of last commmitted config - try invoking reconfiguration after new servers are \
             connected and synced"
                .into()
        }
        _ if path.is_empty() => failure.to_string(),
        _ => format!("{failure} for {path}"),
    }
}

/// Where Apache's line does not say it already.
fn hint(failure: &Failure) -> Option<String> {
    let why = failure.why.as_deref();
    let text = match failure.code {
        code::CONNECTION_LOSS if failure.was_sent => {
            format!(
                "{}. Whether it was carried out is not known",
                why.unwrap_or("the connection was lost")
            )
        }
        code::CONNECTION_LOSS => format!(
            "{}. Is a server running there? -server HOST:PORT,... names others",
            why.unwrap_or("no server was reached")
        ),
        code::SESSION_EXPIRED => {
            "the session and its ephemeral nodes are gone: connect begins a new \
             one"
            .into()
        }
        code::AUTH_FAILED => {
            "the server did not believe a proof: look at addauth's scheme, or at the \
             Client section of the JAAS file; connect begins a new session"
                .into()
        }
        code::NO_AUTH => "getAcl shows who may; addauth proves to be somebody".into(),
        code::INVALID_ACL => "an ACL is scheme:id:perms, as in world:anyone:cdrwa".into(),
        code::NOT_EMPTY => "deleteall deletes what is below it, too".into(),
        code::NO_CHILDREN_FOR_EPHEMERALS => "make the parent without -e".into(),
        code::NOT_READ_ONLY => "this server has no leader and takes no writes".into(),
        code::UNIMPLEMENTED => "this server cannot do that, or is not told to: TTL nodes need \
             zookeeper.extendedTypesEnabled=true, reconfig an ensemble"
            .into(),
        code::RECONFIG_DISABLED => "reconfigEnabled=true in zoo.cfg allows it".into(),
        code::QUOTA_EXCEEDED => "listquota on the path or above it shows the limits".into(),
        code::SESSION_CLOSED_REQUIRE_SASL_AUTH => "this ensemble wants SASL: set \
             java.security.auth.login.config in CLIENT_JVMFLAGS"
            .into(),
        _ => return why.map(String::from),
    };
    Some(text)
}
