//! A stream in which two servers part, made as small as it gets. (delta debugging)
//!
//! Each candidate is a stream of its own below a root of its own, so nothing has to be restarted.

use crate::pair::{Pair, Parting};
use crate::request::{Field, OPEN, Request};
use crate::step::{Frame, Step};

/// Candidates that are tried at most.
const TRIES_MAX: usize = 1_500;

struct Shrinker<'a> {
    pair: &'a mut Pair,
    steps: Vec<Step>,
    parting: Parting,
    tries: usize,
}

/// The smallest stream found and what the servers say to it.
pub(crate) fn shrink(pair: &mut Pair, steps: Vec<Step>, parting: Parting) -> (Vec<Step>, Parting) {
    let mut shrinker = Shrinker { pair, steps, parting, tries: 0 };
    shrinker.forget_what_follows();
    loop {
        let before = shrinker.steps.clone();
        shrinker.drop_steps();
        shrinker.split_bursts();
        shrinker.simplify_steps();
        if shrinker.steps == before || shrinker.tries >= TRIES_MAX {
            return (shrinker.steps, shrinker.parting);
        }
    }
}

impl Shrinker<'_> {
    /// Takes the candidate if the servers still part.
    fn takes(&mut self, candidate: Vec<Step>) -> bool {
        if self.tries >= TRIES_MAX || candidate.is_empty() {
            return false;
        }
        self.tries += 1;
        let Some(parting) = self.pair.play(&candidate) else { return false };
        (self.steps, self.parting) = (candidate, parting);
        self.forget_what_follows();
        true
    }

    fn forget_what_follows(&mut self) {
        self.steps.truncate(self.parting.step + 1);
    }

    fn drop_steps(&mut self) {
        let mut size = self.steps.len().div_ceil(2);
        while size > 0 {
            let mut from = 0;
            while from < self.steps.len() {
                let to = (from + size).min(self.steps.len());
                let kept = [&self.steps[..from], &self.steps[to..]].concat();
                if !self.takes(kept) {
                    from = to;
                }
            }
            size /= 2;
        }
    }

    /// Requests in one go become requests one after the other, where that is enough.
    fn split_bursts(&mut self) {
        let mut n = 0;
        while n < self.steps.len() {
            if let Step::Burst(conn, requests) = self.steps[n].clone() {
                let asked = requests.into_iter().map(|request| Step::Ask(conn, request));
                let mut candidate = self.steps.clone();
                candidate.splice(n..=n, asked);
                self.takes(candidate);
            }
            n += 1;
        }
    }

    fn simplify_steps(&mut self) {
        let mut n = 0;
        while n < self.steps.len() {
            let mut simpler = simpler_steps(&self.steps[n]).into_iter();
            // Anew from what was taken, until nothing simpler does.
            while let Some(step) = simpler.next() {
                let mut candidate = self.steps.clone();
                candidate[n] = step;
                if self.takes(candidate) {
                    match self.steps.get(n) {
                        Some(step) => simpler = simpler_steps(step).into_iter(),
                        None => break,
                    }
                }
            }
            n += 1;
        }
    }
}

fn simpler_steps(step: &Step) -> Vec<Step> {
    match step {
        Step::Ask(conn, request) => {
            let simpler = simpler_requests(request).into_iter();
            let mut steps: Vec<Step> = simpler.map(|request| Step::Ask(*conn, request)).collect();
            if *conn > 0 {
                steps.insert(0, Step::Ask(0, request.clone()));
            }
            steps
        }
        Step::Burst(conn, requests) => {
            let less = without_one(requests).into_iter().filter(|less| !less.is_empty());
            let mut steps: Vec<Step> = less.map(|less| Step::Burst(*conn, less)).collect();
            for (n, request) in requests.iter().enumerate() {
                for simpler in simpler_requests(request) {
                    let mut requests = requests.clone();
                    requests[n] = simpler;
                    steps.push(Step::Burst(*conn, requests));
                }
            }
            steps
        }
        Step::Stray(frames) => {
            let mut steps: Vec<Step> = without_one(frames).into_iter().map(Step::Stray).collect();
            for (n, frame) in frames.iter().enumerate() {
                let Frame::Request(request) = frame else { continue };
                for simpler in simpler_requests(request) {
                    let mut frames = frames.clone();
                    frames[n] = Frame::Request(simpler);
                    steps.push(Step::Stray(frames));
                }
            }
            steps
        }
        Step::Greet(greeting) => {
            let plain = crate::step::Greeting::plain();
            let mut simpler = vec![greeting.clone(); 5];
            simpler[0].timeout_ms = plain.timeout_ms;
            simpler[1].seen = plain.seen;
            simpler[2].session = plain.session;
            simpler[3].password = plain.password;
            simpler[4].read_only = plain.read_only;
            simpler.into_iter().filter(|s| s != greeting).map(Step::Greet).collect()
        }
        _ => Vec::new(),
    }
}

fn without_one<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let without = |n: usize| [&items[..n], &items[n + 1..]].concat();
    (0..items.len()).map(without).collect()
}

fn simpler_requests(request: &Request) -> Vec<Request> {
    let mut simpler = Vec::new();
    if request.cut > 0 {
        simpler.push(Request { cut: 0, ..request.clone() });
    }
    for (n, field) in request.fields.iter().enumerate() {
        for field in simpler_fields(field) {
            let mut request = request.clone();
            request.fields[n] = field;
            simpler.push(request);
        }
    }
    simpler
}

fn simpler_fields(field: &Field) -> Vec<Field> {
    let open = Field::Acl(Some(vec![OPEN]));
    match field {
        Field::Acl(Some(entries)) => {
            let less = without_one(entries).into_iter().filter(|less| !less.is_empty());
            let mut simpler: Vec<Field> = less.map(|less| Field::Acl(Some(less))).collect();
            simpler.insert(0, open);
            if entries[..] == [OPEN] { Vec::new() } else { simpler }
        }
        Field::Acl(None) => vec![open],
        Field::Data(Some(data)) if !data.is_empty() => vec![Field::Data(Some(Vec::new()))],
        Field::Flag(true) => vec![Field::Flag(false)],
        Field::Texts(texts) => without_one(texts).into_iter().map(Field::Texts).collect(),
        Field::Zxid(count) if *count > 0 => vec![Field::Zxid(0)],
        Field::Parts(parts) => {
            let mut simpler: Vec<Field> =
                without_one(parts).into_iter().map(Field::Parts).collect();
            for (n, part) in parts.iter().enumerate() {
                for part in simpler_requests(part) {
                    let mut parts = parts.clone();
                    parts[n] = part;
                    simpler.push(Field::Parts(parts));
                }
            }
            simpler
        }
        _ => Vec::new(),
    }
}
