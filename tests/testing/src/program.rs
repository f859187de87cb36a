//! Where the program is.

use std::env;
use std::path::{Path, PathBuf};

const VARIABLE: &str = "QUORATE_BIN";
const NAME: &str = "quorate";

/// The error says what was looked for, and what to do.
pub(crate) fn find() -> Result<PathBuf, String> {
    if let Some(given) = env::var_os(VARIABLE) {
        let given = PathBuf::from(given);
        return match given.is_file() {
            true => Ok(given),
            false => Err(format!("{VARIABLE} is {}, and that is no file", given.display())),
        };
    }
    let test = env::current_exe().map_err(|error| format!("this program has no path: {error}"))?;
    let path = env::var_os("PATH").unwrap_or_default();
    first_of(beside(&test).into_iter().chain(env::split_paths(&path))).ok_or_else(|| {
        format!(
            "there is no program `{NAME}`: neither {VARIABLE} in the environment, nor one where cargo \
             puts those of this build, nor one in PATH. Install it with `cargo install {NAME}`, or set \
             {VARIABLE} to its path"
        )
    })
}

/// A test is target/debug/deps/NAME-HASH; the programs of the build are two levels up.
fn beside(test: &Path) -> Option<PathBuf> {
    let deps = test.parent()?;
    deps.parent().map(Path::to_owned)
}

fn first_of(dirs: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    dirs.map(|dir| dir.join(NAME)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn programs_of_the_build_lie_above_the_test() {
        let test = Path::new("target/debug/deps/it-0123");
        assert_eq!(beside(test), Some("target/debug".into()));
    }

    #[test]
    fn the_first_directory_that_has_it_wins() {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let dirs = ["a", "b", "c"].map(|name| dir.path().join(name));
        for path in &dirs[1..] {
            fs::create_dir(path).expect("a writable directory");
            fs::write(path.join(NAME), "").expect("a writable directory");
        }
        assert_eq!(first_of(dirs.clone().into_iter()), Some(dirs[1].join(NAME)));
        assert_eq!(first_of([dir.path().to_owned()].into_iter()), None, "no folder counts");
    }
}
