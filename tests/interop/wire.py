"""The client protocol by hand, for what kazoo is too slow for: many requests on their way at once.

Link is one connection with a session. It never waits unless it is told to: `send` puts frames into a buffer, `pump`
moves bytes both ways, and what came stands in `replies`.
"""

import collections
import selectors
import socket
import struct
import time

CREATE, DELETE, GET_DATA, SET_DATA, GET_ACL, GET_CHILDREN, SYNC, PING, AUTH, CLOSE = 1, 2, 4, 5, 6, 8, 9, 11, 100, -11
NOTIFICATION_XID, PING_XID, AUTH_XID = -1, -2, -4
NODE_EXISTS, NO_NODE = -110, -101
EPHEMERAL = 1
OPEN_ACL = struct.pack(">ii", 1, 31) + struct.pack(">i5si6s", 5, b"world", 6, b"anyone")

Reply = collections.namedtuple("Reply", "xid zxid err body")
Stat = collections.namedtuple(
    "Stat", "czxid mzxid ctime mtime version cversion aversion ephemeralOwner dataLength numChildren pzxid"
)
STAT = struct.Struct(">qqqqiiiqiiq")


def text(value):
    raw = value.encode()
    return struct.pack(">i", len(raw)) + raw


def buffer(value):
    return struct.pack(">i", len(value)) + value


def create(path, data, flags=0, acl=OPEN_ACL):
    return CREATE, text(path) + buffer(data) + acl + struct.pack(">i", flags)


def set_data(path, data):
    return SET_DATA, text(path) + buffer(data) + struct.pack(">i", -1)


def delete(path):
    return DELETE, text(path) + struct.pack(">i", -1)


def read_data(body):
    """Data and stat of an answer to GET_DATA."""
    length = struct.unpack_from(">i", body)[0]
    end = 4 + max(length, 0)
    return (None if length < 0 else body[4:end]), Stat(*STAT.unpack_from(body, end))


class Reader:
    def __init__(self, body):
        self.body, self.at = body, 0

    def number(self):
        self.at += 4
        return struct.unpack_from(">i", self.body, self.at - 4)[0]

    def text(self):
        length = self.number()
        if length < 0:
            return None
        self.at += length
        return self.body[self.at - length : self.at].decode()

    def texts(self):
        return [self.text() for _ in range(max(self.number(), 0))]

    def acl(self):
        return [(self.number(), self.text(), self.text()) for _ in range(max(self.number(), 0))]


class Link:
    """Raises OSError when the connection cannot be made, is refused, or ends."""

    def __init__(self, port, session=0, password=bytes(16), seen=0, timeout_ms=30000, patience=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = struct.pack(">iqiq", 0, seen, timeout_ms, session) + buffer(password) + b"\0"
        self.out, self.inbox = bytearray(), bytearray()
        self.replies = collections.deque()
        try:
            self.socket.sendall(buffer(hello))
            while len(self.inbox) < 4 or len(self.inbox) < 4 + struct.unpack_from(">i", self.inbox)[0]:
                self._receive()
        except OSError:
            self.socket.close()
            raise
        length = struct.unpack_from(">i", self.inbox)[0]
        answer = bytes(self.inbox[4 : 4 + length])
        del self.inbox[: 4 + length]
        _, self.timeout_ms, self.session, size = struct.unpack_from(">iiqi", answer)
        self.password = answer[20 : 20 + size]
        # The session is gone: the server says so with zeros.
        self.expired = self.timeout_ms <= 0
        self.socket.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.socket, selectors.EVENT_READ)
        self.reads_only = True
        self.heard = time.monotonic()

    def fileno(self):
        return self.socket.fileno()

    def send(self, xid, request):
        op, body = request
        self.out += struct.pack(">iii", len(body) + 8, xid, op) + body

    def pump(self, seconds):
        """Moves what can be moved, and waits at most this long for anything."""
        self._transmit()
        if self.reads_only != (not self.out):
            self.reads_only = not self.out
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.out else 0)
            self.selector.modify(self.socket, events)
        for _, events in self.selector.select(seconds):
            if events & selectors.EVENT_WRITE:
                self._transmit()
            if events & selectors.EVENT_READ:
                self._receive()
        self._take_replies()

    def ask(self, xid, request, seconds=60):
        """One request and its reply, nothing else being on its way."""
        self.send(xid, request)
        deadline = time.monotonic() + seconds
        while not self.replies:
            if time.monotonic() > deadline:
                raise TimeoutError("no reply")
            self.pump(0.1)
        return self.replies.popleft()

    def close(self, end_session=True):
        try:
            if end_session:
                self.ask(0x7FFFFFFF, (CLOSE, b""), 10)
        except OSError:
            pass
        self.selector.close()
        self.socket.close()

    def _transmit(self):
        while self.out:
            try:
                sent = self.socket.send(memoryview(self.out)[: 1 << 20].tobytes())
            except BlockingIOError:
                return
            del self.out[:sent]

    def _receive(self):
        try:
            got = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        if not got:
            raise ConnectionResetError("closed by the server")
        self.inbox += got
        self.heard = time.monotonic()

    def _take_replies(self):
        at, inbox = 0, self.inbox
        while len(inbox) - at >= 4:
            length = struct.unpack_from(">i", inbox, at)[0]
            if len(inbox) - at - 4 < length:
                break
            xid, zxid, err = struct.unpack_from(">iqi", inbox, at + 4)
            if xid not in (NOTIFICATION_XID, PING_XID):
                self.replies.append(Reply(xid, zxid, err, bytes(inbox[at + 20 : at + 4 + length])))
            at += 4 + length
        if at:
            del inbox[:at]


def ask_many(link, requests, window=256, seconds=300):
    """The replies, in order, to requests that are many at once on their way."""
    waiting, xid = 0, 0
    deadline = time.monotonic() + seconds
    requests = iter(requests)
    ended = False
    while True:
        while not ended and waiting < window and len(link.out) < 1 << 22:
            request = next(requests, None)
            if request is None:
                ended = True
                break
            xid += 1
            waiting += 1
            link.send(xid, request)
        if ended and not waiting:
            return
        if time.monotonic() > deadline:
            raise TimeoutError("no reply")
        link.pump(0.1)
        while link.replies:
            waiting -= 1
            yield link.replies.popleft()
