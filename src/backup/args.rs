//! The command lines of `quorate backup` and `quorate restore`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

const BACKUP_EXAMPLES: &str = "\
Examples:
  quorate backup --from /var/lib/zookeeper --to /backups/zk --keep 14
  quorate backup --from /var/lib/zookeeper --admin 127.0.0.1:8080 --to s3://bucket/zk
  QUORATE_AUTHORIZATION='digest admin:secret' quorate backup --from 127.0.0.1:8080 --to /backups/zk
  quorate backup list /backups/zk
  quorate backup verify /backups/zk

The server may run meanwhile. What the target has with the same checksum is not sent again, and a backup
that was interrupted is gone on with by the same command.";

const RESTORE_EXAMPLES: &str = "\
Examples:
  quorate restore --from /backups/zk --to /var/lib/zookeeper
  quorate restore --from /backups/zk --to /var/lib/zookeeper --at 0x500001f3a
  quorate restore --from s3://bucket/zk --to /var/lib/zookeeper --at 2026-05-04T10:30:00Z

The directory must hold no version-2. Every server of the ensemble is to be restored from the same backup at
the same zxid, or to start empty; no other old data directory may join.";

#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, after_help = BACKUP_EXAMPLES)]
pub struct BackupArgs {
    #[command(subcommand)]
    pub(super) verb: Option<BackupVerb>,
    #[command(flatten)]
    pub(super) take: TakeArgs,
}

#[derive(Subcommand, Clone, Debug)]
pub(super) enum BackupVerb {
    /// The backups of a target, the newest first
    List {
        /// A directory, or s3://BUCKET/PREFIX
        target: String,
        /// As JSON, on standard output
        #[arg(long)]
        json: bool,
    },
    /// Reads a target and holds every byte of it against its checksum
    Verify {
        /// A directory, or s3://BUCKET/PREFIX
        target: String,
        /// This backup alone, by its id
        #[arg(long, value_name = "ID")]
        backup: Option<String>,
        /// As JSON, on standard output
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Clone, Debug)]
pub(super) struct TakeArgs {
    /// A dataDir, Apache ZooKeeper's too, or the admin port of a server, HOST:PORT
    #[arg(long, value_name = "DATADIR|HOST:PORT")]
    pub(super) from: Option<String>,
    /// A directory, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "DIR|s3://BUCKET/PREFIX")]
    pub(super) to: Option<String>,
    /// The dataLogDir, where the server has one
    #[arg(long, value_name = "DIR")]
    pub(super) data_log_dir: Option<PathBuf>,
    /// The admin port of the server whose dataDir it is: it says what is committed
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) admin: Option<String>,
    /// What to send as the header Authorization when the admin port is asked for a snapshot
    /// [env: QUORATE_AUTHORIZATION]
    #[arg(long, value_name = "SCHEME PROOF")]
    pub(super) authorization: Option<String>,
    /// How many of the newest snapshots, with all logs behind the oldest of them
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) snapshots: u32,
    /// Then remove all backups but the newest N, and what only they need
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) keep: Option<u32>,
    /// What was done as JSON, on standard output
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Clone, Debug)]
#[command(after_help = RESTORE_EXAMPLES)]
pub struct RestoreArgs {
    /// A directory, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "DIR|s3://BUCKET/PREFIX")]
    pub(super) from: String,
    /// A dataDir without a version-2
    #[arg(long, value_name = "DATADIR")]
    pub(super) to: PathBuf,
    /// The dataLogDir, where the server has one
    #[arg(long, value_name = "DIR")]
    pub(super) data_log_dir: Option<PathBuf>,
    /// This backup, by its id [default: the newest that holds the state]
    #[arg(long, value_name = "ID")]
    pub(super) backup: Option<String>,
    /// The state behind this transaction (0x500001f3a), or behind the last one at or before this time
    /// (2026-05-04T10:30:00Z) [default: the last that is known to be committed]
    #[arg(long, value_name = "ZXID|TIME")]
    pub(super) at: Option<String>,
    /// Also what the server had logged and nobody knows to be committed
    #[arg(long)]
    pub(super) uncommitted: bool,
    /// What was done as JSON, on standard output
    #[arg(long)]
    pub(super) json: bool,
}
