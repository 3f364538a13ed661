"""Similarities by kind: of how-to instructions, and of shop pages."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

from rememberer_nb.envs.wikihow.instructions import instruction_kinds, kinds_likeness
from rememberer_nb.retrieval.similarity import Term

Kind = TypeVar("Kind", bound=Hashable)

PAGE_KINDS = ("search", "results", "item", "description", "done")
# A product's page and its sub pages are alike in part. Source: the published code's table.
_PAGES_OF_A_PRODUCT = frozenset({"item", "description"})
_PRODUCT_LIKENESS = 0.3


class KindSimilarity(Generic[Kind]):
    """Texts are alike as their kinds are.

    Parameters
    ----------
    kind_of : text -> its kind.
    likeness : two kinds -> their likeness in [0, 1].

    A text's kind is found once, and each distinct kind is compared once per query.
    """

    def __init__(
        self,
        name: str,
        kind_of: Callable[[str], Kind],
        likeness: Callable[[Kind, Kind], float],
        *,
        reads: str = "observation",
    ):
        self.name, self.reads = name, reads
        self._kind_of, self._likeness = kind_of, likeness
        self._number_of: dict[Kind, int] = {}
        self._kinds = np.zeros(0, dtype=np.intp)

    def put(self, slot: int, text: str) -> None:
        """Encode a text into an empty slot."""
        if slot >= len(self._kinds):
            missing = slot + 1 - len(self._kinds)
            self._kinds = np.concatenate([self._kinds, np.full(missing, -1)])
        if self._kinds[slot] >= 0:
            raise ValueError(f"slot {slot} is taken")
        self._kinds[slot] = self._number_of.setdefault(self._kind_of(text), len(self._number_of))

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        self._kinds[slot] = -1

    def scores(self, query: str) -> np.ndarray:
        """Likeness to each slot, ndarray of shape (n_slots,), in [0, 1]; empty slots give 0."""
        kind = self._kind_of(query)
        # The last entry is that of an empty slot, whose number is -1.
        by_kind = [self._likeness(kind, other) for other in self._number_of] + [0.0]
        return np.array(by_kind)[self._kinds]

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """One term: the two kinds and their likeness; none if they are not alike."""
        kind, other = self._kind_of(query), list(self._number_of)[self._kinds[slot]]
        score = self._likeness(kind, other)
        return (Term(f"{_show(kind)} ~ {_show(other)}", 1.0, score, score),) if score else ()

    def refresh(self) -> None:
        """There are no corpus statistics."""

    def state(self) -> bytes:
        """There are no corpus statistics."""
        return b""

    def restore(self, state: bytes) -> None:
        """There are no corpus statistics."""


def _show(kind: Hashable) -> str:
    return ", ".join(map(str, kind)) if isinstance(kind, tuple) else str(kind)


class InstructionPattern(KindSimilarity[tuple[str, ...]]):
    """Likeness of how-to instructions by what they ask for (paper, section 4.1; `instructions`).

    It compares the instructions in force; where an observation shows none, the whole tasks.

    >>> similarity = InstructionPattern()
    >>> similarity.put(0, "Check the reference list"); similarity.put(1, 'Access the article "A"')
    >>> similarity.scores("Access the about page to learn why").tolist()
    [0.8, 0.0]
    """

    def __init__(self, *, reads: str = "instruction"):
        super().__init__("instruction_pattern", instruction_kinds, kinds_likeness, reads=reads)


def page_likeness(one: str, two: str) -> float:
    """Likeness of two kinds of shop page; an unknown kind ("") is like nothing.

    >>> page_likeness("item", "item"), page_likeness("item", "description"), page_likeness("", "")
    (1.0, 0.3, 0.0)
    """
    if one == two:
        return float(one != "")
    return _PRODUCT_LIKENESS if {one, two} == _PAGES_OF_A_PRODUCT else 0.0


class PagePattern(KindSimilarity[str]):
    """Likeness of shop pages by their kind: `PAGE_KINDS`.

    The published code tells the kind from the available actions, here the page itself does.

    >>> similarity = PagePattern()
    >>> similarity.put(0, "[Back to Search]\\nPage 1 (Total results: 3)")
    >>> similarity.scores("[Back to Search]\\nPage 2 (Total results: 50)").tolist()
    [1.0]
    """

    def __init__(
        self, *, reads: str = "observation", page_type: Callable[[str], str] | None = None
    ):
        if page_type is None:
            from rememberer_nb.envs.webshop.profile import page_type
        super().__init__("page_pattern", page_type, page_likeness, reads=reads)
