//! The events as columns of numbers.
//!
//! Each column is a row of unsigned LEB128 numbers, one for each event unless said otherwise.
//! "Signed" means zigzag: 0, -1, 1, -2 are 0, 1, 2, 3.
//!
//!     at       nanoseconds since the event before it
//!     by       track: 0 the laboratory, then the servers in the order of the list, then the clients
//!     kind     place in `KINDS`, twice; odd: a state comes with it
//!     text     place in the texts: what an action says, a note's name, a frame's kind, an operation
//!     zxid     place in the zxids plus 1; 0: it has none
//!     to       track of a frame's receiver, of the server that is asked; 0 otherwise
//!     number   signed: a role's epoch, an action's fault (0: none), a reply's error
//!     lasts    nanoseconds until a frame arrives, a sync ends, an answer comes, plus 1; 0: a frame
//!              that never does, or any other event
//!     mate     signed: how many places behind this event its other half stands; 0: it has none
//!     fields   for each note: how many, and of each its name (text), its form, its value
//!     states   for each event with a state, of each of `STATES`, signed: the change since the state
//!              before it of the same server, which begins with zeros
//!     lengths  of each text, in UTF-16 units
//!     texts    all of them, UTF-8
//!     zxids    in rising order, as text, a space between two
//!
//! Forms of a field: 0 text (its place), 1 zxid (its place), 2 server, 3 servers (how many, then
//! each), 4 epoch; servers and epochs are signed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::recording::{Answer, Event, Life, OVER, Party, Recording, Role, State, Value, What};

pub(super) const KINDS: [&str; 10] =
    ["action", "life", "role", "note", "frame", "sync", "synced", "asked", "answered", "lost"];
pub(super) const PROCESSES: [&str; 3] = ["down", "running", "paused"];
pub(super) const ROLES: [&str; 5] = ["LOOKING", "FOLLOWING", "LEADING", "OBSERVING", "STANDALONE"];
pub(super) const STATES: [&str; 10] = [
    "process",
    "role",
    "established",
    "serving",
    "accepted",
    "current",
    "logged",
    "durable",
    "applied",
    "committed",
];

/// Columns of one number for each event.
const PLAIN: [&str; 9] = ["at", "by", "kind", "text", "zxid", "to", "number", "lasts", "mate"];

pub(super) struct Packed {
    /// Name and length in bytes, in order.
    pub(super) columns: Vec<(&'static str, usize)>,
}

/// Every event of a recording, as bytes.
pub(super) fn pack(recording: &Recording) -> (Packed, Vec<u8>) {
    let mut packer = Packer::new(recording);
    for (n, event) in recording.events.iter().enumerate() {
        packer.event(n, event);
    }
    packer.finish()
}

#[derive(Default)]
struct Column(Vec<u8>);

impl Column {
    fn put(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Texts by number, each once.
#[derive(Default)]
struct Texts {
    places: BTreeMap<String, u64>,
    all: String,
    lengths: Column,
}

impl Texts {
    fn place(&mut self, text: &str) -> u64 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.places.len() as u64;
        self.places.insert(text.to_owned(), place);
        self.all.push_str(text);
        self.lengths.put(text.encode_utf16().count() as u64);
        place
    }
}

struct Packer {
    plain: [Column; PLAIN.len()],
    fields: Column,
    states: Column,
    texts: Texts,
    zxids: Vec<i64>,
    tracks: BTreeMap<Party, u64>,
    mates: Vec<Mate>,
    latest: u64,
    /// The newest state of each server.
    before: BTreeMap<Party, [i64; STATES.len()]>,
}

/// The other half of an event: a sync's end, an answer; of these, the beginning.
#[derive(Clone, Copy, Default)]
struct Mate {
    behind: i64,
    /// How long it lasts in between, plus 1; for the first half alone.
    lasts: u64,
}

/// What the columns hold that not every event has.
#[derive(Default)]
struct Row {
    kind: u64,
    text: u64,
    zxid: u64,
    to: u64,
    number: i64,
    lasts: u64,
}

impl Packer {
    fn new(recording: &Recording) -> Packer {
        let servers = recording.servers.iter().map(|member| Party::Server(member.id));
        let clients = (0..recording.clients.len()).map(|n| Party::Client(n as u32));
        let parties = [Party::Lab].into_iter().chain(servers).chain(clients);
        Packer {
            plain: Default::default(),
            fields: Column::default(),
            states: Column::default(),
            texts: Texts::default(),
            zxids: zxids(recording),
            tracks: parties.zip(0..).collect(),
            mates: mates(recording),
            latest: 0,
            before: BTreeMap::new(),
        }
    }

    fn event(&mut self, n: usize, event: &Event) {
        let row = self.row(event);
        let mate = self.mates[n];
        let values = [
            event.at.saturating_sub(self.latest),
            self.track(event.by),
            row.kind << 1 | u64::from(event.state.is_some()),
            row.text,
            row.zxid,
            row.to,
            zigzag(row.number),
            row.lasts.max(mate.lasts),
            zigzag(mate.behind),
        ];
        for (column, value) in self.plain.iter_mut().zip(values) {
            column.put(value);
        }
        self.latest = event.at.max(self.latest);
        if let Some(state) = &event.state {
            self.state(event.by, state);
        }
    }

    fn row(&mut self, event: &Event) -> Row {
        let mut row = Row::default();
        let written;
        let text: &str = match &event.what {
            What::Action { fault, action } => {
                row.number = fault.map_or(0, i64::from);
                written = action.to_string();
                &written
            }
            What::Over => OVER,
            What::Life(life) => {
                row.kind = 1;
                life_word(*life)
            }
            What::Role { role, epoch } => {
                (row.kind, row.number) = (2, *epoch);
                ROLES[role_place(*role)]
            }
            What::Note { name, fields } => {
                let zxid = fields.iter().find_map(|(_, value)| match value {
                    Value::Zxid(zxid) => Some(*zxid),
                    _ => None,
                });
                (row.kind, row.zxid) = (3, self.zxid(zxid));
                self.note(fields);
                name
            }
            What::Frame { to, kind, zxid, arrives } => {
                (row.kind, row.zxid, row.to) = (4, self.zxid(*zxid), self.track(*to));
                row.lasts = arrives.map_or(0, |at| at.saturating_sub(event.at) + 1);
                kind
            }
            What::SyncBegan { .. } => {
                row.kind = 5;
                ""
            }
            What::SyncEnded { failed, .. } => {
                row.kind = 6;
                if *failed { "failed" } else { "" }
            }
            What::Asked { server, request, .. } => {
                (row.kind, row.to) = (7, self.track(Party::Server(*server)));
                written = request.to_string();
                &written
            }
            What::Answered { result: Answer::Reply { zxid, err, words }, .. } => {
                (row.kind, row.zxid, row.number) = (8, self.zxid(Some(*zxid)), i64::from(*err));
                words
            }
            What::Answered { result: Answer::Lost, .. } => {
                row.kind = 9;
                ""
            }
        };
        row.text = self.texts.place(text);
        row
    }

    fn note(&mut self, fields: &[(Cow<'static, str>, Value)]) {
        self.fields.put(fields.len() as u64);
        for (name, value) in fields {
            self.fields.put(self.texts.place(name));
            match value {
                Value::Zxid(zxid) => self.fields_put(1, self.place(*zxid)),
                Value::Server(server) => self.fields_put(2, zigzag(*server)),
                Value::Servers(servers) => {
                    self.fields_put(3, servers.len() as u64);
                    servers.iter().for_each(|server| self.fields.put(zigzag(*server)));
                }
                Value::Epoch(epoch) => self.fields_put(4, zigzag(*epoch)),
                Value::Session(session) => self.fields_text(&format!("0x{session:x}")),
                Value::Hash(hash) => self.fields_text(&format!("{hash:016x}")),
                Value::Number(number) => self.fields_text(&number.to_string()),
                Value::Text(text) => self.fields_text(text),
            }
        }
    }

    fn fields_text(&mut self, text: &str) {
        let place = self.texts.place(text);
        self.fields_put(0, place);
    }

    fn fields_put(&mut self, form: u64, value: u64) {
        self.fields.put(form);
        self.fields.put(value);
    }

    fn state(&mut self, of: Party, state: &State) {
        let process = match state {
            State { running: false, .. } => 0,
            State { paused: false, .. } => 1,
            _ => 2,
        };
        let now = [
            process,
            role_place(state.role) as i64,
            // 0: none.
            state.established.map_or(0, |epoch| epoch.saturating_add(1)),
            state.serving.map_or(0, |epoch| epoch.saturating_add(1)),
            state.accepted_epoch,
            state.current_epoch,
            self.place(state.last_logged) as i64,
            self.place(state.durable) as i64,
            self.place(state.applied) as i64,
            self.place(state.committed) as i64,
        ];
        let before = self.before.entry(of).or_default();
        for (now, before) in now.iter().zip(*before) {
            self.states.put(zigzag(now.wrapping_sub(before)));
        }
        *before = now;
    }

    /// A zxid's place in the table.
    fn place(&self, zxid: i64) -> u64 {
        self.zxids.partition_point(|known| *known < zxid) as u64
    }

    fn zxid(&self, zxid: Option<i64>) -> u64 {
        zxid.map_or(0, |zxid| self.place(zxid) + 1)
    }

    /// Whom the ensemble does not know has the laboratory's track.
    fn track(&self, party: Party) -> u64 {
        self.tracks.get(&party).copied().unwrap_or(0)
    }

    fn finish(self) -> (Packed, Vec<u8>) {
        let zxids: Vec<String> = self.zxids.iter().map(|zxid| zxid_text(*zxid)).collect();
        let mut all: Vec<(&str, Vec<u8>)> = Vec::new();
        all.extend(PLAIN.into_iter().zip(self.plain.into_iter().map(|column| column.0)));
        all.push(("fields", self.fields.0));
        all.push(("states", self.states.0));
        all.push(("lengths", self.texts.lengths.0));
        all.push(("texts", self.texts.all.into_bytes()));
        all.push(("zxids", zxids.join(" ").into_bytes()));
        let columns = all.iter().map(|(name, bytes)| (*name, bytes.len())).collect();
        let bytes = all.into_iter().flat_map(|(_, bytes)| bytes).collect();
        (Packed { columns }, bytes)
    }
}

/// As everything else writes it; -1 stands for no consent to vote.
fn zxid_text(zxid: i64) -> String {
    if zxid == -1 { "-1".into() } else { format!("0x{zxid:x}") }
}

fn life_word(life: Life) -> &'static str {
    match life {
        Life::Started => "started",
        Life::Died => "died",
        Life::Wiped => "wiped",
        Life::Paused => "paused",
        Life::Resumed => "resumed",
        Life::DiskSaved => "disk saved",
        Life::DiskPut => "disk replaced",
    }
}

/// The place of a role in `ROLES`.
fn role_place(role: Role) -> usize {
    match role {
        Role::Looking => 0,
        Role::Following => 1,
        Role::Leading => 2,
        Role::Observing => 3,
        Role::Standalone => 4,
    }
}

/// Every zxid that stands anywhere, once, in rising order.
fn zxids(recording: &Recording) -> Vec<i64> {
    let mut zxids = BTreeSet::new();
    for event in &recording.events {
        match &event.what {
            What::Note { fields, .. } => zxids.extend(fields.iter().filter_map(|(_, value)| {
                if let Value::Zxid(zxid) = value { Some(*zxid) } else { None }
            })),
            What::Frame { zxid, .. } => zxids.extend(*zxid),
            What::Answered { result: Answer::Reply { zxid, .. }, .. } => {
                zxids.insert(*zxid);
            }
            _ => {}
        }
        if let Some(state) = &event.state {
            zxids.extend([state.last_logged, state.durable, state.applied, state.committed]);
        }
    }
    zxids.into_iter().collect()
}

/// Finds the two halves of syncs and of clients' operations. A sync without an end lasts until its
/// server's process dies, an operation without an answer until the end.
fn mates(recording: &Recording) -> Vec<Mate> {
    let events = &recording.events;
    let mut mates = vec![Mate::default(); events.len()];
    let mut syncs: BTreeMap<(Party, u64), usize> = BTreeMap::new();
    let mut asked: BTreeMap<u64, usize> = BTreeMap::new();
    let mut join = |first: Option<usize>, n: usize| {
        let Some(first) = first else { return };
        mates[first].behind = n as i64 - first as i64;
        mates[first].lasts = events[n].at - events[first].at + 1;
        mates[n].behind = -mates[first].behind;
    };
    let mut broken = Vec::new();
    for (n, event) in events.iter().enumerate() {
        match &event.what {
            What::SyncBegan { n: sync } => {
                syncs.insert((event.by, *sync), n);
            }
            What::SyncEnded { n: sync, .. } => join(syncs.remove(&(event.by, *sync)), n),
            What::Asked { n: operation, .. } => {
                asked.insert(*operation, n);
            }
            What::Answered { n: operation, .. } => join(asked.remove(operation), n),
            What::Life(Life::Died) => {
                let (of, next) = ((event.by, 0), (event.by, u64::MAX));
                let died: Vec<_> = syncs.range(of..=next).map(|(key, n)| (*key, *n)).collect();
                for (key, first) in died {
                    syncs.remove(&key);
                    broken.push((first, event.at));
                }
            }
            _ => {}
        }
    }
    let open = syncs.into_values().chain(asked.into_values()).map(|n| (n, recording.ended));
    for (first, end) in broken.into_iter().chain(open) {
        mates[first].lasts = end.saturating_sub(events[first].at) + 1;
    }
    mates
}
