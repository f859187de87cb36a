"""Whole trees as servers show them, and transactions as their logs have them: read, compared, and summed up in the
digest that a leader writes into each transaction.
"""

import collections
import itertools
import pathlib
import struct
import zlib

from ensemble import wait_for
from wire import AUTH, GET_ACL, GET_CHILDREN, GET_DATA, NO_NODE, SYNC, Link, Reader, ask_many, buffer, read_data, text

# super:test. Who is super sees the digests of an ACL.
SUPER = "DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU="
CONFIG = "/zookeeper/config"
LOG_MAGIC = 0x5A4B4C47
DIGEST_VERSION = 2
TXN_HEADER, MULTI = 32, 14
# A link waits for its turn to read; an ensemble that is compared allows as much by maxSessionTimeout.
READER_TIMEOUT_MS = 180000

# `data` of long values is their length and sum; `count` is the number that a value begins with.
Node = collections.namedtuple("Node", "data stat acl crc count")
# `payload` is shortened as data is.
Txn = collections.namedtuple("Txn", "payload kind digest")


def super_link(port):
    link = Link(port, timeout_ms=READER_TIMEOUT_MS)
    assert link.ask(-4, (AUTH, struct.pack(">i", 0) + text("digest") + buffer(b"super:test"))).err == 0
    return link


def read_tree(link):
    """Every node by its path, after sync."""
    assert link.ask(1, (SYNC, text("/"))).err == 0
    tree, level = {}, ["/"]
    while level:
        data = ask_many(link, ((GET_DATA, text(path) + b"\0") for path in level), window=64)
        found = {path: read_data(reply.body) for path, reply in zip(level, data) if not _gone(path, reply)}
        acls = ask_many(link, ((GET_ACL, text(path)) for path in found))
        for (path, (value, stat)), reply in zip(found.items(), acls):
            tree[path] = Node(
                data=value if path == CONFIG else shortened(value),
                stat=stat,
                acl=Reader(reply.body).acl(),
                crc=zlib.crc32(value or b"", zlib.crc32(path_in_digest(path))),
                count=leading_number(value),
            )
        parents = [path for path, (_, stat) in found.items() if stat.numChildren]
        children = ask_many(link, ((GET_CHILDREN, text(path) + b"\0") for path in parents))
        level = [
            f"{path.rstrip('/')}/{name}"
            for path, reply in zip(parents, children)
            for name in sorted(Reader(reply.body).texts())
        ]
    return tree


def _gone(path, reply):
    assert reply.err in (0, NO_NODE), f"{path}: error {reply.err}"
    return reply.err == NO_NODE


def shortened(value):
    if value is None or len(value) <= 200:
        return value
    return f"{len(value)} bytes, {zlib.crc32(value):08x}"


def leading_number(value):
    digits = (value or b"")[:20].split(b" ")[0]
    return int(digits) if digits.isdigit() else None


def path_in_digest(path):
    return b"" if path == "/" else path.encode()


def digest(tree, owners):
    """The tree's digest as Apache's DigestCalculator sums it up. `owners`: what a container or a TTL node has in place
    of an owner, by path, since clients are not shown it."""
    total = 0
    for path, node in tree.items():
        if path.startswith("/zookeeper/"):
            continue
        stat = node.stat
        # The root has one child more than it was ever given.
        children = (stat.cversion + stat.numChildren) // 2
        owner = owners.get(path, stat.ephemeralOwner) & 0xFFFFFFFFFFFFFFFF
        numbers = struct.pack(
            ">qqqqqiiiQ", stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime,
            stat.version, children, stat.aversion, owner,
        )
        total += zlib.crc32(numbers, node.crc)
    return total & 0xFFFFFFFFFFFFFFFF


def differences(one, other):
    """The paths at which two trees differ, with what each has."""

    def seen(path, tree):
        node = tree.get(path)
        if node is None:
            return None
        if path == CONFIG:
            # The order of its lines is nobody's promise, its mtime is a server's own clock at Apache's.
            lines = sorted((node.data or b"").split(b"\n"))
            return lines, node.stat._replace(mtime=0), node.acl
        return node.data, node.stat, node.acl

    paths = sorted(path for path in one.keys() | other.keys() if seen(path, one) != seen(path, other))
    return [(path, one.get(path), other.get(path)) for path in paths]


def settled_trees(ensemble, ids):
    """The trees of these servers, all read at one zxid, and that zxid. Nobody writes meanwhile, but a session may end."""

    def same_zxid():
        zxids = {ensemble.field(sid, "Zxid") for sid in ids}
        return zxids.pop() if len(zxids) == 1 and None not in zxids else None

    links = {sid: super_link(ensemble.client_port[sid]) for sid in ids}
    try:
        for _ in range(20):
            zxid = wait_for("one zxid on every server", same_zxid)
            trees = {sid: read_tree(link) for sid, link in links.items()}
            if same_zxid() == zxid:
                return trees, int(zxid, 16)
        raise AssertionError("the zxid never stands still")
    finally:
        for link in links.values():
            link.close()


def logged(ensemble, sid):
    """Each transaction in a server's logs, by its zxid."""
    txns = {}
    logs = pathlib.Path(ensemble.home(sid)).glob("data/version-2/log.*")
    for log in sorted(logs, key=lambda log: int(log.name.split(".")[1], 16)):
        for payload in records(log.read_bytes()):
            _, _, zxid, _, kind = struct.unpack_from(">qiqqi", payload)
            tail = payload[-12:]
            carries = kind != -1 and struct.unpack_from(">i", tail)[0] == DIGEST_VERSION
            tree_digest = struct.unpack_from(">Q", tail, 4)[0] if carries else None
            txns[zxid] = Txn(shortened(comparable(payload, kind)), kind, tree_digest)
    return txns


def comparable(payload, kind):
    """A multi that failed: Apache marks its operations as failed while it applies them, be it before they are logged."""
    if kind != MULTI:
        return payload
    reader = Reader(payload)
    reader.at = TXN_HEADER
    kinds = []
    for _ in range(reader.number()):
        kinds.append(reader.number())
        length = reader.number()
        reader.at += max(length, 0)
    return payload[:TXN_HEADER] + b"failed" if -1 in kinds else payload


def records(raw):
    assert len(raw) < 16 or struct.unpack_from(">i", raw)[0] == LOG_MAGIC
    at = 16
    while at + 12 <= len(raw):
        checksum, length = struct.unpack_from(">qi", raw, at)
        payload = raw[at + 12 : at + 12 + length]
        if length <= 0 or len(payload) < length or zlib.adler32(payload) != checksum:
            return
        yield payload
        at += 12 + length + 1


def first_difference(logs):
    """The lowest zxid at which two of these logs, by server, hold another transaction."""
    for (one, txns), (other, others) in itertools.combinations(logs.items(), 2):
        for zxid in sorted(txns.keys() & others.keys()):
            if txns[zxid].payload != others[zxid].payload:
                return one, other, hex(zxid), txns[zxid].payload, others[zxid].payload
    return None
