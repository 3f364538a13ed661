"""Figures of logged memories: what they draw, and what they say when there is nothing to draw."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rememberer_nb.display.plots import logs
from rememberer_nb.errors import ConfigError


@pytest.fixture(autouse=True)
def _closed_figures():
    mpl.use("agg")
    yield
    plt.close("all")


VALUES = pd.DataFrame({"page_type": ["item", "item", "search", ""], "q_value": [0, 0.97, 1, 0.5]})
NEAREST = pd.DataFrame({"any": [0.9, 0.5, 0.7], "other_task": [0.3, 0.2, np.nan]})
GAPS = pd.DataFrame(
    {
        "kind": ["neighbours", "repeated", "neighbours"],
        "first": [3, 4, 5],
        "second": [7, 4, 9],
        "action": ["click[buy now]", "click[a]", "click[b]"],
        "low": [0.0, 0.2, 0.1],
        "high": [1.0, 0.9, 0.7],
    }
)
RELATION = pd.DataFrame(
    {
        "predictor": ["record", "base_rate", "record", "page_rate"],
        "metric": ["auc", "auc", "spearman", "auc"],
        "value": [0.6, 0.5, 0.2, np.nan],
        "low": [0.55, 0.5, -0.1, np.nan],
        "high": [0.7, 0.5, 0.4, np.nan],
        "chance": [0.5, 0.5, 0.0, 0.5],
    }
)
BINS = pd.DataFrame(
    {
        "low_edge": [0.0, 0.5],
        "high_edge": [0.5, 1.0],
        "mean": [0.3, 0.6],
        "low": [0.2, 0.5],
        "high": [0.4, 0.8],
        "n_episodes": [3, 11],
    }
)


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_values_are_stacked_by_page():
    ax = logs.values_by_page(VALUES, n_bins=4)
    assert labels(ax) == ["other (1)", "item (2)", "search (1)"]
    top = max(bar.get_y() + bar.get_height() for bar in ax.patches)
    assert top == 2  # 0.97 and 1 share the last bin, one on the other


def test_nearest_totals_are_shares_of_all_records():
    ax = logs.nearest_totals(NEAREST)
    anyone, foreign = ax.lines
    assert anyone.get_xdata().tolist() == [0.0, 0.5, 0.7, 0.9]
    assert anyone.get_ydata() == pytest.approx([1, 2 / 3, 1 / 3, 0])
    assert foreign.get_ydata() == pytest.approx([1, 2 / 3, 1 / 3])  # one of three has none


def test_gaps_name_records_and_action_and_tell_the_kinds_apart():
    ax = logs.value_gaps(GAPS)
    ticks = [label.get_text() for label in ax.get_yticklabels()]
    assert ticks == ["3, 7: click[buy now]", "4: click[a]", "5, 9: click[b]"]
    assert labels(ax) == ["values of two near duplicates", "targets of one value"]


def test_intervals_are_filled_where_chance_is_excluded():
    ax = logs.relation_intervals(RELATION, "auc")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["record", "base rate"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [False, True]
    assert "AUC" in ax.get_xlabel()
    assert len(logs.relation_intervals(RELATION, "spearman").get_yticklabels()) == 1


def test_bins_show_their_numbers_of_episodes():
    ax = logs.score_by_prediction(BINS, base_rate=0.45)
    assert [text.get_text() for text in ax.texts] == ["3", "11"]
    assert labels(ax) == ["score = prediction", "mean over all steps"]


@pytest.mark.parametrize(
    ("draw", "frame"),
    [
        (logs.values_by_page, VALUES),
        (logs.nearest_totals, NEAREST),
        (logs.value_gaps, GAPS),
        (logs.relation_intervals, RELATION),
        (logs.score_by_prediction, BINS),
    ],
)
def test_nothing_to_show_and_missing_columns(draw, frame):
    assert "nothing to show" in [text.get_text() for text in draw(frame.iloc[:0]).texts]
    given = plt.subplots()[1]
    assert draw(frame, ax=given) is given
    with pytest.raises(ConfigError, match="lacks"):
        draw(frame.drop(columns=frame.columns[0]))
