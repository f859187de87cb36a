//! `quorate up`: an ensemble on this machine, one child process a server.
//!
//! The children hold one end of a pipe as standard input and end when it closes, so that none of
//! them outlives this process, however it dies: Ctrl-C, a closed terminal, or kill -9.

use std::fs;
use std::io::{self, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::args::{FAILED, INVALID, UpArgs};
use super::{files, probe};
use crate::runtime::{FilePermissions, HostPort};

const LOOPBACK: &str = "127.0.0.1";
const QUORUM_PORTS: u16 = 1000;
const ELECTION_PORTS: u16 = 2000;
const ADMIN_PORTS: u16 = 3000;
/// A cold ensemble elects in a second or two; a slow machine gets a minute.
const READY_WAIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(100);

/// One server of the ensemble: `number` from 1, and its ports.
struct Member {
    number: u16,
    client: u16,
    dir: PathBuf,
}

/// The running servers. Dropping it closes their standard inputs, which ends them, and waits.
struct Children(Vec<(u16, Child)>);

impl Children {
    /// The first server that has ended.
    fn ended(&mut self) -> Option<(u16, ExitStatus)> {
        self.0.iter_mut().find_map(|(number, child)| {
            child.try_wait().ok().flatten().map(|status| (*number, status))
        })
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for (_, child) in &mut self.0 {
            drop(child.stdin.take());
        }
        for (_, child) in &mut self.0 {
            let _ = child.wait();
        }
    }
}

pub(super) fn run_ensemble(args: &UpArgs) -> i32 {
    let members = match check_ports(args).and_then(|()| lay_out(args)) {
        Ok(members) => members,
        Err(problem) => {
            eprintln!("{problem}");
            return INVALID;
        }
    };
    let mut children = Children(Vec::new());
    for member in &members {
        match spawn(member) {
            Ok(child) => children.0.push((member.number, child)),
            Err(error) => {
                eprintln!("server {} cannot be started: {error}", member.number);
                return FAILED;
            }
        }
    }
    if let Err(problem) = wait_until_ready(&members, &mut children) {
        eprintln!("{problem}");
        return FAILED;
    }
    let addresses: Vec<String> = members.iter().map(|member| address(member).to_string()).collect();
    println!("Connect to {}", addresses.join(","));
    println!("A page to look at: http://{LOOPBACK}:{}/", members[0].client + ADMIN_PORTS);
    println!("Data and logs are in {}. Ctrl-C ends the ensemble.", args.dir.display());
    loop {
        if let Some((number, status)) = children.ended() {
            eprintln!("{}", died(&members, number, status));
            return FAILED;
        }
        thread::sleep(POLL);
    }
}

/// Names every port that somebody else listens on.
fn check_ports(args: &UpArgs) -> Result<(), String> {
    let taken = ports(args).filter(|port| TcpListener::bind((LOOPBACK, *port)).is_err());
    let taken: Vec<String> = taken.map(|port| port.to_string()).collect();
    if taken.is_empty() {
        return Ok(());
    }
    Err(format!(
        "in use on {LOOPBACK}: port {}. Stop what listens there, or choose others with --port",
        taken.join(", ")
    ))
}

/// Writes each server's zoo.cfg and myid.
fn lay_out(args: &UpArgs) -> Result<Vec<Member>, String> {
    let broken = |error: io::Error| format!("{}: {error}", args.dir.display());
    let permissions = FilePermissions::default();
    files::create_dirs(&args.dir, permissions).map_err(broken)?;
    let dir = fs::canonicalize(&args.dir).map_err(broken)?;
    let present = (1..=99).filter(|n| dir.join(n.to_string()).join("myid").exists()).count();
    if present != 0 && present != usize::from(args.servers) {
        return Err(format!(
            "{} holds an ensemble of {present}: run it with --servers {present}, \
             choose another --dir, or delete it",
            args.dir.display()
        ));
    }
    let members: Vec<Member> = (1..=args.servers)
        .map(|number| Member {
            number,
            client: args.port + number - 1,
            dir: dir.join(number.to_string()),
        })
        .collect();
    for member in &members {
        files::create_dirs(&member.dir, permissions).map_err(broken)?;
        let myid = format!("{}\n", member.number);
        for (name, text) in [("myid", myid), ("zoo.cfg", configuration(member, &members))] {
            let created = files::create(&member.dir.join(name), permissions);
            created.and_then(|mut file| file.write_all(text.as_bytes())).map_err(broken)?;
        }
    }
    Ok(members)
}

/// Client and admin ports, and with more than one server quorum and election ports too.
fn ports(args: &UpArgs) -> impl Iterator<Item = u16> {
    let (first, count) = (args.port, args.servers);
    let kinds: &[u16] = match count {
        1 => &[0, ADMIN_PORTS],
        _ => &[0, QUORUM_PORTS, ELECTION_PORTS, ADMIN_PORTS],
    };
    kinds.iter().flat_map(move |kind| (0..count).map(move |n| first + kind + n))
}

fn configuration(member: &Member, members: &[Member]) -> String {
    // A backslash escapes the next character in this format.
    let dir = member.dir.display().to_string().replace('\\', "\\\\");
    let mut text = format!(
        "tickTime=2000\ninitLimit=10\nsyncLimit=5\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n\
         dataDir={dir}\nclientPort={}\nclientPortAddress={LOOPBACK}\n\
         admin.serverPort={}\nadmin.serverAddress={LOOPBACK}\nadmin.page.tree.enabled=true\n",
        member.client,
        member.client + ADMIN_PORTS
    );
    if members.len() > 1 {
        for Member { number, client, .. } in members {
            let (quorum, election) = (client + QUORUM_PORTS, client + ELECTION_PORTS);
            text.push_str(&format!("server.{number}={LOOPBACK}:{quorum}:{election}\n"));
        }
    }
    text
}

fn log_path(dir: &Path) -> PathBuf {
    dir.join("quorate.log")
}

fn spawn(member: &Member) -> io::Result<Child> {
    let log = files::create(&log_path(&member.dir), FilePermissions::default())?;
    Command::new(std::env::current_exe()?)
        .args(["server", "start-foreground", "--attached"])
        .arg(member.dir.join("zoo.cfg"))
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn address(member: &Member) -> HostPort {
    HostPort::new(LOOPBACK, member.client)
}

/// Prints each server as soon as it serves.
fn wait_until_ready(members: &[Member], children: &mut Children) -> Result<(), String> {
    let mut waiting: Vec<&Member> = members.iter().collect();
    let mut waited = Duration::ZERO;
    while !waiting.is_empty() {
        waiting.retain(|member| {
            let answer = probe::ask_srvr(&address(member), POLL * 10).unwrap_or_default();
            let Some(mode) = probe::mode_of(&answer) else { return true };
            println!("server {}  {}  {mode}", member.number, address(member));
            false
        });
        if let Some((number, status)) = children.ended() {
            return Err(died(members, number, status));
        }
        if waited >= READY_WAIT {
            let numbers: Vec<String> = waiting.iter().map(|m| m.number.to_string()).collect();
            return Err(format!(
                "server {} does not serve after {} s: see quorate.log in its directory",
                numbers.join(", "),
                READY_WAIT.as_secs()
            ));
        }
        thread::sleep(POLL);
        waited += POLL;
    }
    Ok(())
}

/// Why a server ended: the last lines of its log.
fn died(members: &[Member], number: u16, status: ExitStatus) -> String {
    let Some(member) = members.iter().find(|member| member.number == number) else {
        return format!("server {number} ended, {status}");
    };
    let path = log_path(&member.dir);
    let log = fs::read(&path).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().collect();
    let last = lines[lines.len().saturating_sub(5)..].join("\n  ");
    format!("server {number} ended, {status}. The end of {}:\n  {last}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn args(servers: u16, port: u16, dir: &Path) -> UpArgs {
        UpArgs { servers, port, dir: dir.to_owned() }
    }

    #[test]
    fn the_configurations_it_writes_parse_without_a_warning() {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let members: Vec<Member> = (1..=3)
            .map(|number| Member { number, client: 2180 + number, dir: dir.path().join("a b") })
            .collect();
        for member in &members {
            let text = configuration(member, &members);
            let loaded = parse(&text, "zoo.cfg", Some(&member.number.to_string()), None)
                .unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(loaded.warnings, Vec::<String>::new());
            assert_eq!(loaded.config.servers.len(), 3);
            assert_eq!(loaded.config.client, Some(address(member)));
            assert_eq!(loaded.config.data_dir, dir.path().join("a b"));
        }
        let alone = configuration(&members[0], &members[..1]);
        let alone = parse(&alone, "zoo.cfg", None, None).unwrap_or_else(|e| panic!("{e}"));
        assert!(alone.config.is_standalone());
    }

    #[test]
    fn ports_in_use_are_named() {
        let taken = TcpListener::bind((LOOPBACK, 0)).expect("a free port");
        let port = taken.local_addr().expect("it is bound").port();
        let alone = args(1, port, Path::new("unused"));
        let problem = check_ports(&alone).expect_err("the port is taken");
        assert!(problem.contains(&format!("port {port}.")), "{problem}");
        drop(taken);
        assert_eq!(check_ports(&alone), Ok(()));
    }

    #[test]
    fn each_server_has_a_client_and_an_admin_port_and_in_an_ensemble_two_more() {
        let of = |servers| ports(&args(servers, 2181, Path::new("unused"))).collect::<Vec<_>>();
        assert_eq!(of(1), [2181, 5181]);
        assert_eq!(of(2), [2181, 2182, 3181, 3182, 4181, 4182, 5181, 5182]);
    }

    #[test]
    fn an_ensemble_of_another_size_is_not_overwritten() {
        let dir = tempfile::tempdir().expect("a directory for temporary files");
        let members = lay_out(&args(3, 2181, dir.path())).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(members.len(), 3);
        assert!(lay_out(&args(3, 2281, dir.path())).is_ok(), "the same size again");
        let Err(problem) = lay_out(&args(5, 2181, dir.path())) else {
            panic!("the directory holds three servers");
        };
        assert!(problem.contains("an ensemble of 3"), "{problem}");
        assert!(!dir.path().join("4").exists());
    }
}
