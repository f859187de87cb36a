"""Servers of an ensemble become Quorate one after another, and Apache's again, on their data directories.

Meanwhile one kazoo client writes a node, watches it, and keeps an ephemeral, and a load writes through all servers. Half
of the servers are asked to end (SIGTERM), the others are killed. Apache's write plain, gzip and snappy snapshots by turns.
"""

import random
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException
from kazoo.protocol.states import KazooState

import load
import trees
from ensemble import APACHE, QUORATE, SHORT, Ensemble, wait_for

# Of three servers each.
ROUNDS = 2 if SHORT else 10
RATE = 500
EXTRA = [
    "maxSessionTimeout=180000",
    "4lw.commands.whitelist=*",
    # Many snapshots and logs of either kind, and synchronisations of every mode.
    "snapCount=300",
    trees.SUPER,
]
BEAT = "/rolling/beat"


class Watcher:
    """A client that writes a number, once more each time, and sees every state that it watches in order."""

    def __init__(self, hosts):
        self.client = KazooClient(hosts=hosts, timeout=30.0, connection_retry={"max_tries": -1, "max_delay": 1})
        self.states, self.seen, self.acked, self.sent = [], [], 0, 0
        self.client.add_listener(lambda state: self.states.append(state) and None)
        self.client.start(timeout=60)
        self.session = self.client.client_id[0]
        self.client.create(BEAT, b"0", makepath=True)
        self.client.create("/rolling/mine", ephemeral=True)
        self.client.DataWatch(BEAT, lambda data, _: self.seen.append(int(data)) if data else None)
        self.open = threading.Event()
        self.open.set()
        self.standing, self.ended = threading.Event(), False
        self.thread = threading.Thread(target=self._beat, daemon=True)
        self.thread.start()

    def _beat(self):
        while not self.ended:
            if not self.open.is_set():
                self.standing.set()
                self.open.wait(0.1)
                continue
            self.sent += 1
            try:
                self.client.set(BEAT, b"%d" % self.sent)
                self.acked = self.sent
            except (KazooException, self.client.handler.timeout_exception):
                time.sleep(0.05)
            time.sleep(0.01)

    def end(self):
        self.ended = True
        self.thread.join(60)
        self.client.stop()
        self.client.close()

    def stand(self):
        self.standing.clear()
        self.open.clear()
        assert self.standing.wait(90), "a write without an answer"

    def judge(self):
        """While it stands still."""
        value = int(self.client.retry(self.client.get, BEAT)[0])
        assert self.acked <= value <= self.sent, (self.acked, value, self.sent)
        wait_for("the last state to be seen", lambda: self.seen[-1] == value, 30)
        assert self.seen == sorted(set(self.seen)), "states were seen twice or out of order"
        assert KazooState.LOST not in self.states, self.states
        assert self.client.client_id[0] == self.session
        assert self.client.retry(self.client.exists, "/rolling/mine").ephemeralOwner == self.session


def tell(checks, seed, same_everywhere):
    e = Ensemble(3, EXTRA, tick_ms=1000, kinds={1: APACHE, 2: APACHE, 3: APACHE}, limits=(60, 10))
    e.form(checks)
    watcher = Watcher(e.hosts())
    load.prepare(e.client_port[1], "rolling")
    writer = load.Load(e.client_port.values(), "rolling", rate=RATE, big_every=500, seed=seed)
    try:
        replace_all(checks, e, watcher, writer, random.Random(seed), same_everywhere)
    finally:
        writer.process.kill()
        watcher.end()
        e.close()


def replace_all(checks, e, watcher, writer, draw, same_everywhere):
    done, total = 0, 3 * ROUNDS
    for number in range(ROUNDS):
        kind = (QUORATE, APACHE)[number % 2]
        for sid in draw.sample(e.ids, 3):
            done += 1
            how, method = draw.choice(["ended", "killed"]), draw.choice(["", "gz", "snappy"])
            role = e.field(sid, "Mode")
            text = f"replacement {done} of {total}: {e.name(sid)}, {role}, is {how}, and {kind} goes on with its data"
            failed = checks.failed
            with checks.claim(f"rolling, {text}"):
                (e.stop if how == "ended" else e.kill)(sid)
                e.kinds[sid] = kind
                e.flags = (f"-Dzookeeper.snapshot.compression.method={method}",) if method else ()
                acks = writer.acks
                e.start(sid)
                e.wait_serving()
                wait_for("writes", lambda acks=acks: writer.acks > acks + 500)
            if checks.failed > failed:
                print(e.log_tail(sid, 30), flush=True)
                return
        with checks.claim(f"rolling, all are {kind}: the client kept its session, and saw each state in order"):
            watcher.stand()
            watcher.judge()
        writer.pause()
        same_everywhere(checks, f"rolling, all are {kind}", e, e.ids, {}, {})
        watcher.open.set()
        writer.resume()
    watcher.stand()
    books = {"rolling": writer.stop()}
    same_everywhere(checks, f"rolling, after {done} replacements", e, e.ids, books, {})
