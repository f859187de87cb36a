//! The first message of a connection: the client's session, new or its own again.

use bytes::Bytes;
use quorate::base::{ServerId, SessionId, Stamp};
use quorate::jute::client::{ConnectRequest, ConnectResponse};
use quorate::jute::{Jute, Reader};
use quorate::runtime::Runtime;

use super::{HANDSHAKE_TIMEOUT, Running};
use crate::workload::history::Connection;
use crate::workload::link::{Link, Next};
use crate::workload::op::Session;

impl<R: Runtime> Running<R> {
    fn connect_request(&self) -> ConnectRequest {
        let password = match self.session.id {
            SessionId(0) => Bytes::from_static(&[0; 16]),
            _ => self.session.password.clone(),
        };
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: self.last_zxid,
            timeout_ms: self.spec.session_timeout.as_millis() as i32,
            session: self.session.id,
            password: Some(password),
            read_only: Some(self.spec.takes_read_only),
        }
    }

    pub(super) async fn handshake(
        &mut self,
        link: &mut Link<R::Stream>,
        server: ServerId,
        at: Stamp,
    ) -> Result<Stamp, Stamp> {
        link.write(at, &self.connect_request().to_jute()).await.map_err(|()| at)?;
        let deadline = at + HANDSHAKE_TIMEOUT;
        let (at, frame) = match link.next(&self.rt, deadline).await {
            Next::Frame(at, frame) => (at, frame),
            Next::Over(at) => return Err(at),
            Next::Due => return Err(deadline),
        };
        let Ok(response) = ConnectResponse::decode(&mut Reader::new(frame)) else {
            self.complain("C-2", at, server, "answered ConnectRequest with nonsense".into());
            return Err(at);
        };
        if response.session == SessionId(0) || response.timeout_ms <= 0 {
            if self.session.id != SessionId(0) {
                let mut history = self.spec.history.borrow_mut();
                history.expired.push((self.session.id, at, server));
            }
            self.forget_session();
            return Err(at);
        }
        self.read_only = response.read_only == Some(true);
        let mut history = self.spec.history.borrow_mut();
        if self.read_only && !self.spec.takes_read_only {
            let words = "only reads, and was not asked whether that will do".into();
            history.complaints.push(self.complaint("C-10", at, server, words));
        }
        if self.session.id == SessionId(0) {
            history.sessions.insert(response.session, self.spec.name.clone());
            if self.read_only {
                history.local.insert(response.session);
            }
        } else if self.session.id != response.session {
            let words = format!("answered for session {}", response.session);
            history.complaints.push(self.complaint("C-2", at, server, words));
        }
        self.connection = history.connect(Connection {
            client: self.spec.name.clone(),
            session: response.session,
            server,
            opened: at,
            read_only: self.read_only,
            frames: Vec::new(),
        });
        drop(history);
        self.session = Session {
            id: response.session,
            password: response.password.unwrap_or_default(),
            timeout_ms: response.timeout_ms,
        };
        Ok(at)
    }
}
