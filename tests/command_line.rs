//! The command as scripts use it: exit codes, and lines of zkServer.sh.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn quorate(args: &[&str], dir: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    for name in [
        "ZOOCFGDIR",
        "ZOOCFG",
        "ZOO_LOG_DIR",
        "ZOO_LOG_FILE",
        "ZOOPIDFILE",
        "SERVER_JVMFLAGS",
        "JVMFLAGS",
        "JDK_JAVA_OPTIONS",
        "JAVA_TOOL_OPTIONS",
        "ZOO_DATADIR_AUTOCREATE_DISABLE",
    ] {
        command.env_remove(name);
    }
    command.args(args).current_dir(dir).output().expect("the binary was built for this test")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A directory with the zoo.cfg of a standalone server at this port.
fn standalone(port: u16) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let text = format!(
        "dataDir=.\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
    );
    fs::write(dir.path().join("zoo.cfg"), text).expect("a writable directory");
    dir
}

/// Exit code and standard output of `zkServer.sh status` of Apache, with this port in it.
fn golden_status(name: &str, port: u16) -> (i32, String) {
    let path = format!("{}/tests/golden/texts/3.8.0/status-{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).expect("a golden file");
    let (head, rest) = text.split_once("\n-- stdout\n").expect("the golden form");
    let (out, _) = rest.split_once("-- stderr").expect("the golden form");
    let exit = head.trim_start_matches("exit ").parse().expect("a number");
    let theirs = out.split_once("found: ").and_then(|(_, rest)| rest.split('.').next());
    let theirs = theirs.expect("the line with the port");
    (exit, out.replace(theirs, &port.to_string()))
}

#[test]
fn check_says_good_or_what_is_wrong_and_where() {
    let dir = standalone(2181);
    let good = quorate(&["check", "zoo.cfg"], dir.path());
    assert_eq!(good.status.code(), Some(0));
    assert!(stdout(&good).contains("zoo.cfg: good: a standalone server"), "{}", stdout(&good));
    fs::write(dir.path().join("bad.cfg"), "dataDir=.\nclientport=1\n").expect("writable");
    let bad = quorate(&["check", "bad.cfg"], dir.path());
    assert_eq!(bad.status.code(), Some(2));
    assert!(stderr(&bad).contains("bad.cfg:2:1: unknown key"), "{}", stderr(&bad));
}

/// Exit code, standard output and standard error of `check`, with this text as zoo.cfg and 1 in myid.
fn check(text: &str) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    fs::write(dir.path().join("myid"), "1\r\n").expect("a writable directory");
    fs::write(dir.path().join("zoo.cfg"), text).expect("a writable directory");
    let output = quorate(&["check", "zoo.cfg"], dir.path());
    (output.status.code(), stdout(&output), stderr(&output))
}

const HEAD: &str = "tickTime=2000\ninitLimit=5\nsyncLimit=2\ndataDir=.\nclientPort=2181\n";

#[test]
fn check_lists_every_mistake() {
    let (code, _, said) = check(
        "tickTime=2s\ninitLimit=ten\nsyncLimit=2\ndataDir=. # here\nclientport=2181\nsslQuorum=true\n\
         skipACL=maybe\nbad=\\uXY\nserver.1=127.0.0.1:x:3888\nserver.2=127.0.0.1:2889:3889\n\
         jaasLoginRenew=1\n",
    );
    assert_eq!(code, Some(2));
    let lines: Vec<&str> = said.lines().collect();
    let wanted = [
        "1:10: tickTime",
        "2:11: initLimit",
        "4:11: \"# here\"",
        "5:1: unknown key",
        "6:1: sslQuorum",
        "7:9: skipACL",
        "8:5: \\u needs",
        "9:20: server.1",
    ];
    assert_eq!(lines.len(), wanted.len(), "{said}");
    for (line, wanted) in lines.iter().zip(wanted) {
        assert!(line.starts_with(&format!("error: zoo.cfg:{wanted}")), "{line} is not {wanted}");
    }
}

#[test]
fn check_takes_what_is_harmless_with_a_warning() {
    for (line, words) in [
        ("jaasLoginRenew=3600000", "jaasLoginRenew has no effect"),
        ("autopurge.purgeInteval=12", "autopurge.purgeInterval is the key"),
        ("myid=1", "myid in dataDir"),
        ("requestThrottleLimit=5", "request_throttle_max_requests"),
    ] {
        let servers = "server.1=127.0.0.1:2888:3888\nserver.2=127.0.0.1:2889:3889\n";
        let (code, out, said) = check(&format!("{HEAD}{line}\n{servers}"));
        assert_eq!(code, Some(0), "{said}");
        assert!(
            out.contains(&format!(
                "warning: zoo.cfg:6:1: {}",
                line.split('=').next().unwrap_or(line)
            )),
            "{out}"
        );
        assert!(out.contains(words), "{out}");
    }
}

#[test]
fn check_takes_escapes_and_line_ends_of_other_systems() {
    let servers = "server.1=127.0.0.1\\:2888\\:3888\nserver.2=127.0.0.1\\:2889\\:3889\n";
    let text = format!("#Auto-generated\n{HEAD}{servers}");
    for text in [text.clone(), text.replace('\n', "\r\n")] {
        let (code, out, said) = check(&text);
        assert_eq!(code, Some(0), "{said}");
        assert!(out.contains("good: server 1 of an ensemble of 2"), "{out}");
    }
}

#[test]
fn check_passes_over_a_byte_order_mark_and_says_so() {
    let (code, out, said) = check(&format!("\u{feff}{HEAD}"));
    assert_eq!(code, Some(0), "{said}");
    assert!(out.starts_with("warning: zoo.cfg:1:1: a byte order mark"), "{out}");
}

#[test]
fn check_finds_what_a_start_could_not_open() {
    for (lines, code, words) in [
        ("clientPortAddress=[::1]\n", Some(0), "clients at [::1]:2181"),
        ("clientPortAddress=[::1\n", Some(2), "zoo.cfg:6:19: clientPortAddress"),
        ("clientPortAddress=192.0.2.1\n", Some(2), "192.0.2.1:2181"),
        ("clientPortAddress=no-such-host.invalid\n", Some(2), "no-such-host.invalid:2181"),
        ("dataLogDir=zoo.cfg/log\n", Some(2), "zoo.cfg is no directory"),
        ("server.1=127.0.0.1:2888:3888;2182\n", Some(2), "keep one of the two"),
        ("server.1=127.0.0.1:2888:2888\nserver.2=127.0.0.1:2889:3889\n", Some(2), "127.0.0.1:2888"),
        ("server.1=\n", Some(2), "host:quorumPort:electionPort"),
    ] {
        if lines.contains("[::1]") && TcpListener::bind("[::1]:0").is_err() {
            continue;
        }
        let (found, out, said) = check(&format!("{HEAD}{lines}"));
        assert_eq!(found, code, "{lines}{said}");
        assert!(out.contains(words) || said.contains(words), "{lines}{out}{said}");
    }
}

#[test]
fn check_reads_the_flags_of_the_jvm_where_a_start_would() {
    let dir = standalone(2181);
    let flags =
        "export JVMFLAGS=\"$JVMFLAGS -Dzookeeper.snapCount=many -Dzookeeper.sslQuorum=true\"\n";
    fs::write(dir.path().join("java.env"), flags).expect("a writable directory");
    let output = quorate(&["check", "zoo.cfg"], dir.path());
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(
        said.contains("./java.env:1:") && said.contains("zookeeper.snapCount is \"many\""),
        "{said}"
    );
}

#[test]
fn a_start_takes_unknown_keys_with_a_warning_unless_it_is_to_be_strict() {
    let dir = standalone(2181);
    // A file in the place of the log's directory ends it early.
    let text = "dataDir=.\ndataLogDir=zoo.cfg\nclientport=2181\n";
    let start = |text: &str| {
        fs::write(dir.path().join("zoo.cfg"), text).expect("a writable directory");
        let output = quorate(&["server", "start-foreground", "./zoo.cfg"], dir.path());
        (output.status.code(), stderr(&output))
    };
    let (code, said) = start(text);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("zoo.cfg:3:1: unknown key \"clientport\", did you mean clientPort?"),
        "{said}"
    );
    let (code, said) = start(&format!("{text}config.strict=true\n"));
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("Invalid config, exiting abnormally: ./zoo.cfg:3:1: unknown key"),
        "{said}"
    );
}

#[test]
fn start_on_a_bad_file_fails_as_the_script_does_and_stop_needs_only_the_directory() {
    let dir = standalone(2181);
    fs::write(dir.path().join("zoo.cfg"), "dataDir=.\ntickTime=soon\n").expect("writable");
    let start = quorate(&["server", "start", "./zoo.cfg"], dir.path());
    assert_eq!(start.status.code(), Some(1));
    assert_eq!(stdout(&start), "Starting zookeeper ... FAILED TO START\n");
    assert!(stderr(&start).contains("zoo.cfg:2:10: tickTime"), "{}", stderr(&start));
    let stop = quorate(&["server", "stop", "./zoo.cfg"], dir.path());
    assert_eq!(stop.status.code(), Some(0), "{}", stderr(&stop));
}

#[test]
fn the_files_of_shell_say_where_things_are() {
    let dir = standalone(2181);
    let text = "export ZOOPIDFILE=$PWD/run/zk.pid\n";
    fs::write(dir.path().join("zookeeper-env.sh"), text).expect("a writable directory");
    let output = quorate(&["server", "--config", ".", "stop"], dir.path());
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("/run/zk.pid)"), "{}", stdout(&output));
}

#[test]
fn check_warns_of_a_server_that_no_client_can_reach() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    // What the entrypoint of the container image writes; the client port is in the server line.
    let text = "dataDir=.\ndataLogDir=./log\ntickTime=2000\ninitLimit=5\nsyncLimit=2\n\
                autopurge.snapRetainCount=3\nautopurge.purgeInterval=0\nmaxClientCnxns=60\n\
                standaloneEnabled=true\nadmin.enableServer=true\n\
                server.1=localhost:2888:3888;2181\n";
    let check = |text: &str| {
        fs::write(dir.path().join("zoo.cfg"), text).expect("a writable directory");
        let output = quorate(&["check", "zoo.cfg"], dir.path());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let warning = "warning: no clientPort is given: no client can connect\n";
    let good = check(text);
    assert!(good.contains("zoo.cfg: good: a standalone server, clients at 0.0.0.0:2181"), "{good}");
    assert!(!good.contains(warning), "{good}");
    let unreachable = check(&text.replace(";2181", ""));
    assert!(unreachable.contains(warning), "{unreachable}");
}

#[test]
fn check_takes_an_own_line_that_is_open() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    fs::write(dir.path().join("myid"), "1\n").expect("a writable directory");
    let text = "dataDir=.\ntickTime=2000\ninitLimit=5\nsyncLimit=2\n\
                server.1=0.0.0.0:2888:3888;2181\nserver.2=127.0.0.1:2889:3889;2182\n\
                server.3=127.0.0.1:2890:3890;2183\n";
    fs::write(dir.path().join("zoo.cfg"), text).expect("a writable directory");
    let output = quorate(&["check", "zoo.cfg"], dir.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("zoo.cfg: good: "), "{}", stdout(&output));
}

#[test]
fn a_server_does_not_start_on_a_bad_file() {
    let dir = standalone(2181);
    fs::write(dir.path().join("zoo.cfg"), "dataDir=.\nsslQuorum=true\n").expect("writable");
    let output = quorate(&["server", "start-foreground", "./zoo.cfg"], dir.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("sslQuorum"), "{}", stderr(&output));
}

#[test]
fn a_data_directory_that_cannot_be_used_has_an_exit_code_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let dir = standalone(port);
    fs::write(dir.path().join("file"), "").expect("a writable directory");
    let start = |keys: &str| {
        let text = format!(
            "{keys}clientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
        );
        fs::write(dir.path().join("zoo.cfg"), text).expect("a writable directory");
        let output = quorate(&["server", "start-foreground", "./zoo.cfg"], dir.path());
        (output.status.code(), stderr(&output))
    };
    for keys in ["dataDir=file\n", "dataDir=file/data\n", "dataDir=.\ndataLogDir=file\n"] {
        let (code, said) = start(keys);
        assert_eq!(code, Some(3), "{keys}: {said}");
        assert!(said.contains("Not a directory"), "{said}");
    }
    let (code, said) = start("dataDir=.\nfilePermissions=rw\n");
    assert_eq!(code, Some(2), "that is the file's fault: {said}");
}

#[test]
fn status_of_a_running_server_prints_its_mode() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let dir = standalone(port);
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut [0; 4])?;
        stream.write_all(b"Zxid: 0x0\nMode: follower\n")
    });
    let output = quorate(&["server", "--config", ".", "status"], dir.path());
    server.join().expect("it asserts nothing").expect("the command connects");
    let (exit, text) = golden_status("follower", port);
    assert_eq!((output.status.code(), stdout(&output)), (Some(exit), text));
    assert!(stderr(&output).contains("Using config: ./zoo.cfg\n"), "{}", stderr(&output));
}

#[test]
fn status_of_a_stopped_server_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let dir = standalone(port);
    let output = quorate(&["server", "status", "./zoo.cfg"], dir.path());
    let (exit, text) = golden_status("stopped", port);
    assert_eq!((output.status.code(), stdout(&output)), (Some(exit), text));
}

#[test]
fn stop_goes_by_the_pid_file_alone() {
    let dir = standalone(2181);
    let none = quorate(&["server", "stop", "./zoo.cfg"], dir.path());
    assert_eq!(none.status.code(), Some(0));
    assert!(stdout(&none).starts_with("Stopping zookeeper ... no zookeeper to stop"));
    // After a reboot the number may be that of a stranger, who must live on.
    let mut stranger = Command::new("sleep").arg("600").spawn().expect("a POSIX system");
    let pid_file = dir.path().join("zookeeper_server.pid");
    fs::write(&pid_file, stranger.id().to_string()).expect("a writable directory");
    let stale = quorate(&["server", "stop", "./zoo.cfg"], dir.path());
    let lives = stranger.try_wait().expect("a child of this test").is_none();
    stranger.kill().expect("a child of this test");
    stranger.wait().expect("a child of this test");
    assert!(lives, "stop ended a process that is no server");
    assert_eq!(stdout(&stale), "Stopping zookeeper ... STOPPED\n");
    assert!(!pid_file.exists());
}

#[test]
fn print_cmd_names_a_command_that_finds_the_same_file() {
    let dir = standalone(2181);
    let output = quorate(&["server", "print-cmd", "./zoo.cfg"], dir.path());
    let line = stdout(&output);
    let (_, path) = line.trim_end().split_once(" server start-foreground ").expect("the verb");
    assert!(Path::new(path).is_absolute() && Path::new(path).ends_with("zoo.cfg"), "{line}");
}

#[test]
fn a_load_that_cannot_be_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let refused = |args: &[&str], words: &str| {
        let output = quorate(&[&["bench"], args].concat(), dir.path());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(words), "{args:?}: {}", stderr(&output));
    };
    refused(&[], "<SERVERS>");
    refused(&["localhost"], "give HOST:PORT");
    refused(&["127.0.0.1:2181", "--op", "read"], "[possible values: get, set, create");
    refused(&["127.0.0.1:2181", "--op", "get", "--reads", "50"], "--reads is for --op mix");
    refused(&["127.0.0.1:2181", "--nodes", "1000", "--name-bytes", "2"], "give 3 or more");
    refused(&["127.0.0.1:2181", "--value-bytes", "2000000"], "give 1000000 or less");
    refused(&["127.0.0.1:2181", "--rate", "0"], "give a number above 0");
    refused(&["127.0.0.1:2181", "--root", "a"], "give a path such as /bench");
    refused(&["127.0.0.1:2181", "--seconds", "long"], "give seconds");
    refused(&["127.0.0.1:2181", "--compare", "a:1", "b:1"], "cannot be used with");
    refused(&["--compare", "127.0.0.1:1", "b"], "b is no server");
}

#[test]
fn a_load_for_a_server_that_is_not_there_fails_and_names_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let output = quorate(&["bench", &address, "--connections", "1"], dir.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("no session with {address}")), "{}", stderr(&output));
}
