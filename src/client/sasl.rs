//! The client's half of DIGEST-MD5 (RFC 2831), with ZooKeeper's names. (ZooKeeperSaslClient)
//!
//!     ->  (nothing)                      <-  realm="zk-sasl-md5",nonce="...",charset=utf-8,algorithm=md5-sess
//!     ->  username="bob",...,response=   <-  rspauth=...    the server knows the password too
//!
//! Not here: the hash, which both halves share (`server/auth/digest_md5.rs`).

use super::settings::Credentials;
use crate::server::{Directives, Proof};

/// The name every ZooKeeper server answers to.
const DIGEST_URI: &str = "zookeeper/zk-sasl-md5";

/// One exchange.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Exchange {
    /// The empty first token is on its way.
    Begun { cnonce: String },
    /// The answer to the challenge is; this proves that the server knows the password.
    Answered { rspauth: String },
}

/// What comes of a server's token.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Step {
    Send(Exchange, Vec<u8>),
    Done,
    Failed(&'static str),
}

impl Exchange {
    pub(super) fn step(&self, token: &[u8], credentials: &Credentials) -> Step {
        match self {
            Exchange::Begun { cnonce } => answer(token, credentials, cnonce),
            Exchange::Answered { rspauth } => {
                let said = Directives::parse(token).ok();
                match said.as_ref().and_then(|said| said.get("rspauth")) {
                    Some(proof) if proof == rspauth.as_bytes() => Step::Done,
                    _ => Step::Failed("the server does not know the password"),
                }
            }
        }
    }
}

fn answer(challenge: &[u8], credentials: &Credentials, cnonce: &str) -> Step {
    let Ok(said) = Directives::parse(challenge) else {
        return Step::Failed("the server's challenge is no list of directives");
    };
    let text = |name| said.get(name).and_then(|value| str::from_utf8(value).ok());
    let Some(nonce) = text("nonce") else {
        return Step::Failed(
            "the server's challenge has no nonce: it may want Kerberos, which is not supported",
        );
    };
    let realm = text("realm").unwrap_or_default();
    let Credentials { username, password } = credentials;
    let proof = Proof {
        user: username,
        realm,
        password,
        nonce: nonce.as_bytes(),
        cnonce: cnonce.as_bytes(),
        digest_uri: DIGEST_URI.as_bytes(),
        authzid: None,
    };
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let token = format!(
        "charset=utf-8,username=\"{}\",realm=\"{}\",nonce=\"{}\",nc=00000001,cnonce=\"{cnonce}\",\
         digest-uri=\"{DIGEST_URI}\",maxbuf=65536,response={},qop=auth",
        quoted(username),
        quoted(realm),
        quoted(nonce),
        proof.hash("AUTHENTICATE")
    );
    Step::Send(Exchange::Answered { rspauth: proof.hash("") }, token.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &[u8] =
        b"realm=\"zk-sasl-md5\",nonce=\"abc\",charset=utf-8,algorithm=md5-sess";

    #[test]
    fn an_exchange_ends_well_only_if_the_server_knows_the_password_too() {
        let bob = Credentials { username: "bob".into(), password: "secret".into() };
        let begun = Exchange::Begun { cnonce: "xyz".into() };
        let Step::Send(answered, token) = begun.step(CHALLENGE, &bob) else {
            panic!("the challenge is answered");
        };
        let token = String::from_utf8(token).expect("text");
        assert!(token.contains("username=\"bob\",realm=\"zk-sasl-md5\",nonce=\"abc\""), "{token}");
        let Exchange::Answered { rspauth } = &answered else { panic!("{answered:?}") };
        assert_eq!(answered.step(format!("rspauth={rspauth}").as_bytes(), &bob), Step::Done);
        assert!(matches!(answered.step(b"rspauth=00", &bob), Step::Failed(_)));
        assert!(matches!(begun.step(b"", &bob), Step::Failed(_)));
    }
}
