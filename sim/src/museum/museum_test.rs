use super::*;

fn outcome(exhibit: Exhibit, fired: &str, caught: bool) -> Outcome {
    let entry = Entry {
        exhibit,
        file: Some("m/f.toml".into()),
        source: "ZOOKEEPER-1419".into(),
        violates: vec!["E-2".into()],
        seeds: vec![1, 2],
    };
    let fired = vec![fired.to_owned()];
    Outcome { entry, fired, caught, broken: false, cpu_seconds: Some(0.25) }
}

fn of_the_repository() -> Vec<Entry> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/museum");
    entries(&dir).expect("every scenario is read")
}

#[test]
fn every_exhibit_has_a_scenario_and_a_section_in_the_guide() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/museum.md");
    let guide = fs::read_to_string(guide).expect("the guide is there");
    for entry in of_the_repository() {
        let name = entry.exhibit.name();
        assert!(entry.file.is_some(), "{name} is never shown");
        assert!(!entry.violates.is_empty(), "{name}: nothing must catch it");
        assert!(guide.contains(&format!("## {name}")), "{name} has no section in docs/museum.md");
    }
}

#[test]
fn a_piece_is_found_by_its_name_and_by_its_issue() {
    let found = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        choose(of_the_repository(), &names)
            .map(|entries| entries.iter().map(|entry| entry.exhibit.name()).collect::<Vec<&str>>())
    };
    assert_eq!(
        found(&["1419", "vote_counted_twice"]),
        Ok(vec!["tie_across_epochs", "vote_counted_twice"])
    );
    assert_eq!(found(&["ZOOKEEPER-4643"]), Ok(vec!["epoch_before_history"]));
    assert_eq!(
        found(&["141"]),
        Err("there is no exhibit 141: `quorate-sim museum` lists them".into())
    );
    assert_eq!(found(&[]).map(|all| all.len() >= Exhibit::ALL.len()), Ok(true));
}

#[test]
fn one_that_gets_away_is_said_and_fails() {
    let caught = outcome(Exhibit::TieAcrossEpochs, "E-2", true);
    let report = Report { outcomes: vec![caught.clone()] };
    assert_eq!(report.exit_code(), 0);
    assert!(table(&report).ends_with("1 of 1 caught\n"));
    let missed = outcome(Exhibit::VoteFromTree, "nothing", false);
    let report = Report { outcomes: vec![caught, missed] };
    assert_eq!(report.exit_code(), 1);
    let text = table(&report);
    assert!(
        text.contains("vote_from_tree") && text.contains("NOT CAUGHT: nothing, not E-2"),
        "{text}"
    );
    assert!(text.ends_with("1 of 2 caught\n"), "{text}");
}

#[test]
fn an_exhibit_without_a_scenario_is_not_caught() {
    let played = super::play_entry(unseen(Exhibit::VoteFromTree), Duration::from_secs(1));
    let report = Report { outcomes: vec![played] };
    assert_eq!(report.exit_code(), 1);
    assert!(table(&report).contains("NOT SHOWN"));
}
