"""Quorate beside Apache ZooKeeper: every load in turn on both, medians, and docs/performance.md. (run.sh says how)"""

import collections
import contextlib
import os
import statistics
import sys

import document
import scale
from servers import APACHE, KINDS, QUORATE, bench, ensemble, leader_kills, memory, sessions, starts

ROUNDS = int(os.environ.get("ROUNDS") or 5)
SECONDS, WARMUP = os.environ.get("SECONDS_EACH") or "6", os.environ.get("WARMUP_EACH") or "4"

# `wanted`: the ratio of operations a second that is aimed at, and that of the p99.
Load = collections.namedtuple("Load", "name servers options wanted wanted_p99")
LOADS = [
    Load("get-100x1", 1, "--op get --connections 100 --outstanding 1", 2.3, 0.3),
    Load("get-16x32", 1, "--op get --connections 16 --outstanding 32", 12, 0.05),
    Load("set-1x1", 3, "--op set --connections 1 --outstanding 1", 2.0, 0.5),
    Load("set-90x1", 3, "--op set --connections 90 --outstanding 1", 4, 0.1),
    Load("set-60x16", 3, "--op set --connections 60 --outstanding 16", 8, 0.05),
    Load("create-60x16", 3, "--op create --connections 60 --outstanding 16", 7, 0.05),
    Load("mix-64x16", 3, "--op mix --reads 90 --connections 64 --outstanding 16", 12, 0.05),
]
# Not loads, but what happens around them.
DEEDS = ["memory", "sessions", "start", "leader-kill"]


def both(measure):
    """What `measure` says of each kind, in turn."""
    values = {kind: [] for kind in KINDS}
    for number in range(ROUNDS):
        for kind in KINDS if number % 2 == 0 else reversed(KINDS):
            values[kind].append(measure(kind))
    return values


def measure_deeds(only):
    """Rows of figures that are no rates: name, unit, values by kind, what is wanted."""
    rows = []
    if "memory" in only:
        rows.append(document.Deed("1 M znodes of 100 B, resident", "MiB", both(memory), "at most 240 MiB"))
    if "sessions" in only:
        rows.append(document.Deed("5,000 idle sessions, resident", "MiB", both(sessions), "at most 4 MiB"))
    if "start" in only:
        pairs = {kind: list(starts(kind, ROUNDS)) for kind in KINDS}
        for at, (who, wanted) in enumerate([("the leader", 1.5), ("both followers", 1.0)]):
            values = {kind: [pair[at] for pair in pairs[kind]] for kind in KINDS}
            name = f"start of three with 1 M znodes, until a get at {who}"
            rows.append(document.Deed(name, "s", values, f"at most {wanted} s"))
    if "leader-kill" in only:
        values = {kind: list(leader_kills(kind, ROUNDS)) for kind in KINDS}
        name = "leader killed, until a survivor acknowledges a write"
        rows.append(document.Deed(name, "s", values, "at most 0.25 of Apache's"))
    return rows


def measure_loads(only):
    """For each load what `quorate bench --compare` says."""
    rows = []
    for servers in sorted({load.servers for load in LOADS if load.name in only}):
        with contextlib.ExitStack() as stack:
            sides = {kind: stack.enter_context(contextlib.closing(ensemble(kind, servers))) for kind in KINDS}
            hosts = ["--compare", sides[APACHE].hosts(), sides[QUORATE].hosts()]
            for load in [load for load in LOADS if load.servers == servers and load.name in only]:
                options = [*load.options.split(), "--seconds", SECONDS, "--warmup", WARMUP]
                compared = bench(hosts, *options, "--rounds", ROUNDS, "--disk", sides[QUORATE].dir)
                rows.append((load, compared))
                rates = {figure["what"]: figure["ratio"]["median"] for figure in compared["figures"]}
                print(f"{load.name}: {rates['ops/s']:.2f} of Apache's rate, p99 {rates['p99']:.3f}", flush=True)
    return rows


def main():
    names = [load.name for load in LOADS] + DEEDS
    if sys.argv[1:] == ["--list"]:
        print("\n".join(names + [f"{name} (SCALE=1)" for name in scale.PARTS]))
        return
    only = [name for name in (os.environ.get("ONLY") or "").split(",") if name]
    if os.environ.get("SCALE"):
        rows = scale.measure(only or scale.PARTS)
        document.show_scale(rows)
        if not only:
            document.write(scale=rows, rounds=scale.ROUNDS, seconds=(scale.SECONDS, scale.WARMUP))
        return
    unknown = set(only) - set(names)
    if unknown:
        sys.exit(f"ONLY: no load is named {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    loads, deeds = measure_loads(only or names), measure_deeds(only or names)
    for deed in deeds:
        medians = {kind: statistics.median(values) for kind, values in deed.values.items()}
        print(f"{deed.name}: Apache {medians[APACHE]:.2f} {deed.unit}, Quorate {medians[QUORATE]:.2f} {deed.unit}")
    document.show(loads, deeds)
    if not only and ROUNDS >= 5:
        document.write(loads=loads, deeds=deeds, rounds=ROUNDS, seconds=(SECONDS, WARMUP))


if __name__ == "__main__":
    main()
