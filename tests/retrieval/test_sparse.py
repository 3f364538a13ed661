"""Sparse rows in slots against dense vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.retrieval import sparse
from rememberer_nb.retrieval.sparse import SparseRows


def row(*pairs: tuple[int, float]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([i for i, _ in pairs], dtype=np.int32), np.array([v for _, v in pairs])


def test_dot_by_hand() -> None:
    rows = SparseRows()
    rows.put(0, *row((0, 1.0), (2, 2.0)))
    rows.put(1, *row((1, 5.0)))
    assert rows.dot(np.array([10.0, 100.0, 1000.0])).tolist() == [2010.0, 500.0]
    assert len(rows) == 2
    assert 1 in rows
    assert rows.slots == [0, 1]


def test_nothing_held() -> None:
    assert SparseRows().dot(np.zeros(3)).shape == (0,)


def test_rows_without_terms_score_zero() -> None:
    rows = SparseRows()
    rows.put(0, *row())
    rows.put(1, *row())
    assert rows.dot(np.zeros(0)).tolist() == [0.0, 0.0]


def test_a_taken_slot_is_refused() -> None:
    rows = SparseRows()
    rows.put(3, *row((0, 1.0)))
    with pytest.raises(ValueError, match="slot 3 is taken"):
        rows.put(3, *row((0, 2.0)))


def test_a_gap_between_slots_scores_zero() -> None:
    rows = SparseRows()
    rows.put(2, *row((0, 4.0)))
    assert rows.dot(np.ones(1)).tolist() == [0.0, 0.0, 4.0]


changes = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.integers(0, 5), unique=True, max_size=4)),
    max_size=60,
)


@pytest.mark.parametrize("tail", [0, 2, 64])
@given(changes)
def test_slots_are_used_again(tail: int, steps: list[tuple[int, list[int]]]) -> None:
    """Puts and removals in any order, packed at once, soon or never, against dense vectors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse, "_MIN_TAIL", tail)
        check_against_dense(steps)


def check_against_dense(steps: list[tuple[int, list[int]]]) -> None:
    rows, dense = SparseRows(), {}
    query = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
    for slot, ids in steps:
        if slot in rows:
            rows.remove(slot)
            del dense[slot]
        else:
            rows.put(slot, *row(*((i, float(i + 1)) for i in ids)))
            dense[slot] = np.array([i + 1.0 if i in ids else 0.0 for i in range(6)])
        found = rows.dot(query)
        wanted = [float(dense[i] @ query) if i in dense else 0.0 for i in range(len(found))]
        assert found.tolist() == wanted
        assert set(rows.slots) == set(dense)
