//! The program with TLS in its zoo.cfg.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use quorate::base::{SessionId, Zxid};
use quorate::jute::client::{
    ConnectRequest, ConnectResponse, CreateResponse, GetDataResponse, ReplyHeader, RequestHeader,
    op,
};
use quorate::jute::{Jute, Reader};
use quorate::runtime::HostPort;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, StreamOwned};

use crate::certificates::{Files, Identity};
use crate::ensemble::{Ensemble, Plan, create_request, path_watch, wait_for};
use crate::port::{PATIENCE, TlsClient, run};

/// A session over TLS.
struct SecureSession {
    stream: StreamOwned<ClientConnection, TcpStream>,
    xid: i32,
}

impl SecureSession {
    #[track_caller]
    fn open(client: &TlsClient, address: SocketAddr) -> SecureSession {
        wait_for("a session over TLS", || SecureSession::try_open(client, address))
    }

    /// `None` while the server does not listen or not serve.
    fn try_open(client: &TlsClient, address: SocketAddr) -> Option<SecureSession> {
        let tcp = TcpStream::connect(address).ok()?;
        tcp.set_read_timeout(Some(PATIENCE)).expect("a socket has options");
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(client.config(), name).expect("a name");
        let mut session = SecureSession { stream: StreamOwned::new(tls, tcp), xid: 0 };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: Zxid::ZERO,
            timeout_ms: 30_000,
            session: SessionId(0),
            password: Some(Bytes::from_static(&[0; 16])),
            read_only: Some(false),
        };
        session.write(&request.to_jute()).ok()?;
        let mut frame = session.read().ok()?;
        let response = ConnectResponse::decode(&mut frame).expect("a ConnectResponse");
        assert_ne!(response.session, SessionId(0));
        Some(session)
    }

    fn call<T: Jute>(&mut self, op: i32, record: &impl Jute) -> T {
        self.xid += 1;
        let mut body = RequestHeader { xid: self.xid, op }.to_jute();
        record.encode(&mut body);
        self.write(&body).expect("the server reads");
        let mut frame = self.read().expect("a reply");
        let header = ReplyHeader::decode(&mut frame).expect("a ReplyHeader");
        assert_eq!((header.xid, header.err), (self.xid, 0));
        T::decode(&mut frame).expect("the record of this operation")
    }

    fn write(&mut self, body: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&crate::port::frame(body))?;
        self.stream.flush()
    }

    fn read(&mut self) -> std::io::Result<Reader> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body)?;
        Ok(Reader::new(body.into()))
    }
}

/// The port behind that of the only server: a block of ports has room for five.
fn secure_address(alone: &Ensemble) -> SocketAddr {
    let mut address = alone.server(1).address;
    address.set_port(address.port() + 1);
    address
}

/// A standalone server with a TLS port besides the plain one.
fn lay_out(files: &Files, more: &str) -> Ensemble {
    let alone = Plan::standalone().lay_out();
    let port = secure_address(&alone).port();
    let lines = format!(
        "secureClientPort={port}\nsecureClientPortAddress=127.0.0.1\n{}{more}",
        files.lines()
    );
    alone.server(1).edit_config(|text| text + &lines);
    alone
}

#[test]
fn what_is_written_over_tls_is_read_in_plain_text_and_the_other_way_round() {
    let files = Files::new();
    let mut alone = lay_out(&files, "serverCnxnFactory=NettyServerCnxnFactory\n");
    alone.start_all();
    let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
    let address = secure_address(&alone);
    for client in [client.clone(), client.clone().with_tls_1_2()] {
        let mut session = SecureSession::open(&client, address);
        let path = "/a-";
        let created: CreateResponse = session.call(op::CREATE, &create_request(path, "tls", 2));
        let mut plain = alone.client(1);
        let (data, _) = plain.get(&created.path, false).expect("it was just created");
        assert_eq!(data, "tls");
        plain.set(&created.path, "plain").expect("it is there");
        let got: GetDataResponse = session.call(op::GET_DATA, &path_watch(&created.path, false));
        assert_eq!(got.data.as_deref(), Some(b"plain".as_slice()));
    }
    // One calm line for whoever does not get in, and the server goes on.
    let secure = HostPort::new("127.0.0.1", address.port());
    run(async |_| assert!(TlsClient::of(&files.authority).is_refused(&secure).await));
    let log = wait_for("the line about it", || {
        Some(alone.server(1).log()).filter(|log| log.contains("a TLS handshake failed"))
    });
    let line = log.lines().find(|line| line.contains("handshake failed")).expect("it is there");
    assert!(line.contains("the client showed no certificate (ssl.clientAuth=need)"), "{line}");
    assert!(line.contains("127.0.0.1:") && line.contains("WARN"), "{line}");
    alone.server_mut(1).assert_it_lives();
}

#[test]
fn a_server_may_have_a_tls_port_alone() {
    let files = Files::new();
    let mut alone = lay_out(&files, "ssl.clientAuth=none\n");
    let no_plain = |text: String| {
        let kept: Vec<&str> = text.lines().filter(|l| !l.starts_with("clientPort")).collect();
        kept.join("\n") + "\n"
    };
    alone.server(1).edit_config(no_plain);
    alone.start_all();
    let mut session = SecureSession::open(&TlsClient::of(&files.authority), secure_address(&alone));
    let got: GetDataResponse = session.call(op::GET_DATA, &path_watch("/zookeeper", false));
    assert_eq!(got.stat.version, 0);
    assert!(TcpStream::connect(alone.server(1).address).is_err(), "no plain port");
}

/// Starts on these files; the exit code, and what was said from the key on.
fn start_on(files: &Files, more: &str) -> (Option<i32>, String) {
    let mut alone = lay_out(files, more);
    let server = alone.server_mut(1);
    server.start();
    let code = server.wait_for_its_end().code();
    assert!(server.files("data").is_empty(), "nothing is written before all is understood");
    let said = server.log();
    let (_, error) = said.split_once("Invalid config, exiting abnormally: ").expect("the error");
    (code, error.replace(&format!("{}/", files.path("").display()).replace("//", "/"), ""))
}

#[test]
fn files_that_cannot_be_used_end_the_start_with_one_sentence() {
    let files = Files::new();
    files.write("k.pem", &files.authority.sign("a", &[]).pem.replace("CERTIFICATE", "NOTHING"));
    let said = start_on(&files, "");
    assert_eq!(said, (Some(2), "ssl.keyStore.location: k.pem holds no certificate\n".into()));

    let (one, other) = (files.authority.sign("a", &[]), files.authority.sign("b", &[]));
    let (key, _) = one.pem.split_once("-----BEGIN CERT").expect("the key stands first");
    let at = other.pem.find("-----BEGIN CERT").expect("the certificate is there");
    files.write("k.pem", &format!("{key}{}", &other.pem[at..]));
    let (code, said) = start_on(&files, "");
    assert_eq!(code, Some(2));
    assert!(said.contains("none of its certificates belongs to its private key"), "{said}");

    files.write("k.pem", &one.pem);
    fs::remove_file(files.path("t.pem")).expect("it was there");
    let (code, said) = start_on(&files, "");
    assert_eq!(code, Some(2));
    assert!(said.starts_with("ssl.trustStore.location: t.pem cannot be read: No such"), "{said}");
}

/// A zoo.cfg as Apache ZooKeeper has it, with stores that keytool made.
#[test]
fn stores_of_java_serve_as_they_are() {
    let golden = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tls/stores").join(name)
    };
    let read = |name: &str| fs::read_to_string(golden(name)).expect("a golden file");
    let authority = CertificateDer::from_pem_slice(read("ca.pem").as_bytes()).expect("its PEM");
    let client = TlsClient::trusting(authority).showing(&Identity::of_pem(&read("client.pem")));
    let files = Files::new();
    files.write("password", "changeit\n");
    let password = files.path("password");
    for (key, trust) in [("server.jks", "trust.jks"), ("server.p12", "trust.p12")] {
        let lines = format!(
            "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n\
             authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider\n\
             ssl.keyStore.location={}\nssl.keyStore.password=changeit\n\
             ssl.trustStore.location={}\nssl.trustStore.passwordPath={}\n",
            golden(key).display(),
            golden(trust).display(),
            password.display(),
        );
        let mut alone = lay_out(&files, &lines);
        alone.start_all();
        let mut session = SecureSession::open(&client, secure_address(&alone));
        let created: CreateResponse = session.call(op::CREATE, &create_request("/a-", "x", 2));
        let got: GetDataResponse = session.call(op::GET_DATA, &path_watch(&created.path, false));
        assert_eq!(got.data.as_deref(), Some(b"x".as_slice()), "{key}");
        // Whoever has no certificate of the trust store's authority is kept out.
        let secure = HostPort::new("127.0.0.1", secure_address(&alone).port());
        let stranger = client.clone().showing(&files.authority.sign("stranger", &[]));
        run(async |_| assert!(stranger.is_refused(&secure).await, "{trust}"));
        alone.server_mut(1).assert_it_lives();
    }
}

#[test]
fn a_store_of_java_that_cannot_be_opened_ends_the_start_with_one_sentence() {
    let files = Files::new();
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tls/stores/server.jks");
    let line = format!("ssl.keyStore.location={}\n", store.display());
    let (code, said) = start_on(&files, &(line.clone() + "ssl.keyStore.password=wrong\n"));
    assert_eq!(code, Some(2));
    let expected = "server.jks: it cannot be opened with the password of ssl.keyStore.password: ";
    assert!(said.contains(expected), "{said}");
    let (code, said) = start_on(&files, &line);
    assert_eq!(code, Some(2));
    let expected = "it has a password: give ssl.keyStore.password or ssl.keyStore.passwordPath\n";
    assert!(said.ends_with(expected), "{said}");
    let (code, said) = start_on(&files, "ssl.keyStore.location=/etc/zk/key.bcfks\n");
    assert_eq!(code, Some(2));
    assert!(said.contains("ssl.keyStore.location is /etc/zk/key.bcfks, a BCFKS file"), "{said}");
    assert!(said.contains("and write ssl.keyStore.location=/etc/zk/key.p12"), "{said}");
}

fn check(config: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_quorate")).arg("check").arg(config).output();
    let output = output.expect("the program of this package");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn quorate_check_reads_the_files_too() {
    let files = Files::new();
    let alone = lay_out(&files, "");
    let config = alone.server(1).home.join("zoo.cfg");
    let (code, said) = check(&config);
    let port = secure_address(&alone).port();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!(", TLS at 127.0.0.1:{port}")), "{said}");
    files.write("t.pem", "nothing");
    let (code, said) = check(&config);
    assert_eq!(code, Some(2));
    assert!(said.contains("t.pem holds no certificate"), "{said}");
}

#[test]
fn a_password_file_decrypts_the_key() {
    let files = Files::new();
    let golden = |name: &str| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tls/keys");
        fs::read_to_string(dir.join(name)).expect("a golden file")
    };
    files.write("k.pem", &(golden("encrypted.pem") + &golden("cert.pem")));
    files.write("password", "secret\n");
    let line = format!("ssl.keyStore.passwordPath={}\n", files.path("password").display());
    let alone = lay_out(&files, &line);
    let config = alone.server(1).home.join("zoo.cfg");
    assert_eq!(check(&config).0, Some(0), "{}", check(&config).1);
    files.write("password", "wrong\n");
    let (code, said) = check(&config);
    assert_eq!(code, Some(2));
    assert!(said.contains("cannot be decrypted with the password"), "{said}");
}

/// `quorate shell` with a file as Apache's shell takes it.
fn shell(files: &Files, more: &str, server: &str) -> std::process::Output {
    let lines = files.lines().replace("ssl.", "zookeeper.ssl.");
    files.write("client.cfg", &format!("zookeeper.client.secure=true\n{lines}{more}"));
    Command::new(env!("CARGO_BIN_EXE_quorate"))
        .args(["shell", "-server", server, "-client-configuration"])
        .arg(files.path("client.cfg"))
        .args(["whoami"])
        .env("ZOOCFGDIR", "/nonexistent")
        .output()
        .expect("the program of this package")
}

#[test]
fn the_shell_speaks_tls_and_checks_whom_it_talks_to() {
    let files = Files::new();
    let mut alone = lay_out(&files, "");
    alone.start_all();
    alone.wait_until_all_serve();
    let (secure, plain) = (secure_address(&alone), alone.server(1).address);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let named = shell(&files, "", &format!("localhost:{}", secure.port()));
    let out = text(&named.stdout);
    assert!(out.contains("\nx509: CN=server,O=Acme\n"), "{out} {}", text(&named.stderr));
    // The certificate names no address.
    let numbered = shell(&files, "", &secure.to_string());
    let err = text(&numbered.stderr);
    assert!(err.contains("KeeperErrorCode = ConnectionLoss") && err.contains("hostname"), "{err}");
    let unchecked =
        shell(&files, "zookeeper.ssl.hostnameVerification=false\n", &secure.to_string());
    assert!(text(&unchecked.stdout).contains("x509: CN=server"), "{}", text(&unchecked.stderr));
    let err = text(&shell(&files, "", &format!("localhost:{}", plain.port())).stderr);
    assert!(err.contains("does not speak TLS") || err.contains("TLS"), "{err}");
    let lines = "zookeeper.ssl.keyStore.location=/nonexistent\n";
    let missing = shell(&files, lines, &secure.to_string());
    assert_eq!(missing.status.code(), Some(2), "{}", text(&missing.stderr));
    files.write("t.pem", &crate::certificates::Authority::new("another").pem());
    let err = text(&shell(&files, "", &format!("localhost:{}", secure.port())).stderr);
    assert!(err.contains("ssl.trustStore.location"), "{err}");
}
