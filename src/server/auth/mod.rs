//! Who a client is, and what it has to prove before it is served.
//! (ZooKeeperServer.processPacket, AuthenticationHelper, server/auth/*)
//!
//! A connection has ids from its first moment: its address, and the name of a certificate that
//! TLS has verified. Operation auth (100) adds to them, and so does an exchange of operation sasl
//! (102); nothing takes one away again but the end of the connection.
//!
//!     digest.rs       scheme digest, and the superuser's digest
//!     sasl.rs         operation sasl
//!     digest_md5.rs   the mechanism in its tokens, RFC 2831
//!     eager.rs        permissions checked before a write leaves this server
//!     order.rs        the order of a connection's ids
//!
//! - AU-1  auth and sasl are answered as they arrive, in front of requests that wait (Apache's fast
//!   path): the reply has zxid 0.
//! - AU-2  while `enforced_schemes` names schemes of which the connection has no id, nothing else
//!   is served: the reply is -124 and the connection ends.
//!
//! Not here: what an id may do (`tree/acl.rs`), the handshake of TLS (`runtime/os`).

mod digest;
mod digest_md5;
mod eager;
mod nonces;
mod order;
mod sasl;

use bytes::Bytes;

use super::connection::{Pending, Wait};
use super::replies;
use super::service::{Output, Service};
use crate::base::{ConnId, Mono, Now, Zxid};
use crate::config::{Access, ServerConfig};
use crate::database::Database;
use crate::jute::client::{AuthPacket, RequestHeader, code, op};
use crate::jute::data::Id;
use crate::jute::{Jute, Reader};

use nonces::Nonces;
pub(super) use sasl::SaslExchange;

/// What decides over all connections of a server.
#[derive(Debug)]
pub(super) struct Authority {
    access: Access,
    /// Writes are checked before they leave; a standalone server has nobody to send them to.
    checks_early: bool,
    nonces: Nonces,
}

/// What became of a proof.
enum Verdict {
    Proven(Vec<Id>),
    Failed,
    /// Not an error the client should hear of: it is to look for another server.
    WrongServer,
}

impl Authority {
    pub(super) fn new(config: &ServerConfig, nonces: [u64; 2]) -> Authority {
        Authority {
            access: config.access.clone(),
            checks_early: config.access.eager_check && !config.is_standalone(),
            nonces: Nonces::new(nonces),
        }
    }

    /// Whether somebody with these ids is served at all (AU-2).
    fn serves(&self, ids: &[Id]) -> bool {
        let enforced = &self.access.enforced_schemes;
        enforced.is_empty() || ids.iter().any(|id| enforced.contains(&id.scheme))
    }

    /// The ids a certificate gives its owner.
    fn ids_of_subject(&self, subject: String) -> Vec<Id> {
        let is_super = self.access.x509_super_user.as_ref() == Some(&subject);
        let mark = is_super.then(|| Id { scheme: "super".into(), id: subject.clone() });
        mark.into_iter().chain([Id { scheme: "x509".into(), id: subject }]).collect()
    }

    /// Scheme by scheme what Apache's providers say to operation auth.
    fn verdict(&self, packet: &AuthPacket, held: &[Id]) -> Verdict {
        let proof = packet.auth.as_deref();
        match packet.scheme.as_str() {
            "digest" if self.access.digest_enabled => {
                digest::ids_of(&self.access, proof).map_or(Verdict::Failed, Verdict::Proven)
            }
            // The address is known already, whatever the client says.
            "ip" => Verdict::Proven(Vec::new()),
            // Proven when the connection was made, or not at all.
            "x509" if held.iter().any(|id| id.scheme == "x509") => Verdict::Proven(Vec::new()),
            "ensemble" => match &self.access.ensemble_names {
                Some(names) => is_of_ensemble(names, proof.unwrap_or_default()),
                None => Verdict::Failed,
            },
            // sasl is proven by its own operation; the rest are no schemes of a proof.
            _ => Verdict::Failed,
        }
    }
}

/// A client that names no ensemble is in the right one. (EnsembleAuthenticationProvider)
fn is_of_ensemble(names: &[String], called: &[u8]) -> Verdict {
    let called = String::from_utf8_lossy(called);
    if called.is_empty() || names.iter().any(|name| *name == called) {
        return Verdict::Proven(Vec::new());
    }
    tracing::warn!(%called, "a client looks for another ensemble: closing its connection");
    Verdict::WrongServer
}

impl Service {
    /// Takes the subject of a certificate that TLS has verified.
    pub(super) fn identify(&mut self, conn: ConnId, subject: Option<String>) {
        let Some(subject) = subject else { return };
        let ids = self.authority.ids_of_subject(subject);
        self.grant(conn, ids);
    }

    /// Looks at a request before it takes its place behind the others. True if it ends here: it
    /// was a proof, or is refused.
    pub(super) fn screen(
        &mut self,
        (now, received): (Now, Mono),
        conn: ConnId,
        header: &RequestHeader,
        body: &Bytes,
        db: &Database,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(connection) = self.connections.get(&conn) else { return true };
        match header.op {
            op::AUTH => self.on_auth(conn, header.xid, body, out),
            op::SASL => self.on_sasl(conn, header.xid, body, out),
            _ if !self.authority.serves(&connection.auth) => {
                let schemes = &self.authority.access.enforced_schemes;
                tracing::warn!(
                    peer = connection.peer,
                    ?schemes,
                    "closing a client that did not authenticate"
                );
                let refused = Err(code::SESSION_CLOSED_REQUIRE_SASL_AUTH);
                self.send_away(conn, replies::reply(header.xid, Zxid::ZERO, refused), out);
            }
            _ => {
                let Some(err) = self.authority.refuses_early(&connection.auth, header.op, body, db)
                else {
                    return false;
                };
                let Some(admission) = self.admit(conn, body.len(), false, out) else {
                    return true;
                };
                let Some(connection) = self.connections.get_mut(&conn) else { return true };
                connection.pending.push_back(Pending {
                    header: header.clone(),
                    body: body.clone(),
                    wait: Wait::Refused(err),
                    received,
                    admission,
                });
                self.answer_ready(now, conn, db, out);
            }
        }
        true
    }

    fn on_auth(&mut self, conn: ConnId, xid: i32, body: &Bytes, out: &mut Vec<Output>) {
        let Ok(packet) = AuthPacket::decode(&mut Reader::new(body.clone())) else {
            return self.drop_connection(conn, out);
        };
        let Some(connection) = self.connections.get(&conn) else { return };
        match self.authority.verdict(&packet, &connection.auth) {
            Verdict::Proven(ids) => {
                self.grant(conn, ids);
                self.write(conn, replies::reply(xid, Zxid::ZERO, Ok(Vec::new())), out);
            }
            Verdict::Failed => {
                tracing::warn!(
                    peer = connection.peer,
                    scheme = packet.scheme,
                    "closing a client: authentication failed"
                );
                let failed = replies::reply(xid, Zxid::ZERO, Err(code::AUTH_FAILED));
                self.send_away(conn, failed, out);
            }
            Verdict::WrongServer => self.drop_connection(conn, out),
        }
    }

    /// The ids are a set.
    fn grant(&mut self, conn: ConnId, ids: Vec<Id>) {
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        for id in ids {
            if !connection.auth.contains(&id) {
                connection.auth.push(id);
            }
        }
        order::arrange(&mut connection.auth);
    }

    /// The last word to a client.
    fn send_away(&mut self, conn: ConnId, reply: Bytes, out: &mut Vec<Output>) {
        self.write(conn, reply, out);
        self.drop_connection(conn, out);
    }
}
