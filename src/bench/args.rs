//! The command line of `quorate bench`.

use std::path::PathBuf;

use clap::Args;

use super::op::Load;

const EXAMPLES: &str = "\
Examples:
  quorate bench 127.0.0.1:2181,127.0.0.1:2182 --op mix --reads 90 --seconds 10
  quorate bench 127.0.0.1:2181 --op set --rate 500 --html set.html
  quorate bench --compare 127.0.0.1:2181 127.0.0.1:2191 --op create --rounds 3

Nodes are made below one of its own and removed at the end; --keep leaves them.";

#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// Servers: HOST:PORT[,HOST:PORT...]; connections are spread over them in turn
    #[arg(required_unless_present = "compare", conflicts_with = "compare")]
    pub(super) servers: Option<String>,
    /// Two targets, each a list of servers: run in turn, with the ratio of the second to the first
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    pub(super) compare: Option<Vec<String>>,
    /// With --compare: how often each is run
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) rounds: u32,
    /// With --compare: where the rate of fdatasync is measured before each run
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) disk: PathBuf,
    #[command(flatten)]
    pub(super) load: LoadArgs,
    /// The result as JSON, too; - is standard output, in place of the table
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// The result as a page with plots, too
    #[arg(long, value_name = "FILE", conflicts_with = "compare")]
    pub(super) html: Option<PathBuf>,
    /// No line a second while it runs
    #[arg(long)]
    pub(super) quiet: bool,
}

#[derive(Args, Clone, Debug)]
pub(super) struct LoadArgs {
    /// What is asked
    #[arg(long, value_enum, default_value_t = Load::Mix)]
    pub(super) op: Load,
    /// With --op mix: per cent of reads [default: 90]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(super) reads: Option<u8>,
    /// Sessions
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) connections: u32,
    /// Requests in flight on each connection
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) outstanding: u32,
    /// Bytes of a value
    #[arg(long, default_value_t = 100)]
    pub(super) value_bytes: usize,
    /// Nodes that are read and set, created beforehand
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(super) nodes: u64,
    /// Digits of a node's name [default: 7, or as many as --nodes needs]
    #[arg(long)]
    pub(super) name_bytes: Option<usize>,
    /// With --op children: how many each node has
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=10_000))]
    pub(super) children: u64,
    /// With --op multi: how many setData are one
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) batch: u32,
    /// How long is measured
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    pub(super) seconds: f64,
    /// How long the load runs before that
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub(super) warmup: f64,
    /// So many requests in all in place of --seconds, and no warmup
    #[arg(long, value_name = "N", conflicts_with_all = ["seconds", "warmup"], value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) operations: Option<u64>,
    /// An open loop: so many operations a second, whose latency counts from when each is due
    #[arg(long, value_name = "PER_SECOND")]
    pub(super) rate: Option<f64>,
    /// The session timeout that is asked for
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(i32).range(100..))]
    pub(super) session_timeout_ms: i32,
    /// Below which node all happens; may exist [default: /quorate-bench-XXXXXXXX]
    #[arg(long, value_name = "PATH")]
    pub(super) root: Option<String>,
    /// Leave what was created
    #[arg(long)]
    pub(super) keep: bool,
}

const DAY: f64 = 86_400.0;

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=DAY).contains(&seconds) => Ok(seconds),
        _ => Err("give seconds, such as 10 or 0.5".into()),
    }
}
