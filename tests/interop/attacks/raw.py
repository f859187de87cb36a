"""Attackers' connections: prebuilt bytes go out, answers are counted and thrown away. No more is kept of an answer than
its length and its error, so that one process of Python is faster than the server it asks."""

import collections
import contextlib
import selectors
import socket
import struct
import time

from wire import AUTH_XID, CLOSE, OPEN_ACL, buffer, create, text

EXISTS, SET_ACL, MULTI, MULTI_READ, SET_WATCHES, GET_EPHEMERALS, ADD_WATCH = 3, 7, 14, 22, 101, 103, 106
EPHEMERAL, SEQUENTIAL = 1, 2
# Not the servers' own address: what counts per address is to meet the attacker alone.
ATTACKER = "127.0.5.1"
LINGER_NOT = struct.pack("ii", 1, 0)


def hello(timeout_ms=30000, session=0, password=bytes(16)):
    return buffer(struct.pack(">iqiq", 0, 0, timeout_ms, session) + buffer(password) + b"\0")


def frame(xid, request):
    op, body = request
    return struct.pack(">iii", len(body) + 8, xid, op) + body


def auth(scheme, credentials):
    return frame(AUTH_XID, (100, struct.pack(">i", 0) + text(scheme) + buffer(credentials)))


def read(op, path, watch=False):
    return op, text(path) + (b"\1" if watch else b"\0")


def entry(scheme, name, perms=31):
    return struct.pack(">i", perms) + text(scheme) + text(name)


def acl(entries):
    return struct.pack(">i", len(entries)) + b"".join(entries)


def texts(values):
    return struct.pack(">i", len(values)) + b"".join(map(text, values))


def multi(op, requests):
    """MULTI or MULTI_READ: (operation, body) each behind a header, and the header that says that it ends."""
    head = struct.Struct(">ibi")
    return op, b"".join(head.pack(kind, 0, -1) + body for kind, body in requests) + head.pack(-1, 1, -1)


def dial(port, source=ATTACKER, seconds=10):
    link = socket.create_connection(("127.0.0.1", port), seconds, (source, 0))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def drop(link):
    """Without a word and without TIME_WAIT, so that 50,000 of them fit into the ports of one machine."""
    with contextlib.suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    link.close()


class Frames:
    """Counts frames in what comes, and their errors. The first is the answer to the hello."""

    def __init__(self):
        self.count, self.bytes, self.errors = 0, 0, collections.Counter()
        self.head, self.skip = bytearray(), 0
        self.session = 0

    def feed(self, chunk):
        self.bytes += len(chunk)
        at, end = 0, len(chunk)
        while at < end:
            if self.skip:
                step = min(self.skip, end - at)
                self.skip -= step
                at += step
                if not self.skip:
                    self.count += 1
                continue
            take = min(20 - len(self.head), end - at)
            self.head += chunk[at : at + take]
            at += take
            if len(self.head) == 20:
                length = struct.unpack_from(">i", self.head)[0]
                if self.count == 0:
                    self.session = struct.unpack_from(">q", self.head, 12)[0]
                else:
                    self.errors[struct.unpack_from(">i", self.head, 16)[0]] += 1
                self.head.clear()
                self.skip = length - 16
                if not self.skip:
                    self.count += 1


class Client:
    """One hostile client in a session."""

    def __init__(self, arena, port, source=ATTACKER, timeout_ms=30000):
        self.arena = arena
        self.link = dial(port, source)
        self.frames = Frames()
        self.closed = False
        arena.spent(links=1)
        self.talk(hello(timeout_ms), 1, 10)

    def talk(self, data, answers, seconds, reads=True):
        """Sends all and waits for so many answers more. Ends early when the server closes. True when all came."""
        left, wanted = memoryview(data), self.frames.count + answers
        deadline = time.monotonic() + seconds
        self.link.setblocking(False)
        with selectors.DefaultSelector() as selector:
            key = selectors.EVENT_READ * reads
            selector.register(self.link, key | selectors.EVENT_WRITE)
            while left or (reads and self.frames.count < wanted):
                if time.monotonic() > deadline or self.closed:
                    break
                if not left:
                    selector.modify(self.link, key)
                try:
                    for _, events in selector.select(0.2):
                        if events & selectors.EVENT_WRITE and left:
                            sent = self.link.send(left[: 1 << 18])
                            left = left[sent:]
                            self.arena.spent(bytes=sent)
                        if events & selectors.EVENT_READ:
                            chunk = self.link.recv(1 << 20)
                            self.closed = not chunk
                            self.frames.feed(chunk)
                except BlockingIOError:
                    pass
                except OSError:
                    self.closed = True
        return not left and (not reads or self.frames.count >= wanted)

    def says(self):
        errors = ", ".join(f"{count} x {error}" for error, count in sorted(self.frames.errors.items()))
        return f"{errors or 'no answer'}{', then closed' if self.closed else ''}"

    def drop(self):
        drop(self.link)


def make(arena, port, path, data=b"", flags=0, acl=OPEN_ACL):
    client = Client(arena, port)
    client.talk(frame(1, create(path, data, flags, acl)) + frame(2, (CLOSE, b"")), 2, 30)
    client.drop()


def crowd(arena, port, count, data, answers, seconds, at_once=256, keep=False, sources=64):
    """`count` connections, `at_once` at a time: each sends `data`, waits for so many frames, and goes without a word.
    With `keep` they stay. Returns how many got all their answers, and those that are kept."""
    selector = selectors.DefaultSelector()
    begun = done = 0
    waiting, kept = 0, []
    deadline = time.monotonic() + seconds
    while (begun < count or waiting) and time.monotonic() < deadline:
        while begun < count and waiting < at_once:
            link = socket.socket()
            link.setblocking(False)
            try:
                link.bind((f"127.0.1.{begun % sources + 1}", 0))
                link.connect_ex(("127.0.0.1", port))
            except OSError:
                link.close()
                break
            begun += 1
            waiting += 1
            selector.register(link, selectors.EVENT_WRITE, [memoryview(data), Frames()])
        for key, events in selector.select(0.2):
            link, state = key.fileobj, key.data
            over = False
            try:
                if events & selectors.EVENT_WRITE:
                    state[0] = state[0][link.send(state[0]) :]
                    if not state[0]:
                        over = not answers
                        selector.modify(link, selectors.EVENT_READ, state)
                if events & selectors.EVENT_READ:
                    chunk = link.recv(1 << 16)
                    state[1].feed(chunk)
                    over = not chunk or state[1].count >= answers
            except BlockingIOError:
                continue
            except OSError:
                over = True
            if over:
                good = not state[0] and state[1].count >= answers
                done += good
                waiting -= 1
                selector.unregister(link)
                kept.append(link) if keep and good else drop(link)
    for key in list(selector.get_map().values()):
        drop(key.fileobj)
    selector.close()
    arena.spent(links=begun, bytes=begun * len(data))
    return done, kept


def closed_within(links, seconds):
    """How many of these the server closes in this time."""
    selector = selectors.DefaultSelector()
    for link in links:
        link.setblocking(False)
        selector.register(link, selectors.EVENT_READ)
    closed, deadline = 0, time.monotonic() + seconds
    while selector.get_map() and (left := deadline - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            try:
                gone = not key.fileobj.recv(1 << 16)
            except BlockingIOError:
                continue
            except OSError:
                gone = True
            if gone:
                closed += 1
                selector.unregister(key.fileobj)
    selector.close()
    return closed
