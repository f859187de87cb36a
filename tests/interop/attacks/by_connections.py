"""Connections: many, silent, slow, half a frame, half a handshake; and the descriptors they take."""

import contextlib
import random
import socket
import ssl
import struct
import time

from attacks import raw
from attacks.case import Unexpected, case
from ensemble import wait_for
from wire import GET_DATA, Link, create


def held(arena, port, count, data, seconds, sources=64):
    """So many connections that say `data` and then nothing. Whoever serves them later has to close them."""
    _, links = raw.crowd(arena, port, count, data, 0, seconds, keep=True, sources=sources)
    return links


def let_go(links):
    for link in links:
        raw.drop(link)


@case("held", "4,000 connections that say nothing, held for 15 s")
def silent(arena):
    links = held(arena, arena.port(), arena.pick(1_500, 4_000), b"", 20)
    closed = raw.closed_within(links, arena.pick(1, 15))
    let_go(links)
    return f"{len(links)} connected, {closed} closed meanwhile"


@case("held", "500 connections that say their hello a byte a second", memory_mb=100)
def slow(arena):
    links = held(arena, arena.port(), arena.pick(200, 500), b"", 10)
    hello = raw.hello()
    for at in range(arena.pick(2, 15)):
        for link in links:
            with contextlib.suppress(OSError):
                link.send(hello[at : at + 1])
        time.sleep(0.7)
    let_go(links)
    return f"{len(links)} connected"


@case("held", "1,500 connections with 500 KB each of a frame of 1,000,000 bytes that does not end", memory_mb=900)
def partial_frames(arena):
    part = raw.hello() + struct.pack(">i", 1_000_000) + bytes(500_000)
    count = arena.pick(200, 1_500)
    links = held(arena, arena.port(), count, part, arena.pick(10, 60))
    time.sleep(1)
    let_go(links)
    return f"{len(links)} held"


@case("held", "1,500 connections with half a hello, held", memory_mb=100)
def partial_hellos(arena):
    links = held(arena, arena.port(), 1_500, raw.hello()[:30], 20)
    closed = raw.closed_within(links, arena.pick(1, 15))
    let_go(links)
    return f"{len(links)} held, {closed} closed meanwhile"


@case(
    "held",
    "frames with lengths of -1, 0, 2^31-1, -2^31 and a byte above jute.maxbuffer, before and after the hello",
    memory_mb=100,
)
def frame_lengths(arena):
    links = []
    for length in (-1, 0, 0x7FFFFFFF, -(1 << 31), 0x100001, 0x00FFFFFF):
        for first in (b"", raw.hello()):
            links.append(raw.dial(arena.port()))
            links[-1].sendall(first + struct.pack(">i", length) + bytes(64))
            arena.spent(links=1, bytes=len(first) + 68)
    closed = raw.closed_within(links, 5)
    let_go(links)
    if closed < len(links):
        raise Unexpected(f"{closed} of {len(links)} closed")
    return f"{closed} of {len(links)} closed"


@case("held", "3,000 connections with random bytes", memory_mb=100)
def garbage(arena):
    draw, count = random.Random(1), arena.pick(1_000, 3_000)
    for _ in range(count // 100):
        raw.crowd(arena, arena.port(), 100, draw.randbytes(200), 0, 10)
        request = raw.frame(1, (draw.randrange(-20, 120), draw.randbytes(90)))
        raw.crowd(arena, arena.port(), 1, raw.hello() + request, 0, 5)
    return f"{count} connections"


@case(
    "8",
    "connections until two servers with 400 descriptors have none left, held while every server begins new logs",
    setup="few_descriptors",
)
def descriptors(arena):
    links = held(arena, arena.port("leader"), 450, raw.hello(), 5)
    links += held(arena, arena.port("follower"), 450, raw.hello(), 5)

    def logs():
        return {sid: len(list((arena.e.home(sid) / "data/version-2").glob("log.*"))) for sid in arena.e.ids}

    # Through the third, whom nobody presses.
    third = next(sid for sid in arena.e.ids if sid not in (arena.leader, arena.follower))
    before, link, n = logs(), Link(arena.e.client_port[third]), 0
    while n < 2_000 and min(now - before[sid] for sid, now in logs().items()) < 2:
        n += 1
        if link.ask(n, create(f"/roll{n}", b""), 10).err:
            raise Unexpected("a write failed")
    link.close()
    let_go(links)
    return f"{len(links)} of 900 connected, {n} writes"


@case(
    "8",
    "the same at both followers, and the leader is killed: the next one has to open its quorum port",
    setup="few_descriptors",
    elections=3,
    pauses=True,
)
def descriptors_and_election(arena):
    killed, links = arena.leader, []
    left = [sid for sid in arena.e.ids if sid != killed]
    for sid in left:
        links += held(arena, arena.e.client_port[sid], 450, raw.hello(), 5)
    try:
        arena.e.kill(killed)
        time.sleep(1)
        if ended := [sid for sid in left if arena.e.processes[sid].poll() is not None]:
            raise Unexpected(f"servers {ended} ended")
        started = time.monotonic()
        arena.e.start(killed)
        # Four-letter words may find no descriptor: whoever led before and starts anew says what it follows.
        wait_for("a leader", lambda: arena.e.field(killed, "Mode") in ("leader", "follower"), 30)
    finally:
        let_go(links)
    return f"a leader after {time.monotonic() - started:.0f} s, {len(links)} connections being held"


@case(
    "8",
    "600 connections to a server that starts with a soft limit of 200 and a hard one of 4,000",
    setup="low_soft_limit",
)
def soft_limit(arena):
    links = held(arena, arena.port(), 600, raw.hello(), 10)
    try:
        link = Link(arena.port(), patience=3)
        link.close()
    except OSError as failure:
        raise Unexpected(f"nobody else is served: {failure}") from None
    finally:
        let_go(links)
    return f"{len(links)} connected"


def client_hello():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def whole_handshake(port, source, seconds):
    """How long a session over TLS takes from another address."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), seconds, (source, 0)) as link:
        with context.wrap_socket(link) as secure:
            secure.sendall(raw.hello())
            if not secure.recv(100):
                raise ConnectionResetError("closed")
    return time.monotonic() - started


def others_get_in(arena, links, said):
    worst = 0
    try:
        for n in range(5):
            worst = max(worst, whole_handshake(arena.secure_port[arena.leader], f"127.0.9.{n + 1}", 5))
    except OSError as failure:
        raise Unexpected(f"another address does not get in: {failure}") from None
    finally:
        let_go(links)
    if worst > 3:
        raise Unexpected(f"another address gets in after {worst:.1f} s")
    return f"{said}; another address is in after {worst * 1000:.0f} ms"


@case("10", "1,500 TLS handshakes that stop after five bytes, from 20 addresses (75 each)", setup="tls")
def tls_half_done(arena):
    links = held(arena, arena.secure_port[arena.leader], 1_500, client_hello()[:5], 10, sources=20)
    return others_get_in(arena, links, f"{len(links)} held")


@case("10", "400 half-done TLS handshakes of one address, where maxClientCnxns is 100", setup="tls")
def tls_counted(arena):
    links = held(arena, arena.secure_port[arena.leader], 400, client_hello()[:5], 10, sources=1)
    closed = raw.closed_within(links, 3)
    said = others_get_in(arena, links, f"{closed} of {len(links)} closed")
    if len(links) - closed > 100:
        raise Unexpected(f"{len(links) - closed} half-done handshakes of one address, not 100")
    return said


@case("held", "20,000 TLS hellos, whose senders go at once", setup="tls")
def tls_hellos(arena):
    count, port = arena.pick(600, 20_000), arena.secure_port[arena.leader]
    done, _ = raw.crowd(arena, port, count, client_hello(), 0, arena.pick(10, 120))
    return others_get_in(arena, [], f"{done} sent")


@case("held", "10 MB of requests at a time from each of 20 clients, that read their answers slowly", memory_mb=400)
def slow_readers(arena):
    raw.make(arena, arena.port(), "/page", bytes(50_000))
    data = raw.frame(1, raw.read(GET_DATA, "/page")) * arena.pick(2_000, 20_000)
    clients = [raw.Client(arena, arena.port(), source=f"127.0.3.{n + 1}") for n in range(20)]
    for client in clients:
        client.talk(data, 0, 0.3, reads=False)
    deadline = time.monotonic() + arena.pick(2, 15)
    while time.monotonic() < deadline:
        for client in clients:
            with contextlib.suppress(OSError):
                client.link.recv(1_000)
        time.sleep(0.05)
    for client in clients:
        client.drop()
    return "served as they read"


@case(
    "held",
    "300,000 watches, and 200 connections that ask `wchp`, `wchc`, `dump` or `cons` and read nothing",
    memory_mb=400,
)
def long_words(arena):
    watcher, count = raw.Client(arena, arena.port()), arena.pick(30_000, 300_000)
    for at in range(0, count, 10_000):
        data = b"".join(raw.frame(1, raw.read(raw.EXISTS, f"/none/{at + n}", watch=True)) for n in range(10_000))
        if not watcher.talk(data, 10_000, 60):
            raise Unexpected("watches were not set")
    asking = []
    for word in (b"wchp", b"wchc", b"dump", b"cons"):
        asking += held(arena, arena.port(), 50, word, 10)
    time.sleep(arena.pick(2, 10))
    answered = sum(bool(peek(link)) for link in asking)
    let_go(asking)
    watcher.drop()
    return f"{answered} of {len(asking)} answered, nothing was read"


def peek(link):
    with contextlib.suppress(OSError):
        return link.recv(1, socket.MSG_PEEK)
    return b""


@case("held", "a four-letter word from each of 2,000 connections, `mntr` and `wchp` among them")
def words(arena):
    for word in (b"mntr", b"stat", b"cons", b"wchp", b"dump", b"srvr"):
        raw.crowd(arena, arena.port(), arena.pick(100, 350), word, 1, 10)
    return "answered"
