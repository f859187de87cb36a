//! Nodes: create, get, set, ls, stat, sync, and how many there are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Value, json};

use super::command::{Call, Command, about, checked};
use super::options::Opt;
use super::refused::Refused;
use super::text;
use crate::base::paths;
use crate::client::{CreateMode, Failure};
use crate::jute::client::code;
use crate::jute::data::{Acl, Stat};

/// The longest TTL, in milliseconds. (EphemeralType.TTL)
const TTL_MAX: i64 = 0x00ff_ffff_ffff;

pub(super) const COMMANDS: &[Command] = &[
    Command::ask(
        "create",
        "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
        "Makes a node: -s with a number behind its name, -e that goes with the session, -c a container, \
         -t one that goes after so many milliseconds.",
        |call| Box::pin(create(call)),
    )
    .options(&[
        Opt::flag("e", "ephemeral"),
        Opt::flag("s", "sequential"),
        Opt::flag("c", "container"),
        Opt::value("t", "ttl"),
    ])
    .words_min(1),
    Command::ask(
        "get",
        "[-s] [-w] [-b] [-x] path",
        "Shows the data of a node.",
        |call| Box::pin(get(call)),
    )
    .options(&[
        Opt::flag("s", "Print znode stats additionally"),
        Opt::flag("w", "Watch for changes on the znode"),
        Opt::flag("b", "Output data in base64 format"),
        Opt::flag("x", "Output data in hexdump format"),
    ])
    .words_min(1)
    .explaining(),
    Command::ask(
        "set",
        "path data [-s] [-v version] [-b]",
        "Writes the data of a node, -v only if it has that version.",
        |call| Box::pin(set(call)),
    )
    .options(&[
        Opt::flag("s", "Print znode stats additionally"),
        Opt::value("v", "Set with an expected version"),
        Opt::flag("b", "Supply data in base64 format"),
    ])
    .words_min(2)
    .explaining(),
    Command::ask(
        "ls",
        "[-s] [-w] [-R] path",
        "Shows the names of a node's children, -R the paths of everything below it.",
        |call| Box::pin(ls(call)),
    )
    .options(&[
        Opt::flag("?", "help"),
        Opt::flag("s", "stat"),
        Opt::flag("w", "watch"),
        Opt::flag("R", "recurse"),
    ])
    .words_min(1),
    Command::ask(
        "stat",
        "[-w] path",
        "Shows the versions, times and sizes of a node.",
        |call| Box::pin(stat(call)),
    )
    .options(&[Opt::flag("w", "watch")])
    .words_min(1),
    Command::ask(
        "sync",
        "path",
        "Reads behind it see everything that was written before.",
        |call| Box::pin(sync(call)),
    )
    .words_min(1),
    Command::ask(
        "getAllChildrenNumber",
        "path",
        "Counts everything below a node.",
        |call| Box::pin(get_all_children_number(call)),
    )
    .words_min(1),
    Command::ask(
        "getEphemerals",
        "path",
        "Shows the ephemeral nodes of this session, below a path if there is one.",
        |call| Box::pin(get_ephemerals(call)),
    ),
];

async fn create(call: Call) -> Result<(), Refused> {
    let mode = create_mode(&call)?;
    let path = call.word(0)?.to_owned();
    let data = call.given.words.get(1).map(|data| Bytes::from(data.clone()));
    let acl = match call.given.words.get(2) {
        None => Acl::open(),
        Some(text) => {
            let (acl, complaints) = text::parse_acl(text);
            complaints.iter().for_each(|complaint| call.print.note(complaint));
            acl
        }
    };
    // A number makes a name of nothing.
    checked(&if mode.sequential { format!("{path}1") } else { path.clone() })
        .map_err(|refused| Refused { text: refused.text.replace("1\"", "\""), ..refused })?;
    if acl.is_empty() {
        call.print.note(&Failure::of(code::INVALID_ACL).to_string());
        return Err(Refused::empty_acl());
    }
    let created = call.client.create(&path, data, acl, mode).await.map_err(|failure| {
        match failure.code {
            code::EPHEMERAL_ON_LOCAL_SESSION => {
                call.print.note("Unable to create ephemeral node on a local session");
            }
            code::INVALID_ACL => call.print.note(&format!("{failure} for {path}")),
            _ => {}
        }
        Refused::of(failure, Some(&path))
    })?;
    if mode.ephemeral {
        call.has_ephemerals.set(true);
    }
    call.print.note(&format!("Created {created}"));
    call.print.answer(|| json!({ "created": created }));
    Ok(())
}

fn create_mode(call: &Call) -> Result<CreateMode, Refused> {
    let [ephemeral, sequential, container] = ["e", "s", "c"].map(|name| call.given.has(name));
    if container && (ephemeral || sequential) {
        return Err(Refused::new(
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.",
        ));
    }
    let ttl_ms = match call.given.value("t") {
        None => None,
        Some(text) => {
            let wrong = |_| Refused::new("-t argument must be a long value");
            Some(text.parse::<i64>().map_err(wrong)?)
        }
    };
    match ttl_ms {
        Some(_) if ephemeral => {
            return Err(Refused::new("TTLs cannot be used with Ephemeral znodes"));
        }
        Some(_) if container => {
            return Err(Refused::new("TTLs cannot be used with Container znodes"));
        }
        Some(ttl) if !(1..=TTL_MAX).contains(&ttl) => {
            return Err(Refused::new(format!(
                "ttl must be positive and cannot be larger than: {TTL_MAX}"
            )));
        }
        _ => {}
    }
    Ok(CreateMode { ephemeral, sequential, container, ttl_ms })
}

/// The old form `get path watch`. Answers whether to watch.
fn watches(call: &Call) -> bool {
    let name = call.command.name;
    if call.given.words.len() > 1 {
        let stats = if name == "get" { "[-s] " } else { "" };
        call.print.note(&format!(
            "'{name} path [watch]' has been deprecated. Please use '{name} {stats}[-w] path' instead."
        ));
    }
    call.given.has("w") || call.given.words.len() > 1
}

async fn get(call: Call) -> Result<(), Refused> {
    let watch = watches(&call);
    let path = call.path()?;
    let (data, stat) = call.client.get_data(&path, watch).await.map_err(about(&path))?;
    let shown = data.as_deref().unwrap_or(b"null");
    let text = if call.given.has("x") {
        text::hex_dump(shown)
    } else if call.given.has("b") {
        BASE64.encode(shown)
    } else {
        String::from_utf8_lossy(shown).into_owned()
    };
    call.print.line(&text);
    print_stat(&call, &stat);
    call.print.answer(|| {
        json!({
            "path": path, "data": data_json(data.as_deref()), "stat": text::stat_json(&stat),
        })
    });
    Ok(())
}

/// Text where it is UTF-8; null where the node has no data; otherwise an object with base64.
fn data_json(data: Option<&[u8]>) -> Value {
    match data.map(str::from_utf8) {
        None => Value::Null,
        Some(Ok(text)) => text.into(),
        Some(Err(_)) => json!({ "base64": BASE64.encode(data.unwrap_or_default()) }),
    }
}

fn print_stat(call: &Call, stat: &Stat) {
    if call.given.has("s") {
        call.print.line(&text::stat_lines(stat));
    }
}

async fn set(call: Call) -> Result<(), Refused> {
    let text = call.word(1)?;
    let data = match call.given.has("b") {
        true => BASE64.decode(text).map_err(|error| {
            Refused::new(format!("the data is no base64: {error}"))
                .with_hint("without -b it is text")
        })?,
        false => text.as_bytes().to_vec(),
    };
    let version = call.number("v", -1)?;
    let path = call.path()?;
    let set = call.client.set_data(&path, Some(data.into()), version).await;
    let stat = set.map_err(about(&path))?;
    print_stat(&call, &stat);
    call.print.answer(|| json!({ "path": path, "stat": text::stat_json(&stat) }));
    Ok(())
}

async fn ls(call: Call) -> Result<(), Refused> {
    let watch = watches(&call);
    let path = call.path()?;
    if call.given.has("R") {
        return ls_below(&call, &path, watch).await;
    }
    let (mut names, stat) = call.client.get_children(&path, watch).await.map_err(about(&path))?;
    names.sort_unstable();
    call.print.line(&text::list(&names));
    print_stat(&call, &stat);
    call.print.answer(|| {
        json!({
            "path": path, "children": names, "stat": text::stat_json(&stat),
        })
    });
    Ok(())
}

/// The children of a node first, then what is below each of them. (ZKUtil.visitSubTreeDFS)
async fn ls_below(call: &Call, path: &str, watch: bool) -> Result<(), Refused> {
    call.client.get_data(path, watch).await.map_err(about(path))?;
    let mut found = vec![path.to_owned()];
    call.print.line(path);
    let mut stack = vec![path.to_owned()];
    while let Some(path) = stack.pop() {
        let mut names = match call.client.get_children(&path, watch).await {
            Ok((names, _)) => names,
            // It has gone meanwhile.
            Err(failure) if failure.code == code::NO_NODE => continue,
            Err(failure) => return Err(Refused::of(failure, Some(&path))),
        };
        names.sort_unstable();
        let below: Vec<String> = names.iter().map(|name| paths::join(&path, name)).collect();
        below.iter().for_each(|path| call.print.line(path));
        found.extend(below.iter().cloned());
        stack.extend(below.into_iter().rev());
    }
    call.print.answer(|| json!({ "paths": found }));
    Ok(())
}

async fn stat(call: Call) -> Result<(), Refused> {
    let watch = watches(&call);
    let path = call.path()?;
    let stat = call.client.exists(&path, watch).await.map_err(about(&path))?;
    call.print.line(&text::stat_lines(&stat));
    call.print.answer(|| json!({ "path": path, "stat": text::stat_json(&stat) }));
    Ok(())
}

async fn sync(call: Call) -> Result<(), Refused> {
    let path = call.path()?;
    match call.client.sync(&path).await {
        Ok(()) => {
            call.print.line("Sync is OK");
            call.print.answer(|| json!({ "synced": path }));
        }
        Err(failure) => {
            let told = format!("Sync has failed. rc={}", failure.code);
            call.print.line(&told);
            call.print.answer(|| json!({ "synced": null, "code": failure.code }));
        }
    }
    Ok(())
}

async fn get_all_children_number(call: Call) -> Result<(), Refused> {
    let path = call.path()?;
    let number = call.client.get_all_children_number(&path).await.map_err(about(&path))?;
    call.print.line(&number.to_string());
    call.print.answer(|| json!({ "path": path, "allChildren": number }));
    Ok(())
}

async fn get_ephemerals(call: Call) -> Result<(), Refused> {
    let prefix = match call.given.words.first() {
        None => paths::ROOT.to_owned(),
        Some(_) => call.path()?,
    };
    let found = call.client.get_ephemerals(&prefix).await;
    let mut found = found.map_err(|failure| Refused::of(failure, None))?;
    found.sort_unstable();
    call.print.line(&text::list(&found));
    call.print.answer(|| json!({ "ephemerals": found }));
    Ok(())
}
