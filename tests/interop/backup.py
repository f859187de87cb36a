"""`quorate backup` and `quorate restore`: taken under load of servers and of itself that are killed in between, kept in a
directory and in S3 (moto), and served by both kinds of servers.

    backup.py [--rounds N] [--seed N] [torture] [objects] [apaches]

A state that was restored has the digest that its leader wrote into the transaction, and the servers that start on it show
it. BACKUP_CMD is the program, if it is not the one of SERVER_CMD: S3 needs one with the feature s3.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time
import urllib.request

import apache
import load
import trees
from directories import EXTRA, Alone
from ensemble import APACHE, QUORATE, SERVER_CMD, SHORT, Checks, Ensemble, free_ports, wait_for

PROGRAM = os.environ.get("BACKUP_CMD") or SERVER_CMD[0]
AUTHORIZATION = ["--authorization", "digest who:ever"]
SNAP_COUNT = 300
# Backups that stay.
KEPT = 6
# A server starts on each so many-th state that is restored; the digest is compared for all.
SERVED_EVERY = 4


class Failed(RuntimeError):
    pass


def quorate(*words, environment=None):
    """What it says in JSON."""
    command = [PROGRAM, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout) if "--json" in command else done.stdout


def admin_ports(count):
    ports = dict(enumerate(free_ports(count), 1))

    def lines(sid):
        return [
            "admin.enableServer=true",
            "admin.serverAddress=127.0.0.1",
            f"admin.serverPort={ports[sid]}",
            "admin.rateLimiterIntervalInMS=0",
        ]

    return ports, lines


def digests(*homes):
    """The digest of the tree behind each transaction, as leaders wrote it into the logs of these servers."""
    found = {}
    for home in homes:
        for log in pathlib.Path(home).glob("data/version-2/log.*"):
            with contextlib.suppress(FileNotFoundError):
                for payload in trees.records(log.read_bytes()):
                    zxid, kind = (int.from_bytes(payload[a:b], "big", signed=True) for a, b in ((12, 20), (28, 32)))
                    if kind != -1 and int.from_bytes(payload[-12:-8], "big") == trees.DIGEST_VERSION:
                        found[zxid] = int.from_bytes(payload[-8:], "big")
    return found


def restored(target, to, *more, environment=None):
    shutil.rmtree(to, ignore_errors=True)
    return quorate("restore", "--from", target, "--to", to, "--json", *more, environment=environment)


def served(kind, data):
    """The digest of the tree that a server of this kind shows on a copy of a directory."""
    server = Alone(kind, data=data)
    try:
        server.serve()
        return trees.digest(server.tree(), {})
    finally:
        server.close()


class Torture:
    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.ports, lines = admin_ports(3)
        extra = [*EXTRA, f"snapCount={SNAP_COUNT}", "autopurge.snapRetainCount=3", "autopurge.purgeInterval=1"]
        self.e = Ensemble(3, extra, tick_ms=1000, limits=(60, 10), admin=lines)
        self.target = self.e.dir / "backups"
        self.known = {}
        self.interrupted = self.made = self.states = 0

    def command(self, sid, kind):
        to = ["--to", self.target, "--keep", KEPT, "--json"]
        admin = f"127.0.0.1:{self.ports[sid]}"
        if kind == "dir":
            return ["backup", "--from", self.e.home(sid) / "data", "--admin", admin, *to]
        return ["backup", "--from", admin, *AUTHORIZATION, *to]

    def interrupt(self, sid, kind):
        """A backup is killed; or the server beneath it."""
        command = [PROGRAM, *map(str, self.command(sid, kind))]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, **quiet)
        # Most take less than 100 ms.
        time.sleep(0.25 * self.draw.random() ** 3)
        if self.draw.random() < 0.5:
            process.kill()
        else:
            self.e.kill(sid)
            process.wait(300)
            self.e.start(sid)
            self.e.wait_serving()
        # A fast one was ready before.
        code = process.wait(300)
        self.interrupted += code != 0
        self.made += code == 0

    def round(self, number):
        sid, kind = self.draw.choice(self.e.ids), self.draw.choice(["dir", "admin"])
        if self.draw.random() < 0.7:
            self.interrupt(sid, kind)
        if self.draw.random() < 0.4:
            victim = self.draw.choice(self.e.ids)
            self.e.kill(victim)
            self.e.start(victim)
        self.e.wait_serving()
        told = quorate(*self.command(sid, kind))
        self.made += 1
        quorate("backup", "verify", self.target, "--json")
        # Logs may be purged before the next round.
        self.known |= digests(*(self.e.home(sid) for sid in self.e.ids))
        oldest, committed = int(told["oldest"], 16), int(told["committed"]["zxid"], 16)
        wanted = [zxid for zxid in self.known if oldest <= zxid <= committed]
        points = [None] + self.draw.sample(wanted, min(3, len(wanted)))
        for n, zxid in enumerate(points):
            to = self.e.dir / "restored"
            more = [] if zxid is None else ["--at", hex(zxid)]
            state = restored(self.target, to, *more)
            at = int(state["zxid"], 16)
            before = max((known for known in self.known if known <= at), default=None)
            assert state["exact"] and (zxid in (None, at)), state
            # Behind it are transactions that failed, and have changed nothing.
            assert before is not None and int(state["digest"]) == self.known[before], (hex(at), state)
            self.states += 1
            if (number + n) % SERVED_EVERY == 0:
                shown = served(QUORATE, to)
                assert shown == int(state["digest"]), f"a server shows {shown}, {state}"


def torture(checks, rounds, seed):
    t = Torture(seed)
    writer = None
    t.e.form(checks)
    with checks.claim(f"{rounds} backups of servers under load, which are killed as they are, each restored at some zxids"):
        first = t.e.client_port[1]
        load.prepare(first, "one")
        writer = load.Load(list(t.e.client_port.values()), "one", rate=400, big_every=200, seed=seed)
        wait_for("writes", lambda: writer.acks > SNAP_COUNT)
        for number in range(rounds):
            t.round(number)
        listed = quorate("backup", "list", t.target, "--json")
        # Who is killed behind the manifest has made a backup too.
        made = [min(KEPT, count) for count in (t.made, t.made + t.interrupted)]
        assert made[0] <= len(listed) <= made[1], (made, listed)
        print(f"     {t.interrupted} interrupted, {t.states} states restored", flush=True)
    with checks.claim("an ensemble that is restored shows the state, with all that was acknowledged before"):
        told = writer.tell()
        sid = t.draw.choice(t.e.ids)
        wait_for("one zxid", lambda: len({t.e.field(each, "Zxid") for each in t.e.ids}) == 1)
        quorate(*t.command(sid, "dir"))
        for each in t.e.ids:
            t.e.kill(each)
            t.e.wipe(each)
            state = quorate("restore", "--from", t.target, "--to", t.e.home(each) / "data", "--json")
        t.e.start()
        t.e.wait_serving()
        shown, _ = trees.settled_trees(t.e, t.e.ids)
        for each, tree in shown.items():
            assert not (wrong := load.missing(tree, "one", told)), (each, wrong[:3])
        assert int(t.e.field(1, "Zxid"), 16) >> 32 >= state["epoch"], state
    if writer:
        writer.process.kill()
    t.e.close()


@contextlib.contextmanager
def moto():
    """A server of S3 on loopback, with the bucket `quorate`. The environment of those that use it."""
    port = free_ports(1)[0]
    address = f"http://127.0.0.1:{port}"
    program = pathlib.Path(sys.executable).parent / "moto_server"
    process = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def made():
        with contextlib.suppress(OSError):
            request = urllib.request.Request(f"{address}/quorate", method="PUT")
            return urllib.request.urlopen(request, timeout=5).status == 200

    try:
        wait_for("the server of S3", made)
        yield os.environ | {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": address,
            "AWS_ALLOW_HTTP": "true",
        }
    finally:
        process.kill()
        process.wait()


def alone_under_load(kind, extra=(), flags=()):
    """A server with more snapshots than one, and its load."""
    ports, lines = admin_ports(1)
    server = Alone(kind, [f"snapCount={SNAP_COUNT}", *lines(1), *extra], flags)
    server.serve()
    load.prepare(server.client_port[1], "alone")
    writer = load.Load([server.client_port[1]], "alone", rate=800, big_every=100)
    wait_for("writes", lambda: server.must_live() or writer.acks >= 4 * SNAP_COUNT)
    return server, writer, f"127.0.0.1:{ports[1]}"


def objects(checks):
    server, writer, _ = alone_under_load(QUORATE)
    target, to = "s3://quorate/one/ensemble", server.dir / "restored"
    with moto() as environment, checks.claim("S3: backups of a server under load, verified, restored and thinned out"):
        words = ["backup", "--from", server.data, "--to", target, "--keep", "2", "--json"]
        first = quorate(*words, environment=environment)
        assert first["sent"]["parts"] > 0, first
        writer.pause()
        quorate(*words, environment=environment)
        third = quorate(*words, environment=environment)
        assert third["sent"]["parts"] == 0 and third["removed"]["backups"] == 1, third
        assert quorate("backup", "verify", target, "--json", environment=environment)["problems"] == []
        assert len(quorate("backup", "list", target, "--json", environment=environment)) == 2
        known = digests(server.home(1))
        state = restored(target, to, environment=environment)
        before = max(zxid for zxid in known if zxid <= int(state["zxid"], 16))
        assert int(state["digest"]) == known[before], state
        assert served(QUORATE, to) == int(state["digest"])
    writer.stop(word="drop")
    server.close()


def apaches(checks):
    """An Apache server's directory and its admin port, and an Apache server on what is restored."""
    server, writer, admin = alone_under_load(APACHE)
    target, to = server.dir / "backups", server.dir / "restored"
    with checks.claim("Apache's data directory under load: restored at some zxids, served by both kinds"):
        told = quorate("backup", "--from", server.data, "--admin", admin, "--to", target, "--json")
        known = digests(server.home(1))
        oldest, committed = int(told["oldest"], 16), int(told["committed"]["zxid"], 16)
        wanted = [zxid for zxid in known if oldest <= zxid <= committed]
        for n, zxid in enumerate([*random.Random(1).sample(wanted, 3), max(wanted)]):
            state = restored(target, to, "--at", hex(zxid))
            assert int(state["digest"]) == known[zxid], (hex(zxid), state)
            if n >= 2:
                for kind in (QUORATE, APACHE):
                    assert served(kind, to) == known[zxid], (kind, hex(zxid))
    # 3.8 has no such command.
    if apache.VERSION == "3.9":
        with checks.claim("Apache's admin port: its snapshot, restored and served, and said not to be exact if it is not"):
            shutil.rmtree(target)
            told = quorate("backup", "--from", admin, *AUTHORIZATION, "--to", target, "--json")
            assert told["transactions"] == 0, told
            state = restored(target, to)
            assert state["exact"] == (not told["notes"]), (state, told)
            assert served(QUORATE, to) == int(state["digest"])
        with checks.claim("Apache's admin port, nobody writes: its snapshot is exact"):
            writer.pause()
            time.sleep(1)
            shutil.rmtree(target)
            quorate("backup", "--from", admin, *AUTHORIZATION, "--to", target, "--json")
            state = restored(target, to)
            known = digests(server.home(1))
            assert state["exact"] and int(state["digest"]) == known[max(known)], state
    writer.stop(word="drop")
    server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4 if SHORT else 20)
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("parts", nargs="*")
    options = parser.parse_args()
    checks = Checks("backup")
    parts = options.parts or ["torture", "objects", "apaches"]
    if SHORT and "BACKUP_CMD" not in os.environ:
        print("backup: S3 is not tried: SHORT builds no program with the feature s3")
        parts = [part for part in parts if part != "objects"]
    if "torture" in parts:
        torture(checks, options.rounds, options.seed)
    if "objects" in parts:
        objects(checks)
    if "apaches" in parts:
        apaches(checks)
    checks.finish()


if __name__ == "__main__":
    main()
