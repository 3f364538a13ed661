"""Advice followed or not: numbers worked out by hand for an LLM that copies in a toy corridor."""

from __future__ import annotations

from math import exp
from typing import Any

import pytest

from rememberer_nb.analysis.advice import (
    advice_rows,
    advice_table,
    advice_text,
    verdict,
)
from rememberer_nb.analysis.metrics import bootstrap_interval, plain_rows
from rememberer_nb.config import PromptConfig
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms import OfflineLLM
from tests.analysis.copier import Copier
from tests.toy import ToyEnv


def test_an_llm_that_does_not_score_is_refused() -> None:
    with pytest.raises(ConfigError, match="offline:novice does not say how likely"):
        advice_rows(ToyEnv(), OfflineLLM("webshop"), [0])


def test_every_kind_of_advice_is_asked_about_as_worked_out(guided: Any) -> None:
    llm = Copier()
    rows = advice_rows(guided(), llm, [0])
    # One decision: five prompts, and three words after nothing.
    assert len(llm.asked) == 6
    assert [text.count("0.00") for text in llm.asked].count(1) == 2
    found = {(r["normalisation"], r["label"], r["advised"]): r for r in rows}
    assert len(rows) == len(found) == 12
    # Encouraged: 2 + 1; discouraged: 1 + 0; the copier finds all alike without advice. It counts
    # two tokens for each, and its words after nothing have ln P = 0.
    for normalisation, n in (("token", 2), ("empty", 1)):
        for label, worth in (("encouraged", 3.0), ("discouraged", 1.0)):
            for advised in ("right", "wrong"):
                row = found[normalisation, label, advised]
                assert row["probability"] == pytest.approx(exp(worth / n) / (exp(worth / n) + 2))
                assert row["probability_without"] == pytest.approx(1 / 3)
                assert row["chosen"] == 1.0
                # Of equals the first is taken.
                assert row["chosen_without"] == float(row["action"] == "go[on]")
            instead = found[normalisation, "encouraged instead", advised]
            for name, label in (("", "encouraged"), ("_without", "discouraged")):
                kind = found[normalisation, label, advised]
                assert instead[f"probability{name}"] == kind["probability"]
    assert found["token", "encouraged", "right"]["action"] == "open[door]"


def test_prompts_are_those_of_the_settings_and_no_advice_is_lost_to_a_budget(guided: Any) -> None:
    llm = Copier()
    advice_rows(guided(), llm, [0], prompt=PromptConfig(max_tokens=1))
    texts = [text for text in llm.asked if "## Example 1" in text]
    assert len(texts) == 4
    assert all("You walk along a corridor" in text for text in texts)


def test_a_limit_of_decisions_ends_the_walk(guided: Any) -> None:
    rows = advice_rows(guided(), Copier(), range(4), n_decisions=4)
    assert [row["task"] for row in rows[::12]] == [0, 1, 1, 2]


def row(task: int, chosen: float, without: float, label: str = "discouraged") -> dict[str, Any]:
    measures = {"chosen": chosen, "chosen_without": without}
    measures |= {"probability": chosen / 2, "probability_without": without / 2}
    return {"task": task, "label": label, "advised": "wrong", "normalisation": "token", **measures}


def test_a_task_counts_once() -> None:
    rows = [
        row(1, 1.0, 0.0),
        row(2, 1.0, 1.0),
        row(2, 0.0, 0.0),
        row(2, 0.0, 1.0),
        row(3, 1.0, 0.0),
    ]
    chosen, probability = plain_rows(advice_table(rows))
    # Means of tasks with advice: 1, 1/3, 1; without: 0, 2/3, 0; changes: 1, -1/3, 1.
    assert chosen["mean"] == pytest.approx(7 / 9)
    assert chosen["without"] == pytest.approx(2 / 9)
    assert chosen["change"] == pytest.approx(5 / 9)
    assert (chosen["n"], chosen["n_tasks"]) == (5, 3)
    expected = bootstrap_interval([1.0, -1 / 3, 1.0])
    assert (chosen["change_low"], chosen["change_high"]) == pytest.approx(expected)
    assert (chosen["low"], chosen["high"]) == pytest.approx(bootstrap_interval([1, 1 / 3, 1]))
    assert chosen["verdict"] == "not told apart"
    assert probability["change"] == pytest.approx(5 / 18)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.0, 0.1), "not told apart"),
        ((-0.1, 0.0), "not told apart"),
        ((1e-9, 0.1), "raises"),
        ((-0.1, -1e-9), "lowers"),
        ((float("nan"), float("nan")), "not told apart"),
    ],
)
def test_a_verdict_needs_an_interval_without_0(
    interval: tuple[float, float], expected: str
) -> None:
    assert verdict(*interval) == expected


def test_one_task_has_no_interval_and_no_decision_no_table() -> None:
    (chosen, _) = plain_rows(advice_table([row(1, 1.0, 0.0), row(1, 0.0, 0.0)]))
    assert (chosen["mean"], chosen["low"], chosen["change_high"]) == (0.5, None, None)
    assert "0.500 -" in advice_text([chosen])
    with pytest.raises(ConfigError, match="no decisions: there is nothing to measure"):
        advice_table([])


def test_the_text_says_what_the_table_says() -> None:
    rows = [row(task, 1.0, 0.0) for task in (1, 2)] + [
        row(task, 0.0, 1.0, label) for task in (1, 2) for label in ("encouraged",)
    ]
    text = advice_text(plain_rows(advice_table(rows))).splitlines()
    lines = [" ".join(line.split()) for line in text]
    assert lines[0] == "normalisation: token"
    assert lines[2] == (
        "discouraged wrong 0.000 1.000 [1.000, 1.000] +1.000 [+1.000, +1.000]* raises"
    )
    assert lines[3].endswith("-1.000 [-1.000, -1.000]* lowers")
    # The question is about "discouraged" and P alone.
    at = lines.index('Does "discouraged" lower the probability of what it discourages?')
    assert lines[at + 1] == "token, wrong action: +0.500 [+0.500, +0.500]* raises"
    # Nothing was asked about the labels by themselves.
    assert lines[at + 3 :] == ['Does "encouraged" raise it above what "discouraged" makes of it?']
    assert text[0][0] != " " and not any(line.endswith(" ") for line in text)
