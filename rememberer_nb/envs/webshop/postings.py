"""An inverted index larger than memory: collected in sorted runs on disk, then merged by term."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.envs.webshop.search import length_norms, saturation
from rememberer_nb.envs.webshop.storage import encode, save_array, save_strings

# Postings held in memory at a time, here and while merging: about 0.3 GiB at 8 million.
RUN_POSTINGS = 1 << 23


class _Numbers(dict[str, int]):
    """Term -> its number, in the order of first use."""

    def __missing__(self, term: str) -> int:
        number = self[term] = len(self)
        return number


class PostingsWriter:
    """Takes the terms of documents, row by row; writes what `ranking.RankedIndex` reads.

    Parameters
    ----------
    folder : of the index.
    scratch : an empty folder for the runs.
    run_postings : how many postings to hold in memory.
    """

    def __init__(self, folder: Path, scratch: Path, run_postings: int = RUN_POSTINGS):
        self._folder, self._scratch, self._run_postings = folder, scratch, run_postings
        self._numbers = _Numbers()
        self._lengths = array("i")
        self._n_runs = 0
        self._clear()

    def _clear(self) -> None:
        self._terms, self._counts, self._sizes = array("i"), array("i"), array("i")

    def add(self, terms: list[str]) -> None:
        """The next row's terms, repetitions kept."""
        counts = Counter(terms)
        self._terms.extend(map(self._numbers.__getitem__, counts))
        self._counts.extend(counts.values())
        self._sizes.append(len(counts))
        self._lengths.append(len(terms))
        if len(self._terms) >= self._run_postings:
            self._flush()

    def _flush(self) -> None:
        """Write a run: terms, rows and counts, sorted by term, rows ascending within a term."""
        sizes = np.frombuffer(self._sizes, np.int32)
        rows = np.arange(len(self._lengths) - len(sizes), len(self._lengths), dtype=np.int32)
        terms = np.frombuffer(self._terms, np.int32)
        order = np.argsort(terms, kind="stable")
        columns = (terms, np.repeat(rows, sizes), np.frombuffer(self._counts, np.int32))
        for name, column in zip(("terms", "rows", "counts"), columns, strict=True):
            save_array(self._scratch, f"{name}_{self._n_runs}", column[order])
        self._n_runs += 1
        self._clear()

    def finish(self, document_of_row: NDArray[np.int32]) -> dict[str, int]:
        """Merge the runs; documents are numbered by `document_of_row`, shape (n_rows,).

        Returns
        -------
        dict
            The number of terms and of postings.
        """
        self._flush()
        ordered = sorted((encode(term), number) for term, number in self._numbers.items())
        save_strings(self._folder, "terms", [term for term, _ in ordered])
        save_array(self._folder, "term_numbers", np.array([n for _, n in ordered], np.int32))
        runs = [self._run(i) for i in range(self._n_runs)]
        starts = np.zeros(len(ordered) + 1, np.int64)
        for terms, _, _ in runs:
            starts[1:] += np.bincount(terms, minlength=len(ordered))
        np.cumsum(starts, out=starts)
        save_array(self._folder, "posting_starts", starts)
        self._merge(runs, starts, document_of_row)
        return {"terms": len(ordered), "postings": int(starts[-1])}

    def _run(self, number: int) -> list[NDArray[np.int32]]:
        # Empty arrays cannot be mapped, and there is at most one empty run.
        mode: Any = "r" if self._n_runs > 1 else None
        names = (f"{name}_{number}.npy" for name in ("terms", "rows", "counts"))
        paths = [self._scratch / name for name in names]
        return [
            np.load(path, mmap_mode=mode if path.stat().st_size > 4096 else None) for path in paths
        ]

    def _merge(
        self,
        runs: list[list[NDArray[np.int32]]],
        starts: NDArray[np.int64],
        document_of_row: NDArray[np.int32],
    ) -> None:
        norms = length_norms(np.frombuffer(self._lengths, np.int32))
        n_documents = len(document_of_row)
        documents = _create(self._folder / "documents.npy", np.int32, int(starts[-1]))
        divisors = _create(self._folder / "saturation.npy", np.float32, int(starts[-1]))
        peaks = np.zeros(len(starts) - 1, np.float32)
        for first, last in self._ranges(starts):
            terms, rows, counts = _gather(runs, first, last)
            numbers = document_of_row[rows]
            # One key sorts by term, then by document.
            order = np.argsort(terms.astype(np.int64) * n_documents + numbers)
            where = slice(int(starts[first]), int(starts[last]))
            documents[where] = numbers[order]
            found = saturation(counts, norms[rows])[order]
            divisors[where] = found
            peaks[first:last] = np.maximum.reduceat(found, starts[first:last] - starts[first])
        save_array(self._folder, "peaks", peaks)
        for written in (documents, divisors):
            if isinstance(written, np.memmap):
                written.flush()

    def _ranges(self, starts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
        """Ranges of term numbers with at most `run_postings` postings, but at least one term."""
        first, n_terms = 0, len(starts) - 1
        while first < n_terms:
            last = int(np.searchsorted(starts, starts[first] + self._run_postings, "right")) - 1
            last = min(max(last, first + 1), n_terms)
            yield first, last
            first = last


def _create(path: Path, dtype: Any, length: int) -> NDArray[Any]:
    if length:
        return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(length,))
    empty = np.zeros(0, dtype)
    np.save(path, empty)
    return empty


def _gather(
    runs: list[list[NDArray[np.int32]]], first: int, last: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Terms, rows and counts of all postings of a range of terms."""
    pieces = []
    for terms, rows, counts in runs:
        where = slice(*np.searchsorted(terms, np.array([first, last], terms.dtype)).tolist())
        pieces.append((terms[where], rows[where], counts[where]))
    terms, rows, counts = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return terms, rows, counts
