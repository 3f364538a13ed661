"""The growing array against a list."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.retrieval.fast.growing import Growing

steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 9)),
        st.tuples(st.just("extend"), st.lists(st.integers(0, 9), max_size=200)),
        st.tuples(st.just("widen"), st.integers(0, 300)),
        st.tuples(st.just("truncate"), st.integers(0, 300)),
    ),
    max_size=20,
)


@given(steps)
def test_against_a_list(todo: list[tuple]) -> None:
    grown, wanted = Growing(np.int64, [5]), [5]
    for what, value in todo:
        getattr(grown, what)(value)
        if what == "append":
            wanted.append(value)
        elif what == "extend":
            wanted += value
        elif what == "widen":
            wanted += [0] * (value - len(wanted))
        else:
            wanted = wanted[:value]
        assert grown.view.tolist() == wanted
        assert len(grown) == len(wanted)


def test_growth_is_amortised() -> None:
    grown, n_moves = Growing(np.int32), 0
    held = grown.view
    for i in range(20_000):
        grown.append(i)
        n_moves += grown.view.base is not held
        held = grown.view.base
    assert n_moves < 40
    assert grown.view.tolist() == list(range(20_000))
