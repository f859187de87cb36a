//! What the operator is told: text, or JSON for programs.

use std::path::Path;

use serde_json::{Value, json};

use super::catalog::Entry;
use super::choice::Choice;
use super::manifest::{KnownBy, Manifest};
use super::restore::Restored;
use super::retention::Removed;
use super::sender::Count;
use super::time::rfc3339;
use super::verify::Findings;
use crate::storage::VERSION_2;

/// A backup that was taken.
pub(super) struct Told<'a> {
    pub(super) id: &'a str,
    pub(super) manifest: &'a Manifest,
    pub(super) sent: Count,
    pub(super) found: Count,
    pub(super) removed: Removed,
}

pub(super) fn taken(told: &Told<'_>, target: &str, as_json: bool) {
    let Told { id, manifest, sent, found, removed } = told;
    if as_json {
        let mut fields = fields_of(id, manifest);
        fields["sent"] = json!(sent);
        fields["found"] = json!(found);
        fields["removed"] = json!(removed);
        return print_json(&fields);
    }
    println!("backup {id} in {target}");
    println!("  states from {} to {}", manifest.oldest(), manifest.last());
    println!("  {}", committed(manifest));
    println!(
        "  {} sent in {} parts, {} were there in {}",
        size(sent.bytes),
        sent.parts,
        size(found.bytes),
        found.parts
    );
    if removed.backups + removed.parts > 0 {
        println!("  {} old backups and {} parts removed", removed.backups, removed.parts);
    }
    for note in &manifest.notes {
        println!("  note: {note}");
    }
}

pub(super) fn listed(entries: &[Entry], target: &str, as_json: bool) {
    if as_json {
        let all = entries.iter().map(|Entry { id, manifest }| match manifest {
            Ok(manifest) => fields_of(id, manifest),
            Err(why) => json!({ "id": id, "error": why }),
        });
        return print_json(&all.collect::<Value>());
    }
    if entries.is_empty() {
        println!("no backup in {target}");
    }
    for Entry { id, manifest } in entries {
        match manifest {
            Ok(manifest) => {
                let parts = manifest.parts();
                let bytes = parts.iter().map(|part| part.bytes).sum();
                let (from, to) = (manifest.oldest(), manifest.last());
                let committed = manifest.committed.zxid;
                println!("{id}  {from} to {to}, committed to {committed}, {}", size(bytes));
            }
            Err(why) => println!("{id}  damaged: {why}"),
        }
    }
}

pub(super) fn verified(findings: &Findings, target: &str, as_json: bool) {
    let Findings { whole, parts, bytes, problems } = findings;
    if as_json {
        let fields =
            json!({ "whole": whole, "parts": parts, "bytes": bytes, "problems": problems });
        return print_json(&fields);
    }
    for problem in problems {
        eprintln!("error: {problem}");
    }
    println!("{} whole backups in {target}, {parts} parts, {}", whole.len(), size(*bytes));
    if !problems.is_empty() {
        println!(
            "Remove the files that are damaged, and take a backup: it sends again what the server still has."
        );
    }
}

pub(super) fn restored(restored: &Restored, choice: &Choice, dir: &Path, as_json: bool) {
    let Restored { target, snapshot, transactions, time_ms, nodes, digest, is_exact, epoch } =
        restored;
    let manifest = &choice.manifest;
    let time = time_ms.map(rfc3339);
    if as_json {
        let fields = json!({
            "backup": choice.id,
            "zxid": target.to_string(),
            "time": time,
            "snapshot": snapshot,
            "transactions": transactions,
            "nodes": nodes,
            "digest": digest.to_string(),
            "exact": is_exact,
            "epoch": epoch,
            "committed": manifest.committed.zxid.to_string(),
            "last": manifest.last().to_string(),
        });
        return print_json(&fields);
    }
    let at = time.map_or(String::new(), |time| format!(", of {time}"));
    println!("restored {target}{at}, from backup {}", choice.id);
    let version_2 = dir.join(VERSION_2);
    println!("  {}: {snapshot} and {transactions} transactions behind it", version_2.display());
    println!("  {nodes} nodes, digest {digest}");
    if !is_exact {
        println!(
            "  not exact: there were no logs, and of what was written while the snapshot was it has a part"
        );
    }
    if *target > manifest.committed.zxid {
        println!("  some of it may never have been committed: {}", committed(manifest));
    } else if *target < manifest.last() {
        println!("  the backup goes on to {}; {}", manifest.last(), committed(manifest));
    }
    println!(
        "Every server of the ensemble is to be restored from this backup at {target}, or to start with an empty \
         directory. No data directory that was not restored may join: what it has is newer, and wrong now. \
         myid and zoo.cfg are not in a backup."
    );
}

fn committed(manifest: &Manifest) -> String {
    let zxid = manifest.committed.zxid;
    match manifest.committed.known_by {
        KnownBy::Server => format!("committed up to {zxid}, as the server said"),
        KnownBy::Standalone => format!("committed up to {zxid}: the server is standalone"),
        KnownBy::Epochs => format!(
            "known to be committed up to {zxid}; of what was logged behind that, in the last epoch, nobody \
             was asked (--admin)"
        ),
    }
}

fn fields_of(id: &str, manifest: &Manifest) -> Value {
    let parts = manifest.parts();
    json!({
        "id": id,
        "created": manifest.created,
        "source": manifest.source,
        "oldest": manifest.oldest().to_string(),
        "last": manifest.last().to_string(),
        "committed": manifest.committed,
        "snapshots": manifest.snapshots.iter().map(|file| &file.name).collect::<Vec<_>>(),
        "transactions": manifest.transactions(),
        "parts": parts.len(),
        "bytes": parts.iter().map(|part| part.bytes).sum::<u64>(),
        "notes": manifest.notes,
    })
}

fn print_json(value: &Value) {
    println!("{}", serde_json::to_string_pretty(value).expect("texts and numbers"));
}

/// 1536 as 1.5 KiB.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut number = bytes as f64;
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{number:.1} {}", UNITS[unit]) }
}
