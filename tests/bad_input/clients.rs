//! Bytes on the client port that no client sends.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use quorate::base::limits::JUTE_MAXBUFFER_BYTES;
use quorate::jute::Jute;
use quorate::jute::client::{ConnectRequest, op};

use crate::ensemble::{Client, Ensemble, Plan, Session};

fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("an open socket");
    stream
}

/// Reads on until the server ends the connection, and returns what came.
#[track_caller]
fn read_to_end(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        // Closed while something of ours was unread.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    bytes
}

fn framed(length: i32, body: &[u8]) -> Vec<u8> {
    [&length.to_be_bytes()[..], body].concat()
}

fn connect_request() -> Vec<u8> {
    let password = Some(vec![0; 16].into());
    let request = ConnectRequest { timeout_ms: 30_000, password, ..Default::default() };
    let body = request.to_jute();
    framed(body.len() as i32, &body)
}

/// The server did not take harm: it answers an old client and a new one.
#[track_caller]
fn assert_unharmed(ensemble: &mut Ensemble, old: &mut Client) {
    ensemble.server_mut(1).assert_it_lives();
    assert_eq!(old.ping(), Ok(()));
    let address = ensemble.server(1).address;
    let new = Client::connect(address, &Session::new(30_000)).expect("the server serves");
    assert_eq!(new.close_session(), Ok(()));
}

#[test]
fn lengths_out_of_range_close_the_connection_and_nothing_else() {
    let mut alone = Plan::standalone().start();
    let address = alone.server(1).address;
    let mut old = alone.client(1);
    let too_long = JUTE_MAXBUFFER_BYTES as i32 + 1;
    for length in [too_long, i32::MAX, -1, i32::MIN] {
        let mut first = dial(address);
        first.write_all(&framed(length, b"whatever")).expect("the server listens");
        assert_eq!(read_to_end(first), b"", "length {length} as the first frame");

        let mut later = dial(address);
        later.write_all(&connect_request()).expect("the server listens");
        let mut response = [0; 4 + 36];
        later.read_exact(&mut response).expect("a session");
        later.write_all(&framed(length, b"whatever")).expect("the server listens");
        assert_eq!(read_to_end(later), b"", "length {length} in a session");
        assert_unharmed(&mut alone, &mut old);
    }
    alone.server(1).wait_for_words(&format!("length={too_long}"));
}

#[test]
fn the_longest_frame_is_still_read() {
    let mut alone = Plan::standalone().start();
    let mut client = alone.client(1);
    client.create("/a", "", 0).expect("a new node");
    // RequestHeader, path, length of the data, version.
    let text = "x".repeat(JUTE_MAXBUFFER_BYTES - 8 - 6 - 4 - 4);
    assert!(client.set("/a", &text).is_ok());
    let got = client.get("/a", false).expect("it is there");
    assert_eq!(got.0.len(), text.len());
    assert!(client.set("/a", &(text + "x")).is_err(), "one byte more ends the connection");
    let mut other = alone.client(1);
    assert_unharmed(&mut alone, &mut other);
}

#[test]
fn a_frame_cut_anywhere_by_a_disconnect_harms_nobody() {
    let mut alone = Plan::standalone().start();
    let address = alone.server(1).address;
    let mut old = alone.client(1);
    let whole = connect_request();
    for cut in [0, 1, 3, 4, 5, 20, whole.len() - 1] {
        let mut stream = dial(address);
        stream.write_all(&whole[..cut]).expect("the server listens");
        stream.shutdown(Shutdown::Write).expect("an open socket");
        assert_eq!(read_to_end(stream), b"", "cut at {cut}");
    }
    // Gone without a word: the other side finds out by writing.
    for cut in [2, 10] {
        dial(address).write_all(&whole[..cut]).expect("the server listens");
    }
    assert_unharmed(&mut alone, &mut old);
}

#[test]
fn frames_that_are_no_requests_close_the_connection_or_get_an_error() {
    let mut alone = Plan::standalone().start();
    let address = alone.server(1).address;
    let mut old = alone.client(1);
    // No ConnectRequest.
    for body in [&b""[..], b"x", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = dial(address);
        stream.write_all(&framed(body.len() as i32, body)).expect("the server listens");
        assert_eq!(read_to_end(stream), b"", "{body:?}");
    }
    let mut raw = dial(address);
    raw.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("the server listens");
    assert_eq!(read_to_end(raw), b"");
    // No RequestHeader, and headers without the record that should follow.
    for body in [&b""[..], b"abc"] {
        let mut stream = dial(address);
        stream.write_all(&connect_request()).expect("the server listens");
        let mut response = [0; 4 + 36];
        stream.read_exact(&mut response).expect("a session");
        stream.write_all(&framed(body.len() as i32, body)).expect("the server listens");
        assert_eq!(read_to_end(stream), b"", "{body:?}");
    }
    for op in [op::CREATE, op::SET_DATA, op::GET_DATA, op::SYNC, op::SET_WATCHES, op::MULTI] {
        let mut client = Client::connect(address, &Session::new(30_000)).expect("it serves");
        // An int where a record should stand: a string of a length that lies.
        drop(client.call(op, &i32::MAX));
    }
    assert_unharmed(&mut alone, &mut old);
}
