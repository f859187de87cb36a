"""The leader dies with SIGKILL, ten times, under a client that never retries.

What was acknowledged is there exactly once, whatever else was sent is there at most once, and the session lives on.
"""

import collections
import logging
import threading
import time
import uuid

from kazoo.client import KazooClient
from kazoo.protocol.states import KazooState

from ensemble import SHORT, Checks, Ensemble, wait_for

logging.disable(logging.CRITICAL)

ROUNDS = 3 if SHORT else 10
OUTSTANDING_MAX = 16


class Writer(threading.Thread):
    """Creates sequential nodes, each with an id of its own in its data, and notes what became of each."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client = client
        self.running = True
        self.slots = threading.Semaphore(OUTSTANDING_MAX)
        self.lock = threading.Lock()
        self.issued = set()
        self.acked = {}
        self.failed = collections.Counter()

    def run(self):
        while self.running:
            self.slots.acquire()
            name = uuid.uuid4().hex
            with self.lock:
                self.issued.add(name)
            # create_async sends once; only client.retry() would send again.
            answer = self.client.create_async("/kills/n-", name.encode(), sequence=True)
            answer.rawlink(lambda answer, name=name: self.on_answer(name, answer))
            time.sleep(0.001)

    def on_answer(self, name, answer):
        with self.lock:
            if answer.successful():
                self.acked[name] = answer.get_nowait()
            else:
                self.failed[type(answer.exception).__name__] += 1
        self.slots.release()

    def finish(self):
        """Every request has its answer afterwards."""
        self.running = False
        self.join()
        for _ in range(OUTSTANDING_MAX):
            if not self.slots.acquire(timeout=60):
                raise TimeoutError("a request without an answer")

    def acks(self):
        with self.lock:
            return len(self.acked)


def kill_the_leader(ensemble, writer):
    leader = ensemble.wait_serving()
    acks = writer.acks()
    wait_for("writes before the kill", lambda: writer.acks() > acks + 20)
    ensemble.kill(leader)
    ensemble.wait_serving([sid for sid in ensemble.ids if sid != leader])
    acks = writer.acks()
    wait_for("writes under the new leader", lambda: writer.acks() > acks + 20)
    ensemble.start(leader)
    ensemble.wait_serving()


def read_back(hosts):
    """Path of each node by the id in its data, as this server shows it."""
    client = KazooClient(hosts=hosts, timeout=10.0)
    client.start(timeout=60)
    client.sync("/kills")
    found = collections.defaultdict(list)
    answers = [(f"/kills/{name}", client.get_async(f"/kills/{name}")) for name in client.get_children("/kills")]
    for path, answer in answers:
        found[answer.get(timeout=60)[0].decode()].append(path)
    client.stop()
    return found


def verify(checks, ensemble, writer):
    for sid in ensemble.ids:
        found = read_back(ensemble.hosts([sid]))
        with checks.claim(f"every acknowledged create is on server {sid} exactly once, under its name"):
            wrong = {n: (p, found.get(n)) for n, p in writer.acked.items() if found.get(n) != [p]}
            assert not wrong, f"{len(wrong)} of {len(writer.acked)}: {dict(list(wrong.items())[:5])}"
        with checks.claim(f"everything else is on server {sid} at most once"):
            twice = {name: paths for name, paths in found.items() if len(paths) > 1}
            assert not twice, twice
            assert set(found) <= writer.issued


def main():
    checks = Checks("kill_leader")
    ensemble = Ensemble()
    ensemble.form(checks)
    states = []
    client = KazooClient(hosts=ensemble.hosts(), timeout=10.0, connection_retry={"max_tries": -1, "max_delay": 1})
    client.add_listener(lambda state: states.append(state) and None)
    client.start(timeout=60)
    session = client.client_id
    client.create("/kills")
    client.create("/mine", ephemeral=True)
    writer = Writer(client)
    writer.start()
    for number in range(1, ROUNDS + 1):
        with checks.claim(f"another leader takes over, kill {number} of {ROUNDS}"):
            kill_the_leader(ensemble, writer)
        if checks.failed:
            break
    with checks.claim("every request is answered in the end"):
        writer.finish()
    with checks.claim("the session lived through it all"):
        assert client.client_id == session
        assert KazooState.LOST not in states, states
        assert client.retry(client.exists, "/mine").ephemeralOwner == session[0]
    if all(ensemble.field(sid, "Mode") for sid in ensemble.ids):
        verify(checks, ensemble, writer)
    client.stop()
    ensemble.close()
    print(
        f"kill_leader: {ROUNDS} leaders killed, {len(writer.issued)} creates sent, {len(writer.acked)} acknowledged, "
        f"without an answer: {dict(writer.failed)}"
    )
    checks.finish()


if __name__ == "__main__":
    main()
