"""The web shop's benchmark: its shape in small, and its targets in the slow run."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.envs import make_env
from rememberer_nb.envs.webshop.disk import DiskCatalogue
from rememberer_nb.errors import ConfigError, RemembererError
from rememberer_nb.testing.bench import webshop as bench
from rememberer_nb.testing.bench.machine import in_fresh_process


def test_webshop_bench_of_the_bundled_shop() -> None:
    report = bench.bench_webshop(n=2_000)
    assert (report["bench"], report["n"], report["ratios"]) == ("webshop", 2_000, {})
    ours = report["results"]["ours"]
    assert ours.keys() == {"per_s", "search_share", "load_s", "peak_mib"}
    assert 0.05 < ours["search_share"] < 0.2
    assert ours["per_s"] > 1_000
    assert 20 < ours["peak_mib"] < 200
    assert json.loads(json.dumps(report)) == report


def test_webshop_bench_of_a_made_shop(tmp_path: Path) -> None:
    report = bench.bench_webshop(n=500, products=1_500, keep=tmp_path / "kept")
    ours = report["results"]["ours"]
    assert ours["products"] == 1_500
    assert ours["n_queries"] == bench.N_QUERIES >= 500
    assert 0 < ours["median_ms"] <= ours["p99_ms"]
    for name in ("index_s", "index_peak_mib", "index_bytes", "open_s", "per_s", "peak_mib"):
        assert ours[name] > 0, name
    assert len(DiskCatalogue(tmp_path / "kept" / "index").products) == 1_500


def test_webshop_bench_walk_is_seeded() -> None:
    """The same seed takes the same steps."""
    seen = []
    for seed in (1, 1, 2):
        env = make_env("webshop")
        rng = random.Random(seed)
        queries = bench.realistic_queries(env.unwrapped.engine.shop, 50, rng)
        assert len(set(queries)) == 50
        n_searches = bench._walk(env, 300, queries, rng)
        seen.append((queries, n_searches, env.unwrapped.render()))
    assert seen[0] == seen[1] != seen[2]


def test_webshop_bench_says_which_process_failed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RemembererError, match="process for 'walk' failed"):
        in_fresh_process(bench.__name__, "walk", items=str(tmp_path), n=1, seed=0)
    assert "is no shop index" in capfd.readouterr().err


def test_webshop_bench_command(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object; the catalogue is made in a folder for the moment."""
    command = ["bench", "webshop", "--n", "200", "--products", "60", "--seed", "3", "--json"]
    assert main(command) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["results"]["ours"]["products"] == 60
    assert main(["bench", "loop", "--products", "3"]) == 2
    assert "does not take products" in capsys.readouterr().err


@pytest.mark.parametrize(
    "settings", [{"n": 0}, {"products": 0}, {"keep": Path("there")}], ids=["n", "products", "keep"]
)
def test_webshop_bench_refuses(settings: dict) -> None:
    with pytest.raises(ConfigError):
        bench.bench_webshop(**settings)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_webshop_bench_at_a_fiftieth_of_full_size() -> None:
    """Loose bounds, since other work may share the machine."""
    ours = bench.bench_webshop(n=5_000, products=24_000)["results"]["ours"]
    assert ours["index_s"] < 60
    assert ours["open_s"] < 5
    assert ours["median_ms"] < 20
    assert ours["p99_ms"] < 100
    assert ours["peak_mib"] < 1_024
