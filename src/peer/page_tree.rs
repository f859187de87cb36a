//! What the page for an operator is told of nodes and sessions: a bounded piece at a time.
//!
//! A node is shown to whoever might read it as a client with the same proofs: READ for stat, data and
//! children, READ or ADMIN for its ACL, in which digests are hidden from those without ADMIN.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::core::Peer;
use crate::admin::Answer;
use crate::admin::page::{self, DATA_BYTES_MAX, ITEMS_MAX, NodeQuestion, PathList, Refusal, Shut};
use crate::admin::page::{AclLine, Child, ConnectionShown, Content, NodeShown};
use crate::admin::page::{SessionShown, SessionsShown};
use crate::base::paths;
use crate::base::{ConnId, Now, SessionId};
use crate::jute::data::{Acl, Id, perms};
use crate::server::{ConnectionFlow, ConnectionLine};
use crate::tree::NodeView;

impl Peer {
    pub(super) fn answer_node(&mut self, now: Now, question: &NodeQuestion) -> Answer {
        if !self.config.admin.page_tree_enabled {
            return page::refused(Refusal::TreeOff);
        }
        if !self.serves() {
            return page::refused(Refusal::NotServing);
        }
        let proof = question.authorization.as_ref();
        let proof = proof.map(|proof| (proof.scheme.as_str(), &*proof.proof));
        let Some(ids) = self.service.visitor_ids(&question.client, proof) else {
            let may_fail = self.page.allowance.take(now.mono, page::Cost::WrongProof);
            return page::refused(if may_fail { Refusal::BadProof } else { Refusal::TooOften });
        };
        if !self.service.serves_ids(&ids) {
            return page::refused(Refusal::ProofWanted);
        }
        match self.node_shown(question, &ids) {
            Some(node) => page::node(&node),
            None => page::refused(Refusal::NoNode),
        }
    }

    fn node_shown<'a>(&'a self, question: &'a NodeQuestion, ids: &[Id]) -> Option<NodeShown<'a>> {
        let tree = self.db.tree();
        let path = question.path.as_str();
        let node = tree.view(path)?;
        let may = |perms, node: &NodeView<'_>| tree.acl_rules().check(&node.acl, perms, ids);
        let child = |name: &'a str| {
            let node = tree.view(&paths::join(path, name)).filter(|node| may(perms::READ, node));
            let seen =
                node.map(|node| (node.child_count as u64, node.data.map_or(0, <[u8]>::len) as u64));
            Child { name, seen }
        };
        let content = may(perms::READ, &node).then(|| {
            let names = node.child_names();
            let mut names = names.behind(question.behind.as_deref());
            let data = node.data.map(|data| {
                let begin = question.offset.min(data.len());
                (begin, &data[begin..data.len().min(begin + DATA_BYTES_MAX)])
            });
            let children = names.by_ref().take(ITEMS_MAX).map(child).collect();
            Content {
                stat: node.visible_stat(),
                data,
                children,
                more_children: names.next().is_some(),
            }
        });
        let acl = may(perms::READ | perms::ADMIN, &node).then(|| {
            let hides = !may(perms::ADMIN, &node);
            node.acl.iter().take(ITEMS_MAX).map(|acl| acl_line(acl, hides)).collect()
        });
        let asker = ids.iter().map(|id| format!("{}:{}", id.scheme, user_of(id))).collect();
        Some(NodeShown { path, asker, content: content.ok_or(Shut), acl: acl.ok_or(Shut) })
    }

    /// Sessions of the ensemble, and of this server alone.
    pub(super) fn sessions_from(&self, from: SessionId) -> SessionsShown {
        let mut page: BTreeMap<SessionId, (i32, bool)> = self
            .db
            .sessions()
            .iter_from(from)
            .take(ITEMS_MAX + 1)
            .map(|(id, timeout_ms)| (id, (timeout_ms, false)))
            .collect();
        if let Some(local) = self.service.local_sessions() {
            let local = local.iter_from(from).take(ITEMS_MAX + 1);
            page.extend(local.map(|(id, timeout_ms)| (id, (timeout_ms, true))));
        }
        let next = page.keys().nth(ITEMS_MAX).copied();
        if let Some(next) = next {
            page.split_off(&next);
        }
        let connections = self.service.connections_of(|session| page.contains_key(&session));
        let mut connections: BTreeMap<SessionId, ConnectionShown> = connections
            .map(|(session, conn, line, flow)| (session, self.connection_shown(conn, line, flow)))
            .collect();
        let sessions = page.into_iter().map(|(id, (timeout_ms, is_local))| SessionShown {
            id,
            timeout_ms,
            is_local,
            ephemerals: self.db.tree().ephemerals_of(id) as u64,
            connection: connections.remove(&id),
        });
        SessionsShown {
            sessions: sessions.collect(),
            next,
            total: self.db.sessions().len() as u64,
            local: self.service.local_session_count() as u64,
        }
    }

    fn connection_shown(
        &self,
        conn: ConnId,
        line: ConnectionLine,
        flow: ConnectionFlow,
    ) -> ConnectionShown {
        let [data, child] = self.service.watched_by(conn).map(|paths| paths.len() as u64);
        let session = line.session.as_ref();
        ConnectionShown {
            queued: line.queued as u64,
            received: line.received,
            sent: line.sent,
            unread_bytes: flow.unread_bytes as u64,
            is_paused: flow.is_paused,
            established_ms: session.map_or(0, |session| session.established_ms),
            latency_avg_ms: session.map_or(0, |session| session.latency_avg_ms),
            latency_max_ms: session.map_or(0, |session| session.latency_max_ms),
            data_watches: data,
            child_watches: child,
            address: line.peer,
        }
    }

    /// A page of the paths of a session, and whether there are more. Watches are of connections to this
    /// server alone.
    pub(super) fn paths_of(
        &self,
        session: SessionId,
        list: PathList,
        behind: Option<&str>,
    ) -> (Vec<&str>, bool) {
        if list == PathList::Ephemerals {
            return page_of(self.db.tree().ephemerals_behind(session, behind));
        }
        let conn = self.service.connections_of(|other| other == session).next();
        let Some((_, conn, ..)) = conn else { return (Vec::new(), false) };
        let [data, child] = self.service.watched_by(conn);
        page_of(behind_in(if list == PathList::DataWatches { data } else { child }, behind))
    }
}

fn behind_in<'a>(
    paths: &'a BTreeSet<Arc<str>>,
    behind: Option<&str>,
) -> impl Iterator<Item = &'a str> {
    let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
    paths.range::<str, _>((from, Bound::Unbounded)).map(|path| &**path)
}

fn page_of<'a>(mut paths: impl Iterator<Item = &'a str>) -> (Vec<&'a str>, bool) {
    let page = paths.by_ref().take(ITEMS_MAX).collect();
    (page, paths.next().is_some())
}

fn acl_line(acl: &Acl, hides_digests: bool) -> AclLine {
    let Acl { perms, id } = acl;
    let hides = hides_digests && id.scheme == "digest" && id.id.contains(':');
    let shown = if hides { format!("{}:x", user_of(id)) } else { id.id.clone() };
    AclLine { perms: *perms, scheme: id.scheme.clone(), id: shown }
}

/// Of a digest the user alone.
fn user_of(id: &Id) -> &str {
    match id.scheme.as_str() {
        "digest" => id.id.split(':').next().unwrap_or_default(),
        _ => &id.id,
    }
}
