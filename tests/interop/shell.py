"""`quorate shell` beside Apache's own zkCli of 3.9, each against an ensemble of either kind: the same commands, the
lines of both compared.

    shell.py

A script of every command and its mistakes goes through standard input, and stdout and stderr are compared by
themselves, line by line. What may differ is named below: times, zxids, sessions, addresses; our prompts (Apache's jars
here have no JLine, so that it shows none) and hints; the order in which watch events come between answers.

Then the terminal, in tmux: completion of commands and paths, history over two sessions, an event above the line.
"""

import difflib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

import apache
from ensemble import APACHE, QUORATE, SERVER_CMD, Checks, Ensemble, wait_for

PROGRAM = SERVER_CMD[0]
SCRIPT = """
create /s hello
create /s hello
create /s/a
create /s/a/b 'two words'
create /s/a/c "" world:anyone:cdrw
create -s /s/n- x
create -s /s/n- x
create -e /s/e eph
create -e -s /s/e- eph
create -c /s/box
create -c -e /s/x
create -e -t 5 /s/x
create -t 100000 /s/ttl x
create -t x /s/x
create /s/e/child x
create /none/x y
create s
create /s/
create /s//x
create /s/./x
create /s/x y nope
create /s/x y digest:bob:cdrwa:zz
create
getEphemerals
getEphemerals /s
getEphemerals /none
getAllChildrenNumber /s
getAllChildrenNumber
getAllChildrenNumber /none
ls /s
ls -s /s
ls -R /s
ls /s watch
ls /none
ls
ls -q /s
ls -sw /s/a
get /s
get -s /s
get /s/a
get -b /s
get -x /s
get -w /s/a/b
get /s/a/b watch
get
get /none
set /s/a/b changed
set -s /s/a/b again
set /s/a/b x -v 9
set -v 2 /s/a/b x
set -v
set /s/a/b -5
set /s
set -b /s/a/b aGVsbG8=
get /s/a/b
set /none x
stat /s
stat -w /s/a
stat /none
stat
set /s/a watched
delete -v 9 /s/a/c
delete /s/a
delete /s/a/c
delete /s/a/c
delete /
delete
getAcl /s
getAcl -s /s
getAcl /none
setAcl /s/a world:anyone:cdrwa
setAcl -s /s/a world:anyone:cdrwa
setAcl -v 9 /s/a world:anyone:r
setAcl -R /s/a world:anyone:cdrwa
setAcl /s/a foo
setAcl /s/a
setAcl /none world:anyone:r
addauth
addauth digest bob:pw
whoami
create /s/secret x auth::cdrwa
getAcl /s/secret
get /s/secret
setquota -n 10 /s/a
setquota -b 1000 /s/a
setquota -N 20 /s/a
setquota -B 2000 /s/a
setquota -n 5 /s/a/b
setquota -n 5 /s
setquota -n 5 /none
setquota -n x /s/a
setquota -n 0 /s/a
setquota -n 1 /zookeeper/quota/x
setquota /s/a
setquota -n 1 -b 2 /s/a
setquota -b 1 /s/a
listquota /s/a
listquota /none
delquota -n /s/a
delquota /s/a
delquota /s/a
listquota /s/a
addWatch /s/a
addWatch -m PERSISTENT /s/box
addWatch -m BAD /s/a
create /s/a/new x
create /s/box/new x
removewatches /s/a
removewatches /s/a
removewatches -p /s/box
removewatches /none
removewatches -c /s
removewatches -d /s -l
sync /s
sync
config
config -c
config -s
reconfig
reconfig -remove 3
reconfig -v zz -remove 3
reconfig -members a -add b
reconfig -file /none
version x
history
redo 0
redo 999
printwatches
printwatches off
set /s/a quiet
printwatches on
nosuch
'quoted' /s
deleteall -b x /s/a
deleteall -b 1 /s/box
deleteall /s/a
deleteall /none
deleteall /s
deleteall
ls /zookeeper
close
ls /zookeeper
connect SERVERS
ls /zookeeper
quit
"""

# What no two runs have in common.
FREE = [
    (r"^(cZxid|mZxid|pZxid) = 0x[0-9a-f]*[1-9a-f][0-9a-f]*$", r"\1 = Z"),
    (r"^(ctime|mtime) = .*$", r"\1 = T"),
    (r"^ephemeralOwner = 0x[0-9a-f]{5,}$", "ephemeralOwner = S"),
    (r"zxid: \d+$", "zxid: Z"),
    (r"^ZooKeeper CLI version: .*$", "ZooKeeper CLI version"),
    (r"^Connecting to .*$", "Connecting to SERVERS"),
    (r"\b127\.0\.0\.1:\d+(:\d+)*", "ADDRESS"),
    # Each has a tree of its own.
    (r"/s-[12]\b", "/s"),
]
# Ours alone: a prompt with the command behind it, hints, two commands of the list, and what JLine is.
PROMPT = re.compile(r"^\[zk: .*\) \d+\] .*$")
OURS = re.compile(r"^(hint: .*|\texit |\thelp \[command\]|JLine support is disabled)$")
EVENT = re.compile(r"\nWATCHER::\n\n(WatchedEvent [^\n]*)\n")


def masked(text):
    lines = []
    for line in text.splitlines():
        if PROMPT.match(line) or OURS.match(line):
            continue
        for pattern, name in FREE:
            line = re.sub(pattern, name, line)
        if line.startswith("[/"):
            # Ephemeral nodes are a hash table's.
            line = f"[{', '.join(sorted(line.strip('[]').split(', ')))}]"
        lines.append(line.rstrip())
    return lines


class Shell:
    """One of the two, and what it said."""

    def __init__(self, name, words, environment=None):
        self.name, self.words, self.environment = name, words, {**os.environ, **(environment or {})}

    def run(self, servers, words=(), script=None):
        done = subprocess.run(
            [*self.words, "-server", servers, *words],
            input=script,
            stdin=subprocess.DEVNULL if script is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment,
        )
        # Events come when they come; that a session has begun, perhaps behind the end of one command.
        events = sorted(masked("\n".join(EVENT.findall(done.stdout))))
        if script is None:
            events = [event for event in events if "SyncConnected type:None" not in event]
        return {
            "exit code": [str(done.returncode)],
            "stdout": masked(EVENT.sub("", done.stdout)),
            "stderr": masked(done.stderr),
            "events": events,
        }


def apache_shell(home):
    # A server's command is made from what its configuration says; a client's has none.
    (home / "zoo.cfg").write_text("")
    words = apache.command(home, version="3.9")
    # Its log says nothing that a user reads.
    (home / "log4j2.properties").write_text("status=off\nrootLogger.level=off\n")
    return Shell("Apache's", [*words[:-1], "org.apache.zookeeper.ZooKeeperMain"])


def compare(ours, theirs, what):
    different = []
    for stream, expected in theirs.items():
        found = ours[stream]
        if found != expected:
            lines = difflib.unified_diff(expected, found, f"Apache's {stream}", f"our {stream}", lineterm="", n=2)
            different += list(lines)
    if different:
        raise AssertionError(f"{what}:\n" + "\n".join(different))


ONE_SHOTS = (["ls", "/"], ["get", "/none"], ["nosuch"], ["create"], ["set", "/zookeeper", "x", "-v", "77"])


def compare_shells(checks, ours, theirs, server, ensemble):
    hosts = ensemble.hosts()
    script = SCRIPT.lstrip().replace("SERVERS", hosts)
    with checks.claim(f"every command says the same at {server}", quiet=True):
        mine, apaches = (re.sub(r"/s\b", f"/s-{whose}", script) for whose in "12")
        compare(ours.run(hosts, script=mine), theirs.run(hosts, script=apaches), "the script")
    if server == QUORATE:
        return
    for words in ONE_SHOTS:
        with checks.claim(f"`{' '.join(words)}` alone says the same, and ends with the same code", quiet=True):
            compare(ours.run(hosts, words), theirs.run(hosts, words), " ".join(words))


class Terminal:
    """Our shell in a terminal of tmux."""

    def __init__(self, home, servers):
        self.tmux = ["tmux", "-L", f"quorate-shell-{os.getpid()}", "-f", "/dev/null"]
        command = f"env HOME={home} TERM=screen {PROGRAM} shell -server {servers}"
        subprocess.run([*self.tmux, "new-session", "-d", "-x", "150", "-y", "50", command], check=True)

    def keys(self, *keys):
        subprocess.run([*self.tmux, "send-keys", *keys], check=True)

    def screen(self):
        shown = subprocess.run([*self.tmux, "capture-pane", "-p"], capture_output=True, text=True, check=False)
        return shown.stdout

    def shows(self, text, times=1):
        try:
            wait_for(repr(text), lambda: self.screen().count(text) >= times, 15)
        except TimeoutError as late:
            raise AssertionError(f"no {text!r} in\n{self.screen()}") from late

    def close(self):
        subprocess.run([*self.tmux, "kill-server"], stderr=subprocess.DEVNULL, check=False)


def compare_terminal(checks, ours, ensemble):
    home = pathlib.Path(tempfile.mkdtemp(prefix="quorate-shell-"))
    hosts = ensemble.hosts()
    terminal = Terminal(home, hosts)
    try:
        with checks.claim("a prompt shows the servers and the state"):
            terminal.shows(f"[zk: {hosts}(CONNECTED) 0]")
        with checks.claim("Tab completes commands and the paths of live nodes"):
            terminal.keys("create /terminal one", "Enter")
            terminal.shows("Created /terminal")
            terminal.keys("getAll", "Tab")
            terminal.shows("getAllChildrenNumber")
            terminal.keys("C-u")
            terminal.keys("get /term", "Tab")
            terminal.shows("get /terminal")
            terminal.keys("Enter")
            terminal.shows("\none\n")
        with checks.claim("an event stands above the line that is edited"):
            terminal.keys("get -w /terminal", "Enter")
            terminal.shows("\none\n", times=2)
            terminal.keys("ls /zoo")
            terminal.shows("ls /zoo")
            ours.run(hosts, ["set", "/terminal", "two"])
            terminal.shows("type:NodeDataChanged path:/terminal")
            terminal.keys("Tab", "Enter")
            terminal.shows("[config, quota]")
        with checks.claim("history is there in the next session, and holds no password"):
            terminal.keys("addauth digest bob:secret", "Enter")
            terminal.keys("quit", "Enter")
            time.sleep(1)
            terminal.close()
            terminal = Terminal(home, hosts)
            terminal.shows("(CONNECTED) 0]")
            terminal.keys("Up", "Up", "Enter")
            terminal.shows("[config, quota]")
            kept = (home / ".quorate_history").read_text()
            assert "get -w /terminal" in kept and "secret" not in kept, kept
    finally:
        terminal.close()
        shutil.rmtree(home, ignore_errors=True)


def main():
    checks = Checks("shell")
    home = pathlib.Path(tempfile.mkdtemp(prefix="quorate-shell-"))
    ours = Shell("ours", [PROGRAM, "shell"], {"ZOOCFGDIR": str(home)})
    theirs = apache_shell(home)
    for kind in (f"{APACHE}-3.9", QUORATE):
        ensemble = Ensemble(3, kinds={sid: kind for sid in range(1, 4)}, extra=["extendedTypesEnabled=true"])
        ensemble.form(checks)
        compare_shells(checks, ours, theirs, kind, ensemble)
        if kind == QUORATE:
            if shutil.which("tmux"):
                compare_terminal(checks, ours, ensemble)
            else:
                print("shell: no tmux, so that the terminal was not tried (apt-get install tmux)", flush=True)
        ensemble.close()
    shutil.rmtree(home, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()
