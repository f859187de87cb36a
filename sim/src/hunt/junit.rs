//! A report as JUnit XML: a testcase for each case of each file.

use std::fmt::Write as _;

use super::report::{CaseRuns, Failure, Place, Report};

/// The whole document.
pub fn xml(report: &Report) -> String {
    let seen = |case: &CaseRuns, broken: Option<bool>| {
        let mut ways =
            report.failures.iter().filter_map(|failure| Some((failure, of(failure, case)?)));
        ways.any(|(failure, _)| broken.is_none_or(|broken| failure.is_broken() == broken))
    };
    let count =
        |wanted: &dyn Fn(&CaseRuns) -> bool| report.cases.iter().filter(|c| wanted(c)).count();
    let errors = count(&|case| seen(case, Some(true)));
    let failures = count(&|case| seen(case, Some(false)) && !seen(case, Some(true)));
    let skipped = count(&|case| case.runs == 0);
    let (tests, seconds) = (report.cases.len(), report.seconds);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"quorate-sim hunt\" \
         tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" \
         time=\"{seconds:.3}\">\n"
    );
    for case in &report.cases {
        testcase(&mut out, report, case);
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

fn testcase(out: &mut String, report: &Report, case: &CaseRuns) {
    let name = match case.name.is_empty() {
        true => format!("case {}", case.case),
        false => format!("case {} ({})", case.case, case.name),
    };
    let (file, name) = (escaped(&case.file.to_string_lossy()), escaped(&name));
    let _ = writeln!(
        out,
        "<testcase classname=\"{file}\" name=\"{name}\" time=\"{:.3}\">",
        case.seconds
    );
    if case.runs == 0 {
        out.push_str("<skipped message=\"no run of it is done\"/>\n");
    }
    for failure in &report.failures {
        let Some(Place { count, example }) = of(failure, case) else { continue };
        let tag = if failure.is_broken() { "error" } else { "failure" };
        let roles = failure.signature.roles.join(", ");
        let message = format!("{count} of {} runs: {}", case.runs, example.words);
        let text = format!(
            "{}\nroles: {roles}\nquickest: seed {}, {} simulated s\nrepeat: {}",
            example.words, example.seed, example.simulated_s, example.command
        );
        let _ = writeln!(
            out,
            "<{tag} type=\"{}\" message=\"{}\">{}</{tag}>",
            escaped(&failure.signature.id),
            escaped(&message),
            escaped(&text)
        );
    }
    out.push_str("</testcase>\n");
}

/// What this case saw of a failure.
fn of<'a>(failure: &'a Failure, case: &CaseRuns) -> Option<&'a Place> {
    let mut places = failure.places.iter();
    places.find(|place| place.example.file == case.file && place.example.case == case.case)
}

/// For text and for attributes in double quotes. What XML cannot say becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\r' | '\t' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_failure_says_the_document_stays_one() {
        let text = "a<b> & \"c\" 'd'\n\t]]>\u{0}\u{1b}[31m\u{e9}";
        assert_eq!(
            escaped(text),
            "a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;&#10;&#9;]]&gt;\u{fffd}\u{fffd}[31m\u{e9}"
        );
    }
}
