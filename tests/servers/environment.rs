//! What zkServer.sh reads beside zoo.cfg: variables for the JVM, and the two files of shell.

use std::fs;

use quorate::jute::client::code;

use crate::ensemble::{Ensemble, Failure, Plan, wait_for};

/// The section of a server with one user, and the flags that demand him.
fn lay_out(plan: Plan) -> (Ensemble, String) {
    let provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider";
    let ensemble = plan.setting(&format!("authProvider.1={provider}")).lay_out();
    let jaas = ensemble.server(1).home.join("jaas.conf");
    let text = "Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  \
                user_admin=\"secret\";\n};\n";
    fs::write(&jaas, text).expect("a writable directory");
    let flags = format!(
        "-Djava.security.auth.login.config={} -Dzookeeper.sessionRequireClientSASLAuth=true",
        jaas.display()
    );
    (ensemble, flags)
}

#[track_caller]
fn assert_sasl_is_demanded(ensemble: &mut Ensemble) {
    // Words are answered without a session.
    ensemble.server_mut(1).wait_until_it_serves();
    let refused = ensemble.client(1).create("/a", "", 0);
    assert_eq!(refused, Err(Failure::Code(code::SESSION_CLOSED_REQUIRE_SASL_AUTH)));
}

#[test]
fn a_demand_for_sasl_in_the_flags_of_the_jvm_is_obeyed_whichever_variable_has_it() {
    for variable in ["JVMFLAGS", "SERVER_JVMFLAGS"] {
        let (mut ensemble, flags) = lay_out(Plan::standalone());
        ensemble.server_mut(1).start_with_variables(&[(variable, &flags)]);
        assert_sasl_is_demanded(&mut ensemble);
    }
}

#[test]
fn a_demand_for_sasl_in_the_files_of_shell_is_obeyed() {
    for (file, text) in [
        ("java.env", "export JVMFLAGS=\"@\"\n"),
        ("zookeeper-env.sh", "#!/bin/sh\nMORE='@'\nSERVER_JVMFLAGS=\"-Xmx${HEAP:-512}m $MORE\"\n"),
    ] {
        let (mut ensemble, flags) = lay_out(Plan::standalone());
        let path = ensemble.server(1).home.join(file);
        fs::write(path, text.replace('@', &flags)).expect("a writable directory");
        ensemble.server_mut(1).start();
        assert_sasl_is_demanded(&mut ensemble);
    }
}

#[test]
fn what_only_a_shell_could_do_is_named_in_a_warning() {
    let mut alone = Plan::standalone().lay_out();
    let path = alone.server(1).home.join("java.env");
    let text = "if [ -f /etc/zk.conf ]; then\n  export JVMFLAGS=-Dzookeeper.snapCount=7\nfi\n";
    fs::write(path, text).expect("a writable directory");
    alone.server_mut(1).start_with_variables(&[("JVMFLAGS", "-Dzookeeper.forceSync=no")]);
    alone.wait_until_all_serve();
    let said = wait_for("two warnings", || {
        let log = alone.server(1).log();
        (log.matches("WARN").count() >= 2).then_some(log)
    });
    assert!(said.contains("java.env:1:1: this takes a shell"), "{said}");
    assert!(said.contains("JVMFLAGS:1:3: zookeeper.forceSync has no meaning here"), "{said}");
}

#[test]
fn directories_that_must_not_be_made_are_missed() {
    let mut alone = Plan::standalone().lay_out();
    let server = alone.server_mut(1);
    server.start_with_variables(&[("ZOO_DATADIR_AUTOCREATE_DISABLE", "1")]);
    assert_eq!(server.wait_for_its_end().code(), Some(3), "ExitCode.UNABLE_TO_ACCESS_DATADIR");
    assert!(server.log().contains("version-2 is missing"), "{}", server.log());
    fs::create_dir(server.data_dir().join("version-2")).expect("a writable directory");
    server.start_with_variables(&[("ZOO_DATADIR_AUTOCREATE_DISABLE", "1")]);
    alone.wait_until_all_serve();
}
