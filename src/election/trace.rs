//! What goes into an election and what comes out, as one line each: for the trace and for tests.

use std::fmt;

use bytes::Bytes;

use super::packet::Notification;
use super::{core, links};
use crate::base::Mono;

/// A message as its reader understands it.
struct Body<'a>(&'a Bytes);

impl fmt::Display for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Notification::decode(self.0.clone()) {
            Ok(notification) => write!(f, "{notification}"),
            Err(error) => write!(f, "{} bytes: {error}", self.0.len()),
        }
    }
}

impl fmt::Display for core::Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            core::Input::Look { zxid, epoch, after_term, successor } => {
                let after = if *after_term { " after a term" } else { "" };
                write!(f, "look zxid={zxid} epoch={epoch}{after}")?;
                successor.map_or(Ok(()), |sid| write!(f, " handed over to {sid}"))
            }
            core::Input::Refused { sid } => write!(f, "refused {sid}"),
            core::Input::Gone { sid } => write!(f, "gone {sid}"),
            core::Input::Notification { from, notification } => {
                write!(f, "from {from} {notification}")
            }
            core::Input::Established { epoch } => write!(f, "established epoch={epoch}"),
            core::Input::ConfigVersion(version) => write!(f, "config version {version:x}"),
            core::Input::Timer { delivered } => write!(f, "timer delivered={delivered}"),
        }
    }
}

impl fmt::Display for core::Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            core::Output::Send { to, body } => write!(f, "send {to} {}", Body(body)),
            core::Output::ConnectAll => f.write_str("connect all"),
            core::Output::Connect { to } => write!(f, "connect {to}"),
            core::Output::Decided { leader, role, vote } => write!(
                f,
                "decided {leader} {role} zxid={} round={} peerEpoch={}",
                vote.zxid, vote.election_epoch, vote.peer_epoch
            ),
            core::Output::ConfigVersion(version) => write!(f, "config version {version:x}"),
            core::Output::MembersChanged(why) => write!(f, "end: {why}"),
            core::Output::WakeAt(Mono::FAR) => f.write_str("wake never"),
            core::Output::WakeAt(at) => write!(f, "wake {} ms", at.millis()),
            core::Output::Note(note) => write!(f, "note {note:?}"),
        }
    }
}

impl fmt::Display for links::Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            links::Input::Send { to, body } => write!(f, "send {to} {}", Body(body)),
            links::Input::ConnectAll => f.write_str("connect all"),
            links::Input::Accepted { link, sid } => write!(f, "accepted {link} of {sid}"),
            links::Input::Connected { link } => write!(f, "connected {link}"),
            links::Input::Connect { to } => write!(f, "connect {to}"),
            links::Input::DialFailed { link, refused: true } => write!(f, "dial refused {link}"),
            links::Input::DialFailed { link, .. } => write!(f, "dial failed {link}"),
            links::Input::Frame { link, body } => write!(f, "frame {link} {}", Body(body)),
            links::Input::Misbehaved { link } => write!(f, "misbehaved {link}"),
            links::Input::Lost { link } => write!(f, "lost {link}"),
        }
    }
}

impl fmt::Display for links::Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            links::Output::Dial { link, sid, to, .. } => write!(f, "dial {link} of {sid} at {to}"),
            links::Output::Write { link, body } => write!(f, "write {link} {}", Body(body)),
            links::Output::Close { link } => write!(f, "close {link}"),
            links::Output::Deliver { from, body, .. } => write!(f, "from {from} {}", Body(body)),
            links::Output::Gone { sid } => write!(f, "gone {sid}"),
            links::Output::Refused { sid } => write!(f, "refused {sid}"),
        }
    }
}
