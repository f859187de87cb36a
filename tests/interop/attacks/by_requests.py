"""Requests that are cheap to send and dear to answer: time, memory, and answers nobody reads."""

import struct
import time

from attacks import raw
from attacks.case import Unexpected, case
from wire import GET_CHILDREN, GET_DATA, Link, ask_many, create, delete, set_data, text


def alone(arena, request, seconds, at="leader"):
    """One request; what came of it."""
    client = raw.Client(arena, arena.port(at))
    done = client.talk(raw.frame(1, request), 1, seconds)
    client.drop()
    if not done and not client.closed:
        raise Unexpected(f"no answer within {seconds} s")
    return client.says()


def flood(arena, data, answers, seconds, at="leader", must=True):
    """Many requests of one client, which reads."""
    client = raw.Client(arena, arena.port(at))
    done = client.talk(data, answers, seconds)
    client.drop()
    if must and not done and not client.closed:
        raise Unexpected(f"{client.frames.count - 1} of {answers} answers within {seconds} s")
    return client.says()


def children(arena, path, count):
    """A node with so many children."""
    link = Link(arena.port())
    one = create(f"{path}/c", b"", raw.SEQUENTIAL)
    for reply in ask_many(link, [create(path, b"")] + [one] * count, window=1000):
        assert reply.err in (0, -110), reply
    link.close()


@case("2", "creates a node with 85,000 ACL entries with an empty scheme (1 MB)")
def acl_empty_schemes(arena):
    entries = [raw.entry("", "")] * arena.pick(13_000, 85_000)
    return alone(arena, create("/empty", b"", acl=raw.acl(entries)), arena.pick(20, 300))


@case("2", "creates a node with 38,000 different ACL entries (1 MB)")
def acl_many_entries(arena):
    entries = [raw.entry("ip", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(arena.pick(10_000, 38_000))]
    return alone(arena, create("/many", b"", acl=raw.acl(entries)), arena.pick(20, 120))


@case("2", "adds 40,000 identities to one connection")
def many_identities(arena):
    count = arena.pick(10_000, 40_000)
    data = b"".join(raw.auth("digest", b"u%d:p" % n) for n in range(count))
    return flood(arena, data, count, arena.pick(20, 120))


@case("2", "owns 40,000 ephemerals and asks for them 40,000 times, with a prefix that none has")
def ephemerals_asked(arena):
    count = arena.pick(5_000, 40_000)
    raw.make(arena, arena.port(), "/owned")
    client = raw.Client(arena, arena.port())
    one = raw.frame(1, create("/owned/e", b"", raw.EPHEMERAL | raw.SEQUENTIAL))
    if not client.talk(one * count, count, arena.pick(30, 120)):
        raise Unexpected("the ephemerals were not made")
    ask = raw.frame(1, (raw.GET_EPHEMERALS, text("/nothing")))
    done = client.talk(ask * count, count, arena.pick(20, 120))
    said = client.says()
    client.talk(raw.frame(2, (-11, b"")), 1, 30)
    client.drop()
    if not done and not client.closed:
        raise Unexpected(f"{client.frames.count} answers")
    return said


@case("2", "reads a node with 38,000 ACL entries 40,000 times in one multiRead")
def multi_read_acl(arena):
    entries = [raw.entry("ip", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(arena.pick(4_000, 38_000))]
    raw.make(arena, arena.port(), "/guarded", acl=raw.acl(entries))
    get = raw.read(GET_DATA, "/guarded")
    return alone(arena, raw.multi(raw.MULTI_READ, [get] * arena.pick(20_000, 40_000)), arena.pick(20, 120))


@case("2", "asks 30 times for paths of 500,000 parts (1 MB): reads, watches of all kinds, creates, deletes")
def deep_paths(arena):
    path = "/a" * arena.pick(100_000, 500_000)
    kinds = [raw.read(raw.EXISTS, path, watch=True), raw.read(GET_DATA, path, watch=True), create(path, b"")]
    kinds += [delete(path), set_data(path, b""), (raw.ADD_WATCH, text(path) + struct.pack(">i", 1))]
    data = b"".join(raw.frame(n, request) for n, request in enumerate(kinds * 5))
    return flood(arena, data, 30, arena.pick(20, 120))


@case("2", "one multi of 8,000 creates and as many deletes in one node (900 KB), ten times")
def big_multi(arena):
    raw.make(arena, arena.port(), "/multi")
    pairs = []
    for n in range(arena.pick(2_000, 8_000)):
        pairs += [create(f"/multi/{n}", b""), delete(f"/multi/{n}")]
    return flood(arena, raw.frame(1, raw.multi(raw.MULTI, pairs)) * 10, 10, arena.pick(20, 120))


@case("3", "16 multis of 8,000 sequential creates each, all at once on their way (4.6 MB)")
def multis_at_once(arena):
    raw.make(arena, arena.port(), "/parent")
    one = raw.frame(1, raw.multi(raw.MULTI, [create("/parent/", b"", raw.SEQUENTIAL)] * arena.pick(3_000, 8_000)))
    return flood(arena, one * 16, 16, arena.pick(20, 120))


@case("2", "sets 40,000 watches at once, ten times, half of which have an event to tell")
def set_watches(arena):
    raw.make(arena, arena.port(), "/watched")
    paths = ["/watched", *(f"/watched/{n}" for n in range(arena.pick(8_000, 40_000)))]
    half = len(paths) // 2
    lists = struct.pack(">q", 1) + raw.texts(paths[:half]) + raw.texts(paths[half:]) + raw.texts([])
    # Data watches on what is not there or has changed since zxid 1: an event each.
    return flood(arena, raw.frame(-8, (raw.SET_WATCHES, lists)) * 10, 10 * (half + 1), arena.pick(20, 120))


@case("3", "asks 480 times for the names of 200,000 children (40 KB sent), and reads them", memory_mb=400)
def big_directories(arena):
    children(arena, "/wide", arena.pick(20_000, 200_000))
    return flood(arena, raw.frame(1, raw.read(GET_CHILDREN, "/wide")) * 480, 480, arena.pick(20, 120))


@case("4", "reads a node of 1 MB 20,000 times in one multiRead", memory_mb=400)
def multi_read_bomb(arena):
    raw.make(arena, arena.port(), "/mega", bytes(1_000_000))
    get = raw.read(GET_DATA, "/mega")
    return alone(arena, raw.multi(raw.MULTI_READ, [get] * arena.pick(1_500, 20_000)), arena.pick(20, 60))


@case("4", "one write, and behind it 900 requests for the names of 200,000 children; reads nothing", memory_mb=400)
def directories_behind_a_write(arena):
    wide = arena.pick(20_000, 200_000)
    children(arena, "/behind", wide)
    write = raw.frame(1, set_data("/behind", b"x"))
    client = raw.Client(arena, arena.port())
    client.talk(write + raw.frame(2, raw.read(GET_CHILDREN, "/behind")) * 900, 901, arena.pick(1, 20), reads=False)
    # Whoever reads slowly is served: what matters is what waits for him meanwhile.
    time.sleep(arena.pick(3, 15))
    client.drop()
    return "nothing was read"


@case("4", "64 clients ask for 200 MB each and read nothing", memory_mb=400)
def answers_unread(arena):
    raw.make(arena, arena.port(), "/unread", bytes(1_000_000))
    ask = raw.frame(1, raw.read(GET_DATA, "/unread")) * 200
    clients = [raw.Client(arena, arena.port(), source=f"127.0.2.{n + 1}") for n in range(arena.pick(16, 64))]
    for client in clients:
        client.talk(ask, 0, 2, reads=False)
    time.sleep(arena.pick(1, 15))
    closed = raw.closed_within([client.link for client in clients], 0)
    for client in clients:
        client.drop()
    return f"nothing was read, {closed} closed"


@case("held", "sets a million watches from one connection", memory_mb=600)
def million_watches(arena):
    count = arena.pick(50_000, 1_000_000)
    client = raw.Client(arena, arena.port("follower"))
    for at in range(0, count, 10_000):
        data = b"".join(raw.frame(1, raw.read(raw.EXISTS, f"/none/{at + n}", watch=True)) for n in range(10_000))
        if not client.talk(data, 10_000, 60) and not client.closed:
            raise Unexpected("no answers")
        if client.closed:
            break
    client.drop()
    return client.says()


JUTE_MAX = 0xFFFFF
INT_MAX, LONG_MAX = 0x7FFFFFFF, 0x7FFFFFFFFFFFFFFF


@case(
    "held",
    "frames of jute.maxbuffer less 2 to plus 2 bytes through all servers, and numbers at their ends",
    memory_mb=300,
)
def near_every_limit(arena):
    """What fits is there on every server; what does not ends its connection. Numbers: an answer, whatever it is."""
    fitted = 0
    for sid in arena.e.ids:
        for over in (-2, -1, 0, 1, 2):
            path = f"/near{sid}{over + 2}"
            spare = len(raw.frame(1, create(path, b""))) - 4
            client = raw.Client(arena, arena.e.client_port[sid])
            client.talk(raw.frame(1, create(path, bytes(JUTE_MAX + over - spare))), 1, 10)
            if client.closed == (client.frames.errors[0] == 1):
                raise Unexpected(f"a frame of {over:+} bytes: {client.says()}")
            fitted += not client.closed
            client.drop()
    odd = [(GET_DATA, text("/") + b"\2"), (raw.GET_EPHEMERALS, struct.pack(">i", -1))]
    odd.append((raw.ADD_WATCH, text("/") + struct.pack(">i", INT_MAX)))
    for version in (INT_MAX, -INT_MAX - 1, -2):
        odd += [(2, text("/near12") + struct.pack(">i", version)), (5, text("/near12") + struct.pack(">ii", 0, version))]
    for flags in (INT_MAX, -1, 7, 63):
        odd.append(create("/flags", b"", flags))
    for ttl in (LONG_MAX, -1, 0, 1 << 40, (1 << 40) - 1):
        odd.append((21, text("/ttl") + struct.pack(">i", 0) + raw.OPEN_ACL + struct.pack(">iq", 5, ttl)))
    for zxid in (LONG_MAX, -1):
        odd.append((raw.SET_WATCHES, struct.pack(">q", zxid) + raw.texts(["/"]) * 3))
    for timeout_ms in (INT_MAX, -INT_MAX - 1, 0, -1):
        client = raw.Client(arena, arena.port(), timeout_ms=timeout_ms)
        for request in odd:
            answered = client.frames.count
            client.talk(raw.frame(INT_MAX, request), 1, 5)
            if client.closed:
                client = raw.Client(arena, arena.port(), timeout_ms=timeout_ms)
            elif client.frames.count == answered:
                raise Unexpected(f"no answer to operation {request[0]}, {request[1][:40]!r}")
        client.drop()
    return f"{fitted} of 15 frames fit, {len(odd)} odd numbers answered"


@case(
    "held", "vectors, strings and buffers that claim 2^31-1 or less than -1 elements, in every request", memory_mb=100
)
def lengths_within(arena):
    claims = [struct.pack(">i", claim) for claim in (0x7FFFFFFF, -2, -(1 << 31), 0x00FFFFFF)]
    refused = 0
    for claim in claims:
        bodies = [
            (op, claim) for op in (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 18, 19, 21, 22, 100, 101, 103, 105)
        ]
        bodies += [
            (1, text("/x") + claim),
            (1, text("/x") + text("") + claim),
            (7, text("/x") + claim),
            (101, bytes(8) + claim),
        ]
        for body in bodies:
            client = raw.Client(arena, arena.port())
            client.talk(raw.frame(1, body), 1, 5)
            refused += client.closed or bool(client.frames.errors.total() - client.frames.errors[0])
            if not client.closed and not client.frames.errors:
                raise Unexpected(f"no answer to operation {body[0]}, {body[1]!r}")
            client.drop()
    return f"{refused} refused"
