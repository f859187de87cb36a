"""How Quorate alone scales: a row for each value of one thing, all else being as usual."""

import contextlib
import os
import statistics

from document import micros, number
from servers import QUORATE, bench, ensemble

ROUNDS = int(os.environ.get("ROUNDS") or 3)
SECONDS, WARMUP = os.environ.get("SECONDS_EACH") or "4", os.environ.get("WARMUP_EACH") or "1"
USUAL = {"op": "set", "connections": 60, "outstanding": 16, "nodes": 1000, "value-bytes": 100}


def row(what, value, hosts, **changed):
    options = USUAL | {name.replace("_", "-"): given for name, given in changed.items()}
    words = [word for name, given in options.items() for word in (f"--{name}", given)]
    runs = [bench([hosts], *words, "--seconds", SECONDS, "--warmup", WARMUP) for _ in range(ROUNDS)]
    median = {
        key: statistics.median(max(row[key] for row in run["rows"]) for run in runs) for key in ("p50_us", "p99_us")
    }
    rate = statistics.median(run["ops_per_s"] for run in runs)
    print(f"{what} {value}: {number(rate)}/s", flush=True)
    return what, value, number(rate), micros(median["p50_us"]), micros(median["p99_us"])


def connections(made):
    for count in (1, 10, 100, 1000):
        yield row("set, connections (1 in flight)", f"{count:,}", made.hosts(), connections=count, outstanding=1)
    for count in (1, 10, 100, 1000):
        yield row("get, connections (1 in flight)", f"{count:,}", made.hosts(), op="get", connections=count, outstanding=1)


def nodes(made):
    for count in (1000, 10_000, 100_000, 1_000_000):
        yield row("get, nodes", f"{count:,}", made.hosts(), op="get", nodes=count)
        yield row("set, nodes", f"{count:,}", made.hosts(), nodes=count)


def values(made):
    for size in (10, 100, 1000, 10_000, 100_000):
        # So that what is in flight stays below 100 MB.
        outstanding = 1 if size == 100_000 else 16
        yield row("set, bytes of a value", f"{size:,}", made.hosts(), value_bytes=size, outstanding=outstanding)
        yield row("get, bytes of a value", f"{size:,}", made.hosts(), op="get", value_bytes=size, outstanding=outstanding)


def servers(_):
    for count in (1, 3, 5, 7):
        with contextlib.closing(ensemble(QUORATE, count)) as made:
            yield row("set, servers", count, made.hosts())
            yield row("get, servers", count, made.hosts(), op="get")


def snapshots(_):
    # Apache's default is 100,000: at this rate every second or so. 20,000,000: none.
    for count in (5000, 100_000, 20_000_000):
        with contextlib.closing(ensemble(QUORATE, 3, extra=[f"snapCount={count}"])) as made:
            yield row("set with 100,000 nodes, snapCount", f"{count:,}", made.hosts(), nodes=100_000)


PARTS = {"connections": connections, "nodes": nodes, "values": values, "servers": servers, "snapshots": snapshots}


def measure(names):
    rows = []
    with contextlib.closing(ensemble(QUORATE, 3)) as made:
        for name in names:
            rows.extend(PARTS[name](made))
    return rows
