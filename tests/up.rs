//! `quorate up` as a script drives it: events on standard output, keys on standard input.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

struct Up {
    child: Child,
    keys: Option<ChildStdin>,
    events: BufReader<ChildStdout>,
    /// All that was said.
    said: Vec<Value>,
}

impl Up {
    fn start(args: &[&str], dir: &Path) -> Up {
        let mut child = Command::new(env!("CARGO_BIN_EXE_quorate"))
            .args(["up", "--json", "--port", "0", "--attached"])
            .args(args)
            .current_dir(dir)
            .env("TMPDIR", dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let keys = child.stdin.take();
        let events = BufReader::new(child.stdout.take().expect("it is piped"));
        Up { child, keys, events, said: Vec::new() }
    }

    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.events.read_line(&mut line).expect("a pipe");
        if line.is_empty() {
            return None;
        }
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
        self.said.push(event.clone());
        Some(event)
    }

    /// The next event that is wanted. What comes before it is passed over.
    #[track_caller]
    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        while let Some(event) = self.next() {
            if wanted(&event) {
                return event;
            }
        }
        panic!("it ended, and said: {:#?}", self.said);
    }

    #[track_caller]
    fn wait_for(&mut self, kind: &str) -> Value {
        self.wait(|event| event["event"] == kind)
    }

    #[track_caller]
    fn wait_for_mode(&mut self, server: u64, mode: Option<&str>) {
        self.wait(|event| {
            event["event"] == "role" && event["server"] == server && event["mode"].as_str() == mode
        });
    }

    /// Who leads, by what was said so far.
    fn leader(&self) -> u64 {
        let mut leads = self.said.iter().rev().filter(|event| event["mode"] == "leader");
        leads.next().and_then(|event| event["server"].as_u64()).expect("somebody leads")
    }

    fn press(&mut self, keys: &str) {
        let stdin = self.keys.as_mut().expect("it is open");
        stdin.write_all(keys.as_bytes()).expect("it listens");
    }

    /// Closes standard input, and waits for its end.
    fn end(mut self) -> (Option<i32>, Vec<Value>) {
        drop(self.keys.take());
        while self.next().is_some() {}
        let status = self.child.wait().expect("a child of this test");
        (status.code(), std::mem::take(&mut self.said))
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // Its servers end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(address: &str, word: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The ensembles in temporary directories below this one.
fn left_behind(dir: &Path) -> usize {
    fs::read_dir(dir).expect("a directory").count()
}

#[test]
fn one_server_for_a_script_is_ready_ends_with_its_parent_and_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let mut up = Up::start(&["--standalone"], dir.path());
    let ready = up.wait_for("ready");
    let client = ready["servers"][0]["client"].as_str().expect("an address").to_owned();
    assert_eq!(ready["connect"], Value::from(client.clone()));
    assert_eq!(ready["temporary"], true);
    assert!(ask(&client, "srvr").expect("it serves").contains("Mode: standalone"));
    assert_eq!(left_behind(dir.path()), 1);
    let (code, said) = up.end();
    assert_eq!(code, Some(0));
    assert_eq!(said.last().expect("an event")["event"], "stopped");
    assert!(ask(&client, "srvr").is_err(), "it outlived its parent");
    assert_eq!(left_behind(dir.path()), 0);
}

#[test]
fn servers_are_killed_paused_and_started_again_by_keys() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let mut up = Up::start(&["--observers", "1", "--keep"], dir.path());
    let ready = up.wait_for("ready");
    assert_eq!(ready["servers"].as_array().map(Vec::len), Some(4));
    assert!(up.said.iter().any(|event| event["server"] == 4 && event["mode"] == "observer"));
    let leader = up.leader();
    let follower = (1..=3).find(|server| *server != leader).expect("three servers");
    up.press(&format!("{follower}p\n"));
    up.wait_for("paused");
    up.wait_for_mode(follower, None);
    up.press(&format!("{follower}p\n"));
    up.wait_for("resumed");
    up.wait_for_mode(follower, Some("follower"));
    up.press(&format!("{leader}k"));
    up.wait_for("killed");
    let next = up.wait(|event| event["mode"] == "leader");
    assert_ne!(next["server"], leader);
    up.press(&format!("{leader}k{leader}r"));
    let refused = up.wait_for("refused");
    assert!(refused["why"].as_str().expect("words").contains("does not run"), "{refused}");
    up.wait_for("started");
    up.wait_for_mode(leader, Some("follower"));
    assert_eq!(up.end().0, Some(0));
    assert!(dir.path().join("quorate-data/4/quorate.log").exists(), "--keep keeps it");
}

#[test]
fn a_leader_that_is_cut_off_serves_nobody_and_follows_when_it_is_joined_again() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let mut up = Up::start(&[], dir.path());
    up.wait_for("ready");
    let cut_off = up.leader();
    up.press(&format!("{cut_off}i"));
    up.wait_for("isolated");
    let mut modes = (false, 0);
    while !modes.0 || modes.1 == 0 {
        let role = up.wait_for("role");
        match role["server"] == cut_off {
            true => modes.0 = role["mode"].is_null(),
            false if role["mode"] == "leader" => modes.1 = role["server"].as_u64().unwrap_or(0),
            false => {}
        }
    }
    assert_ne!(modes.1, cut_off);
    up.press(&format!("{cut_off}i"));
    up.wait_for("rejoined");
    up.wait_for_mode(cut_off, Some("follower"));
    assert_eq!(up.end().0, Some(0));
}

#[test]
fn a_server_that_ends_by_itself_ends_the_ensemble_and_its_data_stays() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let mut up = Up::start(&["--standalone"], dir.path());
    let pid = up.wait_for("started")["pid"].as_i64().expect("a number").to_string();
    up.wait_for("ready");
    let killed = Command::new("kill").args(["-9", &pid]).status().expect("a POSIX system");
    assert!(killed.success());
    let ended = up.wait_for("ended");
    assert!(ended["status"].as_str().expect("words").contains("signal: 9"), "{ended}");
    assert_eq!(up.end().0, Some(1));
    assert_eq!(left_behind(dir.path()), 1);
}

#[test]
fn sigterm_is_an_end_in_order() {
    let dir = tempfile::tempdir().expect("a directory for temporary files");
    let mut up = Up::start(&["--servers", "2"], dir.path());
    up.wait_for("started");
    let pid = up.child.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().expect("a POSIX system").success());
    up.wait_for("stopped");
    assert_eq!(up.end().0, Some(0));
    assert_eq!(left_behind(dir.path()), 0);
}
