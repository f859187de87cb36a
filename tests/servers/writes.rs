//! The writes that are not everyday ones, through a follower, and the same tree everywhere after.

use bytes::Bytes;
use quorate::jute::client::{
    CheckVersionRequest, Create2Response, CreateRequest, CreateTtlRequest, DeleteContainerRequest,
    GetAclResponse, MultiHeader, PathRequest, ReconfigRequest, SetAclRequest, StatResponse, code,
    op,
};
use quorate::jute::data::Acl;
use quorate::jute::{DecodeError, Jute, Reader};

use crate::ensemble::{
    Client, Failure, Plan, create_request, delete_request, path_watch, set_request, wait_for,
};

/// A record as it goes over the wire.
struct Raw(Vec<u8>);

impl Jute for Raw {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(from: &mut Reader) -> Result<Raw, DecodeError> {
        Ok(Raw(from.rest().to_vec()))
    }
}

fn multi(ops: &[(i32, Vec<u8>)]) -> Raw {
    let mut body = Vec::new();
    for (kind, record) in ops {
        MultiHeader { kind: *kind, done: false, err: -1 }.encode(&mut body);
        body.extend_from_slice(record);
    }
    MultiHeader { kind: -1, done: true, err: -1 }.encode(&mut body);
    Raw(body)
}

/// Type and code of each result, and the paths and versions among them.
fn results(mut body: Reader) -> Vec<(i32, i32, String)> {
    let mut results = Vec::new();
    loop {
        let header = MultiHeader::decode(&mut body).expect("a header");
        if header.done {
            assert_eq!((header.kind, header.err, body.remaining()), (-1, -1, 0));
            return results;
        }
        let said = match header.kind {
            -1 => i32::decode(&mut body).map(|err| {
                assert_eq!(err, header.err);
                String::new()
            }),
            op::CREATE => String::decode(&mut body),
            op::CREATE2 => Create2Response::decode(&mut body).map(|created| created.path),
            op::SET_DATA => StatResponse::decode(&mut body).map(|s| s.stat.version.to_string()),
            _ => Ok(String::new()),
        };
        results.push((header.kind, header.err, said.expect("the record of this result")));
    }
}

fn create(path: &str, flags: i32) -> (i32, Vec<u8>) {
    (op::CREATE, create_request(path, "x", flags).to_jute())
}

fn check(path: &str, version: i32) -> (i32, Vec<u8>) {
    (op::CHECK, CheckVersionRequest { path: path.into(), version }.to_jute())
}

fn ttl_request(path: &str, flags: i32, ttl: i64) -> CreateTtlRequest {
    let CreateRequest { path, data, acl, flags } = create_request(path, "x", flags);
    CreateTtlRequest { path, data, acl, flags, ttl }
}

fn container_request(path: &str) -> DeleteContainerRequest {
    DeleteContainerRequest { path: Some(Bytes::copy_from_slice(path.as_bytes())) }
}

#[test]
fn a_multi_through_a_follower_happens_everywhere_or_nowhere() {
    let ensemble = Plan::voters(&[1, 2, 3]).setting("extendedTypesEnabled=true").start();
    let mut client = ensemble.client(ensemble.followers()[0]);
    let created = |op, path: &str, flags| (op, create_request(path, "x", flags).to_jute());
    let whole = multi(&[
        create("/m", 0),
        (op::SET_DATA, set_request("/m", "two").to_jute()),
        check("/m", 1),
        created(op::CREATE2, "/m/s-", 2),
        created(op::CREATE_CONTAINER, "/m/c", 4),
        (op::CREATE_TTL, ttl_request("/m/t", 5, 1_000_000).to_jute()),
        create("/m/e", 1),
        create("/m/gone", 0),
        (op::DELETE, delete_request("/m/gone").to_jute()),
    ]);
    let body = client.call(op::MULTI, &whole).expect("nothing is wrong with it");
    let want = [
        (1, "/m"),
        (5, "1"),
        (13, ""),
        (15, "/m/s-0000000000"),
        (15, "/m/c"),
        (15, "/m/t"),
        (1, "/m/e"),
        (1, "/m/gone"),
        (2, ""),
    ];
    assert_eq!(results(body), want.map(|(kind, said)| (kind, 0, said.to_string())));

    let failing = multi(&[create("/never", 0), check("/m", 9), create("/m/s-", 2)]);
    let body = client.call(op::MULTI, &failing).expect("the failure is inside");
    let want = [0, code::BAD_VERSION, code::RUNTIME_INCONSISTENCY];
    assert_eq!(results(body), want.map(|err| (-1, err, String::new())));
    let after = client.session.last_zxid;
    assert_eq!(client.create("/m/s-", "x", 2), Ok("/m/s-0000000005".into()), "nothing was counted");
    assert_eq!(client.session.last_zxid.0, after.0 + 1, "a failed multi takes one zxid");

    let body = client.call(op::MULTI, &multi(&[])).expect("an empty one is legal");
    assert_eq!(results(body), []);
    let read = multi(&[(op::GET_DATA, path_watch("/m", false).to_jute())]);
    let refused = client.call(op::MULTI, &read).map(|_| ());
    assert_eq!(refused, Err(Failure::Code(code::MARSHALLING_ERROR)));

    let tree = ensemble.assert_same_trees();
    assert!(!tree.contains_key("/never"));
    assert_eq!(tree["/m"].2, ["c", "e", "s-0000000000", "s-0000000005", "t"]);
    client.close_session().expect("the follower goes on serving");
    assert_eq!(ensemble.assert_same_trees()["/m"].2.len(), 4, "without the ephemeral");
}

fn create2(client: &mut Client, op: i32, record: &impl Jute) -> Result<String, Failure> {
    let mut body = client.call(op, record)?;
    let created = Create2Response::decode(&mut body).expect("path and Stat");
    assert_eq!(created.stat.ephemeral_owner, 0, "what the node is stays the server's");
    Ok(created.path)
}

#[test]
fn every_other_write_through_a_follower_answers_as_it_should() {
    let ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut client = ensemble.client(ensemble.followers()[0]);
    let container = create_request("/c", "", 4);
    assert_eq!(create2(&mut client, op::CREATE_CONTAINER, &container), Ok("/c".into()));
    let ttl = client.call(op::CREATE_TTL, &ttl_request("/t", 5, 1000)).map(|_| ());
    assert_eq!(ttl, Err(Failure::Code(code::UNIMPLEMENTED)), "extended types are off");

    let acl = vec![Acl { perms: 9, ..Acl::open().remove(0) }];
    let set_acl = |version| SetAclRequest { path: "/c".into(), acl: Some(acl.clone()), version };
    let mut body = client.call(op::SET_ACL, &set_acl(0)).expect("the version is right");
    let stat = StatResponse::decode(&mut body).expect("a Stat").stat;
    assert_eq!((stat.aversion, stat.version), (1, 0));
    let refused = client.call(op::SET_ACL, &set_acl(1)).map(|_| ());
    assert_eq!(refused, Err(Failure::Code(code::NO_AUTH)), "ADMIN is gone");
    let mut body = client.call(op::GET_ACL, &PathRequest { path: "/c".into() }).expect("READ");
    assert_eq!(GetAclResponse::decode(&mut body).expect("a list").acl, acl);

    let reconfig = client.call(op::RECONFIG, &ReconfigRequest::default()).map(|_| ());
    assert_eq!(reconfig, Err(Failure::Code(code::RECONFIG_DISABLED)));
    // An undecodable request gets its answer from the follower itself.
    for op in [op::CREATE, op::CREATE_TTL, op::DELETE_CONTAINER, op::SET_ACL, op::RECONFIG] {
        let refused = client.call(op, &Raw(vec![0, 0, 0, 9])).map(|_| ());
        assert_eq!(refused, Err(Failure::Code(code::MARSHALLING_ERROR)), "{op}");
    }
    let cut = client.call(op::MULTI, &Raw(vec![0, 0, 0, 1])).map(|_| ());
    assert_eq!(cut, Err(Failure::Code(code::MARSHALLING_ERROR)));

    let delete = client.call(op::DELETE_CONTAINER, &container_request("/c"));
    assert_eq!(delete.map(|body| body.remaining()), Ok(0), "a header alone");
    let again = client.call(op::DELETE_CONTAINER, &container_request("/c")).map(|_| ());
    assert_eq!(again, Err(Failure::Code(code::NO_NODE)));
    assert_eq!(client.ping(), Ok(()), "the connection is still there");
    ensemble.assert_same_trees();
}

#[test]
fn the_leader_reaps_containers_and_ttl_nodes_that_nobody_uses() {
    let ensemble = Plan::voters(&[1, 2, 3])
        .setting("extendedTypesEnabled=true")
        .setting("znode.container.checkIntervalMs=100")
        .start();
    let mut client = ensemble.client(ensemble.followers()[0]);
    for path in ["/used", "/fresh", "/full"] {
        create2(&mut client, op::CREATE_CONTAINER, &create_request(path, "", 4)).expect("new");
    }
    for path in ["/used/x", "/full/x"] {
        client.create(path, "", 0).expect("a child");
    }
    for (path, ttl) in [("/short", 50), ("/long", 1_000_000)] {
        create2(&mut client, op::CREATE_TTL, &ttl_request(path, 5, ttl)).expect("new");
    }
    client.delete("/used/x").expect("it was made");
    for path in ["/used", "/short"] {
        wait_for(&format!("the end of {path}"), || {
            client.sync("/").ok()?;
            client.exists(path, false).expect("the follower serves").is_none().then_some(())
        });
    }
    let tree = ensemble.assert_same_trees();
    assert_eq!(tree["/"].2, ["fresh", "full", "long"]);
}

#[test]
fn a_multi_is_whole_after_a_restart_of_every_server() {
    let mut ensemble = Plan::voters(&[1, 2, 3]).start();
    let mut client = ensemble.client(ensemble.followers()[0]);
    let whole = multi(&[create("/m", 0), create("/m/a", 0), check("/m", 0)]);
    client.call(op::MULTI, &whole).expect("nothing is wrong with it");
    let failing = multi(&[create("/m/never", 0), check("/m", 9)]);
    client.call(op::MULTI, &failing).expect("the failure is inside");
    client.close_session().expect("the follower serves");
    let before = ensemble.assert_same_trees();
    for id in [1, 2, 3] {
        ensemble.server_mut(id).kill();
    }
    ensemble.start_all();
    ensemble.wait_until_all_serve();
    assert_eq!(ensemble.assert_same_trees(), before, "the log says which parts count");
}
