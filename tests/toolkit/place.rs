//! A copy of a golden directory, and the program that is run on it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use tempfile::TempDir;

pub(crate) struct Place {
    dir: TempDir,
}

/// What a run said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Name, content and time of change of each file.
type Files = Vec<(PathBuf, Vec<u8>, SystemTime)>;

impl Place {
    /// Copies these golden directories, one over the other: `3.9.3/plain`.
    pub(crate) fn of(names: &[&str]) -> Place {
        let place = Place { dir: tempfile::tempdir().expect("a temporary directory") };
        fs::create_dir(place.path("version-2")).expect("a new directory");
        for name in names {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dirs").join(name);
            for entry in fs::read_dir(from.join("version-2")).expect("a golden directory") {
                let entry = entry.expect("an entry");
                fs::copy(entry.path(), place.file(&entry.file_name().to_string_lossy()))
                    .expect("a writable directory");
            }
        }
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path("version-2").join(name)
    }

    /// Changes the bytes of a file.
    pub(crate) fn damage(&self, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.file(name)).expect("it was copied");
        how(&mut bytes);
        fs::write(self.file(name), bytes).expect("it is writable");
    }

    fn files(&self) -> Files {
        let mut files = Vec::new();
        for dir in [self.dir.path().to_path_buf(), self.path("version-2")] {
            for entry in fs::read_dir(dir).expect("the directory").map(|entry| entry.expect("one"))
            {
                if entry.path().is_file() {
                    let changed = entry.metadata().and_then(|meta| meta.modified());
                    let content = fs::read(entry.path()).expect("it is readable");
                    files.push((entry.path(), content, changed.expect("a time")));
                }
            }
        }
        files.sort();
        files
    }

    /// Runs a command in the directory above the copy; paths are said relative to it. What was there
    /// is there afterwards, byte by byte, and was not touched.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.run_as("quorate", args)
    }

    /// The same by the name of one of Apache's scripts.
    pub(crate) fn run_as(&self, name: &str, args: &[&str]) -> Said {
        let before = self.files();
        let said = self.run_freely(name, args);
        let after = self.files();
        for file in before {
            assert!(after.contains(&file), "{args:?} changed {}", file.0.display());
        }
        said
    }

    /// The same for a command that may remove files.
    pub(crate) fn run_freely(&self, name: &str, args: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
        command.env_remove("ZOOCFGDIR").env_remove("ZOOCFG");
        let output = command.arg0(name).args(args).current_dir(self.dir.path()).output();
        let output = output.expect("the binary was built for this test");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().expect("it was not killed");
        Said { code, out: text(&output.stdout), err: text(&output.stderr) }
    }
}
