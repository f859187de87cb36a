//! What the numbers that differ from run to run stand for.

use std::collections::BTreeMap;

use bytes::Bytes;
use quorate::base::SessionId;
use quorate::session::password;

/// The numbers of one server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// From which zxid on zxids count from which base; ascending.
    bases: Vec<(i64, i64)>,
    /// In order of appearance.
    sessions: Vec<i64>,
    /// When each transaction was made, as far as a Stat has told.
    times: BTreeMap<i64, i64>,
    /// A piece of text that is said as `~`.
    root: Option<String>,
    /// Events are said without their zxid.
    hides_event_zxids: bool,
}

impl Names {
    /// Zxids count from this one.
    pub(crate) fn count_from(base: i64) -> Names {
        Names { bases: vec![(0, base)], ..Names::default() }
    }

    /// Says this text as `~`.
    pub(crate) fn with_root(self, root: &str) -> Names {
        Names { root: Some(root.into()), ..self }
    }

    pub(crate) fn without_event_zxids(self) -> Names {
        Names { hides_event_zxids: true, ..self }
    }

    fn base(&self, zxid: i64) -> i64 {
        let base = self.bases.iter().rev().find(|(from, _)| *from <= zxid);
        base.map_or(0, |(_, base)| *base)
    }

    /// How far behind the base a zxid is; 0 and below are not counted.
    pub(crate) fn count(&self, zxid: i64) -> i64 {
        zxid.wrapping_sub(self.base(zxid))
    }

    /// The zxid that is so far behind the (newest) base.
    pub(crate) fn zxid_at(&self, count: i64) -> i64 {
        self.bases.last().map_or(0, |(_, base)| *base).wrapping_add(count)
    }

    /// From this zxid on they count so that it is `count`.
    pub(crate) fn recount(&mut self, zxid: i64, count: i64) {
        self.bases.push((zxid, zxid.wrapping_sub(count)));
    }

    pub(super) fn zxid(&self, zxid: i64) -> String {
        match zxid {
            ..=0 => zxid.to_string(),
            _ if zxid <= self.base(zxid) => "old".into(),
            _ => format!("+{}", self.count(zxid)),
        }
    }

    pub(super) fn event_zxid(&self, zxid: i64) -> String {
        if self.hides_event_zxids { "any".into() } else { self.zxid(zxid) }
    }

    /// A time is said by the transaction that made it; the same transaction has one time.
    pub(super) fn time(&mut self, time: i64, zxid: i64) -> String {
        if time == 0 || zxid <= 0 {
            return time.to_string();
        }
        let known = *self.times.entry(zxid).or_insert(time);
        if known == time { self.zxid(zxid) } else { format!("not that of {}", self.zxid(zxid)) }
    }

    /// A session that a server gave or knows, as a ConnectResponse tells.
    pub(crate) fn meet_session(&mut self, session: i64) {
        if session != 0 && !self.sessions.contains(&session) {
            self.sessions.push(session);
        }
    }

    pub(crate) fn session_number(&self, session: i64) -> Option<usize> {
        self.sessions.iter().position(|known| *known == session)
    }

    /// The session that was met as number `number`.
    pub(crate) fn session_at(&self, number: usize) -> Option<i64> {
        self.sessions.get(number).copied()
    }

    pub(super) fn session(&self, session: i64) -> String {
        match self.session_number(session) {
            Some(number) => format!("s{number}"),
            None if session == 0 => "0".into(),
            None => format!("0x{session:x}"),
        }
    }

    /// The password of a session is said by the session.
    pub(super) fn password(&self, shown: &Option<Bytes>, session: i64) -> String {
        match shown {
            None => "null".into(),
            Some(shown) if session != 0 && shown[..] == password(SessionId(session)) => {
                "its own".into()
            }
            Some(shown) => hex(shown),
        }
    }

    pub(super) fn text(&self, text: &Option<Bytes>) -> String {
        let Some(text) = text else { return "null".into() };
        let text = text.escape_ascii().to_string();
        match &self.root {
            Some(root) => format!("\"{}\"", text.replace(root.as_str(), "~")),
            None => format!("\"{text}\""),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
