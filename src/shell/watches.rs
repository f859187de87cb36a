//! addWatch and removewatches.

use serde_json::json;

use super::command::{Call, Command, about};
use super::options::Opt;
use super::refused::Refused;
use crate::client::WatchedAs;
use crate::jute::client::watcher_type;

pub(super) const COMMANDS: &[Command] = &[
    Command::ask(
        "addWatch",
        "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is \
         PERSISTENT_RECURSIVE",
        "Watches a node, or all below it, until removewatches.",
        |call| Box::pin(add_watch(call)),
    )
    .options(&[Opt::value("m", "mode")])
    .words_min(1),
    Command::ask(
        "removewatches",
        "path [-c|-d|-a] [-l]",
        "Stops watching: -c children, -d data, -p persistent, -r persistent recursive, -a all; -l also \
         without a connection.",
        |call| Box::pin(remove_watches(call)),
    )
    .options(&[
        Opt::flag("c", "child watcher type"),
        Opt::flag("d", "data watcher type"),
        Opt::flag("p", "persistent watcher type"),
        Opt::flag("r", "persistent recursive watcher type"),
        Opt::flag("a", "any watcher type"),
        Opt::flag("l", "remove locally when there is no server connection"),
    ])
    .words_min(1),
];

async fn add_watch(call: Call) -> Result<(), Refused> {
    let mode = call.given.value("m").unwrap_or("PERSISTENT_RECURSIVE").to_ascii_uppercase();
    let kind = match mode.as_str() {
        "PERSISTENT" => WatchedAs::Persistent,
        "PERSISTENT_RECURSIVE" => WatchedAs::PersistentRecursive,
        _ => return Err(call.command.misused()),
    };
    if call.given.words.len() != 1 {
        return Err(call.command.misused());
    }
    let path = call.path()?;
    call.client.add_watch(&path, kind).await.map_err(about(&path))?;
    call.print.answer(|| json!({ "watched": path, "mode": mode }));
    Ok(())
}

async fn remove_watches(call: Call) -> Result<(), Refused> {
    let kinds = [
        ("c", watcher_type::CHILDREN),
        ("d", watcher_type::DATA),
        ("p", watcher_type::PERSISTENT),
        ("r", watcher_type::PERSISTENT_RECURSIVE),
    ];
    let asked = kinds.iter().find(|(option, _)| call.given.has(option));
    let kind = asked.map_or(watcher_type::ANY, |(_, kind)| *kind);
    let path = call.path()?;
    let removed = call.client.remove_watches(&path, kind, call.given.has("l")).await;
    removed.map_err(about(&path))?;
    call.print.answer(|| json!({ "unwatched": path }));
    Ok(())
}
