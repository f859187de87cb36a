"""How long a client that writes one thing after another goes without an ack when the leader ends: SIGKILL beside SIGTERM.

    SERVER_CMD="target/release/quorate server start-foreground" tests/bench/stops.py [ROUNDS]

The client is connected to the leader, so that its own connection goes, too; it comes to another server with its session.
Prints milliseconds: median, least and most of each, and each round.
"""

import contextlib
import pathlib
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))

from ensemble import Ensemble, wait_for  # noqa: E402
from wire import Link, create, set_data  # noqa: E402

TICK_MS = 2000


class Writer(threading.Thread):
    """Writes to one server after another, and keeps the times of its acks."""

    def __init__(self, ports):
        super().__init__(daemon=True)
        self.ports, self.acks, self.ends = ports, [], threading.Event()
        self.link = Link(ports[0])
        self.write = set_data("/stops", b"x" * 100)
        self.start()

    def run(self):
        at = 0
        while not self.ends.is_set():
            try:
                if self.link is None:
                    self.link = Link(self.ports[at], self.session, self.password, timeout_ms=30000, patience=0.5)
                if self.link.ask(1, self.write, 5).err == 0:
                    self.acks.append(time.monotonic())
            except (OSError, TimeoutError):
                if self.link is not None:
                    self.session, self.password = self.link.session, self.link.password
                    with contextlib.suppress(OSError, KeyError, ValueError):
                        self.link.close(end_session=False)
                self.link, at = None, (at + 1) % len(self.ports)
                time.sleep(0.001)

    def finish(self):
        """The longest time without an ack."""
        self.ends.set()
        self.join()
        with contextlib.suppress(OSError):
            self.link.close()
        return max(later - earlier for earlier, later in zip(self.acks, self.acks[1:]))


def one_round(made, end):
    leader = wait_for("a leader", made.leader)
    others = [sid for sid in made.ids if sid != leader]
    writer = Writer([made.client_port[sid] for sid in [leader, *others]])
    time.sleep(1)
    end(leader)
    time.sleep(2)
    gap = 1000 * writer.finish()
    made.stop(leader)
    made.start(leader)
    wait_for("the servers to serve", lambda: all(made.field(sid, "Mode") for sid in made.ids))
    # The election behind it is long over.
    time.sleep(1)
    return gap


def main(rounds):
    with contextlib.closing(Ensemble(3, tick_ms=TICK_MS)) as made:
        made.start()
        wait_for("the servers to serve", lambda: all(made.field(sid, "Mode") for sid in made.ids))
        link = Link(made.client_port[1])
        link.ask(1, create("/stops", b""))
        link.close()
        ends = {"SIGKILL": lambda sid: made.processes[sid].kill(), "SIGTERM": lambda sid: made.processes[sid].terminate()}
        gaps = {name: [] for name in ends}
        for _ in range(rounds):
            for name, end in ends.items():
                gaps[name].append(one_round(made, end))
        for name, measured in gaps.items():
            each = " ".join(f"{gap:.1f}" for gap in measured)
            print(f"{name}  median {statistics.median(measured):.1f}  {min(measured):.1f} to {max(measured):.1f}  ({each})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
