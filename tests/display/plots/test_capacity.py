"""The curve over capacity: what is drawn, by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import matplotlib.pyplot as plt
import pytest

from rememberer_nb.display.plots.capacity import capacity_curve
from rememberer_nb.errors import ConfigError

ROWS = [
    {"max_records": 10, "mean": 0.2, "low": 0.1, "high": 0.4, "metric": "success_rate"},
    {"max_records": "no limit", "mean": 0.5, "low": 0.4, "high": 0.6, "metric": "success_rate"},
]


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    matplotlib.use("Agg")
    yield
    plt.close("all")


def test_limits_stand_in_order_with_their_intervals():
    ax = capacity_curve(ROWS, baseline=0.3, label="alone")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["10", "no limit"]
    (line, _, (bars,)) = ax.containers[0]
    assert line.get_ydata().tolist() == [0.2, 0.5]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [
        pytest.approx([0.1, 0.4]),
        pytest.approx([0.4, 0.6]),
    ]
    assert ax.get_ylabel() == "success rate"
    assert {t.get_text() for t in ax.get_legend().get_texts()} == {"alone", "learnt"}
    assert ax.get_ylim()[0] == 0


def test_axes_are_taken_and_nothing_is_said():
    _, ax = plt.subplots()
    assert capacity_curve([], ax) is ax
    assert [text.get_text() for text in ax.texts] == ["nothing to show"]


def test_a_missing_column_is_named():
    with pytest.raises(ConfigError, match="low"):
        capacity_curve([{"max_records": 1, "mean": 0.5, "high": 1.0}])
