//! The result as one page with plots, that needs nothing else. (page.html)

use std::path::Path;

use super::error::BenchError;
use super::one_run::Outcome;
use super::report::write_file;

const PAGE: &str = include_str!("page.html");

pub(super) fn write(path: &Path, outcome: &Outcome) -> Result<(), BenchError> {
    write_file(path, &page(outcome))
}

fn page(outcome: &Outcome) -> String {
    let data = serde_json::to_string(outcome).expect("numbers and texts");
    // Inside a script nothing may look like its end.
    let data = data.replace('<', "\\u003c");
    let title = outcome.load.replace('&', "&amp;").replace('<', "&lt;");
    PAGE.replace("{{title}}", &title).replace("{{data}}", &data)
}
