//! The shards of a hunt as one report.

use std::path::{Path, PathBuf};

use super::plan::{Done, Part, Plan};
use super::report::{CaseRuns, Report};

/// All shards as one, and where each was. What does not fit together, in a sentence.
pub fn merge(dirs: &[PathBuf]) -> Result<Report, String> {
    let mut shards = Vec::new();
    for dir in dirs {
        let shown = dir.display();
        let report =
            Report::load(dir)?.ok_or_else(|| format!("{shown}: there is no report.json in it"))?;
        let part = report.plan.shard;
        let part = part.ok_or_else(|| format!("{shown}: is a whole hunt, not a shard of one"))?;
        shards.push((dir, part, report));
    }
    let Some((first_dir, first_part, first)) = shards.first() else {
        return Err("there are no shards to merge".into());
    };
    for (dir, part, report) in &shards[1..] {
        // Which shard it is, is all that may be another.
        let plan = Plan { shard: report.plan.shard, ..first.plan.clone() };
        let differs = report.differs_from(&plan, &first.build);
        let parts = (part.of != first_part.of)
            .then(|| format!("its shard is {part}, that of {} {first_part}", first_dir.display()));
        if let Some(what) = differs.or(parts) {
            let (dir, first) = (dir.display(), first_dir.display());
            return Err(format!("{dir}: is no shard of the hunt in {first}: {what}"));
        }
    }
    let parts: Vec<(&Path, Part)> =
        shards.iter().map(|(dir, part, _)| (dir.as_path(), *part)).collect();
    all_once(&parts, first_part.of)?;
    let whole = Plan { shard: None, ..first.plan.clone() };
    let mut merged = Report { build: first.build.clone(), ..Report::new(&whole) };
    for (dir, _, report) in shards {
        add(&mut merged, report, dir);
    }
    Ok(merged)
}

/// Whether each shard is there, and once.
fn all_once(parts: &[(&Path, Part)], of: u64) -> Result<(), String> {
    for (n, (dir, part)) in parts.iter().enumerate() {
        if let Some((before, _)) = parts[..n].iter().find(|(_, other)| other == part) {
            let (before, dir) = (before.display(), dir.display());
            return Err(format!("{before} and {dir} overlap: both are shard {part}"));
        }
    }
    let missing =
        (1..=of).map(|n| Part { n, of }).filter(|part| parts.iter().all(|(_, p)| p != part));
    let missing: Vec<String> = missing.map(|part| part.to_string()).collect();
    match missing.as_slice() {
        [] => Ok(()),
        [one] => Err(format!("shard {one} is missing")),
        several => Err(format!("shards {} are missing", several.join(", "))),
    }
}

fn add(merged: &mut Report, shard: Report, dir: &Path) {
    let numbers = |done: &Done| {
        let jobs = shard.plan.jobs().take_while(|job| job.place < done.end());
        let jobs = jobs.filter(|job| done.contains(job.place));
        jobs.map(|job| job.number).collect::<Vec<u64>>()
    };
    numbers(&shard.done).into_iter().for_each(|number| merged.done.insert(number));
    merged.held += shard.held;
    merged.failed += shard.failed;
    merged.broken += shard.broken;
    merged.seconds += shard.seconds;
    for (case, more) in merged.cases.iter_mut().zip(&shard.cases) {
        let CaseRuns { runs, seconds, .. } = more;
        case.runs += runs;
        case.seconds += seconds;
    }
    for mut failure in shard.failures {
        let place = |name: String| dir.join(name).to_string_lossy().into_owned();
        failure.recording = failure.recording.map(place);
        merged.add(failure);
    }
}
