"""What `make torture` does to servers, a function each: a generator that inflicts a fault under load, yields whom it met,
and takes it back. Beside it stands what of the machine (stage.py) it needs, and how often it comes in both forms.
"""

import dataclasses
import time
import typing

from ensemble import wait_for

FAULTS = {}
# How long a fault with `held` lasts: twice a syncLimit.
HELD_S = 4
HOUR_S = 3600


@dataclasses.dataclass
class Fault:
    name: str
    what: str
    run: typing.Callable
    needs: str
    short: int
    full: int
    # It lasts for HELD_S under load.
    held: bool
    # Every session of the load outlives it.
    keeps_sessions: bool


def fault(what, short, full, needs="", held=False, keeps_sessions=False):
    def keep(function):
        name = function.__name__
        said = f"{what} for {HELD_S} s" if held else what
        FAULTS[name] = Fault(name, said, function, needs, short, full, held, keeps_sessions)
        return function

    return keep


def two_others(stage, sid):
    return [other for other in stage.e.ids if other != sid]


def role(stage, sid):
    return "leader" if sid == stage.leader else "follower"


@fault("SIGKILL", short=5, full=100)
def killed(stage):
    sid = stage.victim()
    stage.e.kill(sid)
    time.sleep(stage.draw.choice([0, stage.draw.uniform(0, 2)]))
    yield f"{role(stage, sid)} {sid}"
    stage.e.start(sid)


@fault("all three killed at once", short=1, full=10)
def all_killed(stage):
    for sid in stage.e.ids:
        stage.e.kill(sid)
    yield "1, 2, 3"
    stage.e.start()


@fault("SIGSTOP", short=2, full=20, held=True)
def stopped(stage):
    sid = stage.victim()
    stage.e.pause(sid)
    try:
        yield f"{role(stage, sid)} {sid}"
    finally:
        stage.e.go_on(sid)


@fault("SIGTERM and a start, one after another", short=1, full=10)
def rolling(stage):
    order = [*two_others(stage, stage.leader), stage.leader]
    for sid in order:
        stage.e.stop(sid)
        stage.e.start(sid)
        stage.e.wait_serving()
    yield ", ".join(map(str, order))


def cut(stage, what, pairs):
    for sender, receiver in pairs:
        stage.cut(sender, receiver)
    try:
        yield what
    finally:
        stage.join()


@fault("cut off from both others", short=2, full=20, needs="networks", held=True)
def cut_off(stage):
    sid = stage.victim()
    pairs = [pair for other in two_others(stage, sid) for pair in ((sid, other), (other, sid))]
    yield from cut(stage, f"{role(stage, sid)} {sid}", pairs)


@fault("hears neither of the others", short=1, full=20, needs="networks", held=True)
def deaf(stage):
    sid = stage.victim()
    yield from cut(stage, f"{role(stage, sid)} {sid}", [(other, sid) for other in two_others(stage, sid)])


@fault("is heard by neither of the others", short=1, full=20, needs="networks", held=True)
def dumb(stage):
    sid = stage.victim()
    yield from cut(stage, f"{role(stage, sid)} {sid}", [(sid, other) for other in two_others(stage, sid)])


@fault("leader and one follower cut apart, the third reaches both,", short=1, full=20, needs="networks", held=True)
def cut_apart(stage):
    sid = stage.draw.choice(two_others(stage, stage.leader))
    yield from cut(stage, f"{stage.leader} and {sid}", [(sid, stage.leader), (stage.leader, sid)])


@fault("all three cut apart", short=1, full=10, needs="networks", held=True)
def all_apart(stage):
    yield from cut(stage, "1, 2, 3", [(one, other) for one in stage.e.ids for other in two_others(stage, one)])


@fault("the volume is full", short=1, full=10, needs="volumes")
def disk_full(stage):
    sid = stage.victim()
    said = role(stage, sid)
    stage.fill(sid)
    ended = has_ended(stage, sid)
    try:
        yield f"{said} {sid} {ended}"
    finally:
        stage.empty(sid)
    stage.e.start(sid)


@fault("the volume is read-only all at once", short=1, full=10, needs="volumes")
def disk_read_only(stage):
    sid = stage.victim()
    said = role(stage, sid)
    stage.make_read_only(sid)
    ended = has_ended(stage, sid)
    # Whoever starts it meanwhile is told why it cannot.
    stage.e.start(sid)
    again = has_ended(stage, sid)
    yield f"{said} {sid} {ended}, a start {again}"
    stage.make_writable(sid)
    stage.e.start(sid)


def has_ended(stage, sid):
    """The load writes all the time, so that a server that cannot write notices."""
    process = stage.e.processes[sid]
    wait_for(f"the end of server {sid}, which cannot write", lambda: process.poll() is not None, 30)
    del stage.e.processes[sid]
    assert process.returncode in (1, 3), f"server {sid} ended with {process.returncode}"
    return f"ended with {process.returncode}"


@fault("the disk stands still", short=2, full=20, needs="volumes", held=True, keeps_sessions=True)
def disk_frozen(stage):
    sid = stage.victim()
    stage.freeze(sid)
    try:
        yield f"{role(stage, sid)} {sid}"
    finally:
        stage.thaw(sid)


@fault("disks stand still for 0.3 s each, in turn, for 6 s", short=1, full=10, needs="volumes", keeps_sessions=True)
def disk_slow(stage):
    for n in range(20):
        sid = stage.e.ids[n % 3]
        stage.freeze(sid)
        time.sleep(0.3)
        stage.thaw(sid)
    yield "1, 2, 3"


@fault("clocks jump, ahead and back by hours, and home", short=1, full=10, needs="clocks", keeps_sessions=True)
def clocks_jump(stage):
    jumps = stage.draw.sample([HOUR_S, -HOUR_S, -24 * HOUR_S], 3)
    for sid, jump in zip(stage.e.ids, jumps, strict=True):
        stage.set_clock(sid, jump)
    try:
        stage.settle_clocks()
        off = stage.made_at() - time.time()
        expected = jumps[stage.e.ids.index(stage.leader)]
        assert abs(off - expected) < HOUR_S / 2, f"the leader's clock is {off:.0f} s off, not {expected}"
        yield f"{', '.join(f'{jump // HOUR_S:+d} h' for jump in jumps)}"
    finally:
        for sid in stage.e.ids:
            stage.set_clock(sid, 0)
        stage.settle_clocks()
