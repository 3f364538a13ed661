"""What a similarity may offer so that not every record has to be scored.

One that has exact upper bounds, cheaper than its scores, may offer `probe(query) -> Probe`: the
index then scores only the slots whose bound leaves them a chance. One that can find the best slots
without bounding them all may offer `shortlist` (`Shortlisting`), and `put_many(slots, texts)` if
many texts at once are encoded faster. Hits and their order are the same with and without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from rememberer_nb.retrieval.tasks import Listed


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
