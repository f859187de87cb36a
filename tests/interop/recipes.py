"""kazoo's recipes, SASL and TLS; a master that dies, one that takes over, and the first back as a stand-by."""

import datetime
import logging
import os
import subprocess
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NoAuthError, RolledBackError
from kazoo.recipe.cache import TreeCache, TreeEvent
from kazoo.security import OPEN_ACL_UNSAFE, make_acl, make_digest_acl

from ensemble import Checks, wait_for

logging.disable(logging.ERROR)

HOSTS = os.environ["CONNECT"]
PEM = os.environ["PEM"]


def connect(**named):
    client = KazooClient(**{"hosts": HOSTS, "timeout": 6.0, **named})
    client.start(timeout=60)
    return client


def sasl(password):
    return {"mechanism": "DIGEST-MD5", "username": os.environ["SASL_USER"], "password": password}


def locks(checks, a, b):
    with checks.claim("Lock: one holder at a time, and the waiter is next"):
        first, second = a.Lock("/recipes/lock", "a"), b.Lock("/recipes/lock", "b")
        assert first.acquire()
        assert not second.acquire(blocking=False)
        got = []
        waiter = threading.Thread(target=lambda: got.append(second.acquire(timeout=30)))
        waiter.start()
        wait_for("two contenders", lambda: first.contenders() == ["a", "b"])
        first.release()
        waiter.join()
        assert got == [True]
        second.release()
    with checks.claim("Semaphore: as many leases as it has, and no more"):
        leases = [client.Semaphore("/recipes/semaphore", max_leases=2) for client in (a, a, b)]
        assert leases[0].acquire() and leases[1].acquire()
        assert not leases[2].acquire(blocking=False)
        leases[0].release()
        assert leases[2].acquire(timeout=30)
        for lease in leases[1:]:
            lease.release()


def queues(checks, a, b):
    with checks.claim("Queue and LockingQueue: each item once, by priority"):
        queue = a.Queue("/recipes/queue")
        for value, priority in ((b"late", 200), (b"soon", 50), (b"then", 100)):
            queue.put(value, priority)
        assert [b.Queue("/recipes/queue").get() for _ in range(4)] == [b"soon", b"then", b"late", None]
        locking = a.LockingQueue("/recipes/locking")
        locking.put_all([b"1", b"2"])
        other = b.LockingQueue("/recipes/locking")
        assert locking.get(5) == b"1" and other.get(5) == b"2"
        assert locking.consume() and other.consume() and len(other) == 0


def gates(checks, a, b):
    with checks.claim("Barrier: whoever waits passes when it is taken away"):
        barrier = a.Barrier("/recipes/barrier")
        barrier.create()
        passed = []
        waiter = threading.Thread(target=lambda: passed.append(b.Barrier("/recipes/barrier").wait(30)))
        waiter.start()
        assert not passed
        barrier.remove()
        waiter.join()
        assert passed == [True]
    with checks.claim("DoubleBarrier: both enter, both leave"):
        inside = []

        def through(client):
            barrier = client.DoubleBarrier("/recipes/double", 2)
            barrier.enter()
            inside.append(barrier.participating)
            barrier.leave()

        threads = [threading.Thread(target=through, args=(client,)) for client in (a, b)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert inside == [True, True], inside


def shared(checks, a, b):
    with checks.claim("Counter: two clients add, nothing is lost"):

        def add(client):
            counter = client.Counter("/recipes/counter")
            for _ in range(20):
                counter += 1

        threads = [threading.Thread(target=add, args=(client,)) for client in (a, b)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert a.Counter("/recipes/counter").value == 40
    with checks.claim("Party: who joined is seen, who left is not"):
        here, there = a.Party("/recipes/party", "a"), b.Party("/recipes/party", "b")
        here.join()
        there.join()
        assert sorted(here) == ["a", "b"]
        there.leave()
        wait_for("one left", lambda: sorted(here) == ["a"])
        here.leave()
    with checks.claim("Lease: held by one, free when it is released"):
        assert a.NonBlockingLease("/recipes/lease", datetime.timedelta(seconds=60), "a")
        assert not b.NonBlockingLease("/recipes/lease", datetime.timedelta(seconds=60), "b")


def caches(checks, a, b):
    with checks.claim("TreeCache: follows a tree that another client changes"):
        a.ensure_path("/recipes/cache")
        seen = []
        cache = TreeCache(b, "/recipes/cache")
        cache.listen(lambda event: seen.append(event.event_type))
        cache.start()
        wait_for("the first load", lambda: TreeEvent.INITIALIZED in seen)
        a.create("/recipes/cache/x/y", b"1", makepath=True)
        wait_for("y", lambda: cache.get_data("/recipes/cache/x/y") is not None)
        a.set("/recipes/cache/x/y", b"2")
        wait_for("its change", lambda: cache.get_data("/recipes/cache/x/y").data == b"2")
        a.delete("/recipes/cache/x", recursive=True)
        wait_for("its end", lambda: cache.get_children("/recipes/cache", set()) == set())
        cache.close()
    with checks.claim("ChildrenWatch and DataWatch: every state is seen in the end"):
        a.ensure_path("/recipes/watched")
        children, data = [], []
        b.ChildrenWatch("/recipes/watched", lambda names: children.append(sorted(names)))
        b.DataWatch("/recipes/watched", lambda value, stat: data.append(value))
        for n in range(3):
            a.create(f"/recipes/watched/{n}")
            a.set("/recipes/watched", str(n).encode())
        wait_for("three children", lambda: children[-1] == ["0", "1", "2"])
        wait_for("the last value", lambda: data[-1] == b"2")


def transactions(checks, a):
    with checks.claim("transactions: all or nothing"):
        good = a.transaction()
        good.create("/recipes/t", b"0")
        good.check("/recipes/t", 0)
        good.set_data("/recipes/t", b"1")
        good.create("/recipes/t/n-", sequence=True)
        created, checked, changed, numbered = good.commit()
        assert created == "/recipes/t" and checked is True and changed.version == 1
        assert numbered == "/recipes/t/n-0000000000", numbered
        bad = a.transaction()
        bad.set_data("/recipes/t", b"never")
        bad.check("/recipes/t", 99)
        bad.delete("/recipes/t/n-0000000000")
        results = bad.commit()
        assert isinstance(results[0], RolledBackError), results
        assert a.get("/recipes/t")[0] == b"1" and a.exists("/recipes/t/n-0000000000")


def access(checks, a):
    with checks.claim("digest: who proves a password may, others may not"):
        owner = connect(auth_data=[("digest", "ann:pw")])
        owner.create("/recipes/mine", b"x", acl=[make_digest_acl("ann", "pw", all=True)])
        assert owner.get("/recipes/mine")[0] == b"x"
        try:
            a.get("/recipes/mine")
            raise AssertionError("a stranger may read")
        except NoAuthError:
            pass
        owner.delete("/recipes/mine")
        owner.stop()
        owner.close()
    with checks.claim("SASL DIGEST-MD5: a node for one user"):
        user = os.environ["SASL_USER"]
        bob = connect(sasl_options=sasl(os.environ["SASL_PASSWORD"]))
        bob.create("/recipes/sasl", b"x", acl=[make_acl("sasl", user, all=True)])
        assert bob.get("/recipes/sasl")[0] == b"x"
        try:
            a.get("/recipes/sasl")
            raise AssertionError("a stranger may read")
        except NoAuthError:
            pass
    with checks.claim("SASL DIGEST-MD5: a wrong password opens nothing"):
        eve = KazooClient(hosts=HOSTS, sasl_options=sasl("guess"))
        try:
            eve.start(timeout=10)
            eve.get("/recipes/sasl")
            raise AssertionError("let in")
        except (KazooException, eve.handler.timeout_exception):
            pass
        finally:
            eve.stop()
            eve.close()
        bob.delete("/recipes/sasl")
        bob.stop()
        bob.close()
    with checks.claim("TLS: a session with a client certificate"):
        secure = connect(
            hosts=os.environ["CONNECT_TLS"],
            use_ssl=True,
            ca=f"{PEM}/ca.pem",
            certfile=f"{PEM}/client.crt",
            keyfile=f"{PEM}/client.key",
        )
        secure.create("/recipes/tls", b"over TLS", acl=OPEN_ACL_UNSAFE)
        a.sync("/recipes/tls")
        assert a.get("/recipes/tls")[0] == b"over TLS"
        secure.delete("/recipes/tls")
        secure.stop()
        secure.close()


def be_master(name):
    """A process of its own that runs for master until it is killed."""
    client = connect()

    def lead():
        client.ensure_path("/recipes/office")
        client.set("/recipes/office", name.encode())
        threading.Event().wait()

    client.Election("/recipes/master", name).run(lead)


def masters(checks, a):
    with checks.claim("Election: A is killed, B takes over, A stands by when it is back, and leads after B"):
        election = a.Election("/recipes/master")
        processes = []

        def start(name, contenders):
            processes.append(subprocess.Popen([sys.executable, __file__, "master", name]))
            wait_for(f"{contenders} to run", lambda: election.contenders() == contenders)

        def in_office(name):
            wait_for(f"{name} in office", lambda: a.exists("/recipes/office") and a.get("/recipes/office")[0] == name)

        try:
            start("A", ["A"])
            in_office(b"A")
            start("B", ["A", "B"])
            assert a.get("/recipes/office")[0] == b"A", "B must wait"
            processes[0].kill()
            in_office(b"B")
            start("A again", ["B", "A again"])
            assert a.get("/recipes/office")[0] == b"B", "the first master must wait now"
            processes[1].kill()
            in_office(b"A again")
        finally:
            for process in processes:
                process.kill()
                process.wait()


def main():
    checks = Checks("recipes")
    a, b = connect(), connect()
    a.ensure_path("/recipes")
    locks(checks, a, b)
    queues(checks, a, b)
    gates(checks, a, b)
    shared(checks, a, b)
    caches(checks, a, b)
    transactions(checks, a)
    access(checks, a)
    masters(checks, a)
    for client in (a, b):
        client.stop()
        client.close()
    checks.finish()


if __name__ == "__main__":
    if sys.argv[1:2] == ["master"]:
        be_master(sys.argv[2])
    main()
