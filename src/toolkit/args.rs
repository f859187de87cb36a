//! The commands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::filter::Filter;
use super::numbers::parse_zxid;
use crate::base::Zxid;

#[derive(Subcommand, Debug)]
pub enum ToolCommand {
    /// Prints, checks, repairs and cuts transaction logs
    Txnlog(Box<TxnlogArgs>),
    /// As Apache's zkTxnLogToolkit.sh
    #[command(name = "zkTxnLogToolkit", hide = true)]
    TxnlogScript(TxnlogScriptArgs),
    /// Prints, checks, measures and compares snapshots
    Snapshot(Box<SnapshotArgs>),
    /// As Apache's zkSnapShotToolkit.sh
    #[command(name = "zkSnapShotToolkit", hide = true)]
    SnapshotScript(SnapshotScriptArgs),
    /// As Apache's zkSnapshotRecursiveSummaryToolkit.sh
    #[command(name = "zkSnapshotRecursiveSummaryToolkit", hide = true)]
    SummaryScript(SummaryScriptArgs),
    /// As Apache's zkSnapshotComparer.sh
    #[command(name = "zkSnapshotComparer", hide = true)]
    ComparerScript(ComparerScriptArgs),
    /// Removes old snapshots and logs, as Apache's zkCleanup.sh
    Purge(PurgeArgs),
    /// Who did what to a node, as far back as the logs go
    History(HistoryArgs),
}

#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  \
        quorate txnlog /var/lib/zookeeper\n  \
        quorate txnlog /var/lib/zookeeper/version-2/log.3a --path /app --subtree --json\n  \
        quorate txnlog verify /var/lib/zookeeper\n\n\
        No file is changed. Exit code: 0 all is sound, 1 something is damaged, 2 the command or a file \
        is wrong."
)]
pub struct TxnlogArgs {
    #[command(subcommand)]
    pub(super) verb: Option<TxnlogVerb>,
    /// Logs, or directories in which they lie
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(super) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) filter: Filter,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum TxnlogVerb {
    /// Says whether logs are whole, what is damaged, and what of it can be saved
    #[command(after_help = "Example:\n  quorate txnlog verify /var/lib/zookeeper")]
    Verify {
        /// Logs, or directories in which they lie
        #[arg(required = true, value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
        /// One JSON object a file
        #[arg(long)]
        json: bool,
    },
    /// Writes what stands in front of all damage into a new file
    #[command(after_help = "Example:\n  quorate txnlog recover log.3a --output log.3a.fixed")]
    Recover {
        file: PathBuf,
        /// The new file; it may not exist
        #[arg(long, short, value_name = "NEW")]
        output: PathBuf,
        /// Records whose checksum alone is wrong are taken with a new one: look at them first
        #[arg(long)]
        fix_checksums: bool,
    },
    /// Writes the transactions up to a zxid into a new file
    #[command(
        after_help = "Example:\n  quorate txnlog chop log.3a --zxid 0x3c --output log.3a.new"
    )]
    Chop {
        file: PathBuf,
        /// The last transaction that is kept
        #[arg(long, short, value_parser = parse_zxid)]
        zxid: Zxid,
        /// The new file; it may not exist
        #[arg(long, short, value_name = "NEW")]
        output: PathBuf,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  zkTxnLogToolkit.sh -d /var/lib/zookeeper/version-2/log.3a")]
pub struct TxnlogScriptArgs {
    /// Prints every transaction; what is done if nothing is said
    #[arg(short, long)]
    pub(super) dump: bool,
    /// Writes FILE.fixed, with new checksums where they are wrong
    #[arg(short, long)]
    pub(super) recover: bool,
    /// With -r: prints every transaction, not only those that are fixed
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// With -r: fixes without asking
    #[arg(short, long)]
    pub(super) yes: bool,
    /// With -z: writes FILE.choppedZXID, which ends with that transaction
    #[arg(short, long)]
    pub(super) chop: bool,
    #[arg(short, long, value_parser = parse_zxid)]
    pub(super) zxid: Option<Zxid>,
    /// A transaction log
    pub(super) file: PathBuf,
}

#[derive(Args, Debug)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:\n  \
        quorate snapshot /var/lib/zookeeper/version-2/snapshot.39\n  \
        quorate snapshot stats /var/lib/zookeeper/version-2/snapshot.39\n  \
        quorate snapshot verify /var/lib/zookeeper\n\n\
        No file is changed. Exit code: 0 all is sound, 1 something is damaged, 2 the command or a file \
        is wrong."
)]
pub struct SnapshotArgs {
    #[command(subcommand)]
    pub(super) verb: Option<SnapshotVerb>,
    /// Snapshots, packed or not, or directories in which they lie
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(super) file: Vec<PathBuf>,
    /// The data of each node too, as base64
    #[arg(long, short)]
    pub(super) data: bool,
    /// For ncdu, as Apache's -json
    #[arg(long, conflicts_with = "data")]
    pub(super) json: bool,
}

#[derive(Subcommand, Debug)]
pub(super) enum SnapshotVerb {
    /// Says whether snapshots are whole, and what is damaged
    #[command(after_help = "Example:\n  quorate snapshot verify /var/lib/zookeeper")]
    Verify {
        /// Snapshots, or directories in which they lie
        #[arg(required = true, value_name = "FILE|DIR")]
        paths: Vec<PathBuf>,
        /// One JSON object a file
        #[arg(long)]
        json: bool,
    },
    /// Counts, the largest nodes and subtrees, and who owns ephemerals
    #[command(after_help = "Example:\n  quorate snapshot stats snapshot.39 --top 20")]
    Stats {
        file: PathBuf,
        /// How many are listed of each kind
        #[arg(long, default_value_t = 10)]
        top: usize,
    },
    /// What was added, removed and changed between two snapshots, or by the logs behind one
    #[command(after_help = "Examples:\n  quorate snapshot compare snapshot.0 snapshot.39\n  \
        quorate snapshot compare snapshot.39 --logs /var/lib/zookeeper")]
    Compare {
        old: PathBuf,
        #[arg(conflicts_with = "logs")]
        new: Option<PathBuf>,
        /// The directory of the logs
        #[arg(long, value_name = "DIR")]
        logs: Option<PathBuf>,
    },
}

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  zkSnapShotToolkit.sh -d /var/lib/zookeeper/version-2/snapshot.39"
)]
pub struct SnapshotScriptArgs {
    /// The data of each node, as base64
    #[arg(short)]
    pub(super) data: bool,
    /// For ncdu; Apache's -json
    #[arg(long)]
    pub(super) json: bool,
    /// A snapshot
    pub(super) file: PathBuf,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  zkSnapshotRecursiveSummaryToolkit.sh snapshot.39 / 2")]
pub struct SummaryScriptArgs {
    /// A snapshot
    pub(super) file: PathBuf,
    /// The node where it begins
    pub(super) start: String,
    /// Levels below it that are shown; 0: all
    pub(super) depth: usize,
}

#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  zkSnapshotComparer.sh -l snapshot.0 -r snapshot.39 -b 1024 -n 10"
)]
pub struct ComparerScriptArgs {
    /// The left snapshot
    #[arg(short, long)]
    pub(super) left: PathBuf,
    /// The right snapshot
    #[arg(short, long)]
    pub(super) right: PathBuf,
    /// Nodes whose size differs by more bytes are shown
    #[arg(short, long)]
    pub(super) bytes: i64,
    /// Nodes with so many nodes more or less below them are shown
    #[arg(short, long)]
    pub(super) nodes: i64,
    /// Says what is compared
    #[arg(short, long)]
    pub(super) debug: bool,
    /// Asks what is to be shown
    #[arg(short, long)]
    pub(super) interactive: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  quorate purge /var/lib/zookeeper -n 3 --dry-run\n  \
    quorate purge /var/lib/zookeeper-log /var/lib/zookeeper -n 5\n  \
    quorate purge --config /etc/zookeeper/conf/zoo.cfg -n 3")]
pub struct PurgeArgs {
    /// dataLogDir: where the logs are. If it is not named, both are those of the configuration
    #[arg(value_name = "dataLogDir")]
    pub(super) log_dir: Option<PathBuf>,
    /// dataDir, if the snapshots are elsewhere
    #[arg(value_name = "snapDir")]
    pub(super) snap_dir: Option<PathBuf>,
    /// How many snapshots are kept, with the logs that they need; 3 or more
    #[arg(short = 'n', long)]
    pub(super) count: usize,
    /// The configuration [env: ZOOCFGDIR, ZOOCFG]
    #[arg(long, value_name = "zoo.cfg", conflicts_with = "log_dir")]
    pub(super) config: Option<PathBuf>,
    /// Only says what would be removed
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  quorate history /app/config --dir /var/lib/zookeeper\n\n\
    A session's address and user stand in no log of transactions: the audit log has them.")]
pub struct HistoryArgs {
    /// The path of a node
    pub(super) path: String,
    /// dataDir
    #[arg(long, value_name = "DATADIR")]
    pub(super) dir: PathBuf,
    /// dataLogDir, if the logs are elsewhere
    #[arg(long, value_name = "DIR")]
    pub(super) log_dir: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    pub(super) json: bool,
}
