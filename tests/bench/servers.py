"""The ensembles that are measured, and what is measured of them from outside: memory, starts, the death of a leader."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# As it is run in production: G1, 1 GB, only warnings. Read by apache.py.
os.environ.setdefault("APACHE_JVM", "-XX:+UseG1GC")
os.environ.setdefault("APACHE_HEAP", "1g")
os.environ.setdefault("APACHE_LOG", "warn")
os.environ.setdefault("RUST_LOG", "warn")
sys.path.insert(0, str(ROOT / "tests" / "interop"))

from ensemble import APACHE, QUORATE, Ensemble, wait_for  # noqa: E402
from wire import GET_DATA, Link, set_data, text  # noqa: E402

BENCH = os.environ.get("BENCH_CMD") or f"{ROOT}/target/release/quorate"
NODES = 1_000_000
TREE = "/memory"
TICK_MS = 2000
KINDS = (APACHE, QUORATE)


def ensemble(kind, servers, extra=()):
    made = Ensemble(servers, extra, TICK_MS, kinds={sid: kind for sid in range(1, servers + 1)})
    made.start()
    wait_serving(made)
    return made


def wait_serving(made, ids=None):
    wait_for("the servers to serve", lambda: all(made.field(sid, "Mode") for sid in ids or made.ids))


def bench(hosts, *options):
    """One run of `quorate bench`: what it says of itself."""
    words = [BENCH, "bench", *hosts, *map(str, options), "--quiet", "--json", "-"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr}{done.stdout[-2000:]}")
    return json.loads(done.stdout)


def resident_mib(made, sid=1):
    status = pathlib.Path(f"/proc/{made.processes[sid].pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def fill(made):
    """A million nodes with names of 12 bytes and values of 100."""
    options = ["--op", "none", "--keep", "--root", TREE, "--nodes", NODES, "--name-bytes", 12, "--value-bytes", 100]
    bench([made.hosts()], *options, "--connections", 8)


def memory(kind):
    """Resident MiB with a million nodes."""
    with contextlib.closing(ensemble(kind, 1)) as made:
        fill(made)
        # What a snapshot or a collection holds for a moment goes.
        time.sleep(5)
        return resident_mib(made)


def sessions(kind):
    """MiB that 5,000 idle sessions add."""
    with contextlib.closing(ensemble(kind, 1)) as made:
        time.sleep(2)
        empty = resident_mib(made)
        words = [BENCH, "bench", made.hosts(), "--op", "idle", "--connections", "5000", "--seconds", "600", "--warmup", "0"]
        client = subprocess.Popen([*words, "--quiet"], stdout=subprocess.DEVNULL)

        def connected():
            if client.poll() is not None:
                raise RuntimeError(f"the client of 5,000 sessions ended with {client.returncode}")
            return connections(made) >= 5000

        try:
            wait_for("5,000 sessions", connected)
            time.sleep(2)
            return resident_mib(made) - empty
        finally:
            client.terminate()
            client.wait()


def connections(made):
    try:
        return int(made.field(1, "Connections") or 0)
    except ValueError:
        return 0


# Of a node that `fill` made.
GET = (GET_DATA, text(f"{TREE}/{0:012}") + b"\0")


def first_answer(port, since, request=GET):
    """Seconds until a server answers this request."""
    while time.monotonic() < since + 300:
        with contextlib.suppress(OSError, TimeoutError):
            link = Link(port, patience=0.5)
            try:
                if not link.expired and link.ask(1, request, 5).err == 0:
                    return time.monotonic() - since
            finally:
                link.close(end_session=False)
        time.sleep(0.005)
    raise TimeoutError("no answer in 300 s")


def starts(kind, rounds):
    """Seconds from the start of three servers with a million nodes until the leader, and a follower, answers a get."""
    with contextlib.closing(ensemble(kind, 3)) as made:
        fill(made)
        for _ in range(rounds):
            for sid in made.ids:
                made.processes[sid].terminate()
            for sid in made.ids:
                made.stop(sid)
            began = time.monotonic()
            made.start()
            answered = first_answers(made, began)
            leader = wait_for("a leader", made.leader)
            followers = [seconds for sid, seconds in answered.items() if sid != leader]
            yield answered[leader], max(followers)
            wait_serving(made)


def first_answers(made, began):
    """When each answered first: each is asked by a thread of its own."""
    ports = [made.client_port[sid] for sid in made.ids]
    with concurrent.futures.ThreadPoolExecutor(len(ports)) as pool:
        seconds = pool.map(first_answer, ports, [began] * len(ports))
        return dict(zip(made.ids, seconds))


def leader_kills(kind, rounds):
    """Seconds from SIGKILL of the leader to the next write that a survivor acknowledges."""
    with contextlib.closing(ensemble(kind, 3)) as made:
        bench([made.hosts()], "--op", "none", "--keep", "--root", "/kill", "--nodes", 1, "--connections", 1)
        write = set_data(f"/kill/{0:07}", b"x" * 100)
        for _ in range(rounds):
            leader = wait_for("a leader", made.leader)
            survivor = next(sid for sid in made.ids if sid != leader)
            first_answer(made.client_port[survivor], time.monotonic(), write)
            # The election behind it is long over.
            time.sleep(2)
            began = time.monotonic()
            made.kill(leader)
            yield first_answer(made.client_port[survivor], began, write)
            made.start(leader)
            wait_serving(made)
