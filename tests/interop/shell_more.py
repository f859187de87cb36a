"""What `quorate shell` has beyond zkCli, against servers of Apache ZooKeeper and of Quorate: the same commands, the same lines.

    shell_more.py

One server of each kind: Apache's 3.6 (OLD=1), 3.8 and 3.9 where they are, and ours. An export of one is imported by the
others, and all of them are compared with each other.
"""

import os
import pathlib
import re
import signal
import subprocess
import tempfile

import apache
from ensemble import APACHE, QUORATE, SERVER_CMD, Checks, Ensemble, wait_for

NODES = """
create /app
create /app/config '{"a": 1}'
create /app/locks
create -s /app/locks/lock- x
create /app/open y world:anyone:r,ip:127.0.0.1:cdrwa
"""
EXPORTED = """\
{"path":"/","kind":"persistent","acl":["world:anyone:cdrwa"]}
{"path":"/config","kind":"persistent","data":"{\\"a\\": 1}","acl":["world:anyone:cdrwa"]}
{"path":"/locks","kind":"persistent","acl":["world:anyone:cdrwa"]}
{"path":"/locks/lock-0000000000","kind":"persistent","data":"x","acl":["world:anyone:cdrwa"]}
{"path":"/open","kind":"persistent","data":"y","acl":["world:anyone:r","ip:127.0.0.1:cdrwa"]}
"""
TREE = """\
/app [0]
|-- config [8]
|-- locks [0]
|   `-- lock-0000000000 [1, sequential]
`-- open [1]
5 nodes, 70 bytes
"""


class Shell:
    def __init__(self, connect):
        self.connect = connect

    def command(self, *words):
        return [SERVER_CMD[0], "shell", "-server", self.connect, *map(str, words)]

    def run(self, *words, code=0, **more):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, **more)
        if done.returncode != code:
            raise AssertionError(f"{words}: {done.returncode} instead of {code}: {done.stdout}{done.stderr}")
        # Where it connects to, and that it has connected.
        return re.sub(r"^Connecting to .*\n|^\nWATCHER::\n\nWatchedEvent .*\n", "", done.stdout, flags=re.MULTILINE)


def same(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r} instead of {expected!r}")


def one_kind(checks, kind, shell, folder):
    shell.run(input=NODES)
    file = folder / f"{kind}.json"
    with checks.claim(f"{kind}: a tree is drawn, counted and searched"):
        same(shell.run("tree", "/app"), TREE)
        same(shell.run("du", "-d", 0, "/app").split()[3:], ["5", "70", "/app"])
        same(shell.run("find", "/app", "-name", "lock-*", "-data", "x"), "/app/locks/lock-0000000000\n")
    with checks.claim(f"{kind}: an export comes back"):
        shell.run("export", "/app", file)
        same(file.read_text(), EXPORTED)
        same(shell.run("import", file, "/copy"), "Made 5 nodes\n")
        shell.run("import", file, "/copy", code=1)
        same(shell.run("import", file, "/copy", "--overwrite"), "Made 0 nodes, 5 overwritten\n")
        same(shell.run("--json", "export", "/copy"), EXPORTED)
    with checks.claim(f"{kind}: an edit is written once"):
        edit = {**os.environ, "VISUAL": "sed -i s/1/2/"}
        shell.run("edit", "/copy/config", env=edit)
        same(shell.run("get", "/copy/config"), '{"a": 2}\n')
        same(shell.run("edit", "/copy/config", env=edit), "Nothing was changed, and nothing was written\n")
    with checks.claim(f"{kind}: two subtrees are compared"):
        same(shell.run("diff", f"{shell.connect}/app", f"{shell.connect}/copy", code=1), "~ /config  data\n")
    with checks.claim(f"{kind}: changes are followed until Ctrl-C"):
        child = subprocess.Popen(shell.command("watch", "-f", "-d", "/copy"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            same(child.stderr.readline(), "Watching /copy and everything below it\n")
            shell.run("create", "/copy/new", "data")
            shell.run("set", "/copy/new", "other")
            shell.run("delete", "/copy/new")
            seen = []
            while len(seen) < 3:
                line = child.stdout.readline()
                if not line:
                    raise AssertionError(f"it ended: {child.stderr.read()}")
                seen += re.findall(r"(created|changed|deleted) /copy/new", line)
            same(seen, ["created", "changed", "deleted"])
        finally:
            child.send_signal(signal.SIGINT)
            code = child.wait(timeout=30)
        same(code, 0)
    return file


def main():
    checks = Checks("shell_more")
    kinds = [f"{APACHE}-{version}" for version in ("3.6", "3.9") if apache.has(version)]
    if pathlib.Path(apache.DEBIAN, "zookeeper.jar").exists():
        kinds.insert(0, f"{APACHE}-3.8")
    ensembles, exports = {}, []
    with tempfile.TemporaryDirectory(prefix="quorate-interop-") as folder:
        for kind in [*kinds, QUORATE]:
            ensembles[kind] = Ensemble(1, kinds={1: kind})
            ensembles[kind].start()
            wait_for(f"{kind} to serve", lambda: ensembles[kind].field(1, "Mode") == "standalone", 60)
            shell = Shell(f"127.0.0.1:{ensembles[kind].client_port[1]}")
            exports.append(one_kind(checks, kind, shell, pathlib.Path(folder)))
        ours = Shell(f"127.0.0.1:{ensembles[QUORATE].client_port[1]}")
        for kind in kinds:
            with checks.claim(f"{kind}: no difference to an ensemble of ours"):
                right = f"127.0.0.1:{ensembles[kind].client_port[1]}"
                same(ours.run("diff", right), "11 nodes, no difference\n")
    for ensemble in ensembles.values():
        ensemble.close()
    checks.finish()


if __name__ == "__main__":
    main()
