//! getAcl, setAcl, addauth, whoami: who may do what, and who this client is.

use bytes::Bytes;
use serde_json::json;

use super::command::{Call, Command, about};
use super::options::Opt;
use super::refused::Refused;
use super::text;
use crate::base::paths;
use crate::jute::client::code;

pub(super) const COMMANDS: &[Command] = &[
    Command::ask("getAcl", "[-s] path", "Shows who may do what with a node.", |call| {
        Box::pin(get_acl(call))
    })
    .options(&[Opt::flag("s", "stats")])
    .words_min(1),
    Command::ask(
        "setAcl",
        "[-s] [-v version] [-R] path acl",
        "Says who may do what with a node, -R with everything below it, too: scheme:id:perms, \
         perms of c, d, r, w and a.",
        |call| Box::pin(set_acl(call)),
    )
    .options(&[Opt::flag("s", "stats"), Opt::value("v", "version"), Opt::flag("R", "recursive")])
    .words_min(2),
    Command::ask(
        "addauth",
        "scheme auth",
        "Proves to be somebody, as in addauth digest user:password.",
        |call| Box::pin(add_auth(call)),
    )
    .words_min(1),
    Command::ask("whoami", "", "Shows who this client is to the server.", |call| {
        Box::pin(who_am_i(call))
    }),
];

async fn get_acl(call: Call) -> Result<(), Refused> {
    let path = call.path()?;
    let (acl, stat) = call.client.get_acl(&path).await.map_err(about(&path))?;
    call.print.line(&text::acl_lines(&acl));
    if call.given.has("s") {
        call.print.line(&text::stat_lines(&stat));
    }
    call.print.answer(|| {
        json!({
            "path": path, "acl": text::acl_json(&acl), "stat": text::stat_json(&stat),
        })
    });
    Ok(())
}

async fn set_acl(call: Call) -> Result<(), Refused> {
    let (acl, complaints) = text::parse_acl(call.word(1)?);
    complaints.iter().for_each(|complaint| call.print.note(complaint));
    let version = call.number("v", -1)?;
    let path = call.path()?;
    if acl.is_empty() {
        return Err(Refused::empty_acl());
    }
    if !call.given.has("R") {
        let stat = call.client.set_acl(&path, acl, version).await.map_err(about(&path))?;
        if call.given.has("s") {
            call.print.line(&text::stat_lines(&stat));
        }
        call.print.answer(|| json!({ "path": path, "stat": text::stat_json(&stat) }));
        return Ok(());
    }
    // One that is refused is told, and the others are set.
    call.client.get_data(&path, false).await.map_err(about(&path))?;
    let (mut count, mut failed) = (0, Vec::new());
    let mut stack = vec![path];
    while let Some(path) = stack.pop() {
        match call.client.set_acl(&path, acl.clone(), version).await {
            Ok(_) => count += 1,
            Err(failure) => {
                call.print.line(&format!("{failure} for {path}"));
                failed.push(path.clone());
            }
        }
        match call.client.get_names(&path).await {
            Ok(names) => stack.extend(names.iter().map(|name| paths::join(&path, name))),
            Err(failure) if failure.code == code::NO_NODE => {}
            Err(failure) => return Err(Refused::of(failure, Some(&path))),
        }
    }
    call.print.answer(|| json!({ "set": count, "failed": failed }));
    Ok(())
}

/// Nobody waits for it: a proof that is refused ends the session.
async fn add_auth(call: Call) -> Result<(), Refused> {
    let scheme = call.word(0)?.to_owned();
    let auth = call.given.words.get(1).cloned().unwrap_or_default();
    call.client.add_auth(&scheme, Bytes::from(auth));
    call.print.answer(|| json!({ "added": scheme }));
    Ok(())
}

async fn who_am_i(call: Call) -> Result<(), Refused> {
    let infos = call.client.who_am_i().await.map_err(|failure| Refused::of(failure, None))?;
    call.print.line("Auth scheme: User");
    for info in &infos {
        call.print.line(&format!("{}: {}", info.auth_scheme, info.user));
    }
    call.print.answer(|| {
        let entry = |info: &crate::jute::client::ClientInfo| {
            json!({ "scheme": info.auth_scheme, "user": info.user })
        };
        json!({ "whoami": infos.iter().map(entry).collect::<Vec<_>>() })
    });
    Ok(())
}
