//! What the captures say of the data directories.

use std::collections::{BTreeMap, BTreeSet};

use quorate::base::Zxid;
use serde_json::Value;

use crate::golden_files::{files, json_file, text};

/// VERSION/NAME of every directory.
pub(crate) fn directories() -> BTreeSet<String> {
    let logs = files("txnlog");
    logs.iter().map(|log| split(text(log, "file")).0.to_owned()).collect()
}

/// VERSION/NAME and the file's name of `dirs/VERSION/NAME/version-2/FILE`.
pub(crate) fn split(file: &str) -> (&str, &str) {
    let inside = file.strip_prefix("dirs/").expect("a file of a directory");
    inside.split_once("/version-2/").expect("logs and snapshots are in version-2")
}

pub(crate) fn expected(dir: &str) -> Value {
    json_file(&format!("dirs/{dir}.expected.json"))
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key].as_array().unwrap_or_else(|| panic!("no list {key} in {value}"))
}

/// The directories a server started on and was asked: those with a tree.
pub(crate) fn whole() -> Vec<String> {
    directories().into_iter().filter(|dir| !expected(dir)["tree"].is_null()).collect()
}

/// What stands in the file of this directory, or in the one it refers to (`same as NAME`).
pub(crate) fn described(dir: &str) -> Value {
    let own = expected(dir);
    match own["tree"].as_str().and_then(|tree| tree.strip_prefix("same as ")) {
        Some(name) => expected(&sibling(dir, name)),
        None => own,
    }
}

pub(crate) fn sibling(dir: &str, name: &str) -> String {
    let (version, _) = dir.split_once('/').expect("VERSION/NAME");
    format!("{version}/{name}")
}

pub(crate) fn is_ensemble(dir: &str) -> bool {
    dir.contains("/ensemble-")
}

pub(crate) fn zxid_of(value: &Value) -> Zxid {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).expect("zxids are hex");
    Zxid(i64::from_str_radix(digits, 16).expect("zxids are hex"))
}

/// Names and zxids of a directory's snapshots, oldest first.
pub(crate) fn snapshots(dir: &str) -> Vec<(String, Zxid)> {
    let mut found: Vec<_> = entries("snapshot", dir)
        .iter()
        .map(|entry| split(text(entry, "file")).1.to_owned())
        .map(|name| {
            let digits = name.split('.').nth(1).expect("snapshot.ZXID");
            let zxid = i64::from_str_radix(digits, 16).expect("snapshot.ZXID");
            (name, Zxid(zxid))
        })
        .collect();
    found.sort_by_key(|(_, zxid)| *zxid);
    found
}

/// What the index says of the files of this kind in a directory.
pub(crate) fn entries(kind: &str, dir: &str) -> Vec<Value> {
    let mut entries = files(kind);
    entries.retain(|entry| split(text(entry, "file")).0 == dir);
    entries
}

/// The zxids behind `base` that the index finds in a directory's logs.
pub(crate) fn logged_after(dir: &str, base: Zxid) -> Vec<Zxid> {
    let mut zxids: Vec<Zxid> = entries("txnlog", dir)
        .iter()
        .flat_map(|log| list(log, "records").iter().map(|record| zxid_of(&record["zxid"])))
        .filter(|zxid| *zxid > base)
        .collect();
    zxids.sort();
    zxids
}

/// The nodes that the client saw.
pub(crate) fn seen_nodes(dir: &str) -> BTreeMap<String, Value> {
    let described = described(dir);
    let nodes = list(&described["tree"], "nodes").iter();
    nodes.map(|node| (text(node, "path").to_owned(), node.clone())).collect()
}

/// Session -> timeout in milliseconds, as Apache's printer tells them of all sessions ever opened.
pub(crate) fn opened_sessions(dir: &str) -> BTreeMap<String, i64> {
    let described = described(dir);
    let logs = described["logs"].as_object().expect("logs by name");
    let txns = logs.values().flat_map(|log| list(log, "txns"));
    txns.filter(|txn| txn["op"] == "createSession")
        .map(|txn| (text(txn, "session").to_owned(), text(txn, "text").parse().expect("a number")))
        .collect()
}
