//! The service manager that started this process, if it wants to hear of it.     (sd_notify(3))
//!
//! Each message is one datagram of lines `NAME=value` to the socket in `NOTIFY_SOCKET`: a path, or the
//! name of an abstract socket behind `@`. `WATCHDOG_USEC` says within how many microseconds a sign of
//! life must follow the last one, `WATCHDOG_PID` of which process. Nothing waits for the manager: a
//! message that it does not take is lost.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::rc::Rc;
use std::time::Duration;
use std::{env, io, process};

use rustix::time::{ClockId, clock_gettime};

use crate::runtime::Notice;

#[derive(Clone, Debug, Default)]
pub(super) struct Manager {
    socket: Option<Rc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl Manager {
    /// What the environment of this process says of it.
    pub(super) fn of_process() -> Manager {
        let Some(name) = variable("NOTIFY_SOCKET") else { return Manager::default() };
        let socket = match open(&name) {
            Ok(socket) => Some(Rc::new(socket)),
            Err(error) => {
                tracing::warn!(%error, "the service manager at NOTIFY_SOCKET={name} is not told anything");
                None
            }
        };
        let is_ours = variable("WATCHDOG_PID").is_none_or(|pid| pid == process::id().to_string());
        let micros = variable("WATCHDOG_USEC").filter(|_| is_ours && socket.is_some());
        let micros = micros.and_then(|micros| micros.parse().ok()).filter(|micros| *micros > 0);
        Manager { socket, watchdog: micros.map(Duration::from_micros) }
    }

    pub(super) fn tell(&self, notice: Notice) {
        let Some(socket) = &self.socket else { return };
        let text = match notice {
            Notice::Ready => "READY=1".to_owned(),
            Notice::Stopping => "STOPPING=1".to_owned(),
            Notice::Alive => "WATCHDOG=1".to_owned(),
            Notice::Reloading => {
                let now = clock_gettime(ClockId::Monotonic);
                let micros = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}")
            }
        };
        let (socket, address) = &**socket;
        if let Err(error) = socket.send_to_addr(text.as_bytes(), address) {
            tracing::debug!(%error, text, "the service manager does not hear");
        }
    }

    /// Half of the time after which the manager takes a silent process for a dead one.
    pub(super) fn sign_of_life_every(&self) -> Option<Duration> {
        self.watchdog.map(|silence| silence / 2)
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn open(name: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}
