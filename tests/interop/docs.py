"""The commands in the README and the guides: every `sh` block is run, in order, in a scratch directory of its page, by bash with `-eu` and
pipefail. A block fails if it ends with anything but 0.

    ```sh                   is run
    ```sh background        goes on while the rest of the page is run; then it is asked to end (SIGINT), and ends well
    ```sh norun: REASON     is not run; the reason is printed

`quorate` is the server under test. A page has the machine for itself: a network, mounts and processes of its own
(in_private_namespaces), where the hosts of the examples are this one. Nothing of a page is left behind.
"""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

from ensemble import ROOT, SERVER_CMD, Checks, wait_for
from stage import PRIVATE, in_private_namespaces, must

GUIDES = ["operations", "security", "monitoring", "page", "shell", "data_directory", "backup", "testing"]
PAGES = ["README.md", *(f"docs/{name}.md" for name in GUIDES)]
HOSTS = ["zk1.example.org"]
BLOCK = re.compile(r"^```(sh|bash)\b([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 120


def blocks(page):
    """Line, what stands behind `sh`, and the commands."""
    text = page.read_text()
    for found in BLOCK.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, found[2].strip(), found[3]


class Page:
    def __init__(self, path, folder, checks):
        self.path, self.folder, self.checks = path, folder, checks
        self.behind = []
        bin = folder / "bin"
        bin.mkdir(parents=True)
        (bin / "quorate").symlink_to(shutil.which(SERVER_CMD[0]) or SERVER_CMD[0])
        self.environment = os.environ | {"PATH": f"{bin}:{os.environ['PATH']}", "HOME": str(folder)}

    def bash(self, commands, **more):
        words = ["bash", "-eu", "-o", "pipefail", "-c", commands]
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        return subprocess.Popen(words, cwd=work, env=self.environment, stdin=subprocess.DEVNULL, **more)

    def run(self):
        for line, how, commands in blocks(self.path):
            where = f"{self.path.name}:{line}"
            if how.startswith("norun"):
                with self.checks.claim(f"{where} is not run: {how.partition(':')[2].strip()}", quiet=True):
                    assert how.partition(":")[2].strip(), "it does not say why"
                continue
            with self.checks.claim(f"{where} {commands.strip().splitlines()[0][:60]}", quiet=True):
                assert how in ("", "background"), f"a block is `sh`, `sh background` or `sh norun: REASON`, not `sh {how}`"
                self.begin(commands) if how else self.one(commands)
        for commands, process in self.behind:
            with self.checks.claim(f"{self.path.name}: {commands.strip()} ends when it is asked to", quiet=True):
                process.send_signal(signal.SIGINT)
                assert process.wait(SECONDS) in (0, 130, -signal.SIGINT), f"ended with {process.returncode}"

    def one(self, commands):
        with open(self.folder / "said", "w+") as said:
            process = self.bash(commands, stdout=said, stderr=said)
            try:
                code = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                code = f"no end within {SECONDS} s"
            said.seek(0)
            assert code == 0, f"{code}\n{commands}{said.read()[-2000:]}"

    def begin(self, commands):
        """Until it has said something and is silent: it serves by then, or the commands behind it fail."""
        said = self.folder / f"said{len(self.behind)}"
        process = self.bash(f"exec {commands}", stdout=open(said, "w"), stderr=subprocess.STDOUT)
        self.behind.append((commands, process))

        def serves():
            assert process.poll() is None, f"ended with {process.returncode}: {said.read_text()[-2000:]}"
            return READY in said.read_text()

        wait_for(f"{commands.strip()} to say `{READY}`", serves, SECONDS)


# What `quorate up` says once all serve.
READY = "Ctrl-C"


def make_hosts(folder):
    must("ip", "link", "set", "lo", "up")
    hosts = folder / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {' '.join(HOSTS)}\n")
    must("mount", "--bind", hosts, "/etc/hosts")


def make_bcfks(work):
    """The file that the guide converts: nothing but Bouncy Castle makes one."""
    work.mkdir()
    (work / "password").write_text("for the store\n")
    must("keytool", "-genkeypair", "-alias", "zk1", "-keyalg", "RSA", "-dname", "CN=zk1", "-keystore", work / "key.bcfks",
         "-storetype", "BCFKS", "-storepass:file", work / "password",
         "-keypass:file", work / "password", "-providerclass", "org.bouncycastle.jce.provider.BouncyCastleProvider",
         "-providerpath", "/usr/share/java/bcprov.jar")


def main():
    in_private_namespaces("-mnpf", "--mount-proc", "--kill-child")
    checks = Checks("docs")
    if os.environ[PRIVATE] != "1":
        # The ports of the guides may belong to somebody here.
        print(f"ok   docs: passed over, {os.environ[PRIVATE]}")
        return
    folder = pathlib.Path(tempfile.mkdtemp(prefix="quorate-docs-"))
    make_hosts(folder)
    for name in sys.argv[1:] or PAGES:
        path = ROOT / name
        page = Page(path, folder / path.name, checks)
        if path.name == "operations.md":
            make_bcfks(folder / path.name / "work")
        page.run()
    if checks.failed:
        print(f"kept: {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    checks.finish()


if __name__ == "__main__":
    main()
