//! Operation sasl: tokens of DIGEST-MD5 go to and fro.   (ZooKeeperServer.processSasl, ZooKeeperSaslServer)
//!
//! A connection has one exchange in its life. What comes after it, proven or failed, fails.

use bytes::Bytes;

use super::digest_md5::{Answer, DigestMd5};
use super::{Authority, Decision};
use crate::base::Zxid;
use crate::jute::client::{ReplyHeader, SaslToken, code};
use crate::jute::data::Id;
use crate::jute::{Jute, Reader};
use crate::metrics::Counter;
use crate::server::replies;

impl Authority {
    pub(super) fn on_sasl(
        &mut self,
        peer: &str,
        exchange: &mut DigestMd5,
        xid: i32,
        body: &Bytes,
    ) -> Decision {
        // Apache ends the connection over a token that is null, too.
        let Ok(SaslToken { token: Some(token) }) =
            SaslToken::decode(&mut Reader::new(body.clone()))
        else {
            return Decision::Dismiss { reply: None };
        };
        let reply =
            |token| Decision::Reply { ids: Vec::new(), reply: token_reply(xid, code::OK, token) };
        let access = &self.access;
        // Nobody can prove anything here, and a client that tries may stay.
        let Some(users) = &access.sasl_users else { return reply(None) };
        let nonces = &mut self.nonces;
        match exchange.step(&token, users, || nonces.draw()) {
            Ok(Answer::Challenge(challenge)) => reply(Some(challenge)),
            Ok(Answer::Proven { user, rspauth }) => {
                let is_super = access.sasl_super_users.contains(&user);
                tracing::info!(peer, user, is_super, "authenticated by SASL");
                let mark = is_super.then(|| Id { scheme: "super".into(), id: String::new() });
                let own = Id { scheme: "sasl".into(), id: user };
                let ids = [own].into_iter().chain(mark).collect();
                Decision::Reply { ids, reply: token_reply(xid, code::OK, Some(rspauth)) }
            }
            Err(refusal) => {
                tracing::warn!(peer, %refusal, "a client failed to authenticate by SASL");
                self.metrics.count(Counter::AuthFailedCount);
                let required = access.enforced_schemes.iter().any(|scheme| scheme == "sasl");
                if access.allow_sasl_failed_clients && !required {
                    return reply(None);
                }
                let err = match required {
                    true => code::SESSION_CLOSED_REQUIRE_SASL_AUTH,
                    false => code::AUTH_FAILED,
                };
                Decision::Dismiss { reply: Some(token_reply(xid, err, None)) }
            }
        }
    }
}

/// Unlike other replies this one has its body under an error too.
fn token_reply(xid: i32, err: i32, token: Option<Vec<u8>>) -> Bytes {
    let body = SaslToken { token: token.map(Bytes::from) }.to_jute();
    replies::frame(&ReplyHeader { xid, zxid: Zxid::ZERO, err }, &body)
}
