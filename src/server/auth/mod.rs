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
//!     nonces.rs       what nobody can guess
//!
//! What is decided here is carried out by the service, which alone writes and closes.
//!
//! - AU-1  auth and sasl are answered as they arrive, in front of requests that wait (Apache's fast
//!   path): the reply has zxid 0.
//! - AU-2  while `enforced_schemes` names schemes of which the connection has no id, nothing else
//!   is served: the reply is -124 and the connection ends.
//! - AU-3  a connection has no more ids than `CLIENT_IDS_MAX`, and no more bytes of them than
//!   `CLIENT_ID_BYTES_MAX`: a proof beyond that fails, and the connection ends.
//!
//! Not here: what an id may do (`tree/acl.rs`), the handshake of TLS (`runtime/os`).

mod digest;
mod digest_md5;
mod eager;
mod nonces;
mod order;
mod sasl;

use bytes::Bytes;

use super::replies;
use crate::base::limits::{CLIENT_ID_BYTES_MAX, CLIENT_IDS_MAX};
use crate::base::{Zxid, paths};
use crate::config::{Access, ServerConfig};
use crate::database::Database;
use crate::jute::client::{AuthPacket, RequestHeader, code, op};
use crate::jute::data::Id;
use crate::jute::{Jute, Reader};
use crate::metrics::{Counter, Metrics};

pub(super) use digest_md5::DigestMd5;
pub use digest_md5::{Directives, Proof};
use nonces::Nonces;
pub(super) use order::add_ids;
use serde::{Deserialize, Serialize};

/// What becomes of a request before it takes its place behind the others.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// It takes its place.
    Pass,
    /// It takes its place, to be told this error, with zxid 0.
    Refuse(i32),
    /// It was a proof, and ends here: the connection has these ids from now on (AU-1).
    Reply { ids: Vec<Id>, reply: Bytes },
    /// Its connection ends, after the last word to it if there is one (AU-2).
    Dismiss { reply: Option<Bytes> },
}

/// Whether somebody without a session may do something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permit {
    Granted,
    /// What they have shown proves nothing.
    NotProven,
    /// They are known, and lack a permission.
    Denied,
}

/// What decides over all connections of a server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Authority {
    access: Access,
    /// Writes are checked before they leave; a standalone server has nobody to send them to.
    checks_early: bool,
    nonces: Nonces,
    #[serde(skip)]
    metrics: Metrics,
}

/// What became of a proof.
enum Verdict {
    Proven(Vec<Id>),
    Failed,
    /// Not an error the client should hear of: it is to look for another server.
    WrongServer,
}

impl Authority {
    pub(super) fn new(config: &ServerConfig, nonces: [u64; 2], metrics: Metrics) -> Authority {
        Authority {
            access: config.access.clone(),
            checks_early: config.access.eager_check && !config.is_standalone(),
            nonces: Nonces::new(nonces),
            metrics,
        }
    }

    /// Looks at a request of somebody at `peer` with these ids.
    pub(super) fn screen(
        &mut self,
        peer: &str,
        ids: &[Id],
        sasl: &mut DigestMd5,
        header: &RequestHeader,
        body: &Bytes,
        db: &Database,
    ) -> Decision {
        match header.op {
            op::AUTH => self.on_auth(peer, ids, header.xid, body),
            op::SASL => self.on_sasl(peer, sasl, header.xid, body),
            _ if !self.serves(ids) => {
                let schemes = &self.access.enforced_schemes;
                tracing::warn!(peer, ?schemes, "closing a client that did not authenticate");
                let refused = Err(code::SESSION_CLOSED_REQUIRE_SASL_AUTH);
                let reply = replies::reply(header.xid, Zxid::ZERO, refused);
                Decision::Dismiss { reply: Some(reply) }
            }
            op => match self.refuses_early(ids, op, body, db) {
                Some(err) => Decision::Refuse(err),
                None => Decision::Pass,
            },
        }
    }

    fn on_auth(&self, peer: &str, held: &[Id], xid: i32, body: &Bytes) -> Decision {
        let Ok(packet) = AuthPacket::decode(&mut Reader::new(body.clone())) else {
            return Decision::Dismiss { reply: None };
        };
        match self.verdict(&packet, held) {
            Verdict::Proven(ids) if are_too_many(held, &ids) => {
                tracing::warn!(
                    peer,
                    "closing a client: its identities are more than {CLIENT_IDS_MAX}, or have more than \
                     {CLIENT_ID_BYTES_MAX} bytes"
                );
                let reply = replies::reply(xid, Zxid::ZERO, Err(code::AUTH_FAILED));
                Decision::Dismiss { reply: Some(reply) }
            }
            Verdict::Proven(ids) => {
                let reply = replies::reply(xid, Zxid::ZERO, Ok(Vec::new()));
                Decision::Reply { ids, reply }
            }
            Verdict::Failed => {
                let scheme = packet.scheme;
                tracing::warn!(peer, scheme, "closing a client: authentication failed");
                self.metrics.count(Counter::AuthFailedCount);
                let reply = replies::reply(xid, Zxid::ZERO, Err(code::AUTH_FAILED));
                Decision::Dismiss { reply: Some(reply) }
            }
            Verdict::WrongServer => Decision::Dismiss { reply: None },
        }
    }

    /// Whether somebody with these ids is served at all (AU-2).
    pub(super) fn serves(&self, ids: &[Id]) -> bool {
        let enforced = &self.access.enforced_schemes;
        enforced.is_empty() || ids.iter().any(|id| enforced.contains(&id.scheme))
    }

    /// The ids a certificate gives its owner: `subject` is what TLS has verified.
    pub(super) fn ids_of_subject(&self, subject: String) -> Vec<Id> {
        let is_super = self.access.x509_super_user.as_ref() == Some(&subject);
        let mark = is_super.then(|| Id { scheme: "super".into(), id: subject.clone() });
        mark.into_iter().chain([Id { scheme: "x509".into(), id: subject }]).collect()
    }

    /// Whether somebody at this address who proves this may do everything with the root: each
    /// permission alone, as Apache asks since 3.9.4 (CVE-2025-58457).
    pub(super) fn permit_on_root(
        &self,
        ip: &str,
        scheme: &str,
        proof: &[u8],
        db: &Database,
    ) -> Permit {
        let Some(ids) = self.proven_ids(ip, scheme, proof) else { return Permit::NotProven };
        let tree = db.tree();
        let each = (0..5).map(|bit| 1 << bit);
        match each.into_iter().all(|perm| tree.check_acl(paths::ROOT, perm, &ids)) {
            true => Permit::Granted,
            false => Permit::Denied,
        }
    }

    /// Who somebody at this address is who proves this: the address is one of his ids. `None`: it proves
    /// nothing.
    pub(super) fn proven_ids(&self, ip: &str, scheme: &str, proof: &[u8]) -> Option<Vec<Id>> {
        let auth = Some(Bytes::copy_from_slice(proof));
        let packet = AuthPacket { kind: 0, scheme: scheme.into(), auth };
        let Verdict::Proven(mut ids) = self.verdict(&packet, &[]) else { return None };
        ids.push(Id { scheme: "ip".into(), id: ip.into() });
        Some(ids)
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
                Some(names) => self.on_ensemble_name(names, proof.unwrap_or_default()),
                None => Verdict::Failed,
            },
            // sasl is proven by its own operation; the rest are no schemes of a proof.
            _ => Verdict::Failed,
        }
    }

    /// A client that names no ensemble is in the right one. (EnsembleAuthenticationProvider)
    fn on_ensemble_name(&self, names: &[String], called: &[u8]) -> Verdict {
        let called = &*String::from_utf8_lossy(called);
        let counter = match names.iter().any(|name| name == called) {
            _ if called.is_empty() => Counter::EnsembleAuthSkip,
            true => Counter::EnsembleAuthSuccess,
            false => Counter::EnsembleAuthFail,
        };
        self.metrics.count(counter);
        if counter == Counter::EnsembleAuthFail {
            tracing::warn!(called, "a client looks for another ensemble: closing its connection");
            return Verdict::WrongServer;
        }
        Verdict::Proven(Vec::new())
    }
}

/// Apache takes any number of them, and then proposes lists that no follower takes.
fn are_too_many(held: &[Id], new: &[Id]) -> bool {
    let bytes = |id: &Id| id.scheme.len() + id.id.len();
    let added = || new.iter().filter(|id| !held.contains(id));
    let count = held.len() + added().count();
    count > CLIENT_IDS_MAX
        || held.iter().chain(added()).map(bytes).sum::<usize>() > CLIENT_ID_BYTES_MAX
}
