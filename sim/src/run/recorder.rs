//! The recorder puts everything that happens in a run into one order.
//!
//! The world calls it in the order in which tasks happened to run. Every call has a stamp, the
//! simulated time at which the thing happened. When an instant has settled, its entries are sorted by
//! (stamp, server, class, n). Then facts go to the checkers; facts, frames and actions are folded into
//! the trace hash; all of them, and the servers' own trace lines, are printed on request. The trace
//! lines are not in the hash: it is the same with and without `--trace`.
//!
//! Triggers of a timeline are kept here too, since a trigger waits for what the recorder hears.

use std::cell::{Cell, RefCell};
use std::fmt::{Display, Write as _};
use std::rc::Rc;
use std::time::Duration;

use quorate::base::{AckKind, Broken, Mono, Note, ServerId, Stamp};
use quorate::runtime::{Halt, Label};

use super::recording_builder::{CLIENTS_FROM, Recorded, RecordingBuilder};
use crate::checkers::{Event, Fact, Ghost, Violation};
use crate::draw::mix;
use crate::grammar::Trigger;
use crate::grammar::words::kind_word;
use crate::recording::OVER;
use crate::scenario::Action;
use crate::world::{Observer, ServerChange, World};

/// What happens when a trigger's event is seen: called with the event's stamp.
pub(super) type Fire = Box<dyn FnOnce(&World, Stamp)>;

struct Armed {
    from: Stamp,
    trigger: Trigger,
    /// How often it was met; only effects are counted.
    met: u32,
    fire: Fire,
}

/// Inspects a server's disk.
pub(super) type Inspect = Box<dyn Fn(&World, ServerId)>;

/// One thing that happened. Ordered by stamp, then server, then class, then number.
struct Entry {
    at: Stamp,
    server: i64,
    /// What the laboratory does to a server comes before what the server says at that stamp;
    /// a death comes after.
    class: u8,
    n: u64,
    what: What,
}

enum What {
    /// A line of a server's trace. It is not recorded.
    Line(String),
    /// What a recording holds too.
    Recorded(Recorded),
}

/// Watches a world.
#[derive(Default)]
pub(super) struct Recorder {
    world: RefCell<Option<World>>,
    entries: RefCell<Vec<Entry>>,
    armed: RefCell<Vec<Armed>>,
    inspect: RefCell<Option<Rc<Inspect>>>,
    halts: RefCell<Vec<Violation>>,
    hash: Cell<u64>,
    notes: Cell<u64>,
    lab_calls: Cell<u64>,
    prints: bool,
    /// What a recording is made of, if one is wanted.
    builder: Option<RefCell<RecordingBuilder>>,
}

/// A frame that takes this long was held up: undisturbed ones take less.
const HELD_UP: Duration = Duration::from_millis(200);

/// A server's or client's number in the order of the trace.
fn party(name: &str) -> i64 {
    let server = name.strip_prefix('s').and_then(|id| id.parse().ok());
    server.unwrap_or_else(|| {
        let hash = name.bytes().fold(7, |hash, byte| mix(hash ^ u64::from(byte)));
        CLIENTS_FROM + (hash % 1_000_000) as i64
    })
}

impl Recorder {
    pub(super) fn new(prints: bool, records: bool) -> Recorder {
        let builder = records.then(RefCell::default);
        Recorder { prints, builder, ..Recorder::default() }
    }

    /// The checkers have taken the next fact and have found so many violations in all.
    pub(super) fn checked(&self, ghost: &Ghost, server: ServerId, violations: usize) {
        if let Some(builder) = &self.builder {
            builder.borrow_mut().checked(ghost, server, violations);
        }
    }

    /// What a recording is made of, once the run is over. With `rest`, what has not settled too.
    pub(super) fn take_builder(&self, rest: bool) -> Option<RecordingBuilder> {
        let mut entries = std::mem::take(&mut *self.entries.borrow_mut());
        entries.sort_by_key(|one| (one.at, one.server, one.class, one.n));
        let mut builder = self.builder.as_ref()?.take();
        for one in entries.into_iter().filter(|_| rest) {
            if let What::Recorded(what) = one.what {
                builder.push(one.at, one.server, what);
            }
        }
        Some(builder)
    }

    pub(super) fn begin(&self, world: World) {
        *self.world.borrow_mut() = Some(world);
    }

    /// Ends the circle between world and recorder.
    pub(super) fn end(&self) {
        self.world.borrow_mut().take();
        self.armed.borrow_mut().clear();
        self.inspect.borrow_mut().take();
    }

    /// The trace hash so far.
    pub(super) fn hash(&self) -> u64 {
        self.hash.get()
    }

    pub(super) fn notes(&self) -> u64 {
        self.notes.get()
    }

    /// Processes that ended themselves.
    pub(super) fn take_halts(&self) -> Vec<Violation> {
        std::mem::take(&mut self.halts.borrow_mut())
    }

    /// The laboratory did this to a server.
    pub(super) fn lab(&self, at: Stamp, server: ServerId, event: Event) {
        // A process ends behind the last thing it said. The next one may begin in the same instant.
        let is_end = |one: &Entry| {
            (one.at, one.server) == (at, server.0)
                && matches!(one.what, What::Recorded(Recorded::Fact(Event::Died)))
        };
        let behind = event == Event::Died
            || event == Event::Started && self.entries.borrow().iter().any(is_end);
        let class = if behind { 2 } else { 0 };
        self.record(at, server.0, class, self.lab_call(), Recorded::Fact(event));
    }

    /// An action of the timeline is done.
    pub(super) fn action(&self, at: Stamp, fault: Option<usize>, action: Action) {
        let action = Box::new(action);
        self.record(at, 0, 0, self.lab_call(), Recorded::Action { fault, action });
    }

    /// The scenario is over: everything heals.
    pub(super) fn over(&self, at: Stamp) {
        self.record(at, 0, 0, self.lab_call(), Recorded::Over);
    }

    fn lab_call(&self) -> u64 {
        self.lab_calls.replace(self.lab_calls.get() + 1)
    }

    fn add(&self, at: Stamp, server: i64, class: u8, n: u64, what: What) {
        self.entries.borrow_mut().push(Entry { at, server, class, n, what });
    }

    fn record(&self, at: Stamp, server: i64, class: u8, n: u64, what: Recorded) {
        self.add(at, server, class, n, What::Recorded(what));
    }

    /// Waits for an event that a server tells of, from a moment on.
    pub(super) fn arm(&self, from: Stamp, trigger: Trigger, fire: Fire) {
        self.armed.borrow_mut().push(Armed { from, trigger, met: 0, fire });
    }

    /// Whenever a server says that its disk holds a whole history, this inspects it.
    pub(super) fn on_promise(&self, inspect: Inspect) {
        *self.inspect.borrow_mut() = Some(Rc::new(inspect));
    }

    /// How many entries nobody has taken yet.
    pub(super) fn pending(&self) -> usize {
        self.entries.borrow().len()
    }

    /// The facts up to and with this stamp, which has settled, in their order. Hashes and prints.
    pub(super) fn take_upto(
        &self,
        upto: Stamp,
        mono: impl Fn(ServerId, Stamp) -> Mono,
    ) -> Vec<Fact> {
        let mut entries = self.entries.borrow_mut();
        let mut ready: Vec<Entry> = entries.extract_if(.., |one| one.at <= upto).collect();
        ready.sort_by_key(|one| (one.at, one.server, one.class, one.n));
        let mut facts = Vec::new();
        let mut text = String::new();
        let mut builder = self.builder.as_ref().map(RefCell::borrow_mut);
        for one in ready {
            if let (Some(builder), What::Recorded(what)) = (builder.as_deref_mut(), &one.what) {
                builder.push(one.at, one.server, what.clone());
            }
            if one.is_for_the_recording_alone() {
                continue;
            }
            text.clear();
            one.write(&mut text);
            // The hash is the same whether servers write trace lines or not.
            if !matches!(one.what, What::Line(_)) {
                self.fold(&text);
            }
            if self.prints {
                println!("{} {text}", one.at);
            }
            if let What::Recorded(Recorded::Fact(event)) = one.what {
                self.notes.set(self.notes.get() + 1);
                let server = ServerId(one.server);
                facts.push(Fact { at: one.at, mono: mono(server, one.at), server, event });
            }
        }
        facts
    }

    fn fold(&self, text: &str) {
        let mut hash = self.hash.get();
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        for word in words {
            hash = mix(hash ^ u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            hash = mix(hash ^ u64::from_le_bytes(word));
        }
        self.hash.set(hash);
    }

    /// Fires what waited for this note, when the note's instant has settled.
    fn fire(&self, at: Stamp, server: ServerId, note: &Note) {
        let Some(world) = self.world.borrow().clone() else { return };
        if let (true, Some(inspect)) = (promises(note), self.inspect.borrow().clone()) {
            world.at(world.settled(at), move |world| inspect(world, server));
        }
        let mut armed = self.armed.borrow_mut();
        let mut n = 0;
        while n < armed.len() {
            if armed[n].from <= at && is_met(&armed[n].trigger, server, note) {
                let fire = armed.remove(n).fire;
                world.at(world.settled(at), move |world| fire(world, at));
            } else {
                n += 1;
            }
        }
    }

    /// Fires what waited for this effect so that it happens behind it, and before the process hears
    /// that it is done: to a process, inputs of the stamp of its death still come.
    fn fire_effect(&self, at: Stamp, by: ServerId, saved: &[String]) {
        let Some(world) = self.world.borrow().clone() else { return };
        let just_before = Stamp(at.0.saturating_sub(1));
        let mut armed = self.armed.borrow_mut();
        let mut n = 0;
        while n < armed.len() {
            let one = &mut armed[n];
            one.met += u32::from(one.from <= at && is_effect(&one.trigger, at, by, saved));
            let wanted = match one.trigger {
                Trigger::Effect { count, .. } => count,
                _ => u32::MAX,
            };
            if one.met >= wanted {
                let fire = armed.remove(n).fire;
                world.at(just_before, move |world| fire(world, at));
            } else {
                n += 1;
            }
        }
    }
}

fn is_met(trigger: &Trigger, by: ServerId, note: &Note) -> bool {
    match (trigger, note) {
        (Trigger::Durable { server, zxid }, Note::Durable { zxid: upto }) => {
            by == *server && upto >= zxid
        }
        (Trigger::Role { server, role }, Note::Role { role: new, .. }) => {
            by == *server && role == new
        }
        (Trigger::Established { server }, Note::Established { .. }) => by == *server,
        (Trigger::Elected { server }, Note::Elected { .. }) => by == *server,
        _ => false,
    }
}

fn promises(note: &Note) -> bool {
    matches!(note, Note::AckSent { kind: AckKind::NewLeader, .. } | Note::Established { .. })
}

fn is_effect(trigger: &Trigger, at: Stamp, by: ServerId, saved: &[String]) -> bool {
    let Trigger::Effect { server, file, before, .. } = trigger else { return false };
    let named = |name: &String| file.as_ref().is_none_or(|file| name.starts_with(file));
    by == *server && saved.iter().any(named) && before.is_none_or(|before| at < Stamp(0) + before)
}

impl Entry {
    /// Neither hashed nor printed.
    fn is_for_the_recording_alone(&self) -> bool {
        use Recorded::{SyncBegan, SyncEnded};
        matches!(self.what, What::Recorded(SyncBegan { .. } | SyncEnded { .. }))
    }

    fn write(&self, out: &mut String) {
        let recorded = match &self.what {
            What::Line(line) => {
                let _ = write!(out, "s{} {line}", self.server);
                return;
            }
            What::Recorded(recorded) => recorded,
        };
        let _ = match recorded {
            Recorded::Fact(Event::Note(note)) => write!(out, "s{} {note:?}", self.server),
            Recorded::Fact(event) => write!(out, "s{} ** {event:?}", self.server),
            Recorded::Frame { to, label } => {
                let _ = write!(out, "{} -> {to} {}", self.server, kind_word(label.kind));
                label.zxid.map_or(Ok(()), |zxid| write!(out, " {zxid}"))
            }
            Recorded::Action { fault: None, action } => write!(out, "-- {action}"),
            Recorded::Action { fault: Some(n), action } => write!(out, "-- fault {n}: {action}"),
            Recorded::Over => write!(out, "-- {OVER}"),
            Recorded::SyncBegan { .. } | Recorded::SyncEnded { .. } => Ok(()),
        };
    }
}

impl Observer for Recorder {
    fn note(&self, at: Stamp, server: ServerId, n: u64, note: &Note) {
        self.fire(at, server, note);
        self.record(at, server.0, 1, n, Recorded::Fact(Event::Note(note.clone())));
    }

    fn changed(&self, at: Stamp, server: ServerId, change: ServerChange) {
        let event = match change {
            ServerChange::Started => Event::Started,
            ServerChange::Died => Event::Died,
            ServerChange::Wiped => Event::Wiped,
            ServerChange::Paused => Event::Paused,
            ServerChange::Resumed => Event::Resumed,
            ServerChange::DiskSaved => Event::DiskSaved,
            ServerChange::DiskPut { from } => Event::DiskPut { from },
        };
        self.lab(at, server, event);
    }

    fn trace(&self, at: Stamp, server: ServerId, n: u64, line: &dyn Display) {
        self.add(at, server.0, 1, n, What::Line(line.to_string()));
    }

    fn halted(&self, at: Stamp, server: ServerId, n: u64, halt: &Halt) {
        let words = format!("the process ended itself with code {}: {}", halt.exit_code, halt.why);
        let world = self.world.borrow().clone();
        let is_told = halt.exit_code == 0;
        if is_told || world.is_some_and(|world| world.disk_explains(server, halt)) {
            // What a server must do that is told to end, or whose disk the laboratory has made fail.
            self.add(at, server.0, 1, n, What::Line(words));
            return self.lab(at, server, Event::Died);
        }
        self.add(at, server.0, 1, n, What::Line(words.clone()));
        let violation =
            Violation { id: "halt".into(), words, at, servers: vec![server], line: None };
        self.halts.borrow_mut().push(violation);
        self.lab(at, server, Event::Died);
    }

    fn panicked(&self, at: Stamp, server: ServerId, n: u64, broken: &Broken) {
        // The checkers make a violation of it.
        let note = broken.clone().into_note();
        self.record(at, server.0, 1, n, Recorded::Fact(Event::Note(note)));
        self.lab(at, server, Event::Died);
    }

    fn sent(&self, at: Stamp, from: &str, to: &str, label: Label) {
        let what = Recorded::Frame { to: party(to), label };
        let kind = label.kind as u64;
        let n = (party(to) as u64) << 8 | kind;
        self.record(at, party(from), 3, n, what);
        if let Some(builder) = &self.builder {
            let mut builder = builder.borrow_mut();
            builder.host(party(from), from);
            builder.host(party(to), to);
        }
    }

    fn delivered(&self, sent: Stamp, at: Stamp, from: &str, to: &str, label: Label) {
        let (sender, hearer) = (party(from), party(to));
        let between_servers = sender.max(hearer) < CLIENTS_FROM;
        if between_servers && at - sent >= HELD_UP {
            let heard = Recorded::Fact(Event::HeardLate { from: ServerId(sender) });
            self.record(at, hearer, 4, (sender as u64) << 8 | label.kind as u64, heard);
        }
        if let Some(builder) = &self.builder {
            builder.borrow_mut().arrived(sent, at, party(from), party(to), label);
        }
    }

    fn sync_began(&self, at: Stamp, server: ServerId, n: u64) {
        if self.builder.is_some() {
            self.record(at, server.0, 4, n, Recorded::SyncBegan { n });
        }
    }

    fn sync_ended(&self, at: Stamp, server: ServerId, n: u64, failed: bool, saved: &[String]) {
        self.fire_effect(at, server, saved);
        if self.builder.is_some() {
            self.record(at, server.0, 0, n, Recorded::SyncEnded { n, failed });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_ends_and_starts_in_one_instant_runs() {
        let (recorder, at, server) = (Recorder::default(), Stamp(600), ServerId(4));
        let said = [Event::Started, Event::Died, Event::Started, Event::Died, Event::Started];
        recorder.lab(Stamp(0), server, said[0].clone());
        said[1..].iter().for_each(|event| recorder.lab(at, server, event.clone()));
        let facts = recorder.take_upto(at, |_, at| Mono(at.0));
        let told: Vec<Event> = facts.into_iter().map(|fact| fact.event).collect();
        assert_eq!(told, said);
    }
    #[test]
    fn a_failed_assertion_is_a_note_and_then_the_end_of_the_process() {
        let (recorder, at, server) = (Recorder::default(), Stamp(600), ServerId(4));
        recorder.lab(at, server, Event::Started);
        let broken = Broken { id: "X-1", what: "7 is too much".into() };
        recorder.panicked(at, server, 5, &broken);
        let facts = recorder.take_upto(at, |_, at| Mono(at.0));
        let told: Vec<Event> = facts.into_iter().map(|fact| fact.event).collect();
        assert_eq!(told, [Event::Started, Event::Note(broken.into_note()), Event::Died]);
    }
}
