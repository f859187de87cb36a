//! The program, run with words or fed with lines.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

use crate::ensemble::wait_for;

/// What one run said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.arg("shell").args(words);
    for name in ["JVMFLAGS", "CLIENT_JVMFLAGS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"] {
        command.env_remove(name);
    }
    command.env("ZOOCFGDIR", "/nonexistent");
    command
}

/// Without a server in front of the words.
pub(crate) fn run(words: &[&str]) -> Answer {
    finish(command(words).stdin(Stdio::null()))
}

pub(crate) fn ask(server: SocketAddr, words: &[&str]) -> Answer {
    ask_with(server, &[], words)
}

/// With these variables in the environment.
pub(crate) fn ask_with(server: SocketAddr, variables: &[(&str, &str)], words: &[&str]) -> Answer {
    let server = server.to_string();
    let words: Vec<&str> = ["-server", &server].iter().chain(words).copied().collect();
    finish(command(&words).envs(variables.iter().copied()).stdin(Stdio::null()))
}

/// These lines on its standard input.
pub(crate) fn feed(server: SocketAddr, options: &[&str], lines: &str) -> Answer {
    let input = tempfile::NamedTempFile::new().expect("a directory for temporary files");
    fs::write(input.path(), lines).expect("a writable file");
    let server = server.to_string();
    let words: Vec<&str> = ["-server", &server].iter().chain(options).copied().collect();
    finish(command(&words).stdin(File::open(input.path()).expect("it was written")))
}

fn finish(command: &mut Command) -> Answer {
    let output = command.output().expect("the program of this package");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Answer {
        code: output.status.code().expect("no signal"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// A shell that stays, its output in a file.
pub(crate) struct Shell {
    child: Child,
    input: ChildStdin,
    dir: TempDir,
}

impl Shell {
    pub(crate) fn open(servers: &str) -> Shell {
        Shell::open_with(&[], servers)
    }

    pub(crate) fn open_with(options: &[&str], servers: &str) -> Shell {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let out = File::create(dir.path().join("out")).expect("a writable directory");
        let err = out.try_clone().expect("an open file");
        let words: Vec<&str> = ["-server", servers].iter().chain(options).copied().collect();
        let mut command = command(&words);
        let child = command.stdin(Stdio::piped()).stdout(out).stderr(err).spawn();
        let mut child = child.expect("the program of this package");
        let input = child.stdin.take().expect("it is piped");
        Shell { child, input, dir }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it reads");
    }

    pub(crate) fn said(&self) -> String {
        let path: PathBuf = self.dir.path().join("out");
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }

    #[track_caller]
    pub(crate) fn hears(&self, text: &str) {
        wait_for(&format!("{text:?} of the shell, which said {}", self.said()), || {
            self.said().contains(text).then_some(())
        });
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
