"""Three servers under load, and what may happen to them: processes die or stand still, networks are cut, disks are
full, read-only or slow, clocks jump, servers restart one after another (faults.py; what the machine needs: stage.py).

    torture.py [--short] [--times N] [--seed N] [FAULT...]

After each fault every server shows the same tree, byte for byte and stat for stat, at the same zxid; every node is as
its last acknowledged write has it; no server's memory has grown beyond a bound; and where it says so, no session was lost.
How long nobody was acknowledged, and how long it took until all served, stands in a table at the end.
The same seed has the same faults and victims. A snapshot is taken every few hundred writes.
"""

import argparse
import contextlib
import hashlib
import logging
import pathlib
import random
import statistics
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError

from attacks.arena import Watch
from ensemble import Checks, wait_for
from faults import FAULTS, HELD_S
from stage import Stage, in_private_namespaces

logging.disable(logging.CRITICAL)

WORKERS = 6
NODES_EACH = 40
SNAP_COUNT = 400
SNAP_RETAIN_COUNT = 3
# What a server's resident memory may grow by in one fault. One that starts anew begins at nothing.
MEMORY_MB = 150
# Its mtime is the clock of the server that is asked.
LOCAL_TIME = "/zookeeper/config"


def connect(hosts):
    client = KazooClient(hosts=hosts, timeout=10.0, connection_retry={"max_tries": -1, "max_delay": 0.2})
    client.start(timeout=60)
    return client


class Gate:
    """Load flows while it is open; closing it waits until every worker stands still."""

    def __init__(self, workers):
        self.condition = threading.Condition()
        self.workers = workers
        self.standing = 0
        self.is_open = True

    def pass_through(self):
        with self.condition:
            if self.is_open:
                return
            self.standing += 1
            self.condition.notify_all()
            self.condition.wait_for(lambda: self.is_open)
            self.standing -= 1

    def close(self):
        with self.condition:
            self.is_open = False
            if not self.condition.wait_for(lambda: self.standing == self.workers, timeout=90):
                raise TimeoutError("a worker waits for an answer that never comes")

    def open(self):
        with self.condition:
            self.is_open = True
            self.condition.notify_all()


class Pulse:
    """How long nobody's write was acknowledged, at worst."""

    def __init__(self):
        self.begin()

    def begin(self):
        self.last, self.worst = time.monotonic(), 0

    def beat(self):
        now = time.monotonic()
        self.worst, self.last = max(self.worst, now - self.last), now


class Worker(threading.Thread):
    """Creates, changes and deletes nodes below a node of its own, and knows what each may hold.

    `may_hold[path]`: values, None where there may be no node. One, once a write of it was acknowledged; more while a
    write has been lost with its connection.
    """

    def __init__(self, number, hosts, gate, pulse, seed):
        super().__init__(daemon=True)
        self.random = random.Random(f"{seed} {number}")
        self.home = f"/torture/{number}"
        self.client = connect(hosts)
        self.client.create(self.home)
        self.gate, self.pulse = gate, pulse
        self.may_hold = {}
        self.operations = self.sessions_lost = 0
        self.client.add_listener(self.on_state)
        self.end = False

    def on_state(self, state):
        self.sessions_lost += state == KazooState.LOST

    def run(self):
        while not self.end:
            self.gate.pass_through()
            try:
                self.operate()
                self.operations += 1
            except (KazooException, KazooTimeoutError):
                # Lost with its server, or a node that is there or is not: both belong here.
                time.sleep(0.01)

    def operate(self):
        client, draw = self.client, self.random
        path = f"{self.home}/{draw.randrange(NODES_EACH)}"
        value = draw.randbytes(draw.randrange(400))
        kind = draw.randrange(10)
        if kind < 3:
            self.write(path, value, lambda: client.create(path, value))
        elif kind < 7:
            self.write(path, value, lambda: client.set(path, value))
        elif kind == 7:
            self.write(path, None, lambda: client.delete(path))
        elif kind == 8:
            client.create(f"{path}-mine", b"mine", ephemeral=True)
        else:
            both = client.transaction()
            both.create(f"{path}-a", b"one")
            both.delete(f"{path}-a")
            both.set_data(self.home, value)
            both.commit()

    def write(self, path, value, ask):
        before = self.may_hold.get(path, {None})
        self.may_hold[path] = before | {value}
        try:
            ask()
        except (NodeExistsError, NoNodeError):
            self.may_hold[path] = before
            raise
        self.may_hold[path] = {value}
        self.pulse.beat()

    def look(self, tree):
        """What is not as it was acknowledged. What is there counts from now on."""
        wrong = []
        for path, values in self.may_hold.items():
            there = tree[path][0] if path in tree else None
            if there not in values:
                wrong.append(f"{path} holds {there!r:.60}, not one of {len(values)}")
            self.may_hold[path] = {there}
        return wrong


def read_tree(client):
    """Path, data and stat of every node, after sync."""
    client.sync("/")
    tree = {}
    level = ["/"]
    while level:
        data = [(path, client.get_async(path)) for path in level]
        children = [(path, client.get_children_async(path)) for path in level]
        for path, answer in data:
            value, stat = answer.get(timeout=60)
            if path == LOCAL_TIME:
                stat = stat._replace(mtime=0)
            tree[path] = (value, tuple(stat))
        level = [f"{path.rstrip('/')}/{name}" for path, answer in children for name in sorted(answer.get(timeout=60))]
    return tree


def digest(tree):
    return hashlib.sha256(repr(sorted(tree.items())).encode()).hexdigest()[:16]


def compare(ensemble, readers, workers):
    """The same tree everywhere. The load stands still, and so does the zxid."""

    def same_zxid():
        zxids = {ensemble.field(sid, "Zxid") for sid in ensemble.ids}
        return zxids.pop() if len(zxids) == 1 and None not in zxids else None

    for _ in range(20):
        zxid = wait_for("one zxid on every server", same_zxid)
        trees = {sid: read_tree(reader) for sid, reader in readers.items()}
        if same_zxid() == zxid:
            break
        # A session that ended meanwhile is a transaction too.
    else:
        raise AssertionError("the zxid never stands still")
    first = trees[ensemble.ids[0]]
    for sid, tree in trees.items():
        differing = sorted(path for path in first.keys() | tree.keys() if first.get(path) != tree.get(path))
        shown = [(path, first.get(path), tree.get(path)) for path in differing[:3]]
        assert not differing, f"server {sid} differs at {zxid} in {len(differing)} nodes: {shown}"
    wrong = [line for worker in workers for line in worker.look(first)]
    assert not wrong, f"{len(wrong)} nodes are not as acknowledged: {wrong[:3]}"
    return zxid, digest(first), len(first)


def files(ensemble, sid, pattern):
    return sorted(pathlib.Path(ensemble.home(sid)).glob(f"data/version-2/{pattern}"))


def purge(ensemble, gate):
    """Without load a restart adds a snapshot or two of its own."""
    gate.close()
    for sid in ensemble.ids:
        count = len(files(ensemble, sid, "snapshot.*"))
        assert count >= SNAP_RETAIN_COUNT, f"server {sid}: {count} snapshots"
        ensemble.kill(sid)
        ensemble.start(sid)
        ensemble.wait_serving()
        few = SNAP_RETAIN_COUNT + 2
        wait_for(f"the purge of server {sid}", lambda: len(files(ensemble, sid, "snapshot.*")) <= few)


class Torture(Stage):
    """The stage with its load, and a table of what was done there."""

    def __init__(self, seed):
        purge = [f"autopurge.snapRetainCount={SNAP_RETAIN_COUNT}", "autopurge.purgeInterval=1"]
        super().__init__([f"snapCount={SNAP_COUNT}", "preAllocSize=64", *purge])
        self.draw, self.seed = random.Random(seed), seed
        self.gate, self.pulse = Gate(WORKERS), Pulse()
        self.readers, self.workers, self.rows = {}, [], {}

    def load(self):
        """Clients that go where they can, and one at each server: they see at once that it serves again."""
        self.readers = {sid: connect(self.e.hosts([sid])) for sid in self.e.ids}
        self.readers[1].create("/torture")
        hosts = [self.e.hosts()] * (WORKERS - 3) + [self.e.hosts([sid]) for sid in self.e.ids]
        self.workers = [Worker(n, one, self.gate, self.pulse, self.seed) for n, one in enumerate(hosts)]
        for worker in self.workers:
            worker.start()

    def operations(self):
        return sum(worker.operations for worker in self.workers)

    def sessions_lost(self):
        return sum(worker.sessions_lost for worker in self.workers)

    def victim(self):
        """The leader half of the time."""
        return self.draw.choice([self.leader, self.draw.choice([sid for sid in self.e.ids if sid != self.leader])])

    def made_at(self):
        """When the leader believes a node to be made, in seconds."""
        client = self.readers[1]
        client.create("/torture/clock")
        stat = client.exists("/torture/clock")
        client.delete("/torture/clock")
        return stat.ctime / 1000

    def one(self, fault):
        """Inflicts a fault under load, takes it back, and looks at everything. What it did, in words."""
        before, lost = self.operations(), self.sessions_lost()
        wait_for("load", lambda: self.operations() > before + 50)
        time.sleep(self.draw.uniform(0, 0.5))
        self.leader = self.e.wait_serving()
        watch = Watch(self)
        self.pulse.begin()
        story = fault.run(self)
        try:
            did = next(story)
            time.sleep(HELD_S * fault.held)
        finally:
            # Takes back what it did, whatever happened here.
            over = time.monotonic()
            for _ in story:
                pass
        self.leader = self.e.wait_serving()
        back = time.monotonic() - over
        before = self.operations()
        wait_for("load", lambda: self.operations() > before + 20)
        waited = self.pulse.worst
        self.gate.close()
        watch.stop()
        for reader in self.readers.values():
            wait_for("the readers' connections", lambda reader=reader: reader.connected)
        zxid, tree, nodes = compare(self.e, self.readers, self.workers)
        self.gate.open()
        assert watch.growth() < MEMORY_MB, f"memory +{watch.growth():.0f} MB"
        assert not fault.keeps_sessions or self.sessions_lost() == lost, f"{self.sessions_lost() - lost} sessions lost"
        self.rows.setdefault(fault.what, []).append((waited, back, watch.growth()))
        return f"{did}; no ack for {waited:.1f} s, all serve after {back:.1f} s, {zxid}, {nodes} nodes, digest {tree}"

    def table(self):
        head = f"{'fault':70} times  no ack for (worst)  all serve after (worst)  memory"
        lines = [head]
        for what, rows in self.rows.items():
            waited, back, grown = zip(*rows, strict=True)
            waits, backs = (f"{statistics.median(times):.1f} s ({max(times):.1f})" for times in (waited, back))
            lines.append(f"{what:70} {len(rows):5}  {waits:>18}  {backs:>23}  +{max(grown):.0f} MB")
        return "\n".join(f"     {line}" for line in lines)

    def close(self):
        self.gate.open()
        for worker in self.workers:
            worker.end = True
        for client in [*self.readers.values(), *(worker.client for worker in self.workers)]:
            with contextlib.suppress(Exception):
                client.stop()
        super().close()


def plan(options, draw, missing):
    """Every fault as often as its table says, in an order that is drawn."""
    chosen = [FAULTS[name] for name in options.names] or list(FAULTS.values())
    rounds = []
    for fault in chosen:
        if fault.needs in missing:
            print(f"     {fault.what}: passed over, {missing[fault.needs]}")
        else:
            rounds += [fault] * (options.times or (fault.short if options.short else fault.full))
    draw.shuffle(rounds)
    return rounds


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--times", type=int, help="each fault so often")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("names", nargs="*", metavar="FAULT", help=", ".join(FAULTS))
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in FAULTS]:
        parser.error(f"no fault {unknown[0]}")
    return options


def main():
    options = arguments()
    in_private_namespaces()
    checks = Checks("torture")
    stage = Torture(options.seed)
    print(f"torture: --seed {options.seed}, in {stage.e.dir}", flush=True)
    rounds = plan(options, stage.draw, stage.missing)
    try:
        stage.e.form(checks)
        stage.load()
        for number, fault in enumerate(rounds, 1):
            with checks.claim(f"{number}. {fault.what} ({fault.name}): all that was acknowledged is on all servers"):
                print(f"     {stage.one(fault)}")
            if checks.failed:
                break
        # A fault or two leave too few snapshots.
        if not checks.failed and not options.names:
            with checks.claim("a start purges all but the newest snapshots"):
                purge(stage.e, stage.gate)
        print(stage.table())
        print(f"torture: {len(rounds)} faults, {stage.operations()} operations, --seed {options.seed}")
    finally:
        stage.close()
    checks.finish()


if __name__ == "__main__":
    main()
