//! Whole trees over the wire, and many requests in one go.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use quorate::jute::Jute;
use quorate::jute::client::{GetChildren2Response, GetDataResponse, code, op};
use quorate::jute::data::Stat;

use super::client::{Client, Failure, Session, path_watch, set_request};

/// Data, Stat and sorted children of every node but those below /zookeeper.
pub(crate) type Tree = BTreeMap<String, (Option<Bytes>, Stat, Vec<String>)>;

/// Requests on their way at once.
const PIPELINE_MAX: usize = 200;

/// The tree as this server shows it after a sync, so with all that was acknowledged before.
#[track_caller]
pub(crate) fn read_tree(address: SocketAddr) -> Tree {
    let mut client = Client::reach(&[address], &Session::new(30_000));
    let tree = try_read_tree(&mut client).expect("the server goes on serving");
    client.close_session().expect("the server goes on serving");
    tree
}

fn try_read_tree(client: &mut Client) -> Result<Tree, Failure> {
    client.sync("/")?;
    let mut tree = Tree::new();
    let mut level = vec!["/".to_string()];
    while !level.is_empty() {
        let mut next = Vec::new();
        for paths in level.chunks(PIPELINE_MAX / 2) {
            for path in paths {
                client.send(op::GET_DATA, &path_watch(path, false))?;
                client.send(op::GET_CHILDREN2, &path_watch(path, false))?;
            }
            for path in paths {
                let (head, mut body) = client.receive()?;
                assert_eq!(head.err, code::OK, "get {path}");
                let got = GetDataResponse::decode(&mut body).expect("a GetDataResponse");
                let (head, mut body) = client.receive()?;
                assert_eq!(head.err, code::OK, "ls {path}");
                let listed = GetChildren2Response::decode(&mut body).expect("children");
                let mut children = listed.children;
                children.retain(|name| path != "/" || name != "zookeeper");
                children.sort();
                let parent = if path == "/" { "" } else { path };
                next.extend(children.iter().map(|name| format!("{parent}/{name}")));
                tree.insert(path.clone(), (got.data, got.stat, children));
            }
        }
        level = next;
    }
    Ok(tree)
}

/// Sets `path` this many times, to its number each time, many requests in one go.
pub(crate) fn pipeline_sets(client: &mut Client, path: &str, count: usize) -> Result<(), Failure> {
    let mut sent = 0;
    while sent < count {
        let batch = PIPELINE_MAX.min(count - sent);
        for n in sent..sent + batch {
            client.send(op::SET_DATA, &set_request(path, &n.to_string()))?;
        }
        for _ in 0..batch {
            let (head, _) = client.receive()?;
            assert_eq!(head.err, code::OK, "set {path}");
        }
        sent += batch;
    }
    Ok(())
}
