"""docs/performance.md: written whole, section by section; a section that was not measured anew stays."""

import collections
import pathlib
import platform
import re
import statistics
import subprocess

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "performance.md"
APACHE, QUORATE = "apache", "quorate"

# fdatasyncs a second of 4 KiB, below which what writes durably measures the disk.
SLOW_DISK = 2000

# What is no rate: `values` are by kind, `wanted` says in words what is aimed at.
Deed = collections.namedtuple("Deed", "name unit values wanted")

# What profiles say of both tables is written by hand, and stays.
BY_HAND = "Where the rest goes"

HEAD = """\
# Performance

Quorate beside Apache ZooKeeper 3.9 on one machine, by `make bench`; every figure is a median, and what swings stands behind
it. The machine is shared with the servers and with others: take the ratios, which are of runs side by side, for what
they are worth, and the absolute figures for this machine's.

## How to repeat it

    make bench                                # an hour; writes this page
    make bench ONLY=set-60x16 ROUNDS=1        # one load, once; the page stays (tests/bench/run.sh --list names them)
    make bench SCALE=1                        # how Quorate scales, a second table below
    quorate bench HOST:PORT --op mix --reads 90 --connections 64 --outstanding 16     # one load against any server

Both are on loopback with fsync on; the client shares the machine with them. Apache runs on JDK 17 with G1 and 1 GB of heap a
server, logs from WARN on, without its AdminServer; the directories are on the same disk. A load `60x16` is 60
connections with 16 requests in flight each, spread over all servers; values are 100 bytes, and there are 1,000 nodes, with uniform
keys. Each round measures both in turn, and both ensembles are up meanwhile; every other round begins with Quorate. The ratio is
taken round by round. Before each run the disk is asked how many fdatasyncs of 4 KiB it does.
"""


def number(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def micros(value):
    return f"{value / 1000:.1f} ms" if value >= 1000 else f"{value:.0f} us"


def ratio(value):
    return f"{value:.1f}" if value >= 1 else f"{value:.3f}"


def figure(compared, what):
    return next(figure for figure in compared["figures"] if figure["what"] == what)


def load_rows(loads):
    for load, compared in loads:
        rate, p99 = figure(compared, "ops/s"), figure(compared, "p99")
        spread = f"{ratio(rate['ratio']['min'])} to {ratio(rate['ratio']['max'])}"
        where = "one server" if load.servers == 1 else f"{load.servers} servers"
        yield (
            f"| {load.name}, {where} | {number(rate['a']['median'])}/s, p99 {micros(p99['a']['median'])} "
            f"| {number(rate['b']['median'])}/s, p99 {micros(p99['b']['median'])} "
            f"| {ratio(rate['ratio']['median'])} ({spread}) | {ratio(p99['ratio']['median'])} "
            f"| {load.wanted} (p99 {load.wanted_p99}) |"
        )


def deed_rows(deeds):
    for deed in deeds:
        median = {kind: statistics.median(values) for kind, values in deed.values.items()}
        shown = {
            kind: f"{number(median[kind])} {deed.unit} ({number(min(values))} to {number(max(values))})"
            for kind, values in deed.values.items()
        }
        against = ratio(median[QUORATE] / median[APACHE]) if median[APACHE] else ""
        yield f"| {deed.name} | {shown[APACHE]} | {shown[QUORATE]} | {against} | | {deed.wanted} |"


def beside(loads, deeds):
    head = ["| load | Apache 3.9 | Quorate | ratio (rounds) | p99 ratio | wanted |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *load_rows(loads), *deed_rows(deeds)])


def machine(loads, rounds, seconds):
    disk = [side["fdatasync_per_s"] for _, compared in loads for round in compared["rounds"] for side in round.values()]
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    cores = len(re.findall(r"^processor", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE))
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / 1024 / 1024
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr.splitlines()
    lines = [
        f"Measured in {rounds} rounds of {seconds[0]} s behind {seconds[1]} s of warm-up, on {cores} cores ({model[1] if model else platform.machine()}), {memory:.0f} GiB, "
        f"Linux {platform.release()}, {java[0] if java else 'no Java'}."
    ]
    if disk:
        lines.append(
            f"The disk did {number(statistics.median(disk))} fdatasyncs a second ({number(min(disk))} to {number(max(disk))})."
        )
        if statistics.median(disk) < SLOW_DISK:
            lines.append("That is a slow hour of this disk: the rows that write say more of it than of the servers. Measure again.")
    return "\n".join(lines)


def scale_table(rows):
    head = ["| what | value | ops/s | p50 | p99 |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def show(loads, deeds):
    print(beside(loads, deeds))


def show_scale(rows):
    print(scale_table(rows))


def write(loads=None, deeds=None, scale=None, rounds=0, seconds=None):
    sections = read_sections()
    if loads is not None:
        sections["Beside Apache ZooKeeper"] = f"{machine(loads, rounds, seconds)}\n\n{beside(loads, deeds)}"
    if scale is not None:
        sections["How it scales"] = (
            f"Quorate alone, medians of {rounds} runs of {seconds[0]} s behind {seconds[1]} s of warm-up. Unless a row says otherwise: three "
            f"servers, 60x16, 1,000 nodes, values of 100 bytes.\n\n{scale_table(scale)}"
        )
    order = ["Beside Apache ZooKeeper", "How it scales", BY_HAND]
    text = HEAD + "".join(f"\n## {title}\n\n{sections[title]}\n" for title in order if title in sections)
    PAGE.write_text(text)
    print(f"written: {PAGE}")


def read_sections():
    """The sections that are there, by title."""
    if not PAGE.exists():
        return {}
    parts = re.split(r"^## (.*)\n", PAGE.read_text(), flags=re.MULTILINE)
    return {title: body.strip() for title, body in zip(parts[1::2], parts[2::2])}
