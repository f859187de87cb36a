"""What clients make through one server, seen through the others, in an ensemble of both kinds."""

import itertools
import struct

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError, QuotaExceededError, RolledBackError
from kazoo.security import make_digest_acl

from ensemble import wait_for
from wire import EPHEMERAL, OPEN_ACL, Link, ask_many, buffer, create, delete, text

CREATE_CONTAINER, CREATE_TTL = 19, 21
CONTAINER, TTL = 4, 5
CONTAINER_OWNER = 0x8000000000000000
TTL_OWNER = 0xFF00000000000000
LONG_TTL_MS = 3_600_000


def container(path):
    return CREATE_CONTAINER, text(path) + buffer(b"") + OPEN_ACL + struct.pack(">i", CONTAINER)


def with_ttl(path, ttl_ms):
    return CREATE_TTL, text(path) + buffer(b"") + OPEN_ACL + struct.pack(">iq", TTL, ttl_ms)


class Crossing:
    def __init__(self, checks, title, ensemble, owners):
        self.checks, self.title, self.ensemble, self.owners = checks, title, ensemble, owners
        self.clients, self.abandoned = {}, []

    def claim(self, text):
        return self.checks.claim(f"{self.title}: {text}")

    def connect(self):
        for sid in self.ensemble.ids:
            client = KazooClient(hosts=self.ensemble.hosts([sid]), timeout=30.0)
            client.start(timeout=60)
            self.clients[sid] = client

    def everywhere(self, path):
        """Whether each server has the node, after sync."""
        found = {}
        for sid, client in self.clients.items():
            client.sync("/")
            found[sid] = client.exists(path) is not None
        return found

    def gone(self, path):
        return not any(self.everywhere(path).values())

    def there(self, path):
        return all(self.everywhere(path).values())

    def tell(self):
        self.connect()
        self.clients[1].create("/crossing")
        self.abandon()
        self.sessions()
        self.kinds_of_nodes()
        self.multis()
        self.access()
        self.quotas()
        self.expiries()
        for client in self.clients.values():
            client.stop()
            client.close()

    def sessions(self):
        e = self.ensemble
        with self.claim("a session moves from each server to each other, with its ephemeral, and ends there"):
            for one, other in itertools.permutations(e.ids, 2):
                path = f"/crossing/of-{one}-{other}"
                link = Link(e.client_port[one])
                assert link.ask(1, create(path, b"", EPHEMERAL)).err == 0
                link.close(end_session=False)
                moved = Link(e.client_port[other], link.session, link.password)
                assert not moved.expired and moved.session == link.session, (one, other)
                assert self.there(path), (one, other)
                moved.close()
                assert self.gone(path), (one, other)
        with self.claim("a session with another password is refused by each server"):
            link = Link(e.client_port[1])
            assert not link.expired
            for sid in e.ids:
                stranger = Link(e.client_port[sid], link.session, bytes(16))
                assert stranger.expired, sid
                stranger.close(end_session=False)
            link.close(end_session=False)

    def abandon(self):
        """Sessions whose ends are seen later."""
        for sid in self.ensemble.ids:
            link = Link(self.ensemble.client_port[sid], timeout_ms=2000)
            self.abandoned.append(f"/crossing/abandoned-{sid}")
            assert link.ask(1, create(self.abandoned[-1], b"", EPHEMERAL)).err == 0
            link.close(end_session=False)

    def expiries(self):
        with self.claim("a session that nobody hears of any more expires, with its ephemeral, on every server"):
            for path in self.abandoned:
                wait_for(f"the end of {path}", lambda path=path: self.gone(path))

    def kinds_of_nodes(self):
        e = self.ensemble
        kept, brief = [], []
        with self.claim("containers made through each server go when they were used and are empty, TTL nodes in time"):
            for sid in e.ids:
                link = Link(e.client_port[sid])
                full, used = f"/crossing/full-{sid}", f"/crossing/used-{sid}"
                long, short = f"/crossing/long-{sid}", f"/crossing/short-{sid}"
                requests = [container(full), create(f"{full}/child", b""), container(used), create(f"{used}/child", b"")]
                requests += [with_ttl(long, LONG_TTL_MS), with_ttl(short, 500)]
                for reply in ask_many(link, [*requests, delete(f"{used}/child")]):
                    assert reply.err == 0, reply
                link.close()
                self.owners[full], self.owners[long] = CONTAINER_OWNER, TTL_OWNER | LONG_TTL_MS
                kept += [full, long]
                brief += [used, short]
            for path in brief:
                wait_for(f"the end of {path}", lambda path=path: self.gone(path))
            for path in kept:
                assert self.there(path), path

    def multis(self):
        with self.claim("a multi through each server: all of it or nothing, everywhere"):
            for sid, client in self.clients.items():
                home = f"/crossing/multi-{sid}"
                good = client.transaction()
                good.create(home, b"0")
                good.create(f"{home}/n-", b"", sequence=True)
                good.check(home, 0)
                good.set_data(home, b"1")
                good.create(f"{home}/gone", b"")
                good.delete(f"{home}/gone")
                results = good.commit()
                assert not any(isinstance(result, Exception) for result in results), results
                bad = client.transaction()
                bad.set_data(home, b"never")
                bad.create(f"{home}/never", b"")
                bad.check(home, 99)
                results = bad.commit()
                assert isinstance(results[0], RolledBackError), results
            for sid, client in self.clients.items():
                client.sync("/")
                for made_by in self.clients:
                    home = f"/crossing/multi-{made_by}"
                    assert client.get(home)[0] == b"1", (sid, made_by)
                    assert client.get_children(home) == ["n-0000000000"], (sid, made_by)

    def access(self):
        with self.claim("an ACL set through each server shuts and opens on every other"):
            for sid, client in self.clients.items():
                path = f"/crossing/acl-{sid}"
                client.create(path, b"secret")
                client.set_acls(path, [make_digest_acl("ann", "pw", all=True)])
                for at, stranger in self.clients.items():
                    stranger.sync("/")
                    try:
                        stranger.get(path)
                        raise AssertionError(f"a stranger may read on {at} what was shut on {sid}")
                    except NoAuthError:
                        pass
            for at in self.clients:
                ann = KazooClient(hosts=self.ensemble.hosts([at]), auth_data=[("digest", "ann:pw")])
                ann.start(timeout=60)
                ann.sync("/")
                for sid in self.clients:
                    path = f"/crossing/acl-{sid}"
                    assert ann.get(path)[0] == b"secret"
                    ann.set(path, b"secret")
                ann.stop()
                ann.close()

    def quotas(self):
        with self.claim("a quota set through each server counts what is written through all, and refuses what is more"):
            for sid, client in self.clients.items():
                path = f"/crossing/quota-{sid}"
                client.create(path)
                limits = b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=%d" % (1 + len(self.clients))
                client.create(f"/zookeeper/quota{path}/zookeeper_limits", limits, makepath=True)
                client.create(f"/zookeeper/quota{path}/zookeeper_stats", b"count=1,bytes=0")
                for at, writer in self.clients.items():
                    writer.sync("/")
                    writer.create(f"{path}/{at}", b"12345")
                for at, writer in self.clients.items():
                    writer.sync("/")
                    try:
                        writer.create(f"{path}/more-{at}", b"")
                        raise AssertionError(f"a node too many, made through {at}")
                    except QuotaExceededError:
                        pass
                    stats = writer.get(f"/zookeeper/quota{path}/zookeeper_stats")[0]
                    count, size = 1 + len(self.clients), 5 * len(self.clients)
                    assert stats.startswith(b"count=%d,bytes=%d" % (count, size)), stats


def tell(checks, title, ensemble, owners):
    """`owners`: what stands in place of an owner in the containers and TTL nodes that are left."""
    Crossing(checks, title, ensemble, owners).tell()
