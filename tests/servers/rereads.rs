//! A configuration that changes while its server runs.

use std::fs;

use crate::ensemble::{Ensemble, Plan, wait_for};

fn write(ensemble: &Ensemble, change: impl FnOnce(String) -> String) {
    let file = ensemble.server(1).home.join("zoo.cfg");
    let text = fs::read_to_string(&file).expect("it was laid out");
    fs::write(&file, change(text)).expect("a writable file");
}

fn mntr(ensemble: &Ensemble) -> String {
    ensemble.server(1).word("mntr").expect("it is answered")
}

#[test]
fn words_and_limits_count_at_once_and_other_keys_are_named() {
    let ensemble = Plan::standalone().setting("4lw.commands.whitelist=srvr").start();
    assert!(mntr(&ensemble).contains("not in the whitelist"));
    write(&ensemble, |text| {
        text + "4lw.commands.whitelist=srvr, mntr\ntickTime=300\nmaxClientCnxns=1\n"
    });
    ensemble.server(1).hang_up();
    wait_for("the new whitelist", || mntr(&ensemble).contains("zk_version").then_some(()));
    let server = ensemble.server(1);
    server.wait_for_words(
        "tickTime has changed in the configuration: that counts from the next start on",
    );
    let _first = ensemble.client(1);
    let second = std::net::TcpStream::connect(server.address).expect("the port is open");
    server.wait_for_words("Too many connections");
    drop(second);
}

#[test]
fn a_bad_file_changes_nothing_and_says_why_and_a_good_one_is_noticed_without_a_signal() {
    let ensemble = Plan::standalone().setting("4lw.commands.whitelist=srvr").start();
    let before = fs::read_to_string(ensemble.server(1).home.join("zoo.cfg")).expect("a file");
    write(&ensemble, |text| text + "4lw.commands.whitelist=*\nmaxClientCnxns=many\n");
    ensemble.server(1).wait_for_words("the changed configuration has no effect: ");
    ensemble.server(1).wait_for_words("maxClientCnxns");
    assert!(mntr(&ensemble).contains("not in the whitelist"));
    write(&ensemble, |_| before + "4lw.commands.whitelist=*\n");
    wait_for("the new whitelist", || mntr(&ensemble).contains("zk_version").then_some(()));
}

#[test]
fn the_level_of_the_log_changes_unless_rust_log_says_it() {
    for (variables, changes) in [(&[][..], true), (&[("RUST_LOG", "info")][..], false)] {
        let mut ensemble = Plan::standalone().lay_out();
        ensemble.server_mut(1).start_with_variables_alone(variables);
        ensemble.server_mut(1).wait_until_it_serves();
        write(&ensemble, |text| text + "log.level=error\n");
        ensemble.server(1).hang_up();
        ensemble.server(1).wait_for_words("log.level has changed");
        // What is said now is below that level.
        write(&ensemble, |text| text + "tickTime=300\n");
        ensemble.server(1).hang_up();
        ensemble.server(1).terminate();
        let _code = ensemble.server_mut(1).wait_for_its_end();
        let says = ensemble.server(1).log().contains("the server ends");
        assert_eq!(says, !changes, "{}", ensemble.server(1).log());
    }
}
