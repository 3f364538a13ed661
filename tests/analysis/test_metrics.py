"""Metrics by hand, intervals by their properties."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.analysis.metrics import (
    bootstrap_interval,
    episode_metrics,
    intervals,
    paired_differences,
    plain_rows,
    summary_table,
)
from rememberer_nb.elements import Decision, Episode, Step, Task
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory.outcome import Outcome


def episode(rewards: list[float], *, success: bool = False, errors: int = 0) -> Episode:
    steps = tuple(
        Step(i, "o", ("a",), "", Decision("a", error="x" if i < errors else None), reward)
        for i, reward in enumerate(rewards)
    )
    return Episode("e", "toy", "random", Task("0", "g"), steps, "", is_success=success)


def test_metrics_by_hand() -> None:
    episodes = [episode([0.0, 1.0], success=True), episode([0.25], errors=1)]
    assert episode_metrics(episodes) == {
        "n_episodes": 2,
        "success_rate": 0.5,
        "mean_reward": 0.625,
        "mean_steps": 1.5,
        "reply_errors": 1,
    }


def test_interval_matches_the_exact_distribution_of_two_values() -> None:
    # The mean of two draws from {0, 1} is 0, 1/2, 1 with probabilities 1/4, 1/2, 1/4.
    assert bootstrap_interval([0.0, 1.0], level=0.95) == (0.0, 1.0)
    assert bootstrap_interval([0.0, 1.0], level=0.4) == (0.5, 0.5)


def test_one_number_has_no_interval() -> None:
    assert np.isnan(bootstrap_interval([0.7])).all()
    one = {0: [episode([1.0], success=True)]}
    assert intervals(one) == {"success_rate": None, "mean_reward": None}
    # Two seeds that agree have one, of no width.
    assert intervals({**one, 1: one[0]})["success_rate"] == [1.0, 1.0]


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=20), st.integers(0, 5))
def test_interval_holds_the_mean_of_resamples(values: list[float], seed: int) -> None:
    low, high = bootstrap_interval(values, n_resamples=500, seed=seed)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert (low, high) == bootstrap_interval(values, n_resamples=500, seed=seed)


def test_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    n_covered = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.normal(3.0, 1.0, size=30), n_resamples=400)
        n_covered += low <= 3.0 <= high
    assert 0.86 <= n_covered / 200 <= 0.99


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]]])
def test_interval_refuses_what_is_no_sample(values: list) -> None:
    with pytest.raises(ConfigError, match="shape"):
        bootstrap_interval(values)


def test_intervals_are_over_tasks_with_one_seed_and_over_seeds_with_more() -> None:
    good, bad = episode([1.0], success=True), episode([0.0])
    over_tasks = intervals({0: [good, bad]})
    assert over_tasks["success_rate"] == [0.0, 1.0]
    over_seeds = intervals({0: [good, bad], 1: [bad, good]})
    assert over_seeds["success_rate"] == [0.5, 0.5]


ROWS = [
    {"agent": agent, "seed": seed, "success_rate": base + 0.1 * seed, "mean_reward": base}
    for agent, base in (("a", 0.5), ("b", 0.2))
    for seed in range(3)
]


def test_summary_table() -> None:
    table = summary_table(ROWS)
    assert table["agent"].tolist() == ["a", "a", "b", "b"]
    row = table.iloc[0]
    assert row["metric"] == "success_rate"
    assert row["mean"] == pytest.approx(0.6)
    assert row["n"] == 3
    assert row["low"] <= row["mean"] <= row["high"]


def test_what_cancels_but_for_rounding_is_no_effect() -> None:
    # 0.1 + 0.2 − 0.3 is 5.6e-17 in floating point, and the mean of these three 1.9e-17.
    low, high = bootstrap_interval([0.1 + 0.2 - 0.3] * 3)
    assert (low, high) == (0.0, 0.0)
    rows = [
        {"agent": agent, "seed": seed, "success_rate": rate, "mean_reward": rate}
        for seed in range(3)
        for agent, rate in (("a", 0.1 + 0.2), ("b", 0.3))
    ]
    assert not paired_differences(rows, [("a", "b")])["is_clear"].any()


def test_paired_differences_remove_what_seeds_share() -> None:
    table = paired_differences(ROWS, [("a", "b"), ("a", "a")])
    first = table.iloc[0]
    assert (first["mean"], first["low"], first["high"]) == pytest.approx((0.3, 0.3, 0.3))
    assert bool(first["is_clear"])
    same = table[(table["baseline"] == "a")].iloc[0]
    assert (same["mean"], bool(same["is_clear"])) == (0.0, False)


def test_one_seed_claims_nothing() -> None:
    rows = [row for row in ROWS if row["seed"] == 1]
    frames = summary_table(rows), paired_differences(rows, [("a", "b")])
    for frame in frames:
        for row in plain_rows(frame):
            assert (row["low"], row["high"], row["n"]) == (None, None, 1)
            json.dumps(row, allow_nan=False)
    assert plain_rows(frames[0])[0]["mean"] == pytest.approx(0.6)
    assert [row["is_clear"] for row in plain_rows(frames[1])] == [False, False]


@pytest.mark.parametrize("max_draws", [1, 7, 64, 10_000])
def test_few_draws_at_once_are_those_of_one_call(
    monkeypatch: pytest.MonkeyPatch, max_draws: int
) -> None:
    values = np.random.default_rng(3).random(9)
    rng = np.random.default_rng(5)
    means = values[rng.integers(9, size=(101, 9))].mean(axis=1)
    expected = tuple(np.quantile(means, [(1 - 0.95) / 2, (1 + 0.95) / 2]))
    monkeypatch.setattr("rememberer_nb.analysis.metrics._MAX_DRAWS", max_draws)
    low, high = bootstrap_interval(values, n_resamples=101, seed=5)
    assert (low, high) == tuple(round(float(bound), 12) for bound in expected)


def test_episodes_in_numbers_have_the_metrics_of_the_episodes() -> None:
    found = [episode([0.1, 0.2]), episode([0.7], success=True, errors=1), episode([])]
    outcomes = [Outcome.of(each) for each in found]
    assert episode_metrics(outcomes) == episode_metrics(found)
    assert intervals({0: outcomes}) == intervals({0: found})
    assert (episode_metrics(outcomes)["mean_steps"], outcomes[0].total_reward) == (1.0, 0.1 + 0.2)
