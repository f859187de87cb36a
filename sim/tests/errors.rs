//! Whatever is wrong with a command or a file is said in one sentence on the error stream, with
//! the exit code that tells whose fault it is: never a panic, never a backtrace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Two servers of five elect a leader: S-20 fails under every seed.
const BAD: &str = r#"
about = "a vote counts each time it is heard"
duration = "1s"
museum = ["vote_counted_twice"]
[ensemble]
voters = [1, 2, 3, 4, 5]
max_notification_interval = "2s"
timeline = ["0s start 1 2"]
"#;

/// A directory of this test's own, with `bad.toml` in it.
fn dir(test: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("errors").join(test);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("museum")).expect("the build directory can be written");
    write(&dir, "bad.toml", BAD);
    dir
}

fn write(dir: &Path, name: &str, content: impl AsRef<[u8]>) {
    fs::write(dir.join(name), content).expect("the build directory can be written");
}

fn sim(dir: &Path, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate-sim"));
    command.current_dir(dir).args(args.split_whitespace()).env("RUST_BACKTRACE", "1");
    command
}

fn done(mut command: Command) -> Output {
    command.output().expect("the binary was built for this test")
}

/// A command must end with this code, and with one sentence that says all of this.
fn told(dir: &Path, args: &str, code: i32, words: &[&str]) {
    let output = done(sim(dir, args));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args}: {error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{args}: one sentence: {error}");
    for words in words {
        assert!(error.contains(words), "{args}: {words}? {error}");
    }
    for never in ["panicked", "backtrace", "unwrap", "Error {", "Os {"] {
        assert!(!error.contains(never), "{args}: {error}");
    }
}

#[test]
fn a_scenario_that_is_none_is_refused_with_its_place() {
    let dir = dir("scenario");
    write(&dir, "open.toml", "about = \"x\"\n[ensemble]\nvoters = [1, 2\n");
    write(
        &dir,
        "word.toml",
        "about = \"x\"\ntimeline = [\"0s sart 1\"]\n[ensemble]\nvoters = [1]\n",
    );
    write(&dir, "bytes.toml", [0xff, 0xfe, 0, 7]);
    write(&dir, "empty.toml", "");
    for (file, words) in [
        ("open.toml", "open.toml:3:15: unclosed array"),
        ("word.toml", "word.toml:2:17: unknown action `sart`, did you mean `start`?"),
        ("bytes.toml", "bytes.toml: cannot be read"),
        ("empty.toml", "empty.toml:1:1: missing field `about`"),
        ("nowhere.toml", "nowhere.toml: cannot be read: No such file"),
        (".", ".: cannot be read: Is a directory"),
    ] {
        for command in
            ["run", "hunt", "hunt bad.toml", "bench", "museum --dir museum --plain 2 --file"]
        {
            told(&dir, &format!("{command} {file}"), 2, &[words]);
        }
    }
}

#[test]
fn a_recording_that_is_none_is_refused_with_what_to_do() {
    let dir = dir("recording");
    let recorded = done(sim(&dir, "run bad.toml --record good.qrec"));
    assert_eq!(recorded.status.code(), Some(1));
    let good = fs::read(dir.join("good.qrec")).expect("it was written");
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        bytes
    };
    write(&dir, "cut.qrec", &good[..good.len() / 2]);
    write(&dir, "begun.qrec", &good[..10]);
    write(&dir, "newer.qrec", changed(8));
    write(&dir, "damaged.qrec", changed(good.len() - 2));
    let again = "record the run again";
    for (file, words) in [
        ("cut.qrec", ["cut.qrec: is cut off: ", again]),
        ("begun.qrec", ["begun.qrec: is cut off: 10 of ", again]),
        ("newer.qrec", ["was written in format 67 of recordings, this program knows", again]),
        ("damaged.qrec", ["is damaged: its checksum does not match", again]),
        ("bad.toml", ["bad.toml: is no recording", "--record"]),
        ("nowhere.qrec", ["nowhere.qrec: cannot be read", "No such file"]),
    ] {
        for command in ["replay", "replay --rerun", "shrink", "timeline", "export"] {
            told(&dir, &format!("{command} {file}"), 2, &words);
        }
    }
    // The build stands behind the format.
    write(&dir, "other.qrec", changed(12));
    told(&dir, "replay other.qrec", 2, &["was recorded by build ", "`replay --rerun`"]);
}

#[test]
fn what_cannot_be_written_is_told_with_its_name() {
    let dir = dir("unwritable");
    done(sim(&dir, "run bad.toml --record good.qrec"));
    write(&dir, "file", "");
    let cannot = "cannot be written";
    for args in [
        "run bad.toml --record file/x",
        "timeline good.qrec --out file/x",
        "shrink good.qrec --time 0s --out file/x",
        "hunt bad.toml --seeds 1..3 --out file/x",
        "hunt bad.toml --seeds 1..3 --out file",
        "museum --dir museum --plain 2 --file bad.toml --shrink --out file/x",
    ] {
        // A museum's plain file knows of no bug; that is said first.
        let words = if args.starts_with("museum") { "has a bug of its own" } else { cannot };
        told(&dir, args, 2, &[words]);
    }
    told(&dir, "export good.qrec --dir file", 2, &["file: no such directory", "--dir"]);
    fs::create_dir_all(dir.join("areas")).expect("the build directory can be written");
    write(&dir, "areas/museum", "");
    told(&dir, "export good.qrec --dir areas", 2, &["areas/museum/bad_seed_1.toml: ", cannot]);
}

/// The verdict is not lost, but the exit code says that there is no recording.
#[test]
fn a_full_disk_is_told() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let dir = dir("full");
    done(sim(&dir, "run bad.toml --record good.qrec"));
    let full = "No space left on device";
    told(&dir, "run bad.toml --record /dev/full", 3, &["/dev/full: the recording could not", full]);
    told(&dir, "timeline good.qrec --out /dev/full", 2, &["/dev/full: cannot be written", full]);
    told(&dir, "shrink good.qrec --time 0s --out /dev/full", 2, &["cannot be written", full]);
    for args in ["run bad.toml", "run bad.toml --trace", "hunt bad.toml --seeds 1..3"] {
        let mut command = sim(&dir, args);
        command.stdout(fs::File::create("/dev/full").expect("it can be opened"));
        let output = done(command);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args}: {error}");
        assert_eq!(
            error,
            format!("the output cannot be written: {full} (os error 28)\n"),
            "{args}"
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = dir("pipe");
    let mut command = sim(&dir, "run bad.toml --trace");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary was built for this test");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it is a child");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_report_that_is_none_is_refused_with_what_to_do() {
    let dir = dir("report");
    for n in 1..=2 {
        done(sim(&dir, &format!("hunt bad.toml --seeds 1..5 --shard {n}/2 --out s{n}")));
    }
    let good = fs::read(dir.join("s2/report.json")).expect("it was written");
    let none = "s2/report.json: is no report of a hunt: ";
    for (bytes, words) in [
        (good[..good.len() / 2].to_vec(), [none, "remove it, and hunt again"]),
        (vec![0xff; 40], [none, "remove it, and hunt again"]),
        (b"{\"version\": 1}".to_vec(), [none, "missing field"]),
        (b"[]".to_vec(), [none, "it has no version"]),
        (
            b"{\"version\": 99}".to_vec(),
            ["s2/report.json: was written in version 99 of reports", "use the program"],
        ),
    ] {
        write(&dir, "s2/report.json", bytes);
        told(&dir, "report merge s1 s2", 2, &words);
        told(&dir, "hunt bad.toml --seeds 1..5 --shard 2/2 --out s2", 2, &words);
    }
    fs::remove_file(dir.join("s2/report.json")).expect("it is there");
    told(&dir, "report merge s1 s2", 2, &["s2: there is no report.json in it"]);
    write(&dir, "s2/report.json", good);
    told(&dir, "report merge s1 s2 --out bad.toml", 2, &["bad.toml: cannot be written"]);
}

#[test]
fn what_nobody_knows_is_refused_with_where_to_look() {
    let dir = dir("names");
    let lists = ["there is no exhibit nobody", "`quorate-sim museum` lists them"];
    told(&dir, "run bad.toml --museum nobody", 2, &lists);
    told(&dir, "hunt bad.toml --museum nobody", 2, &lists);
    told(&dir, "museum nobody --dir museum", 2, &lists);
    told(&dir, "museum --dir nowhere", 2, &["nowhere: cannot be read", "--dir says where"]);
    told(&dir, "run bad.toml --case 2", 2, &["has 1 cases, no case 2"]);
}
