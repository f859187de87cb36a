"""The everyday operations of a Python client, and a server that dies under it."""

import logging
import os
import signal
import subprocess
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    InvalidACLError,
    NoAuthError,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
)
from kazoo.protocol.states import EventType, KazooState
from kazoo.security import make_acl

from ensemble import Checks, Ensemble, wait_for

logging.disable(logging.ERROR)


def connect(hosts, timeout=10.0):
    client = KazooClient(hosts=hosts, timeout=timeout)
    client.start(timeout=60)
    return client


def raises(error, call, *arguments, **named):
    try:
        value = call(*arguments, **named)
    except error:
        return
    raise AssertionError(f"{error.__name__} expected, got {value!r}")


def nodes(checks, client):
    with checks.claim("a node is created, read, set and deleted"):
        assert client.create("/tour", b"one") == "/tour"
        data, stat = client.get("/tour")
        assert (data, stat.version, stat.dataLength, stat.czxid) == (b"one", 0, 3, stat.mzxid)
        changed = client.set("/tour", b"second")
        assert (changed.version, changed.dataLength) == (1, 6) and changed.mzxid > changed.czxid
        assert client.get("/tour")[0] == b"second"
        client.create("/tour/gone")
        client.delete("/tour/gone")
        assert client.exists("/tour/gone") is None
    with checks.claim("create -s appends a growing ten-digit number"):
        client.ensure_path("/tour/s")
        made = [client.create("/tour/s/n-", sequence=True) for _ in range(3)]
        assert made == [f"/tour/s/n-{n:010}" for n in range(3)], made
        client.delete(made[2])
        assert client.create("/tour/s/n-", sequence=True) == "/tour/s/n-0000000003"
    with checks.claim("create -e belongs to the session"):
        client.create("/tour/e", b"mine", ephemeral=True)
        assert client.exists("/tour/e").ephemeralOwner == client.client_id[0]
        name = client.create("/tour/es-", ephemeral=True, sequence=True)
        assert client.exists(name).ephemeralOwner == client.client_id[0]
    with checks.claim("ls lists names, and the parent counts them"):
        children, stat = client.get_children("/tour", include_data=True)
        assert {"e", "s"} < set(children) and stat.numChildren == len(children), children
        assert client.get_children("/") and "zookeeper" in client.get_children("/")
    with checks.claim("getACL shows world:anyone with all permissions"):
        acls, _ = client.get_acls("/tour")
        assert [(a.perms, a.id.scheme, a.id.id) for a in acls] == [(31, "world", "anyone")]


def multi(client):
    good = client.transaction()
    good.create("/tour/m", b"1")
    good.set_data("/tour/m", b"2")
    good.check("/tour/m", 1)
    results = good.commit()
    assert results[0] == "/tour/m" and results[1].version == 1, results
    bad = client.transaction()
    bad.create("/tour/never")
    bad.check("/tour/m", 99)
    bad.delete("/tour/m")
    results = bad.commit()
    assert isinstance(results[0], RolledBackError), results
    assert isinstance(results[1], BadVersionError), results
    assert client.exists("/tour/never") is None and client.exists("/tour/m")


def errors(checks, client):
    with checks.claim("errors are ZooKeeper's"):
        raises(NoNodeError, client.get, "/absent")
        raises(NoNodeError, client.create, "/absent/child")
        raises(NodeExistsError, client.create, "/tour")
        raises(NotEmptyError, client.delete, "/tour")
        raises(NoChildrenForEphemeralsError, client.create, "/tour/e/child")
    with checks.claim("a wrong version changes nothing, a right one does"):
        version = client.exists("/tour").version
        raises(BadVersionError, client.set, "/tour", b"x", version=version + 1)
        raises(BadVersionError, client.delete, "/tour/s/n-0000000000", version=9)
        assert client.get("/tour")[0] == b"second"
        assert client.set("/tour", b"third", version=version).version == version + 1
        client.delete("/tour/s/n-0000000000", version=0)
    with checks.claim("a multi happens as a whole or not at all"):
        multi(client)
    with checks.claim("setACL changes the list, and counts its versions"):
        client.create("/tour/acl")
        readers = [make_acl("world", "anyone", read=True, delete=True)]
        stat = client.set_acls("/tour/acl", readers, version=0)
        assert (stat.aversion, stat.version) == (1, 0), stat
        assert client.get_acls("/tour/acl")[0] == readers
        raises(NoAuthError, client.set, "/tour/acl", b"x")
        raises(NoAuthError, client.set_acls, "/tour/acl", readers)
        raises(InvalidACLError, client.set_acls, "/tour", [])
        client.delete("/tour/acl")


class Event:
    """A watch that waits for one event."""

    def __init__(self):
        self.seen = None
        self.fired = threading.Event()

    def __call__(self, event):
        self.seen = event
        self.fired.set()

    def expect(self, kind, path):
        assert self.fired.wait(30), f"no event for {path}"
        assert (self.seen.type, self.seen.path) == (kind, path), self.seen


def watches(checks, client, other):
    with checks.claim("ls with a watch fires when another client creates a child, once"):
        watch = Event()
        client.get_children("/tour", watch=watch)
        other.create("/tour/w1")
        watch.expect(EventType.CHILD, "/tour")
        watch.fired.clear()
        other.create("/tour/w2")
        client.sync("/tour")
        assert client.exists("/tour/w2") and not watch.fired.is_set()
    with checks.claim("get and exists with a watch fire on change, deletion and creation"):
        changed, deleted, created = Event(), Event(), Event()
        client.get("/tour/w1", watch=changed)
        client.exists("/tour/w2", watch=deleted)
        assert client.exists("/tour/w3", watch=created) is None
        other.set("/tour/w1", b"new")
        other.delete("/tour/w2")
        other.create("/tour/w3")
        changed.expect(EventType.CHANGED, "/tour/w1")
        deleted.expect(EventType.DELETED, "/tour/w2")
        created.expect(EventType.CREATED, "/tour/w3")


def other_servers(checks, ensemble, client):
    with checks.claim("every server shows a write after sync"):
        for sid in ensemble.ids:
            reader = connect(ensemble.hosts([sid]))
            value = f"for {sid}".encode()
            client.set("/tour", value)
            reader.sync("/tour")
            data, stat = reader.get("/tour")
            assert data == value, (sid, data)
            assert stat == client.get("/tour")[1], sid
            reader.stop()


def connected_to(ensemble, client):
    port = client._connection._socket.getpeername()[1]
    return next(sid for sid in ensemble.ids if ensemble.client_port[sid] == port)


def reconnect(checks, ensemble, client):
    states = []
    client.add_listener(lambda state: states.append(state) and None)
    session = client.client_id[0]
    children = []
    client.ChildrenWatch("/tour/s", lambda names: children.append(set(names)) and None)
    victim = connected_to(ensemble, client)
    with checks.claim("the session moves to another server when its own is killed"):
        ensemble.kill(victim)
        wait_for("the connection to break", lambda: KazooState.SUSPENDED in states)
        wait_for("another server", lambda: client.state == KazooState.CONNECTED)
        assert client.retry(client.exists, "/tour/e").ephemeralOwner == session
        assert client.client_id[0] == session
        assert connected_to(ensemble, client) != victim
        assert KazooState.LOST not in states, states
    with checks.claim("its watch still works there"):
        client.retry(client.create, "/tour/s/after")
        wait_for("the watch", lambda: children and "after" in children[-1])
    with checks.claim("the killed server comes back with everything"):
        ensemble.start(victim)
        ensemble.wait_serving()
        reader = connect(ensemble.hosts([victim]))
        reader.sync("/")
        assert "after" in reader.get_children("/tour/s")
        assert reader.exists("/tour/e").ephemeralOwner == session
        reader.stop()


def sessions_end(checks, ensemble, client):
    with checks.claim("ephemerals go when their session is closed"):
        short = connect(ensemble.hosts())
        short.create("/tour/closing", ephemeral=True)
        gone = Event()
        assert client.exists("/tour/closing", watch=gone)
        short.stop()
        gone.expect(EventType.DELETED, "/tour/closing")
    with checks.claim("ephemerals go when their client is killed and its time is up"):
        gone = Event()
        child = subprocess.Popen(
            [sys.executable, __file__, "hold", ensemble.hosts(), "/tour/held"], stdout=subprocess.PIPE
        )
        assert child.stdout.readline() == b"held\n"
        assert client.exists("/tour/held", watch=gone)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert client.exists("/tour/held"), "gone before its time was up"
        gone.expect(EventType.DELETED, "/tour/held")


def hold(hosts, path):
    """A client that holds an ephemeral until it is killed."""
    connect(hosts, timeout=3.0).create(path, ephemeral=True)
    print("held", flush=True)
    signal.pause()


def main():
    checks = Checks("kazoo_tour")
    ensemble = Ensemble()
    ensemble.form(checks)
    client, other = connect(ensemble.hosts()), connect(ensemble.hosts())
    nodes(checks, client)
    errors(checks, client)
    watches(checks, client, other)
    other_servers(checks, ensemble, client)
    reconnect(checks, ensemble, client)
    sessions_end(checks, ensemble, client)
    client.stop()
    other.stop()
    ensemble.close()
    checks.finish()


if __name__ == "__main__":
    if sys.argv[1:2] == ["hold"]:
        hold(*sys.argv[2:])
    main()
