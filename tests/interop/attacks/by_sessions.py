"""Sessions: thousands that expire at once, thousands that stay, and one whose end does not fit into a transaction."""

import os
import time

from attacks import raw
from attacks.by_requests import flood
from attacks.case import Unexpected, case
from ensemble import wait_for
from wire import CLOSE as CLOSE_OP
from wire import GET_CHILDREN, GET_DATA, Link, Reader, create, delete

CLOSE = raw.frame(9, (CLOSE_OP, b""))
EACH = 5


def left_of(arena, path):
    link = Link(arena.e.client_port[arena.e.ids[0]])
    names = Reader(link.ask(1, raw.read(GET_CHILDREN, path)).body).texts()
    link.close()
    return len(names)


@case(
    "1",
    "40,000 sessions with five ephemerals each; their client goes, and the leader is killed",
    memory_mb=500,
    elections=1,
    pauses=True,
)
def mass_expiry(arena):
    count, timeout_s = arena.pick(3_000, 40_000), arena.pick(4, 60)
    raw.make(arena, arena.port(), "/mass")
    one = raw.frame(1, create("/mass/e", b"", raw.EPHEMERAL | raw.SEQUENTIAL))
    started = time.monotonic()
    made, _ = raw.crowd(arena, arena.port("follower"), count, raw.hello(timeout_s * 1000) + one * EACH, EACH + 1, 240)
    if made < count:
        raise Unexpected(f"{made} sessions were made")
    made_in = time.monotonic() - started
    there = left_of(arena, "/mass")
    killed = arena.leader
    arena.e.kill(killed)
    begun = time.monotonic()
    arena.e.wait_serving([sid for sid in arena.e.ids if sid != killed], 60)
    arena.e.start(killed)
    # Two timeouts, as stated, from the election on; and what a busy machine takes.
    wait_for("the ephemerals to go", lambda: left_of_any(arena, "/mass") == 0, 2 * timeout_s + arena.pick(20, 30))
    return (
        f"made in {made_in:.0f} s, {there} ephemerals left then; gone {time.monotonic() - begun:.0f} s after the kill"
    )


def left_of_any(arena, path):
    try:
        return left_of(arena, path)
    except OSError:
        # Asked in the middle of an election.
        time.sleep(0.5)
        return -1


@case("1", "100,000 sessions, left behind, that all expire in the same tick", memory_mb=500)
def sessions_expire_at_once(arena):
    count, at_a_time = arena.pick(5_000, 100_000), 2_500
    end = time.monotonic() + arena.pick(8, 58)
    made = 0
    while made < count:
        # A session's timeout is what is left; the server rounds up to a tick.
        left_ms = int((end - time.monotonic()) * 1000)
        if left_ms < 2_000:
            raise Unexpected(f"{made} sessions were made in time")
        made += raw.crowd(arena, arena.port("follower"), at_a_time, raw.hello(left_ms), 1, 20)[0]
    before = sessions(arena)
    time.sleep(max(end - time.monotonic(), 0))
    begun = time.monotonic()
    wait_for("the sessions to be gone", lambda: sessions(arena) < before - made * 0.9, arena.pick(20, 60))
    return f"{made} sessions, gone {time.monotonic() - begun:.1f} s after their end"


def sessions(arena):
    for line in arena.e.word(arena.leader, "mntr").splitlines():
        if line.startswith("zk_global_sessions"):
            return int(line.split()[1])
    return 1 << 30


@case("held", "50,000 sessions, each left behind", memory_mb=300)
def many_sessions(arena):
    count = arena.pick(3_000, 50_000)
    made, _ = raw.crowd(arena, arena.port("follower"), count, raw.hello(30_000), 1, arena.pick(20, 120))
    if made < count:
        raise Unexpected(f"{made} of {count} sessions were made")
    return f"{made} sessions"


@case("held", "20,000 connections in 10 s, each with a session, which it ends")
def many_connects(arena):
    count = arena.pick(2_000, 20_000)
    made, _ = raw.crowd(arena, arena.port(), count, raw.hello() + CLOSE, 2, arena.pick(20, 60))
    if made < count:
        raise Unexpected(f"{made} of {count}")
    return f"{made} served"


@case("5", "three ephemerals with paths of 900 KB, and the end of their session", memory_mb=300)
def close_that_does_not_fit(arena):
    raw.make(arena, arena.port(), "/long")
    client = raw.Client(arena, arena.port())
    for n in range(3):
        client.talk(raw.frame(n, create(f"/long/{n}" + "p" * 900_000, b"", raw.EPHEMERAL)), 1, 20)
    made = client.says()
    client.talk(CLOSE, 1, 20)
    client.drop()
    wait_for("the ephemerals to go", lambda: left_of_any(arena, "/long") == 0, 30)
    return made


def big_identities(arena, at, count, size, acl):
    client = raw.Client(arena, arena.port(at))
    for n in range(count):
        client.talk(raw.auth("digest", b"%d" % n + b"u" * size + b":p"), 1, 10)
    client.talk(raw.frame(1, create(f"/{os.urandom(4).hex()}", b"", acl=acl)), 1, 10)
    client.drop()
    return client.says()


@case("5", "ten identities of 400 KB, and a node whose ACL names them all (scheme auth)", memory_mb=300)
def identities_in_acl(arena):
    return big_identities(arena, "leader", 10, 400_000, raw.acl([raw.entry("auth", "")]))


@case("5", "fourteen identities of 400 KB, and a plain create through a follower", memory_mb=300)
def identities_through_follower(arena):
    seen = Modes(arena)
    said = big_identities(arena, "follower", 14, 400_000, raw.OPEN_ACL)
    time.sleep(1)
    seen.check()
    return said


class Modes:
    """Whether followers stay followers."""

    def __init__(self, arena):
        self.arena, self.others = arena, [sid for sid in arena.e.ids if sid != arena.leader]

    def check(self):
        for sid in self.others:
            mode = self.arena.e.field(sid, "Mode")
            if mode != "follower":
                raise Unexpected(f"server {sid} has lost its leader ({mode})")


@case("held", "one session moved between two servers 2,000 times, every third time with a wrong password")
def moved_sessions(arena):
    good = Link(arena.port())
    hellos = [raw.hello(30_000, good.session, good.password), raw.hello(30_000, good.session, bytes(16))]
    both, count = [arena.port("leader"), arena.port("follower")], arena.pick(300, 2_000)
    for n in range(count):
        raw.crowd(arena, both[n % 2], 1, hellos[n % 3 == 0], 1, 5)
    good.close(end_session=False)


@case("held", "one connection makes, watches and deletes 10,000 nodes, all at once on their way")
def watched_and_deleted(arena):
    raw.make(arena, arena.port(), "/race")
    count = arena.pick(2_000, 10_000)

    def each(path):
        yield raw.frame(1, create(path, b""))
        yield raw.frame(2, raw.read(GET_DATA, path, True))
        yield raw.frame(3, delete(path))

    data = b"".join(part for n in range(count) for part in each(f"/race/{n}"))
    # Three replies each, and the watch.
    return flood(arena, data, 4 * count, arena.pick(20, 120))
