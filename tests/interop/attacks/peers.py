"""The bytes of the election port and of the quorum port, said by someone who is no server."""

import contextlib
import struct
import threading
import time

from attacks import raw
from wire import buffer

V1 = -65536
LOOKING, FOLLOWING, LEADING, OBSERVING = range(4)
REQUEST, PROPOSAL, ACK, PING, NEWLEADER, FOLLOWERINFO, UPTODATE, OBSERVERINFO, LEADERINFO, ACKEPOCH = (
    1, 2, 3, 5, 10, 11, 12, 16, 17, 18,
)  # fmt: skip
SNAP, DIFF, TRUNC = 15, 13, 14
EPOCH_LAST = (1 << 31) - 2


def handshake(sid, address, version=V1):
    raw_address = address.encode() if isinstance(address, str) else address
    return struct.pack(">qq", version, sid) + buffer(raw_address)


def notification(state, leader, zxid, round_, epoch):
    return buffer(struct.pack(">iqqqqi", state, leader, zxid, round_, epoch, 1))


def packet(kind, zxid, data=None):
    return (
        struct.pack(">iq", kind, zxid)
        + (struct.pack(">i", -1) if data is None else buffer(data))
        + struct.pack(">i", -1)
    )


def learner_info(sid, accepted_epoch, kind=FOLLOWERINFO):
    return packet(kind, accepted_epoch << 32, struct.pack(">qiq", sid, 0x10000, 0))


def request(session, op, body, cxid=1):
    return packet(REQUEST, -1, struct.pack(">qii", session, cxid, op) + body)


class FakeLearner(threading.Thread):
    """Joins a leader under a real server's id and acks all that it is sent, having kept nothing. Joins again when its
    link ends. `then` is said at each time that it has joined."""

    def __init__(self, arena, sid, kind=FOLLOWERINFO, then=()):
        super().__init__(daemon=True)
        self.arena, self.sid, self.kind, self.then = arena, sid, kind, then
        self.port = arena.e.quorum_port[arena.leader]
        self.acked, self.joined, self.over = 0, 0, False
        self.link = None

    def run(self):
        while not self.over:
            with contextlib.suppress(OSError, ValueError, struct.error):
                self.follow()
            time.sleep(0.05)

    def follow(self):
        zxid = int(self.arena.e.field(self.arena.leader, "Zxid") or "0", 16)
        self.link = raw.dial(self.port)
        self.arena.spent(links=1)
        stream = self.link.makefile("rb")
        self.say(learner_info(self.sid, zxid >> 32, self.kind))
        while not self.over:
            kind, at, _ = self.hear(stream)
            if kind == LEADERINFO:
                self.say(packet(ACKEPOCH, zxid, struct.pack(">i", zxid >> 32)))
            elif kind == SNAP:
                # Its stream is none of packets.
                return self.link.close()
            elif kind in (NEWLEADER, UPTODATE):
                self.say(packet(ACK, at >> 32 << 32))
                if kind == UPTODATE:
                    self.joined += 1
                    for data in self.then:
                        self.say(data)
            elif kind == PROPOSAL:
                self.say(packet(ACK, at))
                self.acked += 1
            elif kind == PING:
                self.say(packet(PING, at, b""))

    def say(self, data):
        self.link.sendall(data)
        self.arena.spent(packets=1, bytes=len(data))

    def hear(self, stream):
        def exactly(count):
            data = stream.read(count)
            if len(data) < count:
                raise ConnectionResetError("closed")
            return data

        kind, zxid, length = struct.unpack(">iqi", exactly(16))
        data = exactly(length) if length > 0 else b""
        (ids,) = struct.unpack(">i", exactly(4))
        for _ in range(2 * max(ids, 0)):
            (length,) = struct.unpack(">i", exactly(4))
            exactly(max(length, 0))
        return kind, zxid, data

    def stop(self):
        self.over = True
        if self.link:
            self.link.close()
        self.join(10)


def hammer(arena, ports, make, seconds, pause=0.0, keep=0):
    """Dials one port after another and says `make(n)`, for so long. Keeps the newest `keep` links open."""
    kept, n, deadline = [], 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        data = make(n)
        try:
            link = raw.dial(ports[n % len(ports)], seconds=1)
            link.sendall(data)
            arena.spent(links=1, packets=1, bytes=len(data))
            kept.append(link)
        except OSError:
            time.sleep(0.002)
        n += 1
        while len(kept) > keep:
            raw.drop(kept.pop(0)) if keep else kept.pop(0).close()
        if pause:
            time.sleep(pause)
    for link in kept:
        link.close()
    return n
