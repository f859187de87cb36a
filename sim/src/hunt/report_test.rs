use super::super::junit;
use super::super::plan::tests::plan;
use super::super::{annotations, summary::summary};
use super::*;

fn broke(id: &str, roles: &[&str], words: &str) -> Option<RunFailure> {
    let roles = roles.iter().map(ToString::to_string).collect();
    let signature = Signature { id: id.into(), roles, words: String::new() };
    Some(RunFailure { signature, words: words.into() })
}

/// Of every run: what it was, and when it ended.
fn outcomes(jobs: &[Job]) -> Vec<(Job, u64, Option<RunFailure>)> {
    let outcome = |job: &Job| match (job.scenario, job.seed % 3) {
        (0, 1) => (9_000_000_000 - job.seed % 2, broke("I-1", &["leading"], "two & <two>")),
        (2, 1) => (8_000_000_000, broke("I-1", &["down"], "50%\nof them: all, all")),
        (2, 0) => (7, broke(SIMULATOR, &[], "a panic")),
        _ => (5, None),
    };
    let all = jobs.iter().map(|job| (*job, outcome(job)));
    all.map(|(job, (ended, failure))| (job, ended, failure)).collect()
}

fn report_of(plan: &Plan, outcomes: &[(Job, u64, Option<RunFailure>)]) -> Report {
    let mut report = Report::new(plan);
    for (job, ended, failure) in outcomes {
        report.take(job, *ended, 0.25, failure.clone());
    }
    report
}

fn report() -> Report {
    let plan = plan((1, 10));
    let jobs: Vec<Job> = plan.jobs().collect();
    report_of(&plan, &outcomes(&jobs))
}

#[test]
fn failures_are_grouped_and_the_quickest_is_the_example_whoever_ends_first() {
    let plan = plan((1, 10));
    let jobs: Vec<Job> = plan.jobs().collect();
    let mut outcomes = outcomes(&jobs);
    let report = report_of(&plan, &outcomes);
    let told = |failure: &Failure| {
        let example = &failure.example;
        (failure.signature.roles.join(" "), failure.count, example.case, example.seed)
    };
    let told: Vec<_> = report.failures.iter().map(told).collect();
    // Seeds 1 and 7 end a nanosecond before seed 4; of them and of the cases the first.
    let expected = [("down", 3, 1, 1), ("leading", 6, 1, 1), ("", 3, 1, 3)]
        .map(|(r, c, k, s)| (r.into(), c, k, s));
    assert_eq!(told, expected);
    assert_eq!(report.failures[1].places.len(), 2, "both cases saw it");
    assert_eq!((report.held, report.failed, report.broken), (16, 9, 3));
    assert_eq!((report.exit_code(), report.is_finished()), (3, true));
    outcomes.reverse();
    assert_eq!(report_of(&plan, &outcomes), report, "the order of ends decides nothing");
}

#[test]
fn a_property_fails_the_hunt_less_than_the_simulator_does() {
    let plan = plan((1, 2));
    let jobs: Vec<Job> = plan.jobs().collect();
    assert_eq!(report_of(&plan, &[(jobs[0], 1, None)]).exit_code(), 0);
    let one = [(jobs[0], 1, broke("I-1", &[], ""))];
    let report = report_of(&plan, &one);
    assert_eq!((report.exit_code(), report.is_finished()), (1, false));
    assert!(summary(&report, None).contains("3 of 4 runs are still to do"));
}

#[test]
fn a_seed_is_done_when_all_its_runs_are() {
    let plan = plan((1, 10));
    let jobs: Vec<Job> = plan.jobs().collect();
    // Four runs of the first seed, three of each other.
    let all_but = |left: &[usize], upto: usize| {
        let done = jobs.iter().take(upto).zip(0..).filter(|(_, n)| !left.contains(n));
        let done: Vec<_> = done.map(|(job, _)| (*job, 1, None)).collect();
        Vec::from(report_of(&plan, &done).whole_seeds())
    };
    assert_eq!(all_but(&[], 0), []);
    assert_eq!(all_but(&[], 4), [(1, 2)]);
    assert_eq!(all_but(&[], 9), [(1, 3)]);
    assert_eq!(all_but(&[5], 10), [(1, 2), (3, 4)]);
    assert_eq!(all_but(&[], jobs.len()), [(1, 10)]);
}

#[test]
fn a_saved_report_is_read_back_and_another_version_is_refused() {
    let dir = std::env::temp_dir().join(format!("quorate-report-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("the temporary directory can be written");
    assert_eq!(Report::load(&dir), Ok(None));
    let mut saved = report();
    saved.save(&dir).expect("it can be written");
    assert_eq!(Vec::from(saved.seeds_done.clone()), [(1, 10)]);
    assert_eq!(Report::load(&dir), Ok(Some(saved)));
    let file = dir.join(FILE);
    for (text, words) in [
        ("{\"version\": 9}", "was written in version 9"),
        ("{}", "it has no version"),
        ("{\"version\": 1}", "is no report of a hunt: missing field"),
        ("{\"versi", "is no report of a hunt"),
    ] {
        fs::write(&file, text).expect("it can be written");
        let told = Report::load(&dir).expect_err(text);
        assert!(told.contains(words) && told.lines().count() == 1, "{told}");
    }
    fs::remove_dir_all(&dir).expect("it was made above");
}

#[test]
fn the_summary_has_a_block_for_each_way_to_fail() {
    let text = summary(&report(), None);
    let blocks: Vec<&str> = text.split("\n\n").collect();
    assert_eq!(blocks.len(), 4, "{text}");
    assert!(blocks[0].contains("16 hold, 9 fail, in 3 the simulator failed"), "{text}");
    let block = "I-1 (leading): 6 runs\n  two & <two>\n  quickest: two.toml seed 1 case 1, \
                 8.999999999 simulated s\n  repeat: quorate-sim run two.toml --seed 1 --case 1";
    assert_eq!(blocks[2], block);
}

#[test]
fn an_annotation_is_one_line_of_githubs() {
    let lines = annotations::lines(&report());
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        "::error title=I-1 (down)%3A 3 runs::50%25%0Aof them: all, all%0Arepeat: quorate-sim run \
         one.toml --seed 1"
    );
}

#[test]
fn junit_has_a_testcase_for_each_case_and_its_failures() {
    let mut report = report();
    report.cases[2].runs = 0;
    let xml = junit::xml(&report);
    let head = "tests=\"4\" failures=\"2\" errors=\"1\" skipped=\"1\"";
    assert!(xml.contains(head), "{xml}");
    assert!(xml.contains("<testcase classname=\"two.toml\" name=\"case 2 (down)\""), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), 4);
    assert_eq!(xml.matches("<failure type=\"I-1\"").count(), 3);
    assert_eq!(xml.matches("<error type=\"simulator\"").count(), 1);
    assert!(xml.contains("message=\"3 of 9 runs: two &amp; &lt;two&gt;\""), "{xml}");
    assert!(xml.contains("50%&#10;of them"), "{xml}");
}
