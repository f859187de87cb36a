//! Which transactions are wanted.

use clap::Args;

use super::numbers::{ZxidRange, parse_session, parse_time};
use crate::base::SessionId;
use crate::jute::txn::{
    CheckVersionTxn, CreateContainerTxn, CreateTtlTxn, CreateTxn, DeleteTxn, Proposal, SetAclTxn,
    SetDataTxn, Txn,
};

/// Those that all of these say.
#[derive(Args, Clone, Default, Debug)]
pub(super) struct Filter {
    /// Only what touches this node
    #[arg(long)]
    pub(super) path: Option<String>,
    /// With --path: the nodes below it too
    #[arg(long, requires = "path")]
    pub(super) subtree: bool,
    /// Only what this session did: 0x100007936dd0000
    #[arg(long, value_parser = parse_session)]
    pub(super) session: Option<SessionId>,
    /// Only these zxids: 0x10..0x20 (both included), 0x10.., ..0x20 or 0x10
    #[arg(long)]
    pub(super) zxid: Option<ZxidRange>,
    /// Only from this time on: 2026-11-21T11:25:56Z, or milliseconds since 1970
    #[arg(long, value_parser = parse_time)]
    pub(super) since: Option<i64>,
    /// Only up to this time
    #[arg(long, value_parser = parse_time)]
    pub(super) until: Option<i64>,
}

impl Filter {
    pub(super) fn wants(&self, proposal: &Proposal) -> bool {
        let header = &proposal.header;
        self.session.is_none_or(|session| session == header.client_id)
            && self.zxid.is_none_or(|range| (range.first..=range.last).contains(&header.zxid))
            && self.since.is_none_or(|since| header.time >= since)
            && self.until.is_none_or(|until| header.time <= until)
            && self.path.as_ref().is_none_or(|path| self.touches(path, &proposal.txn))
    }

    fn touches(&self, wanted: &str, txn: &Txn) -> bool {
        let mut touches = false;
        each_path(txn, &mut |path| {
            touches |= path == wanted || (self.subtree && is_below(path, wanted));
        });
        touches
    }
}

/// Whether the node of this path lies below the other.
fn is_below(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
}

/// Every node that a transaction names.
fn each_path(txn: &Txn, each: &mut impl FnMut(&str)) {
    match txn {
        Txn::Create(CreateTxn { path, .. })
        | Txn::CreateTtl(CreateTtlTxn { path, .. })
        | Txn::CreateContainer(CreateContainerTxn { path, .. })
        | Txn::Delete(DeleteTxn { path })
        | Txn::SetData(SetDataTxn { path, .. })
        | Txn::SetAcl(SetAclTxn { path, .. })
        | Txn::CheckVersion(CheckVersionTxn { path, .. }) => each(path),
        Txn::CloseSession(Some(closed)) => closed.paths_to_delete.iter().for_each(|p| each(p)),
        Txn::Multi(parts) => parts.iter().for_each(|(_, part)| each_path(part, each)),
        Txn::CloseSession(None) | Txn::CreateSession(_) | Txn::Error(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_node_is_what_has_it_and_a_slash_in_front() {
        assert!(is_below("/a/b", "/a") && is_below("/a", "/") && is_below("/a/b", "/a/"));
        assert!(!is_below("/ab", "/a") && !is_below("/a", "/a") && !is_below("/", "/"));
    }
}
