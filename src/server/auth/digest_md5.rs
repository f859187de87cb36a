//! The server's half of DIGEST-MD5 (RFC 2831), as Apache ZooKeeper's servers speak it. Its hash and its
//! directives are the client's too (`client/sasl.rs`).
//!
//!     client                                server
//!     (anything, usually nothing)       ->
//!                                       <-  realm="zk-sasl-md5",nonce="...",charset=utf-8,algorithm=md5-sess
//!     username="bob",realm=...,
//!       nonce=...,cnonce=...,response=  ->
//!                                       <-  rspauth=...      the server knows the password too
//!
//! Authentication only (qop `auth`), no protection of what follows: that is what Java's server
//! offers here, and what its clients know. Whatever it tolerates is tolerated: values quoted or
//! not, empty elements, unknown directives, `nc` in any spelling (the hash is made with 1, so that
//! another count does not fit), an authzid, which goes into the hash and decides nothing.
//!
//! MD-1  a nonce is answered once: after the second token, good or bad, the exchange is over
//! MD-2  an answer without the nonce of this connection is refused before any password is used
//!
//! Not here: the operation around the tokens (sasl.rs), where nonces come from (mod.rs).

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// No token is longer in Java either.
const TOKEN_MAX_BYTES: usize = 4096;
/// The name every ZooKeeper server answers to: its realm, and the host of the digest-uri.
const REALM: &str = "zk-sasl-md5";
const DIGEST_URI: &str = "zookeeper/zk-sasl-md5";
/// Subsequent authentication is not offered: a nonce counts once.
const NONCE_COUNT: &str = "00000001";

/// The directives that may stand once at most; others are not looked at.
const DIRECTIVES: [&str; 13] = [
    "username",
    "realm",
    "nonce",
    "cnonce",
    "nonce-count",
    "qop",
    "digest-uri",
    "response",
    "maxbuf",
    "charset",
    "cipher",
    "authzid",
    "rspauth",
];

/// Why a client was not believed. For the log: the client learns only that it failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the token is longer than {TOKEN_MAX_BYTES} bytes")]
    TooLong,
    #[error("the exchange is over")]
    Over,
    #[error("the token is no list of directives")]
    Syntax,
    #[error("{0} stands twice")]
    Twice(&'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} is not what was offered")]
    Mismatch(&'static str),
    #[error("the user is unknown")]
    UnknownUser,
    #[error("the response does not fit the password")]
    WrongResponse,
}

/// What the server says next.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Challenge(Vec<u8>),
    /// The client has proven to be this user.
    Proven {
        user: String,
        rspauth: Vec<u8>,
    },
}

/// One exchange.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::server) enum DigestMd5 {
    #[default]
    Fresh,
    Challenged {
        nonce: String,
    },
    Over,
}

impl DigestMd5 {
    /// Takes the client's next token. `nonce` is used if this token begins the exchange, and must
    /// then be one that nobody could guess and nobody was given before.
    pub(super) fn step(
        &mut self,
        token: &[u8],
        users: &BTreeMap<String, String>,
        nonce: impl FnOnce() -> String,
    ) -> Result<Answer, Refusal> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(Refusal::TooLong);
        }
        match std::mem::replace(self, DigestMd5::Over) {
            // A client may try to go on where another exchange ended; it is asked anew instead.
            DigestMd5::Fresh => {
                let nonce = nonce();
                let challenge =
                    format!("realm=\"{REALM}\",nonce=\"{nonce}\",charset=utf-8,algorithm=md5-sess");
                *self = DigestMd5::Challenged { nonce };
                Ok(Answer::Challenge(challenge.into_bytes()))
            }
            DigestMd5::Challenged { nonce } => verify(token, &nonce, users),
            DigestMd5::Over => Err(Refusal::Over),
        }
    }
}

fn verify(token: &[u8], nonce: &str, users: &BTreeMap<String, String>) -> Result<Answer, Refusal> {
    let said = Directives::parse(token)?;
    if said.get("charset").is_some_and(|charset| charset != b"utf-8") {
        return Err(Refusal::Mismatch("charset"));
    }
    if said.get("maxbuf").is_some_and(|size| parse_number(size, 10).is_none()) {
        return Err(Refusal::Mismatch("maxbuf"));
    }
    let user = String::from_utf8_lossy(said.wanted("username")?).into_owned();
    if said.wanted("realm")? != REALM.as_bytes() {
        return Err(Refusal::Mismatch("realm"));
    }
    if !bool::from(said.wanted("nonce")?.ct_eq(nonce.as_bytes())) {
        return Err(Refusal::Mismatch("nonce"));
    }
    let cnonce = said.wanted("cnonce")?;
    if said.get("nonce-count").is_some_and(|count| parse_number(count, 16) != Some(1)) {
        return Err(Refusal::Mismatch("nonce-count"));
    }
    if said.get("qop").is_some_and(|qop| qop != b"auth") {
        return Err(Refusal::Mismatch("qop"));
    }
    let digest_uri = said.wanted("digest-uri")?;
    if !digest_uri.eq_ignore_ascii_case(DIGEST_URI.as_bytes()) {
        return Err(Refusal::Mismatch("digest-uri"));
    }
    let response = said.wanted("response")?;
    let password = users.get(&user).ok_or(Refusal::UnknownUser)?;
    let proof = Proof {
        user: &user,
        realm: REALM,
        password,
        nonce: nonce.as_bytes(),
        cnonce,
        digest_uri,
        authzid: said.get("authzid"),
    };
    if !bool::from(response.ct_eq(proof.hash("AUTHENTICATE").as_bytes())) {
        return Err(Refusal::WrongResponse);
    }
    let rspauth = format!("rspauth={}", proof.hash("")).into_bytes();
    Ok(Answer::Proven { user, rspauth })
}

/// As Java reads a number: it fits an int.
fn parse_number(text: &[u8], radix: u32) -> Option<i32> {
    i32::from_str_radix(str::from_utf8(text).ok()?, radix).ok()
}

/// What both sides know once the client has answered.
#[expect(missing_debug_implementations, reason = "it holds a password")]
pub struct Proof<'a> {
    pub user: &'a str,
    pub realm: &'a str,
    pub password: &'a str,
    pub nonce: &'a [u8],
    pub cnonce: &'a [u8],
    pub digest_uri: &'a [u8],
    pub authzid: Option<&'a [u8]>,
}

impl Proof<'_> {
    /// The response value of RFC 2831 section 2.1.2.1, in hex; the server's own has no method.
    pub fn hash(&self, method: &str) -> String {
        let secret =
            md5(&[&latin1(self.user), b":", &latin1(self.realm), b":", &latin1(self.password)]);
        let a1 = match self.authzid {
            Some(authzid) => md5(&[&secret, b":", self.nonce, b":", self.cnonce, b":", authzid]),
            None => md5(&[&secret, b":", self.nonce, b":", self.cnonce]),
        };
        let a2 = md5(&[method.as_bytes(), b":", self.digest_uri]);
        hex(&md5(&[
            hex(&a1).as_bytes(),
            b":",
            self.nonce,
            b":",
            NONCE_COUNT.as_bytes(),
            b":",
            self.cnonce,
            b":auth:",
            hex(&a2).as_bytes(),
        ]))
    }
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// ISO 8859-1 where every character has a place in it, otherwise UTF-8.
fn latin1(text: &str) -> Vec<u8> {
    let narrow: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    narrow.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// `name=value` or `name="value"`, with commas or white space between them.
#[derive(Debug)]
pub struct Directives(BTreeMap<&'static str, Vec<u8>>);

impl Directives {
    pub fn parse(text: &[u8]) -> Result<Directives, Refusal> {
        let mut found = Directives(BTreeMap::new());
        let mut rest = text;
        loop {
            rest = skip(rest, |byte| is_space(byte) || byte == b',');
            if rest.is_empty() {
                return Ok(found);
            }
            let name = take(&mut rest, |byte| is_space(byte) || matches!(byte, b',' | b'='));
            rest = skip(rest, is_space);
            let Some((b'=', behind)) = rest.split_first() else { return Err(Refusal::Syntax) };
            rest = skip(behind, is_space);
            if name.is_empty() || rest.is_empty() {
                return Err(Refusal::Syntax);
            }
            let value = match rest.split_first() {
                Some((b'"', quoted)) => {
                    rest = quoted;
                    take_quoted(&mut rest)?
                }
                _ => take(&mut rest, |byte| is_space(byte) || byte == b',').to_vec(),
            };
            found.add(name, value)?;
        }
    }

    fn add(&mut self, name: &[u8], value: Vec<u8>) -> Result<(), Refusal> {
        let known = DIRECTIVES.iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let Some(known) = known else { return Ok(()) };
        match self.0.insert(known, value) {
            None => Ok(()),
            Some(_) => Err(Refusal::Twice(known)),
        }
    }

    pub fn get(&self, name: &'static str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    fn wanted(&self, name: &'static str) -> Result<&[u8], Refusal> {
        self.get(name).ok_or(Refusal::Missing(name))
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn skip(text: &[u8], what: impl Fn(u8) -> bool) -> &[u8] {
    let at = text.iter().position(|byte| !what(*byte)).unwrap_or(text.len());
    &text[at..]
}

/// Everything up to the first byte that ends it.
fn take<'a>(rest: &mut &'a [u8], ends: impl Fn(u8) -> bool) -> &'a [u8] {
    let at = rest.iter().position(|byte| ends(*byte)).unwrap_or(rest.len());
    let (taken, behind) = rest.split_at(at);
    *rest = behind;
    taken
}

/// The value whose opening quote was read, up to its closing one, which a separator follows.
fn take_quoted(rest: &mut &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut value = Vec::new();
    let mut bytes = rest.iter().copied().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => value.push(bytes.next().ok_or(Refusal::Syntax)?.1),
            b'"' => {
                *rest = &rest[at + 1..];
                let separated = rest.first().is_none_or(|next| is_space(*next) || *next == b',');
                return if separated { Ok(value) } else { Err(Refusal::Syntax) };
            }
            _ => value.push(byte),
        }
    }
    Err(Refusal::Syntax)
}

#[cfg(test)]
#[path = "digest_md5_test.rs"]
mod tests;
