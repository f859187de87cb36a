"""Strangers on the quorum and election ports, which ask for no passwords: what nobody may do under a server's id."""

import contextlib
import os
import socket
import struct
import threading
import time

from attacks import peers, raw
from attacks.by_sessions import Modes
from attacks.case import Unexpected, case
from ensemble import wait_for
from wire import create, text

CLOSE_SESSION, CREATE_SESSION = -11, -10


def others(arena):
    return [sid for sid in arena.e.ids if sid != arena.leader]


@contextlib.contextmanager
def meanwhile(*tasks):
    threads = [threading.Thread(target=task, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.join()


def restart(arena, sid, seconds):
    """Kills and starts a follower, and waits until it is one again."""
    arena.e.kill(sid)
    arena.e.start(sid)
    started = time.monotonic()
    wait_for(f"server {sid} to follow", lambda: arena.e.field(sid, "Mode") == "follower", seconds)
    return time.monotonic() - started


@case("7", "FOLLOWERINFO with the real followers' ids, 50 a second for 20 s, the links held")
def forged_followerinfo(arena):
    seconds, ids, modes, port = arena.pick(3, 20), others(arena), Modes(arena), arena.e.quorum_port[arena.leader]
    epoch, over = arena.epoch(), time.monotonic() + seconds
    attack = lambda: peers.hammer(arena, [port], lambda n: peers.learner_info(ids[n % 2], epoch), seconds, 0.02, 100)  # noqa: E731
    with meanwhile(attack):
        while time.monotonic() < over:
            time.sleep(0.2)
            try:
                modes.check()
            except Unexpected:
                time.sleep(max(over - time.monotonic(), 0))
                raise
    return "followers stayed"


@case(
    "7",
    "joins as both real followers and acks all proposals for 10 s; then the leader is killed",
    elections=1,
    pauses=True,
)
def forged_acks(arena):
    fakes = [peers.FakeLearner(arena, sid) for sid in others(arena)]
    for fake in fakes:
        fake.start()
    time.sleep(arena.pick(3, 10))
    arena.pause()
    time.sleep(0.3)
    killed = arena.leader
    arena.e.kill(killed)
    for fake in fakes:
        fake.stop()
    left = [sid for sid in arena.e.ids if sid != killed]
    arena.e.wait_serving(left, 60)
    arena.e.start(killed)
    arena.e.wait_serving(seconds=60)
    arena.resume()
    return f"joined {sum(fake.joined for fake in fakes)} times, acked {sum(fake.acked for fake in fakes)} proposals"


@case(
    "7",
    "accepted epochs of 2^31-2 to all quorum ports, while a leader is killed and another elected",
    elections=6,
    pauses=True,
)
def epochs_in_discovery(arena):
    before, seconds = arena.epoch(), arena.pick(4, 15)
    sids = [*arena.e.ids, 99, 0]
    ports = list(arena.e.quorum_port.values())

    def attack():
        peers.hammer(arena, ports, lambda n: peers.learner_info(sids[n // 3 % 5], peers.EPOCH_LAST), seconds, 0.001, 60)

    killed = arena.leader
    with meanwhile(attack, attack):
        time.sleep(0.3)
        arena.e.kill(killed)
        time.sleep(seconds - 2)
        arena.e.start(killed)
    leader = arena.e.wait_serving(seconds=arena.pick(30, 60))
    # What was believed stays on disk: a restart of all shows it.
    for sid in arena.e.ids:
        arena.e.kill(sid)
    arena.e.start()
    leader = arena.e.wait_serving(seconds=arena.pick(30, 60))
    if arena.epoch(leader) > before + 100:
        raise Unexpected(f"the epoch is {arena.epoch(leader):#x}")
    return f"epoch {before} before, {arena.epoch(leader)} now"


@case(
    "7",
    "votes of all kinds under all ids, with rounds, zxids and epochs near their end, while a follower restarts",
)
def forged_votes(arena):
    with meanwhile(lambda: votes(arena, arena.pick(3, 15))):
        time.sleep(0.5)
        victim = arena.follower
        arena.e.kill(victim)
        time.sleep(0.3)
        arena.e.start(victim)
    started = time.monotonic()
    wait_for("the follower to be back", lambda: arena.e.field(victim, "Mode") == "follower", arena.pick(20, 40))
    return f"back {time.monotonic() - started:.0f} s after the attack"


def votes(arena, seconds):
    ports, ids = list(arena.e.election_port.values()), arena.e.ids
    addresses = [f"127.0.0.1:{port}" for port in ports]
    kinds = [
        (state, leader, zxid, round_, epoch)
        for state in range(4)
        for leader in (*ids, 99, -1)
        for zxid, round_, epoch in (((1 << 62), (1 << 62), peers.EPOCH_LAST), (0, 1, 1), (-1, -1, -1))
    ]

    def one(n):
        sid = (*ids, 99, 7, -3)[n % 6]
        return peers.handshake(sid, addresses[n % 3]) + peers.notification(*kinds[n % len(kinds)])

    peers.hammer(arena, ports, one, seconds, 0.005, 30)


@case(
    "7",
    "350 handshakes a second on the election port with names that no server knows, for 27 s",
    setup="slow_names",
    short=False,
)
def names_that_resolve_slowly(arena):
    return names(arena, arena.pick(4, 27))


@case("7", "350 handshakes a second on the election port with names that do not exist, and a follower restarts")
def names_unknown(arena):
    return names(arena, arena.pick(3, 15))


def names(arena, seconds):
    ports = list(arena.e.election_port.values())
    asked = getattr(arena, "asked", [0])
    before = asked[0]

    def one(n):
        sid = 1_000 + n if n % 2 else -1_000 - n
        return peers.handshake(sid, f"{os.urandom(6).hex()}.attack.invalid:3888") + peers.notification(0, sid, 0, 1, 0)

    attack = lambda: peers.hammer(arena, ports, one, seconds, 0.002, 1000)  # noqa: E731
    with meanwhile(attack):
        time.sleep(seconds * 0.6)
        took = restart(arena, arena.follower, arena.pick(20, 40))
    return f"a follower was back in {took:.1f} s" + (f", {asked[0] - before} names asked for" if asked[0] else "")


@case("7", "20 handshakes that announce an address where the attacker listens: is it dialled?", memory_mb=100)
def announced_addresses(arena):
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        ports = list(arena.e.election_port.values())
        sids = [0, -5, 77, 1 << 40]
        said = lambda n: peers.handshake(sids[n % 4], address) + peers.notification(0, sids[n % 4], 1 << 40, 1, 1)  # noqa: E731
        links = []
        for n in range(20):
            link = raw.dial(ports[n % 3])
            link.sendall(said(n))
            links.append(link)
        arena.spent(links=20, packets=20)
        listener.settimeout(2)
        dialled = 0
        with contextlib.suppress(TimeoutError):
            while dialled < 100:
                listener.accept()[0].close()
                dialled += 1
        for link in links:
            link.close()
    if dialled:
        raise Unexpected(f"dialled {dialled} times")
    return "not dialled"


@case("7", "1,000 election links of ids outside the configuration, from one address: 256 at most are held")
def election_links(arena):
    port, sid = arena.e.election_port[arena.follower], arena.follower
    before, links = arena.descriptors(sid), []
    for n in range(arena.pick(400, 1_000)):
        with contextlib.suppress(OSError):
            link = raw.dial(port)
            link.sendall(peers.handshake(1_000 + n, "127.0.0.1:3888") + peers.notification(0, 1_000 + n, 0, 1, 0))
            links.append(link)
    arena.spent(links=len(links), packets=len(links))
    time.sleep(1)
    held = arena.descriptors(sid) - before
    for link in links:
        link.close()
    # The limit of links an address is 256; the servers have some of their own.
    if held > 256:
        raise Unexpected(f"{held} of {len(links)} links are held")
    return f"{held} held"


@case("7", "notifications that do not decode, on ten links of unknown ids: are they closed?", memory_mb=100)
def bad_notifications(arena):
    port, links = arena.e.election_port[arena.leader], []
    for n, body in enumerate(
        [
            b"\0" * 27,
            b"\0" * 36,
            struct.pack(">i", 9) + bytes(40),
            b"\xff" * 64,
            bytes(36) + struct.pack(">ii", 2, 1 << 30),
        ]
        * 2
    ):
        link = raw.dial(port)
        link.sendall(peers.handshake(2_000 + n, "127.0.0.1:3888") + struct.pack(">i", len(body)) + body)
        links.append(link)
    arena.spent(links=len(links), packets=len(links))
    closed = raw.closed_within(links, 5)
    for link in links:
        link.close()
    if closed < len(links):
        raise Unexpected(f"{closed} of {len(links)} closed")
    return f"{closed} closed"


@case("7", "500 connections to the quorum port: silent, half a packet, lengths of 2 GB, unknown types", memory_mb=100)
def quorum_port_noise(arena):
    halves = [
        b"",
        b"\0\0",
        peers.learner_info(99, 0)[:30],
        peers.packet(11, 0)[:12] + b"\x7f\xff\xff\xff",
        peers.packet(77, 0),
        os.urandom(64),
    ]
    port, links = arena.e.quorum_port[arena.leader], []
    for n in range(arena.pick(300, 500)):
        with contextlib.suppress(OSError):
            link = raw.dial(port)
            link.sendall(halves[n % len(halves)])
            links.append(link)
    arena.spent(links=len(links))
    closed = raw.closed_within(links, arena.pick(2, 15))
    for link in links:
        link.close()
    return f"{closed} of {len(links)} closed"


@case("7", "FOLLOWERINFO from ids outside the configuration: 0, -1, 99, and the leader's own", memory_mb=100)
def unknown_followers(arena):
    welcome = []
    for sid in (0, -1, 99, arena.leader):
        with raw.dial(arena.e.quorum_port[arena.leader], seconds=3) as link:
            link.sendall(peers.learner_info(sid, arena.epoch()))
            arena.spent(links=1, packets=1)
            with contextlib.suppress(OSError):
                if link.recv(100):
                    welcome.append(sid)
    if welcome:
        raise Unexpected(f"LEADERINFO for {welcome}")
    return "none was answered"


def poison():
    """Requests that no client may make: (session, operation, body)."""
    empty, zeros = create("", b"")[1], b"\0" * 8
    close, hail = (0, CLOSE_SESSION, b""), struct.pack(">i", 30_000)
    yield from (
        close,
        (-1, CLOSE_SESSION, b""),
        (0, CREATE_SESSION, hail),
        (0, 1, create("/zero", b"", raw.EPHEMERAL)[1]),
        close,
    )
    yield from (
        (0, 1, empty),
        (0, 1, create("/a//b", b"")[1]),
        (0, 2, text("") + b"\xff" * 4),
        (0, 5, text("") + zeros),
    )
    yield from ((0, 7, text("") + zeros), (0, 14, b""), (0, 999, b"x"), (1 << 62, 1, empty), (0, 16, text("")))
    yield from ((0, 20, text("")), (0, 21, text("") * 3), (0, -1, b""), (0, CREATE_SESSION, b""))
    # Ephemerals of a session that is none, and its end.
    yield from ((1 << 40, 1, create("/e", b"", raw.EPHEMERAL)[1]), (1 << 40, CLOSE_SESSION, b""))


@case(
    "6",
    "joins as a follower and as an observer, sends requests that no client may (session 0, empty paths); all restart",
    elections=8,
    pauses=True,
    # The full form makes some hundred thousand nodes meanwhile, which stay.
    memory_mb=400,
)
def requests_of_a_learner(arena):
    said = [peers.request(*one) for one in poison()]
    # Session 0 is closed while nodes below the root are being made: their owner is 0 too.
    said += [peers.request(0, CLOSE_SESSION, b"")] * 200
    fakes = [
        peers.FakeLearner(arena, arena.follower, then=said),
        peers.FakeLearner(arena, 99, peers.OBSERVERINFO, said),
    ]
    for fake in fakes:
        fake.start()
        deadline = time.monotonic() + arena.pick(2, 8)
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                client = raw.Client(arena, arena.port())
                client.talk(
                    b"".join(raw.frame(n, create(f"/{fake.sid}-{time.monotonic_ns()}-{n}", b"")) for n in range(200)),
                    200,
                    2,
                )
                client.drop()
        fake.stop()
    time.sleep(0.5)
    ended = [sid for sid, process in arena.e.processes.items() if process.poll() is not None]
    for sid in list(arena.e.processes):
        arena.e.kill(sid)
    arena.e.start()
    arena.e.wait_serving(seconds=arena.pick(30, 60))
    if ended:
        raise Unexpected(f"servers {ended} ended")
    return f"joined as a follower {fakes[0].joined} times, as an observer {fakes[1].joined}"


@case(
    "7",
    "the same votes while the leader is killed: once they stop, all are back by themselves",
    elections=8,
    pauses=True,
)
def forged_votes_in_election(arena):
    seconds, killed = arena.pick(3, 15), arena.leader
    with meanwhile(lambda: votes(arena, seconds)):
        time.sleep(0.5)
        arena.e.kill(killed)
        time.sleep(seconds / 3)
        arena.e.start(killed)
    started = time.monotonic()
    arena.e.wait_serving(seconds=arena.pick(30, 60))
    return f"all serve {time.monotonic() - started:.0f} s after the attack"
