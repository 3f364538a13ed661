"""The similarity protocol.

A similarity holds texts in numbered slots, encodes each once when it is put there, and scores a
query against all slots at once. Two of them make an index (see `index`).

What a similarity may offer besides, so that a large memory is quick, stands in `fast.protocols`.
Scoring changes nothing, so any number of threads may ask at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rememberer_nb.envs.wikihow.instructions import current_instruction
from rememberer_nb.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Term:
    """One summand of a score: `product` = `query_weight` · `record_weight`."""

    term: str
    query_weight: float
    record_weight: float
    product: float


READS = ("observation", "task", "instruction", "both", "pair")
PAIR_SEPARATOR = "\x1e"


def text_to_compare(reads: str, task: str, observation: str) -> str:
    """What a similarity gets to see of (g, o), by its `reads`.

    - "observation", "task": that text;
    - "instruction": the instruction in force at that observation, else the task
      (`instructions.current_instruction`);
    - "both": the task and the observation joined by a space;
    - "pair": the two joined by `PAIR_SEPARATOR`, so that they can be told apart again.

    >>> text_to_compare("both", "a lamp", "page one")
    'a lamp page one'
    """
    if reads == "observation":
        return observation
    if reads == "task":
        return task
    if reads == "instruction":
        return current_instruction(task, observation)
    if reads == "both":
        return f"{task} {observation}"
    if reads == "pair":
        return f"{task}{PAIR_SEPARATOR}{observation}"
    raise ConfigError(f"reads must be one of {', '.join(READS)}, got {reads!r}")


class Similarity(Protocol):
    """Scores a query text against texts in slots.

    `reads` says which text of a record is compared when the similarity serves as f_o, see
    `text_to_compare`. As f_g it reads the task; only "instruction" and "pair" mean the same there.
    """

    name: str
    reads: str

    def put(self, slot: int, text: str) -> None:
        """Encode a text into a slot, which must be empty."""
        ...

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        ...

    def scores(self, query: str) -> np.ndarray:
        """Similarity of the query to each slot, ndarray of shape (n_slots,), in [0, 1]."""
        ...

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """The summands of one score, largest first; they add up to it."""
        ...

    def refresh(self) -> None:
        """Bring corpus statistics up to date, where there are any."""
        ...

    def state(self) -> bytes:
        """Corpus statistics as they stand, for `restore` after the same texts were put back."""
        ...

    def restore(self, state: bytes) -> None:
        """Take corpus statistics over from `state`."""
        ...
