"""An ensemble on loopback for the interop tests.

As a module: Ensemble (start, kill, wait) and Checks (claims, counted). As a program it runs a command beside an ensemble:

    ensemble.py [--servers N] -- COMMAND ...

with CONNECT=host:port,... and ENSEMBLE_DIR (a folder a server: zoo.cfg, server.pid, server.log) in its environment.

SERVER_CMD starts one server in the foreground; the path of its zoo.cfg is appended. So the same tests run against
Quorate and against Apache ZooKeeper (SERVER_CMD="/usr/share/zookeeper/bin/zkServer.sh start-foreground").
In a mixed ensemble `kinds` says of each server whether it is started by SERVER_CMD or is Apache's (apache.py); it may
change between two starts on the same data directory.
Only processes that were started here are ended here.
"""

import atexit
import contextlib
import os
import pathlib
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import apache

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVER_CMD = shlex.split(
    os.environ.get("SERVER_CMD") or f"{ROOT}/target/release/quorate server start-foreground"
)
SHORT = os.environ.get("SHORT", "0") not in ("", "0")
WAIT_S = 90
QUORATE, APACHE = "quorate", "apache"


GIVEN = set()


def free_ports(count):
    """Ports that nobody has been given here, below the range that outgoing connections use, so that a server that
    restarts finds its own free."""
    ports = []
    while len(ports) < count:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in GIVEN:
            GIVEN.add(port)
            ports.append(port)
    return ports


def wait_for(what, condition, seconds=WAIT_S):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.05)


class Ensemble:
    # Whether data and logs stay at the end; None: if any claim has failed.
    keep = None

    def __init__(
        self,
        servers=3,
        extra=(),
        tick_ms=500,
        per_server=lambda _: (),
        admin=lambda _: ["admin.enableServer=false"],
        environment=None,
        kinds=None,
        observers=(),
        limits=(20, 10),
        flags=(),
        quorum_port_seen=lambda _, port: port,
        address=lambda _: "127.0.0.1",
        wrap=lambda _: [],
    ):
        """`per_server` gives more lines for the zoo.cfg of a server id, `flags` are for Apache's JVMs, `limits` are
        initLimit and syncLimit. `quorum_port_seen(sid, port)`: where server `sid` believes that quorum port to be.
        `address(sid)`: where a server is; `wrap(sid)`: the words before its command, for limits, mounts and namespaces."""
        self.environment = {**os.environ, **(environment or {})}
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="quorate-interop-"))
        self.ids = list(range(1, servers + 1))
        self.kinds = {sid: QUORATE for sid in self.ids} | (kinds or {})
        self.observers = set(observers)
        self.flags = tuple(flags)
        self.address = {sid: address(sid) for sid in self.ids}
        self.wrap = wrap
        self.client_port = dict(zip(self.ids, free_ports(servers)))
        self.processes = {}
        ports = free_ports(2 * servers)
        self.quorum_port = dict(zip(self.ids, ports[:servers]))
        self.election_port = dict(zip(self.ids, ports[servers:]))
        for sid in self.ids:
            home = self.home(sid)
            (home / "data").mkdir(parents=True)
            (home / "data" / "myid").write_text(f"{sid}\n")
            members = []
            for other in self.ids:
                port = self.quorum_port[other]
                seen = port if other == sid else quorum_port_seen(sid, port)
                role = ":observer" if other in self.observers else ""
                members.append(f"server.{other}={self.address[other]}:{seen}:{self.election_port[other]}{role}")
            lines = [
                f"tickTime={tick_ms}",
                f"initLimit={limits[0]}",
                f"syncLimit={limits[1]}",
                f"dataDir={home}/data",
                f"clientPort={self.client_port[sid]}",
                f"clientPortAddress={self.address[sid]}",
                "maxClientCnxns=0",
                *admin(sid),
                *(["peerType=observer"] if sid in self.observers else []),
                *extra,
                *per_server(sid),
                *members,
            ]
            (home / "zoo.cfg").write_text("\n".join(lines) + "\n")
        atexit.register(self.close)
        # So that `atexit` runs when the test is told to end.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    def home(self, sid):
        return self.dir / str(sid)

    def hosts(self, ids=None):
        return ",".join(f"{self.address[sid]}:{self.client_port[sid]}" for sid in ids or self.ids)

    def command(self, sid):
        kind = self.kinds[sid]
        if kind == QUORATE:
            return SERVER_CMD
        # APACHE, or of a version, such as apache-3.4.
        return apache.command(self.home(sid), self.flags, kind.removeprefix(APACHE).removeprefix("-"))

    def start(self, *ids):
        for sid in ids or self.ids:
            log = open(self.home(sid) / "server.log", "ab")
            process = subprocess.Popen(
                [*self.wrap(sid), *self.command(sid), str(self.home(sid) / "zoo.cfg")],
                cwd=self.home(sid),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )
            log.close()
            self.processes[sid] = process
            (self.home(sid) / "server.pid").write_text(str(process.pid))

    def kill(self, sid):
        """SIGKILL, and the end of the process."""
        process = self.processes.pop(sid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, sid):
        """SIGTERM, and the end of the process."""
        process = self.processes.pop(sid)
        process.terminate()
        process.wait()

    def pause(self, sid):
        """SIGSTOP, and until every thread stands still."""
        process = self.processes[sid]
        process.send_signal(signal.SIGSTOP)
        for stat in pathlib.Path(f"/proc/{process.pid}/task").glob("*/stat"):
            # It may have ended before it was to stop.
            with contextlib.suppress(OSError):
                wait_for("a thread to stop", lambda stat=stat: stat.read_text().rpartition(") ")[2][0] == "T", 30)

    def go_on(self, sid):
        self.processes[sid].send_signal(signal.SIGCONT)

    def wipe(self, sid):
        """A server that does not run loses its history, and keeps its name."""
        assert sid not in self.processes
        shutil.rmtree(self.home(sid) / "data" / "version-2", ignore_errors=True)

    def name(self, sid):
        """What a claim calls a server: its kind and id."""
        return f"{'Quorate' if self.kinds[sid] == QUORATE else 'Apache'} {sid}"

    def close(self):
        for sid in list(self.processes):
            self.kill(sid)
        self._end_those_a_script_restarted()
        atexit.unregister(self.close)
        if os.environ.get("KEEP") or (Checks.failures if self.keep is None else self.keep):
            print(f"kept: {self.dir}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def _end_those_a_script_restarted(self):
        """A shell script that restarts a server writes its pid; it is ended if it still is that server."""
        for sid in self.ids:
            config = str(self.home(sid) / "zoo.cfg")
            with contextlib.suppress(OSError, ValueError):
                pid = int((self.home(sid) / "server.pid").read_text())
                if config in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGKILL)

    def word(self, sid, word="srvr"):
        """The answer to a four-letter word; empty if there is none."""
        try:
            with socket.create_connection((self.address[sid], self.client_port[sid]), timeout=2) as link:
                link.sendall(word.encode())
                answer = b""
                while chunk := link.recv(65536):
                    answer += chunk
                return answer.decode()
        except OSError:
            return ""

    def field(self, sid, name):
        """A field of `srvr`, such as Mode or Zxid."""
        for line in self.word(sid).splitlines():
            if line.startswith(f"{name}: "):
                return line.split(": ", 1)[1]
        return None

    def leader(self):
        leaders = [sid for sid in self.processes if self.field(sid, "Mode") == "leader"]
        return leaders[0] if len(leaders) == 1 else None

    def wait_serving(self, ids=None, seconds=WAIT_S):
        """Until all of these serve and one leads. Returns the leader's id."""
        ids = list(ids or self.ids)

        def serving():
            for sid in ids:
                process = self.processes.get(sid)
                if process and process.poll() is not None:
                    raise RuntimeError(f"server {sid} ended with {process.returncode}:\n{self.log_tail(sid)}")
            modes = {sid: self.field(sid, "Mode") for sid in ids}
            watching = len(self.observers.intersection(ids))
            expected = ["follower"] * (len(ids) - 1 - watching) + ["leader"] + ["observer"] * watching
            if sorted(modes.values(), key=str) == expected:
                return next(sid for sid, mode in modes.items() if mode == "leader")
            return None

        return wait_for(f"servers {ids} to serve", serving, seconds)

    def form(self, checks):
        """Starts them all; ends the test if they do not form an ensemble."""
        with checks.claim(f"{len(self.ids)} servers form an ensemble"):
            self.start()
            self.wait_serving()
        if checks.failed:
            self.close()
            checks.finish()

    def log_tail(self, sid, lines=15):
        """Without the frames of Java's stacks: what went wrong stands above them."""
        text = (self.home(sid) / "server.log").read_text(errors="replace")
        told = [line for line in text.splitlines() if not line.startswith("\tat ")]
        return "\n".join(told[-lines:])


class Checks:
    """Claims that hold or fail, a line each, and the sum at the end."""

    failures = 0

    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failed = 0

    @contextlib.contextmanager
    def claim(self, text, quiet=False):
        """`quiet`: the failure's own words say all, and where it was raised says nothing."""
        try:
            yield
        except Exception as failure:
            self.failed += 1
            Checks.failures += 1
            print(f"FAIL {self.name}: {text}" + (f": {failure}" if quiet else ""), flush=True)
            if not quiet:
                traceback.print_exc()
        else:
            self.passed += 1
            print(f"ok   {self.name}: {text}", flush=True)

    def finish(self):
        print(f"{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)


def main():
    arguments = sys.argv[1:]
    servers = 3
    if arguments[:1] == ["--servers"]:
        servers = int(arguments[1])
        arguments = arguments[2:]
    if arguments[:1] != ["--"] or not arguments[1:]:
        sys.exit(__doc__)
    ensemble = Ensemble(servers)
    ensemble.start()
    ensemble.wait_serving()
    environment = {**os.environ, "CONNECT": ensemble.hosts(), "ENSEMBLE_DIR": str(ensemble.dir)}
    environment["SERVER_CMD"] = shlex.join(SERVER_CMD)
    code = subprocess.call(arguments[1:], env=environment)
    Checks.failures += code != 0
    sys.exit(code)


if __name__ == "__main__":
    main()
