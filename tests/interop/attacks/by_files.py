"""The log, the disk and the data directory."""

import contextlib
import os
import ssl
import stat
import struct
import subprocess
import time

from attacks import peers, raw
from attacks.arena import wait_for_end
from attacks.case import Unexpected, case
from attacks.setups import FORGED_LINE
from ensemble import SERVER_CMD
from wire import Link, create


@case(
    "9",
    "line breaks in election addresses, schemes, credentials and paths: do they make lines of the log?",
    memory_mb=100,
)
def forged_lines(arena):
    line = f"x\n{FORGED_LINE}\r\n{FORGED_LINE}\n"
    for port in arena.e.election_port.values():
        # A smaller id is dialled back, a greater one is answered.
        for sid in (3_000, 3_001, 0, -7):
            raw.drop(said(arena, port, peers.handshake(sid, line) + peers.notification(0, 1, 1, 1, 1)))
    for data in (
        raw.auth(line, b"x"),
        raw.auth("digest", line.encode()),
        raw.auth("ensemble", line.encode()),
        raw.auth("sasl", line.encode()),
    ):
        client = raw.Client(arena, arena.port())
        client.talk(data, 1, 3)
        client.drop()
    client = raw.Client(arena, arena.port())
    client.talk(raw.frame(1, raw.read(4, f"/{line}")) + raw.frame(2, create(f"/{line}", b"")), 2, 3)
    client.drop()
    return no_line_forged(arena)


@case("9", "line breaks in the subjects of certificates, trusted and not", setup="tls", memory_mb=100, log_kb=64)
def forged_subjects(arena):
    port, shown = arena.secure_port[arena.leader], 0
    for name in ("client", "stranger"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(arena.folder / f"{name}.crt", arena.folder / f"{name}.key")
        with contextlib.suppress(OSError), context.wrap_socket(raw.dial(port)) as link:
            link.sendall(raw.hello() + raw.auth("x509", b"x") + raw.frame(1, (107, b"")))
            link.settimeout(2)
            shown += bool(link.recv(1_000))
    return f"{shown} of 2 let in, {no_line_forged(arena)}"


def no_line_forged(arena):
    time.sleep(0.5)
    forged = []
    for sid in arena.e.ids:
        text = (arena.e.home(sid) / "server.log").read_text(errors="replace")
        forged += [sid for one in text.splitlines() if one.startswith(FORGED_LINE)]
    if forged:
        raise Unexpected(f"{len(forged)} lines forged, at servers {sorted(set(forged))}")
    return "no line forged"


def said(arena, port, data):
    link = raw.dial(port)
    link.sendall(data)
    arena.spent(links=1, packets=1, bytes=len(data))
    return link


def shout(arena, seconds):
    """Everything that a server may want to say something about, as fast as it goes."""
    election, quorum = list(arena.e.election_port.values()), arena.e.quorum_port[arena.leader]
    long = "n" * 2_000
    refused = raw.auth("n" * 100_000, b"x" * 100_000)
    deadline, n = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        n += 1
        try:
            raw.drop(
                said(arena, election[n % 3], peers.handshake(4_000 + n, long) + peers.notification(9, 1, 1, 1, 1) * 20)
            )
            raw.drop(said(arena, election[n % 3], struct.pack(">qqi", -7, n, 4_000)))
            raw.drop(said(arena, quorum, peers.packet(88, n)))
            raw.drop(said(arena, arena.port(), struct.pack(">i", -n)))
            if n % 20 == 0:
                client = raw.Client(arena, arena.port())
                client.talk(refused, 1, 1)
                client.drop()
                raw.crowd(
                    arena,
                    arena.port(),
                    20,
                    raw.hello() + raw.frame(1, (77, b"")) + raw.frame(2, (1, b"\xff" * 9)),
                    1,
                    2,
                )
        except OSError:
            pass
    return f"{n} rounds"


@case("9", "refused identities, bad handshakes, packets and frames for 20 s: how much is written?", log_kb=512)
def log_flood(arena):
    return shout(arena, arena.pick(3, 20))


@case("9", "the same, and nobody reads the servers' standard error", setup="unread")
def log_unread(arena):
    return shout(arena, arena.pick(3, 20))


@case(
    "9",
    "70 identities of a scheme that is not known, 1 MB each: the log lies in dataDir, the volume has 60 MB",
    setup="small_volumes",
)
def log_on_a_small_volume(arena):
    for _ in range(70):
        client = raw.Client(arena, arena.port())
        client.talk(raw.auth("n" * 1_000_000, b"x"), 1, 2)
        client.drop()
    written = (arena.e.home(arena.leader) / "data" / "log").stat().st_size
    if written > 512_000:
        raise Unexpected(f"log +{written // 1000} KB")
    return f"log {written // 1000} KB"


@case("held", "the leader's volume is full", setup="small_volumes", elections=2, pauses=True)
def disk_full(arena):
    sid, data = arena.leader, arena.e.home(arena.leader) / "data"
    with open(data / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    # What the log has reserved is used up.
    with contextlib.suppress(OSError, TimeoutError):
        link = Link(arena.port())
        for n in range(5):
            link.ask(n, create(f"/full{n}", bytes(500_000)), 5)
    code = wait_for_end(arena.e.processes[sid], 10)
    (data / "filler").unlink()
    if code is None:
        return "the server lives"
    arena.e.processes.pop(sid)
    return f"the server ended with {code}, and came back"


@case("11", "who else on the machine reads the data: modes of files and directories", memory_mb=100)
def modes(arena):
    open_to_all = []
    for sid in arena.e.ids:
        data = arena.e.home(sid) / "data" / "version-2"
        for path in [data, *data.rglob("*")]:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & (0o027 if path.is_dir() else 0o137):
                open_to_all.append(f"{path.name} {mode:o}")
    if open_to_all:
        raise Unexpected(f"{len(open_to_all)} are open, such as {open_to_all[0]}")
    return "0640 and 0750"


@case("11", "a data directory that cannot be made: exit code 3, as the guide says", memory_mb=100)
def exit_code(arena):
    config = arena.folder / "zoo.cfg"
    (arena.folder / "file").write_text("none may be made below")
    config.write_text(f"tickTime=2000\ndataDir={arena.folder}/file/data\nclientPort=0\nadmin.enableServer=false\n")
    ended = subprocess.run(
        [*SERVER_CMD, str(config)], capture_output=True, timeout=20, cwd=arena.folder, env=os.environ
    )
    if ended.returncode != 3:
        raise Unexpected(f"exit code {ended.returncode}")
    return "3"
