"""The belief formula, by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import OfflineConfig
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.offline.beliefs import (
    Advised,
    Kind,
    Likeness,
    Look,
    Number,
    PageReading,
    action_likeness,
    situation_likeness,
    softmax,
    weigh,
)

BUY = Look("buy", (1.0, 0.5))
CONFIG = OfflineConfig(prior_weight=0.2, label_weight=0.0)
LABELS = OfflineConfig(prior_weight=0.2, label_weight=0.05)
unit = st.floats(0, 1)


def advised(
    value: float | None,
    *,
    K: float = 1.0,
    look: Look = BUY,
    good: bool = True,
    prior: float = 0.5,
) -> Advised:
    return Advised(1, "click[x]", look, prior, value, good, K)


def reading(page: str = "item", features: tuple[float, ...] = (), words: str = "") -> PageReading:
    return PageReading(page, features, frozenset(words.split()), {})


def test_the_prior_is_bias_plus_weights_times_attributes() -> None:
    kind = Kind(Number(0.1, "b"), one=Number(0.4, "first"), two=Number(-0.2, "second"))
    assert kind.prior((0.5, 1.0)) == pytest.approx(0.1 + 0.2 - 0.2)
    assert kind.reason((0.5, 1.0)) == "first"
    assert kind.reason((0.0, 1.0)) == "b"
    with pytest.raises(ValueError, match="zip"):
        kind.prior((0.5,))


def test_a_changed_kind_keeps_the_rest() -> None:
    kind = Kind(Number(0.1, "b"), one=Number(0.4, "1"), two=Number(0.2, "2"))
    changed = kind.but(two=Number(0.0, "none"))
    assert changed.prior((1.0, 1.0)) == pytest.approx(0.5)
    assert kind.prior((1.0, 1.0)) == pytest.approx(0.7)
    assert tuple(changed.numbers) == ("one", "two")
    with pytest.raises(ConfigError, match="three"):
        kind.but(three=Number(0.0, "?"))


def test_one_full_observation_by_hand() -> None:
    # An action that looks like the advised one is believed the same of beforehand.
    belief, evidence = weigh(BUY, 0.3, [advised(0.9, prior=0.3)], CONFIG, Likeness())
    assert belief == pytest.approx((0.2 * 0.3 + 0.9) / 1.2)
    assert [(e.situation_likeness, e.action_likeness, e.value) for e in evidence] == [(1, 1, 0.9)]


def test_two_lines_count_by_their_likeness() -> None:
    # The second advised action differs by 0.5 in one attribute: k = e^(−3 · 0.5).
    other = Look("buy", (1.0, 0.0))
    k = math.exp(-1.5)
    lines = [
        advised(0.8, K=0.5, prior=0.4),
        advised(0.0, K=0.25, look=other, good=False, prior=0.2),
    ]
    belief, evidence = weigh(BUY, 0.4, lines, CONFIG, Likeness(action=3.0))
    # Surprises of +0.4 and −0.2, with weights 0.5 and 0.25 k.
    assert belief == pytest.approx(0.4 + (0.5 * 0.4 - 0.25 * k * 0.2) / (0.2 + 0.5 + 0.25 * k))
    assert evidence[1].action_likeness == pytest.approx(k)


def test_advice_that_was_expected_changes_nothing() -> None:
    # A fitting product scored the 0.6 that was believed of it: a better one stays better.
    assert weigh(BUY, 0.7, [advised(0.6, prior=0.6)], CONFIG, Likeness())[0] == 0.7


def test_labels_pull_gently_and_both_ways() -> None:
    up, _ = weigh(BUY, 0.4, [advised(None)], LABELS, Likeness())
    down, _ = weigh(BUY, 0.4, [advised(None, good=False)], LABELS, Likeness())
    both, _ = weigh(BUY, 0.4, [advised(None), advised(None, good=False)], LABELS, Likeness())
    assert up == pytest.approx(0.4 + 0.05 / 1.2)
    assert down == pytest.approx(0.4 - 0.05 / 1.2)
    assert both == 0.4


def test_a_label_has_no_value() -> None:
    assert weigh(BUY, 0.37, [advised(None)], CONFIG, Likeness())[0] == 0.37


@pytest.mark.parametrize("line", [advised(1.0, K=0.0), advised(1.0, look=Look("back", (1.0, 0.5)))])
def test_strangers_say_nothing(line: Advised) -> None:
    assert weigh(BUY, 0.1 + 0.2, [line], LABELS, Likeness()) == (0.1 + 0.2, ())


def test_absurd_values_stay_finite() -> None:
    belief, _ = weigh(BUY, 0.5, [advised(math.inf), advised(-1e308)], CONFIG, Likeness())
    assert math.isfinite(belief)


def test_situation_likeness_by_hand() -> None:
    one = reading(features=(0.0, 1.0), words="red lamp")
    other = reading(features=(0.25, 1.0), words="blue lamp")
    # Distance 0.25 at fall 2; of two and two words one is shared, so half is missing, at fall 1.
    assert situation_likeness(one, other, Likeness()) == pytest.approx(math.exp(-0.5 - 0.5))
    assert situation_likeness(one, one, Likeness()) == 1.0
    assert situation_likeness(reading(), reading(), Likeness()) == 1.0
    assert situation_likeness(one, reading("results", (0.0, 1.0), "red lamp"), Likeness()) == 0.0


@given(a=unit, b=unit, c=unit)
def test_likeness_falls_with_distance(a: float, b: float, c: float) -> None:
    near, far = sorted((b, c), key=lambda x: abs(x - a))
    likeness = Likeness()
    assert action_likeness(Look("x", (a,)), Look("x", (near,)), likeness) >= action_likeness(
        Look("x", (a,)), Look("x", (far,)), likeness
    )


@given(prior=unit, value=unit, K=unit, count=st.integers(1, 8))
def test_a_belief_lies_between_prior_and_advice(
    prior: float, value: float, K: float, count: int
) -> None:
    lines = [advised(value, K=K, prior=prior)] * count
    belief, _ = weigh(BUY, prior, lines, CONFIG, Likeness())
    assert min(prior, value) - 1e-12 <= belief <= max(prior, value) + 1e-12


@given(K=st.lists(unit, max_size=8), good=st.booleans())
def test_labels_never_pull_more_than_their_weight(K: list[float], good: bool) -> None:
    belief, _ = weigh(BUY, 0.5, [advised(None, K=k, good=good) for k in K], LABELS, Likeness())
    assert abs(belief - 0.5) <= 0.05


def test_softmax_by_hand() -> None:
    assert softmax([0.5, 0.5 + 0.05 * math.log(3)], 0.05) == pytest.approx([0.25, 0.75])
    assert softmax([], 0.05) == []
    assert softmax([1000.0, -1000.0], 0.01) == [1.0, 0.0]


@pytest.mark.parametrize("changes", [{"page": -1.0}, {"action": math.nan}])
def test_likeness_settings_are_checked(changes: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be at least 0"):
        Likeness(**changes)
