"""A writer with many requests on their way at once, as a process of its own: a client in one session, which moves to
another server when its own goes away, and keeps book of what was acknowledged.

    load.py --name NAME --rate N --window N --big-every N [--reads] [--first PORT] [--seed N] PORT...

Lines on its standard input: `pause`, `resume`, `mark`, `book`, `stop`, `drop`; `stop` waits for all answers, `drop` for
none. With --reads every other request reads a counter, which may not be older than what was acknowledged. It says
`acks N` five times a second, `paused` when all is answered, `mark` and the latencies since the last mark, and at the end
its book as one line of JSON (Writer.tell). A latency counts from when a write was due, so that a server that
stands still is not asked less for it; what the window does not let out within 200 ms is not due any more.

Below /load/NAME it makes nodes that are never deleted (c1, c2, ... each once), counts in nodes of two sizes (s0..., b0...:
the value begins with its number), and makes and deletes ephemerals (e...).
"""

import argparse
import collections
import json
import os
import queue
import random
import select
import subprocess
import sys
import threading
import time

from wire import EPHEMERAL, GET_DATA, NO_NODE, NODE_EXISTS, PING, PING_XID, Link
from wire import create, delete, read_data, set_data, text

COUNTERS = 200
BIG_COUNTERS = 5
BIG = 1_000_000
PING_S = 3
READ = object()


class Writer:
    def __init__(self, options):
        self.options = options
        self.home = f"/load/{options.name}"
        self.draw = random.Random(options.seed)
        self.link = None
        self.session, self.password, self.seen, self.xid = 0, bytes(16), 0, 0
        # What is on its way: xid, what it is, its number, when it was due.
        self.waiting = collections.deque()
        self.number = 0
        self.made, self.acked, self.last_acked = 0, [], {}
        self.last_sent = {}
        self.acks, self.moves, self.lost_sessions, self.stale, self.refused = 0, 0, 0, 0, {}
        self.latencies, self.gap_ms = collections.Counter(), 0
        self.last_ack = time.monotonic()
        self.paused, self.pinged = False, 0.0
        self.reads_next = False
        self.due = time.monotonic()

    def run(self):
        said = time.monotonic()
        stopping = False
        while True:
            readers = [sys.stdin] + ([self.link] if self.link else [])
            ready = select.select(readers, [], [], 0 if self.link else 0.02)[0]
            if sys.stdin in ready:
                # No words left: whoever gave them has ended.
                word = (os.read(0, 4096).split() or [b"stop"])[-1]
                self.paused = word != b"resume"
                stopping = stopping or word == b"stop"
                if word == b"drop":
                    return self.tell()
                if word == b"mark":
                    self.mark()
                    self.paused = False
                if word == b"book":
                    self.tell()
                    self.paused = "told"
                self.last_ack = time.monotonic()
            try:
                self.turn()
            except OSError:
                self.lose()
            if self.paused and not self.waiting and self.link:
                if stopping:
                    self.link.close()
                    return self.tell()
                if self.paused is True:
                    print("paused", flush=True)
                    self.paused = "told"
            if time.monotonic() - said > 0.2:
                print("acks", self.acks, flush=True)
                said = time.monotonic()

    def turn(self):
        if self.link is None:
            self.connect()
        link, now = self.link, time.monotonic()
        while not self.paused and self.due <= now and len(self.waiting) < self.options.window:
            self.reads_next = self.options.reads and not self.reads_next
            (self.read if self.reads_next else self.write)(self.due)
            self.due += 1 / self.options.rate
        self.due = max(self.due, now - 0.2)
        if now - link.heard > 3 * PING_S:
            raise TimeoutError("the server is silent")
        if now - max(link.heard, self.pinged) > PING_S:
            link.send(PING_XID, (PING, b""))
            self.pinged = now
        link.pump(0.002 if len(self.waiting) < self.options.window else 0.05)
        while link.replies:
            self.on_reply(link.replies.popleft())

    def connect(self):
        port = self.draw.choice(self.options.ports)
        if self.moves == 0 and self.options.first:
            port = self.options.first
        link = Link(port, self.session, self.password, self.seen, timeout_ms=60000, patience=5)
        if link.expired:
            link.close(end_session=False)
            self.lost_sessions += self.session != 0
            self.session, self.password = 0, bytes(16)
            raise ConnectionResetError("the session has expired")
        self.link, self.session, self.password = link, link.session, link.password
        self.moves += 1

    def lose(self):
        """What was on its way has no answer any more, and may have been done or not."""
        if self.link:
            self.link.close(end_session=False)
        self.link = None
        self.waiting.clear()
        time.sleep(0.02)

    def write(self, due):
        self.number += 1
        n, every = self.number, self.options.big_every
        kind, what = n % 10, None
        if every and n % every == 0:
            name = f"b{self.draw.randrange(BIG_COUNTERS)}"
            what, request = name, set_data(f"{self.home}/{name}", self.counted(name).ljust(BIG, b"x"))
        elif kind == 0:
            self.made += 1
            what, request = self.made, create(f"{self.home}/c{self.made}", b"%d" % self.made)
        elif kind == 1:
            request = create(f"{self.home}/e{n}", b"", EPHEMERAL)
        elif kind == 2:
            request = delete(f"{self.home}/e{n - 1}")
        else:
            name = f"s{self.draw.randrange(COUNTERS)}"
            what, request = name, set_data(f"{self.home}/{name}", self.counted(name).ljust(100, b"."))
        self.xid += 1
        self.link.send(self.xid, request)
        self.waiting.append((self.xid, what, n, due))

    def read(self, due):
        name = f"s{self.draw.randrange(COUNTERS)}"
        self.xid += 1
        self.link.send(self.xid, (GET_DATA, text(f"{self.home}/{name}") + b"\0"))
        self.waiting.append((self.xid, READ, name, due))

    def counted(self, name):
        self.last_sent[name] = self.number
        return b"%d " % self.number

    def on_reply(self, reply):
        xid, what, number, due = self.waiting.popleft()
        assert xid == reply.xid, f"a reply to {reply.xid}, but {xid} is waited for"
        now = time.monotonic()
        self.latencies[min(int((now - due) * 1000), 60000)] += 1
        self.gap_ms = max(self.gap_ms, (now - self.last_ack) * 1000)
        self.last_ack = now
        self.seen = max(self.seen, reply.zxid)
        if reply.err == 0:
            self.acks += 1
            if what is READ:
                # Replies come in the order of the requests: what was acknowledged before this one was done before it.
                self.stale += int(read_data(reply.body)[0].split()[0]) < self.last_acked.get(number, 0)
            elif isinstance(what, int):
                self.acked.append(what)
            elif what:
                self.last_acked[what] = number
        elif not (what is None and reply.err in (NO_NODE, NODE_EXISTS)):
            # Of the ephemerals, half a pair may be lost.
            self.refused[str(reply.err)] = self.refused.get(str(reply.err), 0) + 1

    def tell(self):
        book = {
            "made": self.made, "acked": self.acked, "last_acked": self.last_acked, "last_sent": self.last_sent,
            "acks": self.acks, "moves": self.moves, "lost_sessions": self.lost_sessions, "stale": self.stale,
            "refused": self.refused,
        }
        print(json.dumps(book), flush=True)

    def mark(self):
        marked = {
            "acks": sum(self.latencies.values()), "gap_ms": int(self.gap_ms), "p50_ms": self.percentile(0.5),
            "p99_ms": self.percentile(0.99), "max_ms": max(self.latencies, default=0),
        }
        print("mark", json.dumps(marked), flush=True)
        self.latencies.clear()
        self.gap_ms = 0

    def percentile(self, share):
        left = share * sum(self.latencies.values())
        for ms, count in sorted(self.latencies.items()):
            left -= count
            if left <= 0:
                return ms
        return 0


class Load:
    """The process, from the test's side."""

    def __init__(self, ports, name, rate=1000, window=64, big_every=0, seed=1, reads=False, first=None):
        command = [sys.executable, os.path.abspath(__file__), "--name", name, "--rate", str(rate)]
        command += ["--window", str(window), "--big-every", str(big_every), "--seed", str(seed), *map(str, ports)]
        command += ["--reads"] * reads + (["--first", str(first)] if first else [])
        self.name, self.acks, self.paused, self.book = name, 0, threading.Event(), None
        self.marks = queue.Queue()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("acks "):
                self.acks = int(line[5:])
            elif line.startswith("paused"):
                self.paused.set()
            elif line.startswith("mark "):
                self.marks.put(json.loads(line[5:]))
            else:
                self.book = json.loads(line)

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def pause(self, seconds=90):
        self.paused.clear()
        self.say("pause")
        if not self.paused.wait(seconds):
            raise TimeoutError("the load waits for an answer that never comes")

    def mark(self):
        """The latencies since the last mark."""
        self.say("mark")
        return self.marks.get(timeout=60)

    def resume(self):
        self.say("resume")

    def tell(self):
        """Its book so far, the load standing still."""
        self.pause()
        self.book = None
        self.say("book")
        deadline = time.monotonic() + 30
        while self.book is None:
            if time.monotonic() > deadline:
                raise TimeoutError("the load says nothing")
            time.sleep(0.01)
        return self.book

    def stop(self, seconds=120, word="stop"):
        """Its book, all requests being answered; those that are on their way are left alone by the word `drop`."""
        self.say(word)
        try:
            self.process.wait(seconds)
        finally:
            self.process.kill()
        self.reader.join(10)
        assert self.book is not None, f"the load ended with {self.process.returncode}"
        return self.book


def prepare(port, name):
    """The nodes that a load of this name counts in."""
    link = Link(port)
    home = f"/load/{name}"
    paths = ["/load", home] + [f"{home}/s{i}" for i in range(COUNTERS)] + [f"{home}/b{i}" for i in range(BIG_COUNTERS)]
    for path in paths:
        reply = link.ask(1, create(path, b"0 "))
        assert reply.err in (0, NODE_EXISTS), reply
    link.close()


def missing(tree, name, book):
    """What was acknowledged and is not in a tree, or is there and was never sent."""
    home = f"/load/{name}"
    wrong = [f"c{n} is gone" for n in book["acked"] if f"{home}/c{n}" not in tree]
    for counter, sent in book["last_sent"].items():
        data = tree[f"{home}/{counter}"].count
        acked = book["last_acked"].get(counter, 0)
        if not acked <= data <= sent:
            wrong.append(f"{counter} is {data}, acknowledged {acked}, last sent {sent}")
    made = sum(path.startswith(f"{home}/c") for path in tree)
    if made > book["made"]:
        wrong.append(f"{made} nodes, {book['made']} were sent")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--big-every", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reads", action="store_true")
    parser.add_argument("--first", type=int)
    parser.add_argument("ports", type=int, nargs="+")
    try:
        Writer(parser.parse_args()).run()
    except BrokenPipeError:
        # Whoever listened has ended.
        os._exit(1)


if __name__ == "__main__":
    main()
