//! `quorate backup` and `quorate restore`: the state of an ensemble, kept elsewhere.
//!
//!     args           the command lines              manifest     what a backup consists of
//!     source_dir     from a data directory          target       where backups are kept: a store, in a
//!     source_server  from an admin port             directory    directory, or in
//!     time           zxids and times as text        objects      objects of S3 (feature `s3`)
//!     history        records as one history         sender       parts that are not there yet
//!     records        records of log files           cuts         where a part ends
//!     admin_port     questions in HTTP              catalog      the backups of a store
//!     retention      old backups go                 verify       every byte against its checksum
//!     choice         which state is restored        restore      a data directory made of a backup
//!     replay         the tree in it                 report       what the operator is told
//!
//! A backup is a manifest, and parts of snapshots and logs that several backups may share. Parts come
//! first and the manifest last, so that one that was interrupted does not count, and the next finds what it
//! has sent.
//!
//! Beside a server, no part of it: files, sockets and clocks of the machine are used without the runtime
//! (decision 0020), and only the cli knows of it. Formats and recovery are those of `storage`.

mod admin_port;
mod args;
mod catalog;
mod checksum;
mod choice;
mod cuts;
mod directory;
mod error;
mod history;
mod manifest;
#[cfg(feature = "s3")]
mod objects;
mod progress;
mod records;
mod replay;
mod report;
mod restore;
mod retention;
mod sender;
mod source_dir;
mod source_server;
mod store;
mod target;
mod time;
mod verify;

#[cfg(test)]
mod backup_test;
#[cfg(test)]
mod test_dir;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

pub use args::{BackupArgs, RestoreArgs};

use admin_port::AdminPort;
use args::{BackupVerb, TakeArgs};
use choice::{Wish, choose};
use error::BackupError;
use manifest::{Content, Id, Manifest, place_of};
use progress::Progress;
use report::Told;
use restore::Place;
use retention::{Removed, keep_newest};
use sender::Sender;
use source_dir::DataDir;
use store::Store;

const FAILED: i32 = 1;
const INVALID: i32 = 2;
const AUTHORIZATION_VARIABLE: &str = "QUORATE_AUTHORIZATION";

/// Does what the command line says. The answer is the exit code: 1 if it failed or something is damaged, 2
/// if the command is wrong.
pub fn run_backup(args: &BackupArgs) -> i32 {
    finish(match &args.verb {
        None => take(&args.take).map(|()| true),
        Some(BackupVerb::List { target, json }) => list(target, *json).map(|()| true),
        Some(BackupVerb::Verify { target, backup, json }) => {
            verify(target, backup.as_deref(), *json)
        }
    })
}

/// The same for a restore.
pub fn run_restore(args: &RestoreArgs) -> i32 {
    finish(restore(args).map(|()| true))
}

fn finish(done: Result<bool, BackupError>) -> i32 {
    match done {
        Ok(good) => i32::from(!good),
        Err(error) => {
            eprintln!("error: {error}");
            if error.is_invalid() { INVALID } else { FAILED }
        }
    }
}

fn take(args: &TakeArgs) -> Result<(), BackupError> {
    let needs = |what: &str| {
        BackupError::Invalid(format!(
            "{what} is missing: quorate backup --from DATADIR|HOST:PORT --to DIR|s3://BUCKET/PREFIX (--help says more)"
        ))
    };
    let from = args.from.as_deref().ok_or_else(|| needs("--from"))?;
    let to = args.to.as_deref().ok_or_else(|| needs("--to"))?;
    let authorization =
        args.authorization.clone().or_else(|| std::env::var(AUTHORIZATION_VARIABLE).ok());
    let source = Origin::open(from, args, authorization)?;
    let store = target::open(to, true)?;
    let mut sender = Sender::new(store.as_ref(), Progress::new())?;
    let content = source.take(store.as_ref(), args.snapshots as usize, &mut sender)?;
    let (id, manifest) = write_manifest(store.as_ref(), content, now_ms())?;
    let (sent, found) = (sender.sent, sender.found);
    drop(sender);
    let removed = match args.keep {
        Some(keep) => keep_newest(store.as_ref(), keep as usize)?,
        None => Removed::default(),
    };
    report::taken(&Told { id: &id, manifest: &manifest, sent, found, removed }, to, args.json);
    Ok(())
}

/// Where a backup comes from.
enum Origin {
    Dir(DataDir),
    Server(AdminPort),
}

impl Origin {
    fn open(
        from: &str,
        args: &TakeArgs,
        authorization: Option<String>,
    ) -> Result<Origin, BackupError> {
        let path = Path::new(from);
        if !path.is_dir() {
            if args.data_log_dir.is_some() || args.admin.is_some() {
                return Err(BackupError::Invalid(format!(
                    "--data-log-dir and --admin go with a dataDir, and {from} is no directory"
                )));
            }
            return AdminPort::parse(from, authorization).map(Origin::Server);
        }
        let admin = args.admin.as_deref().map(|at| AdminPort::parse(at, None)).transpose()?;
        let data_log_dir = args.data_log_dir.as_deref();
        DataDir::open(path, data_log_dir, args.snapshots as usize, admin).map(Origin::Dir)
    }

    fn take(
        &self,
        store: &dyn Store,
        snapshots_max: usize,
        sender: &mut Sender<'_>,
    ) -> Result<Content, BackupError> {
        match self {
            Origin::Dir(dir) => dir.take(sender),
            Origin::Server(port) => {
                let before = catalog::whole(store, None)?.into_iter().next();
                let before = before.as_ref().map(|(_, manifest)| manifest);
                source_server::take(port, snapshots_max, store, before, sender)
            }
        }
    }
}

/// From here on the backup counts.
fn write_manifest(
    store: &dyn Store,
    content: Content,
    now_ms: i64,
) -> Result<(Id, Manifest), BackupError> {
    // Somebody may have removed what was there at the begin.
    let parts = store.list(manifest::PARTS)?;
    let manifest = Manifest::new(now_ms, content);
    for part in manifest.parts() {
        let is_there = |at: usize| parts[at].bytes == part.bytes;
        let found = parts.binary_search_by(|stored| stored.name.cmp(&part.sha256));
        if !found.is_ok_and(is_there) {
            return Err(BackupError::Missing { place: store.place(&part.name()) });
        }
    }
    store.settle()?;
    let (id, text) = manifest.encode(now_ms);
    store.put(&place_of(&id), text)?;
    store.settle()?;
    Ok((id, manifest))
}

fn list(target: &str, json: bool) -> Result<(), BackupError> {
    let store = target::open(target, false)?;
    report::listed(&catalog::entries(store.as_ref())?, target, json);
    Ok(())
}

fn verify(target: &str, backup: Option<&str>, json: bool) -> Result<bool, BackupError> {
    let store = target::open(target, false)?;
    let findings = verify::verify(store.as_ref(), backup)?;
    report::verified(&findings, target, json);
    Ok(findings.problems.is_empty() && !findings.whole.is_empty())
}

fn restore(args: &RestoreArgs) -> Result<(), BackupError> {
    let at = args.at.as_deref().map(time::At::parse).transpose().map_err(BackupError::Invalid)?;
    let place = Place::new(&args.to, args.data_log_dir.as_deref())?;
    let store = target::open(&args.from, false)?;
    let backups = catalog::whole(store.as_ref(), args.backup.as_deref())?;
    let wish = Wish { at, uncommitted: args.uncommitted };
    let choice = choose(store.as_ref(), backups, wish)?;
    let restored = restore::restore(store.as_ref(), &choice, &place)?;
    report::restored(&restored, &choice, &args.to, args.json);
    Ok(())
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
