"""Every four-letter word, sent to Quorate and to Apache ZooKeeper 3.8 and 3.9 in the same state, and compared line for line.

    words.py [--keep]

Alone, as a leader, a follower and an observer: the same clients ask the same in the same order, own ephemerals, watch
nodes, and one says nothing. All words are asked; then all again behind `crst`, `srst` and `stmk`; then without a quorum;
and where the whitelist has none of them.

What may differ is named below and nowhere else: versions, times, sizes of files, what is Java's; ids, ports and directories
get names; what Apache prints in the order of a hash table stands in order; epochs do not count.
"""

import difflib
import re
import socket
import struct
import sys

import apache
from attacks import raw
from ensemble import APACHE, QUORATE, Checks, Ensemble, wait_for
from wire import GET_CHILDREN, GET_DATA, SYNC, Link, ask_many, create, text

ASKED = "ruok srvr stat cons conf envi isro dirs dump wchs wchc wchp mntr hash gtmk".split()
RESETS = "crst srst stmk".split()
MASK = 0x1FE
OBSERVER = 3
# Every 128 transactions leave a line for `hash`.
NODES = 300

# What `mntr` shows here and not in Apache.
OURS = "quorate_"
# What it has to show, to the number.
COUNTED = """
    zk_server_state zk_peer_state zk_num_alive_connections zk_outstanding_requests zk_znode_count zk_watch_count
    zk_ephemerals_count zk_approximate_data_size zk_global_sessions zk_local_sessions zk_packets_received zk_packets_sent
    zk_max_file_descriptor_count zk_quorum_size zk_learners zk_synced_followers zk_synced_observers
    zk_synced_non_voting_followers zk_pending_syncs zk_last_proposal_size zk_min_proposal_size zk_max_proposal_size
""".split()
# 3.8 counts a recursive watch twice.
OTHERWISE_IN_38 = {"zk_watch_count"}

FREE = [
    (r"3\.\d+\.\d+-\S+, built on [-0-9]+ [0-9:]+ UTC", "VERSION"),
    (r"(?m)^Latency min/avg/max: \d+/\d+\.\d+/\d+$", "Latency min/avg/max: N"),
    (r"\b(est|lresp|llat|minlat|avglat|maxlat)=\d+", r"\1=N"),
    (r"(?m)^(datadir_size: |logdir_size: |dataDirSize=|dataLogSize=)\d+$", r"\1N"),
    # The digest sums up times.
    (r"(?m)^([0-9a-f]+): \d+$", r"\1: N"),
    (r"(?m)^(host\.name|java\.[a-z.]+|user\.name|os\.memory\.[a-z]+)=.*$", r"\1=..."),
    # Sessions that expire at one time: how they fall into ticks is chance.
    (r"(?m)^(\w+ Sets) \(\d+\)/", r"\1 (N)/"),
    (r"(?m)^\d+ expire at .* UTC \d{4}:\n", ""),
    # The epoch.
    (r"(?m)(zxid[=:] ?0x|^)[1-9a-f][0-9a-f]{0,7}([0-9a-f]{8})\b(?!\t)", r"\1E\2"),
]


class Side:
    """Ensembles of one kind, one server alone and three together, and the clients that give them their state."""

    def __init__(self, kind, servers, whitelist="*"):
        self.kind, self.names, self.links, self.silent = kind, {}, [], []
        self.e = Ensemble(
            servers,
            tick_ms=2000,
            kinds={sid: kind for sid in range(1, servers + 1)},
            observers=[OBSERVER] if servers > 1 else [],
            extra=[f"4lw.commands.whitelist={whitelist}", "extendedTypesEnabled=true"],
        )
        self.names |= {str(self.e.home(sid)): f"HOME{sid}" for sid in self.e.ids}
        for sid in self.e.ids:
            for what in ("client_port", "quorum_port", "election_port"):
                self.name_port(getattr(self.e, what)[sid], f"{what}{sid}")

    def wait_serving(self):
        if len(self.e.ids) == 1:
            wait_for("it to serve alone", lambda: self.e.field(1, "Mode") == "standalone")
            self.roles = {1: "alone"}
            return
        self.leader = self.e.wait_serving()
        self.roles = {sid: "follower" for sid in self.e.ids} | {self.leader: "leader", OBSERVER: "observer"}

    def name_port(self, port, name):
        self.names[str(port)] = name

    def furnish(self):
        for sid in self.e.ids:
            # What asked whether it serves is not to count.
            self.ask(sid, "srst")
        for sid in self.sids():
            for letter in "ab":
                self.join(sid, f"{self.roles[sid]}-{letter}")
        nodes = [create("/w", b"top"), *(create(f"/w/{n:03}", b"1") for n in range(NODES))]
        for reply in ask_many(self.links[0], nodes):
            assert reply.err == 0, reply
        for n, link in enumerate(self.links):
            home = f"/w/{n:03}"
            for request in (
                create(f"{home}/mine", b"", raw.EPHEMERAL),
                create(f"{home}/also", b"", raw.EPHEMERAL),
                raw.read(GET_DATA, home, watch=True),
                raw.read(GET_DATA, "/w", watch=True),
                raw.read(GET_CHILDREN, "/w", watch=True),
                raw.read(raw.EXISTS, f"{home}/none", watch=True),
                (raw.ADD_WATCH, text(home) + struct.pack(">i", n % 2)),
            ):
                assert link.ask(n, request).err in (0, -101)
        # All have all now.
        for link in self.links:
            assert link.ask(99, (SYNC, text("/"))).err == 0
        for sid in self.sids():
            self.silent.append(socket.create_connection(("127.0.0.1", self.e.client_port[sid])))
            self.name_port(self.silent[-1].getsockname()[1], "silent")

    def sids(self):
        """One role after the other, so that both sides ask in one order."""
        return sorted(self.e.ids, key=lambda sid: self.roles[sid])

    def join(self, sid, name):
        link = Link(self.e.client_port[sid])
        self.links.append(link)
        self.names[f"0x{link.session:x}"] = f"session-{name}"
        self.name_port(link.socket.getsockname()[1], name)

    def ask(self, sid, word):
        """The answer without what may differ."""
        with socket.create_connection(("127.0.0.1", self.e.client_port[sid]), timeout=20) as link:
            own = {str(link.getsockname()[1]): "own"}
            link.sendall(word.encode() + (struct.pack(">q", MASK) if word == "stmk" else b""))
            answer = b""
            while chunk := link.recv(65536):
                answer += chunk
        return normal(word, answer.decode(), self.names | own)

    def answers(self):
        """By word, state and role."""
        self.furnish()
        found = {}
        for state, words in (("", ASKED), ("", RESETS), ("behind the resets", ASKED)):
            for word in words:
                for sid in self.sids():
                    found[word, state, self.roles[sid]] = self.ask(sid, word)
        if len(self.e.ids) > 1:
            self.e.kill(next(sid for sid, role in self.roles.items() if role == "follower"))
            left = [self.leader, OBSERVER]
            for sid in left:
                wait_for("the quorum to be gone", lambda sid=sid: "not currently" in self.e.word(sid))
            for word in [*ASKED, *RESETS]:
                for sid in left:
                    found[word, "without a quorum", self.roles[sid]] = self.ask(sid, word)
        return found

    def close(self):
        for link in self.silent:
            link.close()
        self.e.close()


class Closed(Side):
    """A server that lets nobody ask anything."""

    def __init__(self, kind):
        super().__init__(kind, 1, whitelist="ruok")

    def wait_serving(self):
        self.roles = {1: "alone"}
        wait_for("it to answer", lambda: self.e.word(1, "ruok"))

    def answers(self):
        return {
            (word, "not in the whitelist", "alone"): self.ask(1, word) for word in [*ASKED, *RESETS]
        }


def normal(word, answer, names):
    for exact in sorted(names, key=len, reverse=True):
        where = r"(?<=[:=])" if exact.isdigit() else ""
        answer = re.sub(rf"{where}{re.escape(exact)}\b", names[exact], answer)
    for pattern, plain in FREE:
        answer = re.sub(pattern, plain, answer)
    return answer if word == "mntr" else in_order(answer)


def in_order(answer):
    """Lines that begin with a blank, and blocks of a session or path and what is indented below it, in order."""
    out, blocks = [], []
    for line in answer.splitlines(keepends=True):
        if line.startswith("\t") and blocks and not blocks[-1][0].startswith("\t"):
            blocks[-1].append(line)
        elif re.match(r"session-|/|\t| /", line):
            blocks.append([line])
        else:
            out += [*flat(blocks), line]
            blocks = []
    return "".join(out + flat(blocks))


def flat(blocks):
    return [line for block in sorted(block[:1] + sorted(block[1:]) for block in blocks) for line in block]


def compared(word, ours, theirs, version):
    """What differs, as lines."""
    if word == "mntr" and "\t" in ours:
        return compared_numbers(numbers(ours), numbers(theirs), version)
    sides = theirs.splitlines(), ours.splitlines(), f"Apache {version}", "Quorate"
    return list(difflib.unified_diff(*sides, n=1, lineterm=""))


def numbers(answer):
    return dict(line.split("\t", 1) for line in answer.splitlines())


def compared_numbers(ours, theirs, version):
    free = OTHERWISE_IN_38 if version == "3.8" else set()
    wrong = [
        f"{name} is {ours.get(name)}, in Apache {theirs.get(name)}"
        for name in COUNTED
        if name not in free and ours.get(name) != theirs.get(name)
    ]
    if version != "3.8":
        wrong += [f"{name} is not Apache's" for name in ours if name not in theirs and OURS not in name]
    return wrong


def main():
    checks = Checks("words")
    versions = [version for version in ("3.8", "3.9") if version == "3.8" or apache.has(version)]
    kinds = [QUORATE, *(f"{APACHE}-{version}" for version in versions)]
    sides = [make for kind in kinds for make in (Side(kind, 1), Side(kind, 3), Closed(kind))]
    found = {kind: {} for kind in kinds}
    with checks.claim("all serve"):
        for side in sides:
            side.e.start()
        for side in sides:
            side.wait_serving()
        for side in sides:
            found[side.kind] |= side.answers()
    for side in sides:
        side.e.keep = "--keep" in sys.argv
        side.close()
    for version in versions:
        theirs = found[f"{APACHE}-{version}"]
        for word in [*ASKED, *RESETS]:
            states = [key for key in theirs if key[0] == word]
            with checks.claim(f"{word} is answered as {version} does, in {len(states)} states", quiet=True):
                wrong = []
                for key in states:
                    different = compared(word, found[QUORATE].get(key, "nothing"), theirs[key], version)
                    wrong += [f"{' '.join(key[1:])}:", *different] if different else []
                assert not wrong, "\n".join(["", *wrong])
    checks.finish()


if __name__ == "__main__":
    main()
