//! The addresses at which servers listen, and those that they look up.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use crate::ensemble::{Plan, wait_for};

/// A machine without IPv6 has only one of the two.
fn loopbacks() -> Vec<IpAddr> {
    let both = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    both.into_iter().filter(|ip| TcpListener::bind((*ip, 0)).is_ok()).collect()
}

fn ask(address: SocketAddr, word: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn without_an_address_clients_are_heard_by_both_kinds_of_ip() {
    let mut alone = Plan::standalone().lay_out();
    let port = alone.server(1).address.port();
    for host in ["", "clientPortAddress=0.0.0.0\n", "clientPortAddress=::\n"] {
        let server = alone.server_mut(1);
        server.edit_config(|text| {
            let kept = text.lines().filter(|line| !line.starts_with("clientPortAddress"));
            kept.map(|line| format!("{line}\n")).collect::<String>() + host
        });
        server.start();
        server.wait_until_it_serves();
        for ip in loopbacks() {
            let answer = ask((ip, port).into(), "ruok").expect("it listens there");
            assert_eq!(answer, "imok", "{host:?} {ip}");
        }
        // They count by the address that they have, however they came in.
        let stat = ask((Ipv4Addr::LOCALHOST, port).into(), "stat").expect("it listens there");
        assert!(stat.contains("/127.0.0.1:") && !stat.contains("ffff"), "{stat}");
        server.kill();
    }
}

#[test]
fn a_client_port_address_may_stand_in_brackets() {
    if !loopbacks().contains(&Ipv6Addr::LOCALHOST.into()) {
        return;
    }
    let mut alone = Plan::standalone().setting("clientPortAddress=[::1]").lay_out();
    let server = alone.server_mut(1);
    server.start();
    let address = (Ipv6Addr::LOCALHOST, server.address.port()).into();
    let serves = |answer: &String| answer.contains("Mode: ");
    let answer = wait_for("it to serve", || ask(address, "srvr").ok().filter(serves));
    assert!(answer.contains("Mode: standalone"), "{answer}");
    assert!(server.word("ruok").is_err(), "it listens there alone");
}

#[test]
fn servers_find_each_other_by_ipv6() {
    if !loopbacks().contains(&Ipv6Addr::LOCALHOST.into()) {
        return;
    }
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    for id in [1, 2, 3] {
        let own_open = if id == 2 { "quorumListenOnAllIPs=true\n" } else { "" };
        ensemble.server(id).edit_config(|text| {
            let line = |line: &str| match line.strip_prefix("server.") {
                Some(_) => line.replace("127.0.0.1", "[::1]") + "\n",
                None => format!("{line}\n"),
            };
            text.lines().map(line).collect::<String>() + own_open
        });
    }
    ensemble.start_all();
    ensemble.wait_until_all_serve();
    let leader = ensemble.leader();
    ensemble.server_mut(leader).kill();
    ensemble.wait_until_all_serve();
    ensemble.server_mut(leader).start();
    ensemble.wait_until_all_serve();
    ensemble.client(1).create("/a", "", 0).expect("a new node");
    ensemble.assert_same_trees();
}

#[test]
fn an_own_line_open_to_all_leads_and_is_followed() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    for id in [1, 2, 3] {
        ensemble.server(id).edit_config(|text| {
            let own = format!("server.{id}=");
            let line = |line: &str| match line.starts_with(&own) {
                true => line.replace("127.0.0.1", "0.0.0.0") + "\n",
                false => format!("{line}\n"),
            };
            text.lines().map(line).collect()
        });
    }
    ensemble.start_all();
    ensemble.wait_until_all_serve();
    let leader = ensemble.leader();
    ensemble.server_mut(leader).kill();
    ensemble.wait_until_all_serve();
    assert_ne!(ensemble.leader(), leader);
}

#[test]
fn an_own_name_that_does_not_resolve_is_tried_again_before_the_server_ends() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).lay_out();
    let unknown = |text: String| {
        let line = |line: &str| match line.starts_with("server.3=") {
            true => line.replace("127.0.0.1", "own-name.invalid") + "\n",
            false => format!("{line}\n"),
        };
        text.lines().map(line).collect::<String>()
    };
    for id in [1, 2, 3] {
        ensemble.server(id).edit_config(unknown);
        ensemble.server_mut(id).start();
    }
    let server = ensemble.server_mut(3);
    assert_eq!(server.wait_for_its_end().code(), Some(14), "ExitCode.UNABLE_TO_BIND_QUORUM_PORT");
    let said = server.log();
    assert_eq!(said.matches("cannot open the election port, trying again").count(), 2, "{said}");
    assert!(said.contains("cannot open the quorum port, trying again"), "{said}");
    assert!(said.lines().last().is_some_and(|last| last.contains("election port")), "{said}");
    // The others are a quorum.
    ensemble.wait_until_all_serve();
    // And with 0 it waits for its name for ever.
    ensemble.server(3).edit_config(|text| text + "electionPortBindRetry=0\n");
    let server = ensemble.server_mut(3);
    server.start();
    server.wait_for_words_often("cannot open the election port, trying again", 2 + 4);
    server.assert_it_lives();
}
