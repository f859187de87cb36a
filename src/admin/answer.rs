//! A response of the admin port, before it becomes HTTP.

use bytes::Bytes;

/// A response: HTTP's status, content type, and body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Bytes,
}

impl Answer {
    pub(super) const JSON: &'static str = "application/json";
    pub(super) const TEXT: &'static str = "text/plain; charset=utf-8";

    pub(super) fn text(status: u16, text: impl Into<String>) -> Answer {
        Answer { status, content_type: Answer::TEXT, body: Bytes::from(text.into()) }
    }
}
