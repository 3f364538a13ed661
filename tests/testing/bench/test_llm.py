"""The benchmark of concurrent evaluation."""

from __future__ import annotations

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.testing.bench.llm import bench_llm, makespan


@pytest.mark.parametrize(
    ("lengths", "n_slots", "expected"),
    [
        ([], 3, 0),
        ([4, 4, 4], 3, 4),
        ([4, 4, 4], 1, 12),
        # 5 | 1, then 2 (ends at 3), then 4 (at 7).
        ([5, 1, 2, 4], 2, 7),
        # In the order given, not the best one: the long one comes last.
        ([1, 1, 1, 1, 9], 2, 11),
    ],
)
def test_the_greedy_schedule(lengths: list[int], n_slots: int, expected: int) -> None:
    assert makespan(lengths, n_slots) == expected


def test_what_it_reports() -> None:
    result = bench_llm(n=4, slots=4)
    assert list(result) == ["bench", "n", "machine", "results", "ratios"]
    assert (result["bench"], result["n"]) == ("llm", 4)
    ours, published = result["results"]["ours"], result["results"]["published"]
    assert ours["llm_errors"] == {}
    assert ours["n_calls"] >= 12
    assert published["total_s"] == pytest.approx(3.1 * ours["n_calls"])
    assert result["ratios"]["published"] == pytest.approx(published["total_s"] / ours["total_s"])
    assert 1.0 <= ours["of_ideal"] == pytest.approx(ours["total_s"] / ours["ideal_s"])


@pytest.mark.slow
def test_the_targets() -> None:
    """The better of two runs: another process may take the machine for a moment."""
    results = [bench_llm() for _ in range(2)]
    assert min(result["results"]["ours"]["of_ideal"] for result in results) <= 1.15
    assert max(result["ratios"]["published"] for result in results) >= 150


def test_wrong_sizes() -> None:
    with pytest.raises(ConfigError, match="at least 1, got n=0"):
        bench_llm(n=0)
