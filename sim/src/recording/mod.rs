//! A recording (`.qrec`): one run with everything it takes to repeat it, and everything that
//! happened in it, in one order.
//!
//!     bytes   0..8    `QREC\r\n\x1a\n`; a copy that was treated as text is noticed by it
//!     bytes   8..12   version of the format, u32 little endian
//!     bytes  12..20   build: hash of the sources of the program that wrote it, u64 little endian
//!     bytes  20..28   length of the body, u64 little endian
//!     bytes  28..36   checksum of the body
//!     bytes  36..     the body: [`Recording`], bincode 2 with its standard configuration, in a
//!                     zlib stream
//!
//! Times are nanoseconds of simulated time since the start of the world (`Stamp`), zxids and
//! epochs the numbers ZooKeeper has for them. A zxid of -1 is that of a server without consent to
//! vote.
//!
//! Not here: how a run is recorded (`run`), what is done with a recording (`replay`, `page`, `shrink`,
//! `export`).
//!
//! - `notes.rs`  what servers say of themselves, as fields
//! - `show.rs`   events in words, a line each

pub(crate) mod notes;
mod show;

pub use show::OVER;

use std::borrow::Cow;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::checkers::sentence;
use crate::draw::mix;
use crate::scenario::{Action, ClientAct};

const MAGIC: [u8; 8] = *b"QREC\r\n\x1a\n";
const HEADER_LEN: usize = 36;

/// The version of the format this program reads and writes. Any change of a type below needs a
/// new one.
const FORMAT: u32 = 3;

/// A run, and what came of it.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The program that wrote it; in the file it stands in the header.
    #[serde(skip)]
    pub build: Build,
    /// The scenario's file as it was named then.
    pub scenario_file: String,
    /// All of that file.
    pub scenario_text: String,
    pub seed: u64,
    /// From 1, as `--case` counts.
    pub case: u32,
    /// Empty if the file has one case alone.
    pub case_name: String,
    /// Numbers of drawn faults that were left out.
    pub without: Vec<u32>,
    /// Exhibits that were switched on besides those of the file.
    pub museum: Vec<String>,
    /// Everybody in the ensemble, by id.
    pub servers: Vec<Member>,
    /// Names of clients; `Party::Client` is a place in this list.
    pub clients: Vec<String>,
    /// The first ones, by time. Empty: everything held.
    pub violations: Vec<Violated>,
    /// Properties of which the file says that one must fail; empty if none may.
    pub wanted: Vec<String>,
    /// What the simulator did wrong itself, in words. `events` then ends where it did.
    pub simulator: Option<String>,
    /// The hash of the trace, as `run` prints it.
    pub trace_hash: u64,
    /// When the scenario was over and everything healed, in nanoseconds.
    pub scenario_end: u64,
    /// When the run was over, in nanoseconds.
    pub ended: u64,
    /// How many facts the checkers saw.
    pub facts: u64,
    /// Client operations that were answered, lost, and never answered.
    pub operations: (u64, u64, u64),
    /// Sorted by time; what happened at one time stands in the order in which the checkers saw it.
    pub events: Vec<Event>,
}

/// One server of the ensemble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: i64,
    /// False: an observer.
    pub votes: bool,
    /// 0 for observers.
    pub weight: i64,
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violated {
    /// As in the table of `scenarios/README.md`.
    pub id: String,
    pub words: String,
    /// The line of the scenario that is not met; `None` if no line says that this must hold.
    pub line: Option<usize>,
    /// In nanoseconds.
    pub at: u64,
    /// The servers it is about; the first one did what broke it.
    pub servers: Vec<i64>,
    /// Places in `events`: what broke the property, then what it clashes with, as far as known.
    pub events: Vec<u32>,
}

impl Violated {
    /// The words behind the line that they are about.
    pub fn sentence(&self) -> String {
        sentence(self.line, &self.words)
    }
}

/// Who did something, or to whom it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    /// The laboratory, to the world as a whole.
    Lab,
    /// By id.
    Server(i64),
    /// By place in `Recording::clients`.
    Client(u32),
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// In nanoseconds.
    pub at: u64,
    pub by: Party,
    pub what: What,
    /// What the server `by` was after it. With `Life`, `Role` and `Note` only.
    pub state: Option<State>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// One action of the timeline was done.
    Action {
        /// The number of the drawn fault it belongs to.
        fault: Option<u32>,
        action: Action,
    },
    /// The scenario was over, and everything that can be undone was.
    Over,
    /// Something became of the server's process.
    Life(Life),
    /// The server took a role.
    Role {
        role: Role,
        /// Its currentEpoch.
        epoch: i64,
    },
    /// Any other fact a server told of itself: the name of a `quorate::base::Note` and its fields.
    Note { name: Cow<'static, str>, fields: Vec<(Cow<'static, str>, Value)> },
    /// `by` handed a frame to the network.
    Frame {
        to: Party,
        /// As scenarios write it: PROPOSAL, NEWLEADER; CLIENT for everything of clients.
        kind: Cow<'static, str>,
        zxid: Option<i64>,
        /// When its last byte reached `to`, in nanoseconds; `None` if it never did.
        arrives: Option<u64>,
    },
    /// A sync of a file or directory began. `n` is this sync's alone on this server's disk.
    SyncBegan { n: u64 },
    /// It ended: everything written before it began is durable, unless it failed. A sync whose
    /// process died has no end.
    SyncEnded { n: u64, failed: bool },
    /// A client sent a request.
    Asked {
        /// Counts the requests of all clients, from 0.
        n: u64,
        /// The server it is connected with.
        server: i64,
        request: Request,
    },
    /// The reply came, or the connection broke: then it may have happened or not.
    Answered { n: u64, result: Answer },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Life {
    Started,
    /// By a kill, a power loss or its own halt.
    Died,
    /// Its disk was emptied.
    Wiped,
    Paused,
    Resumed,
    /// A copy of its disk was put aside.
    DiskSaved,
    /// Its disk became that copy, or one of another server's.
    DiskPut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    Looking,
    Following,
    Leading,
    Observing,
    Standalone,
}

/// A field of a note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    Zxid(i64),
    Epoch(i64),
    Server(i64),
    Servers(Vec<i64>),
    /// A session's id.
    Session(i64),
    /// A hash or a digest.
    Hash(u64),
    /// A plain number; its unit, if it has one, ends the field's name (`timeout_ms`).
    Number(u64),
    Text(String),
}

/// What is known of a server, by somebody who sees everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub running: bool,
    pub paused: bool,
    pub role: Role,
    /// The epoch it leads as an established leader.
    pub established: Option<i64>,
    /// The epoch in which it serves as a learner.
    pub serving: Option<i64>,
    /// The epoch files, as far as they are known to be durable.
    pub accepted_epoch: i64,
    pub current_epoch: i64,
    /// The last zxid of its log.
    pub last_logged: i64,
    /// Everything up to here would survive a power loss.
    pub durable: i64,
    /// What its tree holds.
    pub applied: i64,
    /// The end of the one committed history: of the ensemble, not of this server.
    pub committed: i64,
}

/// What a client asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// What a timeline can say.
    Act(ClientAct),
    /// Anything else, in words.
    Other(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The reply's zxid, its error (0 is none), and what came with it in words.
    Reply {
        zxid: i64,
        err: i32,
        words: String,
    },
    Lost,
}

/// The program that runs: a hash of its sources.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Build(pub u64);

impl Build {
    pub fn this() -> Build {
        Build(u64::from_str_radix(env!("QUORATE_BUILD"), 16).unwrap_or(0))
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Why a file cannot be taken as a recording: one sentence each.
#[derive(Debug, Error)]
pub enum RecordingError {
    #[error("{0}: cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    #[error("{0}: is no recording: `run FILE --record F.qrec` writes one")]
    NoRecording(PathBuf),
    #[error(
        "{file}: was written in format {found} of recordings, this program knows format {FORMAT}; \
         use the program that wrote it, or record the run again"
    )]
    OtherFormat { file: PathBuf, found: u32 },
    #[error("{file}: is cut off: {have} of {want} bytes are there; record the run again")]
    CutOff { file: PathBuf, have: u64, want: u64 },
    #[error("{0}: is damaged: {1}; record the run again")]
    Damaged(PathBuf, String),
}

impl Recording {
    pub fn read(file: &Path) -> Result<Recording, RecordingError> {
        let mut bytes = Vec::new();
        let read = File::open(file).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|error| RecordingError::Unreadable(file.to_owned(), error))?;
        Recording::decode(file, &bytes)
    }

    /// `file` is for errors alone.
    pub fn decode(file: &Path, bytes: &[u8]) -> Result<Recording, RecordingError> {
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if magic.is_empty() || *magic != MAGIC[..magic.len()] {
            return Err(RecordingError::NoRecording(file.to_owned()));
        }
        let cut_off = |want: u64| RecordingError::CutOff {
            file: file.to_owned(),
            have: bytes.len() as u64,
            want,
        };
        let Some((header, body)) = bytes.split_at_checked(HEADER_LEN) else {
            return Err(cut_off(HEADER_LEN as u64));
        };
        let found = u64_at(header, 8) as u32;
        if found != FORMAT {
            return Err(RecordingError::OtherFormat { file: file.to_owned(), found });
        }
        let (build, len, sum) = (u64_at(header, 12), u64_at(header, 20), u64_at(header, 28));
        if (body.len() as u64) < len {
            return Err(cut_off(len.saturating_add(HEADER_LEN as u64)));
        }
        let damaged = |what: String| RecordingError::Damaged(file.to_owned(), what);
        if body.len() as u64 > len || checksum(body) != sum {
            return Err(damaged("its checksum does not match".into()));
        }
        let decoded: Result<Recording, _> = bincode::serde::decode_from_std_read(
            &mut BufReader::new(ZlibDecoder::new(body)),
            bincode::config::standard(),
        );
        let recording = decoded.map_err(|error| damaged(error.to_string()))?;
        Ok(Recording { build: Build(build), ..recording })
    }

    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let stream = ZlibEncoder::new(vec![0; HEADER_LEN], Compression::fast());
        let mut stream = BufWriter::with_capacity(1 << 16, stream);
        bincode::serde::encode_into_std_write(self, &mut stream, bincode::config::standard())
            .map_err(io::Error::other)?;
        let stream = stream.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut bytes = stream.finish()?;
        let (header, body) = bytes.split_at_mut(HEADER_LEN);
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        header[12..20].copy_from_slice(&self.build.0.to_le_bytes());
        header[20..28].copy_from_slice(&(body.len() as u64).to_le_bytes());
        header[28..36].copy_from_slice(&checksum(body).to_le_bytes());
        Ok(bytes)
    }

    pub fn is_of_this_build(&self) -> bool {
        self.build == Build::this()
    }
}

/// A file to record into, opened before the run: a wrong path is told before the work is done.
/// What was in it stays until the recording is there.
#[derive(Debug)]
pub struct Target {
    file: File,
}

impl Target {
    pub fn open(path: &Path) -> io::Result<Target> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        Ok(Target { file })
    }

    pub fn write(mut self, recording: &Recording) -> io::Result<()> {
        let bytes = recording.encode()?;
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
            self.file.rewind()?;
        }
        self.file.write_all(&bytes)
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

fn checksum(body: &[u8]) -> u64 {
    body.chunks(8).fold(body.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(hash ^ u64::from_le_bytes(word))
    })
}

#[cfg(test)]
#[path = "recording_test.rs"]
mod tests;
