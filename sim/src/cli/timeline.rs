//! `quorate-sim timeline`: a recording as a page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::common::wrong;
use crate::page::page;
use crate::recording::Recording;

#[derive(Debug, Args)]
pub(super) struct TimelineArgs {
    recording: PathBuf,
    /// Where to; next to the recording if not given.
    #[arg(long, value_name = "T.html")]
    out: Option<PathBuf>,
}

/// Exit codes: 0 the page is written, 2 a file cannot be read or written.
pub(super) fn timeline_command(args: &TimelineArgs) -> ExitCode {
    let recording = match Recording::read(&args.recording) {
        Ok(recording) => recording,
        Err(error) => return wrong(error),
    };
    let out = args.out.clone().unwrap_or_else(|| args.recording.with_extension("html"));
    let name = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let html = page(&recording, &name(&args.recording));
    if let Err(error) = fs::write(&out, &html) {
        return wrong(format!("{}: cannot be written: {error}", out.display()));
    }
    let size = html.len() as f64 / 1e6;
    println!("{}: {} events, {size:.1} MB", out.display(), recording.events.len());
    ExitCode::SUCCESS
}
