"""Figures of a memory's influence: what they draw, by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes

from rememberer_nb.display.plots import action_bars, advice_dots, influence_dots
from rememberer_nb.errors import ConfigError


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    mpl.use("Agg")
    yield
    plt.close("all")


def row(variant: str, action: str, probability: float, chosen: bool, base: float) -> dict[str, Any]:
    return {
        "variant": variant, "changed": "" if variant == "as shown" else "all", "action": action,
        "words": f"press {action}", "probability": probability, "chosen": chosen,
        "difference": probability - base,
    }  # fmt: skip


ROWS = [
    row("as shown", "a", 0.2, False, 0.2),
    row("as shown", "b", 0.5, True, 0.5),
    row("as shown", "c", 0.3, False, 0.3),
    row("no exemplars", "a", 0.6, True, 0.2),
    row("no exemplars", "b", 0.3, False, 0.5),
    row("no exemplars", "c", 0.1, False, 0.3),
    row("no values", "a", 0.1, False, 0.2),
    row("no values", "b", 0.75, True, 0.5),
    row("no values", "c", 0.15, False, 0.3),
]


def ticks(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_bars_stand_in_the_order_of_the_likelier_case() -> None:
    ax = action_bars(ROWS, n_actions=2, right="b")
    # a: 0.6 without memory; b: 0.5 with; c: 0.3 at most.
    assert ticks(ax) == ["press a", "press b (right)"]
    with_memory, without = ax.containers
    assert [bar.get_width() for bar in with_memory] == [0.2, 0.5]
    assert [bar.get_width() for bar in without] == [0.6, 0.3]
    assert [text.get_text() for text in ax.texts] == ["0.20", "0.50 chosen", "0.60 chosen", "0.30"]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["with memory", "without memory"]
    assert ax.get_xlim()[1] == pytest.approx(1.5 * 0.6)


def test_without_a_memory_there_is_one_bar_an_action() -> None:
    ax = action_bars(ROWS[:3])
    assert [len(bars) for bars in ax.containers] == [3, 0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["with memory"]


def test_no_probability_above_1_is_marked() -> None:
    ax = action_bars([row("as shown", "a", 0.9, True, 0.9)])
    assert ax.get_xlim()[1] > 1.3
    assert max(ax.get_xticks()) == 1


def test_a_dot_tells_how_far_the_chosen_action_moved_and_whether_it_lost() -> None:
    ax = influence_dots(ROWS)
    assert ticks(ax) == ["no exemplars", "no values"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([-0.2, 0.25])
    assert [dot.get_markerfacecolor() != "none" for dot in dots] == [True, False]
    assert "P(press b)" in ax.get_xlabel()


def test_the_influence_on_a_named_action() -> None:
    ax = influence_dots(ROWS, action="c")
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([-0.2, -0.15])
    with pytest.raises(ConfigError, match="no action 'z'"):
        influence_dots(ROWS, action="z")


def advised(label: str, mean: float, without: float, **more: str) -> dict[str, Any]:
    interval = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "without": without}
    kind = {"normalisation": "token", "label": label, "advised": "wrong", "metric": "chosen"}
    return {**kind, **interval, **more}


def test_advice_stands_beside_what_is_without_it() -> None:
    rows = [
        advised("encouraged", 0.7, 0.1),
        advised("discouraged", 0.4, 0.2),
        advised("encouraged", 0.9, 0.9, metric="probability"),
        advised("encouraged", 0.9, 0.9, normalisation="empty"),
    ]
    ax = advice_dots(rows, "chosen")
    assert ticks(ax) == ["encouraged, wrong", "discouraged, wrong"]
    found = {m: [line.get_xdata()[0] for line in ax.lines if line.get_marker() == m] for m in "Dos"}
    assert found == {"D": [0.1, 0.2], "o": [0.7], "s": [0.4]}
    spans = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 2.5]
    assert [list(span) for span in spans] == [pytest.approx([0.6, 0.8]), pytest.approx([0.3, 0.5])]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == ["without advice", "encouraged", "discouraged"]
    assert ax.get_xlabel() == "share of decisions that choose it"
    assert ticks(advice_dots(rows, "chosen", normalisation="empty")) == ["encouraged, wrong"]


def test_one_task_has_no_interval_to_draw() -> None:
    ax = advice_dots([{**advised("encouraged", 0.5, 0.5), "low": None, "high": None}], "chosen")
    assert ticks(ax) == ["encouraged, wrong"]


@pytest.mark.parametrize("figure", [action_bars, influence_dots, advice_dots])
def test_axes_are_taken_nothing_is_said_and_a_missing_column_named(figure: Any) -> None:
    _, ax = plt.subplots()
    assert figure([], ax=ax) is ax
    assert [text.get_text() for text in ax.texts] == ["nothing to show"]
    with pytest.raises(ConfigError, match="the table lacks"):
        figure([{"mean": 0.5}])
