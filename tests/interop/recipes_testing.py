"""The recipes of docs/testing.md, run as they stand there.

A block with `file=NAME` behind its language is that file. Each language is a folder, with a command that runs its tests; blocks
of YAML are looked at by check-jsonschema. A toolchain that is not there is passed over, and said so.

QUORATE_BIN is the program under test.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from ensemble import ROOT, SERVER_CMD, Checks
from tours import BUILD, java_classpath

PAGE = ROOT / "docs/testing.md"
BLOCK = re.compile(r"^```(\w+) file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BIN = pathlib.Path(sys.executable).parent
JUNIT = "/usr/share/java/junit4.jar:/usr/share/java/hamcrest-core.jar:/usr/share/java/hamcrest.jar"
CARGO = f"""[package]
name = "recipe"
version = "0.0.0"
edition = "2024"

[workspace]

[dev-dependencies]
quorate-testing = {{ path = "{ROOT}/tests/testing" }}
tokio = {{ version = "1", features = ["rt", "time", "macros"] }}
zookeeper-client = {{ version = "=0.11.2", features = ["tokio", "tls", "sasl-digest-md5"] }}
"""
GO_PROGRAM = shutil.which("go") or BIN / "go"
GO_MOD = "module recipe\n\ngo 1.21\n\nrequire github.com/go-zookeeper/zk v1.0.4\n"


def run(folder, *command, **environment):
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def python(folder):
    said = run(folder, sys.executable, "-m", "pytest", "-q", ".")
    assert "1 passed" in said, said


def java(folder):
    jars = f"{java_classpath()}:{JUNIT}"
    run(folder, "javac", "-cp", jars, *sorted(folder.glob("*.java")))
    said = run(folder, "java", "-cp", f"{folder}:{jars}", "org.junit.runner.JUnitCore", "FailoverTest")
    assert "OK (1 test)" in said, said


def go_format(folder):
    assert not run(folder, GO_PROGRAM, "fmt", "./...", GOTOOLCHAIN="local", GOFLAGS="-mod=mod"), "go fmt would change it"


def go(folder):
    run(folder, GO_PROGRAM, "vet", "./...", GOTOOLCHAIN="local")
    said = run(folder, GO_PROGRAM, "test", "-v", "./...", GOTOOLCHAIN="local")
    assert "PASS: TestWhatWasWrittenIsRead" in said, said


def has_go_module(folder):
    """Whether the client can be fetched; its sums stand in the folder then."""
    done = subprocess.run([GO_PROGRAM, "mod", "tidy"], cwd=folder, env=os.environ | {"GOTOOLCHAIN": "local"}, capture_output=True)
    return done.returncode == 0


def rust(folder):
    (folder / "Cargo.toml").write_text(CARGO)
    (folder / "src").mkdir()
    (folder / "src/lib.rs").touch()
    # Shared with the tour, whose client is the same.
    said = run(folder, "cargo", "test", "--target-dir", BUILD / "rust")
    assert "what_was_written_survives_the_leader ... ok" in said, said


def yaml(folder):
    for workflow in sorted(folder.rglob("*.yml")):
        run(folder, BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow)


NEEDS = {
    "java": lambda: shutil.which("javac") and os.path.exists("/usr/share/java/junit4.jar"),
    "go": lambda: os.path.exists(GO_PROGRAM),
    "rust": lambda: shutil.which("cargo"),
    "yaml": lambda: (BIN / "check-jsonschema").exists(),
}


def main():
    checks = Checks("testing")
    os.environ["QUORATE_BIN"] = shutil.which(SERVER_CMD[0]) or SERVER_CMD[0]
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="quorate-testing-"))
    files = BLOCK.findall(PAGE.read_text())
    languages = dict.fromkeys(language for language, _, _ in files)
    wanted = sys.argv[1:] or list(languages)
    with checks.claim("the page has recipes of five kinds"):
        assert set(languages) == {"python", "java", "go", "rust", "yaml"}, list(languages)
    for language in wanted:
        if not NEEDS.get(language, lambda: True)():
            print(f"testing: no toolchain for {language}: its recipe was not run")
            continue
        folder = scratch / language
        for _, name, text in (file for file in files if file[0] == language):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        if language == "go":
            (folder / "go.mod").write_text(GO_MOD)
            with checks.claim("the go recipe is parsed, and formatted"):
                go_format(folder)
            if not has_go_module(folder):
                print("testing: the module of the go recipe cannot be fetched: it was not run")
                continue
        with checks.claim(f"the {language} recipe does what its page says"):
            globals()[language](folder)
    if not checks.failed:
        shutil.rmtree(scratch)
    checks.finish()


if __name__ == "__main__":
    main()
