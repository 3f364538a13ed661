"""The scoring kernels in NumPy. `compiled` holds the same ones for numba, which are faster.

A score is the same to the last bit however it comes about: Σ over the query's terms, in the query's
order, of weight · count, each in float64 and added one after the other from 0; then divided by
the row's length. Sums in single precision only decide what is worth that sum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.retrieval.fast.postings import Table

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

# Of what a row lacks to be among the best, the most that the terms left out may add.
REST_SHARE = 0.6
# Below this many rows it is quicker to score them all.
MIN_SHORTLISTED = 4_000
# Rows that are summed exactly at a time: what fits into the cache as a matrix with the query.
_CHUNK = 2048
# Mean number of postings up to which they are gathered one by one rather than list by list.
_SHORT = 200


class Query(NamedTuple):
    """A text's known terms in the order of the text.

    All have shape (n_terms,): `weights` is what one occurrence in a row adds to the sum, `shares`
    the text's unit vector.
    """

    ids: NDArray[np.int32]
    weights: Floats
    shares: Floats


class Known(NamedTuple):
    """What is known of the totals before the rows are scored.

    The part of row r is `parts[part_of_slot[slots[r]]]`, times `weight`; `listed` are all rows
    whose part is at least `listed_from`; the others' parts are at most `most`. `slots` is -1 for
    dead rows.
    """

    parts: Floats
    part_of_slot: NDArray[np.int32]
    slots: NDArray[np.int32]
    weight: float
    listed: Rows
    listed_from: float
    most: float


class Search(NamedTuple):
    """A query against rows, for `shortlist`.

    Row r has the length `1 / inverse[r]`, and `common[r]` is what its common terms have of length
    1; `is_common` tells which of the query's terms are. `order` lists these from the one whose
    postings cost the most for the least weight. Sums in single precision, and what follows from
    them, are off by `slack` at most.
    """

    table: Table
    query: Query
    is_common: NDArray[np.bool_]
    order: NDArray[np.int64]
    known: Known
    inverse: NDArray[np.float32]
    common: NDArray[np.float32]
    slack: float


def sum_rows(table: Table, query: Query) -> Floats:
    """Σ weight · count for every row, ndarray of shape (n_rows,)."""
    sums, edges = _sum_tail(table, query), table.segment_rows
    if len(edges) > 1:
        found = [_find_terms(table, i, query.ids) for i in range(len(edges) - 1)]
        entries = np.concatenate([entries for entries, _ in found])
        terms = np.concatenate([terms for _, terms in found])
        firsts = np.repeat(edges[:-1], [len(entries) for entries, _ in found])
        packed = _add_up(table, entries, query.weights[terms], edges[-1], firsts)
        sums = np.concatenate([packed, sums])
    if len(table.wide):
        sums[table.wide] = sum_some(table, table.wide, query)
    return sums


def _sum_tail(table: Table, query: Query) -> Floats:
    """Σ weight · count for the rows behind the last segment; 0 for wide ones."""
    lines = table.line_of.take(query.ids, mode="clip")
    products = table.tail.take(lines, axis=0).astype(np.float64)
    products *= query.weights[:, np.newaxis]
    return np.add.reduce(products, axis=0)[: len(table.starts) - 1 - table.segment_rows[-1]]


def sum_some(table: Table, rows: Rows, query: Query) -> Floats:
    """Σ weight · count for some rows, ndarray of the shape of `rows`."""
    sums = np.zeros(len(rows))
    if not len(query.ids):
        return sums
    last = query.ids.max()
    for first in range(0, len(rows), _CHUNK):
        some = rows[first : first + _CHUNK]
        lengths = table.starts[some + 1] - table.starts[some]
        places = _ranges(table.starts[some], lengths)
        ids = table.ids[places]
        position_of = np.full(max(ids.max(initial=0), last) + 1, -1)
        position_of[query.ids] = np.arange(len(query.ids))
        positions = position_of[ids]
        shared = np.flatnonzero(positions >= 0)
        positions = positions[shared]
        products = np.zeros((len(some), len(query.ids)))
        of_row = np.repeat(np.arange(len(some)), lengths)[shared]
        products[of_row, positions] = query.weights[positions] * table.counts[places[shared]]
        # A running sum adds one after the other; `sum` would add in pairs.
        sums[first : first + _CHUNK] = np.cumsum(products, axis=1)[:, -1]
    return sums


def shortlist(search: Search, n: int) -> tuple[Rows, Floats]:
    """Rows that may be among the n best totals, at least all of these, and their exact sums.

    total = weight · part + (1 − weight) · min(1, sum · inverse). Works through the segments, and
    each time leaves out terms that cannot lift a row to the n-th best total found so far: by
    Cauchy and Schwarz, Σ q_t d_t over some terms is at most the lengths of q and d over these.
    """
    table, known = search.table, search.known
    given = np.concatenate([known.listed, _open(known, table.wide)[0]])
    found_rows, found_sums = [given], [sum_some(table, given, search.query)]
    first = table.segment_rows[-1]
    tail = _open(known, np.arange(first, len(table.starts) - 1), table.wide)[0]
    found_rows.append(tail)
    found_sums.append(_sum_tail(table, search.query)[tail - first])
    rows, sums = np.concatenate(found_rows), np.concatenate(found_sums)
    best = _best(_totals(search, rows, sums), n)
    for segment in range(len(table.segment_rows) - 1):
        floor = best[-1] if len(best) == n else -np.inf
        lacking = floor - 2 * search.slack - known.weight * known.most
        if known.weight < 1:
            lacking /= 1 - known.weight
        else:
            # The texts count for nothing: either all rows may be among the best, or none.
            lacking = np.inf if lacking > 0 else -np.inf
        if lacking < np.inf:
            rows, bounds, low = _bound(search, segment, lacking, n)
            rows = rows[bounds >= max(floor, low) - search.slack]
            sums = sum_some(table, rows, search.query)
            best = _best(np.concatenate([best, _totals(search, rows, sums)]), n)
            found_rows.append(rows)
            found_sums.append(sums)
    return np.concatenate(found_rows), np.concatenate(found_sums)


def _bound(search: Search, segment: int, lacking: float, n: int) -> tuple[Rows, Floats, float]:
    """Rows of a segment, the bounds of their totals, and a total that n of them reach."""
    table, query, known = search.table, search.query, search.known
    first, stop = table.segment_rows[segment : segment + 2]
    is_used, of_common, of_others = _choose_terms(search, lacking)
    entries, terms = _find_terms(table, segment, query.ids[is_used])
    cosines = _add_up(table, entries, query.weights[is_used][terms], stop - first)
    cosines *= search.inverse[first:stop]
    rest = of_others + of_common * search.common[first:stop]
    rows = first + np.flatnonzero(cosines + rest >= lacking)
    rows, parts = _open(known, rows, table.wide)
    parts *= known.weight
    share, cosines = 1 - known.weight, cosines[rows - first]
    low = _best(parts + share * np.minimum(cosines, 1.0), n)
    bounds = parts + share * (cosines + rest[rows - first]) + search.slack
    return rows, bounds, low[-1] if len(low) == n else -np.inf


def _open(known: Known, rows: Rows, wide: Rows | None = None) -> tuple[Rows, Floats]:
    """Of some rows those that are alive, not listed and not wide, and their parts."""
    rows = rows[known.slots[rows] >= 0]
    if wide is not None and len(wide):
        rows = rows[~np.isin(rows, wide)]
    parts = _parts(known, rows)
    is_open = parts < known.listed_from
    return rows[is_open], parts[is_open]


def _choose_terms(search: Search, lacking: float) -> tuple[NDArray[np.bool_], float, float]:
    """The terms to use, and the lengths of the query over the others, common and not common."""
    query = search.query
    is_used = np.ones(len(query.ids), dtype=bool)
    if not lacking > 0:
        return is_used, 0.0, 0.0
    squares = query.shares[search.order] ** 2
    n_others = int(np.searchsorted(np.cumsum(squares), (REST_SHARE * lacking) ** 2, side="right"))
    others = search.order[:n_others]
    is_used[others] = False
    of_common = squares[:n_others][search.is_common[others]].sum()
    return (
        is_used,
        float(np.sqrt(of_common)),
        float(np.sqrt(max(0.0, squares[:n_others].sum() - of_common))),
    )


def _find_terms(table: Table, segment: int, ids: NDArray[np.int32]) -> tuple[Rows, Rows]:
    """The entries in `table.terms` of the ids that a segment holds, and the places of these ids."""
    low, high = table.segment_terms[segment : segment + 2]
    terms = table.terms[low:high]
    if not len(terms):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    found = np.searchsorted(terms, ids)
    held = np.flatnonzero(terms[np.minimum(found, len(terms) - 1)] == ids)
    return low + found[held], held


def _add_up(
    table: Table, entries: Rows, weights: Floats, n_rows: int, firsts: Rows | None = None
) -> Floats:
    """Σ weight · count over the postings of some entries, shape (n_rows,)."""
    starts = table.term_starts[entries]
    lengths = table.term_starts[entries + 1] - starts
    if not lengths.any():
        return np.zeros(n_rows)
    rows, counts = _gather((table.locals, table.local_counts), starts, lengths)
    if firsts is not None:
        rows = rows + np.repeat(firsts, lengths)
    # It adds in the order of the postings, which is the order of the terms for every row.
    return np.bincount(rows, np.repeat(weights, lengths) * counts, minlength=n_rows)


def _gather(parts: tuple[NDArray, ...], starts: Rows, lengths: Rows) -> list[NDArray]:
    """The ranges start, start + 1, ... of some arrays, one range after the other."""
    if lengths.sum() < _SHORT * len(lengths):
        places = _ranges(starts, lengths)
        return [part[places] for part in parts]
    spans = [slice(*span) for span in zip(starts, starts + lengths, strict=True)]
    return [np.concatenate([part[span] for span in spans]) for part in parts]


def _ranges(starts: Rows, lengths: Rows) -> Rows:
    places = np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
    places += np.arange(len(places))
    return places


def _parts(known: Known, rows: Rows) -> Floats:
    return known.parts[known.part_of_slot[known.slots[rows]]]


def _totals(search: Search, rows: Rows, sums: Floats) -> Floats:
    weight = search.known.weight
    cosines = np.minimum(sums * search.inverse[rows], 1.0)
    return weight * _parts(search.known, rows) + (1 - weight) * cosines


def _best(totals: Floats, n: int) -> Floats:
    """The n best, the best first; fewer if there are fewer."""
    if len(totals) > n:
        totals = np.partition(totals, -n)[-n:]
    return np.sort(totals)[::-1]
