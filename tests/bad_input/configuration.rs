//! A zoo.cfg or myid that is wrong, and a port that somebody else has.

use std::fs;
use std::net::TcpListener;

use crate::ensemble::{Client, Plan, Session};

/// Starts a server of this plan on a changed zoo.cfg. Returns its exit code and what it said.
fn start_on(plan: Plan, edit: impl FnOnce(String) -> String) -> (Option<i32>, String) {
    let mut ensemble = plan.lay_out();
    let server = ensemble.server_mut(1);
    server.edit_config(edit);
    server.start();
    let code = server.wait_for_its_end().code();
    assert!(server.files("data").is_empty(), "nothing is written before all is understood");
    (code, server.log())
}

/// The last line of what was said, from the name of the file on.
fn last_line(said: &str) -> String {
    let line = said.lines().last().unwrap_or_default();
    assert!(line.starts_with("Invalid config, exiting abnormally: "), "{said}");
    line.split('/').next_back().unwrap_or(line).to_string()
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_one() {
    let strict = Plan::standalone().setting("config.strict=true");
    let (code, said) = start_on(strict, |text| format!("tikcTime=100\n{text}"));
    assert_eq!(code, Some(2));
    assert_eq!(last_line(&said), "zoo.cfg:1:1: unknown key \"tikcTime\", did you mean tickTime?");
}

#[test]
fn a_mistyped_value_is_shown_with_what_was_expected() {
    let (code, said) = start_on(Plan::standalone().setting("tickTime=2s"), |text| text);
    assert_eq!(code, Some(2));
    assert!(said.contains("tickTime is \"2s\", expected a whole number of milliseconds"), "{said}");
}

#[test]
fn a_comment_behind_a_value_has_a_text_of_its_own() {
    let commented = |text: String| format!("snapCount=1000  # less often\n{text}");
    let (code, said) = start_on(Plan::standalone(), commented);
    assert_eq!(code, Some(2));
    let line = last_line(&said);
    assert!(line.starts_with("zoo.cfg:1:"), "{line}");
    assert!(line.contains("\"# less often\" behind the value of snapCount"), "{line}");
}

#[test]
fn a_missing_myid_is_asked_for_with_the_numbers_that_fit() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    let server = ensemble.server_mut(2);
    fs::remove_file(server.data_dir().join("myid")).expect("it was laid out");
    server.start();
    assert_eq!(server.wait_for_its_end().code(), Some(2));
    let said = server.log();
    assert!(said.contains("myid is missing"), "{said}");
    assert!(said.contains("servers of the ensemble: 1, 2, 3"), "{said}");
}

#[test]
fn a_myid_of_another_ensemble_is_refused() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    let server = ensemble.server_mut(2);
    fs::write(server.data_dir().join("myid"), "7\n").expect("a writable directory");
    server.start();
    assert_eq!(server.wait_for_its_end().code(), Some(2));
    let line = last_line(&server.log());
    assert_eq!(line, "myid: there is no server.7 in the ensemble (its servers: 1, 2, 3)");
}

#[test]
fn a_client_port_in_use_ends_the_start_and_nothing_is_lost() {
    let mut alone = Plan::standalone().start();
    let address = alone.server(1).address;
    alone.client(1).create("/a", "kept", 0).expect("a new node");
    alone.server_mut(1).kill();

    let stranger = TcpListener::bind(address).expect("the server has gone");
    let server = alone.server_mut(1);
    let before = server.log().len();
    server.start();
    let status = server.wait_for_its_end();
    assert!(status.code().is_some_and(|code| code != 0), "{status:?}");
    let said = server.log()[before..].to_string();
    let last = said.lines().last().unwrap_or_default();
    let clear = format!("cannot open the client port: listen on {address}: Address already in use");
    assert!(last.contains(&clear), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    drop(stranger);

    alone.server_mut(1).start();
    let mut client = Client::reach(&[address], &Session::new(30_000));
    assert_eq!(client.get("/a", false).map(|(text, _)| text), Ok("kept".into()));
}

#[test]
fn two_client_ports_that_differ_are_refused_by_one_server_too() {
    let (code, said) = start_on(Plan::standalone(), |text| {
        format!("{text}initLimit=5\nsyncLimit=2\nserver.1=127.0.0.1:2888:3888;2182\n")
    });
    assert_eq!(code, Some(2));
    assert!(last_line(&said).contains("server.1 gives 0.0.0.0:2182 for clients"), "{said}");
}

#[test]
fn another_directory_for_logs_has_the_exit_code_of_the_directories() {
    let mut alone = Plan::standalone().start();
    alone.client(1).create("/a", "", 0).expect("a new node");
    let server = alone.server_mut(1);
    server.kill();
    let elsewhere = format!("dataLogDir={}\n", server.home.join("log").display());
    server.edit_config(|text| text + &elsewhere);
    server.start();
    assert_eq!(server.wait_for_its_end().code(), Some(3), "ExitCode.UNABLE_TO_ACCESS_DATADIR");
    assert!(server.log().contains("lies in the wrong directory"), "{}", server.log());
}

#[test]
fn an_election_port_in_use_ends_the_start() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    let address = ensemble.election_address(2);
    let _stranger = TcpListener::bind(address).expect("the ports of this test are its own");
    let server = ensemble.server_mut(2);
    server.start();
    assert_eq!(server.wait_for_its_end().code(), Some(14), "ExitCode.UNABLE_TO_BIND_QUORUM_PORT");
    let said = server.log();
    let named = |line: &str| line.contains("election port") && line.contains(&address.to_string());
    assert!(said.lines().any(named), "{said}");
}

#[test]
fn a_quorum_port_in_use_ends_the_leader() {
    // The stranger accepts whoever wants to follow, and says nothing: initLimit ends that.
    let mut ensemble = Plan::voters(&[1, 2, 3]).setting("initLimit=4").lay_out();
    let address = ensemble.quorum_address(3);
    let stranger = TcpListener::bind(address).expect("the ports of this test are its own");
    ensemble.server_mut(2).start();
    ensemble.server_mut(3).start();
    // Of two empty servers the larger id is elected.
    let server = ensemble.server_mut(3);
    assert_eq!(server.wait_for_its_end().code(), Some(14), "ExitCode.UNABLE_TO_BIND_QUORUM_PORT");
    let clear = format!("cannot open the quorum port: listen on {address}: Address already in use");
    assert!(server.log().contains(&clear), "{}", server.log());
    // The others do without it, and it can come back.
    ensemble.server_mut(1).start();
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.leader(), 2);
    drop(stranger);
    ensemble.server_mut(3).start();
    ensemble.wait_until_all_serve();
    ensemble.assert_same_trees();
}
