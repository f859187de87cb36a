//! The admin port and the metrics port: HTTP/1.1, and no decisions.   (JettyAdminServer, PrometheusMetricsProvider)
//!
//!     a path --> Question --> posted to the server --> Answer --> a response
//!
//! A connection is closed when it has been silent for `admin.idleTimeout`, and when a new one comes while
//! [`CONNECTIONS_MAX`] are open, and it has asked nothing for the longest time of them; probes alone are
//! answered while [`UNREAD_BYTES_MAX`] of answers are not read: what strangers hold here is bounded.
//!
//! Not here: what is answered (commands.rs, metrics.rs).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Channel, Either, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, oneshot};
use tracing::{info, warn};

use super::answer::{Answer, Body, LogStretch};
use super::page::INTERVAL;
use super::question::{Asked, Question, Site};
use super::txn_log::{LogReading, log_gone};
use crate::base::Stamp;
use crate::runtime::accept::Listening;
use crate::runtime::link::Post;
use crate::runtime::{File, HostPort, Lane, LaneId, OpenMode, Runtime, Stream};

/// Open connections of one port.
const CONNECTIONS_MAX: usize = 64;
/// Bytes of answers that the kernel has not taken yet. While there are more, probes alone are answered.
const UNREAD_BYTES_MAX: usize = 64 << 20;
/// Bytes of the head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a file that are read at once, and wait to be sent.
const PIECE_BYTES: usize = 64 * 1024;
/// Bytes that are read of a client that was answered for the last time.
const LINGERING_BYTES_MAX: usize = 1 << 20;

#[derive(Clone, Debug)]
pub enum AdminEvent {
    /// Answered by [`AdminDriver::answer`], with this number.
    Asked { number: u64, question: Question },
    /// An interval of the page's history has ended.
    IntervalEnded,
}

/// The body of a response.
type Sent = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

/// The pump's handle on both ports.
pub struct AdminDriver<R: Runtime> {
    inner: Rc<Inner<R>>,
}

struct Inner<R> {
    rt: R,
    post: Post<AdminEvent>,
    idle_timeout: Duration,
    asked: Cell<u64>,
    /// Of all answers that are made and not written to their end.
    unread_bytes: Arc<AtomicUsize>,
    /// One answer that may be long is made at a time, so that the next one knows of it.
    turn: Semaphore,
    waiting: RefCell<BTreeMap<u64, oneshot::Sender<Answer>>>,
}

impl<R: Runtime> fmt::Debug for AdminDriver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminDriver").field("asked", &self.inner.asked).finish()
    }
}

/// One port, and its connections by their numbers.
struct Port {
    site: Site,
    last: Cell<u64>,
    open: RefCell<BTreeMap<u64, Open>>,
}

struct Open {
    /// When its last request came, or a piece of a file was taken.
    heard: Rc<Cell<Stamp>>,
    /// Dropped: the connection ends.
    _end: oneshot::Sender<Infallible>,
}

impl Port {
    fn new(site: Site) -> Port {
        Port { site, last: Cell::new(0), open: RefCell::default() }
    }

    /// One more, in the place of the one that has asked nothing for the longest time if there are too
    /// many: who holds connections and asks nothing keeps nobody out.
    fn admit(&self, heard: Rc<Cell<Stamp>>) -> (u64, oneshot::Receiver<Infallible>) {
        let mut open = self.open.borrow_mut();
        if open.len() >= CONNECTIONS_MAX
            && let Some((&longest, _)) = open.iter().min_by_key(|(_, open)| open.heard.get())
        {
            open.remove(&longest);
        }
        let (end, ended) = oneshot::channel();
        self.last.set(self.last.get() + 1);
        open.insert(self.last.get(), Open { heard, _end: end });
        (self.last.get(), ended)
    }
}

impl<R: Runtime> AdminDriver<R> {
    pub fn new(rt: R, post: Post<AdminEvent>, idle_timeout: Duration) -> AdminDriver<R> {
        let (asked, turn, waiting) = (Cell::new(0), Semaphore::new(1), RefCell::default());
        let unread_bytes = Arc::default();
        let inner = Inner { rt, post, idle_timeout, asked, unread_bytes, turn, waiting };
        AdminDriver { inner: Rc::new(inner) }
    }

    /// Answers there from now on. A port that cannot be opened is told of, and the server goes on
    /// without it.
    pub fn listen(&self, on: HostPort, site: Site) {
        let inner = Rc::clone(&self.inner);
        self.inner.rt.spawn("admin listen", async move {
            let rt = inner.rt.clone();
            match rt.listen(&on).await {
                Ok(listener) => {
                    info!(%on, "{} port open", site.name());
                    let port = Rc::new(Port::new(site));
                    let accept = |at, stream| inner.on_accept(at, stream, &port);
                    Listening::default().accept(&rt, listener, accept).await;
                }
                Err(error) => warn!(%on, %error, "no {} port: it cannot be opened", site.name()),
            }
        });
    }

    /// From now on the server hears when an interval of the page's history ends.
    pub fn tell_intervals(&self) {
        let inner = Rc::clone(&self.inner);
        self.inner.rt.spawn("admin intervals", async move {
            let mut ends = inner.rt.stamp();
            loop {
                ends = ends.max(inner.rt.stamp()) + INTERVAL;
                inner.rt.sleep_until(ends).await;
                (inner.post)(inner.rt.stamp(), 0, AdminEvent::IntervalEnded);
            }
        });
    }

    pub fn answer(&self, number: u64, answer: Answer) {
        if let Some(asker) = self.inner.waiting.borrow_mut().remove(&number) {
            let _gone = asker.send(answer);
        }
    }
}

impl<R: Runtime> Inner<R> {
    fn on_accept(self: &Rc<Self>, at: Stamp, stream: R::Stream, port: &Rc<Port>) {
        let heard = Rc::new(Cell::new(at));
        let (number, ended) = port.admit(Rc::clone(&heard));
        let (inner, port) = (Rc::clone(self), Rc::clone(port));
        self.rt.spawn("admin connection", async move {
            let client = stream.peer();
            let service = service_fn(|request| {
                heard.set(inner.rt.stamp());
                let (inner, port, heard, client) = (&inner, &port, &heard, &client);
                Box::pin(async move {
                    let answer = inner.respond(&port.site, client, &request).await;
                    let response = inner.response(answer, heard).await;
                    heard.set(inner.rt.stamp());
                    Ok::<_, Infallible>(response)
                })
            });
            let mut connection = http1::Builder::new();
            connection.max_buf_size(HEAD_BYTES_MAX).half_close(true);
            let mut connection = connection.serve_connection(TokioIo::new(stream), service);
            let served = async {
                let _ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
                linger(connection.into_parts().io.into_inner()).await;
            };
            tokio::select! {
                biased;
                () = served => {}
                () = inner.silence(&heard) => {}
                _gave_way = ended => {}
            }
            port.open.borrow_mut().remove(&number);
        });
    }

    /// Returns when nothing was heard for the idle timeout.
    async fn silence(&self, heard: &Cell<Stamp>) {
        loop {
            let ends = heard.get() + self.idle_timeout;
            if self.rt.stamp() >= ends {
                return;
            }
            self.rt.sleep_until(ends).await;
        }
    }

    async fn respond(&self, site: &Site, client: &str, request: &Request<Incoming>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD | Method::POST) {
            return Answer::not_allowed("GET, HEAD, POST");
        }
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let asked = Asked {
            is_post: request.method() == Method::POST,
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            client,
            authorization: header(AUTHORIZATION),
            host: header(HOST),
        };
        match site.find(asked) {
            Ok(question @ (Question::Command(_) | Question::Metrics | Question::Page(_))) => {
                let _turn = self.turn.acquire().await.expect("it is never closed");
                if self.unread_bytes.load(Ordering::Relaxed) >= UNREAD_BYTES_MAX {
                    return Answer::text(503, "too much of other answers is not read yet\n");
                }
                self.ask(question).await
            }
            // Probes are answered always: what they get is short.
            Ok(question) => self.ask(question).await,
            Err(answer) => answer,
        }
    }

    async fn response(&self, answer: Answer, heard: &Rc<Cell<Stamp>>) -> Response<Sent> {
        let Answer { status, headers, content_type, body } = answer;
        match body {
            Body::Bytes(bytes) => {
                let bytes = Full::new(counted(bytes, &self.unread_bytes));
                with_head((status, content_type), headers, Either::Left(bytes))
            }
            Body::Log(stretch) => {
                let from = stretch.from;
                match self.send_log(*stretch, heard).await {
                    Ok(log) => with_head((status, content_type), headers, Either::Right(log)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        let Answer { status, content_type, body, .. } = log_gone(from);
                        let Body::Bytes(bytes) = body else { unreachable!("it is JSON") };
                        with_head((status, content_type), headers, Either::Left(Full::new(bytes)))
                    }
                    Err(error) => {
                        warn!(%error, "the log cannot be sent");
                        let text = format!("the log cannot be read: {error}\n");
                        let text = Either::Left(Full::new(Bytes::from(text)));
                        with_head((500, Answer::TEXT), Vec::new(), text)
                    }
                }
            }
            Body::File(path) => match self.send_file(&path, heard).await {
                Ok(file) => with_head((status, content_type), headers, Either::Right(file)),
                Err(error) => {
                    warn!(path = %path.display(), %error, "a snapshot cannot be sent");
                    let text = format!("{} cannot be read: {error}\n", path.display());
                    let text = Either::Left(Full::new(Bytes::from(text)));
                    with_head((500, Answer::TEXT), Vec::new(), text)
                }
            },
        }
    }

    /// The content of a file, a piece at a time: the next is read when the one before is on its way.
    /// One that cannot be read to its end ends the connection.
    async fn send_file(
        &self,
        path: &Path,
        heard: &Rc<Cell<Stamp>>,
    ) -> io::Result<Channel<Bytes, io::Error>> {
        let (rt, heard) = (self.rt.clone(), Rc::clone(heard));
        let lane = rt.disk(LaneId::History);
        lane.begin(rt.stamp());
        let mut file = lane.open(path, OpenMode::Read).await?;
        let (mut pieces, body) = Channel::new(1);
        self.rt.spawn("admin file", async move {
            let mut offset = 0;
            loop {
                lane.begin(rt.stamp());
                match file.read_at(offset, PIECE_BYTES).await {
                    Ok(piece) if piece.is_empty() => return,
                    Ok(piece) => {
                        offset += piece.len() as u64;
                        if pieces.send_data(piece).await.is_err() {
                            return;
                        }
                        heard.set(rt.stamp());
                    }
                    Err(error) => return pieces.abort(error),
                }
            }
        });
        Ok(body)
    }

    /// Records of the log. Whether the first are there is known before the answer begins; what is purged
    /// behind that ends the connection.
    async fn send_log(
        &self,
        stretch: LogStretch,
        heard: &Rc<Cell<Stamp>>,
    ) -> io::Result<Channel<Bytes, io::Error>> {
        let (rt, heard) = (self.rt.clone(), Rc::clone(heard));
        let mut reading = LogReading::new(rt.disk(LaneId::History), stretch);
        reading.lane().begin(rt.stamp());
        let mut next = reading.next().await?;
        let (mut pieces, body) = Channel::new(1);
        self.rt.spawn("admin log", async move {
            while let Some(piece) = next {
                if pieces.send_data(piece).await.is_err() {
                    return;
                }
                heard.set(rt.stamp());
                reading.lane().begin(rt.stamp());
                next = match reading.next().await {
                    Ok(next) => next,
                    Err(error) => return pieces.abort(error),
                };
            }
        });
        Ok(body)
    }

    async fn ask(&self, question: Question) -> Answer {
        let number = self.asked.get() + 1;
        self.asked.set(number);
        let (asker, answer) = oneshot::channel();
        self.waiting.borrow_mut().insert(number, asker);
        (self.post)(self.rt.stamp(), 0, AdminEvent::Asked { number, question });
        answer.await.unwrap_or_else(|_| Answer::text(503, "the server has ended\n"))
    }
}

/// These bytes, counted there as long as anybody holds them: hyper does until the kernel has taken the last one.
fn counted(body: Bytes, bytes: &Arc<AtomicUsize>) -> Bytes {
    struct Counted {
        body: Bytes,
        bytes: Arc<AtomicUsize>,
    }
    impl AsRef<[u8]> for Counted {
        fn as_ref(&self) -> &[u8] {
            &self.body
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.bytes.fetch_sub(self.body.len(), Ordering::Relaxed);
        }
    }
    bytes.fetch_add(body.len(), Ordering::Relaxed);
    Bytes::from_owner(Counted { body, bytes: Arc::clone(bytes) })
}

/// Reads what a client still sends after the last response, to its end: a connection that is closed
/// with unread bytes is reset, and the response is lost with it.   (RFC 9112, section 9.6)
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut unread = [0; 4096];
    for _ in 0..LINGERING_BYTES_MAX / unread.len() {
        if !matches!(stream.read(&mut unread).await, Ok(1..)) {
            return;
        }
    }
}

fn with_head(
    (status, content_type): (u16, &'static str),
    headers: Vec<(&'static str, String)>,
    body: Sent,
) -> Response<Sent> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in headers {
        let value = HeaderValue::try_from(value).expect("numbers and words");
        head.insert(HeaderName::from_static(name), value);
    }
    response
}
