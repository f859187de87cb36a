//! What `quorate shell` has beyond zkCli.sh, as one command against real servers.

mod ensemble;

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ensemble::{Client, Ensemble, Plan, Session, create_request};
use quorate::jute::client::{CreateRequest, code, create_flags, op};
use quorate::jute::data::{Acl, Id, perms};

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
