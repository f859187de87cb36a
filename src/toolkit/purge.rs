//! `quorate purge`: old snapshots and logs go, by the rule by which a server purges. (PurgeTxnLog)
//!
//! Not here: which files those are (storage/purge.rs).

use std::io::Write;
use std::path::{Path, PathBuf};

use super::args::PurgeArgs;
use super::error::ToolError;
use super::files::{self, layout_of};
use super::output::{Output, counted};
use super::verdict::{Disk, Verdict};
use crate::config::{Environment, ServerConfig};
use crate::storage::PurgePlan;

/// (PurgeTxnLog.COUNT_ERR_MSG)
const COUNT_MIN: usize = 3;

pub(super) async fn run(args: &PurgeArgs, disk: &Disk, output: &mut Output) -> Verdict {
    if args.count < COUNT_MIN {
        return Err(ToolError::Invalid("count should be greater than or equal to 3".to_owned()));
    }
    let (log_dir, snap_dir) = match &args.log_dir {
        Some(log_dir) => (log_dir.clone(), args.snap_dir.clone().unwrap_or(log_dir.clone())),
        None => configured(args.config.as_deref())?,
    };
    let log_dir = directory(disk, &log_dir).await?;
    let snap_dir = directory(disk, &snap_dir).await?;
    let layout = layout_of(&snap_dir, &log_dir);
    let plan = PurgePlan::of(disk, &layout, args.count).await?;
    if plan.kept.is_empty() {
        return Err(ToolError::Failed(format!(
            "there is no valid snapshot in {}: nothing may be removed, since a start would need every \
             log. quorate snapshot verify says what is wrong with each",
            snap_dir.display()
        )));
    }
    let snapshots = plan.old_snapshots.iter().map(|snapshot| snap_dir.join(&snapshot.name));
    let logs = plan.old_logs.iter().map(|log| layout.log(log.first));
    let doing = if args.dry_run { "Would remove file:" } else { "Removing file:" };
    for path in logs.chain(snapshots) {
        writeln!(output, "{doing} {}", path.display())?;
    }
    let (removed, kept) = (counted(plan.files() as u64, "file"), plan.kept.len() as u64);
    if args.dry_run {
        writeln!(output, "{removed} to remove; {} kept", counted(kept, "valid snapshot"))?;
        return Ok(true);
    }
    // Said before it is done: what was removed is known even if the disk fails.
    output.flush()?;
    plan.carry_out(disk, &layout).await?;
    writeln!(output, "{removed} removed; {} kept", counted(kept, "valid snapshot"))?;
    Ok(true)
}

/// dataLogDir and dataDir of a zoo.cfg: the one that is named, or that which zkCleanup.sh takes. (zkEnv.sh)
fn configured(named: Option<&Path>) -> Result<(PathBuf, PathBuf), ToolError> {
    let variable =
        |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let beside = || Some(PathBuf::from("conf")).filter(|dir| dir.is_dir());
    let dir = variable("ZOOCFGDIR").or_else(beside).unwrap_or_else(|| "/etc/zookeeper".into());
    let found = || dir.join(variable("ZOOCFG").unwrap_or_else(|| "zoo.cfg".into()));
    let file = named.map_or_else(found, Path::to_path_buf);
    let dir = file.parent().unwrap_or(&dir);
    let loaded = Environment::of_process(dir).and_then(|known| ServerConfig::load(&file, &known));
    let config = match loaded {
        Ok(loaded) => loaded.config,
        Err(mistakes) => {
            let why = mistakes.errors.first().map_or(String::new(), |error| format!(": {error}"));
            let file = file.display();
            return Err(ToolError::Invalid(format!(
                "name dataLogDir and dataDir, or --config: {file} does not say them{why}"
            )));
        }
    };
    Ok((config.data_log_dir, config.data_dir))
}

async fn directory(disk: &Disk, path: &Path) -> Result<PathBuf, ToolError> {
    let dir = files::directory(disk, path).await?;
    dir.ok_or_else(|| ToolError::Invalid(format!("{} is no directory", path.display())))
}
