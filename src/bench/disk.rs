//! How fast the disk is just now: fdatasyncs a second of 4 KiB, into a file that has its length.
//!
//! A disk that others use too can be thirty times slower a minute later; a figure of durable writes
//! says little without this one.

use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::error::BenchError;

const BLOCK: usize = 4096;
const FILE_BLOCKS: u64 = 256;

/// fdatasyncs a second in this directory.
pub(super) fn sync_rate(dir: &Path, length: Duration) -> Result<f64, BenchError> {
    let path = dir.join(format!(".quorate-bench-{}", std::process::id()));
    let rate = measure(&path, length);
    // It was not made, if that failed.
    let _ = remove_file(&path);
    rate.map_err(|error| BenchError::File { path, error })
}

fn measure(path: &Path, length: Duration) -> io::Result<f64> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let block = [b'q'; BLOCK];
    (0..FILE_BLOCKS).try_for_each(|_| file.write_all(&block))?;
    file.sync_all()?;
    let began = Instant::now();
    let mut count = 0_u64;
    while began.elapsed() < length {
        append(&mut file, &block, count % FILE_BLOCKS)?;
        count += 1;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

fn append(file: &mut File, block: &[u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at * BLOCK as u64))?;
    file.write_all(block)?;
    file.sync_data()
}
