//! config, reconfig, version: the ensemble, and this program.

use std::fs;

use serde_json::json;

use super::command::{Call, Command};
use super::options::Opt;
use super::refused::Refused;
use super::text;
use crate::admin::VERSION;
use crate::client::Reconfiguration;

pub(super) const COMMANDS: &[Command] = &[
    Command::ask(
        "config",
        "[-c] [-w] [-s]",
        "Shows the servers of the ensemble, -c as a list for clients.",
        |call| Box::pin(config(call)),
    )
    .options(&[
        Opt::flag("s", "stats"),
        Opt::flag("w", "watch"),
        Opt::flag("c", "client connection string"),
    ]),
    Command::ask(
        "reconfig",
        "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | \
         [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        "Changes the servers of the ensemble, -v only if it has that version (in hex).",
        |call| Box::pin(reconfig(call)),
    )
    .options(&[
        Opt::flag("s", "stats"),
        Opt::value("v", "required current config version"),
        Opt::value("file", "path of config file to parse for membership"),
        Opt::value(
            "members",
            "comma-separated list of config strings for non-incremental reconfig",
        ),
        Opt::value("add", "comma-separated list of config strings for new servers"),
        Opt::value("remove", "comma-separated list of server IDs to remove"),
    ]),
    Command::ask("version", "", "Shows the version of this shell.", |call| Box::pin(version(call))),
];

async fn config(call: Call) -> Result<(), Refused> {
    let found = call.client.get_config(call.given.has("w")).await;
    let (data, stat) = found.map_err(|failure| Refused::of(failure, None))?;
    let text = data.map_or("null".into(), |data| String::from_utf8_lossy(&data).into_owned());
    call.print.line(&if call.given.has("c") { client_string(&text) } else { text.clone() });
    if call.given.has("s") {
        call.print.line(&text::stat_lines(&stat));
    }
    call.print.answer(|| {
        let servers = lines(&text).filter(|(key, _)| key.starts_with("server."));
        json!({
            "servers": servers.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>(),
            "version": lines(&text).find(|(key, _)| *key == "version").map(|(_, value)| value),
            "clients": client_addresses(&text),
            "stat": text::stat_json(&stat),
        })
    });
    Ok(())
}

fn lines(config: &str) -> impl Iterator<Item = (&str, &str)> {
    config
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
}

/// `version host:port,host:port`; nothing stands for a server without a client address.
/// (ConfigUtils.getClientConfigStr)
fn client_string(config: &str) -> String {
    let version = lines(config).find(|(key, _)| *key == "version").map_or("", |(_, value)| value);
    format!("{version} {}", client_addresses(config).join(","))
}

fn client_addresses(config: &str) -> Vec<String> {
    let servers = lines(config).filter(|(key, _)| key.starts_with("server."));
    servers
        .map(|(_, value)| match value.rsplit_once(';') {
            None => String::new(),
            Some((_, address)) if address.contains(':') => address.to_owned(),
            Some((_, port)) => format!("0.0.0.0:{port}"),
        })
        .collect()
}

async fn reconfig(call: Call) -> Result<(), Refused> {
    let given = |name: &str| call.given.value(name).map(str::to_lowercase);
    let (joining, leaving, members) = (given("add"), given("remove"), given("members"));
    let file = call.given.value("file");
    if file.is_none() && [&joining, &leaving, &members].iter().all(|list| list.is_none()) {
        return Err(call.command.misused());
    }
    let from_version = match call.given.value("v") {
        None => -1,
        Some(text) => i64::from_str_radix(text, 16).map_err(|_| {
            Refused::new("-v must be followed by a long (configuration version)")
                .with_hint("in hex, as the last line of config shows it")
        })?,
    };
    let is_whole = file.is_some() || members.is_some();
    if is_whole && (joining.is_some() || leaving.is_some()) {
        return Err(Refused::new(
            "Can't use -file or -members together with -add or -remove (mixing incremental and \
             non-incremental modes is not allowed)",
        ));
    }
    if file.is_some() && members.is_some() {
        return Err(Refused::new(
            "Can't use -file and -members together (conflicting non-incremental modes)",
        ));
    }
    let members = match file {
        None => members,
        Some(file) => Some(read_members(file)?),
    };
    let change = Reconfiguration { joining, leaving, members, from_version };
    let done = call.client.reconfigure(change).await;
    let (data, stat) = done.map_err(|failure| Refused::of(failure, None))?;
    let text = String::from_utf8_lossy(&data.unwrap_or_default()).into_owned();
    call.print.line(&format!("Committed new configuration:\n{text}"));
    if call.given.has("s") {
        call.print.line(&text::stat_lines(&stat));
    }
    call.print.answer(|| json!({ "config": text, "stat": text::stat_json(&stat) }));
    Ok(())
}

/// The lines of a file that name members; servers check them.
fn read_members(file: &str) -> Result<String, Refused> {
    let wrong = |why: &str| Refused::new(format!("Error processing {file}{why}"));
    // Java names the file again.
    let text = fs::read_to_string(file).map_err(|error| {
        let why = error.to_string();
        wrong(&format!("{file} ({})", why.split(" (os error").next().unwrap_or_default()))
    })?;
    let names = ["server.", "group.", "weight.", "version"];
    let is_member = |line: &&str| names.iter().any(|name| line.trim_start().starts_with(name));
    let members: Vec<&str> = text.lines().filter(is_member).collect();
    if members.is_empty() {
        return Err(wrong(": it has no line server.ID=HOST:PORT:PORT;CLIENT_PORT"));
    }
    Ok(members.join("\n"))
}

async fn version(call: Call) -> Result<(), Refused> {
    if !call.given.words.is_empty() {
        return Err(call.command.misused());
    }
    call.print.line(&format!("ZooKeeper CLI version: {VERSION}"));
    call.print.answer(|| json!({ "version": VERSION }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_for_clients_is_apache_s() {
        let config = "server.1=h:1:2:participant;10.0.0.1:3\nserver.2=h:1:2:observer;4\n\
                      server.3=h:1:2:participant\nversion=100000000";
        assert_eq!(client_string(config), "100000000 10.0.0.1:3,0.0.0.0:4,");
        assert_eq!(client_string(""), " ");
    }
}
