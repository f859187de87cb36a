//! `host:port,host:port/chroot`: which servers, and where a client's root is. (ConnectStringParser)

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::base::paths;
use crate::runtime::HostPort;

const PORT: u16 = 2181;

/// The servers of an ensemble, and the node that a client takes for its root.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectString {
    pub servers: Vec<HostPort>,
    /// Without it paths are the servers' own.
    pub chroot: Option<String>,
}

/// What is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ConnectStringError {
    #[error("a list of servers is missing: give HOST:PORT, or HOST:PORT,HOST:PORT/CHROOT")]
    Empty,
    #[error("{0:?} is no server: give HOST:PORT, an IPv6 address in brackets, as in [::1]:2181")]
    Server(String),
    #[error("{path:?} is no chroot ({why}): give the path of a node, as in HOST:PORT/app")]
    Chroot { path: String, why: paths::PathError },
    #[error("{0:?}: servers are not looked up by SRV records: name them as HOST:PORT,HOST:PORT")]
    DnsSrv(String),
}

impl FromStr for ConnectString {
    type Err = ConnectStringError;

    fn from_str(text: &str) -> Result<ConnectString, ConnectStringError> {
        if text.starts_with("dns-srv://") {
            return Err(ConnectStringError::DnsSrv(text.to_owned()));
        }
        let (list, chroot) = match text.find('/') {
            Some(at) => (&text[..at], Some(&text[at..])),
            None => (text, None),
        };
        let chroot = match chroot {
            None | Some("/") => None,
            Some(path) => {
                let wrong = |why| ConnectStringError::Chroot { path: path.to_owned(), why };
                paths::validate(path).map_err(wrong)?;
                Some(path.to_owned())
            }
        };
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let servers = names.map(server).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(ConnectStringError::Empty);
        }
        Ok(ConnectString { servers, chroot })
    }
}

fn server(name: &str) -> Result<HostPort, ConnectStringError> {
    let wrong = || ConnectStringError::Server(name.to_owned());
    let (host, port) = match name.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or_else(wrong)?;
            match behind {
                "" => (host, None),
                _ => (host, Some(behind.strip_prefix(':').ok_or_else(wrong)?)),
            }
        }
        // More than one colon without brackets is an address alone.
        None if name.matches(':').count() > 1 => (name, None),
        None => match name.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (name, None),
        },
    };
    let port = match port {
        None => PORT,
        Some(port) => port.parse().map_err(|_| wrong())?,
    };
    if host.is_empty() { Err(wrong()) } else { Ok(HostPort::new(host, port)) }
}

impl fmt::Display for ConnectString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, server) in self.servers.iter().enumerate() {
            write!(f, "{}{server}", if n == 0 { "" } else { "," })?;
        }
        f.write_str(self.chroot.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, ConnectStringError> {
        text.parse::<ConnectString>().map(|parsed| parsed.to_string())
    }

    #[test]
    fn servers_and_chroot_are_told_apart() {
        for (text, expected) in [
            ("a", "a:2181"),
            ("a:1", "a:1"),
            ("a:1, b ,c:3/x/y", "a:1,b:2181,c:3/x/y"),
            ("[::1]:5/x", "[::1]:5/x"),
            ("::1", "[::1]:2181"),
            ("a/", "a:2181"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(shown(""), Err(ConnectStringError::Empty));
        assert_eq!(shown("a:b"), Err(ConnectStringError::Server("a:b".into())));
        assert_eq!(shown("[::1]5"), Err(ConnectStringError::Server("[::1]5".into())));
        let chroot = shown("a/x/");
        assert!(matches!(chroot, Err(ConnectStringError::Chroot { .. })), "{chroot:?}");
        assert!(matches!(shown("dns-srv://a"), Err(ConnectStringError::DnsSrv(_))));
    }
}
