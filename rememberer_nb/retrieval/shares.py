"""How much each of several hits counts where they stand for a state together.

The paper takes the nearest record alone. Several, weighted by similarity, are those of Neural
Episodic Control (Pritzel et al. 2017, arXiv 1703.01988, equation 3), after Model-Free Episodic
Control (Blundell et al. 2016, arXiv 1606.04460), which weights all k alike.
"""

from __future__ import annotations

from collections.abc import Sequence

from rememberer_nb.elements import Hit


def similarity_shares(hits: Sequence[Hit]) -> tuple[float, ...]:
    """A share per hit, in proportion to the totals; they add up to 1.

    All are alike if nothing is similar at all.

    Examples
    --------
    >>> from rememberer_nb.elements import Record
    >>> record = Record(0, "g", "o", (), ())
    >>> similarity_shares([Hit(0, 0.75, 1, 0.5, record), Hit(1, 0.25, 0, 0.5, record)])
    (0.75, 0.25)
    """
    total = sum(hit.total for hit in hits)
    return tuple(hit.total / total if total > 0 else 1 / len(hits) for hit in hits)
