//! The page for an operator, at `/page` of the admin port: what a server and its ensemble do, at a glance.
//!
//!     question.rs   what the page asks for
//!     hosts.rs      under which names a browser may ask
//!     glance.rs     the server and its ensemble now
//!     history.rs    the last hour
//!     changes.rs    changes of role, and why
//!     blocks.rs     what is in the way, by rules
//!     sessions.rs   sessions, and the paths of one
//!     node.rs       one node of the tree
//!     allowance.rs  how often the tree and sessions may be asked for
//!     page.html, page.css, js/   the page itself; the scripts become one, in the order of `SCRIPT`
//!
//! One HTML file that needs nothing else. It asks the server that it came from, with GET alone, and
//! changes nothing. Names and data of nodes are written by strangers: the scripts put them on the page
//! as text and never as HTML, and the page's policy lets no other script run and nothing be fetched
//! elsewhere.
//!
//! Not here: who may read a node (server), what is gathered (peer).

mod allowance;
mod blocks;
mod changes;
mod glance;
mod history;
mod hosts;
mod node;
mod question;
mod sessions;

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::answer::Answer;

pub use allowance::{Allowance, Cost};
pub use changes::{Changes, Turn};
pub use glance::{BusyClient, Clients, Figures, Glance, Learner, Member, State};
pub use history::{Counts, History, INTERVAL, Interval};
pub use hosts::Hosts;
pub use node::{AclLine, Child, Content, NodeShown, Refusal, Shut};
pub use question::{Asked, DATA_BYTES_MAX, ITEMS_MAX, NodeQuestion, PageQuestion, PathList};
pub use sessions::{ConnectionShown, SessionShown, SessionsShown};

/// The page, and what is below it.
const PAGE: &str = "/page";

/// What every answer says to a browser: nothing of it is kept, framed, or read by another site.
const GUARDS: [(&str, &str); 5] = [
    ("cache-control", "no-store"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

/// Each stands on those before it.
const SCRIPT: &str = concat!(
    "\n\"use strict\";\n",
    include_str!("js/words.js"),
    include_str!("js/ask.js"),
    include_str!("js/plots.js"),
    include_str!("js/glance.js"),
    include_str!("js/node.js"),
    include_str!("js/sessions.js"),
    include_str!("js/main.js"),
);
const STYLE: &str = concat!("\n", include_str!("page.css"));

/// What is asked for below `/page`; or the answer, where it needs no server.
pub(super) fn find(
    asked: Asked<'_>,
    hosts: &Hosts,
    command_url: &str,
) -> Result<PageQuestion, Answer> {
    let name = match asked.path {
        "/" => None,
        path => match path.strip_prefix(PAGE) {
            Some("") => None,
            Some(below) if below.starts_with('/') => Some(&below[1..]),
            _ => {
                let text = format!("commands are at {command_url}, and a page at {PAGE}\n");
                return Err(Answer::text(404, text));
            }
        },
    };
    if !hosts.admit(asked.host) {
        let why = "no name of this ensemble: ask by address, or name it in admin.page.hosts\n";
        return Err(guarded(Answer::text(421, why)));
    }
    if asked.is_post {
        return Err(guarded(Answer::not_allowed("GET, HEAD")));
    }
    match name {
        None if asked.path == "/" => Err(to_page()),
        None => Err(page()),
        Some(name) => asked.question(name).map_err(guarded),
    }
}

fn to_page() -> Answer {
    let mut answer = guarded(Answer::text(302, format!("the page is at {PAGE}\n")));
    // Without the slash: a proxy may have put something before it.
    answer.headers.push(("location", PAGE[1..].into()));
    answer
}

/// The page itself. Made once: whoever asks for it costs nothing but its way.
static TEXT: LazyLock<Bytes> = LazyLock::new(|| {
    let page = include_str!("page.html").replace("{{style}}", STYLE).replace("{{script}}", SCRIPT);
    page.into()
});

/// It lets this one script run, and it may ask its own server.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        fingerprint(SCRIPT),
        fingerprint(STYLE)
    )
});

fn page() -> Answer {
    let mut answer = guarded(Answer::new(200, Answer::HTML, TEXT.clone()));
    answer.headers.push(("content-security-policy", POLICY.clone()));
    answer
}

/// By which a policy names a script or a style.   (CSP level 3, section 2.3.1)
fn fingerprint(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}

fn guarded(mut answer: Answer) -> Answer {
    answer.headers.extend(GUARDS.map(|(name, value)| (name, value.into())));
    answer
}

fn answered(status: u16, fields: &Value) -> Answer {
    guarded(Answer::new(status, Answer::JSON, fields.to_string()))
}

/// `/page/glance`
pub fn glance(glance: &Glance<'_>) -> Answer {
    let mut fields = glance.to_json();
    fields["blocks"] = blocks::find(glance).iter().map(blocks::Block::to_json).collect();
    answered(200, &fields)
}

/// `/page/history`
pub fn history(history: &History, behind_ms: i64) -> Answer {
    let every_ms = INTERVAL.as_millis() as u64;
    answered(200, &json!({ "every_ms": every_ms, "columns": history.columns(behind_ms) }))
}

/// `/page/sessions`
pub fn sessions(shown: &SessionsShown) -> Answer {
    answered(200, &shown.to_json())
}

/// `/page/session`: paths, and whether there are more.
pub fn session_paths(paths: &[&str], more: bool) -> Answer {
    answered(200, &json!({ "paths": paths, "more": more }))
}

/// `/page/node`
pub fn node(node: &NodeShown<'_>) -> Answer {
    answered(200, &node.to_json())
}

/// A question that is not answered: why, as `error`.
pub fn refused(refusal: Refusal) -> Answer {
    let (status, why) = refusal.words();
    let mut answer = answered(status, &json!({ "error": why }));
    if refusal == Refusal::TooOften {
        answer.headers.push(("retry-after", "1".into()));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, host: &str, is_post: bool) -> Result<PageQuestion, Answer> {
        let (query, client, authorization) = ("", "127.0.0.1:9", None);
        let asked = Asked { is_post, path, query, client, authorization, host: Some(host) };
        find(asked, &Hosts::default(), "/commands")
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        let found = answer.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_page_is_one_file_that_may_fetch_from_its_server_alone() {
        let page = ask("/page", "127.0.0.1:8080", false).expect_err("it needs no server");
        assert_eq!((page.status, page.content_type), (200, Answer::HTML));
        let policy = header(&page, "content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none';") && policy.contains("connect-src 'self'"));
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(header(&page, "x-content-type-options"), Some("nosniff"));
        let text = std::str::from_utf8(page.bytes()).expect("text");
        for needs in
            ["http://", "https://", "src=", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval("]
        {
            let found = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(needs), "{needs}");
        }
    }

    #[test]
    fn strangers_names_and_posts_are_turned_away() {
        assert_eq!(ask("/page/glance", "127.0.0.1", false).ok(), Some(PageQuestion::Glance));
        for path in ["/", "/page", "/page/glance", "/page/node"] {
            let stranger = ask(path, "evil.example", false).expect_err("not for it");
            assert_eq!(stranger.status, 421, "{path}");
            let posted = ask(path, "127.0.0.1", true).expect_err("nothing changes");
            assert_eq!((posted.status, header(&posted, "allow")), (405, Some("GET, HEAD")));
        }
        let root = ask("/", "127.0.0.1", false).expect_err("it needs no server");
        assert_eq!((root.status, header(&root, "location")), (302, Some("page")));
        assert_eq!(ask("/pages", "127.0.0.1", false).map_err(|answer| answer.status), Err(404));
        assert_eq!(ask("/page/x", "127.0.0.1", false).map_err(|answer| answer.status), Err(404));
    }
}
