"""A weighted mean of similarities: a third one beside f_g and f_o, or two within one of them."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections.abc import Sequence

import numpy as np

from rememberer_nb.errors import ConfigError
from rememberer_nb.retrieval.similarity import (
    PAIR_SEPARATOR,
    Similarity,
    Term,
    text_to_compare,
)


class MixedSimilarity:
    """Σ w_k · f_k with weights that add up to 1; each part reads what it reads as f_o.

    Parameters
    ----------
    parts : (weight, similarity) pairs; weights are at least 0 and not all 0.
    name : what the mixture is called, "9*page_pattern+instruction_relevance".

    Examples
    --------
    >>> from rememberer_nb.retrieval import make_similarity
    >>> similarity = make_similarity("3*page_pattern+jaccard")
    >>> similarity.put(0, text_to_compare("pair", "a lamp", "WebShop [Search]"))
    >>> similarity.scores(text_to_compare("pair", "a shoe", "Home [Search]")).round(4).tolist()
    [0.8333]
    """

    reads = "pair"

    def __init__(self, parts: Sequence[tuple[float, Similarity]], *, name: str):
        total = sum(weight for weight, _ in parts)
        if not (math.isfinite(total) and total > 0 and all(weight >= 0 for weight, _ in parts)):
            raise ConfigError(f"the weights of {name!r} must be at least 0 and not all 0")
        self.name = name
        self.parts = tuple(similarity for _, similarity in parts)
        self.weights = tuple(weight / total for weight, _ in parts)

    def put(self, slot: int, text: str) -> None:
        """Encode a task and an observation into an empty slot of every part."""
        for part in self.parts:
            part.put(slot, _reads(part, text))

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        for part in self.parts:
            part.remove(slot)

    def scores(self, query: str) -> np.ndarray:
        """The weighted mean for each slot, ndarray of shape (n_slots,), in [0, 1]."""
        scores = (
            weight * part.scores(_reads(part, query))
            for weight, part in zip(self.weights, self.parts, strict=True)
        )
        return np.minimum(sum(scores, np.float64(0.0)), 1.0)

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """The parts' summands, scaled by their weights, largest first."""
        terms = [
            dataclasses.replace(
                term,
                term=f"{part.name}: {term.term}",
                query_weight=weight * term.query_weight,
                product=weight * term.product,
            )
            for weight, part in zip(self.weights, self.parts, strict=True)
            for term in part.explain(_reads(part, query), slot)
        ]
        return tuple(sorted(terms, key=lambda term: (-term.product, term.term)))

    def refresh(self) -> None:
        """Refresh every part."""
        for part in self.parts:
            part.refresh()

    def state(self) -> bytes:
        """The parts' states in order, as a JSON list of base64 texts."""
        return json.dumps([base64.b64encode(p.state()).decode() for p in self.parts]).encode()

    def restore(self, state: bytes) -> None:
        """Put the parts' states in force again."""
        for part, held in zip(self.parts, json.loads(state), strict=True):
            if held:
                part.restore(base64.b64decode(held))


def _reads(part: Similarity, pair: str) -> str:
    task, _, observation = pair.partition(PAIR_SEPARATOR)
    return text_to_compare(part.reads, task, observation)
