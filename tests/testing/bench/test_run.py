"""Benchmarks print what they promise; how fast they are is not tested here."""

from __future__ import annotations

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.testing.bench.run import run_bench, timing


def test_timing_by_hand() -> None:
    result = timing([0.002] * 99 + [0.202])
    assert result["median_ms"] == pytest.approx(2.0)
    assert result["per_s"] == pytest.approx(250.0)
    assert 2.0 <= result["p99_ms"] < 202.0


def test_bench_loop() -> None:
    result = run_bench("loop", n=60, n_episodes=3)
    assert list(result) == ["bench", "n", "machine", "results", "ratios"]
    assert (result["bench"], result["n"]) == ("loop", 60)
    ours = result["results"]["ours"]
    assert ours["n_decisions"] >= 3
    assert 0 < ours["median_ms"] <= ours["p99_ms"]
    assert ours["per_s"] > 0


def test_unknown_bench() -> None:
    with pytest.raises(ConfigError, match="known: loop"):
        run_bench("nothing")
