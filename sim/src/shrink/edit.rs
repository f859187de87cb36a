//! Changes of a draft that keep it a scenario: without a server, without what has lost its object.

use std::collections::BTreeSet;

use quorate::base::ServerId;
use toml::Value;

use crate::grammar::When;
use crate::scenario::draft::Draft;
use crate::scenario::{Action, ClientAct, Expectation, Line};

/// Every server an action names.
pub(super) fn servers_of(action: &Action) -> BTreeSet<ServerId> {
    match action {
        Action::Fault(fault) => fault.named().into_iter().collect(),
        Action::Client { act: ClientAct::Connects(servers), .. } => {
            servers.iter().copied().collect()
        }
        Action::Client { .. } => BTreeSet::new(),
        Action::Expect(clauses) => clauses.iter().flat_map(servers_of_clause).collect(),
    }
}

fn servers_of_clause(clause: &Expectation) -> Vec<ServerId> {
    match clause {
        Expectation::Leader { servers, .. }
        | Expectation::InRole { servers, .. }
        | Expectation::Down(servers) => servers.clone(),
        Expectation::NotLeader(server)
        | Expectation::Last { server, .. }
        | Expectation::Truncated { server, .. }
        | Expectation::Synced { server, .. } => vec![*server],
        Expectation::NoLeader | Expectation::Client { .. } => Vec::new(),
    }
}

/// The action without this server; `None` if nothing is left of it.
pub(super) fn action_without(action: &Action, gone: ServerId) -> Option<Action> {
    match action {
        Action::Fault(fault) => fault.without(gone).map(Action::Fault),
        Action::Client { name, act: ClientAct::Connects(servers) } => {
            let servers: Vec<ServerId> =
                servers.iter().copied().filter(|server| *server != gone).collect();
            let act = ClientAct::Connects(servers.clone());
            (!servers.is_empty()).then(|| Action::Client { name: name.clone(), act })
        }
        Action::Client { .. } => Some(action.clone()),
        Action::Expect(clauses) => {
            let clauses: Vec<Expectation> =
                clauses.iter().filter_map(|clause| clause_without(clause, gone)).collect();
            (!clauses.is_empty()).then_some(Action::Expect(clauses))
        }
    }
}

fn clause_without(clause: &Expectation, gone: ServerId) -> Option<Expectation> {
    let mut clause = clause.clone();
    match &mut clause {
        Expectation::Leader { servers, .. }
        | Expectation::InRole { servers, .. }
        | Expectation::Down(servers) => {
            servers.retain(|server| *server != gone);
            (!servers.is_empty()).then_some(clause)
        }
        _ => (!servers_of_clause(&clause).contains(&gone)).then_some(clause),
    }
}

/// The draft without this server.
pub(super) fn without_server(draft: &Draft, gone: ServerId) -> Draft {
    let mut draft = draft.clone();
    for key in ["voters", "observers"] {
        let left: Vec<i64> = draft.members(key).into_iter().filter(|id| *id != gone.0).collect();
        if left.is_empty() {
            draft.remove("ensemble", key);
        } else {
            let left = left.into_iter().map(Value::Integer).collect::<Vec<Value>>();
            draft.set("ensemble", key, Value::Array(left));
        }
    }
    if let Some(Value::Table(ensemble)) = draft.table.get_mut("ensemble") {
        for key in ["weights", "disk"] {
            if let Some(Value::Table(by_server)) = ensemble.get_mut(key) {
                by_server.remove(&gone.0.to_string());
            }
        }
    }
    let lines = draft.lines.into_iter().filter_map(|line| line_without(line, gone)).collect();
    tidy(Draft { table: draft.table, lines })
}

fn line_without(line: Line, gone: ServerId) -> Option<Line> {
    if let When::On(_, trigger) = &line.when
        && trigger.names(gone)
    {
        return None;
    }
    let actions: Vec<Action> =
        line.actions.iter().filter_map(|action| action_without(action, gone)).collect();
    (!actions.is_empty()).then_some(Line { actions, ..line })
}

/// Sorts lines by time; removes what clients do that never connect, and what is expected of them.
pub(super) fn tidy(mut draft: Draft) -> Draft {
    draft.lines.sort_by_key(|line| line.when.since());
    let mut connected = BTreeSet::from(["probe".to_owned()]);
    for line in &mut draft.lines {
        line.actions.retain_mut(|action| match action {
            Action::Client { name, act: ClientAct::Connects(_) } => {
                connected.insert(name.clone());
                true
            }
            Action::Client { name, .. } => connected.contains(name),
            Action::Expect(clauses) => {
                clauses.retain(|clause| match clause {
                    Expectation::Client { name, .. } => connected.contains(name),
                    _ => true,
                });
                !clauses.is_empty()
            }
            _ => true,
        });
    }
    draft.lines.retain(|line| !line.actions.is_empty());
    draft
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use std::path::Path;

    fn draft(lines: &str) -> Draft {
        let text = format!(
            "about = \"x\"\n[ensemble]\nvoters = [1, 2, 3]\nobservers = [4]\nweights = {{ 2 = 2 }}\n\
             disk.2 = {{ last = \"0x100000001\" }}\ntimeline = [{lines}]\n"
        );
        let scenario =
            Scenario::parse(Path::new("a.toml"), &text).unwrap_or_else(|e| panic!("{e}"));
        let lines = scenario.cases[0].timeline.clone();
        Draft::new(&scenario, 0, lines).expect("a scenario is TOML")
    }

    fn lines(draft: &Draft) -> Vec<String> {
        draft.lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn without_a_server_nothing_names_it_and_the_file_is_still_one() {
        let draft = draft(
            r#""0s start 1 2 3 4", "1s cut 1 2 | 3 4", "1s cut 2 | 3", "2s cut 2 -> 1 3",
            "3s delay 1 -> 2 3 5ms", "on 2 established  crash 1", "on 1 sends ACK to 2  crash 1",
            "4s client a connects 2", "5s client a get /x", "5s client b connects 1 2",
            "6s client b get /x", "9s cut client 1 2",
            "9s expect leader 2, 1 2 following, last 2 0x100000001, client a ok, client b ok""#,
        );
        let less = without_server(&draft, ServerId(2));
        assert_eq!(
            lines(&less),
            [
                "0s  start 1 3 4",
                "1s  cut 1 | 3 4",
                "3s  delay 1 -> 3 5ms",
                "5s  client b connects 1",
                "6s  client b get /x",
                "9s  cut client 1",
                "9s  expect 1 following, client b ok",
            ]
        );
        let read = less.compile(Path::new("b.toml")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.ensemble.servers().len(), 3);
        assert!(read.ensemble.disks.is_empty());
    }

    #[test]
    fn without_its_last_observer_a_scenario_has_none() {
        let less = without_server(&draft(r#""0s start 1 2 3 4""#), ServerId(4));
        assert!(!less.text().contains("observers"), "{}", less.text());
        assert_eq!(lines(&less), ["0s  start 1 2 3"]);
    }
}
