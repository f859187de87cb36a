"""kazoo's own test suite, as its release on PyPI has it (package kazoo.tests), against this server.

    kazoo_suite.py [--apache] [TEST...]

kazoo starts a server as `java FLAGS... org.apache.zookeeper.server.quorum.QuorumPeerMain ZOO.CFG`. A `java` that stands
first in PATH is this file again (`kazoo_suite.py java ...`): it starts SERVER_CMD in its place, and gives it the `-D` flags in
SERVER_JVMFLAGS.

SHORT=1: SHORT_FILES alone. TEST: files, or file::class::test, of kazoo/tests. `--apache`: Apache ZooKeeper in place of
SERVER_CMD (3.8, or ZK=3.9), to see what fails there too.
All tests pass but those of NOT_RUN and SKIPPED, which have a reason each; and they are as many as they were.
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import apache
from ensemble import SERVER_CMD, SHORT, Checks, free_ports

NOT_RUN = {"test_client.py::TestReconfig": "there is no reconfiguration yet"}
# What the suite passes over by itself.
SKIPPED = {
    "test_build.TestBuildEnvironment.test_zookeeper_version": "asks which release kazoo's own builds have installed",
    "test_sasl.TestSASLGSSAPIAuthentication": "there is no Kerberos",
}
# kazoo looks whether it is connected after it was told so. If the server has refused the user by then, it calls that a time-out:
# such a test is run again, so often at most.
RACES, TIMES = {"test_invalid_sasl_auth"}, 10
SHORT_FILES = ["test_client.py", "test_cache.py", "test_queue.py", "test_sasl.py"]
# So many pass, or more.
PASSED_MIN, PASSED_SHORT_MIN = 480, 140
# kazoo asks for it before there is a server: since 3.5 there are more lines in its zoo.cfg.
VERSION = "3.9.3"
HERE = pathlib.Path(__file__).resolve().parent


def java(arguments):
    """What kazoo takes for Java."""
    flags, config = [one for one in arguments if one.startswith("-D")], pathlib.Path(arguments[-1])
    log = os.open(config.with_name("zookeeper.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if "APACHE_IN_PLACE" in os.environ:
        command = [os.environ["APACHE_IN_PLACE"], *apache.command(config.parent, flags)[1:], str(config)]
    else:
        os.environ["SERVER_JVMFLAGS"] = " ".join(flags)
        command = [*SERVER_CMD, str(config)]
    os.execvp(command[0], command)


def pytest_configure(config):
    """This file is a plugin of pytest as well. kazoo makes certificates of X.509 version 1, which our TLS library takes from
    nobody: they become version 3."""
    import OpenSSL

    set_serial_number = OpenSSL.crypto.X509.set_serial_number

    def set_both(certificate, number):
        certificate.set_version(2)
        set_serial_number(certificate, number)

    OpenSSL.crypto.X509.set_serial_number = set_both


def pytest_runtest_protocol(item, nextitem):
    from _pytest.runner import runtestprotocol

    if item.name not in RACES:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in reversed(range(TIMES)):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        lost = any(report.failed and "KazooTimeoutError" in report.longreprtext for report in reports)
        if not (lost and left):
            break
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def results(report):
    """What became of each test, by its name without kazoo.tests: "passed", or what it says."""
    outcome = {}
    for one in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{one.get('classname')}.{one.get('name')}".removeprefix("kazoo.tests.")
        bad = [part for part in one if part.tag in ("failure", "error", "skipped")]
        outcome[name] = f"{bad[0].tag}: {bad[0].get('message')}".split("\n")[0] if bad else "passed"
    return outcome


def run(folder, chosen, as_apache):
    """In one process, as kazoo has one cluster for all tests."""
    import kazoo.tests

    shim = folder / "bin" / "java"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "kazoo_suite.py"} java "$@"\n')
    shim.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{shim.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(HERE),
        "ZOOKEEPER_VERSION": VERSION,
        "ZOOKEEPER_CLASSPATH": "none",
        "ZOOKEEPER_PORT_OFFSET": str(free_ports(1)[0]),
        "TMPDIR": str(folder),
        "SERVER_CMD": shlex.join(SERVER_CMD),
    }
    # With it kazoo believes ZOOKEEPER_VERSION, and not what the server says.
    environment.pop("CI", None)
    if as_apache:
        environment["APACHE_IN_PLACE"] = shutil.which("java")
    tests = pathlib.Path(kazoo.tests.__file__).parent
    command = [sys.executable, "-m", "pytest", "-p", "kazoo_suite", "-p", "no:cacheprovider", "-v", "--tb=short"]
    command += ["--timeout=60", f"--rootdir={tests}", f"--junitxml={folder}/report.xml", "-o", "junit_family=xunit1"]
    command += [f"--deselect={name}" for name in NOT_RUN]
    command += [str(tests / one) for one in chosen] or [str(tests)]
    with open(folder / "pytest.out", "w") as out:
        subprocess.run(command, env=environment, stdout=out, stderr=out, cwd=folder)
    return results(folder / "report.xml")


def reason(name):
    return next((why for known, why in SKIPPED.items() if name.startswith(known)), None)


def main():
    if sys.argv[1:2] == ["java"]:
        java(sys.argv[2:])
    as_apache = "--apache" in sys.argv
    chosen = [one for one in sys.argv[1:] if not one.startswith("--")]
    checks = Checks("kazoo_suite")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="quorate-kazoo-"))
    outcome = run(folder, chosen or (SHORT_FILES if SHORT else []), as_apache)
    passed = [name for name, what in outcome.items() if what == "passed"]
    for name, what in outcome.items():
        if what != "passed" and not (what.startswith("skipped") and reason(name)):
            with checks.claim(name, quiet=True):
                raise AssertionError(what)
    for name, why in NOT_RUN.items() | SKIPPED.items():
        print(f"     not asked: {name}: {why}")
    with checks.claim(f"{len(passed)} tests of kazoo's own suite pass", quiet=True):
        enough = 1 if chosen else PASSED_SHORT_MIN if SHORT else PASSED_MIN
        assert len(passed) >= enough, f"fewer than {enough}"
    if checks.failed:
        print(f"kept: {folder}/pytest.out", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    checks.finish()


if __name__ == "__main__":
    main()
