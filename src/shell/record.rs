//! A node as a line of an export: JSON, one object a node.
//!
//!     {"path":"/x","kind":"persistent","data":"text","acl":["world:anyone:cdrwa"]}
//!
//! The path begins at the node that was exported, which is "/" itself. `base64` stands in place of `data`
//! where that is not UTF-8; a node without data has neither. A sequential node has its name as it is.
//! Kinds are persistent, ephemeral, container and ttl (with `ttl` in milliseconds). No server tells which
//! nodes are of the last two: an export has them as persistent, and whoever knows may change its lines.
//!
//! Not here: which nodes (transfer.rs).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::text;
use crate::base::paths;
use crate::client::CreateMode;
use crate::jute::data::{Acl, Id};
use crate::tree::Owner;

use super::walk::Node;

/// The field order is that of the lines.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    acl: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Persistent,
    Container,
    Ttl,
    Ephemeral,
}

/// What an export keeps of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Record {
    pub(super) path: String,
    pub(super) mode: CreateMode,
    pub(super) data: Option<Bytes>,
    pub(super) acl: Vec<Acl>,
}

impl Record {
    /// `path` begins at the node that is exported.
    pub(super) fn of(path: &str, node: Node) -> Record {
        let ephemeral = matches!(Owner::of(node.stat.ephemeral_owner), Owner::Session(_));
        let mode = CreateMode { ephemeral, ..CreateMode::default() };
        Record { path: path.to_owned(), mode, data: node.data, acl: node.acl }
    }

    /// Without its end.
    pub(super) fn to_line(&self) -> String {
        let kind = match self.mode {
            CreateMode { ephemeral: true, .. } => Kind::Ephemeral,
            CreateMode { container: true, .. } => Kind::Container,
            CreateMode { ttl_ms: Some(_), .. } => Kind::Ttl,
            _ => Kind::Persistent,
        };
        let (data, base64) = match self.data.as_deref().map(str::from_utf8) {
            None => (None, None),
            Some(Ok(text)) => (Some(text.to_owned()), None),
            Some(Err(_)) => (None, self.data.as_deref().map(|data| BASE64.encode(data))),
        };
        let acl = self.acl.iter().map(acl_text).collect();
        let line = Line { path: self.path.clone(), kind, ttl: self.mode.ttl_ms, data, base64, acl };
        serde_json::to_string(&line).expect("strings and numbers are JSON")
    }

    /// An error says what is wrong with the line.
    pub(super) fn from_line(text: &str) -> Result<Record, String> {
        let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
        paths::validate(&line.path).map_err(|error| format!("path {:?}: {error}", line.path))?;
        let mut mode = CreateMode::default();
        match (line.kind, line.ttl) {
            (Kind::Ttl, Some(ms)) if ms > 0 => mode.ttl_ms = Some(ms),
            (Kind::Ttl, _) => return Err("kind ttl needs ttl, in milliseconds".into()),
            (_, Some(_)) => return Err("ttl stands with kind ttl alone".into()),
            (Kind::Persistent, None) => {}
            (Kind::Container, None) => mode.container = true,
            (Kind::Ephemeral, None) => mode.ephemeral = true,
        }
        let data = match (line.data, line.base64) {
            (Some(_), Some(_)) => return Err("data and base64 do not stand together".into()),
            (Some(text), None) => Some(Bytes::from(text)),
            (None, Some(text)) => {
                Some(BASE64.decode(text).map_err(|error| format!("base64: {error}"))?.into())
            }
            (None, None) => None,
        };
        if line.acl.is_empty() {
            return Err(
                "acl is empty: [\"world:anyone:cdrwa\"] lets everybody do everything".into()
            );
        }
        let acl = line.acl.iter().map(|entry| parse_acl(entry)).collect::<Result<_, _>>()?;
        Ok(Record { path: line.path, mode, data, acl })
    }

    /// About so many bytes of a request.
    pub(super) fn bytes(&self) -> usize {
        let acl: usize =
            self.acl.iter().map(|acl| acl.id.scheme.len() + acl.id.id.len() + 16).sum();
        self.path.len() + self.data.as_ref().map_or(0, Bytes::len) + acl + 32
    }
}

fn acl_text(acl: &Acl) -> String {
    format!("{}:{}:{}", acl.id.scheme, acl.id.id, text::permissions(acl.perms))
}

/// One entry. An id may have colons and commas of its own.
fn parse_acl(entry: &str) -> Result<Acl, String> {
    let parts = entry.split_once(':').and_then(|(scheme, rest)| {
        rest.rsplit_once(':').map(|(id, letters)| (scheme, id, letters))
    });
    let Some((scheme, id, letters)) = parts else {
        return Err(format!("acl {entry:?}: scheme:id:perms is wanted"));
    };
    let perms = text::parse_permissions(letters)
        .map_err(|letter| format!("acl {entry:?}: {letter:?} is none of c, d, r, w and a"))?;
    Ok(Acl { perms, id: Id { scheme: scheme.into(), id: id.into() } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jute::data::perms;

    fn record(data: Option<&'static [u8]>, mode: CreateMode) -> Record {
        let id = Id { scheme: "x509".into(), id: "CN=a:b,O=c".into() };
        let acl = vec![Acl { perms: perms::READ | perms::ADMIN, id }, Acl::open()[0].clone()];
        Record { path: "/a/\u{fc}\"\u{2028}".into(), mode, data: data.map(Bytes::from_static), acl }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for data in [None, Some(&b""[..]), Some(b"text\n\x00"), Some(b"\xff\xfe")] {
            for mode in [
                CreateMode::default(),
                CreateMode { ephemeral: true, ..CreateMode::default() },
                CreateMode { container: true, ..CreateMode::default() },
                CreateMode { ttl_ms: Some(5), ..CreateMode::default() },
            ] {
                let record = record(data, mode);
                let line = record.to_line();
                assert!(!line.contains('\n'));
                assert_eq!(Record::from_line(&line), Ok(record), "{line}");
            }
        }
        let line = Record {
            path: "/x".into(),
            acl: Acl::open(),
            ..record(Some(b"text"), CreateMode::default())
        };
        assert_eq!(
            line.to_line(),
            r#"{"path":"/x","kind":"persistent","data":"text","acl":["world:anyone:cdrwa"]}"#
        );
    }

    #[test]
    fn what_is_wrong_with_a_line_is_told() {
        for (line, told) in [
            ("", "EOF while parsing"),
            ("Connecting to localhost:2181", "expected value"),
            (r#"{"path":"/x","kind":"persistent"}"#, "missing field `acl`"),
            (r#"{"path":"/x","kind":"folder","acl":["a:b:r"]}"#, "unknown variant `folder`"),
            (
                r#"{"path":"/x","kind":"persistent","acl":["a:b:r"],"mode":1}"#,
                "unknown field `mode`",
            ),
            (
                r#"{"path":"x","kind":"persistent","acl":["a:b:r"]}"#,
                "path \"x\": the path does not begin",
            ),
            (r#"{"path":"/x","kind":"ttl","acl":["a:b:r"]}"#, "kind ttl needs ttl"),
            (
                r#"{"path":"/x","kind":"persistent","ttl":5,"acl":["a:b:r"]}"#,
                "ttl stands with kind ttl",
            ),
            (
                r#"{"path":"/x","kind":"persistent","data":"","base64":"","acl":["a:b:r"]}"#,
                "data and base64",
            ),
            (r#"{"path":"/x","kind":"persistent","base64":"?","acl":["a:b:r"]}"#, "base64: "),
            (r#"{"path":"/x","kind":"persistent","acl":[]}"#, "acl is empty"),
            (r#"{"path":"/x","kind":"persistent","acl":["a:b"]}"#, "acl \"a:b\": scheme:id:perms"),
            (r#"{"path":"/x","kind":"persistent","acl":["a:b:q"]}"#, "acl \"a:b:q\": 'q' is none"),
        ] {
            let error = Record::from_line(line).expect_err(line);
            assert!(error.starts_with(told), "{line}: {error}");
        }
    }
}
