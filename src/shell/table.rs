//! Every command there is, one table a family.

use super::command::{Command, Verb};
use super::{
    acls, deletes, diff, edit, ensemble, follow, nodes, quotas, searches, subtrees, transfer,
    watches,
};

/// What the shell does by itself.
const OF_SHELL: &[Command] = &[
    Command::of_shell(
        "connect",
        "host:port",
        "Leaves this session for one at other servers.",
        Verb::Connect,
    ),
    Command::of_shell("close", "", "Ends the session; connect begins another.", Verb::Close),
    Command::of_shell("quit", "", "Ends the session and the shell.", Verb::Quit),
    Command::of_shell("exit", "", "Does what quit does.", Verb::Quit),
    Command::of_shell("history", "", "Shows the last commands with their numbers.", Verb::History),
    Command::of_shell("redo", "cmdno", "Does the command of that number again.", Verb::Redo),
    Command::of_shell(
        "printwatches",
        "on|off",
        "Says whether watch events are shown, or changes that.",
        Verb::PrintWatches,
    ),
    Command::of_shell("help", "[command]", "Shows this list, or what a command takes.", Verb::Help),
];

/// Those of zkCli.sh.
const OF_ZKCLI: [&[Command]; 7] = [
    OF_SHELL,
    nodes::COMMANDS,
    deletes::COMMANDS,
    acls::COMMANDS,
    watches::COMMANDS,
    quotas::COMMANDS,
    ensemble::COMMANDS,
];

/// Those that it never had.
const BEYOND: [&[Command]; 6] = [
    subtrees::COMMANDS,
    searches::COMMANDS,
    follow::COMMANDS,
    transfer::COMMANDS,
    edit::COMMANDS,
    diff::COMMANDS,
];

/// By name, sorted.
pub(super) fn all() -> Vec<&'static Command> {
    sorted(OF_ZKCLI.into_iter().chain(BEYOND))
}

fn sorted(families: impl Iterator<Item = &'static [Command]>) -> Vec<&'static Command> {
    let mut commands: Vec<_> = families.flatten().collect();
    commands.sort_by_key(|command| command.name);
    commands
}

pub(super) fn find_command(name: &str) -> Option<&'static Command> {
    all().into_iter().find(|command| command.name == name)
}

/// What Apache's shell says when it does not know a command: its own ones.
pub(super) fn usage() -> String {
    let mut text =
        String::from("ZooKeeper -server host:port -client-configuration properties-file cmd args");
    for command in sorted(OF_ZKCLI.into_iter()) {
        text.push_str(&format!("\n\t{} {}", command.name, command.usage));
    }
    text
}

/// Every command with its sentence.
pub(super) fn help() -> String {
    let lines = all().into_iter().map(|command| {
        // What stands behind # explains itself.
        let usage = command.usage.split(" #").next().unwrap_or_default();
        format!("{}\n    {}", format!("{} {usage}", command.name).trim_end(), command.help)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// One command with its options.
pub(super) fn help_of(command: &Command) -> String {
    let mut text = format!("{} {}", command.name, command.usage).trim_end().to_owned();
    text.push_str(&format!("\n    {}", command.help));
    for option in command.options {
        let shown = format!("-{}{}", option.name, if option.has_value { " <arg>" } else { "" });
        text.push_str(&format!("\n  {shown:<15} {}", option.help));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_name_of_its_own_and_a_sentence() {
        let all = all();
        assert!(all.windows(2).all(|pair| pair[0].name < pair[1].name));
        for command in all {
            assert!(command.help.ends_with('.'), "{}", command.name);
        }
    }
}
