//! The bytes captured from Apache ZooKeeper, and their index (`tests/golden/golden.json`).

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use quorate::jute::data::{Acl, Id, Stat, StatPersisted};
use serde_json::{Value, json};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

pub(crate) fn bytes(file: &str) -> Bytes {
    fs::read(folder().join(file)).unwrap_or_else(|e| panic!("{file}: {e}")).into()
}

pub(crate) fn json_file(file: &str) -> Value {
    serde_json::from_slice(&bytes(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Entries of the index of this kind.
pub(crate) fn files(kind: &str) -> Vec<Value> {
    let index = json_file("golden.json");
    let files = index["files"].as_array().expect("an index of files");
    files.iter().filter(|file| file["kind"] == kind).cloned().collect()
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key} in {value}"))
}

pub(crate) fn number(value: &Value, key: &str) -> i64 {
    value[key].as_i64().unwrap_or_else(|| panic!("no number {key} in {value}"))
}

/// The slice of a capture that an index entry (`o`, `l`) describes.
pub(crate) fn slice(stream: &Bytes, entry: &Value) -> Bytes {
    let (offset, length) = (number(entry, "o") as usize, number(entry, "l") as usize);
    stream.slice(offset..offset + length)
}

/// zxids, session ids and digests are hex text in the index.
pub(crate) fn hex(number: i64) -> Value {
    json!(format!("0x{number:x}"))
}

pub(crate) fn buffer(bytes: &Option<Bytes>) -> Value {
    bytes.as_ref().map_or(Value::Null, |bytes| json!(hex_text(bytes)))
}

pub(crate) fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn ids(ids: &[Id]) -> Value {
    ids.iter().map(id).collect()
}

fn id(id: &Id) -> Value {
    json!({ "scheme": id.scheme, "id": id.id })
}

pub(crate) fn acl(acl: &Option<Vec<Acl>>) -> Value {
    let Some(acl) = acl else { return Value::Null };
    acl.iter().map(|entry| json!({ "perms": entry.perms, "id": id(&entry.id) })).collect()
}

pub(crate) fn stat(stat: &Stat) -> Value {
    json!({
        "czxid": hex(stat.czxid.0), "mzxid": hex(stat.mzxid.0), "pzxid": hex(stat.pzxid.0),
        "ctime": stat.ctime, "mtime": stat.mtime,
        "version": stat.version, "cversion": stat.cversion, "aversion": stat.aversion,
        "ephemeralOwner": hex(stat.ephemeral_owner),
        "dataLength": stat.data_length, "numChildren": stat.num_children,
    })
}

/// One node of a snapshot stream.
#[derive(Debug)]
pub(crate) struct SnapshotNode {
    pub(crate) path: String,
    pub(crate) data: Option<Bytes>,
    pub(crate) acl: i64,
    pub(crate) stat: StatPersisted,
}
