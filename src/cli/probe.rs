//! Asking a server how it is: the word `srvr`, over a plain connection. (FourLetterWordMain)

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::runtime::HostPort;

/// The answer to `srvr`. Fails if nobody listens, or nobody answers within `timeout`.
pub(super) fn ask_srvr(address: &HostPort, timeout: Duration) -> io::Result<String> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for addr in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&addr, timeout) {
            Ok(stream) => return exchange(stream, timeout),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn exchange(mut stream: TcpStream, timeout: Duration) -> io::Result<String> {
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(b"srvr")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// `leader`, `follower`, ...: absent while the server does not serve.
pub(super) fn mode_of(answer: &str) -> Option<&str> {
    answer.lines().find_map(|line| line.strip_prefix("Mode: "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that answers one connection with this text.
    fn one_answer(text: &'static str) -> HostPort {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            let mut word = [0; 4];
            stream.read_exact(&mut word)?;
            assert_eq!(&word, b"srvr");
            stream.write_all(text.as_bytes())
        });
        HostPort::new("127.0.0.1", port)
    }

    #[test]
    fn the_mode_is_read_from_the_answer() {
        let address = one_answer("Zxid: 0x1\nMode: follower\nNode count: 5\n");
        let answer = ask_srvr(&address, Duration::from_secs(20)).expect("it answers");
        assert_eq!(mode_of(&answer), Some("follower"));
    }

    #[test]
    fn a_server_that_does_not_serve_has_no_mode() {
        let address = one_answer("This ZooKeeper instance is not currently serving requests\n");
        let answer = ask_srvr(&address, Duration::from_secs(20)).expect("it answers");
        assert_eq!(mode_of(&answer), None);
    }

    #[test]
    fn nobody_listening_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let address = HostPort::new("127.0.0.1", port);
        assert!(ask_srvr(&address, Duration::from_secs(20)).is_err());
    }
}
