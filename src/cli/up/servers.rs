//! The processes of an ensemble on this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::layout::Member;
use crate::cli::files;
use crate::runtime::FilePermissions;

/// Lines of a log that are shown.
const SHOWN_LINES: usize = 5;

struct Server {
    child: Child,
    is_paused: bool,
}

impl Server {
    fn signal(&self, signal: Signal) -> io::Result<()> {
        // Not waited for yet, so the number is its own.
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.map_or(Ok(()), |pid| kill_process(pid, signal)).map_err(io::Error::from)
    }
}

/// Those that run, by their numbers. Dropping it closes their standard inputs, which ends them, and waits.
#[derive(Default)]
pub(super) struct Servers(BTreeMap<u16, Server>);

impl Servers {
    /// The number of its process.
    pub(super) fn start(&mut self, member: &Member) -> io::Result<u32> {
        let permissions = FilePermissions::default();
        let log = files::append_to(&member.log_path(), permissions)?;
        let child = Command::new(std::env::current_exe()?)
            .args(["server", "start-foreground", "--attached"])
            .arg(member.dir.join("zoo.cfg"))
            // Ctrl-C is for this process alone, which then ends them in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let pid = child.id();
        self.0.insert(member.number, Server { child, is_paused: false });
        Ok(pid)
    }

    pub(super) fn runs(&self, number: u16) -> bool {
        self.0.contains_key(&number)
    }

    /// SIGKILL, and its end. One that does not run is left so.
    pub(super) fn kill(&mut self, number: u16) -> io::Result<()> {
        let Some(mut server) = self.0.remove(&number) else { return Ok(()) };
        server.child.kill()?;
        server.child.wait().map(drop)
    }

    /// Whether it is paused now.
    pub(super) fn pause_or_resume(&mut self, number: u16) -> io::Result<bool> {
        let Some(server) = self.0.get_mut(&number) else { return Ok(false) };
        server.signal(if server.is_paused { Signal::CONT } else { Signal::STOP })?;
        server.is_paused = !server.is_paused;
        Ok(server.is_paused)
    }

    /// The first one that has ended by itself.
    pub(super) fn ended(&mut self) -> Option<(u16, ExitStatus)> {
        self.0.iter_mut().find_map(|(number, server)| {
            server.child.try_wait().ok().flatten().map(|status| (*number, status))
        })
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in self.0.values_mut() {
            drop(server.child.stdin.take());
            if server.is_paused {
                let _ = server.signal(Signal::CONT);
            }
        }
        for server in self.0.values_mut() {
            let _ = server.child.wait();
        }
    }
}

/// The last lines that a server wrote.
pub(super) fn end_of_log(member: &Member) -> String {
    let log = fs::read(member.log_path()).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n  ")
}
