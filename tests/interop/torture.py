"""One server at a time dies with SIGKILL, a hundred times, under load, with a snapshot every few dozen writes.

After each restart every server shows the same tree, byte for byte and stat for stat, at the same zxid; and no counter
that was acknowledged has fallen back. `--short`: ten kills. `--kills N`, `--seed N`: a number of them, the same victims.
"""

import argparse
import contextlib
import hashlib
import logging
import pathlib
import random
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.handlers.threading import KazooTimeoutError

from ensemble import Checks, Ensemble, wait_for

logging.disable(logging.CRITICAL)

WORKERS = 4
NODES_EACH = 60
SNAP_COUNT = 100
SNAP_RETAIN_COUNT = 3
# Its mtime is the clock of the server that is asked.
LOCAL_TIME = "/zookeeper/config"


def connect(hosts):
    client = KazooClient(hosts=hosts, timeout=10.0, connection_retry={"max_tries": -1, "max_delay": 1})
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


class Worker(threading.Thread):
    """Creates, changes and deletes nodes below a node of its own, and counts in another."""

    def __init__(self, number, hosts, gate, seed):
        super().__init__(daemon=True)
        self.random = random.Random(f"{seed} {number}")
        self.home = f"/torture/{number}"
        self.client = connect(hosts)
        self.client.create(self.home)
        self.client.create(f"{self.home}/count", b"0")
        self.gate = gate
        self.acked = 0
        self.sent = 0
        self.operations = 0
        self.end = False

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
        kind = draw.randrange(10)
        if kind < 3:
            client.create(path, draw.randbytes(draw.randrange(400)))
        elif kind < 6:
            client.set(path, draw.randbytes(draw.randrange(400)))
        elif kind == 6:
            client.delete(path)
        elif kind == 7:
            client.create(path, b"mine", ephemeral=True)
        elif kind == 8:
            both = client.transaction()
            both.create(f"{path}-a", b"one")
            both.delete(f"{path}-a")
            both.set_data(self.home, draw.randbytes(8))
            both.commit()
        else:
            self.sent += 1
            client.set(f"{self.home}/count", str(self.sent).encode())
            self.acked = self.sent


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
    for worker in workers:
        count = int(first[f"{worker.home}/count"][0])
        assert worker.acked <= count <= worker.sent, f"{worker.home}: {count}, acknowledged {worker.acked}"
    return zxid, digest(first), len(first)


def files(ensemble, sid, pattern):
    return sorted(pathlib.Path(ensemble.home(sid)).glob(f"data/version-2/{pattern}"))


def one_kill(ensemble, draw, gate, workers):
    """Kills a server under load and starts it again, also under load."""
    before = sum(worker.operations for worker in workers)
    wait_for("load", lambda: sum(worker.operations for worker in workers) > before + 50)
    time.sleep(draw.uniform(0, 0.5))
    victim = draw.choice(ensemble.ids)
    ensemble.kill(victim)
    time.sleep(draw.choice([0, draw.uniform(0, 2)]))
    ensemble.start(victim)
    ensemble.wait_serving()
    gate.close()
    return victim


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


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    options.kills = options.kills or (10 if options.short else 100)
    return options


def main():
    options = arguments()
    checks = Checks("torture")
    draw = random.Random(options.seed)
    extra = [f"snapCount={SNAP_COUNT}", f"autopurge.snapRetainCount={SNAP_RETAIN_COUNT}", "autopurge.purgeInterval=1"]
    ensemble = Ensemble(extra=extra)
    print(f"torture: {options.kills} kills, --seed {options.seed}, in {ensemble.dir}", flush=True)
    ensemble.form(checks)
    readers = {sid: connect(ensemble.hosts([sid])) for sid in ensemble.ids}
    readers[1].create("/torture")
    gate = Gate(WORKERS)
    workers = [Worker(number, ensemble.hosts(), gate, options.seed) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for number in range(1, options.kills + 1):
        with checks.claim(f"after kill {number} every server shows the same tree"):
            victim = one_kill(ensemble, draw, gate, workers)
            for reader in readers.values():
                wait_for("the readers' connections", lambda reader=reader: reader.connected)
            zxid, tree, nodes = compare(ensemble, readers, workers)
            gate.open()
            print(f"     server {victim} killed, {zxid}, {nodes} nodes, digest {tree}")
        if checks.failed:
            break
    if not checks.failed:
        with checks.claim("a start purges all but the newest snapshots"):
            purge(ensemble, gate)
    gate.open()
    operations = sum(worker.operations for worker in workers)
    for worker in workers:
        worker.end = True
    for client in [*readers.values(), *(worker.client for worker in workers)]:
        with contextlib.suppress(Exception):
            client.stop()
    ensemble.close()
    print(f"torture: {options.kills} kills, {operations} operations, seed {options.seed}")
    checks.finish()


if __name__ == "__main__":
    main()
