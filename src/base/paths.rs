//! Paths of znodes: which are legal, and how they come apart. (PathUtils, DataTree's reserved paths)
//!
//! The root has two spellings: clients say "/", snapshots and the parents of top-level nodes say "".
//! Not here: what a path names (tree), chroots (a client's affair, a server never sees them).

use thiserror::Error;

pub const ROOT: &str = "/";
/// The service's own corner of the tree; everything below it is outside the digest.
pub const ZOOKEEPER: &str = "/zookeeper";
pub const QUOTA: &str = "/zookeeper/quota";
pub const CONFIG: &str = "/zookeeper/config";

/// Why a path may not name a znode. A client only ever learns BADARGUMENTS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum PathError {
    #[error("the path is empty")]
    Empty,
    #[error("the path does not begin with a slash")]
    Relative,
    #[error("the path ends with a slash")]
    TrailingSlash,
    #[error("a name is empty, at byte {0}")]
    EmptyName(usize),
    #[error("a name is . or .., at byte {0}")]
    Dots(usize),
    #[error("a character is not allowed, at byte {0}")]
    Character(usize),
}

/// The first name of a path; `None` of the root. (PathUtils.getTopNamespace)
pub fn namespace(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.split('/').next().filter(|name| !name.is_empty())
}

/// Whether a znode may have this path.
pub fn validate(path: &str) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    let Some(below) = path.strip_prefix('/') else { return Err(PathError::Relative) };
    if below.is_empty() {
        return Ok(());
    }
    if below.ends_with('/') {
        return Err(PathError::TrailingSlash);
    }
    if is_plain(below) {
        return Ok(());
    }
    let mut at = 1;
    for name in below.split('/') {
        match name {
            "" => return Err(PathError::EmptyName(at)),
            "." | ".." => return Err(PathError::Dots(at)),
            _ => {}
        }
        if let Some((offset, _)) = name.char_indices().find(|(_, c)| !allowed(*c)) {
            return Err(PathError::Character(at + offset));
        }
        at += name.len() + 1;
    }
    Ok(())
}

/// Nearly every path, seen in one pass: printable ASCII, and no name is empty or begins with a dot.
fn is_plain(below: &str) -> bool {
    let mut before = b'/';
    let is_plain = below.bytes().all(|byte| {
        let starts = std::mem::replace(&mut before, byte) == b'/';
        matches!(byte, b' '..=b'~') && !(starts && matches!(byte, b'/' | b'.'))
    });
    is_plain && before != b'/'
}

/// Java looks at UTF-16 units: all that lies beyond the basic plane is a pair of surrogates
/// there, and so not allowed.
fn allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

/// The path of the parent ("" for a top-level node) and the name. `None` without a slash.
pub fn split(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('/')
}

/// The path of the parent; "" for a top-level node, and for the root itself.
pub fn parent(path: &str) -> Option<&str> {
    split(path).map(|(parent, _)| parent)
}

/// The path of a child; the root may be spelt either way.
pub fn join(parent: &str, name: &str) -> String {
    let parent = if parent == ROOT { "" } else { parent };
    let mut path = String::with_capacity(parent.len() + 1 + name.len());
    path.push_str(parent);
    path.push('/');
    path.push_str(name);
    path
}

/// Nodes that no client may delete.
pub fn is_reserved(path: &str) -> bool {
    matches!(path, "" | ROOT | ZOOKEEPER | QUOTA | CONFIG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_legal() {
        for path in
            ["/", "/a", "/a/b", "/a.b/..c/d..", "/...", "/\u{fc}\u{4e2d}", "/a b", "/\u{ffef}"]
        {
            assert_eq!(validate(path), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn a_path_is_absolute_and_has_no_empty_or_relative_name() {
        assert_eq!(validate(""), Err(PathError::Empty));
        assert_eq!(validate("a"), Err(PathError::Relative));
        assert_eq!(validate("/a/"), Err(PathError::TrailingSlash));
        assert_eq!(validate("//a"), Err(PathError::EmptyName(1)));
        assert_eq!(validate("/a//b"), Err(PathError::EmptyName(3)));
        assert_eq!(validate("/a/./b"), Err(PathError::Dots(3)));
        assert_eq!(validate("/a/.."), Err(PathError::Dots(3)));
    }

    #[test]
    fn control_surrogate_private_and_special_characters_are_refused() {
        for c in [
            '\0',
            '\u{1}',
            '\u{1f}',
            '\u{7f}',
            '\u{9f}',
            '\u{e000}',
            '\u{f8ff}',
            '\u{fff0}',
            '\u{fffd}',
            '\u{1f600}',
        ] {
            assert_eq!(validate(&format!("/a{c}")), Err(PathError::Character(2)), "{c:?}");
        }
    }

    #[test]
    fn a_path_comes_apart_and_goes_together_again() {
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a"), Some(("", "a")));
        assert_eq!(split("a"), None);
        assert_eq!(parent("/a/b"), Some("/a"));
        assert_eq!(join("", "a"), "/a");
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/a", "b"), "/a/b");
    }

    #[test]
    fn the_root_and_the_service_nodes_are_reserved() {
        for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            assert!(is_reserved(path));
        }
        assert!(!is_reserved("/zookeeper/quota/a"));
    }
}
