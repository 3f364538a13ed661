"""The how-to site's benchmark prints what it promises; how fast it is is not tested here."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.testing.bench.run import run_bench
from rememberer_nb.testing.bench.wikihow import title_queries, walk


def test_bench_wikihow() -> None:
    result = run_bench("wikihow", n=400, seed=3)
    assert list(result) == ["bench", "n", "machine", "results", "ratios"]
    assert (result["bench"], result["n"]) == ("wikihow", 400)
    ours = result["results"]["ours"]
    assert set(ours) == {"per_s", "search_share", "load_s", "peak_mib"}
    assert all(value > 0 for value in ours.values())


def test_about_one_step_in_ten_is_a_search_and_the_walk_is_seeded() -> None:
    shares = [walk(time.time(), 3000, seed)["search_share"] for seed in (0, 0, 1)]
    assert shares[0] == shares[1] != shares[2]
    assert all(0.07 < share < 0.13 for share in shares)


def test_queries_are_words_of_titles() -> None:
    titles = ["How to Mend a Very Old Kite", "How to Fly"]
    for query in title_queries(titles, random.Random(0))[:50]:
        words = query.split()
        assert 1 <= len(words) <= 5
        assert any(set(words) <= set(title.split()[2:]) for title in titles)


def test_too_few_steps() -> None:
    with pytest.raises(ConfigError, match="n must be at least 1"):
        run_bench("wikihow", n=0)


def test_it_loads_no_part_that_it_does_not_measure() -> None:
    """What it says of memory and time to load is the site's."""
    code = (
        "import sys, rememberer_nb.testing.bench.wikihow;"
        "print([m for m in sys.modules if m.startswith(('rememberer_nb.agents', 'scipy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
