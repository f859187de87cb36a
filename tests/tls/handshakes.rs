//! Who gets in, as whom, and that nobody keeps others waiting.

use std::io;

use bytes::Bytes;
use quorate::base::ConnId;
use quorate::config::{ClientAuth, ClientTls, TlsVersion};
use quorate::runtime::{HostPort, Runtime};
use quorate::server::driver::ClientEvent;
use rustls::ProtocolVersion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::certificates::{Authority, Files, self_signed};
use crate::port::{Port, TlsClient, dial, frame, in_time, run, version_of};

#[test]
fn frames_go_both_ways_and_the_subject_is_known() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open(&machine, &files.settings());
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        let mut stream = client.connect(&port.secure).await.expect("a handshake");
        assert_eq!(version_of(&stream), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(port.accepted().await, (1, Some("CN=zk,O=Acme".into())));
        let large = vec![7; 1_000_000];
        let mut sent = frame(b"small");
        sent.extend(frame(&large));
        in_time(stream.write_all(&sent)).await.expect("the server reads");
        for body in [b"small".as_slice(), &large] {
            let body = Bytes::copy_from_slice(body);
            assert_eq!(port.next().await, ClientEvent::Frame { conn: ConnId(1), body });
        }
        for _ in 0..3 {
            port.driver.write(machine.stamp(), ConnId(1), Bytes::from(large.clone()));
        }
        port.driver.close(machine.stamp(), ConnId(1));
        let mut read = Vec::new();
        // Without an error: the end is TLS's own, not that of the connection below it.
        in_time(stream.read_to_end(&mut read)).await.expect("a close_notify");
        assert!(read.len() == 3_000_000 && read.iter().all(|byte| *byte == 7));
        assert_eq!(port.next().await, ClientEvent::Lost { conn: ConnId(1) });
    });
}

#[test]
fn a_client_of_tls_1_2_gets_in_and_asks_words() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open(&machine, &files.settings());
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("old", &[]));
        let mut stream = client.with_tls_1_2().connect(&port.secure).await.expect("a handshake");
        assert_eq!(version_of(&stream), Some(ProtocolVersion::TLSv1_2));
        assert_eq!(port.accepted().await, (1, Some("CN=old,O=Acme".into())));
        in_time(stream.write_all(b"ruok")).await.expect("the server reads");
        let word = ClientEvent::Word { conn: ConnId(1), word: *b"ruok", mask: None };
        assert_eq!(port.next().await, word);
    });
}

#[test]
fn a_version_or_suite_that_is_off_is_not_spoken() {
    run(async |machine| {
        let files = Files::new();
        let good = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        let new = ClientTls { versions: vec![TlsVersion::V1_3], ..files.settings() };
        let port = Port::open(&machine, &new);
        assert!(good.clone().with_tls_1_2().is_refused(&port.secure).await);
        let suite = "TLS_CHACHA20_POLY1305_SHA256";
        let one = ClientTls { cipher_suites: vec![suite.into()], ..files.settings() };
        let port = Port::open(&machine, &one);
        let stream = good.connect(&port.secure).await.expect("a handshake");
        let used = stream.get_ref().1.negotiated_cipher_suite().expect("it is done").suite();
        assert_eq!(used.as_str(), Some("TLS13_CHACHA20_POLY1305_SHA256"));
    });
}

#[test]
fn need_lets_in_only_whom_the_trust_store_knows() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open(&machine, &files.settings());
        let nobody = TlsClient::of(&files.authority);
        // Of another authority that has the same name.
        let stranger = Authority::new("authority").sign("zk", &[]);
        let late = files.authority.sign_expired("zk");
        let good = files.authority.sign("zk", &[]);
        for client in [
            nobody.clone(),
            nobody.clone().showing(&stranger),
            nobody.clone().showing(&late),
            nobody.clone().showing(&self_signed("zk")),
        ] {
            assert!(client.is_refused(&port.secure).await);
            assert!(client.with_tls_1_2().is_refused(&port.secure).await);
        }
        let _stream = nobody.showing(&good).connect(&port.secure).await.expect("a handshake");
        assert_eq!(port.accepted().await.0, 1, "nobody was accepted before");
    });
}

#[test]
fn want_lets_in_who_shows_nothing_but_not_who_shows_a_strangers_certificate() {
    run(async |machine| {
        let files = Files::new();
        let want = ClientTls { client_auth: ClientAuth::Want, ..files.settings() };
        let port = Port::open(&machine, &want);
        let nobody = TlsClient::of(&files.authority);
        let stranger = nobody.clone().showing(&Authority::new("other").sign("zk", &[]));
        assert!(stranger.is_refused(&port.secure).await);
        let _first = nobody.connect(&port.secure).await.expect("a handshake");
        assert_eq!(port.accepted().await, (1, None));
        let known = nobody.showing(&files.authority.sign("zk", &[]));
        let _second = known.connect(&port.secure).await.expect("a handshake");
        assert_eq!(port.accepted().await, (2, Some("CN=zk,O=Acme".into())));
    });
}

#[test]
fn none_asks_for_no_certificate() {
    run(async |machine| {
        let files = Files::new();
        let none =
            ClientTls { client_auth: ClientAuth::None, trust_store: None, ..files.settings() };
        let port = Port::open(&machine, &none);
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        let _stream = client.connect(&port.secure).await.expect("a handshake");
        assert_eq!(port.accepted().await, (1, None));
    });
}

/// As in Java; `openssl req -x509` makes such certificates, which are authorities of themselves.
#[test]
fn a_certificate_that_stands_in_the_trust_store_is_good_itself() {
    run(async |machine| {
        let files = Files::new();
        let (listed, other) = (self_signed("listed"), self_signed("listed"));
        files.write("t.pem", &listed.pem);
        let port = Port::open(&machine, &files.settings());
        let client = TlsClient::of(&files.authority);
        for (n, client) in
            [client.clone().showing(&listed), client.clone().showing(&listed).with_tls_1_2()]
                .into_iter()
                .enumerate()
        {
            let stream = client.connect(&port.secure).await.expect("a handshake");
            assert_eq!(port.accepted().await, (n as u64 + 1, Some("CN=listed,O=Acme".into())));
            drop(stream);
            assert_eq!(port.next().await, ClientEvent::Lost { conn: ConnId(n as u64 + 1) });
        }
        assert!(client.showing(&other).is_refused(&port.secure).await, "of the same name");
    });
}

#[test]
fn one_port_takes_plain_text_and_tls_and_numbers_are_unique_over_all_ports() {
    run(async |machine| {
        let files = Files::new();
        let unified = ClientTls { port_unification: true, ..files.settings() };
        let port = Port::open(&machine, &unified);
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        let mut plain = dial(&port.plain).await;
        plain.write_all(&frame(b"plain")).await.expect("the server reads");
        assert_eq!(port.accepted().await, (1, None));
        let body = Bytes::from_static(b"plain");
        assert_eq!(port.next().await, ClientEvent::Frame { conn: ConnId(1), body });
        let _secure = client.connect(&port.plain).await.expect("a handshake");
        assert_eq!(port.accepted().await, (2, Some("CN=zk,O=Acme".into())));
        let _other = client.connect(&port.secure).await.expect("a handshake");
        assert_eq!(port.accepted().await.0, 3);
        assert!(TlsClient::of(&files.authority).is_refused(&port.plain).await);
        plain.write_all(b"\0\0\0\0").await.expect("the server reads");
        assert!(matches!(port.next().await, ClientEvent::Frame { conn: ConnId(1), .. }));
    });
}

#[test]
fn the_plain_port_beside_a_secure_one_takes_no_tls() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open(&machine, &files.settings());
        let mut plain = dial(&port.plain).await;
        assert_eq!(port.accepted().await, (1, None));
        plain.write_all(&frame(b"x")).await.expect("the server reads");
        assert!(matches!(port.next().await, ClientEvent::Frame { .. }));
        assert!(TlsClient::of(&files.authority).is_refused(&port.plain).await);
    });
}

#[test]
fn plain_text_on_the_secure_port_is_hung_up_on() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open(&machine, &files.settings());
        for bytes in [frame(b"hello"), b"ruok".to_vec(), b"GET / HTTP/1.0\r\n\r\n".to_vec()] {
            let mut stream = dial(&port.secure).await;
            stream.write_all(&bytes).await.expect("the server reads");
            assert!(!matches!(in_time(stream.read(&mut [0])).await, Ok(1..)));
        }
        // A handshake record with nonsense in it.
        let mut stream = dial(&port.secure).await;
        stream.write_all(b"\x16\x03\x01\0\x05nonsense").await.expect("the server reads");
        let mut alert = Vec::new();
        let _ = in_time(stream.read_to_end(&mut alert)).await;
        assert!(alert.first().is_none_or(|kind| *kind == 0x15), "{alert:?}");
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        let _stream = client.connect(&port.secure).await.expect("a handshake");
        assert_eq!(port.accepted().await.0, 1);
    });
}

#[test]
fn handshakes_that_stand_still_keep_nobody_waiting_and_end() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open(&machine, &files.settings());
        let mut silent = dial(&port.secure).await;
        let mut slow = dial(&port.secure).await;
        slow.write_all(b"\x16\x03\x01\x02\0\x01").await.expect("the server reads");
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        let _stream = client.connect(&port.secure).await.expect("a handshake");
        assert_eq!(port.accepted().await.0, 1);
        for stream in [&mut silent, &mut slow] {
            assert!(!matches!(in_time(stream.read(&mut [0])).await, Ok(1..)));
        }
    });
}

#[test]
fn a_client_may_have_to_come_from_where_its_certificate_says() {
    run(async |machine| {
        let files = Files::new();
        let strict = ClientTls { verify_client_host: true, ..files.settings() };
        let port = Port::open(&machine, &strict);
        let client = |name: &str, hosts: &[&str]| {
            TlsClient::of(&files.authority).showing(&files.authority.sign(name, hosts))
        };
        for (name, hosts) in [
            ("zk", ["10.1.2.3", "no-such-host.invalid"].as_slice()),
            // The common name counts only where there is no other.
            ("127.0.0.1", &["10.1.2.3"]),
            ("zk.invalid", &[]),
        ] {
            assert!(client(name, hosts).is_refused(&port.secure).await, "{name} {hosts:?}");
        }
        for (n, (name, hosts)) in
            [("a", ["127.0.0.1"].as_slice()), ("b", &["localhost"]), ("127.0.0.1", &[])]
                .into_iter()
                .enumerate()
        {
            let stream = client(name, hosts).connect(&port.secure).await.expect("a handshake");
            assert_eq!(port.accepted().await.0, n as u64 + 1, "{name} {hosts:?}");
            drop(stream);
            assert!(matches!(port.next().await, ClientEvent::Lost { .. }));
        }
    });
}

/// Connections from this address of the loopback network that say nothing.
async fn silent_ones(from: [u8; 4], to: &HostPort, count: usize) -> Vec<TcpStream> {
    let to = format!("{}:{}", to.host, to.port).parse().expect("an address");
    let mut silent = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((from, 0).into()).expect("the loopback network is a class A");
        silent.push(in_time(socket.connect(to)).await.expect("it listens"));
    }
    silent
}

/// How many of them the server has ended.
fn ended(silent: &[TcpStream]) -> usize {
    let is_ended = |stream: &&TcpStream| !is_would_block(stream.try_read(&mut [0]));
    silent.iter().filter(is_ended).count()
}

fn is_would_block(read: io::Result<usize>) -> bool {
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[test]
fn one_address_with_handshakes_that_are_never_done_keeps_nobody_out() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open(&machine, &files.settings());
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        // It listens.
        client.connect(&port.secure).await.expect("a handshake");
        let silent = silent_ones([127, 0, 0, 2], &port.secure, 1024).await;
        assert_eq!(ended(&silent), 0);
        client.connect(&port.secure).await.expect("a handshake");
        // It did not wait for theirs to time out: one gave way.
        in_time(silent[0].readable()).await.expect("a socket");
        assert_eq!(ended(&silent), 1);
        let more = silent_ones([127, 0, 0, 2], &port.secure, 1).await;
        client.connect(&port.secure).await.expect("a handshake");
        assert!(ended(&silent) <= 2 && ended(&more) <= 1, "there is one place, or none");
    });
}

#[test]
fn a_handshake_under_way_counts_for_the_connections_of_its_address() {
    run(async |machine| {
        let files = Files::new();
        let port = Port::open_for(&machine, &files.settings(), 3);
        let client = TlsClient::of(&files.authority).showing(&files.authority.sign("zk", &[]));
        let open = client.connect(&port.secure).await.expect("a handshake");
        let silent = silent_ones([127, 0, 0, 1], &port.secure, 2).await;
        assert!(client.is_refused(&port.secure).await, "one is done, and two are under way");
        let other = silent_ones([127, 0, 0, 2], &port.secure, 1).await;
        assert_eq!((ended(&silent), ended(&other)), (0, 0), "those that are there stay");
        drop(silent);
        let again = in_time(async {
            loop {
                if let Ok(stream) = client.connect(&port.secure).await {
                    return stream;
                }
            }
        });
        drop((again.await, open, other));
    });
}
