//! Everything below a node, in the order of paths, with many requests in flight.
//!
//! The stack has what is not handed over yet, the next one on top. Of those near the top each is asked
//! before it is wanted, and what is below an answered one takes its place behind it:
//!
//!     top   /a    answered              hand over /a, then the top is /a/x
//!           /a/x  asked                 known since /a was answered
//!           /a/y  waits
//!           /b    asked
//!
//! WA-1  at most `IN_FLIGHT` requests are under way
//! WA-2  a parent comes before what is below it, and children in the order of their names
//!
//! A node that has gone meanwhile is handed over as gone, one that may not be read as such: neither ends
//! the walk. Of answers it holds few: those that were asked ahead, on each level of the tree.
//!
//! Not here: what a command makes of a node.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{self, Future};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::command::Call;
use super::refused::Refused;
use super::text;
use crate::base::paths;
use crate::client::{Client, Failure};
use crate::jute::client::code;
use crate::jute::data::{Acl, Stat};

/// Requests under way at a time.
pub(super) const IN_FLIGHT: usize = 64;
/// Reads that were under way when a connection ended are asked again so many times.
const TRIES_MAX: usize = 3;
/// Paths that a complaint names.
const NAMED_MAX: usize = 10;

/// What is asked of each node beside its stat and its children.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted {
    pub(super) data: bool,
    pub(super) acl: bool,
}

impl Wanted {
    fn requests(self) -> usize {
        1 + usize::from(self.data) + usize::from(self.acl)
    }
}

/// A node as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Node {
    pub(super) stat: Stat,
    /// `None` also where it was not asked for.
    pub(super) data: Option<Bytes>,
    /// Empty where it was not asked for.
    pub(super) acl: Vec<Acl>,
}

/// What came of asking for a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Met {
    Node(Node),
    /// It was there when its parent was read.
    Gone,
    /// What everybody may know of it, if that could be read.
    Unreadable(Option<Stat>),
}

impl Met {
    /// Of a node that is there.
    pub(super) fn stat(&self) -> Option<&Stat> {
        match self {
            Met::Node(node) => Some(&node.stat),
            Met::Unreadable(stat) => stat.as_ref(),
            Met::Gone => None,
        }
    }
}

/// One step of a walk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Walked {
    pub(super) path: String,
    /// 0 where the walk begins.
    pub(super) depth: usize,
    /// No sibling follows.
    pub(super) is_last: bool,
    pub(super) met: Met,
}

/// A node, and the names of its children.
type Answer = Result<(Met, Vec<String>), Failure>;
type Asking = Pin<Box<dyn Future<Output = Answer>>>;

enum State {
    Waits,
    /// By this number.
    Asked(u64),
    Answered(Result<Met, Failure>),
}

struct Entry {
    path: String,
    depth: usize,
    is_last: bool,
    state: State,
}

/// A walk in progress.
pub(super) struct Walk {
    ask: Box<dyn Fn(&str) -> Asking>,
    /// What is left out, with all that is below it.
    is_left_out: Box<dyn Fn(&str) -> bool>,
    depth_max: usize,
    /// Nodes that are asked at a time, and how far ahead.
    window: usize,
    stack: Vec<Entry>,
    asked: Vec<(u64, Asking)>,
    answers: BTreeMap<u64, Answer>,
    count: u64,
    unreadable: Unreadable,
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk").field("stack", &self.stack.len()).finish_non_exhaustive()
    }
}

impl Walk {
    /// Below this node, which comes first.
    pub(super) fn of(client: &Client, path: &str, wanted: Wanted) -> Walk {
        let client = client.clone();
        let ask =
            move |path: &str| -> Asking { Box::pin(ask(client.clone(), path.to_owned(), wanted)) };
        Walk::asking(path, wanted.requests(), ask)
    }

    fn asking(path: &str, requests: usize, ask: impl Fn(&str) -> Asking + 'static) -> Walk {
        let root = Entry { path: path.to_owned(), depth: 0, is_last: true, state: State::Waits };
        Walk {
            ask: Box::new(ask),
            is_left_out: Box::new(|_| false),
            depth_max: usize::MAX,
            window: IN_FLIGHT / requests,
            stack: vec![root],
            asked: Vec::new(),
            answers: BTreeMap::new(),
            count: 0,
            unreadable: Unreadable::default(),
        }
    }

    /// No deeper than that.
    pub(super) fn down_to(self, depth_max: usize) -> Walk {
        Walk { depth_max, ..self }
    }

    /// Without ZooKeeper's own nodes.
    pub(super) fn without_reserved(self, client: &Client) -> Walk {
        let client = client.clone();
        Walk { is_left_out: Box::new(move |path| client.is_reserved(path)), ..self }
    }

    /// The next node; `None` at the end. That the first one is not there is a failure.
    pub(super) async fn next(&mut self) -> Result<Option<Walked>, Refused> {
        future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// What may not be read is told once everything else was.
    pub(super) fn finish(self) -> Result<(), Refused> {
        self.unreadable.tell()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Walked>, Refused>> {
        loop {
            self.look_ahead();
            match self.stack.pop_if(|entry| matches!(entry.state, State::Answered(_))) {
                Some(Entry { path, depth, is_last, state: State::Answered(answer) }) => {
                    return Poll::Ready(self.hand_over(path, depth, is_last, answer));
                }
                _ if self.stack.is_empty() => return Poll::Ready(Ok(None)),
                _ => {}
            }
            if !self.poll_asked(cx) {
                return Poll::Pending;
            }
        }
    }

    fn hand_over(
        &mut self,
        path: String,
        depth: usize,
        is_last: bool,
        answer: Result<Met, Failure>,
    ) -> Result<Option<Walked>, Refused> {
        let met = answer.map_err(|failure| Refused::of(failure, Some(&path)))?;
        match met {
            Met::Gone if depth == 0 => {
                return Err(Refused::of(Failure::of(code::NO_NODE), Some(&path)));
            }
            Met::Unreadable(_) => self.unreadable.add(&path),
            _ => {}
        }
        Ok(Some(Walked { path, depth, is_last, met }))
    }

    /// WA-1: asks those near the top, and puts what is below an answered one behind it.
    fn look_ahead(&mut self) {
        let mut at = self.stack.len();
        let mut seen = 0;
        while at > 0 && seen < self.window {
            (at, seen) = (at - 1, seen + 1);
            match self.stack[at].state {
                State::Waits if self.asked.len() < self.window => {
                    self.count += 1;
                    self.asked.push((self.count, (self.ask)(&self.stack[at].path)));
                    self.stack[at].state = State::Asked(self.count);
                }
                State::Asked(number) => {
                    let Some(answer) = self.answers.remove(&number) else { continue };
                    let below = self.expand(at, answer);
                    let added = below.len();
                    self.stack.splice(at..at, below);
                    at += added;
                }
                State::Waits | State::Answered(_) => {}
            }
        }
    }

    /// WA-2. The last child first, as the stack has it.
    fn expand(&mut self, at: usize, answer: Answer) -> Vec<Entry> {
        let entry = &mut self.stack[at];
        let (state, names) = match answer {
            Ok((met, names)) => (Ok(met), names),
            Err(failure) => (Err(failure), Vec::new()),
        };
        entry.state = State::Answered(state);
        let (path, depth) = (&entry.path, entry.depth + 1);
        if depth > self.depth_max {
            return Vec::new();
        }
        let mut below: Vec<String> = names.iter().map(|name| paths::join(path, name)).collect();
        below.retain(|path| !(self.is_left_out)(path));
        below.sort_unstable_by(|a, b| b.cmp(a));
        let entry = |(n, path)| Entry { path, depth, is_last: n == 0, state: State::Waits };
        below.into_iter().enumerate().map(entry).collect()
    }

    /// Whether anything was answered.
    fn poll_asked(&mut self, cx: &mut Context<'_>) -> bool {
        let before = self.asked.len();
        let answers = &mut self.answers;
        self.asked.retain_mut(|(number, asking)| match asking.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(answer) => {
                answers.insert(*number, answer);
                false
            }
        });
        self.asked.len() < before
    }
}

/// Reads may be asked again.
async fn ask(client: Client, path: String, wanted: Wanted) -> Answer {
    let mut tries = 1;
    loop {
        match ask_once(&client, &path, wanted).await {
            Err(failure) if failure.was_sent && tries < TRIES_MAX => tries += 1,
            answer => return answer,
        }
    }
}

async fn ask_once(client: &Client, path: &str, wanted: Wanted) -> Answer {
    let data = async {
        match wanted.data {
            true => client.get_data(path, false).await.map(|(data, stat)| (data, Some(stat))),
            false => Ok((None, None)),
        }
    };
    let acl = async {
        match wanted.acl {
            true => client.get_acl(path).await.map(|(acl, _)| acl),
            false => Ok(Vec::new()),
        }
    };
    let (children, data, acl) = tokio::join!(client.get_children(path, false), data, acl);
    let read = || -> Answer {
        let ((names, stat), (data, of_data), acl) = (children?, data?, acl?);
        // The length belongs to the data.
        let stat = of_data.unwrap_or(stat);
        Ok((Met::Node(Node { stat, data, acl }), names))
    };
    match read() {
        Err(failure) if failure.code == code::NO_NODE => Ok((Met::Gone, Vec::new())),
        // Before 3.9.3 everybody may ask whether it is there.
        Err(failure) if failure.code == code::NO_AUTH => {
            let met = match client.exists(path, false).await {
                Ok(stat) => Met::Unreadable(Some(stat)),
                Err(failure) if failure.code == code::NO_NODE => Met::Gone,
                Err(failure) if failure.code == code::NO_AUTH => Met::Unreadable(None),
                Err(failure) => return Err(failure),
            };
            Ok((met, Vec::new()))
        }
        answer => answer,
    }
}

/// The answers to requests that are under way together.
pub(super) async fn together<T>(asked: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut asked: Vec<_> = asked.into_iter().map(Box::pin).collect();
    let mut answers: Vec<Option<T>> = asked.iter().map(|_| None).collect();
    future::poll_fn(|cx| {
        for (asking, answer) in asked.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let Poll::Ready(ready) = asking.as_mut().poll(cx)
            {
                *answer = Some(ready);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// The nodes that may not be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Unreadable {
    count: usize,
    first: Vec<String>,
}

impl Unreadable {
    fn add(&mut self, path: &str) {
        self.count += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(text::shown(path));
        }
    }

    fn tell(&self) -> Result<(), Refused> {
        if self.count == 0 {
            return Ok(());
        }
        let more = self.count - self.first.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (count, paths) = (self.count, self.first.join(", "));
        let text = format!(
            "Not read, and nothing below them, for want of permission: {count}: {paths}{more}"
        );
        let refused = Refused { code: Some(code::NO_AUTH), ..Refused::new(text) };
        Err(refused.with_hint("getAcl shows who may; addauth proves to be somebody"))
    }
}

impl Call {
    /// The first word, which is a path; without it the root.
    pub(super) fn path_or_root(&self) -> Result<String, Refused> {
        match self.given.words.first() {
            None => Ok(paths::ROOT.to_owned()),
            Some(_) => self.path(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;

    /// A tree of `width` children a node down to `depth`, whose answers take turns.
    struct Fake {
        width: usize,
        depth: usize,
        under_way: Rc<Cell<usize>>,
        most: Rc<Cell<usize>>,
    }

    impl Fake {
        fn walk(&self) -> Walk {
            let (width, depth) = (self.width, self.depth);
            let (under_way, most) = (Rc::clone(&self.under_way), Rc::clone(&self.most));
            Walk::asking("/", 1, move |path| {
                under_way.set(under_way.get() + 1);
                most.set(most.get().max(under_way.get()));
                let mut polls = 1 + path.len() % 5;
                let under_way = Rc::clone(&under_way);
                let path = path.to_owned();
                Box::pin(future::poll_fn(move |_| {
                    polls -= 1;
                    if polls > 0 {
                        return Poll::Pending;
                    }
                    under_way.set(under_way.get() - 1);
                    let level = path.matches('/').count() - usize::from(path == "/");
                    let names = (0..if level < depth { width } else { 0 }).rev();
                    let names = names.map(|n| format!("{n:03}")).collect();
                    Poll::Ready(match path.as_str() {
                        "/001" => Ok((Met::Gone, Vec::new())),
                        "/002" => Ok((Met::Unreadable(None), Vec::new())),
                        "/broken" => Err(Failure::of(code::SESSION_EXPIRED)),
                        _ => Ok((Met::Node(node()), names)),
                    })
                }))
            })
        }

        fn of(width: usize, depth: usize) -> Fake {
            Fake { width, depth, under_way: Rc::default(), most: Rc::default() }
        }
    }

    fn node() -> Node {
        Node { stat: Stat::default(), data: None, acl: Vec::new() }
    }

    fn all(walk: &mut Walk) -> Result<Vec<Walked>, Refused> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut all = Vec::new();
        loop {
            match walk.poll_next(&mut cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(Some(walked))) => all.push(walked),
                Poll::Ready(Ok(None)) => return Ok(all),
                Poll::Ready(Err(refused)) => return Err(refused),
            }
        }
    }

    #[test]
    fn paths_come_in_order_and_few_requests_are_under_way() {
        let fake = Fake::of(30, 3);
        let walked = all(&mut fake.walk()).expect("it can be walked");
        // Two of thirty subtrees are a node alone.
        assert_eq!(walked.len(), 1 + 30 + 28 * (30 + 900));
        let names: Vec<Vec<&str>> =
            walked.iter().skip(1).map(|walked| walked.path.split('/').collect()).collect();
        assert!(names.is_sorted());
        assert_eq!(fake.most.get(), IN_FLIGHT);
        let last = walked.iter().filter(|walked| walked.is_last).count();
        assert_eq!(last, 1 + 1 + 28 + 28 * 30);
        assert!(
            walked
                .iter()
                .all(|walked| walked.is_last == walked.path.ends_with("029") || walked.depth == 0)
        );
    }

    #[test]
    fn what_is_gone_or_may_not_be_read_does_not_end_a_walk() {
        let mut walk = Fake::of(4, 1).walk();
        let walked = all(&mut walk).expect("it can be walked");
        let met: Vec<&Met> = walked.iter().skip(1).map(|walked| &walked.met).collect();
        assert_eq!(met[1..3], [&Met::Gone, &Met::Unreadable(None)]);
        let told = walk.finish().expect_err("one may not be read");
        assert!(told.text.ends_with(": 1: /002"), "{}", told.text);
        assert_eq!(told.exit_code, 1);
    }

    #[test]
    fn a_walk_ends_at_its_depth_and_leaves_out_what_it_shall() {
        let mut walk = Fake::of(4, 3).walk().down_to(1);
        walk.is_left_out = Box::new(|path| path == "/000");
        let walked = all(&mut walk).expect("it can be walked");
        let paths: Vec<&str> = walked.iter().map(|walked| walked.path.as_str()).collect();
        assert_eq!(paths, ["/", "/001", "/002", "/003"]);
    }

    #[test]
    fn a_server_that_fails_ends_a_walk() {
        let mut walk = Fake::of(1, 1).walk();
        walk.stack[0].path = "/broken".into();
        let refused = all(&mut walk).expect_err("the session has expired");
        assert_eq!(refused.code, Some(code::SESSION_EXPIRED));
    }

    #[test]
    fn a_complaint_names_a_few() {
        let mut unreadable = Unreadable::default();
        (0..12).for_each(|n| unreadable.add(&format!("/{n}")));
        let told = unreadable.tell().expect_err("twelve may not be read");
        assert!(told.text.ends_with(": 12: /0, /1, /2, /3, /4, /5, /6, /7, /8, /9 and 2 more"));
    }
}
