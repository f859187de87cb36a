//! What a session of the shell outlives, and who it is.

use std::fs;

use crate::ensemble::{Plan, wait_for};
use crate::program::{Shell, ask, ask_with, feed, run};

#[test]
fn a_watch_and_an_ephemeral_node_outlive_a_server_s_restart() {
    let mut ensemble = Plan::standalone().start();
    let address = ensemble.servers[0].address;
    let mut shell = Shell::open(&address.to_string());
    for line in ["create /w one", "create -e /e mine", "get -w /w", "addWatch /w"] {
        shell.tell(line);
    }
    shell.hears("Created /e");
    shell.tell("getEphemerals");
    shell.hears("[/e]");
    ensemble.servers[0].restart();
    ensemble.wait_until_all_serve();
    shell.hears("state:Disconnected type:None");
    wait_for("a session that goes on", || {
        (shell.said().matches("state:SyncConnected type:None").count() == 2).then_some(())
    });
    assert_eq!(ask(address, &["set", "/w", "two"]).code, 0);
    shell.hears("type:NodeDataChanged path:/w");
    assert_eq!(ask(address, &["create", "/w/child", "x"]).code, 0);
    shell.hears("type:NodeCreated path:/w/child");
    let stat = ask(address, &["stat", "/e"]);
    assert!(stat.code == 0 && !stat.out.contains("ephemeralOwner = 0x0\n"), "{stat:?}");
    shell.tell("quit");
    wait_for("the end of the ephemeral node", || {
        (ask(address, &["stat", "/e"]).code == 1).then_some(())
    });
}

#[test]
fn a_chroot_is_the_root_of_every_path() {
    let ensemble = Plan::standalone().start();
    let address = ensemble.servers[0].address;
    assert_eq!(ask(address, &["create", "/app", ""]).code, 0);
    let server = format!("127.0.0.1:1,{address}/app");
    let answer = run(&["-server", &server, "create", "/x", "data"]);
    assert_eq!((answer.code, answer.err.as_str()), (0, "Created /x\n"));
    assert!(run(&["-server", &server, "ls", "/"]).out.ends_with("\n[x]\n"));
    assert!(ask(address, &["ls", "/app"]).out.ends_with("\n[x]\n"));
    let missing = run(&["-server", &server, "get", "/y"]);
    assert_eq!((missing.code, missing.err.as_str()), (1, "Node does not exist: /y\n"));
    let mut shell = Shell::open(&format!("{address}/app"));
    shell.tell("get -w /x");
    shell.tell("set /x changed");
    shell.hears("type:NodeDataChanged path:/x zxid");
}

#[test]
fn nobody_there_is_said_with_what_to_do() {
    let answer = run(&["-server", "127.0.0.1:1", "ls", "/"]);
    assert_eq!((answer.code, answer.out.as_str()), (1, "Connecting to 127.0.0.1:1\n"));
    assert!(answer.err.starts_with("KeeperErrorCode = ConnectionLoss for /\nhint: 127.0.0.1:1: "));
    let answer =
        run(&["-server", "127.0.0.1:1", "-timeout", "1500", "-waitforconnection", "ls", "/"]);
    assert_eq!(answer.code, 1);
    for words in
        [&["-server", "a:b"][..], &["-nope"], &["-client-configuration", "/none", "ls", "/"]]
    {
        let answer = run(words);
        assert_eq!(answer.code, 2, "{answer:?}");
    }
}

#[test]
fn help_needs_no_server() {
    let answer = run(&["help"]);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    assert!(answer.out.starts_with("addWatch [-m mode] path\n    Watches"), "{answer:?}");
    let create = run(&["help", "create"]);
    assert!(create.out.contains("  -t <arg>"), "{create:?}");
    assert_eq!(run(&["help", "nosuch"]).code, 127);
}

#[test]
fn a_script_ends_with_the_code_of_its_last_command() {
    let ensemble = Plan::standalone().start();
    let address = ensemble.servers[0].address;
    assert_eq!(feed(address, &[], "get /none\nls /\n").code, 0);
    assert_eq!(feed(address, &[], "ls /\nget /none\n").code, 1);
    assert_eq!(feed(address, &[], "nosuch\nquit\n").code, 127);
    let unclosed = feed(address, &[], "create /a 'x\n");
    assert_eq!(unclosed.code, 1);
    assert!(unclosed.err.starts_with("the quote at character 11 has no end\n"), "{}", unclosed.err);
}

#[test]
fn who_the_client_is_stands_in_a_jaas_file() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let module = "org.apache.zookeeper.server.auth.DigestLoginModule required";
    let jaas = dir.path().join("jaas.conf");
    let write = |password: &str| {
        let text = format!(
            "Server {{ {module} user_bob=\"secret\"; }};\n\
             Client {{ {module} username=\"bob\" password=\"{password}\"; }};\n"
        );
        fs::write(&jaas, text).expect("a writable directory");
    };
    write("secret");
    let flag = format!("-Djava.security.auth.login.config={}", jaas.display());
    let mut ensemble = Plan::standalone().lay_out();
    ensemble.servers[0].start_with_variables(&[("SERVER_JVMFLAGS", &flag)]);
    ensemble.wait_until_all_serve();
    let address = ensemble.servers[0].address;
    let bob = ask_with(address, &[("CLIENT_JVMFLAGS", &flag)], &["whoami"]);
    assert!(bob.out.contains("state:SaslAuthenticated"), "{bob:?}");
    assert!(bob.out.contains("\nsasl: bob\n"), "{bob:?}");
    write("wrong");
    let stranger = ask_with(address, &[("CLIENT_JVMFLAGS", &flag)], &["whoami"]);
    assert_eq!(stranger.code, 1);
    assert!(stranger.err.starts_with("KeeperErrorCode = AuthFailed\nhint: "), "{stranger:?}");
}

#[test]
fn a_server_without_a_leader_is_read_from_by_those_who_ask_for_it() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).setting("readonlymode.enabled=true").start();
    let address = ensemble.server(3).address;
    assert_eq!(ask(address, &["create", "/a", "data"]).code, 0);
    for id in [1, 2] {
        ensemble.server_mut(id).kill();
    }
    wait_for("a server that serves reads", || {
        let answer = ask(address, &["-r", "get", "/a"]);
        (answer.code == 0 && answer.out.contains("state:ConnectedReadOnly")).then_some(())
    });
    let refused = ask(address, &["-r", "set", "/a", "x"]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.starts_with("Not a read-only call: /a\nhint: "), "{refused:?}");
    let mut shell = Shell::open_with(&["-r"], &address.to_string());
    shell.hears("state:ConnectedReadOnly");
    for id in [1, 2] {
        ensemble.server_mut(id).start();
    }
    ensemble.wait_until_all_serve();
    shell.hears("state:SyncConnected type:None");
    shell.tell("set /a written");
    shell.tell("get /a");
    shell.hears("\nwritten\n");
}
