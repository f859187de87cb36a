"""The ensembles that cases ask for: each a function of the arena that returns what Ensemble takes."""

import os
import shutil
import socket
import subprocess
import threading

from ensemble import free_ports

# What forgers want to see at the beginning of a line of a log.
FORGED_LINE = "2026-01-01 00:00:00.000 ERROR forged"


class Missing(Exception):
    """This machine lacks what a case needs."""


def plain(arena):
    return {}


def few_descriptors(arena):
    """400 descriptors a server and no way to more, and a new log every 100 transactions."""
    return {"wrap": lambda sid: ["prlimit", "--nofile=400:400"], "extra": ["snapCount=100", "preAllocSize=256"]}


def low_soft_limit(arena):
    """200 descriptors, and 4,000 for whoever raises the limit."""
    return {"wrap": lambda sid: ["prlimit", "--nofile=200:4000"]}


def unread(arena):
    """Standard output and error go into a pipe that nobody reads."""
    for sid in (1, 2, 3):
        path = arena.folder / f"log{sid}"
        os.mkfifo(path)
        end = os.open(path, os.O_RDWR)
        arena.cleanup.callback(os.close, end)
    return {"wrap": lambda sid: ["sh", "-c", f'exec "$@" >{arena.folder}/log{sid} 2>&1', "sh"]}


def admin(arena):
    """An admin port a server."""
    arena.admin_port = dict(zip((1, 2, 3), free_ports(3), strict=True))
    lines = ["admin.serverAddress=127.0.0.1"]
    return {"extra": lines, "admin": lambda sid: [f"admin.serverPort={arena.admin_port[sid]}"]}


def tls(arena):
    """A TLS port a server; maxClientCnxns is 100. A client may show a certificate; one with line breaks is at hand."""
    if not shutil.which("openssl"):
        raise Missing("no openssl")
    where = arena.folder
    certificate(where, "ca", "/CN=ca")
    certificate(where, "server", "/CN=server", by="ca")
    # Refused, since it names another address: that is when a server says whose it is.
    certificate(where, "client", f"/CN=x\n{FORGED_LINE}\n", by="ca", address="10.9.9.9")
    certificate(where, "stranger", f"/CN=x\n{FORGED_LINE}\n")
    arena.secure_port = dict(zip((1, 2, 3), free_ports(3), strict=True))
    lines = [
        "secureClientPortAddress=127.0.0.1",
        f"ssl.keyStore.location={where}/server.pem",
        f"ssl.trustStore.location={where}/ca.pem",
        "ssl.clientAuth=want",
        "ssl.clientHostnameVerification=true",
        "maxClientCnxns=100",
    ]
    return {"extra": lines, "per_server": lambda sid: [f"secureClientPort={arena.secure_port[sid]}"]}


def certificate(where, name, subject, by=None, address="127.0.0.1"):
    """NAME.pem: key and certificate."""
    key, signed = f"{where}/{name}.key", f"{where}/{name}.crt"
    authority = ["-CA", f"{where}/{by}.crt", "-CAkey", f"{where}/{by}.key"] if by else []
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", subject, *authority]
    command += ["-keyout", key, "-out", signed, "-addext", f"subjectAltName=IP:{address}"]
    command += ["-addext", f"basicConstraints=critical,CA:{str(name == 'ca').upper()}"]
    subprocess.run(command, check=True, capture_output=True)
    (where / f"{name}.pem").write_bytes((where / f"{name}.key").read_bytes() + (where / f"{name}.crt").read_bytes())


def slow_names(arena):
    """A name server that never answers (a mount of its own over resolv.conf; needs root)."""
    if subprocess.call(["unshare", "-m", "true"], stderr=subprocess.DEVNULL):
        raise Missing("no mount namespace may be made (root?)")
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    arena.cleanup.callback(silent.close)
    try:
        silent.bind(("127.66.66.66", 53))
    except OSError as failure:
        raise Missing(f"port 53 of 127.66.66.66: {failure}") from None
    asked = arena.asked = [0]

    def count():
        while True:
            try:
                silent.recv(4096)
            except OSError:
                return
            asked[0] += 1

    threading.Thread(target=count, daemon=True).start()
    resolv = arena.folder / "resolv.conf"
    resolv.write_text("nameserver 127.66.66.66\noptions timeout:5 attempts:2\n")
    words = f'mount --bind {resolv} /etc/resolv.conf && exec "$@"'
    return {"wrap": lambda sid: ["unshare", "-m", "sh", "-c", words, "sh"]}


def small_volumes(arena):
    """Each dataDir is a volume of 60 MB (tmpfs; needs root), and the log lies there."""

    def mount():
        for sid in arena.e.ids:
            data = arena.e.home(sid) / "data"
            if subprocess.call(["mount", "-t", "tmpfs", "-o", "size=60m", "none", data], stderr=subprocess.DEVNULL):
                raise Missing("nothing may be mounted (root?)")
            arena.cleanup.callback(subprocess.call, ["umount", "-l", data], stderr=subprocess.DEVNULL)
            (data / "myid").write_text(f"{sid}\n")

    arena.mount = mount
    return {"extra": ["preAllocSize=1024"], "wrap": lambda sid: ["sh", "-c", 'exec "$@" >>data/log 2>&1', "sh"]}


small_volumes.prepare = lambda arena: arena.mount()

SETUPS = {
    setup.__name__: setup for setup in (plain, admin, few_descriptors, low_soft_limit, unread, tls, slow_names, small_volumes)
}
