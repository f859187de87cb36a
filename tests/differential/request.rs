//! Requests as data: they can be generated, shrunk, said in words, and sent to any server.

use std::fmt;

use quorate::jute::Jute;
use quorate::jute::client::{RequestHeader, op, op_name};

use crate::wire::Names;

/// One entry of an ACL: permissions, scheme, id.
pub(crate) type AclEntry = (i32, &'static str, &'static str);

pub(crate) const OPEN: AclEntry = (31, "world", "anyone");

/// One field of a record. `~` in texts stands for the root of the stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    Text(Option<String>),
    Data(Option<Vec<u8>>),
    Int(i32),
    Long(i64),
    Flag(bool),
    /// A zxid, counted from the last one before the stream.
    Zxid(i64),
    Acl(Option<Vec<AclEntry>>),
    Texts(Vec<String>),
    /// The operations of a multi.
    Parts(Vec<Request>),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub(crate) op: i32,
    /// Where it is not the next one of the connection.
    pub(crate) xid: Option<i32>,
    pub(crate) fields: Vec<Field>,
    /// Bytes of the record that are missing at the end.
    pub(crate) cut: usize,
}

impl Request {
    pub(crate) fn new(op: i32, fields: Vec<Field>) -> Request {
        Request { op, xid: None, fields, cut: 0 }
    }

    /// Header and record.
    pub(crate) fn body(&self, xid: i32, root: &str, names: &Names) -> Vec<u8> {
        let mut body = RequestHeader { xid: self.xid.unwrap_or(xid), op: self.op }.to_jute();
        let header = body.len();
        self.record(root, names, &mut body);
        body.truncate((body.len() - self.cut.min(body.len())).max(header));
        body
    }

    fn record(&self, root: &str, names: &Names, out: &mut Vec<u8>) {
        for field in &self.fields {
            field.encode(root, names, out);
        }
    }
}

impl Field {
    fn encode(&self, root: &str, names: &Names, out: &mut Vec<u8>) {
        match self {
            Field::Text(None) => (-1).encode(out),
            Field::Text(Some(text)) => text.replace('~', root).encode(out),
            Field::Data(None) => (-1).encode(out),
            Field::Data(Some(data)) => {
                (data.len() as i32).encode(out);
                out.extend_from_slice(data);
            }
            Field::Int(n) => n.encode(out),
            Field::Long(n) => n.encode(out),
            Field::Flag(flag) => flag.encode(out),
            Field::Zxid(count) => names.zxid_at(*count).encode(out),
            Field::Acl(None) => (-1).encode(out),
            Field::Acl(Some(entries)) => {
                (entries.len() as i32).encode(out);
                for (perms, scheme, id) in entries {
                    perms.encode(out);
                    scheme.to_string().encode(out);
                    id.to_string().encode(out);
                }
            }
            Field::Texts(texts) => {
                (texts.len() as i32).encode(out);
                for text in texts {
                    text.replace('~', root).encode(out);
                }
            }
            Field::Parts(parts) => {
                for part in parts {
                    part.op.encode(out);
                    false.encode(out);
                    (-1).encode(out);
                    part.record(root, names, out);
                }
                (-1).encode(out);
                true.encode(out);
                (-1).encode(out);
            }
        }
    }
}

/// What the fields are called, for people.
fn field_names(op: i32) -> &'static [&'static str] {
    match op {
        op::CREATE | op::CREATE2 | op::CREATE_CONTAINER | op::CREATE_TTL => {
            &["", "data", "acl", "flags", "ttl"]
        }
        op::DELETE | op::CHECK => &["", "version"],
        op::SET_DATA => &["", "data", "version"],
        op::SET_ACL => &["", "acl", "version"],
        op::EXISTS | op::GET_DATA | op::GET_CHILDREN | op::GET_CHILDREN2 => &["", "watch"],
        op::ADD_WATCH => &["", "mode"],
        op::CHECK_WATCHES | op::REMOVE_WATCHES => &["", "type"],
        op::SET_WATCHES | op::SET_WATCHES2 => {
            &["seen", "data", "exist", "child", "persistent", "recursive"]
        }
        op::AUTH => &["type", "scheme", "auth"],
        op::RECONFIG => &["joining", "leaving", "members", "config"],
        _ => &[],
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match op_name(self.op) {
            "unknown" => write!(f, "op {}", self.op)?,
            name => f.write_str(name)?,
        }
        let names = field_names(self.op);
        for (n, field) in self.fields.iter().enumerate() {
            match names.get(n) {
                Some(name) if !name.is_empty() => write!(f, " {name}={field}")?,
                _ => write!(f, " {field}")?,
            }
        }
        if let Some(xid) = self.xid {
            write!(f, " xid={xid}")?;
        }
        if self.cut > 0 {
            write!(f, " without its last {} bytes", self.cut)?;
        }
        Ok(())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Text(None) | Field::Data(None) | Field::Acl(None) => f.write_str("null"),
            Field::Text(Some(text)) => write!(f, "\"{}\"", text.escape_default()),
            Field::Data(Some(data)) => write!(f, "b\"{}\"", data.escape_ascii()),
            Field::Int(n) => write!(f, "{n}"),
            Field::Long(n) => write!(f, "{n}"),
            Field::Flag(flag) => write!(f, "{flag}"),
            Field::Zxid(count) => write!(f, "{count:+}"),
            Field::Acl(Some(entries)) if entries[..] == [OPEN] => f.write_str("open"),
            Field::Acl(Some(entries)) => {
                let said = entries.iter().map(|(p, s, i)| format!("{p}:{s}:{i}"));
                write!(f, "[{}]", said.collect::<Vec<_>>().join(", "))
            }
            Field::Texts(texts) => write!(f, "{texts:?}"),
            Field::Parts(parts) => {
                let said: Vec<String> = parts.iter().map(Request::to_string).collect();
                write!(f, "{{ {} }}", said.join("; "))
            }
        }
    }
}
