"""Hostile clients and strangers, one case after another, each beside well-behaved clients (attacks/arena.py says what
has to hold).

    attack.py [--short] [--list] [--apache] [--table FILE] [NAME...]

`--short`: smaller sizes, and cases share an ensemble while nothing suffers; three minutes. `--apache`: against Apache
ZooKeeper (apache.py; nothing is claimed, the table is printed). `--table`: the table as Markdown, for docs/security.md.
"""

import argparse
import contextlib
import pathlib
import sys
import traceback

import attacks.by_admin
import attacks.by_connections
import attacks.by_files
import attacks.by_requests
import attacks.by_sessions
import attacks.by_strangers  # noqa: F401
from attacks.arena import Arena, Verdict
from attacks.case import CASES
from attacks.setups import SETUPS, Missing
from ensemble import APACHE, Checks

SECONDS_SHORT, SECONDS_FULL = 60, 600
HEAD = [
    "attack",
    "it costs",
    "others: p99 in ms (calm, ratio), longest wait",
    "a server: memory, CPU, log",
    "answer",
    "result",
]


def row(verdict):
    counts, during, case = verdict.counts, verdict.during, verdict.case
    size = counts["bytes"]
    sent = f"{size / 1e6:.1f} MB" if size >= 50_000 else f"{size:,} bytes"
    links = [f"{counts['links']:,} connections"] if counts["links"] else []
    packets = [f"{counts['packets']:,} packets"] if counts["packets"] else []
    cost = [f"{verdict.seconds:.0f} s", *links, *packets]
    calm = verdict.arena.before["p99_ms"]
    waits = f"{during['p99_ms']} ({calm}, x{during['p99_ms'] / max(calm, 1):.1f}), {during['gap_ms'] / 1000:.1f} s"
    if case.pauses or not during["p99_ms"]:
        waits = "not measured"
    used = f"+{max(verdict.growth, 0):.0f} MB of {case.memory_mb}, {verdict.cpu_s:.0f} s, {verdict.log_kb} KB"
    return [
        f"{case.what} (`{case.name}`)",
        ", ".join([*cost, sent]),
        waits,
        used,
        verdict.said,
        "; ".join(verdict.wrong) or "held",
    ]


def markdown(rows):
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "/") for cell in line) + " |\n" for line in lines)


class Run:
    def __init__(self, options):
        self.options, self.checks = options, Checks("attack")
        self.arena, self.setup = None, None
        self.rows, self.slow = [], []

    def open(self, name):
        self.close()
        kinds = {sid: APACHE for sid in (1, 2, 3)} if self.options.apache else None
        self.arena, self.setup = Arena(SETUPS[name], self.options.short, kinds), name
        self.arena.open()

    def close(self, keep=False):
        if self.arena:
            self.arena.e.keep = keep
            self.arena.close()
        self.arena = None

    def one(self, case):
        verdict = self.run(case)
        self.rows.append(row(verdict))
        self.slow += [f"{case.name}: {'; '.join(verdict.slow)}"] if verdict.slow else []
        good = not verdict.wrong
        print(f"     {' | '.join(self.rows[-1][1:-1])}", flush=True)
        if self.options.apache:
            print(f"     {case.name}: {self.rows[-1][-1]}", flush=True)
        else:
            with self.checks.claim(f"{case.name}: {case.what}", quiet=True):
                assert good, self.rows[-1][-1]
        if not good or not verdict.usable:
            self.close(keep=not good)

    def run(self, case):
        # In the full form nothing of one case is left for the next.
        if self.arena is None or self.setup != case.setup or not self.options.short:
            self.open(case.setup)
        verdict = Verdict(case, self.arena)
        verdict.judge(SECONDS_SHORT if self.options.short else SECONDS_FULL)
        return verdict

    def all(self, cases):
        try:
            for case in cases:
                try:
                    self.one(case)
                except Missing as missing:
                    print(f"     {case.name}: passed over, {missing}", flush=True)
                    self.close()
                except Exception as failure:
                    traceback.print_exc()
                    self.rows.append(
                        [f"{case.what} (`{case.name}`)", "", "", "", "", f"the test failed: {failure}"[:160]]
                    )
                    with contextlib.suppress(Exception):
                        self.close(keep=True)
                    with self.checks.claim(f"{case.name}: {case.what}", quiet=True):
                        raise failure
        finally:
            self.close()
            if self.options.table:
                pathlib.Path(self.options.table).write_text(markdown(self.rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--apache", action="store_true")
    parser.add_argument("--table")
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in CASES]:
        sys.exit(f"attack: no case {unknown[0]}; --list names them")
    cases = [CASES[name] for name in options.names] or [c for c in CASES.values() if c.short or not options.short]
    if options.apache and not options.names:
        # Its TLS needs Netty and stores of Java's; modes and exit codes are its own.
        cases = [case for case in cases if case.setup != "tls" and case.item != "11"]
    if options.list:
        for case in cases:
            print(f"{case.item:5} {case.name:28} {case.what}")
        return
    # One setup after the other, so that they can share an ensemble.
    cases.sort(key=lambda case: list(SETUPS).index(case.setup))
    run = Run(options)
    run.all(cases)
    print(f"     others waited longer (three times the calm, or 2 s) in {len(run.slow)} of {len(run.rows)}: {run.slow}")
    run.checks.finish()


if __name__ == "__main__":
    main()
