//! zkServer.sh's verbs, lines and files. (bin/zkServer.sh)
//!
//! `start` runs the same program as `start-foreground --detached` with its output in
//! `$ZOO_LOG_DIR/zookeeper.log`, which that process rotates, and writes the pid file; `stop` goes by the
//! pid file alone.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::args::{FAILED, INVALID, NO_ACCESS, Serve, ServerArgs, ServerVerb};
use super::places::Places;
use super::{files, logging, probe, reread, room};
use crate::config::{ConfigError, Mistakes, Reread, ServerConfig};
use crate::runtime::FilePermissions;
use crate::runtime::os::check_tls;

/// How long `start` watches for an early end, as zkServer.sh does.
const START_WATCH: Duration = Duration::from_secs(1);
/// How long `stop` waits for the end of the process.
const STOP_WAIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// The verb converted directories of ZooKeeper 2; Apache's servers have lost it, too.
const NOTHING_TO_UPGRADE: &str = "Nothing to upgrade: a start reads the data directories of ZooKeeper 3.4 and later as \
they are. Logs of 3.4 without a snapshot need snapshot.trust.empty=true for their first start; docs/migration.md has the \
way from an ensemble of Apache's.";
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn run_server_verb(args: &ServerArgs, serve: Serve) -> i32 {
    if args.verb == ServerVerb::Version {
        println!("Quorate, version {} (as Apache ZooKeeper 3.9.3)", env!("CARGO_PKG_VERSION"));
        return 0;
    }
    if args.verb == ServerVerb::Upgrade {
        println!("{NOTHING_TO_UPGRADE}");
        return 0;
    }
    let places = match Places::find(args) {
        Ok(places) => places,
        Err(mistakes) => return refuse(args.verb, &mistakes),
    };
    // `start` has said it, and lines of a log are all alike.
    if !args.detached {
        eprintln!("Using config: {}", places.config.display());
    }
    if args.verb == ServerVerb::PrintCmd {
        return print_command(&places);
    }
    let loaded = ServerConfig::load(&places.config, &places.environment);
    if let Err(Mistakes { rest: Some(rest), .. }) = &loaded {
        // These need to know where things are, and no more: a bad line is no reason to fail.
        match args.verb {
            ServerVerb::Stop => return stop(&places, &rest.config),
            ServerVerb::Status => return status(&rest.config),
            _ => {}
        }
    }
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(mistakes) => return refuse(args.verb, &mistakes),
    };
    let reread = reread::reread(&places, &loaded);
    let config = loaded.config;
    if args.verb.starts()
        && let Some(tls) = &config.client_tls
        && let Err(error) = check_tls(tls)
    {
        return refused(args.verb, INVALID, &[error.to_string()]);
    }
    match args.verb {
        ServerVerb::StartForeground => {
            let unknown = loaded.unknown_keys.iter().map(|unknown| {
                format!("{unknown}. It has no effect (config.strict=true makes it an error)")
            });
            let warnings: Vec<String> = loaded.warnings.iter().cloned().chain(unknown).collect();
            run_foreground(args, &places, (config, reread), &warnings, serve)
        }
        ServerVerb::Start => start(&places, &config),
        ServerVerb::Stop => stop(&places, &config),
        ServerVerb::Restart => match stop(&places, &config) {
            0 => start(&places, &config),
            failed => failed,
        },
        ServerVerb::Status => status(&config),
        ServerVerb::PrintCmd | ServerVerb::Version | ServerVerb::Upgrade => 0,
    }
}

/// Says everything that is wrong with a configuration.
fn refuse(verb: ServerVerb, mistakes: &Mistakes) -> i32 {
    let no_access = |error: &ConfigError| matches!(error, ConfigError::NoAccess { .. });
    let lines: Vec<String> = mistakes.errors.iter().map(ToString::to_string).collect();
    let only_access = mistakes.errors.iter().all(no_access);
    refused(verb, if only_access { NO_ACCESS } else { INVALID }, &lines)
}

/// `start` and `restart` fail as they do in zkServer.sh, where the process that they begin has ended.
fn refused(verb: ServerVerb, exit_code: i32, lines: &[String]) -> i32 {
    let begins_another = matches!(verb, ServerVerb::Start | ServerVerb::Restart);
    if begins_another {
        println!("Starting zookeeper ... FAILED TO START");
    }
    let what = match exit_code {
        NO_ACCESS => "Unable to access datadir",
        _ => "Invalid config",
    };
    for line in lines {
        eprintln!("{what}, exiting abnormally: {line}");
    }
    if begins_another { FAILED } else { exit_code }
}

fn run_foreground(
    args: &ServerArgs,
    places: &Places,
    (config, reread): (ServerConfig, Reread),
    warnings: &[String],
    serve: Serve,
) -> i32 {
    if args.detached
        && let Err(error) = rustix::process::setsid()
    {
        eprintln!("cannot leave the terminal session: {error}");
        return FAILED;
    }
    if args.attached {
        end_with_parent();
    }
    let log_file = args.detached.then(|| places.log_file(&config));
    logging::set_up(&config, log_file.as_deref());
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    room::warn_of_little(&config);
    serve(config, reread)
}

/// Ends this process, as SIGTERM would, when the other end of standard input is closed: that
/// happens however the parent dies.
fn end_with_parent() {
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let me = rustix::process::getpid();
        if rustix::process::kill_process(me, rustix::process::Signal::TERM).is_err() {
            std::process::exit(FAILED);
        }
    });
}

fn start(places: &Places, config: &ServerConfig) -> i32 {
    let pid_file = places.pid_file(config);
    print_now("Starting zookeeper ... ");
    if let Some(pid) = read_pid(&pid_file).filter(|pid| is_server(*pid)) {
        println!("already running as process {pid}.");
        return FAILED;
    }
    let mut child = match spawn_detached(places, config) {
        Ok(child) => child,
        Err(error) => {
            println!("SERVER DID NOT START");
            eprintln!("{error}");
            return FAILED;
        }
    };
    if let Err(error) = write_pid(&pid_file, child.id(), config.file_permissions) {
        println!("FAILED TO WRITE PID");
        eprintln!("{}: {error}", pid_file.display());
        // Without a pid file nobody could stop it.
        let _ = child.kill();
        let _ = child.wait();
        return FAILED;
    }
    let mut watched = Duration::ZERO;
    while watched < START_WATCH {
        if let Ok(Some(status)) = child.try_wait() {
            println!("FAILED TO START");
            eprintln!("it ended at once, {status}: see {}", places.log_file(config).display());
            let _ = fs::remove_file(&pid_file);
            return FAILED;
        }
        thread::sleep(POLL);
        watched += POLL;
    }
    println!("STARTED");
    0
}

fn spawn_detached(places: &Places, config: &ServerConfig) -> io::Result<std::process::Child> {
    let log_path = places.log_file(config);
    if let Some(dir) = log_path.parent() {
        files::create_dirs(dir, config.file_permissions)?;
    }
    let log = files::append_to(&log_path, config.file_permissions)?;
    Command::new(std::env::current_exe()?)
        .args(["server", "start-foreground", "--detached"])
        .args(places.arguments())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn write_pid(file: &Path, pid: u32, permissions: FilePermissions) -> io::Result<()> {
    if let Some(dir) = file.parent() {
        files::create_dirs(dir, permissions)?;
    }
    files::create(file, permissions)?.write_all(pid.to_string().as_bytes())
}

fn stop(places: &Places, config: &ServerConfig) -> i32 {
    let pid_file = places.pid_file(config);
    print_now("Stopping zookeeper ... ");
    let Some(pid) = read_pid(&pid_file) else {
        println!("no zookeeper to stop (could not find file {})", pid_file.display());
        return 0;
    };
    // After a reboot the number may belong to anybody.
    if is_server(pid) {
        let signal = rustix::process::Signal::TERM;
        let sent = rustix::process::Pid::from_raw(pid)
            .map(|pid| rustix::process::kill_process(pid, signal));
        if let Some(Err(error)) = sent {
            println!("FAILED TO STOP");
            eprintln!("process {pid}: {error}");
            return FAILED;
        }
    }
    let mut waited = Duration::ZERO;
    while is_server(pid) {
        if waited >= STOP_WAIT {
            println!("FAILED TO STOP");
            eprintln!("process {pid} still runs {} s after SIGTERM", STOP_WAIT.as_secs());
            return FAILED;
        }
        thread::sleep(POLL);
        waited += POLL;
    }
    let _ = fs::remove_file(&pid_file);
    println!("STOPPED");
    0
}

fn status(config: &ServerConfig) -> i32 {
    let Some(mut address) = config.client.clone() else {
        println!("Client port not found in the server configs");
        if config.client_tls.is_some() {
            eprintln!("there is a TLS port alone, and the question goes in plain text");
        }
        return FAILED;
    };
    if address.is_any() {
        address.host = "localhost".into();
    }
    println!(
        "Client port found: {}. Client address: {}. Client SSL: false.",
        address.port, address.host
    );
    let answer = probe::ask_srvr(&address, PROBE_TIMEOUT).unwrap_or_default();
    match probe::mode_of(&answer) {
        Some(mode) => {
            println!("Mode: {mode}");
            0
        }
        None => {
            println!("Error contacting service. It is probably not running.");
            // What a running server said instead: not serving, or not in the whitelist.
            if !answer.trim().is_empty() {
                eprintln!("it answered: {}", answer.trim());
            }
            FAILED
        }
    }
}

fn print_command(places: &Places) -> i32 {
    match std::env::current_exe() {
        Ok(program) => {
            let arguments = places.arguments();
            let arguments: Vec<String> =
                arguments.iter().map(|argument| argument.display().to_string()).collect();
            println!("{} server start-foreground {}", program.display(), arguments.join(" "));
            0
        }
        Err(error) => {
            eprintln!("{error}");
            FAILED
        }
    }
}

fn read_pid(file: &Path) -> Option<i32> {
    fs::read_to_string(file).ok()?.trim().parse().ok().filter(|pid| *pid > 0)
}

/// Whether this process runs and is a server, ours or Apache's: a pid file outlives a reboot, and
/// its number may then be that of a stranger.
fn is_server(pid: i32) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    if !Path::new("/proc/self").exists() {
        let pid = rustix::process::Pid::from_raw(pid);
        return pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok());
    }
    // A zombie has an empty command line: it has ended.
    let command = fs::read(process.join("cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).to_ascii_lowercase();
    ["start-foreground", "zookeeper", "quorate"].iter().any(|word| command.contains(word))
}

fn print_now(text: &str) {
    print!("{text}");
    let _ = io::stdout().flush();
}
