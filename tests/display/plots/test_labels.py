"""Names from elsewhere in figures: whatever they hold, the figure is drawn and shows them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

from rememberer_nb.display import plots
from rememberer_nb.display.plots import logs, shop
from rememberer_nb.display.plots.base import plain_label, short, spelled
from rememberer_nb.display.plots.capacity import capacity_curve
from rememberer_nb.elements import ActionValue, Hit, Record, Update
from tests.system.test_printable import unfit

NASTY = "\x1b[2J \u202e \x9b \ud800 \uffff $x$ and $y_{$" + " long" * 200_000
RECORD = Record(0, NASTY, NASTY, (), (ActionValue(NASTY, 0.5, 1),))
UPDATES = tuple(
    Update(n, NASTY, 0, n, NASTY, 0, (1.0,), 1.0, None, None, False, 1.0, 1.0, 0.0, 1.0, 1)
    for n in range(2)
)
MEAN = {"mean": 0.5, "low": 0.4, "high": 0.6}
AGENT = {"agent": NASTY, "baseline": NASTY, "metric": NASTY, "n": 3, "epoch": 0, **MEAN}
PURCHASE = {"r_type": 1.0, "r_att": 0.5, "w_att": 0.5, "r_price": True, "w_price": 0.5}
GAP = {"kind": "repeated", "first": 0, "second": 0, "action": NASTY, "low": 0, "high": 1}
RELATION = {"predictor": NASTY, "metric": NASTY, "value": 0.6, "chance": 0.5, **MEAN}

CHANGED = {"variant": "no exemplars", "changed": NASTY, "action": NASTY, "words": NASTY}
CHANGED |= {"probability": 0.5, "chosen": True, "difference": 0.1}
ADVISED = {
    "normalisation": "token",
    "label": "encouraged",
    "advised": NASTY,
    "metric": NASTY,
    **MEAN,
}

FIGURES: dict[str, Callable[[], Axes]] = {
    "learning_curve": lambda: plots.learning_curve([AGENT], metric=NASTY),
    "agent_comparison": lambda: plots.agent_comparison([AGENT], NASTY),
    "plot_paired_differences": lambda: plots.plot_paired_differences([AGENT], NASTY),
    "q_values": lambda: plots.q_values(RECORD),
    "q_history": lambda: plots.q_history(UPDATES),
    "similarity_matrix": lambda: plots.similarity_matrix([[1.0] * 8] * 8, [NASTY] * 8),
    "lambda_curve": lambda: plots.lambda_curve([Hit(0, 0.5, 0.5, 0.5, RECORD)]),
    "choice_probabilities": lambda: plots.choice_probabilities(
        [{"x": 1, "action": NASTY, "probability": 0.5}]
    ),
    "action_bars": lambda: plots.action_bars([CHANGED]),
    "influence_dots": lambda: plots.influence_dots([CHANGED], action=NASTY),
    "advice_dots": lambda: plots.advice_dots([{**ADVISED, "without": 0.1}], NASTY),
    "capacity_curve": lambda: capacity_curve(
        [{"max_records": NASTY, "metric": NASTY, **MEAN}], baseline=0.3, label=NASTY
    ),
    "values_by_page": lambda: logs.values_by_page([{"page_type": NASTY, "q_value": 0.5}]),
    "value_gaps": lambda: logs.value_gaps([GAP]),
    "relation_intervals": lambda: logs.relation_intervals([RELATION], NASTY),
    "reward_parts": lambda: shop.reward_parts({NASTY: PURCHASE}),
    "pair_scores": lambda: shop.pair_scores([{"group": NASTY, NASTY: 0.5}], score=NASTY),
    "lambda_shares": lambda: shop.lambda_shares(
        [{"similarity": NASTY, "task_weight": 0.5, "hit": 0.5}], "hit"
    ),
}


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    mpl.use("agg")
    with mpl.rc_context({"svg.fonttype": "none"}):
        yield
    plt.close("all")


@pytest.mark.parametrize("name", FIGURES)
def test_any_name_can_be_drawn(name: str) -> None:
    figure: Any = FIGURES[name]().figure
    png, svg = io.BytesIO(), io.BytesIO()
    # A character that the font lacks is a warning, and a warning an error here.
    figure.savefig(png, format="png")
    figure.savefig(svg, format="svg")
    texts = [found.get_text() for found in figure.findobj(Text)]
    assert any("\\u001b[2J" in text for text in texts)
    assert [text for text in texts if unfit(text) or len(text) > 200] == []
    assert unfit(svg.getvalue().decode()) == []


def test_ordinary_names_stay_as_they_are() -> None:
    assert spelled("llm_only") == "llm only"
    assert plain_label("λ = 0.5: ½") == "λ = 0.5: ½"
    assert short("x" * 40) == "x" * 33 + "…"
