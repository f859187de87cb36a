//! What `quorate shell` has beyond zkCli.sh, as one command against real servers.

mod ensemble;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ensemble::{Client, Ensemble, Plan, Session, create_request};
use quorate::jute::client::{CreateRequest, code, create_flags, op};
use quorate::jute::data::{Acl, Id, StatPersisted, perms};
use quorate::jute::persist::SnapshotNode;
use quorate::storage::SnapshotEncoder;
use rustix::process::{Pid, Signal, kill_process};

/// Requests that the tests' own client has under way.
const PIPELINE: usize = 500;

struct Shell {
    server: String,
}

impl Shell {
    fn of(ensemble: &Ensemble) -> Shell {
        Shell { server: ensemble.server(1).address.to_string() }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(["shell", "-server", &self.server]).args(words).stdin(Stdio::null());
        for name in ["CLIENT_JVMFLAGS", "JVMFLAGS", "VISUAL", "EDITOR"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, words: &[&str]) -> Ended {
        Ended::of(&self.command(words).output().expect("the binary was built for this test"))
    }

    /// The lines of its answer; it must succeed.
    #[track_caller]
    fn lines(&self, words: &[&str]) -> Vec<String> {
        let ended = self.run(words);
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        ended.lines()
    }
}

#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn of(output: &Output) -> Ended {
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Without the one that says where it connects to, and without watch events.
    fn lines(&self) -> Vec<String> {
        let of_answer = |line: &&str| {
            !line.is_empty()
                && !line.starts_with("Connecting to ")
                && !line.starts_with("WATCHER::")
                && !line.starts_with("WatchedEvent ")
        };
        self.out.lines().filter(of_answer).map(String::from).collect()
    }
}

fn begin() -> (Ensemble, Shell, Client) {
    let ensemble = Plan::standalone().start();
    let shell = Shell::of(&ensemble);
    let client = ensemble.client(1);
    (ensemble, shell, client)
}

/// Makes these nodes, parents first.
fn make(client: &mut Client, nodes: &[(&str, &str)]) {
    for (path, data) in nodes {
        client.create(path, data, 0).unwrap_or_else(|failure| panic!("{path}: {failure:?}"));
    }
}

/// A node that nobody but digest:nobody may read.
fn make_secret(client: &mut Client, path: &str) {
    let id = Id { scheme: "digest".into(), id: "nobody:x".into() };
    let acl = vec![
        Acl { perms: perms::ALL, id },
        Acl {
            perms: perms::CREATE | perms::DELETE,
            id: Id { scheme: "world".into(), id: "anyone".into() },
        },
    ];
    let request = CreateRequest {
        path: path.into(),
        data: Some(b"secret".as_slice().into()),
        acl: Some(acl),
        flags: 0,
    };
    client.call(op::CREATE, &request).expect("the node is made");
}

#[test]
fn a_tree_is_drawn_counted_and_searched() {
    let (_ensemble, shell, mut client) = begin();
    make(
        &mut client,
        &[("/a", "12345"), ("/a/b", "x"), ("/a/b/c", ""), ("/a/\u{202e}gpj", "hello")],
    );
    client
        .create("/a/lock-", "me", create_flags::EPHEMERAL | create_flags::SEQUENTIAL)
        .expect("made");
    let session = client.session.id.0;
    let drawn = shell.lines(&["tree", "/a"]);
    let ephemeral = format!("|-- lock-0000000002 [2, ephemeral 0x{session:x}, sequential]");
    assert_eq!(
        drawn,
        [
            "/a [5]",
            "|-- b [1]",
            "|   `-- c [0]",
            ephemeral.as_str(),
            "`-- \\u{202e}gpj [5]",
            "5 nodes, 52 bytes",
        ]
    );
    assert_eq!(shell.lines(&["tree", "-L", "0", "/a"]).len(), 2);
    let json = shell.lines(&["--json", "tree", "/a/b"]);
    assert_eq!(json.len(), 2);
    assert!(json[1].contains("\"path\":\"/a/b/c\"") && json[1].contains("\"depth\":1"), "{json:?}");

    let counted = |words: &[&str]| -> Vec<Vec<String>> {
        let rows = shell.lines(words).into_iter().skip(1);
        rows.map(|line| line.split_whitespace().map(String::from).collect()).collect()
    };
    let counted_a = counted(&["du", "/a"]);
    assert_eq!(counted_a[0], ["2", "11", "/a/b"]);
    assert_eq!(counted_a[3], ["5", "52", "/a"]);
    assert_eq!(counted(&["du", "-d", "0", "/a"]), [["5", "52", "/a"]]);
    assert_eq!(counted(&["du", "-d", "2", "-s", "/a"])[1][2], "/a/lock-0000000002");

    let found = |words: &[&str]| shell.lines(&[&["find", "/a"], words].concat());
    assert_eq!(found(&["-name", "[bc]"]), ["/a/b", "/a/b/c"]);
    assert_eq!(found(&["-data", "ell"]), ["/a/\\u{202e}gpj"]);
    assert_eq!(found(&["-owner", &format!("0x{session:x}")]), ["/a/lock-0000000002"]);
    assert_eq!(found(&["-ephemeral", "-sequential", "-maxsize", "2"]), ["/a/lock-0000000002"]);
    assert_eq!(found(&["-minsize", "5"]), ["/a", "/a/\\u{202e}gpj"]);
    assert_eq!(found(&["-newer", "1h"]).len(), 5);
    assert_eq!(found(&["-older", "1h"]), Vec::<String>::new());
    let wrong = shell.run(&["find", "/a", "-newer", "yesterday"]);
    assert!(wrong.code == 1 && wrong.err.contains("a time as 30s"), "{wrong:?}");
    let gone = shell.run(&["du", "/nowhere"]);
    assert!(gone.code == 1 && gone.err.contains("Node does not exist: /nowhere"), "{gone:?}");
}

#[test]
fn what_may_not_be_read_is_told_at_the_end() {
    let (_ensemble, shell, mut client) = begin();
    make(&mut client, &[("/a", ""), ("/a/z", "z")]);
    make_secret(&mut client, "/a/secret");
    make(&mut client, &[("/a/secret/below", "")]);
    for (words, last) in [
        (&["tree", "/a"][..], "2 nodes, 7 bytes"),
        (&["du", "/a"], "         2              7  /a"),
        (&["find", "/a", "-data", "z"], "/a/z"),
    ] {
        let ended = shell.run(words);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.err.contains("for want of permission: 1: /a/secret"), "{ended:?}");
        assert_eq!(ended.lines().last().map(String::as_str), Some(last), "{ended:?}");
    }
}

#[test]
fn many_nodes_are_counted_while_some_go() {
    const NODES: usize = 100_000;
    let (ensemble, shell, mut client) = begin();
    make(&mut client, &[("/many", ""), ("/churn", "")]);
    let mut paths: Vec<String> = (0..100).map(|n| format!("/many/{n:02}")).collect();
    paths.extend((0..NODES - 100).map(|n| format!("/many/{:02}/{n:06}", n % 100)));
    for batch in paths.chunks(PIPELINE) {
        for path in batch {
            client.send(op::CREATE, &create_request(path, "", 0)).expect("it is sent");
        }
        for path in batch {
            let (head, _) = client.receive().expect("an answer");
            assert_eq!(head.err, code::OK, "{path}");
        }
    }
    let bytes = paths.iter().map(String::len).sum::<usize>() + "/many".len();
    let whole = format!("{:>10} {bytes:>14}  /many", NODES + 1);
    assert_eq!(shell.lines(&["du", "/many"]).last(), Some(&whole));

    // Nodes come and go below a node that is walked: it ends well all the same.
    let ends = Arc::new(AtomicBool::new(false));
    let churn = {
        let (ends, addresses) = (Arc::clone(&ends), ensemble.addresses());
        thread::spawn(move || {
            let mut client = Client::reach(&addresses, &Session::new(30_000));
            while !ends.load(Ordering::Relaxed) {
                let paths: Vec<String> = (0..200).map(|n| format!("/churn/{n}")).collect();
                paths.iter().for_each(|path| drop(client.create(path, "", 0)));
                paths.iter().for_each(|path| drop(client.delete(path)));
            }
        })
    };
    for _ in 0..20 {
        shell.lines(&["find", "/churn", "-data", "x"]);
    }
    ends.store(true, Ordering::Relaxed);
    churn.join().expect("it ends");
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn an_export_comes_back_byte_for_byte() {
    let (_ensemble, shell, mut client) = begin();
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let file = |name: &str| dir.path().join(name).display().to_string();
    make(&mut client, &[("/a", "text\n"), ("/a/b", ""), ("/a/b/\u{202e}\"'", "x"), ("/place", "")]);
    client.create("/a/e", "mine", create_flags::EPHEMERAL).expect("made");
    shell.lines(&["create", "/a/none"]);
    shell.lines(&["create", "/a/s-0000000007", "x", "world:anyone:r,ip:127.0.0.1:cdrwa"]);
    shell.lines(&["set", "-b", "/a/b", "/wA="]);
    let first = shell.run(&["export", "/a", &file("1")]);
    assert!(
        first.code == 0 && first.err.contains("Exported 5 nodes, 1 ephemeral left out"),
        "{first:?}"
    );
    assert_eq!(
        text_of(&dir.path().join("1")).lines().collect::<Vec<_>>(),
        [
            r#"{"path":"/","kind":"persistent","data":"text\n","acl":["world:anyone:cdrwa"]}"#,
            r#"{"path":"/b","kind":"persistent","base64":"/wA=","acl":["world:anyone:cdrwa"]}"#,
            "{\"path\":\"/b/\u{202e}\\\"'\",\"kind\":\"persistent\",\"data\":\"x\",\"acl\":[\"world:anyone:cdrwa\"]}",
            r#"{"path":"/none","kind":"persistent","acl":["world:anyone:cdrwa"]}"#,
            r#"{"path":"/s-0000000007","kind":"persistent","data":"x","acl":["world:anyone:r","ip:127.0.0.1:cdrwa"]}"#,
        ]
    );
    let mode = fs::metadata(file("1")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // A new place, and one that exists.
    for place in ["/copy", "/place"] {
        let dry = shell.lines(&["import", &file("1"), place, "--dry-run"]);
        assert!(dry[0].ends_with("; nothing was written"), "{dry:?}");
        shell.lines(&["import", &file("1"), place]);
    }
    shell.lines(&["export", "/copy", &file("2")]);
    assert_eq!(text_of(&dir.path().join("2")), text_of(&dir.path().join("1")));
    assert_eq!(shell.run(&["export", "/copy", &file("2")]).code, 2, "it is there already");
    let to_stdout = shell.lines(&["--json", "export", "/copy"]);
    assert_eq!(to_stdout.join("\n") + "\n", text_of(&dir.path().join("1")));

    let conflict = shell.run(&["import", &file("1"), "/copy"]);
    assert!(
        conflict.code == 1
            && conflict.err.contains("4 nodes of ")
            && conflict.err.contains("nothing was written: /copy/b"),
        "{conflict:?}"
    );
    shell.lines(&["set", "/copy/none", "changed"]);
    assert_eq!(
        shell.lines(&["import", &file("1"), "/copy", "--skip-existing"]),
        ["Made 0 nodes, 5 left as they are"]
    );
    assert_eq!(shell.lines(&["get", "/copy/none"]), ["changed"]);
    shell.lines(&["setAcl", "/copy/none", "world:anyone:rwa"]);
    assert_eq!(
        shell.lines(&["import", &file("1"), "/copy", "--overwrite"]),
        ["Made 0 nodes, 5 overwritten"]
    );
    shell.lines(&["export", "/copy", &file("3")]);
    assert_eq!(text_of(&dir.path().join("3")), text_of(&dir.path().join("1")));
}

#[test]
fn a_broken_import_says_where_and_how_far_it_came() {
    let (_ensemble, shell, mut client) = begin();
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let file = dir.path().join("nodes").display().to_string();
    let line = |path: &str| {
        format!(r#"{{"path":"{path}","kind":"persistent","acl":["world:anyone:cdrwa"]}}"#)
    };
    let mut lines: Vec<String> = (0..1200).map(|n| line(&format!("/{n:04}"))).collect();
    lines[700] = "no JSON".into();
    fs::write(&file, lines.join("\n")).expect("a writable directory");
    make(&mut client, &[("/to", "")]);
    let broken = shell.run(&["import", &file, "/to"]);
    assert!(broken.code == 2 && broken.err.contains("line 701: expected"), "{broken:?}");
    assert_eq!(client.children("/to", false), Ok(Vec::new()));

    // Its parent is not there: what came before it is.
    lines[700] = line("/nowhere/x");
    fs::write(&file, lines.join("\n")).expect("a writable directory");
    let stopped = shell.run(&["import", &file, "/to"]);
    let told = "line 701: Node does not exist: /to/nowhere/x. Made 500 nodes; nothing of lines 501 to 1000";
    assert!(stopped.code == 1 && stopped.err.contains(told), "{stopped:?}");
    assert_eq!(client.children("/to", false).map(|names| names.len()), Ok(500));
    lines[700] = line("/0700");
    fs::write(&file, lines.join("\n") + "\n").expect("a writable directory");
    let rest = shell.lines(&["import", &file, "/to", "--skip-existing"]);
    assert_eq!(rest, ["Made 700 nodes, 500 left as they are"]);
}

#[test]
fn changes_are_followed_over_a_restart() {
    let (mut ensemble, shell, mut client) = begin();
    make(&mut client, &[("/w", "")]);
    let mut child = shell
        .command(&["watch", "-f", "-d", "/w"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary was built for this test");
    let mut out =
        BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let mut err =
        BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert_eq!(err.next().as_deref(), Some("Watching /w and everything below it"));
    client.create("/w/a", "one\ntwo", 0).expect("made");
    let mut wait_for =
        |end: &str| out.by_ref().find(|line| line.ends_with(end)).expect("it goes on");
    // The data is asked for behind the event.
    let created = wait_for("one\\ntwo");
    client.delete("/w/a").expect("deleted");
    assert!(created.contains(" created /w/a  "), "{created}");
    let zxid = |line: &str| -> i64 {
        let word = line.split_whitespace().nth(1).and_then(|word| word.strip_prefix("0x"));
        i64::from_str_radix(word.expect("a zxid"), 16).expect("hex")
    };
    let deleted = wait_for(" deleted /w/a");
    assert_eq!(zxid(&deleted), zxid(&created) + 1);
    ensemble.server_mut(1).restart();
    ensemble.wait_until_all_serve();
    ensemble.client(1).create("/w/b", "again", 0).expect("made");
    wait_for("created /w/b  again");
    let told: Vec<String> = err.by_ref().take(2).collect();
    assert!(told[0].starts_with("disconnected") && told[1].contains("behind zxid 0x"), "{told:?}");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).expect("it runs");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn data_is_edited_unless_somebody_else_did() {
    let (_ensemble, shell, mut client) = begin();
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    make(&mut client, &[("/e", "hello"), ("/binary", "")]);
    shell.lines(&["set", "-b", "/binary", "/wA="]);
    let edit = |script: &str, words: &[&str]| -> Ended {
        let editor = dir.path().join("editor");
        fs::write(&editor, format!("#!/bin/sh\n{script}\n")).expect("a writable directory");
        fs::set_permissions(&editor, fs::Permissions::from_mode(0o700)).expect("its owner");
        let mut command = shell.command(&[&["edit"], words].concat());
        command.env("EDITOR", &editor).env("TMPDIR", dir.path());
        Ended::of(&command.output().expect("the binary was built for this test"))
    };
    let kept = || -> Vec<String> {
        let names = fs::read_dir(dir.path()).expect("a directory").flatten();
        let names = names.map(|entry| entry.path().display().to_string());
        names.filter(|name| name.contains("quorate-edit-")).collect()
    };
    // An editor that ends the last line.
    let done = edit("echo changed > \"$1\"", &["/e"]);
    assert!(done.code == 0 && done.out.contains("the version is now 1"), "{done:?}");
    assert_eq!(client.get("/e", false).expect("there").0, "changed");
    let same = edit("echo >> \"$1\"", &["/e"]);
    assert!(same.code == 0 && same.out.contains("nothing was written"), "{same:?}");
    assert_eq!(client.get("/e", false).expect("there").1.version, 1);
    assert_eq!(kept(), Vec::<String>::new());

    let other =
        format!("{} shell -server {} set /e theirs", env!("CARGO_BIN_EXE_quorate"), shell.server);
    let conflict = edit(&format!("echo mine > \"$1\"; {other} >&2"), &["/e"]);
    assert!(
        conflict.code == 1 && conflict.err.contains("/e was changed meanwhile"),
        "{conflict:?}"
    );
    assert_eq!(client.get("/e", false).expect("there").0, "theirs");
    let [file] = &kept()[..] else { panic!("{:?}", kept()) };
    assert_eq!(text_of(Path::new(file)), "mine\n");
    assert_eq!(fs::metadata(file).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(conflict.err.contains(&format!("edit -from {file} /e")), "{conflict:?}");
    let again = edit("true", &["-from", file, "/e"]);
    assert!(again.code == 0, "{again:?}");
    assert_eq!(client.get("/e", false).expect("there").0, "mine");

    let binary = edit("true", &["/binary"]);
    assert!(
        binary.code == 1 && binary.err.contains("hint: edit -b shows it as base64"),
        "{binary:?}"
    );
    assert_eq!(edit("echo ff 01 > \"$1\"", &["-x", "/binary"]).code, 0);
    assert_eq!(shell.lines(&["get", "-b", "/binary"]), ["/wE="]);
    let wrong = edit("echo '?' > \"$1\"", &["-b", "/binary"]);
    assert!(wrong.code == 1 && wrong.err.contains("it is no base64"), "{wrong:?}");
}

#[test]
fn two_trees_are_compared() {
    let (_one, shell, mut client) = begin();
    let (two, other, mut other_client) = begin();
    let nodes = [("/a", "1"), ("/a/b", "2"), ("/a-b", "3")];
    make(&mut client, &nodes);
    make(&mut other_client, &nodes);
    client.create("/a/e", "", create_flags::EPHEMERAL).expect("made");
    let right = two.server(1).address.to_string();
    assert_eq!(shell.lines(&["diff", &right]), ["4 nodes, no difference"]);
    assert_eq!(shell.run(&["diff", "-e", &right]).lines(), ["- /a/e"]);
    make(&mut client, &[("/a/b/left", "")]);
    make(&mut other_client, &[("/a/right", "")]);
    other.lines(&["set", "/a", "other"]);
    other.lines(&["setAcl", "/a-b", "world:anyone:r"]);
    let differs = shell.run(&["diff", &right]);
    assert_eq!(differs.code, 1);
    assert_eq!(differs.lines(), ["~ /a  data", "- /a/b/left", "+ /a/right", "~ /a-b  acl"]);
    assert!(
        differs
            .err
            .contains("1 nodes only on the left, 1 only on the right, 2 differ, 2 are the same")
    );
    let below = shell.run(&["diff", &format!("{}/a/b", shell.server), &format!("{right}/a/b")]);
    assert_eq!((below.code, below.lines()), (1, vec!["- /left".to_owned()]));
    // Of what may not be read nothing is said, and nothing of what is below it.
    make_secret(&mut client, "/secret");
    make(&mut client, &[("/secret/x", "")]);
    make(&mut other_client, &[("/secret", "secret"), ("/secret/x", ""), ("/secret/y", "")]);
    let hidden = shell.run(&["diff", &right]);
    assert_eq!(
        (hidden.code, hidden.lines().last().cloned()),
        (2, Some("? /secret  not readable".into()))
    );
    assert_eq!(shell.run(&["diff", "127.0.0.1:1"]).code, 2);
}

#[test]
fn an_ensemble_is_compared_with_a_snapshot() {
    let (_ensemble, shell, mut client) = begin();
    make(&mut client, &[("/a", "1"), ("/a-b", "3"), ("/a/b", "2")]);
    let mut encoder = SnapshotEncoder::for_file();
    encoder.sessions(&[]);
    encoder.acls(&[(1, Acl::open())]);
    let node = |path: &str, data: &'static str| SnapshotNode {
        path: path.into(),
        data: Some(data.as_bytes().into()),
        acl: if path == "/a" { 1 } else { -1 },
        stat: StatPersisted::default(),
    };
    let nodes = ["", "/zookeeper", "/a-b", "/a", "/a/b", "/a/c"];
    let data = ["", "", "3", "1", "0", "4"];
    let nodes: Vec<SnapshotNode> =
        nodes.into_iter().zip(data).map(|(path, data)| node(path, data)).collect();
    encoder.nodes(&nodes);
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let file = dir.path().join("snapshot.5").display().to_string();
    fs::write(&file, encoder.finish(None, None)).expect("a writable directory");
    let differs = shell.run(&["diff", &file]);
    assert_eq!((differs.code, differs.lines()), (1, vec!["~ /a/b  data".into(), "+ /a/c".into()]));
    let same = shell.lines(&["diff", "-p", "/a-b", &file, &shell.server]);
    assert_eq!(same, ["1 nodes, no difference"]);
    fs::write(&file, "x").expect("a writable directory");
    let broken = shell.run(&["diff", &file]);
    assert!(broken.code == 2 && broken.err.contains("this is no snapshot"), "{broken:?}");
}
