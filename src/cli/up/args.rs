//! The command line of `quorate up`.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "\
Examples:
  quorate up                                three servers at 127.0.0.1:2181-2183, gone with Ctrl-C
  quorate up --servers 5 --dir five         five, whose data is there again next time
  quorate up --observers 1 --keep           with an observer; data stays in quorate-data
  quorate up --standalone --port 0 --json   for scripts: one server, at a port that is free

While it runs in a terminal: 2k kills server 2, 2p pauses or resumes it, 2r starts it again, 2i cuts it
off from the others or joins it to them again; o opens the page of a server, q ends the ensemble. With
--json the same is read from standard input.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpArgs {
    /// How many servers that vote
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=99))]
    pub(super) servers: u16,
    /// How many observers beside them; their numbers follow
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=50))]
    pub(super) observers: u16,
    /// One server that stands alone, as --servers 1
    #[arg(long, conflicts_with_all = ["servers", "observers"])]
    pub(super) standalone: bool,
    /// Client port of the first server; the others follow it. Quorum ports are 1000, election ports
    /// 2000 and admin ports 3000 above. With 0 all of them are chosen among those that are free
    #[arg(long, default_value_t = 2181, value_parser = clap::value_parser!(u16).range(0..=62_350))]
    pub(super) port: u16,
    /// Where configurations, data and logs of the servers are, and stay [default: a temporary
    /// directory, removed at the end]
    #[arg(long)]
    pub(super) dir: Option<PathBuf>,
    /// Without --dir: data and logs stay, in quorate-data
    #[arg(long)]
    pub(super) keep: bool,
    /// Says everything as JSON, an object a line, and reads keys from standard input
    #[arg(long)]
    pub(super) json: bool,
    /// Ends when standard input ends: the parent is gone
    #[arg(long)]
    pub(super) attached: bool,
}

impl UpArgs {
    /// Servers that vote.
    pub(super) fn voters(&self) -> u16 {
        if self.standalone { 1 } else { self.servers }
    }

    /// Whether somebody can break things while it runs.
    pub(super) fn takes_keys(&self) -> bool {
        self.json || io::stdin().is_terminal()
    }

    /// The directory that stays, if one does.
    pub(super) fn dir_that_stays(&self) -> Option<PathBuf> {
        self.dir.clone().or_else(|| self.keep.then(|| "quorate-data".into()))
    }
}
