//! Operation sasl: tokens of DIGEST-MD5 go to and fro.   (ZooKeeperServer.processSasl, ZooKeeperSaslServer)
//!
//! A connection has one exchange in its life. What comes after it, proven or failed, fails.

use bytes::Bytes;

use super::digest_md5::{Answer, DigestMd5};
use crate::base::{ConnId, Zxid};
use crate::jute::client::{ReplyHeader, SaslToken, code};
use crate::jute::data::Id;
use crate::jute::{Jute, Reader};
use crate::server::replies;
use crate::server::service::{Output, Service};

/// What a connection has said of it so far.
#[derive(Debug, Default)]
pub(in crate::server) struct SaslExchange(DigestMd5);

impl Service {
    pub(super) fn on_sasl(&mut self, conn: ConnId, xid: i32, body: &Bytes, out: &mut Vec<Output>) {
        // Apache ends the connection over a token that is null, too.
        let Ok(SaslToken { token: Some(token) }) =
            SaslToken::decode(&mut Reader::new(body.clone()))
        else {
            return self.drop_connection(conn, out);
        };
        let Some(connection) = self.connections.get_mut(&conn) else { return };
        let access = &self.authority.access;
        // Nobody can prove anything here, and a client that tries may stay.
        let Some(users) = &access.sasl_users else {
            return self.write(conn, token_reply(xid, code::OK, None), out);
        };
        let nonces = &mut self.authority.nonces;
        match connection.sasl.0.step(&token, users, || nonces.draw()) {
            Ok(Answer::Challenge(challenge)) => {
                self.write(conn, token_reply(xid, code::OK, Some(challenge)), out);
            }
            Ok(Answer::Proven { user, rspauth }) => {
                let is_super = access.sasl_super_users.contains(&user);
                tracing::info!(peer = connection.peer, user, is_super, "authenticated by SASL");
                let mark = is_super.then(|| Id { scheme: "super".into(), id: String::new() });
                let own = Id { scheme: "sasl".into(), id: user };
                self.grant(conn, [own].into_iter().chain(mark).collect());
                self.write(conn, token_reply(xid, code::OK, Some(rspauth)), out);
            }
            Err(refusal) => {
                tracing::warn!(peer = connection.peer, %refusal, "a client failed to authenticate by SASL");
                let required = access.enforced_schemes.iter().any(|scheme| scheme == "sasl");
                if access.allow_sasl_failed_clients && !required {
                    return self.write(conn, token_reply(xid, code::OK, None), out);
                }
                let err = match required {
                    true => code::SESSION_CLOSED_REQUIRE_SASL_AUTH,
                    false => code::AUTH_FAILED,
                };
                self.send_away(conn, token_reply(xid, err, None), out);
            }
        }
    }
}

/// Unlike other replies this one has its body under an error too.
fn token_reply(xid: i32, err: i32, token: Option<Vec<u8>>) -> Bytes {
    let body = SaslToken { token: token.map(Bytes::from) }.to_jute();
    replies::frame(&ReplyHeader { xid, zxid: Zxid::ZERO, err }, &body)
}
