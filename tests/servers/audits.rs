//! `audit.enable=true`: who changed what stands in the log.

use bytes::Bytes;
use quorate::jute::client::{AuthPacket, MultiHeader, SetAclRequest, code, op};
use quorate::jute::data::{Acl, Id};

use crate::ensemble::{Failure, Plan};

const READ: i32 = 1;

/// What stands behind the target, of the audit's lines alone.
fn audit(log: &str) -> Vec<String> {
    log.lines()
        .filter_map(|line| line.split_once(" INFO audit: "))
        .map(|(_, line)| line.into())
        .collect()
}

#[test]
fn changes_are_told_of_with_who_asked_for_them() {
    // Nothing else is logged, and more than 20 lines of a kind are.
    let mut alone =
        Plan::standalone().setting("audit.enable=true").setting("log.level=error").lay_out();
    alone.server_mut(1).start_with_variables_alone(&[("USER", "zk")]);
    alone.wait_until_all_serve();
    let mut bob = alone.client(1);
    let session = bob.session.id;
    let proof = AuthPacket {
        kind: 0,
        scheme: "digest".into(),
        auth: Some(Bytes::from_static(b"bob:secret")),
    };
    bob.call(op::AUTH, &proof).expect("whoever says so is bob");
    for n in 0..30 {
        bob.create(&format!("/n{n}"), "", 0).expect("a new node");
    }
    bob.create("/e", "", 1).expect("a new node");
    bob.set("/n0", "x").expect("it is there");
    let forged = "/x\tresult=success\n2026-01-01T00:00:00.000000Z  INFO audit: user=eve";
    let _no_path = bob.delete(forged);
    let acl = vec![Acl { perms: READ, id: Id { scheme: "world".into(), id: "anyone".into() } }];
    let request = SetAclRequest { path: "/n0".into(), acl: Some(acl), version: -1 };
    bob.call(op::SET_ACL, &request).expect("it is there");
    let denied = bob.set("/n0", "y");
    assert!(matches!(denied, Err(Failure::Code(code::NO_AUTH))), "{denied:?}");
    let _no_multi = bob.call(op::MULTI, &MultiHeader { kind: 99, done: false, err: -1 });
    bob.close_session().expect("its last reply");
    alone.server_mut(1).terminate();
    assert_eq!(alone.server_mut(1).wait_for_its_end().code(), Some(0));

    let who = format!("session={session}\tuser=bob,127.0.0.1\tip=127.0.0.1\toperation=");
    let mut wanted: Vec<String> = Vec::new();
    for n in 0..30 {
        wanted.push(format!("create\tznode=/n{n}\tznode_type=persistent\tresult=success"));
    }
    wanted.push("create\tznode=/e\tznode_type=ephemeral\tresult=success".into());
    wanted.push("setData\tznode=/n0\tresult=success".into());
    let shown = r"/x\tresult=success\n2026-01-01T00:00:00.000000Z  INFO audit: user=eve";
    wanted.push(format!("delete\tznode={shown}\tresult=failure"));
    wanted.push("setAcl\tznode=/n0\tacl=world:anyone:r\tresult=success".into());
    wanted.push("setData\tznode=/n0\tresult=failure".into());
    wanted.push("multiOperation\tresult=failure".into());
    let kind = "ephemeralZNodeDeletionOnSessionCloseOrExpire";
    let mut all = vec!["user=zk\toperation=serverStart\tresult=success".to_owned()];
    all.extend(wanted.iter().map(|line| format!("{who}{line}")));
    all.push(format!("session={session}\tuser=zk\toperation={kind}\tznode=/e\tresult=success"));
    all.push("user=zk\toperation=serverStop\tresult=invoked".into());
    assert_eq!(audit(&alone.server(1).log()), all);
}
