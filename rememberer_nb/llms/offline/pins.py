"""Each table of beliefs by its hash, with the test tasks that it has met.

A result on test tasks means something only if the table was settled before it. So a table may
change, but not unseen: a test compares each one with its pin. Whoever changes a table either runs
it on test tasks that nobody has looked at (a bundled catalogue or site drawn anew from another
seed), or keeps the test tasks and writes down here that it has met them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

from rememberer_nb.llms.offline.beliefs import Table


class Met(NamedTuple):
    """Test tasks that a table was run on.

    `tasks` is the fingerprint of their texts (`system.plain.fingerprint` of the list), `how`
    what was run, and why if it was run again.
    """

    tasks: str
    how: str


class Pin(NamedTuple):
    """A table's SHA-256 (`table_sha256`) and what it has met; () if it has met none."""

    sha256: str
    met: tuple[Met, ...] = ()


_AGAIN = (
    "the comparison of all agents; made anew on the same tasks when the stand-in's reasons, ties "
    "between proxy records and the stream of random double Q were mended: faults, and nothing was "
    "chosen by what they did to the results"
)

PINS: Mapping[tuple[str, str], Pin] = {
    # An earlier novice had met the test tasks of an earlier catalogue (seed 20230608): it was not
    # eager to buy. It was mended first, then the catalogue was drawn anew (seed 20231210).
    ("webshop", "novice"): Pin(
        "fd35252c23bb9c5016beadef89816b74ed19534226021aabf70eb2a5ed51efda",
        (Met("2dd66f4007457b0d", f"test tasks 0..99 of that catalogue: {_AGAIN}"),),
    ),
    # No table or figure of ours has runs of this one on test tasks.
    ("webshop", "able"): Pin("8b3c547a66cfa2df8d4682dcb32dfcf5050fa40f304ed164e8110c758d3e04b5"),
    ("wikihow", "novice"): Pin(
        "c1034fb3b9afc68d7f6da4569d04e3dceefee4424eb873175e03ddbb78b6822a",
        (Met("8b316361cf813658", f"test tasks 0..69: {_AGAIN}"),),
    ),
    ("wikihow", "able"): Pin("cc876cc0693564c868da35287fd85211c8f87567cedf1c454fbb95a28cd1d9db"),
}


def table_sha256(table: Table) -> str:
    """64 hexadecimal digits of a table: every number, its name and its reason.

    >>> from rememberer_nb.llms.offline.beliefs import Kind, Number
    >>> one, other = (table_sha256({"buy": Kind(Number(n, "why"))}) for n in (0.4, 0.41))
    >>> len(one), one == other
    (64, False)
    """
    described = {kind: known.described() for kind, known in table.items()}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
