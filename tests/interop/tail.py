"""Transactions that one server alone has logged, as a leader has that is cut off before it dies."""

from ensemble import wait_for
from wire import create


def leave_a_tail(ensemble, leader, followers, link, count=50, seconds=4):
    """Creates /tail0, /tail1, ... over this link to the leader. The followers stand still afterwards (SIGSTOP)."""
    for sid in followers:
        ensemble.pause(sid)
    for n in range(count):
        link.send(n + 1, create(f"/tail{n}", b"never acknowledged"))

    def is_durable():
        link.pump(0)
        assert not link.replies, "acknowledged by a quorum that stands still"
        logs = (ensemble.home(leader) / "data/version-2").glob("log.*")
        newest = max(logs, key=lambda log: int(log.name.split(".")[1], 16))
        return f"/tail{count - 1}".encode() in newest.read_bytes()

    wait_for("the tail in its log", is_durable, seconds)
