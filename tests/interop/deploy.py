"""The files of docs/deploy, as programs that know their kinds see them; and unit and scripts beside them.

Each claim is one program, which says what is wrong. One that is not there is passed over, and said so.
"""

import pathlib
import shutil
import subprocess
import sys

from ensemble import ROOT, Checks

DEPLOY = ROOT / "docs/deploy"
BIN = pathlib.Path(sys.executable).parent

LINTS = [
    ("shellcheck", "the entrypoint", [DEPLOY / "docker-entrypoint.sh"]),
    ("hadolint", "the Dockerfile", ["--failure-threshold", "style", DEPLOY / "Dockerfile"]),
    ("yamllint", "the style of YAML", ["-s", "-c", DEPLOY / ".yamllint", DEPLOY / "compose.yaml", DEPLOY / "kubernetes.yaml"]),
    ("kubernetes-validate", "the schema of Kubernetes", ["--strict", DEPLOY / "kubernetes.yaml"]),
    ("check-jsonschema", "the schema of Compose", ["--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]),
]


def main():
    checks = Checks("deploy")
    for name, what, arguments in LINTS:
        program = shutil.which(name, path=str(BIN)) or shutil.which(name)
        if not program:
            print(f"deploy: there is no {name}: {what} was not looked at")
            continue
        with checks.claim(f"{what} ({name})", quiet=True):
            command = [program, *map(str, arguments)]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
            assert done.returncode == 0, done.stdout
    checks.finish()


if __name__ == "__main__":
    main()
