"""How much memory and time the tools for data directories take on large files.

    tests/bench/toolkit.py PROGRAM [MIB]

Makes a snapshot and a log of MIB (1024) in a temporary directory, then runs each command on them, its output thrown away. Prints
seconds, and the most memory that was resident (ru_maxrss); fails where a command takes 64 MiB or more. The snapshot has nodes of
1 KiB at three levels; `compare` of two, and of one with its logs, hold what they compare, and are only shown.
"""

import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import zlib

LIMIT_KIB = 64 * 1024
DATA = bytes(range(256)) * 4


def text(value):
    return struct.pack(">i", len(value)) + value


def node(path, data, zxid):
    stat = struct.pack(">qqqqiiiqq", zxid, zxid, 1700000000000, 1700000000000, 0, 0, 0, 0, zxid)
    return text(path.encode()) + text(data) + struct.pack(">q", -1) + stat


class Summed:
    """A file, and the Adler-32 of all that was written."""

    def __init__(self, path):
        self.file, self.sum, self.bytes = open(path, "wb", buffering=1 << 20), 1, 0

    def write(self, content):
        self.file.write(content)
        self.sum = zlib.adler32(content, self.sum)
        self.bytes += len(content)

    def seal(self):
        self.write(struct.pack(">q", self.sum) + text(b"/"))


def snapshot(path, limit):
    out = Summed(path)
    out.write(b"ZKSN" + struct.pack(">iqii", 2, -1, 0, 0) + node("", b"", 0))
    nodes, apps = 1, 0
    while out.bytes < limit:
        app = f"/app-{apps:06}"
        out.write(node(app, b"", 1))
        for group in range(10):
            below = f"{app}/group-{group}"
            out.write(node(below, b"", 1) + b"".join(node(f"{below}/node-{n:04}", DATA, 1) for n in range(100)))
        nodes, apps = nodes + 1011, apps + 1
    out.write(text(b"/"))
    out.seal()
    out.file.close()
    return nodes


def log(path, limit):
    with open(path, "wb", buffering=1 << 20) as out:
        out.write(b"ZKLG" + struct.pack(">iq", 2, 0))
        written, zxid = 0, 2
        while written < limit:
            header = struct.pack(">qiqqi", 7, zxid & 0x7FFFFFFF, zxid, 1700000000000 + zxid, 5)
            payload = header + text(b"/app-000000/group-0/node-0000") + text(DATA) + struct.pack(">i", zxid)
            out.write(struct.pack(">qi", zlib.adler32(payload), len(payload)) + payload + b"B")
            written, zxid = written + len(payload) + 13, zxid + 1
    return zxid - 2


def measure(command):
    """Exit code, seconds, KiB."""
    begun = time.monotonic()
    with open(os.devnull, "wb") as nothing:
        child = subprocess.Popen(command, stdout=nothing)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, time.monotonic() - begun, usage.ru_maxrss


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    limit = int(sys.argv[2] if len(sys.argv) > 2 else 1024) << 20
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        snap, txns = f"{folder}/snapshot.1", f"{folder}/log.2"
        print(f"{snapshot(snap, limit)} nodes, {log(txns, limit)} transactions, {limit >> 20} MiB each", flush=True)
        packed = f"{folder}/packed/snapshot.1.gz"
        os.mkdir(f"{folder}/packed")
        with open(packed, "wb") as out:
            subprocess.run(["gzip", "-1", "-c", snap], stdout=out, check=True)
        held = [
            ["txnlog", "verify", txns],
            ["txnlog", txns],
            ["txnlog", txns, "--json"],
            ["txnlog", txns, "--path", "/none"],
            ["txnlog", "recover", txns, "--output", f"{folder}/recovered"],
            ["history", "/app-000000/group-0/node-0000", "--dir", folder],
            ["snapshot", "verify", snap],
            ["snapshot", "verify", packed],
            ["snapshot", snap],
            ["snapshot", snap, "-json"],
            ["snapshot", "stats", snap],
            ["zkSnapshotRecursiveSummaryToolkit", snap, "/", "1"],
        ]
        shown = [["snapshot", "compare", snap, snap], ["snapshot", "compare", snap, "--logs", folder]]
        for command in held + shown:
            code, seconds, kib = measure([program, *command])
            short = " ".join(word.replace(folder, "DIR") for word in command)
            is_bad = code != 0 or (command in held and kib >= LIMIT_KIB)
            failed |= is_bad
            print(f"{'FAIL' if is_bad else 'ok  '} {seconds:7.1f} s {kib / 1024:8.1f} MiB  {short}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
