//! What the page asks a server for, as paths and parameters.
//!
//!     /page/glance                            the server, its ensemble, what blocks it
//!     /page/history?behind=MS                 the last hour, or what came behind that moment
//!     /page/sessions?from=ID                  sessions, a page of them
//!     /page/session?id=ID&list=L&behind=PATH  paths of one session: its ephemerals, or what it watches
//!     /page/node?path=P&behind=NAME&offset=N  a node, a page of its children, a piece of its data

use crate::admin::answer::Answer;
use crate::admin::authorization::Authorization;
use crate::base::SessionId;
use crate::base::paths;

/// Items of one answer.
pub const ITEMS_MAX: usize = 100;
/// Bytes of data of one answer.
pub const DATA_BYTES_MAX: usize = 64 * 1024;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageQuestion {
    Glance,
    /// In milliseconds since 1970.
    History {
        behind_ms: i64,
    },
    /// This session and those behind it, in the order of their ids.
    Sessions {
        from: SessionId,
    },
    /// Paths of a session behind this one.
    Session {
        id: SessionId,
        list: PathList,
        behind: Option<String>,
    },
    Node(NodeQuestion),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathList {
    Ephemerals,
    DataWatches,
    ChildWatches,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeQuestion {
    pub path: String,
    /// Children whose names come behind this one.
    pub behind: Option<String>,
    /// Where the piece of its data begins.
    pub offset: usize,
    /// Who asks, `ip:port`.
    pub client: String,
    pub authorization: Option<Authorization>,
}

/// A request, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub is_post: bool,
    pub path: &'a str,
    pub query: &'a str,
    /// `ip:port`
    pub client: &'a str,
    pub authorization: Option<&'a str>,
    pub host: Option<&'a str>,
}

impl Asked<'_> {
    pub(super) fn question(&self, name: &str) -> Result<PageQuestion, Answer> {
        Ok(match name {
            "glance" => PageQuestion::Glance,
            "history" => {
                PageQuestion::History { behind_ms: self.number("behind")?.unwrap_or(i64::MIN) }
            }
            "sessions" => PageQuestion::Sessions {
                from: self.session("from")?.unwrap_or(SessionId(i64::MIN)),
            },
            "session" => PageQuestion::Session {
                id: self.session("id")?.ok_or_else(|| wants("id", "a session, as 0x1000"))?,
                list: match self.text("list")?.as_deref() {
                    None | Some("ephemerals") => PathList::Ephemerals,
                    Some("data") => PathList::DataWatches,
                    Some("child") => PathList::ChildWatches,
                    Some(_) => return Err(wants("list", "ephemerals, data or child")),
                },
                behind: self.text("behind")?,
            },
            "node" => PageQuestion::Node(self.node()?),
            _ => return Err(Answer::text(404, "the page knows no such path\n")),
        })
    }

    fn node(&self) -> Result<NodeQuestion, Answer> {
        let path = self.text("path")?.unwrap_or_else(|| paths::ROOT.into());
        if let Err(error) = paths::validate(&path) {
            return Err(Answer::text(400, format!("path= wants the path of a node: {error}\n")));
        }
        Ok(NodeQuestion {
            path,
            behind: self.text("behind")?,
            offset: match self.number("offset")?.map(usize::try_from) {
                None => 0,
                Some(Ok(offset)) => offset,
                Some(Err(_)) => return Err(wants("offset", "a number of bytes")),
            },
            client: self.client.into(),
            authorization: self.authorization.map(Authorization::parse),
        })
    }

    fn number(&self, name: &str) -> Result<Option<i64>, Answer> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| wants(name, "a number"))
    }

    /// As sessions are shown: `0x`, and hexadecimal digits of 64 bits.
    fn session(&self, name: &str) -> Result<Option<SessionId>, Answer> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let bits = text.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16));
        match bits {
            Some(Ok(bits)) => Ok(Some(SessionId(bits.cast_signed()))),
            _ => Err(wants(name, "a session, as 0x1000")),
        }
    }

    /// The value of `name=value`, decoded.   (RFC 3986, section 2.1)
    fn text(&self, name: &str) -> Result<Option<String>, Answer> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value);
        let Some(value) = value else { return Ok(None) };
        decoded(value)
            .map(Some)
            .ok_or_else(|| wants(name, "UTF-8, with %XX for all but letters and digits"))
    }
}

fn wants(name: &str, what: &str) -> Answer {
    Answer::text(400, format!("{name}= wants {what}\n"))
}

/// A text in which `%XX` stands for a byte; `None` if it is no UTF-8 then.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(name: &str, query: &str) -> Result<PageQuestion, u16> {
        let asked = Asked {
            is_post: false,
            path: "",
            query,
            client: "127.0.0.1:5",
            authorization: None,
            host: None,
        };
        asked.question(name).map_err(|answer| answer.status)
    }

    #[test]
    fn paths_are_decoded_and_judged() {
        let path = |query: &str| match ask("node", query) {
            Ok(PageQuestion::Node(node)) => Ok(node.path),
            Ok(other) => panic!("{other:?}"),
            Err(status) => Err(status),
        };
        assert_eq!(path(""), Ok("/".into()));
        assert_eq!(path("path=%2Fa%26b%3D%25%20%C3%BC"), Ok("/a&b=% \u{fc}".into()));
        for bad in [
            "path=",
            "path=a",
            "path=%2",
            "path=%2g",
            "path=%+1",
            "path=%ff",
            "path=/a/",
            "path=/%00",
        ] {
            assert_eq!(path(bad), Err(400), "{bad}");
        }
    }

    #[test]
    fn what_is_no_question_is_refused() {
        assert_eq!(ask("glance", ""), Ok(PageQuestion::Glance));
        assert_eq!(ask("history", "behind=7"), Ok(PageQuestion::History { behind_ms: 7 }));
        let from = SessionId(-1);
        assert_eq!(ask("sessions", "from=0xffffffffffffffff"), Ok(PageQuestion::Sessions { from }));
        assert_eq!(ask("session", ""), Err(400));
        assert_eq!(ask("session", "id=12"), Err(400));
        assert_eq!(ask("session", "id=0x12&list=all"), Err(400));
        assert_eq!(ask("node", "offset=-1"), Err(400));
        assert_eq!(ask("delete", ""), Err(404));
    }
}
