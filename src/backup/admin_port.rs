//! Asks the admin port of a server, ours or Apache ZooKeeper's. (JettyAdminServer)
//!
//! HTTP/1.0: an answer ends with its connection.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

use super::error::BackupError;
use crate::base::Zxid;

const CONNECT_MAX: Duration = Duration::from_secs(10);
/// A server writes a snapshot to its disk before it sends it.
const ANSWER_MAX: Duration = Duration::from_secs(3600);
/// Bytes of the head of an answer, and of an answer in JSON.
const HEAD_BYTES_MAX: u64 = 64 << 10;
const JSON_BYTES_MAX: u64 = 64 << 20;

#[derive(Clone, Debug)]
pub(super) struct AdminPort {
    address: String,
    authorization: Option<String>,
}

impl fmt::Display for AdminPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the admin port {}", self.address)
    }
}

/// An answer whose body is still to be read.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: BufReader<TcpStream>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl AdminPort {
    /// `HOST:PORT`
    pub(super) fn parse(
        address: &str,
        authorization: Option<String>,
    ) -> Result<AdminPort, BackupError> {
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() || address.contains('/') {
            return Err(BackupError::Invalid(format!(
                "{address} is neither a directory nor HOST:PORT of an admin port, such as 127.0.0.1:8080"
            )));
        }
        let is_one_line = |text: &String| !text.contains(['\r', '\n']);
        if !authorization.as_ref().is_none_or(is_one_line) {
            return Err(BackupError::Invalid("--authorization takes one line".into()));
        }
        Ok(AdminPort { address: address.into(), authorization })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn wrong(&self, why: impl Into<String>) -> BackupError {
        BackupError::Server { server: self.to_string(), why: why.into() }
    }

    /// The last transaction that the server has applied: it is committed.
    pub(super) fn last_processed(&self) -> Result<Zxid, BackupError> {
        let stats = self.json("/commands/server_stats")?;
        let zxid = stats["server_stats"]["last_processed_zxid"].as_i64();
        zxid.map(Zxid).ok_or_else(|| self.wrong("server_stats has no last_processed_zxid"))
    }

    /// The answer of a command, if it has no error.
    pub(super) fn json(&self, path: &str) -> Result<Value, BackupError> {
        let answer = self.ask(path)?;
        self.read_json(path, answer)
    }

    pub(super) fn read_json(&self, path: &str, answer: Answer) -> Result<Value, BackupError> {
        let status = answer.status;
        let mut text = Vec::new();
        let read = answer.body.take(JSON_BYTES_MAX).read_to_end(&mut text);
        read.map_err(|error| self.wrong(format!("{path}: {error}")))?;
        let value: Value = serde_json::from_slice(&text).map_err(|_| {
            let shown = String::from_utf8_lossy(&text[..text.len().min(200)]).trim().to_string();
            self.wrong(format!("{path} is answered with status {status}: {shown}"))
        })?;
        match value["error"].as_str() {
            Some(error) => Err(self.wrong(format!("{path}: {error}"))),
            None if status != 200 => Err(self.wrong(format!("{path} has status {status}"))),
            None => Ok(value),
        }
    }

    pub(super) fn ask(&self, path: &str) -> Result<Answer, BackupError> {
        self.exchange(path).map_err(|error| {
            self.wrong(format!(
                "{path} is not answered: {error}. Does the server run, with admin.enableServer, and is \
                 this its admin.serverPort?"
            ))
        })
    }

    fn exchange(&self, path: &str) -> std::io::Result<Answer> {
        let mut stream = self.connect()?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let authorization = match &self.authorization {
            Some(proof) => format!("Authorization: {proof}\r\n"),
            None => String::new(),
        };
        let host = &self.address;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n{authorization}\r\n")?;
        let mut body = BufReader::with_capacity(1 << 16, stream);
        let mut lines = Vec::new();
        let mut head = body.by_ref().take(HEAD_BYTES_MAX);
        loop {
            let mut line = String::new();
            head.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            lines.push(line.trim().to_string());
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other("that is no answer in HTTP"))?;
        let pairs = lines.iter().filter_map(|line| line.split_once(':'));
        let headers = pairs.map(|(name, value)| (name.into(), value.trim().into())).collect();
        Ok(Answer { status, headers, body })
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let mut refused = std::io::Error::other("the name has no address");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_MAX) {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }
}
