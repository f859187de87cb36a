//! What a service manager hears of a server: systemd's protocol, with a socket of this test.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::ensemble::{Plan, wait_for};

/// What is said next; `None` if nothing is said for a moment.
fn hear(socket: &UnixDatagram) -> Option<String> {
    let mut buffer = [0; 4096];
    let len = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8(buffer[..len].to_vec()).expect("text"))
}

fn patient(socket: UnixDatagram) -> UnixDatagram {
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a socket");
    socket
}

/// Waits for these words; the answer is what else was said before.
fn wait_for_words(socket: &UnixDatagram, words: &str) -> Vec<String> {
    let mut before = Vec::new();
    wait_for(words, || {
        while let Some(said) = hear(socket) {
            if said == words {
                return Some(());
            }
            before.push(said);
        }
        None
    });
    before
}

#[test]
fn a_server_is_ready_when_it_serves_and_says_that_it_stops() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    let path = ensemble.server(1).home.join("notify");
    let socket = patient(UnixDatagram::bind(&path).expect("a new socket"));
    let path = path.to_str().expect("text").to_owned();
    let variables = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "100000")];
    ensemble.server_mut(1).start_with_variables(&variables);
    // It lives, and looks for a leader.
    for _ in 0..5 {
        assert!(wait_for_words(&socket, "WATCHDOG=1").is_empty());
    }
    ensemble.server_mut(2).start();
    let before = wait_for_words(&socket, "READY=1");
    assert!(before.iter().all(|said| said == "WATCHDOG=1"), "{before:?}");
    ensemble.server(1).terminate();
    let before = wait_for_words(&socket, "STOPPING=1");
    assert!(before.iter().all(|said| said == "WATCHDOG=1"), "it is ready once: {before:?}");
    assert_eq!(ensemble.server_mut(1).wait_for_its_end().code(), Some(0));
}

#[test]
fn an_abstract_socket_is_told_and_a_watchdog_of_another_process_is_not() {
    let mut ensemble = Plan::standalone().lay_out();
    let name = format!("quorate-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let socket = patient(UnixDatagram::bind_addr(&address).expect("a new socket"));
    let name = format!("@{name}");
    let variables =
        [("NOTIFY_SOCKET", name.as_str()), ("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    ensemble.server_mut(1).start_with_variables(&variables);
    assert!(wait_for_words(&socket, "READY=1").is_empty());
    ensemble.server(1).terminate();
    assert!(wait_for_words(&socket, "STOPPING=1").is_empty());
}

#[test]
fn a_manager_that_is_not_there_is_no_reason_to_fail() {
    let mut ensemble = Plan::standalone().lay_out();
    let variables = [("NOTIFY_SOCKET", "/nowhere/at/all"), ("WATCHDOG_USEC", "1000000")];
    ensemble.server_mut(1).start_with_variables(&variables);
    ensemble.server_mut(1).wait_until_it_serves();
}
