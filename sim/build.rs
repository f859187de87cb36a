//! The simulator exists only under `--cfg madsim`, which `.cargo/config.toml` sets.
//!
//! `QUORATE_BUILD` is a hash of every source of server and simulator: a recording says with it
//! which program made it. Debug and release builds of the same sources have the same one, for
//! they do the same.

use std::fs;
use std::path::{Path, PathBuf};

/// What a run depends on, seen from this package.
const SOURCES: [&str; 7] = [
    "src",
    "../src",
    "build.rs",
    "Cargo.toml",
    "../Cargo.toml",
    "../Cargo.lock",
    "../rust-toolchain.toml",
];

fn main() {
    if std::env::var_os("CARGO_CFG_MADSIM").is_none() {
        println!(
            "cargo::error=quorate-sim needs `--cfg madsim`: an exported RUSTFLAGS (or another rustflags \
             setting) has replaced the one in .cargo/config.toml; unset it or add `--cfg madsim` to it."
        );
    }
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(Path::new(source), &mut files);
    }
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for file in &files {
        fold(&mut hash, file.to_string_lossy().as_bytes());
        fold(&mut hash, &fs::read(file).unwrap_or_default());
    }
    println!("cargo::rustc-env=QUORATE_BUILD={hash:016x}");
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(path) else {
        files.extend(path.is_file().then(|| path.to_owned()));
        return;
    };
    for entry in entries.flatten() {
        collect(&entry.path(), files);
    }
}

/// FNV-1a, with an end that cannot be confused with more of the same.
fn fold(hash: &mut u64, bytes: &[u8]) {
    for byte in bytes.iter().chain(&[0xff]) {
        *hash = (*hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
}
