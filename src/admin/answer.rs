//! A response of the admin port, before it becomes HTTP.

use std::path::PathBuf;

use bytes::Bytes;

use crate::base::Zxid;
use crate::storage::StorageOptions;

/// A response: HTTP's status, headers beside the usual ones, content type, and body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub content_type: &'static str,
    pub body: Body,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    Bytes(Bytes),
    /// The content of this file.
    File(PathBuf),
    /// Records of the log.
    Log(Box<LogStretch>),
}

/// What is sent of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogStretch {
    pub storage: StorageOptions,
    pub from: Zxid,
    /// All up to here is committed, and durable here.
    pub up_to: Zxid,
}

impl Answer {
    pub(super) const JSON: &'static str = "application/json";
    pub(super) const TEXT: &'static str = "text/plain; charset=utf-8";
    pub(super) const HTML: &'static str = "text/html; charset=utf-8";
    pub(super) const OCTETS: &'static str = "application/octet-stream";

    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
        Answer { status, headers: Vec::new(), content_type, body: Body::Bytes(body.into()) }
    }

    pub(super) fn text(status: u16, text: impl Into<String>) -> Answer {
        Answer::new(status, Answer::TEXT, text.into())
    }

    /// These methods are.
    pub(super) fn not_allowed(methods: &'static str) -> Answer {
        let mut answer = Answer::text(405, format!("{methods}\n"));
        answer.headers.push(("allow", methods.into()));
        answer
    }

    #[cfg(test)]
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Bytes(bytes) => bytes,
            body => panic!("{body:?} is not read here"),
        }
    }
}
