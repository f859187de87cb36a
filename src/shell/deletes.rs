//! delete and deleteall.

use serde_json::json;

use super::command::{Call, Command, about};
use super::options::Opt;
use super::refused::Refused;
use crate::base::paths;

/// Nodes of one multi.
const BATCH: i32 = 1000;

pub(super) const COMMANDS: &[Command] = &[
    Command::ask(
        "delete",
        "[-v version] path",
        "Deletes a node without children, -v only if it has that version.",
        |call| Box::pin(delete(call)),
    )
    .options(&[Opt::value("v", "version")])
    .words_min(1),
    Command::ask(
        "deleteall",
        "path [-b batch size]",
        "Deletes a node and everything below it, -b nodes at a time.",
        |call| Box::pin(delete_all(call)),
    )
    .options(&[Opt::value("b", "batch size")])
    .words_min(1),
];

/// Of the old form `delete path version` Apache forgets the version; here it counts.
async fn delete(call: Call) -> Result<(), Refused> {
    let mut version = call.number("v", -1)?;
    if let Some(word) = call.given.words.get(1) {
        call.print.note(
            "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' instead.",
        );
        if !call.given.has("v") {
            let wrong =
                |_| Refused::new(format!("{word:?} is no version: delete [-v version] path"));
            version = word.parse().map_err(wrong)?;
        }
    }
    let path = call.path()?;
    call.client.delete(&path, version).await.map_err(about(&path))?;
    call.print.answer(|| json!({ "deleted": path }));
    Ok(())
}

async fn delete_all(call: Call) -> Result<(), Refused> {
    let batch = match call.given.value("b") {
        None => BATCH,
        Some(text) => {
            let wrong = |_| Refused::new("-b argument must be an int value");
            text.parse().map_err(wrong)?
        }
    };
    let path = call.path()?;
    // What is below comes behind: it is deleted from the end.
    let mut tree = vec![path];
    let mut at = 0;
    while let Some(path) = tree.get(at).cloned() {
        let names = call.client.get_names(&path).await.map_err(about(&path))?;
        tree.extend(names.iter().map(|name| paths::join(&path, name)));
        at += 1;
    }
    tree.reverse();
    if batch <= 0 {
        for path in &tree {
            call.client.delete(path, -1).await.map_err(about(path))?;
        }
    }
    for doomed in tree.chunks(usize::try_from(batch).unwrap_or(0).max(1)).filter(|_| batch > 0) {
        if let Err(failure) = call.client.delete_together(doomed).await {
            let told = Refused::of(failure, doomed.last().map(String::as_str));
            let text = "Failed to delete some node(s) in the subtree!";
            call.print.error(
                &format!("{text}\nhint: {}", told.text),
                || json!({ "text": text, "hint": told.text }),
            );
            return Ok(());
        }
    }
    call.print.answer(|| json!({ "deleted": tree.last(), "nodes": tree.len() }));
    Ok(())
}
