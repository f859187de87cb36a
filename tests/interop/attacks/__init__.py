"""What one hostile client or a stranger on the peer ports can do, a function each, beside a well-behaved client.

    case.py             what a case is, and the table of all
    arena.py            the ensemble, the clients beside the attacker, memory, and the verdict
    raw.py              many connections and prebuilt bytes, for attackers
    peers.py            the bytes of the election and quorum ports
    by_*.py             the cases, by what the attacker uses

`attack.py` beside this folder runs them.
"""
