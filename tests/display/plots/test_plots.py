"""The figures: what is drawn, in which order, with which labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from rememberer_nb.display import plots
from rememberer_nb.display.plots.base import BLUE, GREEN, GREY, VERMILION
from rememberer_nb.elements import ActionValue, Advice, Exemplar, Hit, Record, Update
from rememberer_nb.errors import ConfigError


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    matplotlib.use("Agg")
    yield
    plt.close("all")


def drawn(ax: Axes) -> Axes:
    """The Axes after a real drawing; warnings are errors in this suite."""
    ax.figure.canvas.draw()
    return ax


def texts(ax: Axes) -> list[str]:
    """The texts written into the Axes."""
    return [text.get_text() for text in ax.texts]


def y_labels(ax: Axes) -> list[str]:
    """The names on the y axis, from the top."""
    return [label.get_text() for label in ax.get_yticklabels()]


def legend(ax: Axes) -> list[str]:
    """The names in the legend."""
    return [text.get_text() for text in ax.get_legend().get_texts()]


def summary_row(agent: str, mean: float, metric: str = "success_rate") -> dict[str, Any]:
    """A row as the analysis makes it."""
    return {
        "agent": agent, "metric": metric, "mean": mean, "low": mean - 0.1, "high": mean + 0.1,
        "n": 12,
    }  # fmt: skip


def difference_row(mean: float, metric: str = "success_rate") -> dict[str, Any]:
    """A paired difference with an interval of ± 0.1."""
    return {**summary_row("rememberer", mean, metric), "baseline": "llm_only"}


def epoch_rows(metric: str = "success_rate") -> list[dict[str, Any]]:
    """Two agents, three epochs, the second agent's out of order."""
    return [
        {**summary_row(agent, 0.2 + 0.1 * epoch, metric), "epoch": epoch}
        for agent, epochs in (("rememberer", (0, 1, 2)), ("from_empty", (2, 0, 1)))
        for epoch in epochs
    ]


def record(*values: tuple[str, float, int]) -> Record:
    """A record with these (action, q, visits)."""
    return Record(3, "a lamp for $30 and $40", "o", (), tuple(ActionValue(*v) for v in values))


def update(action: str, n: int, target: float, before: float, record_id: int = 3) -> Update:
    """An update with the running mean's rate."""
    after = before + (target - before) / n
    return Update(
        n, "e", 0, record_id, action, 0, (target,), 1.0, None, None, False, target, 1 / n, before,
        after, n,
    )  # fmt: skip


# Results


def test_learning_curve_counts_epochs_from_one() -> None:
    ax = drawn(plots.learning_curve(epoch_rows()))
    assert len(ax.lines) == len(ax.collections) == 2
    for line in ax.lines:
        assert line.get_xdata().tolist() == [1, 2, 3]
        assert line.get_ydata().tolist() == pytest.approx([0.2, 0.3, 0.4])
    low, high = ax.collections[0].get_paths()[0].get_extents().intervaly
    assert (low, high) == pytest.approx((0.1, 0.5))
    assert legend(ax) == ["rememberer", "from empty"]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert ax.get_xlabel() == "epoch"
    assert "successes / episodes" in ax.get_ylabel()


def test_rows_of_other_metrics_are_left_out() -> None:
    rows = [*epoch_rows(), *epoch_rows("mean_reward")]
    assert len(drawn(plots.learning_curve(rows, metric="mean_reward")).lines) == 2
    assert texts(plots.learning_curve(rows, metric="mean_steps")) == ["nothing to show"]


def test_agent_comparison_is_a_dot_and_an_interval_each() -> None:
    frame = pd.DataFrame([summary_row("random", 0.1), summary_row("llm_only", 0.3)])
    ax = drawn(plots.agent_comparison(frame))
    assert y_labels(ax) == ["random  (n = 12)", "llm only  (n = 12)"]
    interval, dot = ax.lines[2:]
    assert interval.get_xdata().tolist() == pytest.approx([0.2, 0.4])
    assert (dot.get_xdata().tolist(), dot.get_ydata().tolist()) == ([0.3], [1])
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first row stands on top"


def test_without_intervals_there_are_dots_alone() -> None:
    row = {"agent": "a", "baseline": "b", "mean": 0.5, "low": None, "high": None, "n": 1}
    ax = drawn(plots.plot_paired_differences([row]))
    assert not ax.texts
    drawn(plots.agent_comparison([row]))
    drawn(plots.learning_curve([{**row, "epoch": e} for e in range(3)]))


def test_paired_differences_mark_what_excludes_zero() -> None:
    rows = [difference_row(m) for m in (0.15, 0.05, -0.2, 0.1)]
    ax = drawn(plots.plot_paired_differences(rows))
    dots = ax.lines[1:8:2]
    assert [dot.get_color() for dot in dots] == [BLUE, GREY, BLUE, GREY]
    assert [to_hex(dot.get_markerfacecolor()) == "#ffffff" for dot in dots] == [
        False, True, False, True,
    ]  # fmt: skip
    assert [(text.xy[1], text.get_text()) for text in ax.texts] == [(0, "*"), (2, "*")]
    assert ax.lines[-1].get_xdata() == [0, 0]
    assert y_labels(ax)[0] == "rememberer − llm only"


def test_save_comparison_writes_the_same_bytes_twice(tmp_path: Path) -> None:
    metrics = ("success_rate", "mean_reward")
    tables = (
        [summary_row(agent, 0.3, m) for m in metrics for agent in ("random", "llm_only")],
        [difference_row(0.2, m) for m in metrics],
        [row for m in metrics for row in epoch_rows(m)],
    )
    paths = plots.save_comparison(*tables, tmp_path / "figures")
    assert [path.name for path in paths] == [
        "comparison.png", "comparison_differences.png", "comparison_training.png",
    ]  # fmt: skip
    first = [path.read_bytes() for path in paths]
    assert all(data.startswith(b"\x89PNG") for data in first)
    again = plots.save_comparison(*tables, tmp_path / "figures")
    assert [path.read_bytes() for path in again] == first
    assert not plt.get_fignums(), "no figure is left open"


# Memory


def test_q_values_from_the_highest_with_visits() -> None:
    values = record(("click[a]", 0.25, 4), ("click[b]", -0.5, 1), ("click[c]", 0.75, 2))
    advice = (Advice("click[c]", 0.75),), (Advice("click[b]", -0.5),)
    ax = drawn(plots.q_values(values, exemplar=Exemplar(3, "g", "o", (), *advice)))
    assert y_labels(ax) == ["click[c]", "click[a]", "click[b]"]
    assert [bar.get_width() for bar in ax.patches] == [0.75, 0.25, -0.5]
    assert [to_hex(bar.get_facecolor()).upper() for bar in ax.patches] == [GREEN, GREY, VERMILION]
    assert [bar.get_hatch() for bar in ax.patches] == ["", "", "//"]
    assert texts(ax) == [" 0.75 (×2)", " 0.25 (×4)", " -0.50 (×1)"]
    assert legend(ax) == ["encouraged", "discouraged"]


def test_q_history_by_hand() -> None:
    # Targets 1 and 0 with the running mean: 0, then 1, then 1/2.
    updates = [update("a", 1, 1.0, 0.0), update("a", 2, 0.0, 1.0), update("b", 1, 0.3, 0.0)]
    ax = drawn(plots.q_history(updates))
    assert ax.lines[0].get_xdata().tolist() == [0, 1, 2]
    assert ax.lines[0].get_ydata().tolist() == [0.0, 1.0, 0.5]
    assert ax.lines[1].get_ydata().tolist() == [1.0, 0.0]
    assert legend(ax) == ["a", "b"]
    both = drawn(plots.q_history([*updates, update("a", 1, 0.3, 0.0, record_id=4)]))
    assert legend(both) == ["3: a", "3: b", "4: a"]


def test_q_histogram_uses_the_same_bins() -> None:
    ax = drawn(plots.q_histogram([0.0, 0.1], [0.0, 0.5, 1.0, 1.0], n_bins=4))
    assert [bar.get_height() for bar in ax.patches[:4]] == [1, 0, 1, 2]
    assert legend(ax) == ["after (n = 4)", "before (n = 2)"]
    drawn(plots.q_histogram([0.5], [0.5, 0.5]))
    drawn(plots.q_histogram([], [0.5]))


# Retrieval and choice


def test_similarity_matrix_with_numbers() -> None:
    labels = ["a lamp for $30 and $40", "x" * 50]
    ax = drawn(plots.similarity_matrix([[1, 0.25], [0.25, 1]], labels))
    assert texts(ax) == ["1.00", "0.25", "0.25", "1.00"]
    assert y_labels(ax) == [r"a lamp for \$30 and \$40", "x" * 33 + "…"]
    assert len(texts(drawn(plots.similarity_matrix(np.eye(13), ["r"] * 13)))) == 0
    with pytest.raises(ConfigError, match="expected 3 x 3"):
        plots.similarity_matrix(np.eye(2), ["a", "b", "c"])


def test_lambda_curve_runs_from_page_to_task() -> None:
    hits = [Hit(0, 0.6, 0.9, 0.3, record()), Hit(1, 0.5, 0.2, 0.8, record())]
    ax = drawn(plots.lambda_curve(hits, task_weight=0.25))
    assert [tuple(line.get_ydata()) for line in ax.lines[:2]] == [(0.3, 0.9), (0.8, 0.2)]
    assert ax.lines[2].get_xdata() == [0.25, 0.25]
    assert legend(ax)[0] == r"record 3: a lamp for \$30 and \$40"
    # Half way at 0.5, as total = λ f_g + (1 − λ) f_o says.
    assert np.interp(0.5, [0, 1], ax.lines[0].get_ydata()) == pytest.approx(0.6)


def test_choice_probabilities_are_sorted_along_x() -> None:
    rows = [
        {"value": value, "action": action, "probability": value if action == "a" else 1 - value}
        for value in (1.0, 0.0, 0.5)
        for action in ("a", "b")
    ]
    ax = drawn(plots.choice_probabilities(rows, x="value", x_label="advised value (full marks)"))
    assert ax.lines[1].get_xdata().tolist() == [0.0, 0.5, 1.0]
    assert ax.lines[1].get_ydata().tolist() == [1.0, 0.5, 0.0]
    assert ax.get_xlabel() == "advised value (full marks)"


@pytest.mark.parametrize(
    ("n_step", "bootstrap_last", "expected"),
    [
        (2, False, ["0", "0.5", "Q", "0.5", "1", "1"]),
        (None, False, ["0", "0.5", "1", "0.5", "1", "1"]),
        (1, True, ["0", "Q", "0.5", "Q", "1", "Q"]),
    ],
)
def test_n_step_targets_by_hand(
    n_step: int | None, bootstrap_last: bool, expected: list[str]
) -> None:
    ax = plots.n_step_targets([0, 0.5, 1], n_step, bootstrap_last=bootstrap_last)
    assert texts(drawn(ax)) == expected
    assert len(ax.lines) == len(expected)
    assert len(y_labels(ax)) == 3


# All of them

EMPTY: dict[str, Callable[[Axes | None], Axes]] = {
    "learning_curve": lambda ax: plots.learning_curve([], ax),
    "agent_comparison": lambda ax: plots.agent_comparison([], ax=ax),
    "plot_paired_differences": lambda ax: plots.plot_paired_differences(pd.DataFrame(), ax=ax),
    "q_values": lambda ax: plots.q_values(record(), ax),
    "q_history": lambda ax: plots.q_history([], ax),
    "q_histogram": lambda ax: plots.q_histogram([], [], ax),
    "similarity_matrix": lambda ax: plots.similarity_matrix([], [], ax),
    "lambda_curve": lambda ax: plots.lambda_curve([], ax),
    "choice_probabilities": lambda ax: plots.choice_probabilities([], ax),
    "action_bars": lambda ax: plots.action_bars([], ax),
    "influence_dots": lambda ax: plots.influence_dots([], ax),
    "advice_dots": lambda ax: plots.advice_dots([], ax=ax),
    "n_step_targets": lambda ax: plots.n_step_targets([], 2, ax),
}


@pytest.mark.parametrize("name", EMPTY)
def test_no_data_says_so_on_the_given_axes(name: str) -> None:
    given = plt.figure().subplots()
    ax = drawn(EMPTY[name](given))
    assert ax is given
    assert texts(ax) == ["nothing to show"]
    assert "nothing to show" in texts(drawn(EMPTY[name](None)))


def test_every_figure_has_its_empty_case() -> None:
    functions = set(plots.__all__) - {"PALETTE", "save_comparison"}
    assert functions == set(EMPTY)


def test_a_table_without_the_columns_is_refused() -> None:
    with pytest.raises(ConfigError, match="lacks low, high"):
        plots.learning_curve([{"agent": "a", "epoch": 0, "mean": 0.5}])
    with pytest.raises(ConfigError, match="lacks baseline"):
        plots.plot_paired_differences([summary_row("a", 0.5)])
