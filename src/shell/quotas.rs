//! setquota, listquota, delquota: limits are the data of nodes below /zookeeper/quota. (Quotas)

use bytes::Bytes;
use serde_json::{Value, json};

use super::command::{Call, Command, about, checked};
use super::options::Opt;
use super::refused::Refused;
use crate::base::paths;
use crate::client::{CreateMode, Failure};
use crate::jute::client::code;
use crate::jute::data::Acl;
use crate::tree::StatsTrack;

const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// Option, name in the text of a quota, whether it counts bytes.
const KINDS: [(&str, &str, bool); 4] = [
    ("n", "count", false),
    ("b", "bytes", true),
    ("N", "countHardLimit", false),
    ("B", "byteHardLimit", true),
];

pub(super) const COMMANDS: &[Command] = &[
    Command::ask(
        "setquota",
        "-n|-b|-N|-B val path",
        "Limits what may be below a node: nodes (-n warns, -N refuses) or bytes (-b warns, -B refuses).",
        |call| Box::pin(set_quota(call)),
    )
    .options(&[
        Opt::value("n", "num soft quota"),
        Opt::value("b", "bytes soft quota"),
        Opt::value("N", "num hard quota"),
        Opt::value("B", "bytes hard quota"),
    ])
    .words_min(1),
    Command::ask(
        "listquota",
        "path",
        "Shows the limits of a node, and what is below it.",
        |call| Box::pin(list_quota(call)),
    )
    .words_min(1),
    Command::ask(
        "delquota",
        "[-n|-b|-N|-B] path",
        "Takes one limit away, or all of them.",
        |call| Box::pin(del_quota(call)),
    )
    .options(&[
        Opt::flag("n", "num soft quota"),
        Opt::flag("b", "bytes soft quota"),
        Opt::flag("N", "num hard quota"),
        Opt::flag("B", "bytes hard quota"),
    ])
    .words_min(1),
];

fn limits_of(path: &str) -> String {
    format!("{}{path}/{LIMITS}", paths::QUOTA)
}

fn stats_of(path: &str) -> String {
    format!("{}{path}/{STATS}", paths::QUOTA)
}

/// Of a path below /zookeeper/quota, whose quota it is.
fn limited(quota_path: &str) -> &str {
    quota_path.strip_prefix(paths::QUOTA).unwrap_or(quota_path)
}

/// The options of which one may be given at a time.
fn asked(call: &Call) -> Result<Option<(&'static str, bool, &'static str)>, Refused> {
    let given: Vec<_> = KINDS.iter().filter(|(option, _, _)| call.given.has(option)).collect();
    if let [first, second, ..] = given[..] {
        return Err(Refused::new(format!(
            "org.apache.commons.cli.AlreadySelectedException: The option '{}' was specified but an option \
             from this group has already been selected: '{}'",
            second.0, first.0
        ))
        .with_hint("set one limit after the other"));
    }
    Ok(given.first().map(|(option, name, is_bytes)| (*name, *is_bytes, *option)))
}

async fn set_quota(call: Call) -> Result<(), Refused> {
    let Some((name, is_bytes, option)) = asked(&call)? else {
        let wrong = "org.apache.commons.cli.MissingOptionException: Missing required option: [-n num soft \
                     quota, -b bytes soft quota, -N num hard quota, -B bytes hard quota]";
        return Err(Refused::new(wrong).with_hint(format!("setquota {}", call.command.usage)));
    };
    let path = call.word(0)?.to_owned();
    if path == paths::ROOT {
        return Err(Refused::new("the root can have no quota: name a node below it"));
    }
    if path.starts_with(paths::QUOTA) {
        call.print.note(&format!("cannot set a quota under the path: {}", paths::QUOTA));
        return Ok(());
    }
    let text = call.given.value(option).unwrap_or_default();
    // A count is an int of Java's.
    let number = text.parse::<i64>().ok().filter(|n| is_bytes || i32::try_from(*n).is_ok());
    let complaint = match number {
        None => Some("NumberFormatException happens when parsing the option value"),
        Some(number) if is_bytes && number < 0 => {
            Some("the bytes quota must be greater than or equal to zero")
        }
        Some(number) if !is_bytes && number <= 0 => Some("the num quota must be greater than zero"),
        Some(_) => None,
    };
    if let Some(complaint) = complaint {
        call.print.error(complaint, || json!({ "text": complaint }));
        return Ok(());
    }
    checked(&path)?;
    match call.client.exists(&path, false).await {
        Ok(_) => {}
        Err(failure) if failure.code == code::NO_NODE => {
            return Err(Refused::new(format!("{path} does not exist.")));
        }
        Err(failure) => return Err(Refused::of(failure, Some(&path))),
    }
    refuse_nested(&call, &path).await?;
    let limits = write_limit(&call, &path, name, number.unwrap_or(-1)).await?;
    call.print.answer(|| json!({ "path": path, "limits": track_json(&limits) }));
    Ok(())
}

/// A quota has none above it and none below. (SetQuotaCommand.checkIfParentQuota, checkIfChildQuota)
async fn refuse_nested(call: &Call, path: &str) -> Result<(), Refused> {
    let own = format!("{}{path}", paths::QUOTA);
    let mut stack = vec![own.clone()];
    while let Some(at) = stack.pop() {
        let Some(names) = names_of(call, &at).await? else { continue };
        if at != own && names.iter().any(|name| name == LIMITS) {
            let child = limited(&at);
            return Err(Refused::new(format!("{path} has a child {child} which has a quota"))
                .with_hint(format!("delquota {child} takes that away")));
        }
        let below = names.iter().filter(|name| *name != LIMITS && *name != STATS);
        stack.extend(below.map(|name| paths::join(&at, name)));
    }
    for (at, _) in path.match_indices('/').skip(1) {
        let above = format!("{}{}", paths::QUOTA, &path[..at]);
        let Some(names) = names_of(call, &above).await? else { return Ok(()) };
        if names.iter().any(|name| name == LIMITS) {
            let parent = limited(&above);
            return Err(Refused::new(format!("{path} has a parent {parent} which has a quota"))
                .with_hint(format!("delquota {parent} takes that away")));
        }
    }
    Ok(())
}

/// `None` if there is no such node.
async fn names_of(call: &Call, path: &str) -> Result<Option<Vec<String>>, Refused> {
    match call.client.get_names(path).await {
        Ok(names) => Ok(Some(names)),
        Err(failure) if failure.code == code::NO_NODE => Ok(None),
        Err(failure) => Err(Refused::of(failure, Some(path))),
    }
}

async fn make(call: &Call, path: &str, data: Option<String>) -> Result<(), Refused> {
    let (data, mode) = (data.map(Bytes::from), CreateMode::default());
    match call.client.create(path, data, Acl::open(), mode).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.code == code::NODE_EXISTS => Ok(()),
        Err(failure) => Err(Refused::of(failure, Some(path))),
    }
}

async fn write_limit(
    call: &Call,
    path: &str,
    name: &str,
    number: i64,
) -> Result<StatsTrack, Refused> {
    let (limits, stats) = (limits_of(path), stats_of(path));
    if let Some(mut track) = track_of(call, &limits).await? {
        track.set(name, number);
        warn_if_exceeded(call, &track, &stats).await?;
        let data = Some(Bytes::from(track.to_string()));
        call.client.set_data(&limits, data, -1).await.map_err(about(&limits))?;
        return Ok(track);
    }
    let own = format!("{}{path}", paths::QUOTA);
    for (at, _) in own.match_indices('/').skip(1) {
        make(call, &own[..at], None).await?;
    }
    make(call, &own, None).await?;
    let mut track = StatsTrack::default();
    KINDS.iter().for_each(|(_, name, _)| track.set(name, -1));
    track.set(name, number);
    make(call, &limits, Some(track.to_string())).await?;
    let mut usage = StatsTrack::default();
    ["count", "bytes"].iter().for_each(|name| usage.set(name, 0));
    make(call, &stats, Some(usage.to_string())).await?;
    warn_if_exceeded(call, &track, &stats).await?;
    Ok(track)
}

async fn warn_if_exceeded(call: &Call, limits: &StatsTrack, stats: &str) -> Result<(), Refused> {
    let Some(usage) = track_of(call, stats).await? else { return Ok(()) };
    let exceeds = |limit: i64, usage: i64| limit > -1 && limit < usage;
    let (count, bytes) = (usage.count(), usage.bytes());
    if exceeds(limits.count(), count) || exceeds(limits.count_hard_limit(), count) {
        call.print.line(&format!(
            "[Warning]: the count quota you create is less than the existing count:{count}"
        ));
    }
    if exceeds(limits.bytes(), bytes) || exceeds(limits.byte_hard_limit(), bytes) {
        call.print.line(&format!(
            "[Warning]: the bytes quota you create is less than the existing bytes:{bytes}"
        ));
    }
    Ok(())
}

/// `None` if there is no such node.
async fn track_of(call: &Call, path: &str) -> Result<Option<StatsTrack>, Refused> {
    let data = match call.client.get_data(path, false).await {
        Ok((data, _)) => data.unwrap_or_default(),
        Err(failure) if failure.code == code::NO_NODE => return Ok(None),
        Err(failure) => return Err(Refused::of(failure, Some(path))),
    };
    let unreadable =
        || Refused::new(format!("{path} is no quota")).with_hint("delquota takes it away");
    StatsTrack::parse(&data).map(Some).ok_or_else(unreadable)
}

fn track_json(track: &StatsTrack) -> Value {
    json!({
        "count": track.count(), "bytes": track.bytes(),
        "countHardLimit": track.count_hard_limit(), "byteHardLimit": track.byte_hard_limit(),
    })
}

async fn list_quota(call: Call) -> Result<(), Refused> {
    let path = call.word(0)?.to_owned();
    let (limits, stats) = (limits_of(&path), stats_of(&path));
    call.print.note(&format!("absolute path is {limits}"));
    checked(&path)?;
    let found = (track_of(&call, &limits).await?, track_of(&call, &stats).await?);
    if let Some(limits) = &found.0 {
        call.print.line(&format!("Output quota for {path} {limits}"));
    }
    match &found {
        (Some(_), Some(usage)) => call.print.line(&format!("Output stat for {path} {usage}")),
        _ => call.print.note(&format!("quota for {path} does not exist.")),
    }
    call.print.answer(|| json!({
        "path": path,
        "limits": found.0.as_ref().map(track_json),
        "usage": found.1.as_ref().map(|usage| json!({ "count": usage.count(), "bytes": usage.bytes() })),
    }));
    Ok(())
}

async fn del_quota(call: Call) -> Result<(), Refused> {
    let asked = asked(&call)?;
    let path = call.path()?;
    let limits = limits_of(&path);
    let Some(mut track) = track_of(&call, &limits).await? else {
        call.print.line(&format!("Quota does not exist for {path}"));
        call.print.answer(|| json!({ "path": path, "limits": null }));
        return Ok(());
    };
    if let Some((name, _, _)) = asked {
        track.set(name, -1);
        let data = Some(Bytes::from(track.to_string()));
        call.client.set_data(&limits, data, -1).await.map_err(about(&limits))?;
        call.print.answer(|| json!({ "path": path, "limits": track_json(&track) }));
        return Ok(());
    }
    let mut at = format!("{}{path}", paths::QUOTA);
    for name in names_of(&call, &at).await?.unwrap_or_default() {
        // What other quotas below stand in is not ours.
        let child = paths::join(&at, &name);
        settle(call.client.delete(&child, -1).await, &child)?;
    }
    while at != paths::QUOTA && names_of(&call, &at).await?.is_some_and(|names| names.is_empty()) {
        settle(call.client.delete(&at, -1).await, &at)?;
        at = paths::parent(&at).unwrap_or(paths::QUOTA).to_owned();
    }
    call.print.answer(|| json!({ "path": path, "limits": null }));
    Ok(())
}

fn settle(deleted: Result<(), Failure>, path: &str) -> Result<(), Refused> {
    deleted.map_err(about(path))
}
