//! Spans of writes, sent to a collector.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;

use crate::ensemble::{Plan, wait_for};

/// Takes every batch, and hands on its body.
fn collector() -> (u16, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, batches) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let Some(batch) = take_batch(stream) else { continue };
            if sender.send(batch).is_err() {
                return;
            }
        }
    });
    (port, batches)
}

fn take_batch(mut stream: TcpStream) -> Option<Value> {
    let mut request = Vec::new();
    let mut some = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
            if body.len() >= length {
                assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
                let batch = serde_json::from_str(body).expect("JSON");
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
                )
                .ok()?;
                return Some(batch);
            }
        }
        match stream.read(&mut some) {
            Ok(0) | Err(_) => return None,
            Ok(n) => request.extend_from_slice(&some[..n]),
        }
    }
}

/// By trace: which server sent which spans, and who is whose parent.
#[derive(Default)]
struct Trace {
    spans: BTreeSet<(String, String)>,
    ids: BTreeSet<String>,
    parents: BTreeSet<String>,
}

fn add(traces: &mut BTreeMap<String, Trace>, batch: &Value) {
    let resource = &batch["resourceSpans"][0];
    let attributes = resource["resource"]["attributes"].as_array().expect("attributes");
    let server = attributes.iter().find(|a| a["key"] == "service.instance.id").expect("a server");
    let server = server["value"]["stringValue"].as_str().expect("text");
    for span in resource["scopeSpans"][0]["spans"].as_array().expect("spans") {
        let text = |key: &str| span[key].as_str().expect("text").to_string();
        let trace = traces.entry(text("traceId")).or_default();
        trace.spans.insert((server.to_string(), text("name")));
        trace.ids.insert(text("spanId"));
        if text("parentSpanId").is_empty() {
            assert_eq!(text("name"), "write");
        } else {
            trace.parents.insert(text("parentSpanId"));
        }
        let nanos = |key: &str| text(key).parse::<u64>().expect("nanoseconds");
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
    }
}

#[test]
fn a_write_is_one_trace_of_all_servers() {
    let (port, batches) = collector();
    let plan = Plan::voters(&[1, 2, 3]).setting("otlp.writesPerTrace=1");
    let ensemble = plan.setting(&format!("otlp.endpoint=http://127.0.0.1:{port}")).start();
    let (leader, followers) = (ensemble.leader(), ensemble.followers());
    let mut client = ensemble.client(1);
    for n in 0..5 {
        client.create(&format!("/n{n}"), "", 0).expect("a node");
    }
    let mut wanted: BTreeSet<(String, String)> =
        ["write", "quorum", "apply", "log"].map(|name| (leader.to_string(), name.into())).into();
    for follower in followers {
        wanted.extend(["log", "commit"].map(|name| (follower.to_string(), name.into())));
    }
    let mut traces = BTreeMap::new();
    let count = wait_for("the spans of every write", || {
        while let Ok(batch) = batches.try_recv() {
            add(&mut traces, &batch);
        }
        let whole = traces.values().filter(|trace| trace.spans == wanted).count();
        (whole >= 5).then_some(whole)
    });
    assert!(count >= 5);
    for trace in traces.values().filter(|trace| trace.spans == wanted) {
        assert_eq!((trace.ids.len(), trace.parents.len()), (wanted.len(), 1));
        assert!(trace.parents.is_subset(&trace.ids));
    }
}
