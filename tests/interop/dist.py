"""What `make dist` and `make deb` make: the same bytes twice, and what is in them works where it is put.

The package is installed into a directory with a database of its own (dpkg --root), nothing is left on this machine. What is not
there (cargo-deb, lintian, dpkg, systemd, man) is passed over, and said so.
"""

import contextlib
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from ensemble import ROOT, SERVER_CMD, Checks

DIST = ROOT / "target/dist"


def run(*command, **named):
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        **named,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stdout[-3000:]}"
    return done.stdout


def make(target):
    """The one file that it made."""
    # The program that was built for the other tests.
    environment = os.environ | {"PROGRAM": shutil.which(SERVER_CMD[0]) or SERVER_CMD[0]}
    run("make", "-C", ROOT, target, env=environment)
    kind = {"dist": "*.tar.gz", "deb": "*.deb"}[target]
    (made,) = DIST.glob(kind)
    return made


def scripts():
    lines = (ROOT / "Makefile").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("SCRIPTS ")]
    return line.partition("=")[2].split()


def program_works(bin):
    assert run(bin / "quorate", "--version").startswith("quorate ")
    for script in scripts():
        assert "Usage:" in run(bin / f"{script}.sh", "--help"), script


def manuals_are_good(folder):
    pages = sorted(folder.glob("*.1*"))
    assert len(pages) >= 5, pages
    for page in pages:
        assert not run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page, env=os.environ | {"MANWIDTH": "100"}).count("warning:"), page


def tarball(checks, scratch):
    with checks.claim("make dist makes the same bytes twice"):
        made = make("dist")
        first = hashlib.sha256(made.read_bytes()).hexdigest()
        assert hashlib.sha256(make("dist").read_bytes()).hexdigest() == first
    with checks.claim("the tarball holds a program that runs, by each name"):
        run("tar", "-xzf", made, "-C", scratch)
        (top,) = scratch.iterdir()
        program_works(top / "bin")
    with checks.claim("and completions and licences beside it"):
        run("bash", "-n", top / "share/bash-completion/completions/quorate")
        licences = (top / "share/doc/quorate/LICENSES-OF-DEPENDENCIES").read_text()
        for crate in ("tokio ", "rustls ", "ring "):
            assert f"\n  {crate}" in licences, crate
    passed_over(checks, "man", "manual pages", lambda: manuals_are_good(top / "share/man/man1"))
    passed_over(checks, "systemd-analyze", "units", lambda: unit_is_good(top, scratch))


def unit_is_good(top, scratch):
    unit = (top / "lib/systemd/system/quorate.service").read_text()
    here = scratch / "quorate.service"
    # The user and the program of the unit are not on this machine.
    here.write_text(unit.replace("/usr/local/bin", str(top / "bin")).replace("=zookeeper\n", "=daemon\n"))
    said = run("systemd-analyze", "verify", "--man=no", here)
    assert not [line for line in said.splitlines() if "quorate.service" in line], said


def passed_over(checks, program, what, claim):
    if not shutil.which(program):
        print(f"dist: there is no {program}: {what} were not looked at")
        return
    with checks.claim(f"{what} are good ({program})"):
        claim()


def package(checks, scratch):
    with checks.claim("make deb makes a package"):
        made = make("deb")
    if shutil.which("lintian"):
        with checks.claim("lintian finds no error", quiet=True):
            run("lintian", "--fail-on", "error", "--allow-root", made)
    root = scratch / "root"
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates"):
        (root / folder).mkdir(parents=True)
    for file in ("status", "available"):
        (root / "var/lib/dpkg" / file).touch()
    dpkg = ["dpkg", f"--root={root}", "--force-depends", "--force-not-root", "--force-script-chrootless"]
    with checks.claim("it can be unpacked and removed, and starts nothing"):
        run(*dpkg, "--unpack", made)
        program_works(root / "usr/bin")
        # It gets its name when the package is configured, and that is for the machine itself.
        assert [path.name for path in (root / "etc").rglob("*") if path.is_file()] == ["quorate.dpkg-new"]
        unit = (root / "usr/lib/systemd/system/quorate.service").read_text()
        assert "ExecStart=/usr/bin/quorate " in unit and "ConditionPathExists=/etc/zookeeper/zoo.cfg" in unit
        run(*dpkg, "--purge", "quorate")
        left = [path for path in root.rglob("*") if path.is_file() and "dpkg" not in path.parts]
        assert not left, left


def main():
    checks = Checks("dist")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="quorate-dist-"))
    for name, part in (("tarball", tarball), ("package", package)):
        (scratch / name).mkdir()
        if part is package and not (shutil.which("cargo-deb") and shutil.which("dpkg")):
            print("dist: there is no cargo-deb or no dpkg: the package was not made")
            continue
        # A claim that failed is told already.
        with contextlib.suppress(UnboundLocalError):
            part(checks, scratch / name)
    shutil.rmtree(scratch)
    checks.finish()


if __name__ == "__main__":
    main()
