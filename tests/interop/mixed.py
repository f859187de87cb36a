"""Ensembles of Quorate and Apache ZooKeeper servers (ZK=3.8 or 3.9), in every pairing of roles.

    mixed.py [roles-quorate] [roles-apache] [rolling] [directories] [--seed N]

roles-KIND   a leader of that kind with a follower and an observer of both kinds: what clients make through one server is
             on all; then under load learners lag, are wiped, or have gone another way, and come back by DIFF, SNAP, TRUNC
rolling      rolling.py: servers change their kind one after another, on their data directories
directories  directories.py: what one kind has written the other opens

At the end of each story all that was acknowledged is there, and all servers show the same tree.
"""

import argparse
import contextlib
import logging
import random
import re
import time

import apache
import crossing
import directories
import load
import rolling
import trees
from ensemble import APACHE, QUORATE, SHORT, Checks, Ensemble, wait_for
from tail import leave_a_tail
from wire import Link, ask_many, create

logging.disable(logging.CRITICAL)

WIPED_REJOINS = 3 if SHORT else 20
LAGGING_REJOINS = 1 if SHORT else 3
# Values of 1 MB and of 10 KB, half and half.
TREE_MB = 24 if SHORT else 220
BIG, SMALL = 1_000_000, 10_000
RATE = 1000 if SHORT else 1500
SYNC_LIMIT_S = 10

EXTRA = [
    "maxSessionTimeout=180000",
    "4lw.commands.whitelist=*",
    "extendedTypesEnabled=true",
    "enforceQuota=true",
    "znode.container.checkIntervalMs=1000",
    # A learner may lag as far as a JVM takes to start, and still be sent transactions.
    "commitLogCount=20000",
    f"snapCount={20000 if SHORT else 40000}",
    trees.SUPER,
]
FLAGS = ["-Dznode.container.checkIntervalMs=1000"]

LOOKS = {QUORATE: "looking for a leader", APACHE: "New election. My id"}
STUMBLES = 'Cannot read field "hdr" because "pif" is null'
SYNC_LINES = {
    QUORATE: [(r"synchronising a learner by (\w+) learner={sid}\b", None)],
    APACHE: [
        (r"Sending DIFF zxid=\S+ +for peer sid: ?{sid}\b", "DIFF"),
        # It does not say to whom: one learner at a time comes back here.
        (r"Sending snapshot last zxid of peer", "SNAP"),
    ],
}
# A leader of Apache's does not log every TRUNC.
CUT_LINES = {
    QUORATE: "cut the log back to the leader's history",
    APACHE: "Truncating log to get in sync with the leader",
}


def other(kind):
    return APACHE if kind == QUORATE else QUORATE


class Log:
    """What a server has logged since a moment."""

    def __init__(self, ensemble, sid):
        self.path = ensemble.home(sid) / "server.log"
        self.begin = self.path.stat().st_size if self.path.exists() else 0

    def text(self):
        with open(self.path, "rb") as log:
            log.seek(self.begin)
            return log.read().decode(errors="replace")


def syncs(ensemble, sid, leader, leader_log, own_log):
    """How this leader has synchronised that learner since then, each time."""
    found = []
    if ensemble.kinds[leader] == APACHE:
        found += ["TRUNC"] * own_log.text().count(CUT_LINES[ensemble.kinds[sid]])
    for line in leader_log.text().splitlines():
        for pattern, mode in SYNC_LINES[ensemble.kinds[leader]]:
            match = re.search(pattern.format(sid=sid), line)
            if match:
                found.append(mode or match.group(1))
    return found


def fill(ensemble, megabytes):
    """A tree of this size, half of it in values of 1 MB."""
    link = Link(ensemble.client_port[ensemble.leader()])
    assert link.ask(1, create("/tree", b"")).err == 0
    bigs, smalls = megabytes // 2, megabytes * BIG // 2 // SMALL
    requests = [create(f"/tree/b{n}", (b"%d " % n).ljust(BIG, b"b")) for n in range(bigs)]
    requests += [create(f"/tree/s{n}", (b"%d " % n).ljust(SMALL, b"s")) for n in range(smalls)]
    for reply in ask_many(link, requests, window=16):
        assert reply.err == 0, reply
    link.close()
    return bigs + smalls


class Broken(Exception):
    """A claim failed that the rest of a story rests upon."""


class Story:
    """One ensemble of voters 1 to 3 and observers 4 and 5 under a leader of one kind, server 3.

    Server 2 is of the other kind: of two voters with one history the one with the higher id leads, so it takes over.
    """

    def __init__(self, checks, leader_kind):
        self.checks = checks
        kinds = {1: leader_kind, 2: other(leader_kind), 3: leader_kind, 4: APACHE, 5: QUORATE}
        self.ensemble = Ensemble(
            5, EXTRA, tick_ms=1000, kinds=kinds, observers={4, 5}, limits=(60, SYNC_LIMIT_S), flags=FLAGS
        )
        self.title = f"{self.ensemble.name(3)} leads"
        self.loads, self.books, self.owners, self.syncs = [], {}, {}, []

    @contextlib.contextmanager
    def claim(self, text):
        failed = self.checks.failed
        with self.checks.claim(f"{self.title}: {text}"):
            yield
        if self.checks.failed > failed:
            raise Broken

    def tell(self):
        with contextlib.suppress(Broken):
            self.chapters()
        for each in self.loads:
            each.process.kill()
        self.ensemble.close()

    def chapters(self):
        e = self.ensemble
        with self.claim("voters and observers of both kinds follow"):
            e.start(2, 3)
            assert e.wait_serving([2, 3]) == 3
            e.start(1, 4, 5)
            assert e.wait_serving() == 3
        crossing.tell(self.checks, self.title, e, self.owners)
        with self.claim(f"a tree of {TREE_MB} MB, with values of 1 MB"):
            fill(e, TREE_MB)
        self.equal("before the load")
        self.begin_load("everywhere", [1, 2, 3, 4, 5])
        self.begin_load("leader", [3])
        for sid in (1, 2, 4, 5):
            for _ in range(LAGGING_REJOINS):
                self.rejoin(sid, "DIFF")
            self.rejoin(sid, "SNAP")
        for n in range(1, WIPED_REJOINS + 1):
            self.rejoin(2, "SNAP", f", wiped {n} of {WIPED_REJOINS}")
        self.equal("after learners lagged and were wiped", keep_load=True)
        self.truncate()
        self.cut_off()
        self.equal("after leaders were killed and cut off")

    def begin_load(self, name, ids):
        e = self.ensemble
        load.prepare(e.client_port[3], name)
        ports = [e.client_port[sid] for sid in ids]
        self.loads.append(load.Load(ports, name, rate=RATE / 2, big_every=1000, seed=len(self.loads)))

    def flowing(self, count=200):
        """Until this many more writes were acknowledged."""
        goal = sum(each.acks for each in self.loads) + count
        wait_for("writes", lambda: sum(each.acks for each in self.loads) >= goal)

    def rejoin(self, sid, mode, count=""):
        e = self.ensemble
        what = {"DIFF": "lags", "SNAP": "is wiped"}[mode]
        role = "observer" if sid in e.observers else "follower"
        with self.claim(f"{role} {e.name(sid)} {what} under load and is back by one {mode}{count}"):
            leader = e.leader()
            wait_for("room in the log", self.has_room_in_the_log, seconds=90)
            e.kill(sid)
            if mode == "SNAP":
                e.wipe(sid)
            self.flowing()
            log, learner, began = Log(e, leader), Log(e, sid), time.monotonic()
            if mode == "DIFF":
                # It would lag too far if its program were slow to start.
                self.pause()
            e.start(sid)
            if mode == "DIFF":
                wait_for("an election", lambda: LOOKS[e.kinds[sid]] in learner.text())
                self.resume()
            e.wait_serving()
            took = time.monotonic() - began
            # It keeps up.
            self.flowing(500)
            e.wait_serving()
            reached = int(e.field(leader, "Zxid"), 16)
            wait_for("it to be level", lambda: int(e.field(sid, "Zxid") or "0", 16) >= reached)
            found, own = syncs(e, sid, leader, log, learner), learner.text()
            # ZOOKEEPER-4394, of 3.8.0 to 3.8.4: a COMMIT behind NEWLEADER, of a proposal before it.
            self.syncs += [time.monotonic()] * len(found)
            stumbled = own.count(STUMBLES) if e.kinds[sid] == APACHE else 0
            assert found == [mode] + ["DIFF"] * stumbled, f"{found}\n{e.log_tail(sid)}"
        again = f", and by DIFF again after {stumbled} NullPointerException" if stumbled else ""
        print(f"     {took:.1f} s{again}", flush=True)

    def has_room_in_the_log(self):
        """Lines about synchronisations are counted here, and a server of ours logs twenty of a kind a minute."""
        last_minute = [at for at in self.syncs if at > time.monotonic() - 61]
        return len(last_minute) < 12

    def truncate(self):
        """The leader logs what nobody acks, and dies. The others go on; it comes back, and cuts its log."""
        e = self.ensemble
        old, followers = e.wait_serving(), [1, 2]
        with self.claim(f"{e.name(old)} has logged what nobody acked, and is back under {e.name(2)} by one TRUNC"):
            self.pause()
            # A session of some minutes: its end would be a transaction of the next epoch.
            link = Link(e.client_port[old], timeout_ms=180000)
            # Of voters with one history the one with the higher id leads.
            wait_for("one zxid", lambda: len({e.field(sid, "Zxid") for sid in e.ids}) == 1)
            leave_a_tail(e, old, followers, link, seconds=SYNC_LIMIT_S - 2)
            e.kill(old)
            link.close(end_session=False)
            for sid in followers:
                e.kill(sid)
            e.start(*followers)
            rest = [sid for sid in e.ids if sid != old]
            leader = e.wait_serving(rest)
            assert leader == 2, f"{e.name(leader)} leads"
            log, own = Log(e, leader), Log(e, old)
            e.start(old)
            found = wait_for("its synchronisation", lambda: syncs(e, old, leader, log, own))
            self.resume()
            e.wait_serving()
            self.flowing()
            assert found == syncs(e, old, leader, log, own) == ["TRUNC"], syncs(e, old, leader, log, own)

    def pause(self):
        for each in self.loads:
            each.pause()

    def resume(self):
        for each in self.loads:
            each.resume()

    def cut_off(self):
        """The leader stands still (SIGSTOP) until another leads, under load, and then goes on."""
        e = self.ensemble
        old = e.wait_serving()
        with self.claim(f"{e.name(old)} is stopped while it leads, and follows when it goes on"):
            self.flowing()
            e.pause(old)
            e.wait_serving([sid for sid in e.ids if sid != old])
            self.flowing()
            e.go_on(old)
            e.wait_serving()
            self.flowing()

    def equal(self, when, keep_load=False):
        e = self.ensemble
        for each in self.loads:
            if keep_load:
                each.pause()
            else:
                self.books[each.name] = each.stop()
        same_everywhere(self.checks, f"{self.title}, {when}", e, e.ids, self.books, self.owners)
        if keep_load:
            for each in self.loads:
                each.resume()
        else:
            self.loads = []


def mismatches(text):
    """The lines in which a server of Apache's says that its tree has not the digest of a transaction, but for those of
    the moment in which it lost its leader: then one thread still applies what another one reads from the log."""
    found, lost = [], set()
    for line in text.splitlines():
        stamp = re.match(r"\S+ (\d+):(\d+):(\d+),", line)
        if not stamp:
            continue
        hours, minutes, seconds = map(int, stamp.groups())
        second = (hours * 60 + minutes) * 60 + seconds
        if "[QuorumPeer" in line and "txns loaded" in line:
            lost.add(second)
        if "Digests are not matching" in line:
            found.append((second, line))
    return [line for second, line in found if not lost.intersection(range(second - 1, second + 4))]


def same_everywhere(checks, title, ensemble, ids, books, owners):
    """All acknowledged writes are on all of these servers, whose trees and logs are equal."""
    e, seen = ensemble, {}
    with checks.claim(f"{title}: every server shows the same tree, with its stats and ACLs"):
        e.wait_serving(ids)
        seen, zxid = trees.settled_trees(e, ids)
        first = ids[0]
        for sid in ids[1:]:
            found = trees.differences(seen[first], seen[sid])
            assert not found, f"{e.name(first)} and {e.name(sid)} at {zxid:#x}, {len(found)} nodes: {found[:3]}"
    if not seen:
        return
    print(f"     {len(seen[first])} nodes at {zxid:#x}", flush=True)
    for name, book in books.items():
        text = f"what the load '{name}' was told is done is there ({book['acks']} writes)"
        with checks.claim(f"{title}: {text}"):
            for sid in ids:
                wrong = load.missing(seen[sid], name, book)
                assert not wrong, f"{e.name(sid)}, {len(wrong)}: {wrong[:5]}"
            assert not book["refused"], book["refused"]
            assert not book["lost_sessions"], "its session was lost"
    with checks.claim(f"{title}: the same transactions are in every log, and the last one has the tree's digest"):
        logs = {sid: trees.logged(e, sid) for sid in ids}
        assert not (found := trees.first_difference(logs)), found
        last = next(txns[zxid] for txns in logs.values() if zxid in txns)
        assert last.digest == trees.digest(seen[first], owners), "the digest is that of another tree"
    with checks.claim(f"{title}: no server of Apache's counts a digest that does not match"):
        for sid in ids:
            text = (e.home(sid) / "server.log").read_text(errors="replace")
            if STUMBLES in text:
                # It had two threads at its log then, and replayed what it had in its tree.
                print(f"     {e.name(sid)} had a NullPointerException of ZOOKEEPER-4394: not asked")
                continue
            found = mismatches(text)
            assert not found, f"{e.name(sid)}: {found[:3]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stories", nargs="*")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    checks = Checks("mixed")
    stories = {
        "roles-quorate": lambda: Story(checks, QUORATE).tell(),
        "roles-apache": lambda: Story(checks, APACHE).tell(),
        "rolling": lambda: rolling.tell(checks, options.seed, same_everywhere),
        "directories": lambda: directories.tell(checks),
    }
    print(f"mixed: Apache ZooKeeper {apache.VERSION}, --seed {options.seed}", flush=True)
    for name in options.stories or stories:
        stories[name]()
    checks.finish()


if __name__ == "__main__":
    main()
