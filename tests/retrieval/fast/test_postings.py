"""Rows and their posting lists: nothing lost, nothing twice, few segments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.retrieval.fast import postings
from rememberer_nb.retrieval.fast.postings import Postings, Table

rows = st.lists(st.dictionaries(st.integers(0, 40), st.sampled_from([1, 2, 255, 256, 70_000])))


def unpacked(table: Table) -> dict[int, dict[int, int]]:
    """Row -> term -> count, out of the posting lists alone."""
    found: dict[int, dict[int, int]] = {}
    for segment in range(len(table.segment_rows) - 1):
        first, stop = table.segment_rows[segment : segment + 2]
        low, high = table.segment_terms[segment : segment + 2]
        terms = table.terms[low:high].tolist()
        assert terms == sorted(set(terms))
        for entry, term in zip(range(low, high), terms, strict=True):
            span = slice(*table.term_starts[entry : entry + 2])
            places = table.locals[span].tolist()
            assert places == sorted(set(places)) != []
            for place, count in zip(places, table.local_counts[span].tolist(), strict=True):
                assert first + place < stop
                found.setdefault(int(first) + place, {})[term] = count
    return found


def in_tail(table: Table, rows: range) -> dict[int, dict[int, int]]:
    """Row -> term -> count, out of the tail's matrix alone."""
    assert not table.tail[0].any()
    assert table.line_of[-1] == 0
    found: dict[int, dict[int, int]] = {}
    for term, line in enumerate(table.line_of.tolist()):
        for place, count in enumerate(table.tail[line].tolist()):
            if count:
                found.setdefault(rows[place], {})[term] = count
    return found


@pytest.mark.parametrize("is_at_once", [False, True])
@given(rows)
def test_every_row_once(is_at_once: bool, given_rows: list[dict[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "MAX_SEGMENT", 16)
        patch.setattr(postings, "FIRST_TAIL", 5)
        patch.setattr(postings, "MAX_TAIL", 3)
        held = Postings()
        if is_at_once:
            held.extend(
                np.array([len(row) for row in given_rows], dtype=int),
                np.array([i for row in given_rows for i in row], dtype=np.int32),
                np.array([n for row in given_rows for n in row.values()], dtype=np.int32),
            )
        else:
            for number, row in enumerate(given_rows):
                values = np.fromiter(row.values(), np.int32)
                assert held.append(np.fromiter(row, np.int32), values) == number
        table = held.table()
    n_packed = table.segment_rows[-1]
    wide = [i for i, row in enumerate(given_rows) if max(row.values(), default=0) > 255]
    assert table.wide.tolist() == wide
    assert len(given_rows) - n_packed < (3 if n_packed else 5)
    late = in_tail(table, range(n_packed, len(given_rows)))
    assert unpacked(table) | late == {
        i: row for i, row in enumerate(given_rows) if row and i not in wide
    }
    for number, row in enumerate(given_rows):
        ids, counts = held.row(number)
        assert dict(zip(ids.tolist(), counts.tolist(), strict=True)) == row


def test_segments_stay_few_and_are_seldom_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "MAX_SEGMENT", 1024)
    monkeypatch.setattr(postings, "FIRST_TAIL", 32)
    monkeypatch.setattr(postings, "MAX_TAIL", 32)
    n_packed = []
    pack = Postings._pack

    def counting(self: Postings, first: int, stop: int) -> None:
        n_packed.append(stop - first)
        pack(self, first, stop)

    monkeypatch.setattr(Postings, "_pack", counting)
    held = Postings()
    for i in range(3000):
        held.append(np.array([i % 7, 7 + i % 5], dtype=np.int32), np.array([1, 2]))
        assert len(held.table().segment_rows) <= 10
    assert held.table().segment_rows[:3].tolist() == [0, 1024, 2048]
    # Each row once per doubling from the tail to the largest size: log2(1024 / 32) + 1 = 6.
    assert sum(n_packed) <= 6 * 3000


def test_a_tail_of_many_terms_is_packed_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "MAX_TAIL_BYTES", 1 << 14)
    held = Postings()
    for i in range(40):
        held.append(np.arange(100 * i, 100 * i + 100, dtype=np.int32), np.ones(100, dtype=int))
        assert held.table().tail.nbytes <= 1 << 14
    assert held.table().segment_rows[-1] >= 30


def test_a_table_is_kept_until_the_next_row() -> None:
    held = Postings()
    held.append(np.array([1]), np.array([1]))
    table = held.table()
    assert held.table() is table
    held.append(np.array([1]), np.array([1]))
    assert held.table() is not table
    assert held.nbytes > 0
