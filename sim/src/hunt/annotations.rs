//! A report as annotations of GitHub Actions: a line each, which GitHub shows at the workflow run.

use super::report::Report;
use super::summary::title;

/// One line for each way to fail.
pub fn lines(report: &Report) -> Vec<String> {
    let line = |failure| {
        let title = property(&title(failure));
        let example = &failure.example;
        format!(
            "::error title={title}::{}",
            data(&format!("{}\nrepeat: {}", example.words, example.command))
        )
    };
    report.failures.iter().map(line).collect()
}

/// What stands behind `::`.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
