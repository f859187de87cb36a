//! What is given away: the names of the program, and the entrypoint of the image.
//!
//! The entrypoint runs without a container: its directories are elsewhere, and all else is the same.

mod ensemble;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ensemble::{Ports, wait_for};
use tempfile::TempDir;

const ENTRYPOINT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/deploy/docker-entrypoint.sh");

/// A root with /conf and so on, and the program in /bin under the names of the image.
fn image() -> TempDir {
    let root = tempfile::tempdir().expect("a directory for temporary files");
    fs::create_dir(root.path().join("bin")).expect("a writable directory");
    for name in ["quorate", "zkServer.sh"] {
        let link = root.path().join("bin").join(name);
        symlink(env!("CARGO_BIN_EXE_quorate"), link).expect("a writable directory");
    }
    root
}

/// The entrypoint with this command and these variables alone.
fn entrypoint(root: &Path, variables: &[(&str, &str)], command: &[&str]) -> Command {
    let mut run = Command::new(ENTRYPOINT);
    run.env_clear().current_dir(root).args(command);
    let bin = root.join("bin");
    run.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    for (name, dir) in [
        ("ZOO_CONF_DIR", "conf"),
        ("ZOO_DATA_DIR", "data"),
        ("ZOO_DATA_LOG_DIR", "datalog"),
        ("ZOO_LOG_DIR", "logs"),
        ("ZOO_HOOKS_DIR", "hooks"),
    ] {
        run.env(name, root.join(dir));
    }
    // A machine that runs this as root may have the user of the image.
    run.env("ZOO_USER", "no-such-user").envs(variables.iter().copied());
    run
}

fn output(root: &Path, variables: &[(&str, &str)], command: &[&str]) -> Output {
    entrypoint(root, variables, command).output().expect("the entrypoint is a program")
}

/// zoo.cfg and myid, with the root left out.
fn written(root: &Path) -> (String, String) {
    let read = |name| fs::read_to_string(root.join(name)).expect("it was written");
    let root = format!("{}/", root.display());
    (read("conf/zoo.cfg").replace(&root, "/"), read("data/myid"))
}

#[test]
fn without_a_variable_it_writes_what_the_image_of_apache_writes() {
    let root = image();
    let done = output(root.path(), &[], &["true"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (config, myid) = written(root.path());
    assert_eq!(
        config,
        "dataDir=/data\ndataLogDir=/datalog\ntickTime=2000\ninitLimit=5\nsyncLimit=2\n\
         autopurge.snapRetainCount=3\nautopurge.purgeInterval=0\nmaxClientCnxns=60\n\
         standaloneEnabled=true\nadmin.enableServer=true\nserver.1=localhost:2888:3888;2181\n"
    );
    assert_eq!(myid, "1\n");
    let check = output(root.path(), &[], &["quorate", "check", "conf/zoo.cfg"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

#[test]
fn every_variable_has_its_line() {
    let root = image();
    let variables = [
        ("ZOO_MY_ID", "2"),
        (
            "ZOO_SERVERS",
            "server.1=a:2888:3888;2181 server.2=0.0.0.0:2888:3888;2181\nserver.3=c:2888:3888;2181",
        ),
        ("ZOO_TICK_TIME", "1000"),
        ("ZOO_INIT_LIMIT", "10"),
        ("ZOO_SYNC_LIMIT", "4"),
        ("ZOO_MAX_CLIENT_CNXNS", "0"),
        ("ZOO_STANDALONE_ENABLED", "false"),
        ("ZOO_ADMINSERVER_ENABLED", "false"),
        ("ZOO_AUTOPURGE_PURGEINTERVAL", "24"),
        ("ZOO_AUTOPURGE_SNAPRETAINCOUNT", "5"),
        ("ZOO_4LW_COMMANDS_WHITELIST", "srvr, mntr, *"),
        ("ZOO_CFG_EXTRA", "snapCount=500 quorumListenOnAllIPs=true"),
    ];
    assert!(output(root.path(), &variables, &["true"]).status.success());
    let (config, myid) = written(root.path());
    let lines: Vec<&str> = config.lines().skip(2).collect();
    assert_eq!(
        lines,
        [
            "tickTime=1000",
            "initLimit=10",
            "syncLimit=4",
            "autopurge.snapRetainCount=5",
            "autopurge.purgeInterval=24",
            "maxClientCnxns=0",
            "standaloneEnabled=false",
            "admin.enableServer=false",
            "server.1=a:2888:3888;2181",
            "server.2=0.0.0.0:2888:3888;2181",
            "server.3=c:2888:3888;2181",
            "4lw.commands.whitelist=srvr, mntr, *",
            "snapCount=500",
            "quorumListenOnAllIPs=true",
        ]
    );
    assert_eq!(myid, "2\n");
}

#[test]
fn files_that_are_there_are_left_alone() {
    let root = image();
    for (name, text) in [("conf/zoo.cfg", "dataDir=own\n"), ("data/myid", "7\n")] {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().expect("below the root")).expect("writable");
        fs::write(path, text).expect("a writable directory");
    }
    assert!(output(root.path(), &[("ZOO_MY_ID", "2")], &["true"]).status.success());
    assert_eq!(written(root.path()), ("dataDir=own\n".to_owned(), "7\n".to_owned()));
}

#[test]
fn the_number_of_a_pod_makes_the_id_of_its_server() {
    let of_host = |host| {
        let root = image();
        let variables = [("ZOO_MY_ID_FROM_HOSTNAME", "1"), ("ZOO_HOSTNAME", host)];
        let done = output(root.path(), &variables, &["true"]);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.code(), fs::read_to_string(root.path().join("data/myid")).ok(), said)
    };
    assert_eq!(of_host("quorate-0").1.as_deref(), Some("1\n"));
    assert_eq!(of_host("my-zk-11").1.as_deref(), Some("12\n"));
    let (code, myid, said) = of_host("laptop");
    assert_eq!((code, myid), (Some(2), None));
    assert!(said.contains("set ZOO_MY_ID"), "{said}");
}

#[test]
fn hooks_are_run_before_the_files_are_written() {
    let root = image();
    let hooks = root.path().join("hooks");
    fs::create_dir(&hooks).expect("a writable directory");
    for (name, text, mode) in [
        ("10.envsh", "export ZOO_MY_ID=3\n", 0o755),
        ("20.sh", "#!/bin/sh\ntouch was-run\n", 0o755),
        ("30.sh", "#!/bin/sh\ntouch was-run-too\n", 0o644),
    ] {
        fs::write(hooks.join(name), text).expect("a writable directory");
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(hooks.join(name), permissions).expect("our own file");
    }
    let done = output(root.path(), &[], &["true"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(written(root.path()).1, "3\n");
    assert!(root.path().join("was-run").exists());
    assert!(!root.path().join("was-run-too").exists(), "it may not be run");
}

#[test]
fn the_command_of_the_image_serves() {
    let root = image();
    let ports = Ports::take();
    let client = ports.client(0).port();
    let servers = format!("server.1=127.0.0.1:2888:3888;127.0.0.1:{client}");
    let variables = [
        ("ZOO_SERVERS", servers.as_str()),
        ("ZOO_ADMINSERVER_ENABLED", "false"),
        ("JVMFLAGS", "-Xmx1g -Dzookeeper.maxCnxns=7"),
    ];
    // --attached ends it with this test.
    let command = ["zkServer.sh", "start-foreground", "--attached"];
    let mut server = entrypoint(root.path(), &variables, &command)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the entrypoint is a program");
    let status = wait_for("it to serve", || {
        let done = output(root.path(), &variables, &["zkServer.sh", "status"]);
        done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
    });
    assert!(status.contains("Mode: standalone"), "{status}");
    assert!(root.path().join("datalog/version-2").exists(), "transactions go to ZOO_DATA_LOG_DIR");
    drop(server.stdin.take());
    assert!(server.wait().expect("a child of this test").success());
}

#[test]
fn the_program_answers_to_the_names_that_are_installed() {
    let root = tempfile::tempdir().expect("a directory for temporary files");
    let makefile = concat!(env!("CARGO_MANIFEST_DIR"), "/Makefile");
    let makefile = fs::read_to_string(makefile).expect("the Makefile");
    let names = makefile.lines().find_map(|line| line.strip_prefix("SCRIPTS ")?.split_once('='));
    let names: Vec<&str> = names.expect("the Makefile says which").1.split_whitespace().collect();
    assert!(names.contains(&"zkServer"), "{names:?}");
    let dockerfile = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/deploy/Dockerfile");
    let dockerfile = fs::read_to_string(dockerfile).expect("the Dockerfile");
    for name in names {
        assert!(dockerfile.contains(&format!(" {name}")), "the image lacks {name}.sh");
        let link = root.path().join(format!("{name}.sh"));
        symlink(env!("CARGO_BIN_EXE_quorate"), &link).expect("a writable directory");
        let help = |program: &Path| {
            let done = Command::new(program).arg("--help").output().expect("it is a program");
            String::from_utf8_lossy(&done.stdout).into_owned()
        };
        let own = help(Path::new(env!("CARGO_BIN_EXE_quorate")));
        let said = help(&link);
        assert!(said.contains("Usage: ") && said != own, "{name}.sh is not answered to: {said}");
    }
}
