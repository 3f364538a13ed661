"""Longest common subsequence of two screens' elements, over the longer screen's length.

A screen is simplified HTML, an element a line. Its element sequence is encoded once, as a string
with a character per element; screens with the same sequence share one. Lengths of common
subsequences come from rapidfuzz, which works on 64 elements at a time (bit-parallel, Hyyrö 2004).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable

import numpy as np
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from rememberer_nb.retrieval.similarity import Term

_TAG = re.compile(r"^<([a-zA-Z][\w-]*)", re.MULTILINE)
_OPENING = re.compile(r"^<([a-zA-Z][\w-]*)((?:[^>\"]|\"[^\"]*\")*)", re.MULTILINE)
_CLASS = re.compile(r'\bclass="([^"]*)"')
# Made anew whenever a page is rendered ("62e53919900cb"): it says nothing of the element.
_DRAWN_NAME = re.compile(r"[0-9a-f]*\d[0-9a-f]*")
_N_BUCKETS = 16


def element_tags(screen: str) -> list[str]:
    """The tag of each element from top to bottom; a line that is no element is passed over.

    >>> element_tags('<img alt="Search" id="0">\\n<p id="1">How to hop</p>\\nInstruction: hop')
    ['img', 'p']
    """
    return _TAG.findall(screen)


def element_classes(screen: str) -> list[str]:
    """The tag and class of each element; a class that was drawn at random is left out.

    >>> element_classes('<img class="search button" id="0">\\n<img class="62e53919900cb" id="1">')
    ['img.search button', 'img']
    """
    elements = []
    for tag, attributes in _OPENING.findall(screen):
        found = _CLASS.search(attributes)
        name = found[1] if found and not _DRAWN_NAME.fullmatch(found[1]) else ""
        elements.append(f"{tag}.{name}" if name else tag)
    return elements


class LcsProbe:
    """A query against the screens as they were when it was made (`fast.protocols.Probe`)."""

    def __init__(self, query: str, numbers: np.ndarray, sequences: list[str], bounds: np.ndarray):
        self._query, self._numbers, self._sequences = query, numbers, sequences
        self.bounds = np.append(bounds, 0.0)[numbers]

    def scores(self, slots: np.ndarray) -> np.ndarray:
        """Exact scores of some slots, ndarray of the shape of `slots`; empty slots give 0."""
        numbers, places = np.unique(self._numbers[slots], return_inverse=True)
        sequences = [self._sequences[i] if i >= 0 else "" for i in numbers.tolist()]
        return _ratios(self._query, sequences)[places]


class LcsSimilarity:
    """LCS(a, b) / max(|a|, |b|) over two screens' element sequences; 0 for two empty ones.

    The bound is the number of elements that two screens share in any order, over the longer
    length. It lies nowhere above min(|a|, |b|) / max(|a|, |b|), the bound by length alone.

    Parameters
    ----------
    name : "lcs", or what the registry calls a variant.
    elements : screen -> its element sequence; by default the tags, as in the published code.

    Examples
    --------
    >>> similarity = LcsSimilarity()
    >>> similarity.put(0, "<img>\\n<p>a</p>\\n<p>b</p>"); similarity.put(1, "<div></div>")
    >>> similarity.scores("<p>a</p>\\n<p>b</p>\\n<div></div>").round(3).tolist()
    [0.667, 0.333]
    """

    def __init__(
        self,
        *,
        name: str = "lcs",
        elements: Callable[[str], list[str]] = element_tags,
        reads: str = "observation",
    ):
        self.name, self.reads = name, reads
        self._elements = elements
        self._codes: dict[str, int] = {}
        self._number_of: dict[str, int] = {}
        self._users: list[int] = []
        self._sequences: list[str] = []
        self._free: list[int] = []
        self._lengths = np.zeros(0, dtype=np.int32)
        self._counts = np.zeros((0, _N_BUCKETS), dtype=np.int32)
        self._slots = np.zeros(0, dtype=np.intp)
        self._n_slots = 0

    def put(self, slot: int, text: str) -> None:
        """Encode a screen into an empty slot."""
        codes = [
            self._codes.setdefault(name, len(self._codes) + 1) for name in self._elements(text)
        ]
        sequence = _as_string(codes)
        if slot >= len(self._slots):
            more = max(64, len(self._slots), slot + 1 - len(self._slots))
            self._slots = np.concatenate([self._slots, np.full(more, -1)])
        if self._slots[slot] >= 0:
            raise ValueError(f"slot {slot} is taken")
        if sequence not in self._number_of:
            self._add_sequence(sequence)
        number = self._number_of[sequence]
        self._users[number] += 1
        self._slots[slot] = number
        self._n_slots = max(self._n_slots, slot + 1)

    def remove(self, slot: int) -> None:
        """Empty a slot."""
        number = int(self._slots[slot])
        self._slots[slot] = -1
        self._users[number] -= 1
        if not self._users[number]:
            del self._number_of[self._sequences[number]]
            self._sequences[number] = ""
            self._free.append(number)

    def scores(self, query: str) -> np.ndarray:
        """Score of each slot, ndarray of shape (n_slots,), in [0, 1]; empty slots give 0."""
        by_sequence = _ratios(self._encode(query), self._sequences)
        return np.append(by_sequence, 0.0)[self._slots[: self._n_slots]]

    def probe(self, query: str) -> LcsProbe:
        """The bounds of all slots, and the means to score some of them."""
        sequence = self._encode(query)
        n = len(self._sequences)
        shared = np.minimum(self._counts[:n], _count(sequence)).sum(axis=1)
        longer = np.maximum(self._lengths[:n], len(sequence))
        bounds = np.divide(shared, longer, out=np.zeros(n), where=longer > 0)
        return LcsProbe(
            sequence, self._slots[: self._n_slots].copy(), self._sequences.copy(), bounds
        )

    def explain(self, query: str, slot: int) -> tuple[Term, ...]:
        """Each kind of element with how often it stands in the common subsequence."""
        names = ["", *self._codes]
        mine, held = self._encode(query), self._sequences[self._slots[slot]]
        longer = max(len(mine), len(held))
        common: Counter[str] = Counter()
        for block in LCSseq.opcodes(mine, held):
            if block.tag == "equal":
                common.update(mine[block.src_start : block.src_end])
        terms = [Term(names[ord(c)], float(n), 1 / longer, n / longer) for c, n in common.items()]
        return tuple(sorted(terms, key=lambda term: (-term.product, term.term)))

    def refresh(self) -> None:
        """There are no corpus statistics."""

    def state(self) -> bytes:
        """There are no corpus statistics."""
        return b""

    def restore(self, state: bytes) -> None:
        """There are no corpus statistics."""

    def _encode(self, query: str) -> str:
        # Code 0 stands for an element that no screen in memory has: it matches nothing.
        return _as_string([self._codes.get(name, 0) for name in self._elements(query)])

    def _add_sequence(self, sequence: str) -> None:
        number = self._free.pop() if self._free else len(self._sequences)
        if number == len(self._sequences):
            self._sequences.append(sequence)
            self._users.append(0)
        if number >= len(self._lengths):
            more = max(64, len(self._lengths))
            self._lengths = np.concatenate([self._lengths, np.zeros(more, dtype=np.int32)])
            empty = np.zeros((more, _N_BUCKETS), dtype=np.int32)
            self._counts = np.concatenate([self._counts, empty])
        self._sequences[number] = sequence
        self._number_of[sequence] = number
        self._lengths[number] = len(sequence)
        self._counts[number] = _count(sequence)


def _as_string(codes: list[int]) -> str:
    # More than a million different elements do not fit into characters: the last ones share one.
    return "".join(chr(min(code, sys.maxunicode)) for code in codes)


def _count(sequence: str) -> np.ndarray:
    """Elements per bucket, ndarray of shape (n_buckets,). Elements of a bucket pass for equal,
    which can only raise the bound."""
    counts = np.zeros(_N_BUCKETS, dtype=np.int32)
    for code, n in Counter(sequence).items():
        counts[ord(code) % _N_BUCKETS] += n
    return counts


def _ratios(query: str, sequences: list[str]) -> np.ndarray:
    """LCS over the longer length, ndarray of shape (n_sequences,)."""
    if not sequences:
        return np.zeros(0)
    common = cdist([query], sequences, scorer=LCSseq.similarity, dtype=np.int32)[0]
    longer = np.maximum(np.fromiter(map(len, sequences), np.int32, len(sequences)), len(query))
    return np.divide(common, longer, out=np.zeros(len(common)), where=longer > 0)
