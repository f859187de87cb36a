#!/usr/bin/env python3
"""What a storm of TLS handshakes at the leader costs everybody else: three servers, with and without threads for sockets.

    storm.py [ROUNDS]

Each round is a row for each value of net.threads and each place of the storm: nowhere, at the leader, and elsewhere, at a
server that has nothing to do with the three. The last is what so many handshakes cost whoever shares the processors
with them, wherever they are carried out. The others' gets and sets are an open loop (`quorate bench --rate`): gets of 16
sessions over all servers, sets of one, which wait for the leader's pump and for the quorum's packets, as pings do. A
handshake is a full one, of TLS 1.3 with RSA-2048; its client leaves at once.
SERVER_CMD, BENCH_CMD: as in run.sh. HANDSHAKES=500, THREADS=0,1, SECONDS_EACH=6: other values.
"""

import contextlib
import multiprocessing
import os
import pathlib
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from servers import TICK_MS, bench, wait_serving

from ensemble import Ensemble, free_ports, wait_for

RATE = int(os.environ.get("HANDSHAKES") or 500)
THREADS = (os.environ.get("THREADS") or "0,1").split(",")
SECONDS = int(os.environ.get("SECONDS_EACH") or 6)
PROCESSES = 2
PLACES = ("nowhere", "leader", "elsewhere")
GETS = "--op get --connections 16 --outstanding 4 --rate 2000"
SETS = "--op set --connections 1 --outstanding 4 --rate 200"


def shake(port, rate, done, failed, stop):
    """So many handshakes a second, each of them due at its time."""
    # It would run elsewhere: here it must not take the processor from whom it is compared with.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    began, count = time.monotonic(), 0
    while not stop.is_set():
        ahead = began + count / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        count += 1
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as link, context.wrap_socket(link):
                done.value += 1
        except OSError:
            failed.value += 1


@contextlib.contextmanager
def storm(port):
    """Yields a function: handshakes a second since it was last asked, and how many have failed so far."""
    if port is None:
        yield lambda: (0, 0)
        return
    stop = multiprocessing.Event()
    counts = [(multiprocessing.Value("q", 0), multiprocessing.Value("q", 0)) for _ in range(PROCESSES)]
    workers = [
        multiprocessing.Process(target=shake, args=(port, RATE / PROCESSES, *count, stop), daemon=True) for count in counts
    ]
    for worker in workers:
        worker.start()
    last = [time.monotonic(), 0]

    def rates():
        now, done = time.monotonic(), sum(done.value for done, _ in counts)
        rate = (done - last[1]) / (now - last[0])
        last[:] = now, done
        return rate, sum(failed.value for _, failed in counts)

    try:
        time.sleep(1)
        rates()
        yield rates
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def made(servers, threads, store):
    """An ensemble, and the TLS port of its leader."""
    ids = range(1, servers + 1)
    ports = dict(zip(ids, free_ports(servers), strict=True))
    lines = ["secureClientPortAddress=127.0.0.1", f"ssl.keyStore.location={store}", "ssl.clientAuth=none", f"net.threads={threads}"]
    ensemble = Ensemble(servers, lines, TICK_MS, per_server=lambda sid: [f"secureClientPort={ports[sid]}"])
    ensemble.start()
    wait_serving(ensemble)
    leader = wait_for("a leader", ensemble.leader) if servers > 1 else 1
    return ensemble, ports[leader]


def cpu_seconds(ensemble):
    """Of the three servers."""
    stats = [pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split() for process in ensemble.processes.values()]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def measure(threads, place, store):
    """p50, p99 and the worst of gets and sets beside the storm, in microseconds."""
    ensemble, at_leader = made(3, threads, store)
    other, at_other = made(1, threads, store)
    port = {"nowhere": None, "leader": at_leader, "elsewhere": at_other}[place]
    with contextlib.closing(ensemble), contextlib.closing(other), storm(port) as rates:
        results = {}
        before, began = cpu_seconds(ensemble), time.monotonic()

        def load(options):
            result = bench([ensemble.hosts()], *options.split(), "--seconds", SECONDS, "--warmup", 1)
            results[options] = result["rows"][0]

        loads = [threading.Thread(target=load, args=(options,)) for options in (GETS, SETS)]
        for thread in loads:
            thread.start()
        for thread in loads:
            thread.join()
        cpu = (cpu_seconds(ensemble) - before) / (time.monotonic() - began)
        reached, failed = rates()
        return (reached, failed, cpu, *(results[options][key] for options in (GETS, SETS) for key in ("p50_us", "p99_us", "max_us")))


def main():
    rounds = int(sys.argv[1]) if sys.argv[1:] else 3
    with tempfile.TemporaryDirectory() as folder:
        key, crt, store = (pathlib.Path(folder) / name for name in ("key", "crt", "store.pem"))
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        subprocess.run([*command, "-keyout", key, "-out", crt], check=True, capture_output=True)
        store.write_text(key.read_text() + crt.read_text())
        rows = {}
        print("threads  storm at   handshakes/s  failed  cores   get p50      p99      max  set p50      p99      max  (us)")
        for _ in range(rounds):
            for place in PLACES:
                for threads in THREADS:
                    row = measure(threads, place, store)
                    rows.setdefault((threads, place), []).append(row)
                    show(threads, place, row)
        print("medians")
        for (threads, place), some in rows.items():
            show(threads, place, [statistics.median(column) for column in zip(*some)])


def show(threads, place, row):
    reached, failed, cpu, *times = row
    shown = " ".join(f"{round(value):>8}" for value in times)
    print(f"{threads:>7}  {place:<9}  {reached:>12.0f}  {failed:>6.0f}  {cpu:>5.2f}  {shown}", flush=True)


if __name__ == "__main__":
    main()
