//! A transaction as JSON: one object a line.
//!
//! | field                   | what                                                              |
//! |-------------------------|-------------------------------------------------------------------|
//! | `zxid`, `session`       | hexadecimal texts: JSON's numbers would lose digits               |
//! | `time`                  | milliseconds since 1970, the leader's clock                       |
//! | `op`                    | `create`, `setData`, ... as in Apache's lines                     |
//! | `data`                  | base64; null if there is none                                     |
//! | `ops`                   | the parts of a multi; `error` parts mean that nothing was done     |
//! | `digest`                | of the tree behind it, hexadecimal                                |

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::txn_text::op_of;
use crate::jute::data::Acl;
use crate::jute::txn::{
    CheckVersionTxn, CreateContainerTxn, CreateTtlTxn, CreateTxn, Proposal, SetDataTxn, Txn,
};

pub(super) fn txn_json(proposal: &Proposal) -> Value {
    let header = &proposal.header;
    let mut fields = fields_of(header.kind, &proposal.txn);
    fields.insert("zxid".into(), hex(header.zxid.0));
    fields.insert("time".into(), header.time.into());
    fields.insert("session".into(), hex(header.client_id.0));
    fields.insert("cxid".into(), header.cxid.into());
    if let Some(digest) = &proposal.digest {
        fields.insert("digest".into(), hex(digest.tree_digest));
    }
    Value::Object(fields)
}

pub(super) fn hex(number: i64) -> Value {
    format!("0x{number:x}").into()
}

fn fields_of(kind: i32, txn: &Txn) -> Map<String, Value> {
    let mut fields = match txn {
        Txn::Create(CreateTxn { path, data, acl, ephemeral, parent_cversion }) => json!({
            "path": path, "data": data_of(data), "acl": acl_of(acl), "ephemeral": ephemeral,
            "parentCversion": parent_cversion,
        }),
        Txn::CreateTtl(CreateTtlTxn { path, data, acl, parent_cversion, ttl }) => json!({
            "path": path, "data": data_of(data), "acl": acl_of(acl), "ttl": ttl,
            "parentCversion": parent_cversion,
        }),
        Txn::CreateContainer(CreateContainerTxn { path, data, acl, parent_cversion }) => json!({
            "path": path, "data": data_of(data), "acl": acl_of(acl),
            "parentCversion": parent_cversion,
        }),
        Txn::Delete(delete) => json!({ "path": delete.path }),
        Txn::SetData(SetDataTxn { path, data, version }) => {
            json!({ "path": path, "data": data_of(data), "version": version })
        }
        Txn::SetAcl(set) => {
            json!({ "path": set.path, "acl": acl_of(&set.acl), "version": set.version })
        }
        Txn::CheckVersion(CheckVersionTxn { path, version }) => {
            json!({ "path": path, "version": version })
        }
        Txn::CreateSession(session) => json!({ "timeout": session.timeout }),
        Txn::CloseSession(closed) => {
            json!({ "paths": closed.as_ref().map(|closed| &closed.paths_to_delete) })
        }
        Txn::Error(error) => json!({ "err": error.err }),
        Txn::Multi(parts) => {
            let ops = parts.iter().map(|(kind, part)| Value::Object(fields_of(*kind, part)));
            json!({ "ops": ops.collect::<Vec<_>>() })
        }
    };
    fields["op"] = op_of(kind).into();
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn data_of(data: &Option<Bytes>) -> Value {
    data.as_ref().map_or(Value::Null, |data| STANDARD.encode(data).into())
}

fn acl_of(acl: &Option<Vec<Acl>>) -> Value {
    let entry = |acl: &Acl| json!({ "perms": acl.perms, "scheme": acl.id.scheme, "id": acl.id.id });
    acl.iter().flatten().map(entry).collect()
}
