//! export and import: a subtree as lines of JSON, and back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde_json::json;

use super::command::{Call, Command};
use super::options::Opt;
use super::record::Record;
use super::refused::Refused;
use super::text;
use super::walk::{IN_FLIGHT, Met, Walk, Wanted, together};
use crate::base::paths;
use crate::client::{Failure, Write as Change};
use crate::jute::client::code;
use crate::jute::data::Acl;

/// A multi has no more: servers take requests of 1 MiB (jute.maxbuffer).
const BATCH_BYTES_MAX: usize = 256 * 1024;
const BATCH_NODES_MAX: usize = 500;
/// Paths that a complaint names.
const NAMED_MAX: usize = 5;
/// What servers put in place of a password that one may not see.
const MASKED_DIGEST: &str = ":x";

pub(super) const COMMANDS: &[Command] = &[
    Command::ask(
        "export",
        "[-e] path [file]",
        "Writes a node and everything below it as lines of JSON, parents first; ephemeral nodes only with -e.",
        |call| Box::pin(export(call)),
    )
    .options(&[Opt::flag("e", "ephemeral nodes, too")])
    .words_min(1),
    Command::ask(
        "import",
        "file [path] [--dry-run] [--overwrite] [--skip-existing] [-e]",
        "Makes the nodes of an export at a path, which may be another one or new.",
        |call| Box::pin(import(call)),
    )
    .options(&[
        Opt::flag("dry-run", "says what would be done"),
        Opt::flag("overwrite", "nodes that exist get the data and the ACL of the file"),
        Opt::flag("skip-existing", "nodes that exist stay as they are"),
        Opt::flag("e", "ephemeral nodes, too, of this session"),
    ])
    .words_min(1),
];

/// A wrong file is no failure of the ensemble.
fn wrong_file(file: &str, why: &str) -> Refused {
    Refused { exit_code: 2, ..Refused::new(format!("{file}: {why}")) }
}

/// Where the lines of an export go.
enum Sink<'a> {
    Stdout(&'a Call),
    File(Part),
}

/// A file under another name, until all of it is there.
struct Part {
    out: BufWriter<File>,
    part: PathBuf,
    file: String,
}

impl Drop for Part {
    fn drop(&mut self) {
        // A whole one has its own name by now.
        let _ = fs::remove_file(&self.part);
    }
}

impl Sink<'_> {
    fn open(call: &Call) -> Result<Sink<'_>, Refused> {
        let Some(file) = call.given.words.get(1) else { return Ok(Sink::Stdout(call)) };
        if fs::symlink_metadata(file).is_ok() {
            let refused = wrong_file(file, "it is there already, and nothing was written");
            return Err(refused.with_hint("name another file, or remove that one"));
        }
        let part = PathBuf::from(format!("{file}.part"));
        // Data that not everybody may read.
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let out =
            opened.map_err(|error| wrong_file(&part.display().to_string(), &error.to_string()))?;
        Ok(Sink::File(Part { out: BufWriter::new(out), part, file: file.clone() }))
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        match self {
            Sink::Stdout(call) => {
                call.print.raw(line);
                Ok(())
            }
            Sink::File(part) => writeln!(part.out, "{line}"),
        }
    }

    fn finish(self) -> io::Result<()> {
        let Sink::File(mut part) = self else { return Ok(()) };
        part.out.flush()?;
        part.out.get_ref().sync_all()?;
        fs::rename(&part.part, &part.file)
    }
}

async fn export(call: Call) -> Result<(), Refused> {
    let root = call.path()?;
    let wanted = Wanted { data: true, acl: true };
    let mut walk = Walk::of(&call.client, &root, wanted).without_reserved(&call.client);
    // The node is asked for before there is a file.
    let mut next = walk.next().await?;
    let mut sink = Sink::open(&call)?;
    let full = |error: io::Error| Refused::new(format!("the export cannot be written: {error}"));
    let (mut count, mut ephemerals, mut masked) = (0, 0, 0);
    while let Some(walked) = next {
        if let Met::Node(node) = walked.met {
            let record = Record::of(below(&root, &walked.path), node);
            let is_masked =
                |acl: &Acl| acl.id.scheme == "digest" && acl.id.id.ends_with(MASKED_DIGEST);
            if record.mode.ephemeral && !call.given.has("e") {
                ephemerals += 1;
            } else {
                masked += usize::from(record.acl.iter().any(is_masked));
                sink.line(&record.to_line()).map_err(full)?;
                count += 1;
            }
        }
        next = walk.next().await?;
    }
    let is_file = matches!(sink, Sink::File(_));
    sink.finish().map_err(full)?;
    let left_out =
        if ephemerals > 0 { format!(", {ephemerals} ephemeral left out") } else { String::new() };
    call.print.note(&format!("Exported {count} nodes{left_out}"));
    call.print
        .note("Containers and nodes with a TTL are among them as persistent ones: no server tells");
    if masked > 0 {
        call.print.note(&format!(
            "{masked} of them have digest passwords that were not shown (\":x\" stands there): only who may \
             set an ACL is shown them, see addauth"
        ));
    }
    if is_file {
        call.print.answer(
            || json!({ "exported": count, "ephemeralsLeftOut": ephemerals, "masked": masked }),
        );
    }
    walk.finish()
}

/// The path as the export has it: it begins at the root of that.
fn below<'a>(root: &str, path: &'a str) -> &'a str {
    match path.strip_prefix(root) {
        _ if root == paths::ROOT => path,
        Some("") => paths::ROOT,
        Some(below) => below,
        None => path,
    }
}

/// Where a record goes.
fn placed(root: &str, path: &str) -> String {
    match (root, path) {
        (root, paths::ROOT) => root.to_owned(),
        (paths::ROOT, path) => path.to_owned(),
        (root, path) => format!("{root}{path}"),
    }
}

/// What to do with a node that exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Existing {
    Refuse,
    Overwrite,
    Skip,
}

/// One import.
struct Import<'a> {
    call: &'a Call,
    file: &'a str,
    root: String,
    existing: Existing,
    with_ephemerals: bool,
}

/// A line with its number, its path where it goes.
struct Entry {
    line: usize,
    path: String,
    record: Record,
    exists: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Tally {
    made: usize,
    overwritten: usize,
    existing: usize,
    ephemerals: usize,
    /// Those that exist and shall not, and some of their names.
    conflicts: usize,
    named: Vec<String>,
}

impl Tally {
    fn text(&self, verbs: [&str; 2]) -> String {
        let mut text = format!("{} {} nodes", verbs[0], self.made);
        for (count, what) in [
            (self.overwritten, verbs[1]),
            (self.existing, "left as they are"),
            (self.ephemerals, "ephemeral left out"),
        ] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        text
    }
}

async fn import(call: Call) -> Result<(), Refused> {
    let file = call.word(0)?;
    let root = call.given.words.get(1).map_or(paths::ROOT, String::as_str).to_owned();
    super::command::checked(&root)?;
    let existing = match (call.given.has("overwrite"), call.given.has("skip-existing")) {
        (true, true) => {
            return Err(Refused::new(
                "--overwrite and --skip-existing do not go together: give one of them",
            ));
        }
        (true, false) => Existing::Overwrite,
        (false, true) => Existing::Skip,
        (false, false) => Existing::Refuse,
    };
    let with_ephemerals = call.given.has("e");
    let import = Import { call: &call, file, root, existing, with_ephemerals };
    let plan = import.plan().await?;
    if plan.conflicts > 0 {
        let more = if plan.conflicts > plan.named.len() { ", ..." } else { "" };
        let named = plan.named.join(", ");
        let text = format!(
            "{} nodes of {file} exist already, and nothing was written: {named}{more}",
            plan.conflicts
        );
        let refused = Refused { code: Some(code::NODE_EXISTS), ..Refused::new(text) };
        return Err(refused.with_hint("--skip-existing leaves them as they are, --overwrite gives them the file's data and ACL"));
    }
    if call.given.has("dry-run") {
        call.print.line(&format!(
            "{}; nothing was written",
            plan.text(["Would make", "would be overwritten"])
        ));
        call.print.answer(|| tally_json(&plan, true));
        return Ok(());
    }
    let done = import.write().await?;
    call.print.line(&done.text(["Made", "overwritten"]));
    call.print.answer(|| tally_json(&done, false));
    Ok(())
}

fn tally_json(tally: &Tally, is_dry: bool) -> serde_json::Value {
    json!({
        "made": tally.made, "overwritten": tally.overwritten, "leftAsTheyAre": tally.existing,
        "ephemeralsLeftOut": tally.ephemerals, "dryRun": is_dry,
    })
}

impl Import<'_> {
    fn lines(&self) -> Result<impl Iterator<Item = Result<Entry, Refused>>, Refused> {
        let opened = File::open(self.file);
        let opened = opened.map_err(|error| wrong_file(self.file, &error.to_string()))?;
        let lines = BufReader::new(opened).split(b'\n').enumerate();
        Ok(lines.map(|(n, line)| {
            let wrong = |why: &str| wrong_file(self.file, &format!("line {}: {why}", n + 1));
            let line = line.map_err(|error| wrong(&error.to_string()))?;
            let line = str::from_utf8(&line).map_err(|error| wrong(&error.to_string()))?;
            let record = Record::from_line(line).map_err(|why| wrong(&why))?;
            let path = placed(&self.root, &record.path);
            if self.call.client.is_reserved(&path) {
                return Err(wrong(&format!("{path} is ZooKeeper's own: import to another path")));
            }
            Ok(Entry { line: n + 1, path, record, exists: false })
        }))
    }

    /// Does this with every batch of entries, and asks before which of them exist.
    async fn batches(
        &self,
        mut each: impl AsyncFnMut(Vec<Entry>, &mut Tally) -> Result<(), Refused>,
    ) -> Result<Tally, Refused> {
        let mut tally = Tally::default();
        let mut lines = self.lines()?.peekable();
        while lines.peek().is_some() {
            let (mut batch, mut bytes) = (Vec::new(), 0);
            while let Some(entry) = lines.next_if(|entry| match entry {
                Ok(entry) => {
                    let fits = bytes + entry.record.bytes() <= BATCH_BYTES_MAX;
                    batch.is_empty() || (fits && batch.len() < BATCH_NODES_MAX)
                }
                Err(_) => true,
            }) {
                let entry = entry?;
                if entry.record.mode.ephemeral && !self.with_ephemerals {
                    tally.ephemerals += 1;
                } else {
                    bytes += entry.record.bytes();
                    batch.push(entry);
                }
            }
            self.ask_which_exist(&mut batch).await?;
            each(batch, &mut tally).await?;
        }
        Ok(tally)
    }

    async fn ask_which_exist(&self, batch: &mut [Entry]) -> Result<(), Refused> {
        for entries in batch.chunks_mut(IN_FLIGHT) {
            let client = &self.call.client;
            let asked = entries.iter().map(|entry| client.exists(&entry.path, false)).collect();
            let answers = together(asked).await;
            for (entry, answer) in entries.iter_mut().zip(answers) {
                entry.exists = match answer {
                    Ok(_) => true,
                    Err(failure) if failure.code == code::NO_NODE => false,
                    Err(failure) => return Err(Refused::of(failure, Some(&entry.path))),
                };
            }
        }
        Ok(())
    }

    /// Reads the whole file first: a line that is wrong is found before anything is written.
    async fn plan(&self) -> Result<Tally, Refused> {
        let mut count = 0;
        for entry in self.lines()? {
            entry?;
            count += 1;
        }
        if count == 0 {
            return Err(wrong_file(self.file, "it is empty: an export has a line for each node"));
        }
        self.batches(async |batch, tally| {
            for entry in batch {
                match (entry.exists, self.existing) {
                    (false, _) => tally.made += 1,
                    (true, Existing::Overwrite) => tally.overwritten += 1,
                    (true, existing) => {
                        tally.existing += 1;
                        // The place itself may exist.
                        if existing == Existing::Refuse && entry.record.path != paths::ROOT {
                            tally.conflicts += 1;
                            if tally.named.len() < NAMED_MAX {
                                tally.named.push(text::shown(&entry.path));
                            }
                        }
                    }
                }
            }
            Ok(())
        })
        .await
    }

    async fn write(&self) -> Result<Tally, Refused> {
        self.batches(async |batch, tally| self.write_batch(&batch, tally).await).await
    }

    /// All of it or nothing, but for the ACLs of nodes that existed: no multi sets those.
    async fn write_batch(&self, batch: &[Entry], tally: &mut Tally) -> Result<(), Refused> {
        let client = &self.call.client;
        let change = |entry: &Entry| match (entry.exists, self.existing) {
            (false, _) => {
                let Record { mode, data, acl, .. } = entry.record.clone();
                Some(Change::Create { path: entry.path.clone(), data, acl, mode })
            }
            (true, Existing::Overwrite) => {
                Some(Change::SetData { path: entry.path.clone(), data: entry.record.data.clone() })
            }
            (true, _) => None,
        };
        let (entries, changes): (Vec<&Entry>, Vec<Change>) =
            batch.iter().filter_map(|entry| Some((entry, change(entry)?))).unzip();
        tally.existing += batch.len() - entries.len();
        if entries.iter().any(|entry| !entry.exists && entry.record.mode.ephemeral) {
            self.call.has_ephemerals.set(true);
        }
        if let [.., last] = entries[..] {
            let done = client.write_together(&changes).await;
            done.map_err(|(at, failure)| {
                let at = at.filter(|_| !failure.was_sent);
                let culprit = at.and_then(|at| entries.get(at)).copied();
                self.stopped(culprit, (entries[0], last), tally, failure)
            })?;
        }
        let overwritten: Vec<&Entry> = entries.into_iter().filter(|entry| entry.exists).collect();
        tally.made += changes.len() - overwritten.len();
        tally.overwritten += overwritten.len();
        for entries in overwritten.chunks(IN_FLIGHT) {
            let set = entries.iter().copied().map(|entry| {
                let acl = entry.record.acl.clone();
                client.set_acl(&entry.path, acl, -1)
            });
            let set = together(set.collect()).await;
            for (entry, answer) in entries.iter().zip(set) {
                answer
                    .map_err(|failure| self.stopped(Some(entry), (entry, entry), tally, failure))?;
            }
        }
        Ok(())
    }

    /// Says how far it came.
    fn stopped(
        &self,
        culprit: Option<&Entry>,
        (first, last): (&Entry, &Entry),
        tally: &Tally,
        failure: Failure,
    ) -> Refused {
        let lines = format!("lines {} to {}", first.line, last.line);
        let fate = match failure.was_sent {
            true => format!("of {lines} it is not known"),
            false => format!("nothing of {lines}"),
        };
        let path = culprit.map(|entry| entry.path.as_str());
        let told = Refused::of(failure, path);
        let at = culprit.map_or(lines, |entry| format!("line {}", entry.line));
        let done = tally.text(["Made", "overwritten"]);
        let text = format!("{}: {at}: {}. {done}; {fate}", self.file, told.text);
        let again = "import with --skip-existing or --overwrite goes on from there";
        let hint = told.hint.as_deref().map_or(again.to_owned(), |hint| format!("{hint}; {again}"));
        Refused { text, hint: Some(hint), ..told }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_out_and_come_back() {
        for (root, path, relative) in
            [("/", "/", "/"), ("/", "/a", "/a"), ("/a", "/a", "/"), ("/a", "/a/a/b", "/a/b")]
        {
            assert_eq!(below(root, path), relative);
            assert_eq!(placed(root, relative), path);
        }
    }

    #[test]
    fn what_was_done_is_told() {
        let tally = Tally { made: 3, overwritten: 2, ephemerals: 1, ..Tally::default() };
        assert_eq!(
            tally.text(["Made", "overwritten"]),
            "Made 3 nodes, 2 overwritten, 1 ephemeral left out"
        );
    }
}
