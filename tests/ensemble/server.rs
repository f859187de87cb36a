//! One server: its process, its files, and the four-letter words it answers.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait_for;

/// How long a running server may take to answer a word.
const ANSWER_MAX: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) id: i64,
    pub(crate) address: SocketAddr,
    /// Holds zoo.cfg, `data`, perhaps `log`, and what the server says.
    pub(crate) home: PathBuf,
    child: Option<Child>,
    stands_still: bool,
}

impl Server {
    pub(crate) fn new(id: i64, home: PathBuf, address: SocketAddr) -> Server {
        Server { id, address, home, child: None, stands_still: false }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    /// What the server says, over all its runs.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until these words stand in its log: it writes a moment later than it does things.
    #[track_caller]
    pub(crate) fn wait_for_words(&self, words: &str) {
        self.wait_for_words_often(words, 1);
    }

    /// Waits until they stand there so many times.
    #[track_caller]
    pub(crate) fn wait_for_words_often(&self, words: &str, times: usize) {
        wait_for(&format!("{words:?} in the log of server {}", self.id), || {
            (self.log().matches(words).count() >= times).then_some(())
        });
    }

    fn log_path(&self) -> PathBuf {
        self.home.join("server.log")
    }

    /// Starts it in the foreground of a process of its own, which ends with this one.
    pub(crate) fn start(&mut self) {
        self.start_with_log_level("info");
    }

    /// `level`: as in RUST_LOG.
    pub(crate) fn start_with_log_level(&mut self, level: &str) {
        let mut command = self.command();
        command.env("RUST_LOG", level);
        self.spawn(&mut command);
    }

    /// Starts it with these variables in its environment.
    pub(crate) fn start_with_variables(&mut self, variables: &[(&str, &str)]) {
        let mut command = self.command();
        command.env("RUST_LOG", "info").envs(variables.iter().copied());
        self.spawn(&mut command);
    }

    /// The same, without RUST_LOG where it is not one of them.
    pub(crate) fn start_with_variables_alone(&mut self, variables: &[(&str, &str)]) {
        let mut command = self.command();
        command.env_remove("RUST_LOG").envs(variables.iter().copied());
        self.spawn(&mut command);
    }

    /// Starts it with no more file descriptors than these.
    pub(crate) fn start_with_descriptors(&mut self, soft: u32, hard: u32) {
        let server = self.command();
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"ulimit -Sn "$0" && ulimit -Hn "$1" && shift && exec "$@""#])
            .args([soft.to_string(), hard.to_string()])
            .arg(server.get_program())
            .args(server.get_args())
            .env("RUST_LOG", "info");
        self.spawn(&mut command);
    }

    /// Starts it with all that it could tell; the answer is where, and nobody reads there yet.
    pub(crate) fn start_unread(&mut self) -> ChildStderr {
        let mut command = self.command();
        command.env("RUST_LOG", "trace").env("QUORATE_TRACE", "1");
        let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the program of this package");
        let unread = child.stderr.take().expect("it is piped");
        self.child = Some(child);
        unread
    }

    /// As the process that `start` begins, which writes its log itself: the same file, with all that it
    /// could tell.
    pub(crate) fn start_in_the_background(&mut self) {
        let mut command = self.command();
        command.arg("--detached").env("RUST_LOG", "trace").env("QUORATE_TRACE", "1");
        command.env("ZOO_LOG_DIR", &self.home).env("ZOO_LOG_FILE", "server.log");
        self.spawn(&mut command);
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.args(["server", "start-foreground", "--attached"]).arg(self.home.join("zoo.cfg"));
        command
    }

    fn spawn(&mut self, command: &mut Command) {
        assert!(self.child.is_none(), "server {} runs already", self.id);
        let log = OpenOptions::new().create(true).append(true).open(self.log_path());
        let log = log.expect("a writable directory");
        let out = log.try_clone().expect("an open file");
        let child = command.stdin(Stdio::piped()).stdout(out).stderr(log).spawn();
        self.child = Some(child.expect("the program of this package"));
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.stands_still = false;
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child of this test");
            child.wait().expect("a child of this test");
        }
    }

    /// SIGSTOP: it stands still, and the kernel goes on taking its connections.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::STOP);
        self.stands_still = true;
    }

    /// SIGCONT.
    pub(crate) fn go_on(&mut self) {
        self.signal(Signal::CONT);
        self.stands_still = false;
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it was started");
        let pid = Pid::from_child(child);
        kill_process(pid, signal).expect("a child of this test");
    }

    pub(crate) fn restart(&mut self) {
        self.kill();
        self.start();
    }

    /// Waits until the process ends by itself.
    #[track_caller]
    pub(crate) fn wait_for_its_end(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it was started");
        wait_for("the end of a server", || child.try_wait().expect("a child of this test"))
    }

    /// Fails the test if the process has ended.
    #[track_caller]
    pub(crate) fn assert_it_lives(&mut self) {
        let child = self.child.as_mut().expect("it was started");
        let ended = child.try_wait().expect("a child of this test");
        assert!(ended.is_none(), "server {} ended, {ended:?}", self.id);
    }

    #[track_caller]
    pub(crate) fn wait_until_it_serves(&mut self) {
        let id = self.id;
        wait_for(&format!("server {id} to serve"), || {
            self.assert_it_lives();
            self.mode()
        });
    }

    /// The answer to a four-letter word.
    pub(crate) fn word(&self, word: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.write_all(word.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// One line of `srvr`; `None` while the server does not serve.
    pub(crate) fn srvr(&self, name: &str) -> Option<String> {
        if self.stands_still {
            return None;
        }
        let answer = self.word("srvr").ok()?;
        let line = answer.lines().find_map(|line| line.strip_prefix(name));
        Some(line?.trim_start_matches(": ").to_string())
    }

    pub(crate) fn mode(&self) -> Option<String> {
        self.srvr("Mode")
    }

    /// How the leader synchronised learner `id` last: the whole line of this server's log.
    pub(crate) fn last_sync_of(&self, id: i64) -> Option<String> {
        let log = self.log();
        let learner = format!("learner={id} ");
        let mut lines = log.lines().rev();
        let sync = |line: &&str| line.contains("synchronising") && line.contains(&learner);
        lines.find(sync).map(String::from)
    }

    /// Memory it uses now.
    pub(crate) fn resident_bytes(&self) -> usize {
        let pid = self.child.as_ref().expect("it was started").id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
        kilobytes.expect("a number of kB") * 1024
    }

    /// The names of its threads.
    pub(crate) fn threads(&self) -> Vec<String> {
        let pid = self.child.as_ref().expect("it was started").id();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
        let name = |task: io::Result<fs::DirEntry>| {
            // One that ends meanwhile has none.
            fs::read_to_string(task.ok()?.path().join("comm")).ok()
        };
        tasks.filter_map(name).map(|name| name.trim().to_owned()).collect()
    }

    /// Replaces its zoo.cfg.
    pub(crate) fn edit_config(&self, edit: impl FnOnce(String) -> String) {
        let path = self.home.join("zoo.cfg");
        let text = fs::read_to_string(&path).expect("it was laid out");
        fs::write(path, edit(text)).expect("a writable directory");
    }

    /// Deletes everything it has stored; `myid` stays.
    pub(crate) fn wipe(&self) {
        for dir in ["data/version-2", "log/version-2"] {
            let dir = self.home.join(dir);
            if dir.exists() {
                fs::remove_dir_all(dir).expect("a writable directory");
            }
        }
    }

    /// Names of the files in `version-2` of `data` (or `log`), sorted.
    pub(crate) fn files(&self, dir: &str) -> Vec<String> {
        let entries = fs::read_dir(self.home.join(dir).join("version-2"));
        let name = |entry: io::Result<fs::DirEntry>| {
            entry.expect("a readable directory").file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<String> = entries.into_iter().flatten().map(name).collect();
        names.sort();
        names
    }

    pub(crate) fn file(&self, dir: &str, name: &str) -> PathBuf {
        self.home.join(dir).join("version-2").join(name)
    }

    /// Whether what it shows is on its own disk. It may show what a quorum has logged before it has
    /// logged it itself, and would come back without it if it were killed then.
    pub(crate) fn has_logged_what_it_shows(&self) -> bool {
        let shown = self.srvr("Zxid").and_then(|text| {
            let digits = text.strip_prefix("0x")?;
            u64::from_str_radix(digits, 16).ok()
        });
        shown.is_some_and(|shown| self.last_on_disk() >= shown)
    }

    /// The zxid of the newest record, or of the newest snapshot if that is later.
    fn last_on_disk(&self) -> u64 {
        let mut last = 0;
        for dir in ["data", "log"] {
            for name in self.files(dir) {
                let Some((kind, zxid)) = name.split_once('.') else { continue };
                let Ok(zxid) = u64::from_str_radix(zxid, 16) else { continue };
                last = last.max(match kind {
                    "snapshot" => zxid,
                    "log" => last_record(&fs::read(self.file(dir, &name)).unwrap_or_default()),
                    _ => 0,
                });
            }
        }
        last
    }
}

/// Every file below a directory and its content.
pub(crate) fn content_of(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a readable directory") {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            found.extend(content_of(&path));
        } else {
            let content = fs::read(&path).expect("a readable file");
            found.push((path, content));
        }
    }
    found.sort();
    found
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The zxid of the last whole record of a log: 16 bytes of header, then checksum (8), length (4),
/// payload (client 8, cxid 4, zxid 8, ...) and an end mark (1) for each.
fn last_record(log: &[u8]) -> u64 {
    let mut last = 0;
    let mut at = 16;
    while let Some(length) = log.get(at + 8..at + 12).and_then(|b| b.try_into().ok()) {
        let length = u32::from_be_bytes(length) as usize;
        let zxid = log.get(at + 24..at + 32).and_then(|b| b.try_into().ok());
        let (true, Some(b'B'), Some(zxid)) = (length > 0, log.get(at + 12 + length), zxid) else {
            break;
        };
        last = u64::from_be_bytes(zxid);
        at += 13 + length;
    }
    last
}
