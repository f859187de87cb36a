"""Data directories that one kind of server has left, opened by the other.

Servers alone are killed under load, with a snapshot every few dozen writes, so that snapshots are fuzzy; then both kinds
start on copies of what is left, Quorate at every snapshot, and show one tree. Members of an ensemble lose files, and have
their logs cut by a server of the other kind.
"""

import pathlib
import shutil
import time

import apache
import load
import trees
from ensemble import APACHE, QUORATE, SHORT, Ensemble, wait_for
from tail import leave_a_tail
from wire import Link, ask_many, create

WRITES = 1500 if SHORT else 6000
SNAP_COUNT = 100
EXTRA = ["maxSessionTimeout=180000", "4lw.commands.whitelist=*", "preAllocSize=1024", trees.SUPER]
KEY_TRUST = "snapshot.trust.empty=true"


class Alone(Ensemble):
    """One server without an ensemble."""

    def __init__(self, kind, extra=(), flags=(), data=None):
        super().__init__(1, [*EXTRA, *extra], tick_ms=1000, kinds={1: kind}, flags=flags)
        config = self.home(1) / "zoo.cfg"
        config.write_text("".join(line for line in config.read_text().splitlines(True) if "server.1" not in line))
        if data:
            shutil.copytree(data, self.home(1) / "data", dirs_exist_ok=True)

    @property
    def data(self):
        return self.home(1) / "data"

    def serve(self):
        self.start(1)

        def serving():
            self.must_live()
            return self.field(1, "Mode") == "standalone"

        wait_for("the server to serve", serving)

    def must_live(self):
        code = self.processes[1].poll()
        if code is not None:
            raise RuntimeError(f"{self.name(1)} ended with {code}:\n{self.log_tail(1, 30)}")

    def refuses(self):
        """Its last words, when it does not serve."""
        self.start(1)
        wait_for("its end", lambda: self.processes[1].poll() is not None or self.field(1, "Mode"), 60)
        assert self.processes[1].poll(), f"{self.name(1)} serves:\n{self.log_tail(1)}"
        return self.log_tail(1, 40)

    def tree(self):
        link = trees.super_link(self.client_port[1])
        tree = trees.read_tree(link)
        link.close()
        return tree


def snapshots(data):
    """Oldest first."""
    found = pathlib.Path(data).glob("version-2/snapshot.*")
    return sorted(found, key=lambda file: int(file.name.split(".")[1], 16))


def opened(kind, data, extra=(), without_newest=0):
    """The tree of a server that starts on a copy of a directory without so many of its snapshots, and how many digests it
    counted that do not match."""
    server = Alone(kind, extra, data=data)
    for snapshot in snapshots(server.data)[::-1][:without_newest]:
        snapshot.unlink()
    try:
        server.serve()
        mismatches = (server.home(1) / "server.log").read_text(errors="replace").count("Digests are not matching")
        return server.tree(), mismatches
    finally:
        server.close()


def opened_by_its_writer(kind, data, method):
    """Apache does not start on its own compressed snapshot that a kill has cut short: it gets an older one, and what was
    wrong is told. Quorate has to open all that is there."""
    if not method:
        return opened(kind, data)[0]
    try:
        return opened(kind, data, without_newest=1)[0]
    except RuntimeError as error:
        print(f"     from the snapshot before the newest: {error}", flush=True)
        return opened(kind, data, without_newest=2)[0]


def differences(seen, theirs, written_by):
    """3.4 has no /zookeeper/config, and Apache alone adds none to what it left; Quorate does."""
    added = ("/zookeeper", trees.CONFIG) if written_by == f"{APACHE}-3.4" else ()
    return [each for each in trees.differences(seen, theirs) if each[0] not in added]


def written_under_load(checks, kind, method=""):
    """A directory whose server was killed under load, opened by both kinds."""
    other = APACHE if kind == QUORATE else QUORATE
    # An older server may show what today's show otherwise.
    reference = kind if kind in (APACHE, QUORATE) else APACHE
    title = f"directories, written by {kind}" + (f", {method} snapshots" if method else "")
    flags = [f"-Dzookeeper.snapshot.compression.method={method}"] if method else []
    writer = Alone(kind, [f"snapCount={SNAP_COUNT}"], flags)
    with checks.claim(f"{title}: {WRITES} writes under load, then SIGKILL"):
        writer.serve()
        load.prepare(writer.client_port[1], "alone")
        process = load.Load([writer.client_port[1]], "alone", rate=2000, big_every=100)
        wait_for("writes", lambda: writer.must_live() or process.acks >= WRITES)
        writer.kill(1)
        book = process.stop(word="drop")
        found = snapshots(writer.data)
        assert len(found) > 3, found
        if method:
            assert found[-1].name.endswith(method), found[-1]
        assert not book["refused"], book["refused"]
    seen, theirs = {}, {}
    with checks.claim(f"{title}: {other} shows the same tree as {reference}, with all that was acknowledged"):
        seen = opened_by_its_writer(reference, writer.data, method)
        theirs, mismatches = opened(other, writer.data)
        assert not (found := differences(seen, theirs, kind)), found[:3]
        assert not (wrong := load.missing(theirs, "alone", book)), wrong[:5]
        assert not mismatches, f"{mismatches} digests do not match"
    starts = snapshots(writer.data)
    if other == APACHE:
        # A JVM each.
        starts = starts[-2:]
    with checks.claim(f"{title}: so does {other} from each of {len(starts)} snapshots on"):
        for snapshot in reversed(starts):
            theirs, mismatches = opened(other, writer.data)
            found = differences(seen, theirs, kind)
            assert not found, f"from {snapshot.name} on, {len(found)} nodes: {found[:3]}"
            assert not mismatches, f"from {snapshot.name} on: {mismatches} digests do not match"
            snapshot.unlink()
    writer.close()


def without_a_snapshot(checks):
    """Logs alone, as 3.4 leaves them behind when it has never snapped."""
    writer = Alone(APACHE)
    writer.serve()
    load.prepare(writer.client_port[1], "alone")
    seen = writer.tree()
    writer.kill(1)
    for snapshot in snapshots(writer.data):
        snapshot.unlink()
    for kind in (APACHE, QUORATE):
        text = f"{kind} refuses them, and opens them by snapshot.trust.empty"
        with checks.claim(f"directories, logs and no snapshot: {text}"):
            stranger = Alone(kind, data=writer.data)
            words = stranger.refuses()
            assert "snapshot" in words.lower(), words
            stranger.close()
            theirs, _ = opened(kind, writer.data, [KEY_TRUST])
            assert not (found := trees.differences(seen, theirs)), found[:3]
    writer.close()


def small_ensemble(kinds, extra=()):
    return Ensemble(3, [*EXTRA, *extra], tick_ms=1000, kinds=kinds, limits=(60, 5))


def make(ensemble, sid, path, data=b""):
    link = Link(ensemble.client_port[sid])
    assert link.ask(1, create(path, data)).err == 0
    link.close()


def consent(checks):
    """db.autocreate=false: who finds nothing votes only where the file `initialize` says so."""
    e = small_ensemble({1: APACHE, 2: QUORATE, 3: APACHE}, ["db.autocreate=false"])
    text = "servers of both kinds begin where there is an `initialize`, and remove it"
    with checks.claim(f"directories, db.autocreate=false: {text}"):
        for sid in e.ids:
            (e.home(sid) / "data/initialize").touch()
        e.start()
        e.wait_serving()
        make(e, 2, "/begun")
        assert not [sid for sid in e.ids if (e.home(sid) / "data/initialize").exists()]
    for wiped in (2, 3):
        text = f"{e.name(wiped)} was wiped: it is no voice in an election, and follows who knows"
        with checks.claim(f"directories, db.autocreate=false: {text}"):
            wait_for("one zxid", lambda: len({e.field(sid, "Zxid") for sid in e.ids}) == 1)
            for sid in e.ids:
                e.kill(sid)
            e.wipe(wiped)
            e.start(1, wiped)
            # Long enough for servers that could.
            time.sleep(4)
            assert not any(e.field(sid, "Mode") for sid in (1, wiped)), "one voice was enough"
            e.start(5 - wiped)
            assert e.wait_serving() != wiped
            seen, _ = trees.settled_trees(e, e.ids)
            assert all("/begun" in tree for tree in seen.values())
    e.close()


def lost_epochs(checks):
    """Missing epoch files: Apache's rule, but where a guard file says that Quorate has written them."""
    e = small_ensemble({1: APACHE, 2: APACHE, 3: QUORATE})
    e.start()
    e.wait_serving()
    make(e, 1, "/kept")

    def lose(sid):
        for name in ("acceptedEpoch", "currentEpoch"):
            (e.home(sid) / "data/version-2" / name).unlink()

    with checks.claim("directories, Apache's epoch files are lost: Quorate goes on with the last transaction's epoch"):
        e.kill(2)
        lose(2)
        e.kinds[2] = QUORATE
        e.start(2)
        e.wait_serving()
        assert (e.home(2) / "data/version-2/currentEpoch").read_text().strip() == "1"
    with checks.claim("directories, Quorate's epoch files are lost: it does not start, and says which"):
        e.kill(3)
        lose(3)
        e.start(3)
        wait_for("its end", lambda: e.processes[3].poll() is not None or e.field(3, "Mode"), 30)
        assert e.processes[3].poll(), f"it serves:\n{e.log_tail(3)}"
        assert "Epoch" in e.log_tail(3), e.log_tail(3)
    e.close()


def cut_by_the_other(checks):
    """A server of one kind logs what nobody acks, one of the other kind is told to cut it off, and the first is back."""
    for kind, other in ((QUORATE, APACHE), (APACHE, QUORATE)):
        e = small_ensemble({1: kind, 2: other, 3: kind})
        with checks.claim(f"directories, a log of {kind} is cut by {other}: {kind} goes on with it"):
            e.start(2, 3)
            e.wait_serving([2, 3])
            e.start(1)
            assert e.wait_serving() == 3
            make(e, 1, "/kept")
            # A session of some minutes: its end would be a transaction of the next epoch.
            link = Link(e.client_port[3], timeout_ms=180000)
            wait_for("one zxid", lambda e=e: len({e.field(sid, "Zxid") for sid in e.ids}) == 1)
            leave_a_tail(e, 3, [1, 2], link)
            for sid in e.ids:
                e.kill(sid)
            link.close(end_session=False)
            e.start(1, 2)
            e.wait_serving([1, 2])
            e.kinds[3] = other
            e.start(3)
            e.wait_serving()
            # Nothing is written in between: no log behind the one that was cut.
            e.kill(3)
            e.kinds[3] = kind
            e.start(3)
            e.wait_serving()
            make(e, 3, "/behind")
            seen, _ = trees.settled_trees(e, e.ids)
            for sid in e.ids:
                assert not trees.differences(seen[1], seen[sid]), sid
                assert "/behind" in seen[sid] and "/tail0" not in seen[sid], sid
        e.close()


def hole_behind_a_snapshot(checks):
    """Apache keeps what it logged before a leader sent it a snapshot: a log with a hole, which no learner may be sent."""
    kinds = {sid: APACHE for sid in (1, 2, 3, 4)}
    # The others send what is not in their committed log as a snapshot, this one reads its log.
    reads_its_log = 3

    def factor(sid):
        return [] if sid == reads_its_log else ["snapshotSizeFactor=-1"]

    e = Ensemble(4, EXTRA, tick_ms=1000, kinds=kinds, observers={4}, limits=(60, 5), per_server=factor)
    with checks.claim("directories, a hole in a log before a snapshot: a learner from before it misses nothing"):
        e.start()
        e.wait_serving()
        # So that the log would not be too long for a learner: a share of the snapshot.
        make(e, 1, "/big", b"x" * 1_000_000)
        wait_for("one zxid", lambda: len({e.field(sid, "Zxid") for sid in e.ids}) == 1)
        for sid in (3, 4):
            e.kill(sid)
        e.wait_serving([1, 2])
        # More than the committed log holds.
        many(e, 1, "missed", 700)
        e.start(3)
        e.wait_serving([1, 2, 3])
        many(e, 1, "later", 700)
        wait_for("one zxid", lambda: len({e.field(sid, "Zxid") for sid in (1, 2, 3)}) == 1)
        e.kill(3)
        e.kinds[3] = QUORATE
        for sid in (1, 2):
            e.kill(sid)
        e.start(1, 3)
        assert e.wait_serving([1, 3]) == 3
        e.start(2, 4)
        e.wait_serving()
        seen, _ = trees.settled_trees(e, e.ids)
        for sid in e.ids:
            assert not (found := trees.differences(seen[1], seen[sid])), f"{e.name(sid)}, {len(found)}: {found[:2]}"
    e.close()


def many(ensemble, sid, name, count):
    link = Link(ensemble.client_port[sid])
    for reply in ask_many(link, (create(f"/{name}{n}", b"") for n in range(count))):
        assert reply.err == 0, reply
    link.close()


def tell(checks):
    for method in ("", "gz", "snappy"):
        written_under_load(checks, APACHE, method)
    for version in ("3.4", "3.6"):
        if apache.has(version):
            written_under_load(checks, f"{APACHE}-{version}")
    written_under_load(checks, QUORATE)
    without_a_snapshot(checks)
    consent(checks)
    lost_epochs(checks)
    cut_by_the_other(checks)
    hole_behind_a_snapshot(checks)
