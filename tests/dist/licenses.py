#!/usr/bin/env python3
"""The licences of everything that is part of the program, as one text on standard output.

    licenses.py            the crates that the server is built from on this platform, by cargo metadata; no network

Each crate with its licence, and the texts that its package holds; one that several have stands once.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CARGO = os.environ.get("CARGO", "cargo")
NAMES = re.compile(r"^(license|licence|copying|copyright|notice|unlicense)", re.IGNORECASE)


def metadata():
    rustc = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    host = re.search(r"^host: (.*)$", rustc, re.MULTILINE)[1]
    command = [CARGO, "metadata", "--format-version", "1", "--locked", "--filter-platform", host]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)


def crates(found):
    """What the server links: its dependencies and theirs, without those of builds and tests."""
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    packages = {package["id"]: package for package in found["packages"]}
    own = next(id for id, package in packages.items() if package["name"] == "quorate")
    wanted, reached = [own], set()
    while wanted:
        id = wanted.pop()
        for dep in nodes[id]["deps"]:
            if any(kind["kind"] is None for kind in dep["dep_kinds"]) and dep["pkg"] not in reached:
                reached.add(dep["pkg"])
                wanted.append(dep["pkg"])
    return sorted((packages[id] for id in reached), key=lambda package: (package["name"], package["version"]))


def texts(package):
    folder = pathlib.Path(package["manifest_path"]).parent
    for path in sorted(folder.iterdir()):
        if path.is_file() and NAMES.match(path.name):
            yield path.read_text(errors="replace").strip().replace("\r\n", "\n")


def main():
    of_text, without = {}, []
    found = crates(metadata())
    print("Quorate is licensed under the Apache License 2.0. It contains these crates:\n")
    for package in found:
        name = f"{package['name']} {package['version']}"
        print(f"  {name:40} {package['license'] or 'see its text'}")
        own = list(texts(package))
        for text in own:
            of_text.setdefault(text, []).append(name)
        if not own:
            without.append(name)
    if without:
        print(f"\nWithout a text in their packages: {', '.join(without)}.")
    for text, names in of_text.items():
        print(f"\n{'=' * 100}\n{', '.join(names)}\n{'=' * 100}\n\n{text}")


if __name__ == "__main__":
    sys.exit(main())
