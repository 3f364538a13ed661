"""The benchmark of training says what it promises; how fast it is, is not tested here."""

from __future__ import annotations

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.testing.bench.run import run_bench


def test_an_episode_takes_less_than_3_kb() -> None:
    result = run_bench("train", n=130)
    assert (result["bench"], result["n"]) == ("train", 130)
    ours = result["results"]["ours"]
    assert list(ours) == ["30", "100", "130", "resume_ms"]
    for size in ("30", "100", "130"):
        row = ours[size]
        assert row["steps_per_episode"] <= 3
        assert row["ms_per_episode"] > 0
        # A record and its updates come to more than nothing.
        assert row["bytes_per_episode"] > row["episode_bytes"]
    # The first episodes bring the texts that all share.
    grown = 70 * ours["100"]["episode_bytes"] + 30 * ours["130"]["episode_bytes"]
    assert grown / 100 < 3_000


def test_nothing_to_train() -> None:
    with pytest.raises(ConfigError, match="n must be at least 1"):
        run_bench("train", n=0)
