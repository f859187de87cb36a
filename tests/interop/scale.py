"""A wiped follower and a tree of 1 GB over a slow link, under load, with default ticks.

Three servers of Quorate; the follower's quorum link goes through a proxy that lets 20 MB a second through. Under 2,000
small writes a second the follower has to reach service at its first try, by one SNAP; meanwhile the leader's memory
grows by less than 200 MB, and the p99 of its writes stays within three times what it was before.

SCALE_MB=100 for a smaller tree.
"""

import atexit
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

import load
import trees
from ensemble import Checks, Ensemble, free_ports, wait_for
from mixed import Log, syncs
from wire import Link, ask_many, create

TREE_MB = int(os.environ.get("SCALE_MB") or 1000)
VALUE_MIN, VALUE_MAX = 10_000, 100_000
LINK_BYTES_A_SECOND = 20_000_000
WRITES_A_SECOND = 2000
# Long enough before for a snapshot that the leader writes by itself: there is one in the time of the synchronisation too.
SETTLE_S, BEFORE_S, AFTER_S = 10, 60, 15
GROWTH_MAX_MB, P99_FACTOR_MAX = 200, 3
# A server that stands still is asked on.
WINDOW = 10_000
FOLLOWER, LEADER = 1, 3


class Memory(threading.Thread):
    """The most resident memory of a process, in MB, since the last reading."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.status = pathlib.Path(f"/proc/{pid}/status")
        self.peak = 0
        self.start()

    def now(self):
        for line in self.status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
        return 0

    def run(self):
        while True:
            try:
                self.peak = max(self.peak, self.now())
            except OSError:
                return
            time.sleep(0.1)

    def take(self):
        peak, self.peak = self.peak, 0
        return peak


def fill(port):
    draw, link, left = random.Random(1), Link(port), TREE_MB * 1_000_000
    assert link.ask(1, create("/tree", b"")).err == 0

    def nodes():
        nonlocal left
        for n in range(1 << 30):
            if left <= 0:
                return
            size = min(draw.randint(VALUE_MIN, VALUE_MAX), left)
            left -= size
            yield create(f"/tree/{n}", draw.randbytes(size))

    for reply in ask_many(link, nodes(), window=16, seconds=1200):
        assert reply.err == 0, reply
    link.close()


def main():
    checks = Checks("scale")
    fronts = free_ports(2)
    behind = {}

    def seen(sid, port):
        if sid != FOLLOWER:
            return port
        return behind.setdefault(port, fronts[len(behind)])

    e = Ensemble(3, ["maxSessionTimeout=180000", trees.SUPER], tick_ms=2000, limits=(10, 5), quorum_port_seen=seen)
    for port, front in behind.items():
        command = [sys.executable, str(pathlib.Path(__file__).with_name("throttle.py"))]
        proxy = subprocess.Popen([*command, str(front), str(port), str(LINK_BYTES_A_SECOND)])
        atexit.register(proxy.kill)
    with checks.claim(f"three servers, the quorum link of one at {LINK_BYTES_A_SECOND / 1e6:.0f} MB/s"):
        e.start(2, LEADER)
        assert e.wait_serving([2, LEADER]) == LEADER
        e.start(FOLLOWER)
        assert e.wait_serving() == LEADER
    with checks.claim(f"a tree of {TREE_MB} MB, values of {VALUE_MIN // 1000} to {VALUE_MAX // 1000} KB"):
        fill(e.client_port[LEADER])
        load.prepare(e.client_port[LEADER], "scale")
    if checks.failed:
        e.close()
        checks.finish()
    memory = Memory(e.processes[LEADER].pid)
    writer = load.Load([e.client_port[LEADER]], "scale", rate=WRITES_A_SECOND, window=WINDOW)
    time.sleep(SETTLE_S)
    wait_for("the follower to have caught up", lambda: e.field(FOLLOWER, "Mode") == "follower", 300)
    writer.mark()
    memory.take()
    time.sleep(BEFORE_S)
    before, before_mb = writer.mark(), memory.take()
    with checks.claim(f"{WRITES_A_SECOND} writes a second are done before, and a p99 is known"):
        assert before["acks"] > 0.9 * WRITES_A_SECOND * BEFORE_S, before
    with checks.claim("a wiped follower reaches service at its first try, by one SNAP, and stays"):
        e.kill(FOLLOWER)
        e.wipe(FOLLOWER)
        log, own, began = Log(e, LEADER), Log(e, FOLLOWER), time.monotonic()
        e.start(FOLLOWER)
        wait_for("the follower to serve", lambda: e.field(FOLLOWER, "Mode") == "follower", 60 + TREE_MB)
        took = time.monotonic() - began
        during, during_mb = writer.mark(), memory.take()
        time.sleep(AFTER_S)
        after, after_mb = writer.mark(), memory.take()
        e.wait_serving()
        found = syncs(e, FOLLOWER, LEADER, log, own)
        assert found == ["SNAP"], f"{found}\n{e.log_tail(LEADER)}\n{e.log_tail(FOLLOWER)}"
        print(f"     {took:.1f} s, {TREE_MB / took:.1f} MB/s", flush=True)
    if checks.failed:
        # The figures are those of one synchronisation.
        print(e.log_tail(LEADER), e.log_tail(FOLLOWER), sep="\n", flush=True)
        writer.stop(word="drop")
        e.close()
        checks.finish()
    for name, each, mb in (("before", before, before_mb), ("during", during, during_mb), ("after", after, after_mb)):
        print(
            f"     {name}: {each['acks']} writes, p50 {each['p50_ms']} ms, p99 {each['p99_ms']} ms, "
            f"at most {each['max_ms']} ms; longest time without an ack {each['gap_ms']} ms; leader at most {mb:.0f} MB",
            flush=True,
        )
    with checks.claim(f"meanwhile the leader grew by less than {GROWTH_MAX_MB} MB"):
        assert max(during_mb, after_mb) - before_mb < GROWTH_MAX_MB
    with checks.claim(f"meanwhile the p99 of its writes was within {P99_FACTOR_MAX} times that of before"):
        assert during["p99_ms"] <= P99_FACTOR_MAX * max(before["p99_ms"], 1), (before, during)
    book = writer.stop()
    with checks.claim("all three show the same tree, with all that was acknowledged"):
        wait_for("one zxid", lambda: len({e.field(sid, "Zxid") for sid in e.ids}) == 1)
        seen_trees, _ = trees.settled_trees(e, e.ids)
        for sid in e.ids:
            found = trees.differences(seen_trees[1], seen_trees[sid])
            # Each has the addresses of its own file there.
            found = [each for each in found if each[0] != trees.CONFIG]
            assert not found, found[:3]
            assert not (wrong := load.missing(seen_trees[sid], "scale", book)), wrong[:5]
    e.close()
    checks.finish()


if __name__ == "__main__":
    main()
