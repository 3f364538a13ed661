"""The scoring kernels of `plain`, compiled by numba: same arguments, same results to the last bit.

The machine code is kept in the user's cache folder. Nothing is shared between calls, and the
interpreter's lock is released while one runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numba
import numpy as np

from rememberer_nb.retrieval.fast.plain import REST_SHARE

# Below this many rows it is quicker to score them all.
MIN_SHORTLISTED = 3_000
_EMPTY = -1
_GROUP = 32


def cache_folder() -> Path:
    """Where compiled code is kept: `$XDG_CACHE_HOME/rememberer_nb`, by default in `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rememberer_nb" / "numba"


def _compiled(function: Any) -> Any:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return numba.njit(nogil=True)(function)
    # numba asks for the folder when it is told to cache; others' choice is put back.
    others = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        return numba.njit(nogil=True, cache=True)(function)
    finally:
        numba.config.CACHE_DIR = others


@_compiled
def _hash_terms(ids):
    """An open hash table: term ids and their positions in the query."""
    size = 16
    while size < 4 * len(ids):
        size *= 2
    keys = np.full(size, _EMPTY, dtype=np.int32)
    positions = np.zeros(size, dtype=np.int32)
    for i in range(len(ids)):
        at = (ids[i] * 40503) & (size - 1)
        while keys[at] != _EMPTY:
            at = (at + 1) & (size - 1)
        keys[at] = ids[i]
        positions[at] = i
    return keys, positions


@_compiled
def _sum_row(table, row, keys, positions, weights, products):
    """Σ weight · count of one row; `products` is room for one product per term."""
    mask = len(keys) - 1
    products[:] = 0.0
    for place in range(table.starts[row], table.starts[row + 1]):
        term = table.ids[place]
        at = (term * 40503) & mask
        while keys[at] != _EMPTY:
            if keys[at] == term:
                products[positions[at]] = weights[positions[at]] * table.counts[place]
                break
            at = (at + 1) & mask
    total = 0.0
    for i in range(len(products)):
        total += products[i]
    return total


@_compiled
def sum_some(table, rows, query):
    """As `plain.sum_some`."""
    sums = np.zeros(len(rows))
    keys, positions = _hash_terms(query.ids)
    products = np.zeros(len(query.ids))
    for i in range(len(rows)):
        sums[i] = _sum_row(table, rows[i], keys, positions, query.weights, products)
    return sums


@_compiled
def _find_terms(table, segment, ids, ascending, is_used, spans):
    """Where the postings of each used term lie in a segment, into `spans` of shape (n, 2).

    `ascending` are the places of `ids` in ascending order, so that each search begins where the
    last one ended.
    """
    first, stop = table.segment_terms[segment], table.segment_terms[segment + 1]
    for i in ascending:
        spans[i, 0], spans[i, 1] = 0, 0
        if is_used[i]:
            low, high = first, stop
            while low < high:
                middle = (low + high) // 2
                if table.terms[middle] < ids[i]:
                    low = middle + 1
                else:
                    high = middle
            first = low
            if low < stop and table.terms[low] == ids[i]:
                spans[i, 0], spans[i, 1] = table.term_starts[low], table.term_starts[low + 1]


@_compiled
def _sum_tail(table, query, sums):
    """Σ weight · count for the rows behind the last segment, into `sums`; 0 for wide ones."""
    sums[:] = 0.0
    last = len(table.line_of) - 1
    for i in range(len(query.ids)):
        line = table.line_of[min(query.ids[i], last)]
        if line:
            weight, counts = query.weights[i], table.tail[line]
            for j in range(len(sums)):
                sums[j] += weight * counts[j]


@_compiled
def sum_rows(table, query):
    """As `plain.sum_rows`."""
    sums = np.zeros(len(table.starts) - 1)
    spans = np.zeros((len(query.ids), 2), dtype=np.int64)
    ascending, is_used = np.argsort(query.ids), np.ones(len(query.ids), dtype=np.bool_)
    for segment in range(len(table.segment_rows) - 1):
        _find_terms(table, segment, query.ids, ascending, is_used, spans)
        here = sums[table.segment_rows[segment] : table.segment_rows[segment + 1]]
        for i in range(len(query.ids)):
            weight = query.weights[i]
            for place in range(spans[i, 0], spans[i, 1]):
                here[table.locals[place]] += weight * table.local_counts[place]
    _sum_tail(table, query, sums[table.segment_rows[-1] :])
    if len(table.wide):
        sums[table.wide] = sum_some(table, table.wide, query)
    return sums


@_compiled
def _raise(best, total):
    """Put a total into `best`, descending; the last one falls out."""
    i = len(best) - 1
    if total <= best[i]:
        return
    while i > 0 and best[i - 1] < total:
        best[i] = best[i - 1]
        i -= 1
    best[i] = total


@_compiled
def _choose_terms(search, lacking, is_used):
    """As in `plain`; the terms to use go into `is_used`."""
    query = search.query
    is_used[:] = True
    room = (REST_SHARE * lacking) ** 2
    of_common, of_others = 0.0, 0.0
    for i in search.order:
        square = query.shares[i] ** 2
        if not lacking > 0.0 or of_common + of_others + square > room:
            break
        is_used[i] = False
        if search.is_common[i]:
            of_common += square
        else:
            of_others += square
    return np.sqrt(of_common), np.sqrt(of_others)


@_compiled
def _add_up(table, spans, weights, sums):
    sums[:] = np.float32(0.0)
    for i in range(len(weights)):
        weight = np.float32(weights[i])
        for place in range(spans[i, 0], spans[i, 1]):
            sums[table.locals[place]] += weight * np.float32(table.local_counts[place])


@_compiled
def _reaching(sums, inverse, common, of_common, least, places):
    """The places whose cosine can come to `least`, into `places`; returns how many."""
    n_found = 0
    of_common, least = np.float32(of_common), np.float32(least)
    for start in range(0, len(sums), _GROUP):
        some, lengths = sums[start : start + _GROUP], inverse[start : start + _GROUP]
        shares = common[start : start + _GROUP]
        # Counting a fixed number has no branches and uses wide registers; most groups have none.
        n_here = np.int32(len(some) < _GROUP)
        if len(some) == _GROUP:
            for i in range(_GROUP):
                n_here += np.int32(some[i] * lengths[i] + of_common * shares[i] >= least)
        if n_here:
            for i in range(len(some)):
                if some[i] * lengths[i] + of_common * shares[i] >= least:
                    places[n_found] = start + i
                    n_found += 1
    return n_found


@_compiled
def _part(known, row):
    """The known part of a row's total; NaN if the row is dead."""
    slot = known.slots[row]
    return known.parts[known.part_of_slot[slot]] if slot >= 0 else np.nan


@_compiled
def _is_wide(table, row):
    place = np.searchsorted(table.wide, row) if len(table.wide) else 0
    return place < len(table.wide) and table.wide[place] == row


@_compiled
def _score_given(search, terms, products, best, rows, sums):
    """Score the listed and the wide rows; returns how many were put into `rows` and `sums`."""
    table, known, share = search.table, search.known, 1 - search.known.weight
    n_listed, n_found = len(known.listed), 0
    for i in range(n_listed + len(table.wide)):
        row = known.listed[i] if i < n_listed else table.wide[i - n_listed]
        part = _part(known, row)
        if i < n_listed or part < known.listed_from:
            total = _sum_row(table, row, terms[0], terms[1], search.query.weights, products)
            _raise(best, known.weight * part + share * min(1.0, total * search.inverse[row]))
            rows[n_found], sums[n_found] = row, total
            n_found += 1
    return n_found


@_compiled
def _score_tail(search, best, rows, sums):
    """Score the rows of the tail; returns how many were put into `rows` and `sums`."""
    table, known, share = search.table, search.known, 1 - search.known.weight
    first, n_found = table.segment_rows[-1], 0
    _sum_tail(table, search.query, sums)
    for i in range(len(sums)):
        part = _part(known, first + i)
        if part < known.listed_from and not _is_wide(table, first + i):
            total = known.weight * part + share * min(1.0, sums[i] * search.inverse[first + i])
            if total >= best[-1] - 2 * search.slack:
                _raise(best, total)
                rows[n_found], sums[n_found] = first + i, sums[i]
                n_found += 1
    return n_found


@_compiled
def _score_open(search, terms, products, best, open_rows, bounds, low):
    """Score the rows whose bounds leave them a chance; they replace `open_rows`, sums `bounds`."""
    known, share, n = search.known, 1 - search.known.weight, 0
    floor = max(best[-1], low) - search.slack
    for i in range(len(open_rows)):
        if bounds[i] >= floor:
            row = open_rows[i]
            total = _sum_row(search.table, row, terms[0], terms[1], search.query.weights, products)
            cosine = min(1.0, total * search.inverse[row])
            _raise(best, known.weight * _part(known, row) + share * cosine)
            floor = max(floor, best[-1] - search.slack)
            open_rows[n], bounds[n] = row, total
            n += 1
    return n


@_compiled
def _bound(search, segment, lacking, room, rows, bounds, low):
    """The rows of a segment that can reach the best, and the bounds of their totals.

    `room` is (ascending, is_used, spans, sums) to work in; `low` receives totals that are reached
    for sure.
    """
    ascending, is_used, spans, sums = room
    known, share = search.known, 1 - search.known.weight
    first, stop = search.table.segment_rows[segment], search.table.segment_rows[segment + 1]
    of_common, of_others = _choose_terms(search, lacking, is_used)
    _find_terms(search.table, segment, search.query.ids, ascending, is_used, spans)
    here, common = sums[: stop - first], search.common[first:stop]
    _add_up(search.table, spans, search.query.weights, here)
    least = lacking - of_others
    n_places = _reaching(here, search.inverse[first:stop], common, of_common, least, rows)
    n = 0
    for i in range(n_places):
        place = rows[i]
        part = _part(known, first + place)
        if part < known.listed_from and not _is_wide(search.table, first + place):
            cosine = np.float64(here[place]) * search.inverse[first + place]
            rest = of_others + of_common * common[place]
            _raise(low, known.weight * part + share * min(1.0, cosine))
            rows[n] = first + place
            bounds[n] = known.weight * part + share * (cosine + rest) + search.slack
            n += 1
    return n


@_compiled
def shortlist(search, n_best):
    """As `plain.shortlist`."""
    table, query, known = search.table, search.query, search.known
    terms, products = _hash_terms(query.ids), np.zeros(len(query.ids))
    best, low = np.full(n_best, -np.inf), np.empty(n_best)
    edges = table.segment_rows
    longest = 0
    for segment in range(len(edges) - 1):
        longest = max(longest, edges[segment + 1] - edges[segment])
    n_given, n_tail = len(known.listed) + len(table.wide), len(table.starts) - 1 - edges[-1]
    found_rows, found_sums = np.empty(n_given + n_tail, dtype=np.int64), np.empty(n_given + n_tail)
    n = _score_given(search, terms, products, best, found_rows, found_sums)
    n += _score_tail(search, best, found_rows[n:], found_sums[n : n + n_tail])
    found_rows, found_sums = found_rows[:n], found_sums[:n]
    room = (
        np.argsort(query.ids),
        np.ones(len(query.ids), dtype=np.bool_),
        np.zeros((len(query.ids), 2), dtype=np.int64),
        np.empty(longest, dtype=np.float32),
    )
    rows, bounds = np.empty(longest, dtype=np.int64), np.empty(longest)
    for segment in range(len(edges) - 1):
        lacking = best[-1] - 2 * search.slack - known.weight * known.most
        if known.weight < 1:
            lacking /= 1 - known.weight
        else:
            # The texts count for nothing: either all rows may be among the best, or none.
            lacking = np.inf if lacking > 0 else -np.inf
        if lacking == np.inf:
            continue
        low[:] = -np.inf
        n_open = _bound(search, segment, lacking, room, rows, bounds, low)
        n_open = _score_open(search, terms, products, best, rows[:n_open], bounds, low[-1])
        found_rows = np.concatenate((found_rows, rows[:n_open]))
        found_sums = np.concatenate((found_sums, bounds[:n_open]))
    return found_rows, found_sums
