#!/usr/bin/env python3
"""How many instructions an operation costs, beside a recorded baseline: fails past 5 %.

    instructions.py [OPERATION...]       counts them, all if none is named; exit code 1 past 5 % more
    instructions.py --record             writes what was counted to instructions.toml: the new baseline
    instructions.py --profile OPERATION  keeps callgrind's file, for callgrind_annotate

Times depend on what else runs, counts of instructions do not: the same build gives the same count.
Another compiler, allocator or processor (libc and libraries choose by its features) may give
another one; the toolchain is pinned, and 5 % leave room for the rest.

    set-leader     a setData of 100 bytes at the leader of three that its client asks: proposed, logged,
                   acks counted, committed, applied, answered
    set-follower   the same one at a follower: logged, acknowledged, applied
    set-forwarded  one at the follower that its client asks: forwarded, then as above, answered
    create-leader  a create of 100 bytes at the leader that its client asks, as set-leader
    get            a getData of 100 bytes
    vote           a notification with a better vote, heard by one of five that are LOOKING: counted,
                   told on to four
    second         a second of the simulator: three servers, three clients, its checkers (second.toml)

A step of a server and the decoding of quorum packets are counted (instructions.rs), not sockets, disks
and the pump. Many are performed, after many that are not counted; the mean is printed.

CARGO          another cargo
Installs valgrind if it is missing (Debian).
"""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BASELINE = HERE / "instructions.toml"
CARGO = os.environ.get("CARGO", "cargo")
OF_SERVERS = ["set-leader", "set-follower", "set-forwarded", "create-leader", "get", "vote"]
OPERATIONS = [*OF_SERVERS, "second"]
TOLERANCE = 0.05


def die(why):
    sys.exit(f"instructions: {why}")


def need_valgrind():
    if shutil.which("valgrind"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    for command in (["apt-get", "update", "-qq"], [*install, "valgrind"]):
        if subprocess.run([*sudo, *command], stdout=subprocess.DEVNULL).returncode != 0:
            die("no valgrind, and apt-get could not install it")


def build(*what):
    """Builds one program as it ships, and tells where it is.

    Each package alone: together with the simulator, servers get its costly checks.
    """
    command = [CARGO, "build", "--release", "--message-format", "json-render-diagnostics", *what]
    built = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        die("the program does not build")
    name = what[-1]
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return message["executable"]
    die(f"cargo built no {name}")


def programs(operations):
    found = {}
    if set(operations) & set(OF_SERVERS):
        found["servers"] = build("-p", "quorate", "--bench", "instructions")
    if "second" in operations:
        found["second"] = build("-p", "quorate-sim", "--bin", "quorate-sim")
    return found


def counted(operation, found, out):
    """Runs it under callgrind, whose file goes to `out`. Instructions per operation."""
    callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    if operation == "second":
        command = [*callgrind, found["second"], "run", "tests/bench/second.toml", "--seed", "1"]
    else:
        command = [*callgrind, "--toggle-collect=instructions::counted_*", found["servers"], operation]
    # The same environment everywhere: it lies in the memory of the program.
    run = subprocess.run(command, cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    if run.returncode != 0:
        die(f"{operation}: {run.stderr}{run.stdout}")
    total = re.search(r"^(?:totals|summary): (\d+)", Path(out).read_text(), re.MULTILINE)
    times = re.search(r"simulated ([\d.]+) s" if operation == "second" else r"^(\d+)$", run.stdout, re.MULTILINE)
    if not total or not times or int(total[1]) == 0:
        die(f"{operation}: nothing was counted: {run.stderr}{run.stdout}")
    return round(int(total[1]) / float(times[1]))


def count_all(operations, found):
    with tempfile.TemporaryDirectory() as scratch, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        count = lambda operation: counted(operation, found, f"{scratch}/{operation}")
        return dict(zip(operations, pool.map(count, operations)))


def record(counts):
    lines = ["# Instructions per operation: `tests/bench/instructions.py --record` writes this file.", "[instructions]"]
    lines += [f"{operation} = {count}" for operation, count in counts.items()]
    BASELINE.write_text("\n".join(lines) + "\n")


def compare(counts, baseline):
    """Prints the table. True if nothing costs too much."""
    print(f"{'operation':14}{'instructions':>14}{'baseline':>12}{'difference':>12}")
    worse, better, unknown = [], [], []
    for operation, count in counts.items():
        before = baseline.get(operation)
        if before is None:
            print(f"{operation:14}{count:>14,}{'none':>12}")
            unknown.append(operation)
            continue
        change = count / before - 1
        print(f"{operation:14}{count:>14,}{before:>12,}{change:>+11.1%}")
        if change > TOLERANCE:
            worse.append(operation)
        if change < -TOLERANCE:
            better.append(operation)
    if better:
        print(f"more than {TOLERANCE:.0%} better: {', '.join(better)}. Renew the baseline: {sys.argv[0]} --record")
    if worse:
        print(f"FAILED, more than {TOLERANCE:.0%} worse: {', '.join(worse)}")
        print(f"  where: {sys.argv[0]} --profile {worse[0]}; if it is meant to be so: --record")
    if unknown:
        print(f"FAILED, without a baseline: {', '.join(unknown)}. {sys.argv[0]} --record writes it")
    return not worse and not unknown


def profile(operation):
    found = programs([operation])
    target = Path(next(iter(found.values()))).parent
    folder = next(up for up in target.parents if up.name != "release") / "callgrind"
    folder.mkdir(exist_ok=True)
    out = folder / f"{operation}.out"
    print(f"{operation}: {counted(operation, found, out):,} instructions")
    print(f"  callgrind_annotate {out} | less")
    print(f"  callgrind_annotate --inclusive=yes {out} | less")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operations", nargs="*", metavar="OPERATION")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--profile", metavar="OPERATION", choices=OPERATIONS)
    args = parser.parse_args()
    operations = args.operations or OPERATIONS
    for operation in operations:
        if operation not in OPERATIONS:
            die(f"{operation}: the operations are {', '.join(OPERATIONS)}")
    need_valgrind()
    if args.profile:
        return profile(args.profile)
    counts = count_all(operations, programs(operations))
    baseline = tomllib.loads(BASELINE.read_text())["instructions"] if BASELINE.exists() else {}
    if args.record:
        baseline = {operation: (baseline | counts).get(operation) for operation in OPERATIONS}
        record({operation: count for operation, count in baseline.items() if count})
    elif not compare(counts, baseline):
        sys.exit(1)


if __name__ == "__main__":
    main()
