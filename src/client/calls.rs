//! What can be asked of a server, one method an operation.      (ZooKeeper, ZooKeeperAdmin)
//!
//! Paths are the client's, below its chroot; a failure has the server's code. `watch`: the next change is
//! an event.

use bytes::Bytes;

use super::failure::Failure;
use super::handle::Client;
use super::request::{Afterwards, WatchedAs};
use crate::base::paths;
use crate::jute::client::{
    AddWatchRequest, ClientInfo, CreateRequest, CreateResponse, CreateTtlRequest, DeleteRequest,
    GetAclResponse, GetAllChildrenNumberResponse, GetChildren2Response, GetChildrenResponse,
    GetDataResponse, GetEphemeralsRequest, GetEphemeralsResponse, MultiHeader, PathRequest,
    PathWatchRequest, ReconfigRequest, SetAclRequest, SetDataRequest, StatResponse,
    WatcherTypeRequest, WhoAmIResponse, add_watch_mode, code, create_flags, op,
};
use crate::jute::data::{Acl, Stat};
use crate::jute::{Jute, Reader};

/// What is created. (CreateMode)
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CreateMode {
    pub ephemeral: bool,
    pub sequential: bool,
    pub container: bool,
    /// The node goes when it has had no change for so many milliseconds and has no children.
    pub ttl_ms: Option<i64>,
}

impl CreateMode {
    fn flags(self) -> i32 {
        match self {
            CreateMode { container: true, .. } => create_flags::CONTAINER,
            CreateMode { ttl_ms: Some(_), sequential: true, .. } => create_flags::SEQUENTIAL_TTL,
            CreateMode { ttl_ms: Some(_), .. } => create_flags::TTL,
            CreateMode { ephemeral, sequential, .. } => {
                let bit = |is_set: bool, flag| if is_set { flag } else { 0 };
                bit(ephemeral, create_flags::EPHEMERAL) | bit(sequential, create_flags::SEQUENTIAL)
            }
        }
    }
}

/// How an ensemble changes; what is `None` stays. (ZooKeeperAdmin.reconfigure)
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reconfiguration {
    pub joining: Option<String>,
    pub leaving: Option<String>,
    pub members: Option<String>,
    /// The version of the configuration that must stand; -1 is any.
    pub from_version: i64,
}

/// One write of several that are done together. (Op)
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Write {
    Create {
        path: String,
        data: Option<Bytes>,
        acl: Vec<Acl>,
        mode: CreateMode,
    },
    /// Whatever the version.
    SetData {
        path: String,
        data: Option<Bytes>,
    },
}

impl Client {
    /// The path that the node got.
    pub async fn create(
        &self,
        path: &str,
        data: Option<Bytes>,
        acl: Vec<Acl>,
        mode: CreateMode,
    ) -> Result<String, Failure> {
        let (path, acl, flags) = (self.placed(path), Some(acl), mode.flags());
        let created: CreateResponse = match mode.ttl_ms {
            Some(ttl) => {
                let request = CreateTtlRequest { path, data, acl, flags, ttl };
                self.call(op::CREATE_TTL, &request, Afterwards::Nothing).await?
            }
            None => {
                let op = if mode.container { op::CREATE_CONTAINER } else { op::CREATE };
                let request = CreateRequest { path, data, acl, flags };
                self.call(op, &request, Afterwards::Nothing).await?
            }
        };
        Ok(self.seen(&created.path))
    }

    /// `version`: the node must have this one; -1 is any.
    pub async fn delete(&self, path: &str, version: i32) -> Result<(), Failure> {
        let request = DeleteRequest { path: self.placed(path), version };
        self.ask(op::DELETE, request.to_jute(), Afterwards::Nothing).await.map(drop)
    }

    /// Deletes all of these or none, whatever their versions.
    pub async fn delete_together(&self, doomed: &[String]) -> Result<(), Failure> {
        let mut body = Vec::new();
        for path in doomed {
            MultiHeader { kind: op::DELETE, done: false, err: -1 }.encode(&mut body);
            DeleteRequest { path: self.placed(path), version: -1 }.encode(&mut body);
        }
        MultiHeader { kind: -1, done: true, err: -1 }.encode(&mut body);
        let answer = self.ask(op::MULTI, body, Afterwards::Nothing).await?;
        failure_in(answer).map_or(Ok(()), |(_, failure)| Err(failure))
    }

    /// Does all of these or none. A failure comes with the place of the write that failed, if it was one
    /// of them.
    pub async fn write_together(&self, writes: &[Write]) -> Result<(), (Option<usize>, Failure)> {
        let mut body = Vec::new();
        for write in writes {
            self.encode_write(write, &mut body);
        }
        MultiHeader { kind: -1, done: true, err: -1 }.encode(&mut body);
        let answer = self.ask(op::MULTI, body, Afterwards::Nothing).await;
        let failed = failure_in(answer.map_err(|failure| (None, failure))?);
        failed.map_or(Ok(()), |(at, failure)| Err((Some(at), failure)))
    }

    fn encode_write(&self, write: &Write, body: &mut Vec<u8>) {
        let head = |kind| MultiHeader { kind, done: false, err: -1 };
        match write.clone() {
            Write::Create { path, data, acl, mode } => {
                let (path, acl, flags) = (self.placed(&path), Some(acl), mode.flags());
                match mode.ttl_ms {
                    Some(ttl) => {
                        head(op::CREATE_TTL).encode(body);
                        CreateTtlRequest { path, data, acl, flags, ttl }.encode(body);
                    }
                    None => {
                        head(if mode.container { op::CREATE_CONTAINER } else { op::CREATE })
                            .encode(body);
                        CreateRequest { path, data, acl, flags }.encode(body);
                    }
                }
            }
            Write::SetData { path, data } => {
                head(op::SET_DATA).encode(body);
                SetDataRequest { path: self.placed(&path), data, version: -1 }.encode(body);
            }
        }
    }

    /// A node that is not there is NONODE, and watched all the same.
    pub async fn exists(&self, path: &str, watch: bool) -> Result<Stat, Failure> {
        let found: StatResponse = self.read(op::EXISTS, path, watch, WatchedAs::Exists).await?;
        Ok(found.stat)
    }

    pub async fn get_data(
        &self,
        path: &str,
        watch: bool,
    ) -> Result<(Option<Bytes>, Stat), Failure> {
        let found: GetDataResponse = self.read(op::GET_DATA, path, watch, WatchedAs::Data).await?;
        Ok((found.data, found.stat))
    }

    pub async fn get_children(
        &self,
        path: &str,
        watch: bool,
    ) -> Result<(Vec<String>, Stat), Failure> {
        let found: GetChildren2Response =
            self.read(op::GET_CHILDREN2, path, watch, WatchedAs::Children).await?;
        Ok((found.children, found.stat))
    }

    /// Without the stat.
    pub async fn get_names(&self, path: &str) -> Result<Vec<String>, Failure> {
        let found: GetChildrenResponse =
            self.read(op::GET_CHILDREN, path, false, WatchedAs::Children).await?;
        Ok(found.children)
    }

    async fn read<T: Jute>(
        &self,
        op: i32,
        path: &str,
        watch: bool,
        kind: WatchedAs,
    ) -> Result<T, Failure> {
        self.read_at(op, self.placed(path), watch, kind).await
    }

    async fn read_at<T: Jute>(
        &self,
        op: i32,
        path: String,
        watch: bool,
        kind: WatchedAs,
    ) -> Result<T, Failure> {
        let afterwards = match watch {
            true => Afterwards::Watch { path: path.clone(), kind },
            false => Afterwards::Nothing,
        };
        self.call(op, &PathWatchRequest { path, watch }, afterwards).await
    }

    pub async fn set_data(
        &self,
        path: &str,
        data: Option<Bytes>,
        version: i32,
    ) -> Result<Stat, Failure> {
        let request = SetDataRequest { path: self.placed(path), data, version };
        let set: StatResponse = self.call(op::SET_DATA, &request, Afterwards::Nothing).await?;
        Ok(set.stat)
    }

    pub async fn get_acl(&self, path: &str) -> Result<(Vec<Acl>, Stat), Failure> {
        let request = PathRequest { path: self.placed(path) };
        let found: GetAclResponse = self.call(op::GET_ACL, &request, Afterwards::Nothing).await?;
        Ok((found.acl, found.stat))
    }

    pub async fn set_acl(&self, path: &str, acl: Vec<Acl>, version: i32) -> Result<Stat, Failure> {
        let request = SetAclRequest { path: self.placed(path), acl: Some(acl), version };
        let set: StatResponse = self.call(op::SET_ACL, &request, Afterwards::Nothing).await?;
        Ok(set.stat)
    }

    /// What was written before, by whomever, is seen by reads behind this.
    pub async fn sync(&self, path: &str) -> Result<(), Failure> {
        let request = PathRequest { path: self.placed(path) };
        self.ask(op::SYNC, request.to_jute(), Afterwards::Nothing).await.map(drop)
    }

    pub async fn add_watch(&self, path: &str, kind: WatchedAs) -> Result<(), Failure> {
        let path = self.placed(path);
        let mode = match kind {
            WatchedAs::Persistent => add_watch_mode::PERSISTENT,
            _ => add_watch_mode::PERSISTENT_RECURSIVE,
        };
        let request = AddWatchRequest { path: path.clone(), mode };
        let afterwards = Afterwards::Watch { path, kind };
        self.ask(op::ADD_WATCH, request.to_jute(), afterwards).await.map(drop)
    }

    /// `kind`: of `watcher_type`. `local`: also without a connection.
    pub async fn remove_watches(&self, path: &str, kind: i32, local: bool) -> Result<(), Failure> {
        let path = self.placed(path);
        let request = WatcherTypeRequest { path: path.clone(), kind };
        let afterwards = Afterwards::Unwatch { path, kind, local };
        self.ask(op::REMOVE_WATCHES, request.to_jute(), afterwards).await.map(drop)
    }

    /// This session's ephemeral nodes below that path.
    pub async fn get_ephemerals(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let request = GetEphemeralsRequest { prefix_path: Some(self.placed(prefix)) };
        let found: GetEphemeralsResponse =
            self.call(op::GET_EPHEMERALS, &request, Afterwards::Nothing).await?;
        Ok(found.ephemerals.iter().map(|path| self.seen(path)).collect())
    }

    pub async fn get_all_children_number(&self, path: &str) -> Result<i32, Failure> {
        let request = PathRequest { path: self.placed(path) };
        let found: GetAllChildrenNumberResponse =
            self.call(op::GET_ALL_CHILDREN_NUMBER, &request, Afterwards::Nothing).await?;
        Ok(found.total_number)
    }

    /// Who this client is to the server.
    pub async fn who_am_i(&self) -> Result<Vec<ClientInfo>, Failure> {
        let answer = self.ask(op::WHO_AM_I, Vec::new(), Afterwards::Nothing).await?;
        let read = WhoAmIResponse::decode(&mut Reader::new(answer));
        read.map(|read| read.client_info).map_err(|error| Failure {
            why: Some(error.to_string()),
            ..Failure::of(code::MARSHALLING_ERROR)
        })
    }

    /// The configuration of the ensemble. No chroot has one of its own.
    pub async fn get_config(&self, watch: bool) -> Result<(Option<Bytes>, Stat), Failure> {
        let path = paths::CONFIG.to_owned();
        let found: GetDataResponse =
            self.read_at(op::GET_DATA, path, watch, WatchedAs::Data).await?;
        Ok((found.data, found.stat))
    }

    /// The configuration that stands afterwards.
    pub async fn reconfigure(
        &self,
        change: Reconfiguration,
    ) -> Result<(Option<Bytes>, Stat), Failure> {
        let request = ReconfigRequest {
            joining_servers: change.joining,
            leaving_servers: change.leaving,
            new_members: change.members,
            cur_config_id: change.from_version,
        };
        let done: GetDataResponse = self.call(op::RECONFIG, &request, Afterwards::Nothing).await?;
        Ok((done.data, done.stat))
    }
}

/// The first operation of a multi that failed by itself, and its place: those behind it are
/// RUNTIMEINCONSISTENCY.
fn failure_in(answer: Bytes) -> Option<(usize, Failure)> {
    let mut reader = Reader::new(answer);
    let mut at = 0;
    while let Ok(header) = MultiHeader::decode(&mut reader) {
        if header.done {
            return None;
        }
        if header.kind == -1 {
            let err = reader.int().unwrap_or(header.err);
            if err != 0 {
                return Some((at, Failure::of(err)));
            }
            at += 1;
        }
    }
    None
}
