"""What a case is. A module of cases calls `case(...)` on each function; the table keeps their order."""

import dataclasses
import typing

CASES = {}


class Unexpected(Exception):
    """The servers answered an attacker in a way that they should not."""


@dataclasses.dataclass
class Case:
    name: str
    # The number in the list of what did not hold once; "held" for what always did.
    item: str
    # What the attacker does, with the full form's numbers.
    what: str
    run: typing.Callable
    # What a server's resident memory may grow by, in MB.
    memory_mb: int
    # Changes of leader that belong to the story: the case itself kills one.
    elections: int = 0
    # Which ensemble (arena.py SETUPS).
    setup: str = "plain"
    # Where the well-behaved clients may wait, since the case stops servers itself.
    pauses: bool = False
    # In the form of three minutes too.
    short: bool = True
    # What every server's log may grow by, in KB.
    log_kb: int = 512


def case(item, what, memory_mb=200, **more):
    def keep(function):
        name = function.__name__
        assert name not in CASES, name
        CASES[name] = Case(name, item, what, function, memory_mb, **more)
        return function

    return keep
