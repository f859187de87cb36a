//! One server: its directory, its process, its log.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::ports::ServerPorts;

/// What would change a server behind the back of its zoo.cfg.
const VARIABLES: [&str; 8] = [
    "ZOOCFGDIR",
    "ZOOCFG",
    "ZOO_DATADIR_AUTOCREATE_DISABLE",
    "SERVER_JVMFLAGS",
    "JVMFLAGS",
    "JDK_JAVA_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "NOTIFY_SOCKET",
];
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// Lines of a log that a failed test shows.
const SHOWN_LINES: usize = 40;

#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) id: u16,
    pub(crate) ports: ServerPorts,
    pub(crate) is_observer: bool,
    dir: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Writes its directory. Nothing runs yet.
    pub(crate) fn lay_out(
        id: u16,
        ports: ServerPorts,
        is_observer: bool,
        dir: PathBuf,
        config: &str,
    ) -> io::Result<Server> {
        fs::create_dir_all(dir.join("data"))?;
        fs::write(dir.join("data/myid"), format!("{id}\n"))?;
        fs::write(dir.join("zoo.cfg"), config)?;
        Ok(Server { id, ports, is_observer, dir, child: None })
    }

    pub(crate) fn start(&mut self, program: &Path) -> io::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new(program);
        for name in VARIABLES {
            command.env_remove(name);
        }
        let child = command
            // It ends with this process, however that ends: then standard input is closed.
            .args(["server", "start-foreground", "--attached"])
            .arg(self.dir.join("zoo.cfg"))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    pub(crate) fn runs(&self) -> bool {
        self.child.is_some()
    }

    /// Whether it has ended without having been killed.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_)) | Err(_)))
    }

    /// SIGKILL, and its end. A server that does not run is left so.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends it `STOP` or `CONT`.
    pub(crate) fn signal(&self, signal: &str) -> io::Result<()> {
        let Some(child) = &self.child else { return Ok(()) };
        let status = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status()?;
        match status.success() {
            true => Ok(()),
            false => Err(io::Error::other(format!("kill -s {signal} ended with {status}"))),
        }
    }

    /// `leader`, `follower`, `observer` or `standalone`; `None` while it does not serve.
    pub(crate) fn mode(&self) -> Option<String> {
        self.child.as_ref()?;
        let answer = ask(self.ports.client, "srvr").ok()?;
        answer.lines().find_map(|line| line.strip_prefix("Mode: ")).map(String::from)
    }

    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    pub(crate) fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
        format!("--- the end of server {}'s log ---\n{last}\n", self.id)
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join("quorate.log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The answer to a four-letter word.
fn ask(address: SocketAddr, word: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ASK_TIMEOUT)?;
    stream.set_read_timeout(Some(ASK_TIMEOUT))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
