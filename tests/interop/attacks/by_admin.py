"""The admin port: strangers who hold its connections, read slowly, or ask without end."""

import contextlib
import http.client
import socket
import time

from attacks import raw
from attacks.case import Unexpected, case
from attacks.by_requests import children
from ensemble import wait_for

HELD_MAX = 64


def status(arena, path, seconds=5, source="127.0.9.1"):
    """What a probe gets; None if nothing."""
    port = arena.admin_port[arena.leader]
    link = http.client.HTTPConnection("127.0.0.1", port, seconds, source_address=(source, 0))
    with contextlib.suppress(OSError, http.client.HTTPException):
        link.request("GET", path)
        return link.getresponse().status
    return None


def probed(arena):
    """How many of five probes are answered now."""
    return sum(status(arena, path) == 200 for path in ("/live", "/ready", "/live", "/ready", "/live"))


def holders(arena, count, data):
    links = []
    for _ in range(count):
        links.append(raw.dial(arena.admin_port[arena.leader]))
        links[-1].sendall(data)
        arena.spent(links=1, bytes=len(data))
    return links


@case("held", "all 64 connections of the admin port held by strangers, who say a byte a second", setup="admin")
def admin_held(arena):
    links = holders(arena, HELD_MAX, b"GET /live HTT")
    probed_then = probed(arena)
    for _ in range(arena.pick(3, 40)):
        time.sleep(1)
        for link in links:
            with contextlib.suppress(OSError):
                link.send(b"P")
    for link in links:
        raw.drop(link)
    wait_for("a probe to be answered once they are gone", lambda: status(arena, "/ready") == 200, 10)
    assert probed_then == 5, f"{probed_then} of 5 probes were answered meanwhile"
    return "5 of 5 probes answered meanwhile"


@case("held", "64 strangers ask the admin port for 10 MB and read a KB a second", setup="admin", memory_mb=400)
def admin_slow_readers(arena):
    children(arena, "/" + "n" * 60, arena.pick(2_000, 20_000))
    watch(arena, arena.pick(20_000, 150_000))
    ask = b"GET /commands/watches HTTP/1.1\r\nHost: x\r\n\r\n" * 20
    links = holders(arena, HELD_MAX, ask)
    for _ in range(arena.pick(3, 15)):
        time.sleep(1)
        for link in links:
            with contextlib.suppress(OSError):
                link.recv(1_000)
    for link in links:
        raw.drop(link)
    wait_for("a probe to be answered once they are gone", lambda: status(arena, "/ready") == 200, 10)
    return "probes are answered afterwards"


def watch(arena, count):
    client = raw.Client(arena, arena.port())
    data = b"".join(raw.frame(1, raw.read(raw.EXISTS, f"/none/{'w' * 50}{n}", watch=True)) for n in range(count))
    if not client.talk(data, count, 60):
        raise Unexpected("watches were not set")
    arena.cleanup.callback(client.drop)


@case("held", "20,000 requests to the admin port, each over a connection of its own", setup="admin")
def admin_storm(arena):
    count, port = arena.pick(2_000, 20_000), arena.admin_port[arena.leader]
    answered, deadline = 0, time.monotonic() + 120
    for n in range(count):
        if time.monotonic() > deadline:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as link:
            link.sendall(b"GET /commands/monitor HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answered += link.recv(12) == b"HTTP/1.1 200"
        arena.spent(links=1, bytes=70)
    if answered < count:
        raise Unexpected(f"{answered} of {count} answered")
    return f"{answered} answered"
