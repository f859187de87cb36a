//! Who a client may become, and what it is told when it may not: one server's connections, stepped
//! frame by frame, against what Apache ZooKeeper answered.
//!
//! Over 500 lines: one server, and a case for each scheme and each refusal.

mod golden_files;

use std::rc::Rc;

use bytes::Bytes;
use golden_files::{bytes, json_file, number, slice};
use md5::{Digest, Md5};
use quorate::base::{ConnId, Mono, Now, ServerId, SessionId, Zxid};
use quorate::config::{ServerConfig, ServerSpec};
use quorate::database::Database;
use quorate::jute::client::{
    AuthPacket, ConnectRequest, CreateRequest, DeleteRequest, PathWatchRequest, ReplyHeader,
    RequestHeader, SaslToken, SetAclRequest, SetDataRequest, code, op, xid,
};
use quorate::jute::data::{Acl, Id, perms};
use quorate::jute::txn::{CreateSessionTxn, CreateTxn, ErrorTxn, Proposal, Txn, TxnHeader, kind};
use quorate::jute::{DecodeError, Jute, Reader};
use quorate::metrics::Metrics;
use quorate::prepare::Request;
use quorate::runtime::HostPort;
use quorate::server::{Input, Output, Seeds, Service};
use quorate::tree::AclRules;

const NOW: Now = Now { mono: Mono(0), wall_ms: 1_700_000_000_000 };
const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";

fn id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.into(), id: id.into() }
}

/// One server whose transactions are made by the test.
struct Server {
    service: Service,
    db: Database,
    clients: u64,
}

/// What a step put out, as far as clients notice it.
#[derive(Debug, Default)]
struct Said {
    frames: Vec<Bytes>,
    closed: bool,
    submitted: Vec<Request>,
}

impl Said {
    /// The only reply, without its length: header and the rest.
    fn reply(&self) -> (ReplyHeader, Bytes) {
        assert_eq!(self.frames.len(), 1, "{self:?}");
        let mut from = Reader::new(self.frames[0].slice(4..));
        let header = ReplyHeader::decode(&mut from).expect("a reply header");
        (header, from.rest())
    }

    /// xid, zxid and error of the only reply, which has no body.
    fn head(&self) -> (i32, i64, i32) {
        let (header, rest) = self.reply();
        assert!(rest.is_empty(), "{rest:?}");
        (header.xid, header.zxid.0, header.err)
    }

    fn token(&self) -> Option<Bytes> {
        SaslToken::decode(&mut Reader::new(self.reply().1)).expect("a token").token
    }
}

impl Server {
    fn new(change: impl FnOnce(&mut ServerConfig)) -> Server {
        let mut config = ServerConfig::defaults(ServerId(1));
        change(&mut config);
        let db = Database::empty(10).with_acl_rules(AclRules::of(&config));
        let seeds = Seeds { nonces: [7, 8], ..Seeds::default() };
        let mut server =
            Server { service: Service::new(&config, seeds, Metrics::default()), db, clients: 0 };
        server.step(Input::Serve);
        server
    }

    fn step(&mut self, input: Input) -> Said {
        let mut out = Vec::new();
        self.service.step(NOW, input, &self.db, &mut out);
        said(out)
    }

    fn apply(&mut self, session: SessionId, cxid: i32, txn: Txn) -> Said {
        let kind = match &txn {
            Txn::Create(_) => kind::CREATE,
            Txn::CreateSession(_) => kind::CREATE_SESSION,
            _ => kind::ERROR,
        };
        let zxid = Zxid(self.db.last_logged().0 + 1);
        let header = TxnHeader { client_id: session, cxid, zxid, time: NOW.wall_ms, kind };
        self.db.append(Rc::new(Proposal::new(header, txn, None)));
        self.db.commit_to(zxid);
        let (proposal, applied) = self.db.apply_next().expect("it was committed just now");
        self.step(Input::Applied { proposal, applied })
    }

    /// A node with this list, made by nobody here.
    fn plant(&mut self, path: &str, acl: Acl) {
        let txn = CreateTxn {
            path: path.into(),
            data: None,
            acl: Some(vec![acl]),
            ephemeral: false,
            parent_cversion: -1,
        };
        self.apply(SessionId(99), 0, Txn::Create(txn));
    }

    /// A client whose session is open.
    fn client(&mut self, subject: Option<&str>) -> Client {
        self.clients += 1;
        let conn = ConnId(self.clients);
        let peer = format!("10.0.0.{}:4000", self.clients);
        self.step(Input::Accepted { conn, peer, subject: subject.map(str::to_owned) });
        let hello = ConnectRequest { timeout_ms: 10_000, ..ConnectRequest::default() };
        let said = self.step(Input::Frame { conn, body: hello.to_jute().into() });
        let session = said.submitted[0].session;
        self.apply(session, 0, Txn::CreateSession(CreateSessionTxn { timeout: 10_000 }));
        Client { conn, session }
    }

    fn ask(&mut self, client: &Client, xid: i32, op: i32, record: &impl Jute) -> Said {
        let mut body = RequestHeader { xid, op }.to_jute();
        body.extend(record.to_jute());
        self.step(Input::Frame { conn: client.conn, body: body.into() })
    }

    fn auth(&mut self, client: &Client, scheme: &str, proof: Option<&[u8]>) -> Said {
        let auth = proof.map(Bytes::copy_from_slice);
        let packet = AuthPacket { kind: 0, scheme: scheme.into(), auth };
        self.ask(client, xid::AUTH, op::AUTH, &packet)
    }

    fn sasl(&mut self, client: &Client, token: &[u8]) -> Said {
        let token = Some(Bytes::copy_from_slice(token));
        self.ask(client, 3, op::SASL, &SaslToken { token })
    }

    /// The ids that go with this client's writes, sorted: their order is said elsewhere.
    fn ids(&mut self, client: &Client) -> Vec<Id> {
        let set = SetDataRequest { path: "/a".into(), data: None, version: -1 };
        let said = self.ask(client, 1000, op::SET_DATA, &set);
        let mut ids = said.submitted[0].auth.to_vec();
        ids.sort_by_key(|id| (id.scheme.clone(), id.id.clone()));
        self.apply(client.session, 1000, Txn::Error(ErrorTxn { err: code::NO_NODE }));
        ids
    }
}

struct Client {
    conn: ConnId,
    session: SessionId,
}

fn said(out: Vec<Output>) -> Said {
    let mut said = Said::default();
    for output in out {
        match output {
            Output::Write(_, frame) => said.frames.push(frame),
            Output::Close(_) => said.closed = true,
            Output::Submit(request) => said.submitted.push(request),
            _ => {}
        }
    }
    said
}

fn with_users(config: &mut ServerConfig) {
    config.access.sasl_users =
        Some([("bob".into(), "secret".into()), ("root".into(), "toor".into())].into());
    config.access.sasl_super_users = vec!["root".into()];
}

/// The client's half of the exchange, from RFC 2831 alone.
fn answer_to(challenge: &[u8], user: &str, password: &str) -> (Vec<u8>, String) {
    let challenge = str::from_utf8(challenge).expect("an ASCII challenge");
    let nonce = challenge
        .split(',')
        .find_map(|directive| directive.strip_prefix("nonce=\"")?.strip_suffix('"'))
        .expect("a nonce");
    let md5 = |parts: &[&[u8]]| -> [u8; 16] { Md5::digest(parts.concat()).into() };
    let hex = |hash: [u8; 16]| hash.map(|byte| format!("{byte:02x}")).concat();
    let secret = md5(&[format!("{user}:zk-sasl-md5:{password}").as_bytes()]);
    let a1 = hex(md5(&[&secret, format!(":{nonce}:c").as_bytes()]));
    let response = |method: &str| {
        let a2 = hex(md5(&[method.as_bytes(), b":zookeeper/zk-sasl-md5"]));
        hex(md5(&[format!("{a1}:{nonce}:00000001:c:auth:{a2}").as_bytes()]))
    };
    let token = format!(
        "charset=utf-8,username=\"{user}\",realm=\"zk-sasl-md5\",nonce=\"{nonce}\",nc=00000001,\
         cnonce=\"c\",digest-uri=\"zookeeper/zk-sasl-md5\",maxbuf=65536,response={},qop=auth",
        response("AUTHENTICATE")
    );
    (token.into_bytes(), format!("rspauth={}", response("")))
}

/// Both tokens; what the server said to the second.
fn sign_on(server: &mut Server, client: &Client, user: &str, password: &str) -> Said {
    let challenge = server.sasl(client, b"").token().expect("a challenge");
    let (token, _) = answer_to(&challenge, user, password);
    server.sasl(client, &token)
}

#[test]
fn auth_and_sasl_are_answered_as_apache_answered_them() {
    let mut compared = 0;
    for version in ["3.8.0", "3.9.3"] {
        let stream = bytes(&format!("client/{version}.bin"));
        let index = json_file(&format!("client/{version}.json"));
        for exchange in index["exchanges"].as_array().expect("exchanges") {
            let kind = &exchange["request"]["header"]["type"];
            if *kind != op::AUTH && *kind != op::SASL {
                continue;
            }
            let name = &exchange["name"];
            let mut server =
                Server::new(|config| config.access.super_digest = Some(SUPER_DIGEST.into()));
            let client = server.client(None);
            assert!(number(&exchange["request"], "l") > 4, "{name}");
            let body = slice(&stream, &exchange["request"]).slice(4..);
            let said = server.step(Input::Frame { conn: client.conn, body });
            let replies = exchange["replies"].as_array().expect("replies");
            let wanted: Vec<Bytes> = replies.iter().map(|reply| slice(&stream, reply)).collect();
            assert_eq!(said.frames, wanted, "{version} {name}");
            assert_eq!(said.closed, exchange["closedByServer"] == true, "{version} {name}");
            compared += 1;
        }
    }
    assert!(compared >= 12, "only {compared} exchanges");
}

#[test]
fn ids_accumulate_as_a_set() {
    let mut server = Server::new(|config| config.access.super_digest = Some(SUPER_DIGEST.into()));
    let client = server.client(None);
    for proof in [b"bob:pw".as_slice(), b"bob:pw", b"super:test", b"super:wrong"] {
        assert_eq!(server.auth(&client, "digest", Some(proof)).head(), (-4, 0, 0));
    }
    assert_eq!(server.auth(&client, "ip", Some(b"10.9.9.9")).head(), (-4, 0, 0));
    assert_eq!(
        server.ids(&client),
        [
            id("digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM="),
            id("digest", SUPER_DIGEST),
            id("digest", "super:nXindoZMsrhmm0JDlDwACbCSBn0="),
            id("ip", "10.0.0.1"),
            id("super", ""),
        ]
    );
}

#[test]
fn a_scheme_that_proves_nothing_ends_the_connection() {
    for (scheme, proof) in [
        ("world", Some(b"anyone".as_slice())),
        ("auth", Some(b"")),
        ("super", Some(b"")),
        ("sasl", Some(b"bob")),
        ("x509", Some(b"CN=bob")),
        ("ensemble", Some(b"blue")),
        ("Digest", Some(b"bob:pw")),
        ("", None),
        ("digest", None),
    ] {
        let mut server = Server::new(with_users);
        let client = server.client(None);
        let said = server.auth(&client, scheme, proof);
        assert_eq!((said.head(), said.closed), ((-4, 0, code::AUTH_FAILED), true), "{scheme}");
        let set = SetDataRequest { path: "/a".into(), data: None, version: -1 };
        let after = server.ask(&client, 5, op::SET_DATA, &set);
        assert!(after.submitted.is_empty(), "{scheme}: nothing is read behind it");
    }
}

#[test]
fn digest_can_be_switched_off() {
    let mut server = Server::new(|config| config.access.digest_enabled = false);
    let client = server.client(None);
    let said = server.auth(&client, "digest", Some(b"bob:pw"));
    assert_eq!((said.head(), said.closed), ((-4, 0, code::AUTH_FAILED), true));
}

#[test]
fn an_auth_packet_that_does_not_decode_ends_the_connection_without_a_reply() {
    let mut server = Server::new(|_| {});
    let client = server.client(None);
    let said = server.ask(&client, xid::AUTH, op::AUTH, &7i32);
    assert!(said.closed && said.frames.is_empty(), "{said:?}");
}

#[test]
fn a_client_of_another_ensemble_is_closed_without_a_word() {
    for (called, right) in [("blue", true), ("", true), ("red", true), ("green", false)] {
        let mut server = Server::new(|config| {
            config.access.ensemble_names = Some(vec!["blue".into(), "red".into()]);
        });
        let client = server.client(None);
        let said = server.auth(&client, "ensemble", Some(called.as_bytes()));
        if right {
            assert_eq!((said.head(), said.closed), ((-4, 0, 0), false), "{called}");
            assert_eq!(server.ids(&client), [id("ip", "10.0.0.1")], "a name is no proof");
        } else {
            assert!(said.frames.is_empty() && said.closed, "{called}: {said:?}");
        }
    }
}

#[test]
fn the_owner_of_a_certificate_is_known_from_the_beginning() {
    let mut server =
        Server::new(|config| config.access.x509_super_user = Some("CN=root,O=x".into()));
    let bob = server.client(Some("CN=bob,O=x"));
    assert_eq!(server.ids(&bob), [id("ip", "10.0.0.1"), id("x509", "CN=bob,O=x")]);
    assert_eq!(server.auth(&bob, "x509", Some(b"CN=root,O=x")).head(), (-4, 0, 0));
    assert_eq!(server.ids(&bob).len(), 2, "what it says of itself changes nothing");
    let root = server.client(Some("CN=root,O=x"));
    assert_eq!(server.ids(&root)[1..], [id("super", "CN=root,O=x"), id("x509", "CN=root,O=x")]);
}

#[test]
fn two_tokens_prove_a_user_of_sasl() {
    let mut server = Server::new(with_users);
    let client = server.client(None);
    let said = server.sasl(&client, b"");
    assert_eq!((said.reply().0.xid, said.reply().0.zxid, said.reply().0.err), (3, Zxid(0), 0));
    let challenge = said.token().expect("a challenge");
    let (token, rspauth) = answer_to(&challenge, "bob", "secret");
    let said = server.sasl(&client, &token);
    assert_eq!(said.token().as_deref(), Some(rspauth.as_bytes()));
    assert!(!said.closed);
    assert_eq!(server.ids(&client), [id("ip", "10.0.0.1"), id("sasl", "bob")]);
}

#[test]
fn a_superuser_of_sasl_passes_everywhere() {
    let mut server = Server::new(with_users);
    let client = server.client(None);
    sign_on(&mut server, &client, "root", "toor");
    assert_eq!(server.ids(&client)[1..], [id("sasl", "root"), id("super", "")]);
}

#[test]
fn two_connections_are_given_two_nonces() {
    let mut server = Server::new(with_users);
    let (first, second) = (server.client(None), server.client(None));
    let challenge = server.sasl(&first, b"").token().expect("a challenge");
    assert_ne!(server.sasl(&second, b"").token(), Some(challenge.clone()));
    let (token, _) = answer_to(&challenge, "bob", "secret");
    let replayed = server.sasl(&second, &token);
    assert_eq!((replayed.reply().0.err, replayed.closed), (code::AUTH_FAILED, true));
    assert!(!server.sasl(&first, &token).closed);
}

#[test]
fn a_client_that_fails_at_sasl_is_told_and_closed() {
    for required in [false, true] {
        let mut server = Server::new(|config| {
            with_users(config);
            if required {
                config.access.enforced_schemes = vec!["sasl".into()];
                config.access.allow_sasl_failed_clients = true;
            }
        });
        let client = server.client(None);
        let said = sign_on(&mut server, &client, "bob", "wrong");
        let err = match required {
            true => code::SESSION_CLOSED_REQUIRE_SASL_AUTH,
            false => code::AUTH_FAILED,
        };
        assert_eq!((said.reply().0.err, said.reply().0.zxid), (err, Zxid(0)));
        assert_eq!((said.token(), said.closed), (None, true));
    }
}

#[test]
fn a_client_that_fails_at_sasl_may_stay_where_that_is_allowed() {
    let mut server = Server::new(|config| {
        with_users(config);
        config.access.allow_sasl_failed_clients = true;
    });
    let client = server.client(None);
    let said = sign_on(&mut server, &client, "bob", "wrong");
    assert_eq!((said.reply().0.err, said.token(), said.closed), (0, None, false));
    assert_eq!(server.ids(&client), [id("ip", "10.0.0.1")]);
}

#[test]
fn a_null_token_ends_the_connection_without_a_reply() {
    let mut server = Server::new(|_| {});
    let client = server.client(None);
    let said = server.ask(&client, 3, op::SASL, &SaslToken { token: None });
    assert!(said.closed && said.frames.is_empty(), "{said:?}");
}

#[test]
fn auth_and_sasl_overtake_requests_that_wait() {
    let mut server = Server::new(with_users);
    let client = server.client(None);
    let set = SetDataRequest { path: "/a".into(), data: None, version: -1 };
    assert!(server.ask(&client, 1, op::SET_DATA, &set).frames.is_empty());
    let get = PathWatchRequest { path: "/".into(), watch: false };
    assert!(server.ask(&client, 2, op::GET_DATA, &get).frames.is_empty());
    assert_eq!(server.auth(&client, "digest", Some(b"bob:pw")).head(), (-4, 0, 0));
    assert!(server.sasl(&client, b"").token().is_some());
    let done = server.apply(client.session, 1, Txn::Error(ErrorTxn { err: code::NO_NODE }));
    assert_eq!(done.frames.len(), 2);
}

#[test]
fn an_enforced_scheme_comes_before_everything_else() {
    for op in [op::PING, op::GET_DATA, op::SET_DATA, op::CLOSE_SESSION, op::WHO_AM_I, 77] {
        let mut server = Server::new(|config| {
            config.access.enforced_schemes = vec!["digest".into(), "x509".into()];
        });
        let client = server.client(None);
        let said = server.ask(&client, 9, op, &Nothing);
        let refused = (9, 0, code::SESSION_CLOSED_REQUIRE_SASL_AUTH);
        assert_eq!((said.head(), said.closed), (refused, true), "op {op}");
        assert!(said.submitted.is_empty());

        let client = server.client(None);
        assert_eq!(server.auth(&client, "digest", Some(b"bob:pw")).head(), (-4, 0, 0));
        let said = server.ask(&client, xid::PING, op::PING, &Nothing);
        assert_eq!((said.head().2, said.closed), (0, false));

        let client = server.client(Some("CN=bob"));
        assert!(!server.ask(&client, xid::PING, op::PING, &Nothing).closed);
    }
}

/// The record of a request that has none.
struct Nothing;

impl Jute for Nothing {
    fn encode(&self, _: &mut Vec<u8>) {}

    fn decode(_: &mut Reader) -> Result<Nothing, DecodeError> {
        Ok(Nothing)
    }
}

/// A server of an ensemble that checks early, with two nodes of which bob may do something.
fn eager() -> Server {
    let mut server = Server::new(|config| {
        config.access.eager_check = true;
        let nowhere = HostPort::new("", 0);
        let spec = ServerSpec::participant(nowhere.clone(), nowhere);
        config.servers.insert(ServerId(1), spec);
    });
    let bob = id("digest", "bob:ikIaKsbtGweaHnb/jKn7OHqbunM=");
    server.plant("/closed", Acl { perms: perms::ALL, id: bob });
    server.plant("/read", Acl { perms: perms::READ, id: id("world", "anyone") });
    server
}

fn create(path: &str, acl: Option<Vec<Acl>>) -> CreateRequest {
    CreateRequest { path: path.into(), data: None, acl, flags: 0 }
}

fn set_data(path: &str) -> SetDataRequest {
    SetDataRequest { path: path.into(), data: None, version: -1 }
}

#[test]
fn a_write_without_permission_goes_nowhere_where_it_is_checked_early() {
    let mut server = eager();
    let client = server.client(None);
    let open = || Some(Acl::open().to_vec());
    let set_acl = |path: &str, acl| SetAclRequest { path: path.into(), acl, version: -1 }.to_jute();
    let delete = |path: &str| DeleteRequest { path: path.into(), version: -1 }.to_jute();
    let create = |path: &str, acl| create(path, acl).to_jute();
    let bad = || Some(vec![Acl { perms: 1, id: id("nosuch", "x") }]);
    for (op, record, err) in [
        (op::CREATE, create("/closed/x", open()), code::NO_AUTH),
        (op::CREATE2, create("/read/x", open()), code::NO_AUTH),
        (op::CREATE, create("/x", bad()), code::INVALID_ACL),
        (op::CREATE, create("/closed/x", bad()), code::INVALID_ACL),
        (op::CREATE, create("/nosuch/x", None), code::INVALID_ACL),
        (op::DELETE, delete("/closed/x"), code::NO_AUTH),
        (op::SET_DATA, set_data("/closed").to_jute(), code::NO_AUTH),
        (op::SET_ACL, set_acl("/read", open()), code::NO_AUTH),
        (op::SET_ACL, set_acl("/", bad()), code::INVALID_ACL),
    ] {
        let said = server.ask(&client, 4, op, &Encoded(record));
        assert_eq!(said.head(), (4, 0, err), "op {op}");
        assert!(said.submitted.is_empty() && !said.closed);
    }
}

#[test]
fn what_cannot_be_judged_early_is_sent_on() {
    let mut server = eager();
    let client = server.client(None);
    let open = || Some(Acl::open().to_vec());
    for (op, record) in [
        (op::CREATE, create("/x", open()).to_jute()),
        (op::CREATE, create("/nosuch/x", open()).to_jute()),
        (op::CREATE, create("noslash", open()).to_jute()),
        (op::DELETE, DeleteRequest { path: "/".into(), version: -1 }.to_jute()),
        (op::SET_DATA, set_data("/nosuch").to_jute()),
    ] {
        let said = server.ask(&client, 4, op, &Encoded(record));
        assert!(said.frames.is_empty() && said.submitted.len() == 1, "op {op}: {said:?}");
    }
}

#[test]
fn a_client_with_the_permission_is_not_kept_from_writing() {
    let mut server = eager();
    let client = server.client(None);
    server.auth(&client, "digest", Some(b"bob:pw"));
    let said = server.ask(&client, 4, op::SET_DATA, &set_data("/closed"));
    assert_eq!(said.submitted.len(), 1);
}

#[test]
fn an_early_refusal_waits_for_its_turn() {
    let mut server = eager();
    let client = server.client(None);
    assert_eq!(server.ask(&client, 1, op::SET_DATA, &set_data("/nosuch")).submitted.len(), 1);
    let refused = server.ask(&client, 2, op::SET_DATA, &set_data("/closed"));
    assert!(refused.frames.is_empty() && refused.submitted.is_empty(), "{refused:?}");
    let done = server.apply(client.session, 1, Txn::Error(ErrorTxn { err: code::NO_NODE }));
    let heads: Vec<(i32, i64, i32)> = done
        .frames
        .iter()
        .map(|frame| ReplyHeader::decode(&mut Reader::new(frame.slice(4..))).expect("a header"))
        .map(|header| (header.xid, header.zxid.0, header.err))
        .collect();
    let zxid = server.db.last_applied().0;
    assert_eq!(heads, [(1, zxid, code::NO_NODE), (2, 0, code::NO_AUTH)]);
}

#[test]
fn a_standalone_server_and_one_that_is_not_told_to_do_not_check_early() {
    let mut server = Server::new(|config| config.access.eager_check = true);
    server.plant("/read", Acl { perms: perms::READ, id: id("world", "anyone") });
    let client = server.client(None);
    assert_eq!(server.ask(&client, 1, op::SET_DATA, &set_data("/read")).submitted.len(), 1);
}

#[test]
fn where_permissions_are_skipped_everybody_reads() {
    for skip in [false, true] {
        let mut server = Server::new(|config| config.access.skip_acl = skip);
        server.plant("/closed", Acl { perms: perms::ALL, id: id("digest", "bob:x") });
        let client = server.client(None);
        let get = PathWatchRequest { path: "/closed".into(), watch: false };
        let err = server.ask(&client, 1, op::GET_DATA, &get).reply().0.err;
        assert_eq!(err, if skip { 0 } else { code::NO_AUTH });
    }
}

/// A record that was encoded before.
struct Encoded(Vec<u8>);

impl Jute for Encoded {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn decode(from: &mut Reader) -> Result<Encoded, DecodeError> {
        Ok(Encoded(from.rest().to_vec()))
    }
}
