//! The source files that the house rules are about.

use std::fs;
use std::path::{Path, PathBuf};

/// The directory of the package.
pub(crate) fn root() -> PathBuf {
    // At run time, so that one build of these tests can look at another tree.
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// Every `.rs` file below these directories: its path from the root, with `/`, and its text.
pub(crate) fn rust_files(dirs: &[&str]) -> Vec<(String, String)> {
    files(dirs, &["rs"])
}

/// The same for files with these extensions.
pub(crate) fn files(dirs: &[&str], extensions: &[&str]) -> Vec<(String, String)> {
    let root = root();
    let mut files = Vec::new();
    for dir in dirs {
        collect(&root, &root.join(dir), extensions, &mut files);
    }
    assert!(!files.is_empty(), "no source files below {}", root.display());
    files.sort();
    files
}

fn collect(root: &Path, dir: &Path, extensions: &[&str], files: &mut Vec<(String, String)>) {
    // A directory that is not there holds no files.
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("a readable directory").path();
        if path.is_dir() {
            collect(root, &path, extensions, files);
        } else if extensions.iter().any(|known| path.extension().is_some_and(|has| has == *known)) {
            let name = path.strip_prefix(root).expect("below the root").display().to_string();
            let text = fs::read(&path).expect("a readable file");
            files.push((name.replace('\\', "/"), String::from_utf8_lossy(&text).into_owned()));
        }
    }
}
