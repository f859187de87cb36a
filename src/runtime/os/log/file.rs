//! The file of a log, which is given up for a new one when it is long or old enough.
//!
//! ```text
//! FILE -> FILE.1 -> FILE.2 ... -> FILE.n, which the next one replaces
//! ```
//!
//! Standard output and error go to the same file, so that it has what the log does not write itself.
//! Nothing that fails here ends the server: without a new file the old one is written on, and a minute
//! later it is tried again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracing::warn;

use crate::runtime::{FilePermissions, LogSettings};

/// How long it is until a rotation that failed is tried again.
const REST: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    permissions: FilePermissions,
    settings: LogSettings,
    file: File,
    begun: SystemTime,
    /// Nobody cuts a line in two.
    is_at_line: bool,
    /// When the last rotation failed, if it did.
    failed_at: Option<SystemTime>,
    /// What else is to be written to a file that was opened.
    redirect: fn(&File),
}

impl LogFile {
    /// What exists is written on.
    pub(super) fn open(
        path: &Path,
        permissions: FilePermissions,
        settings: LogSettings,
        redirect: fn(&File),
    ) -> io::Result<LogFile> {
        let file = append_to(path, permissions)?;
        redirect(&file);
        Ok(LogFile {
            path: path.to_owned(),
            permissions,
            settings,
            begun: birth_of(&file),
            file,
            is_at_line: true,
            failed_at: None,
            redirect,
        })
    }

    /// Whether a new file is due before so many bytes are written.
    fn is_due(&self, bytes: usize, now: SystemTime) -> bool {
        let rests = |failed: SystemTime| now.duration_since(failed).is_ok_and(|past| past < REST);
        if !self.is_at_line || self.failed_at.is_some_and(rests) {
            return false;
        }
        // Others write to it, too, and may have emptied it.
        let len = self.file.metadata().map_or(0, |metadata| metadata.len());
        let is_long = |max: u64| len + bytes as u64 > max;
        let is_old = |max| now.duration_since(self.begun).is_ok_and(|age| age >= max);
        let LogSettings { bytes_max, age_max, .. } = self.settings;
        len > 0 && (bytes_max.is_some_and(is_long) || age_max.is_some_and(is_old))
    }

    fn rotate_if_due(&mut self, bytes: usize, now: SystemTime) {
        if !self.is_due(bytes, now) {
            return;
        }
        self.failed_at = None;
        if let Err(error) = self.rotate() {
            self.failed_at = Some(now);
            let (file, seconds) = (self.path.display(), REST.as_secs());
            warn!(%error, "cannot begin a new log file: {file} is written on, and in {seconds} s it is tried again");
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        let last = self.settings.files_max;
        // There may have been more of them before the last start.
        let _removed =
            (last + 1..).take_while(|n| fs::remove_file(self.numbered(*n)).is_ok()).last();
        for n in (1..last).rev() {
            move_if_there(&self.numbered(n), &self.numbered(n + 1))?;
        }
        move_if_there(&self.path, &self.numbered(1))?;
        self.file = append_to(&self.path, self.permissions).inspect_err(|_| {
            // So that the file that is written has its name.
            let _ = fs::rename(self.numbered(1), &self.path);
        })?;
        self.begun = birth_of(&self.file);
        (self.redirect)(&self.file);
        Ok(())
    }

    fn numbered(&self, n: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{n}"));
        name.into()
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.rotate_if_due(bytes.len(), SystemTime::now());
        let written = self.file.write(bytes)?;
        self.is_at_line = bytes[..written].last().is_none_or(|last| *last == b'\n');
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path, permissions: FilePermissions) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(permissions.of_file()).open(path)
}

/// Of a file system that does not know, now: then a start makes the file young again.
fn birth_of(file: &File) -> SystemTime {
    let birth = file.metadata().and_then(|metadata| metadata.created());
    birth.unwrap_or_else(|_| SystemTime::now())
}

fn move_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        moved => moved,
    }
}

#[cfg(test)]
mod tests {
    use tempfile::{TempDir, tempdir};

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn log_in(dir: &TempDir, settings: LogSettings) -> LogFile {
        let path = dir.path().join("log");
        LogFile::open(&path, FilePermissions::default(), settings, |_| ()).expect("it opens")
    }

    fn files(dir: &TempDir) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(dir.path())
            .expect("a directory")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_file())
            .map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, fs::read_to_string(path).expect("text"))
            })
            .collect();
        files.sort();
        files
    }

    fn expect(dir: &TempDir, expected: &[(&str, &str)]) {
        let files = files(dir);
        let files: Vec<_> = files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
        assert_eq!(files, expected);
    }

    #[test]
    fn a_long_file_makes_room_and_the_oldest_goes() {
        let dir = tempdir().expect("a directory");
        let settings = LogSettings { bytes_max: Some(10), files_max: 2, ..LogSettings::default() };
        // From before, when more of them were kept.
        fs::write(dir.path().join("log.3"), "old").expect("it is written");
        let mut log = log_in(&dir, settings);
        for line in ["one 1\n", "two 2\n", "three\n", "4\n", "a line of its own\n", "6\n"] {
            log.write_all(line.as_bytes()).expect("it is written");
        }
        expect(&dir, &[("log", "6\n"), ("log.1", "a line of its own\n"), ("log.2", "three\n4\n")]);
    }

    #[test]
    fn a_line_is_in_one_file() {
        let dir = tempdir().expect("a directory");
        let mut log = log_in(&dir, LogSettings { bytes_max: Some(4), ..LogSettings::default() });
        for part in ["half", " and half\n", "more\n"] {
            log.write_all(part.as_bytes()).expect("it is written");
        }
        expect(&dir, &[("log", "more\n"), ("log.1", "half and half\n")]);
    }

    #[test]
    fn a_file_that_is_old_makes_room_unless_it_is_empty() {
        let dir = tempdir().expect("a directory");
        let settings =
            LogSettings { bytes_max: None, age_max: Some(2 * DAY), ..LogSettings::default() };
        let mut log = log_in(&dir, settings);
        let later = |days| SystemTime::now() + days * DAY;
        assert!(!log.is_due(1, later(3)), "it is empty");
        log.write_all(b"a line\n").expect("it is written");
        log.rotate_if_due(1, later(1));
        expect(&dir, &[("log", "a line\n")]);
        log.rotate_if_due(1, later(2));
        expect(&dir, &[("log", ""), ("log.1", "a line\n")]);
    }

    #[test]
    fn where_no_new_file_can_be_made_the_old_one_is_written_on() {
        let dir = tempdir().expect("a directory");
        let settings = LogSettings { bytes_max: Some(1), ..LogSettings::default() };
        let mut log = log_in(&dir, settings);
        // No file replaces a directory.
        let blocked = dir.path().join("log.1");
        fs::create_dir(&blocked).expect("a directory");
        fs::create_dir(blocked.join("full")).expect("a directory");
        log.settings.files_max = 1;
        log.write_all(b"one\n").expect("it is written");
        log.write_all(b"two\n").expect("it is written");
        expect(&dir, &[("log", "one\ntwo\n")]);
        fs::remove_dir_all(&blocked).expect("it goes");
        log.rotate_if_due(1, SystemTime::now());
        expect(&dir, &[("log", "one\ntwo\n")]);
        log.rotate_if_due(1, SystemTime::now() + REST);
        expect(&dir, &[("log", ""), ("log.1", "one\ntwo\n")]);
    }

    #[test]
    fn a_file_that_somebody_has_taken_away_is_made_anew() {
        let dir = tempdir().expect("a directory");
        let mut log = log_in(&dir, LogSettings { bytes_max: Some(1), ..LogSettings::default() });
        log.write_all(b"gone\n").expect("it is written");
        fs::remove_file(dir.path().join("log")).expect("it goes");
        log.write_all(b"here\n").expect("it is written");
        expect(&dir, &[("log", "here\n")]);
    }
}
