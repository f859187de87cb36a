//! One node of the tree, as far as the asker may see it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::base::SessionId;
use crate::jute::data::{Stat, perms};

/// What one question is told of a node.
#[derive(Debug)]
pub struct NodeShown<'a> {
    pub path: &'a str,
    /// To whom it is shown, without proofs.
    pub asker: Vec<String>,
    /// Stat, data and children, or that a permission is missing.
    pub content: Result<Content<'a>, Shut>,
    /// READ or ADMIN shows it.
    pub acl: Result<Vec<AclLine>, Shut>,
}

#[derive(Debug)]
pub struct Content<'a> {
    pub stat: Stat,
    /// A piece of its data, and where that begins; `None` where it has none.
    pub data: Option<(usize, &'a [u8])>,
    pub children: Vec<Child<'a>>,
    pub more_children: bool,
}

/// A permission is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shut;

/// `seen` is children and bytes of data, to those who may read it.
#[derive(Debug)]
pub struct Child<'a> {
    pub name: &'a str,
    pub seen: Option<(u64, u64)>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AclLine {
    pub perms: i32,
    pub scheme: String,
    pub id: String,
}

/// Why a question is not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// `admin.page.tree.enabled`
    TreeOff,
    NotServing,
    NoNode,
    BadProof,
    /// `enforce.auth.schemes`
    ProofWanted,
    TooOften,
}

impl Refusal {
    pub(super) fn words(self) -> (u16, &'static str) {
        match self {
            Refusal::TreeOff => {
                (403, "nodes are not shown: admin.page.tree.enabled=true in zoo.cfg allows it")
            }
            Refusal::NotServing => (503, "this server does not serve: its tree may be old"),
            Refusal::NoNode => (404, "there is no such node"),
            Refusal::BadProof => (401, "the header Authorization proves nothing"),
            Refusal::ProofWanted => (401, "this server serves nobody who has not proven who he is"),
            Refusal::TooOften => (429, "too many questions: ask again in a second"),
        }
    }
}

impl NodeShown<'_> {
    pub(super) fn to_json(&self) -> Value {
        let acl = self
            .acl
            .as_ref()
            .ok()
            .map(|lines| lines.iter().map(AclLine::to_json).collect::<Value>());
        let mut fields = json!({ "path": self.path, "asker": self.asker, "acl": acl });
        if let Ok(content) = &self.content {
            fields["stat"] = stat(&content.stat);
            fields["data"] = content.data.map_or(
                Value::Null,
                |(offset, bytes)| json!({ "offset": offset, "base64": STANDARD.encode(bytes) }),
            );
            fields["children"] = content.children.iter().map(Child::to_json).collect();
            fields["more_children"] = content.more_children.into();
        }
        fields
    }
}

impl Child<'_> {
    fn to_json(&self) -> Value {
        match self.seen {
            Some((children, bytes)) => {
                json!({ "name": self.name, "children": children, "bytes": bytes })
            }
            None => json!({ "name": self.name }),
        }
    }
}

impl AclLine {
    fn to_json(&self) -> Value {
        let letters = [
            (perms::CREATE, 'c'),
            (perms::DELETE, 'd'),
            (perms::READ, 'r'),
            (perms::WRITE, 'w'),
            (perms::ADMIN, 'a'),
        ];
        let held = letters.iter().filter(|(perm, _)| self.perms & perm != 0);
        let held: String = held.map(|(_, letter)| letter).collect();
        json!({ "perms": held, "scheme": self.scheme, "id": self.id })
    }
}

/// Numbers of 64 bits are texts: JavaScript's end at 2^53.
fn stat(stat: &Stat) -> Value {
    let zxid = |zxid: i64| format!("0x{zxid:x}");
    json!({
        "czxid": zxid(stat.czxid.0),
        "mzxid": zxid(stat.mzxid.0),
        "pzxid": zxid(stat.pzxid.0),
        "ctime": stat.ctime,
        "mtime": stat.mtime,
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeral_owner": (stat.ephemeral_owner != 0).then(|| SessionId(stat.ephemeral_owner).to_string()),
        "data_length": stat.data_length,
        "num_children": stat.num_children,
    })
}
