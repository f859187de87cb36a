//! A report for people.

use std::fmt::Write as _;
use std::path::Path;

use super::report::{Failure, Report};

/// One line on the whole, and a block for each way to fail. `dir` is where recordings are.
pub fn summary(report: &Report, dir: Option<&Path>) -> String {
    let per_second = report.runs() as f64 / report.seconds.max(0.001);
    let mut text = format!(
        "{} runs in {:.1} s ({per_second:.1} a second): {} hold, {} fail",
        report.runs(),
        report.seconds,
        report.held,
        report.failed
    );
    if report.broken > 0 {
        let _ = write!(text, ", in {} the simulator failed", report.broken);
    }
    if !report.is_finished() {
        let left = report.total - report.done.count();
        let _ = write!(text, "; {left} of {} runs are still to do", report.total);
    }
    for failure in &report.failures {
        text.push_str("\n\n");
        text.push_str(&block(failure, dir));
    }
    text
}

fn block(failure: &Failure, dir: Option<&Path>) -> String {
    let example = &failure.example;
    let case = failure.places.iter().map(|place| place.example.case).max();
    let case = if case > Some(1) { format!(" case {}", example.case) } else { String::new() };
    let mut text = format!("{}\n", title(failure));
    for line in example.words.lines() {
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    let (file, seed) = (example.file.display(), example.seed);
    let _ = write!(text, "  quickest: {file} seed {seed}{case}");
    if example.simulated_s > 0.0 {
        let _ = write!(text, ", {} simulated s", example.simulated_s);
    }
    let _ = write!(text, "\n  repeat: {}", example.command);
    if let (Some(dir), Some(recording)) = (dir, &failure.recording) {
        let _ = write!(text, "\n  recording: {}", dir.join(recording).display());
    }
    text
}

/// The signature and how often it was seen, in one line.
pub(super) fn title(failure: &Failure) -> String {
    let mut text = failure.signature.id.clone();
    if !failure.signature.roles.is_empty() {
        let _ = write!(text, " ({})", failure.signature.roles.join(", "));
    }
    let runs = if failure.count == 1 { "run" } else { "runs" };
    let _ = write!(text, ": {} {runs}", failure.count);
    text
}
