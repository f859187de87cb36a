//! Sends spans to a collector: OTLP over HTTP, in JSON. (opentelemetry.io/docs/specs/otlp, otlphttp)
//!
//! A batch a second while there is something to send. One that the collector does not take is lost:
//! spans are for looking at, and a server does not pile them up. It says so once, and again when the
//! collector takes them.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tracing::{info, warn};

use super::spans::{Finished, Span, Stage};
use crate::base::ServerId;
use crate::config::OtlpConfig;
use crate::runtime::Runtime;

const INTERVAL: Duration = Duration::from_secs(1);
/// To connect, and for a response.
const PATIENCE: Duration = Duration::from_secs(5);

/// OTLP's SPAN_KIND_INTERNAL.
const INTERNAL: u8 = 1;
/// OTLP's SPAN_KIND_SERVER.
const SERVER: u8 = 2;

pub(super) async fn run<R: Runtime>(
    rt: R,
    server: ServerId,
    to: OtlpConfig,
    finished: Rc<RefCell<Finished>>,
) {
    let mut is_lost = false;
    loop {
        rt.sleep_until(rt.stamp() + INTERVAL).await;
        let Finished { spans, dropped } = finished.take();
        if spans.is_empty() {
            continue;
        }
        if dropped > 0 {
            warn!(dropped, "more spans than are sent: raise otlp.writesPerTrace");
        }
        let body = Bytes::from(batch(server, &spans).to_string());
        let sent = tokio::select! {
            biased;
            sent = send(&rt, &to, body) => sent,
            () = rt.sleep_until(rt.stamp() + PATIENCE * 2) => Err(io::ErrorKind::TimedOut.into()),
        };
        match sent {
            Ok(()) if is_lost => info!(to = %to.collector, "spans are taken again"),
            Err(ref error) if !is_lost => {
                warn!(to = %to.collector, %error, "spans are lost: the collector does not take them");
            }
            _ => {}
        }
        is_lost = sent.is_err();
    }
}

async fn send<R: Runtime>(rt: &R, to: &OtlpConfig, body: Bytes) -> io::Result<()> {
    let (_, stream) = rt.connect(rt.stamp(), &to.collector, PATIENCE).await;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream?)).await.map_err(io::Error::other)?;
    let request = Request::builder()
        .method(Method::POST)
        .uri(&to.path)
        .header(HOST, to.collector.to_string())
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(io::Error::other)?;
    let answered = async move { sender.send_request(request).await };
    let (response, _ended) = tokio::join!(answered, connection);
    match response.map_err(io::Error::other)?.status() {
        status if status.is_success() => Ok(()),
        status => Err(io::Error::other(format!("it answers {status}"))),
    }
}

/// The body of one request. (ExportTraceServiceRequest, in the JSON that OTLP defines for it)
fn batch(server: ServerId, spans: &[Span]) -> Value {
    let text = |key: &str, value: String| json!({"key": key, "value": {"stringValue": value}});
    let span = |span: &Span| {
        let mut attributes = vec![text("zookeeper.zxid", span.zxid.to_string())];
        if span.stage == Stage::Quorum {
            let voters: Vec<String> = span.voters.iter().map(|sid| sid.0.to_string()).collect();
            attributes.push(text("zookeeper.voters", voters.join(",")));
        }
        json!({
            "traceId": span.trace_id(),
            "spanId": span.id(server),
            "parentSpanId": span.parent_id().unwrap_or_default(),
            "name": span.stage.name(),
            "kind": if span.stage == Stage::Write { SERVER } else { INTERNAL },
            "startTimeUnixNano": span.began.to_string(),
            "endTimeUnixNano": span.ended.to_string(),
            "attributes": attributes,
        })
    };
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            text("service.name", "quorate".into()),
            text("service.instance.id", server.0.to_string()),
        ]},
        "scopeSpans": [{
            "scope": {"name": "quorate", "version": env!("CARGO_PKG_VERSION")},
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}
