//! What can be asked, and what of it is measured.

use clap::ValueEnum;

/// What is measured, a row of the table each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Op {
    Get,
    Set,
    Create,
    Delete,
    Exists,
    Children,
    Multi,
    /// A get that leaves a watch.
    Watch,
    /// From the set to the event of a watch: no request, and no reply.
    Event,
    Sync,
}

impl Op {
    pub(super) const ALL: [Op; 10] = [
        Op::Get,
        Op::Set,
        Op::Create,
        Op::Delete,
        Op::Exists,
        Op::Children,
        Op::Multi,
        Op::Watch,
        Op::Event,
        Op::Sync,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Op::Get => "get",
            Op::Set => "set",
            Op::Create => "create",
            Op::Delete => "delete",
            Op::Exists => "exists",
            Op::Children => "children",
            Op::Multi => "multi",
            Op::Watch => "watch",
            Op::Event => "event",
            Op::Sync => "sync",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Load {
    /// getData of a random node
    Get,
    /// setData of a random node
    Set,
    /// A new node each
    Create,
    /// A new node, then its delete: a row each
    Delete,
    /// exists of a random node
    Exists,
    /// getChildren of a random node, which has --children
    Children,
    /// A transaction of --batch setData
    Multi,
    /// Set a watch, change the node, count the event
    Watch,
    /// --reads per cent get, the others set
    Mix,
    /// Sessions that only ping
    Idle,
    /// Nothing: create the nodes, and with --keep leave them
    None,
}

impl Load {
    /// What most of its requests are.
    pub(super) fn op(self) -> Op {
        match self {
            Load::Get | Load::Mix | Load::Idle | Load::None => Op::Get,
            Load::Set => Op::Set,
            Load::Create => Op::Create,
            Load::Delete => Op::Delete,
            Load::Exists => Op::Exists,
            Load::Children => Op::Children,
            Load::Multi => Op::Multi,
            Load::Watch => Op::Watch,
        }
    }
}
