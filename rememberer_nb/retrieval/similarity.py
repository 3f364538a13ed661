"""The similarity protocol, and the registry of similarities by name.

A similarity holds texts in numbered slots, encodes each once when it is put there, and scores a
query against all slots at once. Two of them make an index (see `index`).

One that has exact upper bounds, cheaper than its scores, may offer `probe(query) -> Probe` besides:
the index then scores only the slots whose bound leaves them a chance. One that can find the best
slots without bounding them all may offer `shortlist` (`Shortlisting`), and `put_many(slots, texts)`
if many texts at once are encoded faster.

Scoring changes nothing, so any number of threads may ask at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rememberer_nb.errors import ConfigError
from rememberer_nb.retrieval.instructions import current_instruction

if TYPE_CHECKING:
    from rememberer_nb.retrieval.tasks import Listed


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


class Probe(Protocol):
    """A query scored piece by piece. A snapshot: what is put or removed later does not touch it.

    `bounds`, ndarray of shape (n_slots,), is nowhere below the score.
    """

    bounds: np.ndarray

    def scores(self, slots: np.ndarray) -> np.ndarray:
        """The exact scores of some slots, ndarray of the shape of `slots`."""
        ...


class Shortlisting(Protocol):
    """Finds the best slots without scoring them all, when part of each total is known."""

    def shortlist(
        self,
        text: str,
        parts: np.ndarray,
        part_of_slot: np.ndarray,
        weight: float,
        listed: Callable[[], Listed],
        n: int,
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The slots that can be among the n best totals, ties included, and their exact scores.

        total = weight · parts[part_of_slot[slot]] + (1 − weight) · score. The slots that
        `listed` names are scored in any case. None where it is quicker to score all slots.
        """
        ...


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


_FACTORIES: dict[str, Callable[[], Similarity]] = {}


def register_similarity(name: str, factory: Callable[[], Similarity]) -> None:
    """Make a similarity known by name, for configs and the command line."""
    _FACTORIES[name] = factory


_FAMILIES: dict[str, Callable[[str], Similarity]] = {}


def register_family(name: str, factory: Callable[[str], Similarity]) -> None:
    """Make similarities known as "name:detail"; `factory(detail)` runs when one is asked for."""
    _FAMILIES[name] = factory


def make_similarity(name: str) -> Similarity:
    """A new, empty similarity of that name, or a mixture: "a+b" equally, "9*a+b" by weight.

    >>> import rememberer_nb.retrieval
    >>> make_similarity("jaccard").name
    'jaccard'
    >>> make_similarity("9*page_pattern+instruction_relevance").weights
    (0.9, 0.1)
    >>> make_similarity("magic")
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: no similarity is named 'magic'; known: embedding:...
    """
    if name in _FACTORIES:
        return _FACTORIES[name]()
    family, colon, detail = name.partition(":")
    if colon and family in _FAMILIES and "+" not in name:
        return _FAMILIES[family](detail)
    parts = name.split("+")
    if len(parts) > 1:
        from rememberer_nb.retrieval.mixed import MixedSimilarity

        return MixedSimilarity([_weighted(part, name) for part in parts], name=name)
    known = ", ".join(sorted([*_FACTORIES, *(f"{family}:..." for family in _FAMILIES)]))
    raise ConfigError(f"no similarity is named {name!r:.80}; known: {known}")


def _weighted(part: str, name: str) -> tuple[float, Similarity]:
    weight, star, rest = part.partition("*")
    if not star:
        return 1.0, make_similarity(part.strip())
    try:
        return float(weight), make_similarity(rest.strip())
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{weight!r} in {name!r} is no weight; expected 'a+b', '9*a+b'") from None
