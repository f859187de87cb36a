"""Apache's tools for data directories beside ours: the same files, and the lines compared.

    toolkit.py

Every log and snapshot of the golden directories (tests/golden/dirs) goes through TxnLogToolkit, SnapshotFormatter,
SnapshotRecursiveSummary, SnapshotComparer and PurgeTxnLog of Apache 3.8 and 3.9, where they are, and through the scripts of
the same names here. What Apache prints in the order of a hash table is compared as a set. What may differ is named in the
functions below and nowhere else: the parts of a multi, which Apache up to 3.9.3 prints as raw bytes; 3.8's name for createTTL;
seconds and dates of files. SHORT: each version sees the directories of its own.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import apache
from ensemble import ROOT, SERVER_CMD, SHORT, Checks

DIRS = ROOT / "tests" / "golden" / "dirs"
SERVER = "org.apache.zookeeper.server"
JAVA = ["-Duser.language=en", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


def classes(version):
    """The class path, or None."""
    if version == "3.8":
        jars = [pathlib.Path(apache.DEBIAN) / f"{jar}.jar" for jar in ("zookeeper", "slf4j-nop")]
        found = jars[0].exists()
        return f"{apache.DEBIAN}/*" if found else None
    return f"{apache.JARS}/zk39/*:{apache.DEBIAN}/jackson-core.jar" if apache.has(version) else None


def found(pattern, version):
    """Of the golden directories."""
    return sorted(path for path in DIRS.glob(pattern) if not SHORT or path.relative_to(DIRS).parts[0].startswith(version))


class Tools:
    """Both kinds of one tool, on the same files."""

    def __init__(self, version, links):
        self.version, self.links, self.path = version, links, classes(version)

    def theirs(self, main, *args):
        command = ["java", *JAVA, "-cp", self.path, f"{SERVER}.{main}", *map(str, args)]
        done = subprocess.run(command, capture_output=True, timeout=120, env={**os.environ, "LC_ALL": "C.UTF-8"})
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def ours(self, script, *args):
        done = subprocess.run([self.links / script, *map(str, args)], capture_output=True, timeout=120)
        return done.returncode, done.stdout.decode("utf-8", "replace")


def program():
    return shutil.which(SERVER_CMD[0]) or str((ROOT / SERVER_CMD[0]).resolve())


def txns(text):
    """A transaction may have several lines."""
    found = []
    for txn in re.split(r"\n(?=\d+/\d+/\d+, |EOF|CRC)", text):
        txn = re.sub(r"( multi )(?=\w+:).*", r"\1...", txn, flags=re.DOTALL)
        found.append(txn.replace(" createTtl ", " createTTL "))
    return found


def blocks(text):
    return sorted(sorted(block.splitlines()) if block.startswith("Session") else block.splitlines() for block in text.split("----\n"))


def without_seconds(text):
    return re.sub(r" in [0-9.]+ seconds", " in N seconds", text)


def rows(text):
    lines = [line for line in text.splitlines() if line]
    return sorted(tuple(lines[at:at + 3]) for at in range(0, len(lines), 3))


def same(ours, theirs):
    if ours != theirs:
        pair = next(((a, b) for a, b in zip(ours, theirs) if a != b), (len(ours), len(theirs)))
        raise AssertionError(f"ours {pair[0]!r}, Apache's {pair[1]!r}")


def logs(tools, checks):
    for log in found("*/*/version-2/log.*", tools.version):
        name = str(log.relative_to(DIRS))
        theirs = tools.theirs("persistence.TxnLogToolkit", log)
        if theirs[0]:
            # It ends with an exception; so do we, and say where.
            with checks.claim(f"{tools.version} does not read {name} to its end, neither do we"):
                code, text = tools.ours("zkTxnLogToolkit.sh", log)
                whole = txns(theirs[1])[: len(txns(text)) - 1]
                same(txns(text)[: len(whole)], whole)
            continue
        with checks.claim(f"{tools.version} prints {name} as we do"):
            code, text = tools.ours("zkTxnLogToolkit.sh", log)
            same((code, txns(text)), (theirs[0], txns(theirs[1])))


def snapshots(tools, checks):
    for snapshot in found("*/*/version-2/snapshot.*", tools.version):
        name = str(snapshot.relative_to(DIRS))
        for option in ([], ["-d"]):
            with checks.claim(f"{tools.version} prints {name} as we do {''.join(option)}"):
                theirs = tools.theirs("SnapshotFormatter", *option, snapshot)
                ours = tools.ours("zkSnapShotToolkit.sh", *option, snapshot)
                same((ours[0], blocks(ours[1])), (theirs[0], blocks(theirs[1])))
        if tools.version != "3.8":
            with checks.claim(f"{tools.version} sums {name} up as we do"):
                theirs = tools.theirs("SnapshotRecursiveSummary", snapshot, "/", 0)
                ours = tools.ours("zkSnapshotRecursiveSummaryToolkit.sh", snapshot, "/", 0)
                same((ours[0], rows(ours[1])), (theirs[0], rows(theirs[1])))


def pairs(tools, checks):
    for folder in found("*/*/version-2", tools.version):
        files = sorted(folder.glob("snapshot.*"), key=lambda path: int(path.name.split(".")[1], 16))
        if len(files) < 2:
            continue
        args = ["-l", files[0], "-r", files[-1], "-b", 2, "-n", 1]
        for more in ([], ["-d"]):
            with checks.claim(f"{tools.version} compares those of {folder.parent.relative_to(DIRS)} as we do {''.join(more)}"):
                theirs, ours = tools.theirs("SnapshotComparer", *args, *more), tools.ours("zkSnapshotComparer.sh", *args, *more)
                same((ours[0], without_seconds(ours[1]).splitlines()), (theirs[0], without_seconds(theirs[1]).splitlines()))


def purges(tools, checks, scratch):
    for folder in found("*/snapshots", tools.version) + found("*/ensemble-3", tools.version):
        copies = [scratch / f"{tools.version}-{folder.parent.name}-{folder.name}-{side}" for side in ("ours", "theirs")]
        for copy in copies:
            shutil.copytree(folder, copy)
        with checks.claim(f"{tools.version} purges {folder.relative_to(DIRS)} as we do"):
            codes = tools.ours("zkCleanup.sh", copies[0], "-n", 3)[0], tools.theirs("PurgeTxnLog", copies[1], "-n", 3)[0]
            left = [sorted(path.name for path in (copy / "version-2").iterdir()) for copy in copies]
            same((codes[0], left[0]), (codes[1], left[1]))


def copies(tools, checks, scratch):
    """What one kind writes: the same bytes as the other's, but for the space written ahead."""
    log = DIRS / "3.9.3" / "plain" / "version-2" / "log.3a"
    for side in ("ours", "theirs"):
        (scratch / f"{tools.version}-{side}").mkdir()
    ours, theirs = (shutil.copy(log, scratch / f"{tools.version}-{side}" / "log.3a") for side in ("ours", "theirs"))
    with checks.claim(f"{tools.version} chops as we do"):
        chopped = [tools.ours("zkTxnLogToolkit.sh", "-c", "-z", "0x3c", ours), tools.theirs("persistence.TxnLogToolkit", "-c", "-z", "0x3c", theirs)]
        same(*chopped)
        same(*(pathlib.Path(f"{path}.chopped60").read_bytes() for path in (ours, theirs)))
    with checks.claim(f"{tools.version} recovers as we do"):
        for path in (ours, theirs):
            content = bytearray(pathlib.Path(path).read_bytes())
            content[77 + 12] ^= 1
            pathlib.Path(path).write_bytes(content)
        fixed = [tools.ours("zkTxnLogToolkit.sh", "-r", "-y", ours), tools.theirs("persistence.TxnLogToolkit", "-r", "-y", theirs)]
        same(*(text.replace(str(path), "LOG") for (_, text), path in zip(fixed, (ours, theirs))))
        same(*(pathlib.Path(f"{path}.fixed").read_bytes().rstrip(b"\0") for path in (ours, theirs)))


def main():
    checks = Checks("toolkit")
    scratch = pathlib.Path(tempfile.mkdtemp())
    try:
        links = scratch / "bin"
        links.mkdir()
        for script in ("zkTxnLogToolkit", "zkSnapShotToolkit", "zkSnapshotRecursiveSummaryToolkit", "zkSnapshotComparer", "zkCleanup"):
            (links / f"{script}.sh").symlink_to(program())
        for script in sorted(links.iterdir()):
            with checks.claim(f"{script.name} answers by its name"):
                said = subprocess.run([script, "--help"], capture_output=True, text=True, timeout=60)
                assert said.returncode == 0 and "Example" in said.stdout, said
        for version in ("3.8", "3.9"):
            if classes(version) is None:
                print(f"toolkit: no classes of Apache ZooKeeper {version}: passed over", flush=True)
                continue
            tools = Tools(version, links)
            logs(tools, checks)
            snapshots(tools, checks)
            pairs(tools, checks)
            purges(tools, checks, scratch)
            copies(tools, checks, scratch)
    finally:
        shutil.rmtree(scratch)
    checks.finish()


if __name__ == "__main__":
    main()
