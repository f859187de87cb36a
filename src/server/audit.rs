//! The audit log: who asked for a change, and what came of it. (AuditHelper, AuditEvent, ZKAuditProvider)
//!
//! An event is one line of the log, with the target [`AUDIT_TARGET`] and Apache's fields in Apache's order;
//! how it looks is the log's matter, which escapes what strangers have put into it. The server that a
//! client is connected to writes the line when the change is applied there; ephemerals that go with
//! their session are told of by every server.
//!
//! Different from Apache on purpose: a createTTL is audited outside a multi too, and a sequential node of
//! a multi has its type; an ACL is shown without the digests in it.
//!
//! Not here: which requests are audited (service/auditing.rs).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::base::{AUDIT_TARGET, SessionId};
use crate::config::ServerConfig;
use crate::jute::client::{
    CheckVersionRequest, CreateRequest, CreateTtlRequest, DeleteContainerRequest, DeleteRequest,
    MultiHeader, SetAclRequest, SetDataRequest, code, create_flags, op,
};
use crate::jute::data::{Acl, Id, Ids, perms};
use crate::jute::{DecodeError, Jute, Reader};
use crate::tree::{Applied, Outcome};

/// What Java calls a user that it does not know.
const UNKNOWN_USER: &str = "<NA>";

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct AuditEvent {
    session: Option<SessionId>,
    user: String,
    ip: Option<String>,
    operation: &'static str,
    znode: Option<String>,
    znode_type: Option<&'static str>,
    acl: Option<String>,
    /// `success`, `failure`, or `invoked` of an end that was asked for.
    result: &'static str,
}

impl AuditEvent {
    pub(super) fn log(&self) {
        let AuditEvent { session, user, ip, operation, znode, znode_type, acl, result } = self;
        tracing::info!(
            target: AUDIT_TARGET,
            session = session.map(display),
            user = display(user),
            ip = ip.as_ref().map(display),
            operation = display(operation),
            znode = znode.as_ref().map(display),
            znode_type = znode_type.map(display),
            acl = acl.as_ref().map(display),
            result = display(result),
        );
    }
}

/// A write on its way: all that its line needs.
#[derive(Clone, Debug)]
pub(super) struct Audited {
    pub(super) session: SessionId,
    pub(super) cxid: i32,
    pub(super) op: i32,
    pub(super) body: Bytes,
    pub(super) auth: Ids,
}

/// Whether there is an audit log, and what it needs to know beside a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Audit {
    is_on: bool,
    has_served: bool,
    /// Whose process this is.
    user: Option<String>,
    /// Writes of connections that are gone: they are done all the same.
    left: BTreeMap<SessionId, VecDeque<Audited>>,
}

impl Audit {
    pub(super) fn new(config: &ServerConfig) -> Audit {
        Audit { is_on: config.audit, ..Audit::default() }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn set_user(&mut self, user: Option<String>) {
        self.user = user;
    }

    /// This server serves: the first time, it has started.
    pub(super) fn on_serving(&mut self) {
        if self.is_on && !std::mem::replace(&mut self.has_served, true) {
            self.own("serverStart", "success").log();
        }
    }

    /// The process ends. One that never served and ends by a fault has not started.
    pub(super) fn on_end(&self, exit_code: i32) {
        if !self.is_on {
        } else if self.has_served || exit_code == 0 {
            self.own("serverStop", "invoked").log();
        } else {
            self.own("serverStart", "failure").log();
        }
    }

    /// The connection is gone before its write was applied.
    pub(super) fn keep(&mut self, write: Audited) {
        self.left.entry(write.session).or_default().push_back(write);
    }

    /// The write of a connection that is gone, if it is one of those.
    pub(super) fn take_left(&mut self, session: SessionId, cxid: i32) -> Option<Audited> {
        let left = self.left.get_mut(&session)?;
        let at = left.iter().position(|write| write.cxid == cxid)?;
        let write = left.remove(at);
        if left.is_empty() {
            self.left.remove(&session);
        }
        write
    }

    /// No write of this session comes any more.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.left.remove(&session);
    }

    /// The role ended, and what was on its way is nobody's any more.
    pub(super) fn clear(&mut self) {
        self.left.clear();
    }

    /// The ephemerals that went with a session, on every server. (DataTree.deleteNodes)
    pub(super) fn ended(&self, session: SessionId, applied: &Applied) -> Vec<AuditEvent> {
        let operation = "ephemeralZNodeDeletionOnSessionCloseOrExpire";
        let event = |path: &str| AuditEvent {
            session: Some(session),
            znode: Some(path.to_owned()),
            ..self.own(operation, "success")
        };
        applied.ended.iter().map(|(path, _)| event(path)).collect()
    }

    /// Of the server itself.
    fn own(&self, operation: &'static str, result: &'static str) -> AuditEvent {
        let user = self.user.clone().unwrap_or_else(|| UNKNOWN_USER.to_owned());
        AuditEvent { user, operation, result, ..AuditEvent::default() }
    }
}

impl Audited {
    /// What came of it: a line, or one for each part of a multi. (AuditHelper.addAuditLog)
    pub(super) fn events(&self, outcome: &Outcome) -> Vec<AuditEvent> {
        let is_multi = self.op == op::MULTI;
        let has_failed =
            outcome.err != code::OK || outcome.multi.iter().any(|(_, part)| part.err != code::OK);
        if is_multi && !has_failed {
            return self.parts(&outcome.multi);
        }
        let Some(operation) = name_of(self.op) else { return Vec::new() };
        let asked = match is_multi {
            true => Ok(Asked::default()),
            false => Asked::read(self.op, &mut Reader::new(self.body.clone())),
        };
        let asked = asked.unwrap_or_default();
        // What was made may have a number behind the name that was asked for.
        let znode = outcome.path.clone().filter(|_| !has_failed).or(asked.znode.clone());
        vec![self.event(operation, znode, asked, !has_failed)]
    }

    fn parts(&self, parts: &[(i32, Outcome)]) -> Vec<AuditEvent> {
        let mut from = Reader::new(self.body.clone());
        let mut events = Vec::new();
        for (kind, part) in parts {
            let asked = MultiHeader::decode(&mut from)
                .and_then(|header| Asked::read(header.kind, &mut from))
                .unwrap_or_default();
            if let Some(operation) = name_of(*kind) {
                let znode = part.path.clone().or(asked.znode.clone());
                events.push(self.event(operation, znode, asked, true));
            }
        }
        events
    }

    fn event(
        &self,
        operation: &'static str,
        znode: Option<String>,
        asked: Asked,
        is_done: bool,
    ) -> AuditEvent {
        let ip = self.auth.iter().find(|id| id.scheme == "ip").map(|id| id.id.clone());
        let (session, user) = (Some(self.session), users(&self.auth));
        let Asked { znode_type, acl, .. } = asked;
        let result = if is_done { "success" } else { "failure" };
        AuditEvent { session, user, ip, operation, znode, znode_type, acl, result }
    }
}

/// What a request says of itself.
#[derive(Default)]
struct Asked {
    znode: Option<String>,
    znode_type: Option<&'static str>,
    acl: Option<String>,
}

impl Asked {
    fn read(op: i32, from: &mut Reader) -> Result<Asked, DecodeError> {
        let of = |path: String| Asked { znode: Some(path), ..Asked::default() };
        Ok(match op {
            op::CREATE | op::CREATE2 | op::CREATE_CONTAINER => {
                let CreateRequest { path, flags, .. } = Jute::decode(from)?;
                Asked { znode_type: znode_type(flags), ..of(path) }
            }
            op::CREATE_TTL => {
                let CreateTtlRequest { path, flags, .. } = Jute::decode(from)?;
                Asked { znode_type: znode_type(flags), ..of(path) }
            }
            op::DELETE => of(DeleteRequest::decode(from)?.path),
            op::DELETE_CONTAINER => {
                let path = DeleteContainerRequest::decode(from)?.path.unwrap_or_default();
                of(String::from_utf8_lossy(&path).into_owned())
            }
            op::SET_DATA => of(SetDataRequest::decode(from)?.path),
            op::SET_ACL => {
                let SetAclRequest { path, acl, .. } = Jute::decode(from)?;
                Asked { acl: acl.as_deref().map(acl_text), ..of(path) }
            }
            op::CHECK => of(CheckVersionRequest::decode(from)?.path),
            _ => Asked::default(),
        })
    }
}

/// What an operation, or a transaction of the same number, is called; `None` if it is not audited.
fn name_of(op: i32) -> Option<&'static str> {
    Some(match op {
        op::CREATE | op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => "create",
        op::DELETE | op::DELETE_CONTAINER => "delete",
        op::SET_DATA => "setData",
        op::SET_ACL => "setAcl",
        op::MULTI => "multiOperation",
        op::RECONFIG => "reconfig",
        _ => return None,
    })
}

/// By the flags of a create. (CreateMode)
fn znode_type(flags: i32) -> Option<&'static str> {
    const EPHEMERAL_SEQUENTIAL: i32 = create_flags::EPHEMERAL | create_flags::SEQUENTIAL;
    Some(match flags {
        0 => "persistent",
        create_flags::EPHEMERAL => "ephemeral",
        create_flags::SEQUENTIAL => "persistent_sequential",
        EPHEMERAL_SEQUENTIAL => "ephemeral_sequential",
        create_flags::CONTAINER => "container",
        create_flags::TTL => "persistent_with_ttl",
        create_flags::SEQUENTIAL_TTL => "persistent_sequential_with_ttl",
        _ => return None,
    })
}

/// Everything a connection has proven to be. (AuthUtil.getUsers)
fn users(auth: &[Id]) -> String {
    let names = auth.iter().map(name_in).filter(|name| !name.trim().is_empty());
    names.collect::<Vec<_>>().join(",")
}

/// An id as it may be shown: what stands behind the name of a digest is a secret's.
fn name_in(id: &Id) -> &str {
    match id.scheme.as_str() {
        "digest" => id.id.split(':').next().unwrap_or_default(),
        _ => &id.id,
    }
}

/// `world:anyone:cdrwa`, one entry behind the other. (ZKUtil.aclToString)
fn acl_text(acl: &[Acl]) -> String {
    let mut text = String::new();
    for Acl { perms: granted, id } in acl {
        text.extend([&id.scheme, ":", name_in(id), ":"]);
        let letters = [
            (perms::CREATE, 'c'),
            (perms::DELETE, 'd'),
            (perms::READ, 'r'),
            (perms::WRITE, 'w'),
            (perms::ADMIN, 'a'),
        ];
        text.extend(letters.iter().filter(|(perm, _)| granted & perm != 0).map(|(_, c)| *c));
    }
    text
}
