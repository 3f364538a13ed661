"""The benchmark of screens: what it draws and what it reports."""

from __future__ import annotations

import random

import pytest

from rememberer_nb.envs.screens import read_screen
from rememberer_nb.envs.wikihow.instructions import instruction_kinds
from rememberer_nb.errors import ConfigError
from rememberer_nb.retrieval.lcs import element_tags
from rememberer_nb.testing.bench.lcs import bench_lcs, draw_screen, draw_task, plain_dp


def test_screens_look_like_screens() -> None:
    rng = random.Random(0)
    screens = [draw_screen(rng) for _ in range(300)]
    lengths = [len(element_tags(screen)) for screen in screens]
    assert (min(lengths), max(lengths) > 40) == (4, True)
    for screen, length in zip(screens, lengths, strict=True):
        elements = read_screen(screen)
        assert [element.number for element in elements] == list(range(length))
        assert screen.count("\n") == length - 1
        assert elements[-1].label == "statusBar"
    assert len(set(map(tuple, map(element_tags, screens)))) > 150


def test_a_seed_draws_the_same_again() -> None:
    one, two = random.Random(7), random.Random(7)
    assert [draw_screen(one) for _ in range(9)] == [draw_screen(two) for _ in range(9)]


def test_tasks_are_commands() -> None:
    rng = random.Random(0)
    kinds = {instruction_kinds(draw_task(rng)) for _ in range(60)}
    assert kinds == {
        ("search", "article"),
        ("search", "article", "reference"),
        ("search", "article", "category"),
    }


def test_the_plain_loop_by_hand() -> None:
    assert plain_dp("abcd", "acbd") == 0.75
    assert plain_dp("abc", "") == plain_dp("", "") == 0
    assert plain_dp("ab", "xaybz") == 0.4


def test_what_it_reports() -> None:
    result = bench_lcs(n=300, n_queries=5, n_pairs=50)
    assert list(result)[:3] == ["bench", "n", "machine"]
    assert (result["bench"], result["n"]) == ("lcs", 300)
    results = result["results"]
    assert set(results) == {"ours", "ours_with_task", "plain_dp"}
    assert results["plain_dp"]["median_ms"] == pytest.approx(
        results["plain_dp"]["ms_per_pair"] * 300
    )
    assert result["ratios"]["plain_dp"] == pytest.approx(
        results["plain_dp"]["median_ms"] / results["ours"]["median_ms"]
    )
    assert "of the first 50 pairs, 50 have the same value" in result["notes"]
    assert 100 < result["screens"]["n_distinct_sequences"] <= 300


def test_sizes_of_nothing() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        bench_lcs(n=0)
