//! What an ensemble on this machine consists of: a directory a server, with its zoo.cfg and myid.

use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process;

use super::args::UpArgs;
use super::links::{Links, Port};
use super::ports::{self, LOOPBACK, ServerPorts};
use crate::cli::files;
use crate::runtime::{FilePermissions, HostPort};

const LOG: &str = "quorate.log";

/// One server: `number` from 1, observers behind those that vote.
pub(super) struct Member {
    pub(super) number: u16,
    pub(super) ports: ServerPorts,
    pub(super) is_observer: bool,
    pub(super) dir: PathBuf,
}

impl Member {
    /// Where clients find it.
    pub(super) fn address(&self) -> HostPort {
        HostPort::new(LOOPBACK, self.ports.client)
    }

    /// The page at its admin port.
    pub(super) fn page(&self) -> String {
        format!("http://{LOOPBACK}:{}/", self.ports.admin)
    }

    pub(super) fn log_path(&self) -> PathBuf {
        self.dir.join(LOG)
    }
}

pub(super) struct Layout {
    pub(super) members: Vec<Member>,
    pub(super) dir: PathBuf,
    pub(super) is_temporary: bool,
    pub(super) links: Links,
    /// Keeps chosen ports from other ensembles.
    _held: Vec<TcpListener>,
}

impl Layout {
    /// Finds ports, and writes each server's zoo.cfg and myid. The error says what to do.
    pub(super) fn write(args: &UpArgs) -> Result<Layout, String> {
        let servers = args.voters() + args.observers;
        if args.voters() == 1 && args.observers > 0 {
            return Err("a server that stands alone has no observers: --servers 2 or more".into());
        }
        let (ports, held) = match args.port {
            0 => ports::free(servers)?,
            port => (ports::from_port(port, servers)?, Vec::new()),
        };
        let permissions = FilePermissions::default();
        let (dir, is_temporary) = match args.dir_that_stays() {
            Some(dir) => (dir, false),
            None => (temporary_dir()?, true),
        };
        let broken = |error: io::Error| format!("{}: {error}", dir.display());
        files::create_dirs(&dir, permissions).map_err(broken)?;
        check_size(&dir, servers)?;
        let dir = fs::canonicalize(&dir).map_err(broken)?;
        let members: Vec<Member> = (1..=servers)
            .zip(ports)
            .map(|(number, ports)| Member {
                number,
                ports,
                is_observer: number > args.voters(),
                dir: dir.join(number.to_string()),
            })
            .collect();
        // Who cannot be told to cut one pays nothing for links.
        let linked = members.iter().filter(|_| args.takes_keys());
        let links = linked.map(|m| (m.number, m.ports.quorum, m.ports.election));
        let links = Links::new(&links.collect::<Vec<_>>())
            .map_err(|error| format!("no ports for the links between the servers: {error}"))?;
        for member in &members {
            write_member(member, &members, &links, permissions).map_err(broken)?;
        }
        Ok(Layout { members, dir, is_temporary, links, _held: held })
    }

    pub(super) fn member(&self, number: u16) -> Option<&Member> {
        self.members.iter().find(|member| member.number == number)
    }
}

/// A new directory that nobody else reads.
fn temporary_dir() -> Result<PathBuf, String> {
    use std::os::unix::fs::DirBuilderExt;
    let base = std::env::temp_dir();
    for n in 0..1000 {
        let dir = base.join(format!("quorate-up-{}-{n}", process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("{}: {error}. Choose another --dir", dir.display())),
        }
    }
    Err(format!("{} is full of old ensembles: delete quorate-up-*", base.display()))
}

/// Data of three servers is none for five.
fn check_size(dir: &Path, servers: u16) -> Result<(), String> {
    let present = (1..=150).filter(|n| dir.join(n.to_string()).join("myid").exists()).count();
    if present == 0 || present == usize::from(servers) {
        return Ok(());
    }
    Err(format!(
        "{} holds an ensemble of {present}: run it with as many --servers and --observers, \
         choose another --dir, or delete it",
        dir.display()
    ))
}

fn write_member(
    member: &Member,
    members: &[Member],
    links: &Links,
    permissions: FilePermissions,
) -> io::Result<()> {
    files::create_dirs(&member.dir, permissions)?;
    let myid = format!("{}\n", member.number);
    let configuration = configuration(member, members, links);
    for (name, text) in [("myid", myid), ("zoo.cfg", configuration), (LOG, String::new())] {
        files::create(&member.dir.join(name), permissions)?.write_all(text.as_bytes())?;
    }
    Ok(())
}

fn configuration(member: &Member, members: &[Member], links: &Links) -> String {
    // A backslash escapes the next character in this format.
    let dir = member.dir.display().to_string().replace('\\', "\\\\");
    let mut text = format!(
        "# Written by `quorate up` at each start.\n\
         tickTime=2000\ninitLimit=10\nsyncLimit=5\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n\
         dataDir={dir}\nclientPort={}\nclientPortAddress={LOOPBACK}\n\
         admin.serverPort={}\nadmin.serverAddress={LOOPBACK}\n\
         admin.page.tree.enabled=true\n",
        member.ports.client, member.ports.admin
    );
    if members.len() == 1 {
        return text;
    }
    if member.is_observer {
        text.push_str("peerType=observer\n");
    }
    let pages =
        members.iter().map(|other| format!("{}={LOOPBACK}:{}", other.number, other.ports.admin));
    text.push_str(&format!("admin.page.servers={}\n", pages.collect::<Vec<_>>().join(",")));
    text.push_str("# The ports of the others are links of that command, which can cut them.\n");
    for other in members {
        let port = |port, own| links.port(member.number, other.number, port).unwrap_or(own);
        let quorum = port(Port::Quorum, other.ports.quorum);
        let election = port(Port::Election, other.ports.election);
        let role = if other.is_observer { ":observer" } else { "" };
        text.push_str(&format!("server.{}={LOOPBACK}:{quorum}:{election}{role}\n", other.number));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn args(servers: u16, dir: &Path) -> UpArgs {
        UpArgs {
            servers,
            observers: 0,
            standalone: false,
            port: 0,
            dir: Some(dir.to_owned()),
            keep: false,
            json: false,
            attached: false,
        }
    }

    #[test]
    fn the_configurations_it_writes_parse_without_a_warning() {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let args = UpArgs { observers: 2, ..args(3, &dir.path().join("a b")) };
        let layout = Layout::write(&args).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(layout.members.len(), 5);
        for member in &layout.members {
            let read = |name| fs::read_to_string(member.dir.join(name)).expect("it was written");
            let loaded = parse(&read("zoo.cfg"), "zoo.cfg", Some(&read("myid")), None)
                .unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(loaded.warnings, Vec::<String>::new());
            assert_eq!(loaded.config.servers.len(), 5);
            assert_eq!(loaded.config.client, Some(member.address()));
            assert_eq!(loaded.config.data_dir, member.dir);
        }
    }

    #[test]
    fn one_server_stands_alone() {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let args = UpArgs { standalone: true, ..args(3, dir.path()) };
        let layout = Layout::write(&args).unwrap_or_else(|problem| panic!("{problem}"));
        let text = fs::read_to_string(layout.members[0].dir.join("zoo.cfg")).expect("written");
        let alone = parse(&text, "zoo.cfg", None, None).unwrap_or_else(|e| panic!("{e}"));
        assert!(alone.config.is_standalone());
    }

    #[test]
    fn each_server_reaches_the_others_by_links_of_its_own() {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let args = UpArgs { json: true, ..args(3, dir.path()) };
        let layout = Layout::write(&args).unwrap_or_else(|e| panic!("{e}"));
        let mut lines: Vec<String> = Vec::new();
        for member in &layout.members {
            let text = fs::read_to_string(member.dir.join("zoo.cfg")).expect("it was written");
            lines.extend(text.lines().filter(|l| l.starts_with("server.")).map(String::from));
        }
        assert_eq!(lines.len(), 9);
        lines.sort();
        lines.dedup();
        assert_eq!(lines.len(), 9, "two servers share a link: {lines:?}");
    }

    #[test]
    fn an_ensemble_of_another_size_is_not_overwritten() {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        assert!(Layout::write(&args(3, dir.path())).is_ok());
        assert!(Layout::write(&args(3, dir.path())).is_ok(), "the same size again");
        let Err(problem) = Layout::write(&args(5, dir.path())) else {
            panic!("the directory holds three servers");
        };
        assert!(problem.contains("an ensemble of 3"), "{problem}");
        assert!(!dir.path().join("4").exists());
    }
}
