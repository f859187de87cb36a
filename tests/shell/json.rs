//! Answers for programs: one object a line, errors on stderr.

use serde_json::{Value, json};

use crate::ensemble::Plan;
use crate::program::{Answer, ask, feed};

#[track_caller]
fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

#[track_caller]
fn only(answer: &Answer) -> Value {
    assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{answer:?}");
    assert_eq!(answer.out.lines().count(), 1, "{answer:?}");
    object(&answer.out)
}

#[test]
fn every_command_that_answers_does_so_in_json() {
    let ensemble = Plan::standalone().start();
    let address = ensemble.servers[0].address;
    let json = |line: &str| {
        let words: Vec<&str> = ["--json"].into_iter().chain(line.split(' ')).collect();
        only(&ask(address, &words))
    };
    assert_eq!(json("create /a hello"), json!({ "created": "/a" }));
    assert_eq!(json("create -s /a/n- x"), json!({ "created": "/a/n-0000000000" }));
    let got = json("get /a");
    assert_eq!((&got["data"], &got["stat"]["numChildren"]), (&json!("hello"), &json!(1)));
    assert_eq!(json("set -b /a /wA=")["stat"]["dataVersion"], json!(1));
    assert_eq!(json("get /a")["data"], json!({ "base64": "/wA=" }));
    assert_eq!(json("ls /a")["children"], json!(["n-0000000000"]));
    assert_eq!(json("ls -R /a")["paths"], json!(["/a", "/a/n-0000000000"]));
    assert_eq!(json("stat /a")["stat"]["dataLength"], json!(2));
    let acl = json!([{ "scheme": "world", "id": "anyone", "perms": "cdrwa" }]);
    assert_eq!(json("getAcl /a")["acl"], acl);
    assert_eq!(json("setAcl /a world:anyone:cdrwa")["stat"]["aclVersion"], json!(1));
    assert_eq!(json("setquota -N 5 /a")["limits"]["countHardLimit"], json!(5));
    assert_eq!(json("listquota /a")["usage"]["count"], json!(2));
    assert_eq!(json("delquota /a")["limits"], Value::Null);
    assert_eq!(json("whoami")["whoami"], json!([{ "scheme": "ip", "user": "127.0.0.1" }]));
    assert_eq!(json("getAllChildrenNumber /a")["allChildren"], json!(1));
    assert_eq!(json("getEphemerals")["ephemerals"], json!([]));
    assert_eq!(json("sync /a")["synced"], json!("/a"));
    assert_eq!(json("config")["servers"], json!([]));
    assert!(json("version")["version"].is_string());
    assert_eq!(json("deleteall /a"), json!({ "deleted": "/a", "nodes": 2 }));
    let missing = ask(address, &["--json", "get", "/a"]);
    assert_eq!((missing.code, missing.out.as_str()), (1, ""));
    let error = object(&missing.err);
    assert_eq!(error["error"]["code"], json!(-101));
    assert_eq!(error["error"]["text"], json!("Node does not exist: /a"));
}

#[test]
fn watch_events_are_objects_too() {
    let ensemble = Plan::standalone().start();
    let script = "create /w x\nget -w /w\nset /w y\nquit\n";
    let answer = feed(ensemble.servers[0].address, &["--json"], script);
    assert_eq!((answer.code, answer.err.as_str()), (0, ""));
    let lines: Vec<Value> = answer.out.lines().map(object).collect();
    let changed = lines.iter().find(|line| line["event"]["type"] == "NodeDataChanged");
    assert_eq!(changed.expect("an event")["event"]["path"], json!("/w"));
}
