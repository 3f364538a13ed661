"""Figures of rewards and similarities: what is drawn, by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from rememberer_nb.display.plots.base import BLUE
from rememberer_nb.display.plots.shop import best_of_hits, lambda_shares, pair_scores, reward_parts
from rememberer_nb.errors import ConfigError

FULL = {
    "r_type": 1.0,
    "r_att": 0.5,
    "w_att": 0.4,
    "r_option": 1.0,
    "w_option": 0.4,
    "r_price": True,
    "w_price": 0.2,
}


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    matplotlib.use("Agg")
    yield
    plt.close("all")


def test_the_parts_of_a_reward_fill_the_bar():
    ax = reward_parts({"one": FULL, "half": FULL | {"r_type": 0.5}})
    ax.figure.canvas.draw()
    widths = [[bar.get_width() for bar in bars] for bars in ax.containers]
    # Attributes, options, price, missed; the second purchase earns half of each.
    assert [w[0] for w in widths] == pytest.approx([0.2, 0.4, 0.2, 0.2])
    assert [w[1] for w in widths] == pytest.approx([0.1, 0.2, 0.1, 0.6])
    assert [text.get_text() for text in ax.texts] == ["0.80", "0.40"]


def test_a_goal_without_options_has_no_such_part():
    info = {"r_type": 1.0, "r_att": 1.0, "w_att": 0.5, "r_price": False, "w_price": 0.5}
    ax = reward_parts({"too dear": info})
    assert [bars[0].get_width() for bars in ax.containers] == [0.5, 0.0, 0.0, 0.5]


def test_boxes_stand_in_order_of_the_categories_and_the_first_is_coloured():
    kinds = pd.CategoricalDtype(["b", "a", "unused"], ordered=True)
    frame = pd.DataFrame({"group": pd.Series(["a", "a", "b"], dtype=kinds), "total": [1, 3, 5]})
    ax = pair_scores(frame)
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b (1)", "a (2)"]
    colours = [matplotlib.colors.to_hex(patch.get_facecolor()) for patch in ax.patches]
    assert colours == [BLUE.lower(), "#dddddd"]


def test_the_score_is_chosen_by_name():
    rows = [{"group": "x", "total": 1.0, "task_similarity": 0.25}]
    ax = pair_scores(rows, score="task_similarity")
    assert ax.get_xlabel() == "task similarity"
    medians = [line for line in ax.lines if line.get_color() == "black" and len(line.get_xdata())]
    assert 0.25 in {float(x) for line in medians for x in line.get_xdata()}


def test_a_line_per_similarity():
    rows = [
        {"similarity": name, "task_weight": w, "hit": value}
        for name, values in (("tfidf", (0.5, 0.25)), ("jaccard", (1.0, 0.0)))
        for w, value in zip((0.0, 1.0), values, strict=True)
    ]
    ax = lambda_shares(rows, "hit")
    assert [line.get_label() for line in ax.lines] == ["tfidf", "jaccard"]
    assert ax.lines[1].get_ydata().tolist() == [1.0, 0.0]


def test_axes_are_taken_and_given_back():
    _, ax = plt.subplots()
    assert reward_parts({}, ax) is ax
    assert [text.get_text() for text in ax.texts] == ["nothing to show"]


def test_a_missing_column_is_named():
    with pytest.raises(ConfigError, match="total"):
        pair_scores([{"group": "x"}])


def test_the_best_of_the_hits_has_a_line_and_intervals_for_each_metric():
    rows = [
        {"n_hits": n, "success_rate": s, "success_low": s - 0.1, "success_high": s + 0.05}
        | {"mean_reward": r, "reward_low": r - 0.2, "reward_high": r + 0.02}
        for n, s, r in ((1, 0.4, 0.7), (50, 0.9, 0.95))
    ]
    ax = best_of_hits(rows)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1", "50"]
    lines = {c.get_label(): c for c in ax.containers}
    assert set(lines) == {"mean reward", "success rate"}
    assert lines["success rate"][0].get_ydata().tolist() == [0.4, 0.9]
    segments = lines["mean reward"][2][0].get_segments()
    assert segments[0][:, 1].tolist() == pytest.approx([0.5, 0.72])
