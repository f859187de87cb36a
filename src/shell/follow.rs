//! watch: the changes below a node, one line each, as they happen.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::command::{Call, Command};
use super::options::Opt;
use super::refused::Refused;
use super::text;
use super::walk::{Walk, Wanted};
use crate::base::{Zxid, iso_date};
use crate::client::{EventKind, KeeperState, WatchedAs, WatchedEvent};
use crate::jute::client::{code, watcher_type};
use crate::jute::data::Stat;

pub(super) const COMMANDS: &[Command] = &[Command::ask(
    "watch",
    "[-f] [-d] path",
    "Waits for a change of a node or of anything below it, -f shows every change until Ctrl-C, -d with \
     the new data.",
    |call| Box::pin(watch(call)),
)
.options(&[Opt::flag("f", "goes on until Ctrl-C"), Opt::flag("d", "the data as it is then")])
.words_min(1)
.uninterrupted()];

/// While it lives the shell prints no watch events of its own.
struct Quiet {
    prints_watches: Rc<Cell<bool>>,
    before: bool,
}

impl Quiet {
    fn begin(prints_watches: &Rc<Cell<bool>>) -> Quiet {
        let before = prints_watches.replace(false);
        Quiet { prints_watches: Rc::clone(prints_watches), before }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        self.prints_watches.set(self.before);
    }
}

/// One change, as it is shown.
struct Change<'a> {
    kind: &'static str,
    path: &'a str,
    /// -1: the server does not say.
    zxid: i64,
    /// Found by looking, not told by an event.
    was_missed: bool,
}

async fn watch(call: Call) -> Result<(), Refused> {
    let path = call.path()?;
    let quiet = Quiet::begin(&call.around.prints_watches);
    let done = tokio::select! {
        biased;
        done = follow(&call, &path) => done,
        () = (call.around.interrupted)() => Ok(()),
    };
    if call.client.is_alive() {
        // The session may be used for something else now.
        let kind = watcher_type::PERSISTENT_RECURSIVE;
        let _ = call.client.remove_watches(&path, kind, true).await;
    }
    drop(quiet);
    done
}

async fn follow(call: &Call, path: &str) -> Result<(), Refused> {
    let mut events = call.client.listen();
    call.client.add_watch(path, WatchedAs::PersistentRecursive).await.map_err(|failure| {
        let is_old = failure.code == code::UNIMPLEMENTED;
        let refused = Refused::of(failure, Some(path));
        match is_old {
            true => {
                refused.with_hint("servers before 3.6 have no recursive watches: ask a later one")
            }
            false => refused,
        }
    })?;
    call.print.note(&format!("Watching {} and everything below it", text::shown(path)));
    let mut since: Option<Zxid> = None;
    while let Some(event) = events.recv().await {
        on_event(call, path, &event, &mut since).await?;
        if event.path.is_some() && !call.given.has("f") {
            return Ok(());
        }
    }
    Err(ended("the session has ended"))
}

fn ended(why: &str) -> Refused {
    Refused::new(why).with_hint("what changed since is not known: connect, then watch again")
}

/// `since`: the last transaction that was seen before a connection was lost.
async fn on_event(
    call: &Call,
    root: &str,
    event: &WatchedEvent,
    since: &mut Option<Zxid>,
) -> Result<(), Refused> {
    if let Some(path) = &event.path {
        let kind = match event.kind {
            EventKind::NodeCreated => "created",
            EventKind::NodeDeleted => "deleted",
            EventKind::NodeDataChanged => "changed",
            _ => return Ok(()),
        };
        show(call, &Change { kind, path, zxid: event.zxid, was_missed: false }).await;
        return Ok(());
    }
    match event.state {
        KeeperState::Disconnected => {
            since.get_or_insert_with(|| call.client.last_zxid());
            tell(call, "disconnected: what changes now is looked for after the reconnect");
        }
        KeeperState::SyncConnected | KeeperState::ConnectedReadOnly => {
            let Some(zxid) = *since else { return Ok(()) };
            tell(
                call,
                &format!("connected again: what follows changed behind zxid 0x{:x}", zxid.0),
            );
            match look_for_missed(call, root, zxid).await {
                Ok(()) => *since = None,
                // The next reconnect looks again.
                Err(refused) if refused.code == Some(code::CONNECTION_LOSS) => {}
                Err(refused) => tell(call, &refused.text),
            }
        }
        KeeperState::Expired => return Err(ended("the session expired")),
        KeeperState::AuthFailed | KeeperState::Closed => {
            return Err(ended("the session has ended"));
        }
        KeeperState::SaslAuthenticated => {}
    }
    Ok(())
}

fn tell(call: &Call, text: &str) {
    call.print.note(text);
    call.print.answer(|| json!({ "note": text }));
}

/// No server keeps what it could not tell: what changed shows by the zxids of the nodes, and a deletion
/// by those of its parent.
async fn look_for_missed(call: &Call, root: &str, since: Zxid) -> Result<(), Refused> {
    let mut walk = Walk::of(&call.client, root, Wanted::default());
    let mut count = 0;
    loop {
        let walked = match walk.next().await {
            Ok(Some(walked)) => walked,
            Ok(None) => break,
            // The root itself has gone.
            Err(refused) if refused.code == Some(code::NO_NODE) => {
                tell(call, &format!("{} is not there", text::shown(root)));
                return Ok(());
            }
            Err(refused) => return Err(refused),
        };
        let Some(stat) = walked.met.stat() else { continue };
        for (kind, zxid) in missed(stat, since) {
            count += 1;
            show(call, &Change { kind, path: &walked.path, zxid: zxid.0, was_missed: true }).await;
        }
    }
    if count == 0 {
        tell(call, "nothing was missed");
    }
    walk.finish()
}

fn missed(stat: &Stat, since: Zxid) -> Vec<(&'static str, Zxid)> {
    let mut changes = Vec::new();
    if stat.czxid > since {
        changes.push(("created", stat.czxid));
    } else if stat.mzxid > since {
        changes.push(("changed", stat.mzxid));
    }
    // A node that was just made has its own zxid there.
    if stat.pzxid > since && stat.pzxid > stat.czxid {
        changes.push(("children", stat.pzxid));
    }
    changes
}

async fn show(call: &Call, change: &Change<'_>) {
    let Change { kind, path, zxid, was_missed } = *change;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = iso_date(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let asks = call.given.has("d") && matches!(kind, "created" | "changed");
    let data = match asks {
        true => {
            Some(call.client.get_data(path, false).await.map(|(data, _)| data.unwrap_or_default()))
        }
        false => None,
    };
    let of_zxid = if zxid > 0 { format!("0x{zxid:x}") } else { "-".into() };
    let mark = if was_missed { "missed " } else { "" };
    let mut line = format!("{time} {of_zxid} {mark}{kind} {}", text::shown(path));
    let shown = data.map(|data| match data {
        Ok(data) => data_text(&data),
        Err(failure) if failure.code == code::NO_NODE => "(gone meanwhile)".into(),
        Err(failure) => format!("({failure})"),
    });
    if let Some(shown) = &shown {
        line.push_str(&format!("  {shown}"));
    }
    call.print.line(&line);
    call.print.answer(|| {
        let zxid = (zxid > 0).then(|| format!("0x{zxid:x}"));
        json!({ "time": time, "zxid": zxid, "change": kind, "path": path, "missed": was_missed, "data": shown })
    });
}

/// On one line.
fn data_text(data: &[u8]) -> String {
    match str::from_utf8(data) {
        Ok(data) => text::shown(data),
        Err(_) => format!("base64:{}", BASE64.encode(data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_shows_by_zxids() {
        let stat = |czxid, mzxid, pzxid| Stat {
            czxid: Zxid(czxid),
            mzxid: Zxid(mzxid),
            pzxid: Zxid(pzxid),
            ..Stat::default()
        };
        for (stat, expected) in [
            (stat(1, 5, 5), &[][..]),
            (stat(1, 6, 5), &[("changed", Zxid(6))]),
            (stat(1, 5, 6), &[("children", Zxid(6))]),
            (stat(6, 7, 6), &[("created", Zxid(6))]),
            (stat(6, 6, 8), &[("created", Zxid(6)), ("children", Zxid(8))]),
        ] {
            assert_eq!(missed(&stat, Zxid(5)), expected);
        }
    }

    #[test]
    fn data_stays_on_its_line() {
        assert_eq!(data_text(b"a\nb"), "a\\nb");
        assert_eq!(data_text(b"\xff"), "base64:/w==");
    }
}
