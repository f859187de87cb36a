//! Spans of writes for OpenTelemetry: where the time of a write goes, on the leader and its followers.
//!
//!     notes of each step --> spans.rs --> a batch --> export.rs --> POST /v1/traces, in JSON
//!
//! One write in `otlp.writesPerTrace` is shown. Which one, and the ids of its trace, follow from its
//! zxid and the hash of its bytes, which are the same on every server: so their spans are of one trace,
//! and nothing is added to what servers send each other.
//!
//! | span     | on       | from                  | to                                          |
//! |----------|----------|-----------------------|---------------------------------------------|
//! | `write`  | leader   | it has its zxid       | the tree holds it; the other spans are in it |
//! | `quorum` | leader   | it has its zxid       | a quorum has acked it                       |
//! | `apply`  | leader   | a quorum has acked it | the tree holds it                           |
//! | `log`    | everyone | it is given to the log | it is durable                              |
//! | `commit` | learners | it is durable         | COMMIT or INFORM has come, the tree holds it |
//!
//! A feature of the build (`otlp`): without it nobody listens to the steps, and the notes of each
//! transaction are not made.

mod export;
mod spans;

use std::cell::RefCell;
use std::rc::Rc;

use crate::base::invariant::want_routine_notes;
use crate::config::{OtlpConfig, Reread, ServerConfig};
use crate::peer;
use crate::runtime::Runtime;

/// Runs one server until its process ends, and sends spans of its writes there.
pub async fn run<R: Runtime>(rt: R, config: ServerConfig, reread: Reread, to: OtlpConfig) {
    want_routine_notes();
    let finished = Rc::new(RefCell::new(spans::Finished::default()));
    let tracer = spans::Tracer::new(to.writes_per_trace, Rc::clone(&finished));
    let (server, sends) = (config.my_id, rt.clone());
    rt.spawn("otlp", async move { export::run(sends, server, to, finished).await });
    peer::run_observed(rt, config, tracer, Some(reread)).await;
}
