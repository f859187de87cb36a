"""Three servers, two well-behaved clients (a process each, load.py, at the leader and at a follower), and the verdict
on what an attack did to them.

- Every server lives and serves, under the same leader and epoch, unless the case itself kills one.
- Each client has an answer to what it asks once the attack is over.
- Nothing acknowledged is missing on any server, and no read is older than what its session wrote.
- Memory and log grow by no more than the case says. A server beyond MEMORY_KILLS_MB is ended by the test.

Told and not claimed, since attacker, servers and clients share a machine: the clients' p99 and longest wait, beside the
calm before. `slow` names those beyond P99_FACTOR (and P99_FLOOR_MS: three times 2 ms is nothing) or GAP_MS.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import load
from attacks import raw
from attacks.setups import Missing
from ensemble import Ensemble, wait_for
from wire import GET_CHILDREN, GET_DATA, SYNC, Link, Reader, ask_many, read_data, text

P99_FACTOR = 3
# The short form has a hundred answers a case, and the slowest is its p99.
P99_FLOOR_MS, P99_FLOOR_SHORT_MS = 250, 500
GAP_MS = 2000
MEMORY_KILLS_MB = 3000
CLIENTS = ("leader", "follower")
RATE = 40
CLOCK = os.sysconf("SC_CLK_TCK")
LINES = ["maxSessionTimeout=60000", "4lw.commands.whitelist=*", "ensembleAuthName=ours"]


class Book:
    """data of a counter, as load.missing reads it."""

    def __init__(self, count):
        self.count = count


class Arena:
    """One ensemble under one setup."""

    def __init__(self, setup, short, kinds=None):
        self.setup, self.short = setup, short
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="quorate-attacks-"))
        self.cleanup = contextlib.ExitStack()
        try:
            options = setup(self)
        except Missing:
            self.clean()
            raise
        lines = LINES + list(options.pop("extra", []))
        self.e = Ensemble(extra=lines, kinds=kinds, **options)
        self.loads = []
        self.counts = {"links": 0, "bytes": 0, "packets": 0}

    def open(self):
        # What needs the folders that exist by now.
        getattr(self.setup, "prepare", lambda _: None)(self)
        self.e.start()
        self.leader = self.e.wait_serving()
        self.follower = next(sid for sid in self.e.ids if sid != self.leader)
        ports = [self.e.client_port[sid] for sid in self.e.ids]
        for name in CLIENTS:
            load.prepare(ports[0], name)
            first = self.e.client_port[getattr(self, name)]
            self.loads.append(load.Load(ports, name, rate=RATE, reads=True, first=first))
        time.sleep(1)
        self.measure()
        time.sleep(self.pick(2, 8))
        self.before = self.measure()
        return self

    def close(self):
        for one in self.loads:
            one.process.kill()
            one.process.wait()
            for pipe in (one.process.stdin, one.process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
        for sid in list(self.e.processes):
            self.e.kill(sid)
        # Volumes go before the folders that they lie in.
        self.clean()
        self.e.close()

    def clean(self):
        self.cleanup.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # What attackers ask.

    def port(self, name="leader"):
        return self.e.client_port[getattr(self, name)]

    def pick(self, short, full):
        """A size of the short form or the full one."""
        return short if self.short else full

    def spent(self, **counts):
        for what, count in counts.items():
            self.counts[what] += count

    def epoch(self, sid=None):
        zxid = self.e.field(sid or self.leader, "Zxid")
        return int(zxid, 16) >> 32 if zxid else None

    def pid(self, sid):
        return self.e.processes[sid].pid

    def descriptors(self, sid):
        return len(os.listdir(f"/proc/{self.pid(sid)}/fd"))

    def log_bytes(self):
        return {sid: (self.e.home(sid) / "server.log").stat().st_size for sid in self.e.ids}

    # The clients.

    def measure(self):
        marks = [one.mark() for one in self.loads]
        return {what: max(mark[what] for mark in marks) for what in ("p99_ms", "gap_ms")}

    def pause(self):
        for one in self.loads:
            one.pause(60)

    def resume(self):
        for one in self.loads:
            one.resume()

    def settle(self, seconds):
        """Until all serve, and each client has an answer to what it asks from now on."""
        self.leader = self.e.wait_serving(seconds=seconds)
        # A client that has seen more than is left comes back only once there is more: a write makes it so.
        raw.make(self, self.port(), "/nudge")
        for one in self.loads:
            enough = one.acks + 2
            answered = lambda one=one, enough=enough: one.acks > enough  # noqa: E731
            wait_for(f"an answer to the client at the {one.name}", answered, seconds)

    def lost(self):
        """What was acknowledged and is not there, over all servers."""
        wrong = []
        books = {one.name: one.tell() for one in self.loads}
        for sid in self.e.ids:
            link = Link(self.e.client_port[sid])
            assert link.ask(1, (SYNC, text("/"))).err == 0
            for name, book in books.items():
                tree = counters(link, name)
                wrong += [f"server {sid}: {what}" for what in load.missing(tree, name, book)]
            link.close()
        wrong += [f"{book['stale']} stale reads" for book in books.values() if book["stale"]]
        return wrong


def counters(link, name):
    home = f"/load/{name}"
    (children,) = ask_many(link, [(GET_CHILDREN, text(home) + b"\0")])
    paths = [f"{home}/{child}" for child in Reader(children.body).texts() if child[0] in "cs"]
    replies = ask_many(link, [(GET_DATA, text(path) + b"\0") for path in paths])
    return {
        path: Book(int(read_data(reply.body)[0].split()[0]))
        for path, reply in zip(paths, replies, strict=True)
        if reply.err == 0
    }


class Watch(threading.Thread):
    """Memory and CPU of the servers from now on; a server that takes all memory is ended before the machine is."""

    def __init__(self, arena):
        super().__init__(daemon=True)
        self.arena = arena
        self.at_first = {sid: resident(p.pid) for sid, p in arena.e.processes.items()}
        self.cpu_at_first = self.cpu()
        self.peak, self.killed, self.over = dict(self.at_first), [], threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.03):
            for sid, process in list(self.arena.e.processes.items()):
                now = resident(process.pid)
                self.peak[sid] = max(self.peak.get(sid, 0), now)
                if now > MEMORY_KILLS_MB and sid not in self.killed:
                    self.killed.append(sid)
                    process.kill()

    def growth(self):
        return max(peak - self.at_first.get(sid, 0) for sid, peak in self.peak.items())

    def cpu(self):
        total = 0
        for process in list(self.arena.e.processes.values()):
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / CLOCK

    def stop(self):
        self.cpu_s = max(self.cpu() - self.cpu_at_first, 0)
        self.over.set()
        self.join()


def wait_for_end(process, seconds):
    """Its exit code; None if it lives on."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def resident(pid):
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    return 0


class Verdict:
    """What one case did. `wrong` is empty if all held; `slow` says what others had to wait."""

    def __init__(self, case, arena):
        self.case, self.arena, self.wrong, self.slow = case, arena, [], []
        self.said, self.during, self.seconds = "", {"p99_ms": 0, "gap_ms": 0}, 0
        self.growth = self.cpu_s = self.log_kb = 0
        self.usable = True

    def judge(self, limit_s):
        """Runs the case and looks at everything that may have suffered."""
        case, arena = self.case, self.arena
        arena.counts = dict.fromkeys(arena.counts, 0)
        leader, epoch, logs = arena.leader, arena.epoch(), arena.log_bytes()
        arena.measure()
        watch = Watch(arena)
        started = time.monotonic()
        try:
            with alarm(limit_s):
                self.said = case.run(arena) or ""
        except Exception as failure:
            self.wrong.append(f"{type(failure).__name__}: {failure}".split("\n")[0][:160])
        self.seconds = time.monotonic() - started
        self.counts = dict(arena.counts)
        self.see_servers(leader, epoch, 30 if arena.short else 60)
        watch.stop()
        self.growth, self.cpu_s = watch.growth(), watch.cpu_s
        if watch.killed:
            self.wrong.append(f"server {watch.killed} ended by the test at {MEMORY_KILLS_MB} MB")
        if self.growth > case.memory_mb:
            self.wrong.append(f"memory +{self.growth:.0f} MB, not {case.memory_mb}")
        grown = {sid: (size - logs[sid]) // 1000 for sid, size in arena.log_bytes().items()}
        self.log_kb = max(grown.values())
        if self.log_kb > case.log_kb:
            self.wrong.append(f"log +{self.log_kb} KB, not {case.log_kb}")

    def see_servers(self, leader, epoch, seconds):
        arena, case = self.arena, self.case
        ended = {sid: process.poll() for sid, process in arena.e.processes.items()}
        ended = {sid: code for sid, code in ended.items() if code is not None}
        if ended:
            self.wrong.append("ended: " + ", ".join(f"server {sid} with {code}" for sid, code in ended.items()))
        try:
            for sid in [*ended, *(sid for sid in arena.e.ids if sid not in arena.e.processes)]:
                arena.e.processes.pop(sid, None)
                arena.e.start(sid)
            arena.settle(seconds)
        except (TimeoutError, RuntimeError) as failure:
            self.usable = False
            self.wrong.append(str(failure).split("\n")[0])
            return
        self.during = arena.measure()
        changes = (arena.epoch() or 0) - epoch
        if changes > case.elections or (case.elections == 0 and arena.leader != leader):
            self.wrong.append(f"{changes} changes of leader")
        arena.follower = next(sid for sid in arena.e.ids if sid != arena.leader)
        self.see_clients()

    def see_clients(self):
        arena, during = self.arena, self.during
        if not self.case.pauses:
            p99_max = max(P99_FACTOR * arena.before["p99_ms"], P99_FLOOR_SHORT_MS if arena.short else P99_FLOOR_MS)
            if during["p99_ms"] > p99_max:
                self.slow.append(f"p99 {during['p99_ms']} ms, before {arena.before['p99_ms']}")
            if during["gap_ms"] > GAP_MS:
                self.slow.append(f"no answer for {during['gap_ms']} ms")
        try:
            lost = arena.lost()
        except (OSError, AssertionError, ValueError) as failure:
            self.usable = False
            self.wrong.append(f"cannot be read: {failure!r}"[:160])
            return
        if lost:
            self.wrong.append(f"lost {len(lost)}: {lost[:2]}")
        arena.resume()


@contextlib.contextmanager
def alarm(seconds):
    """Ends a case that waits for ever."""

    def ring(*_):
        raise TimeoutError(f"the case did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
