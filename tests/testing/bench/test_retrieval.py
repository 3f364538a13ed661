"""The retrieval benchmarks: their states, their shape in small, targets in the slow run."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rememberer_nb.cli import main
from rememberer_nb.envs.webshop.profile import page_type
from rememberer_nb.errors import ConfigError, MissingExtraError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval.fast.kernels import has_compiled
from rememberer_nb.testing.bench import peers as bench_peers
from rememberer_nb.testing.bench import retrieval as bench_retrieval
from rememberer_nb.testing.bench.states import STATES_PER_TASK, StateMaker

PEERS = ("published", "sklearn", "bm25s", "langchain")


def test_states_are_distinct_and_seeded() -> None:
    states = list(StateMaker(1_000, seed=4).states(1_000))
    assert len(set(states)) == 1_000
    assert len({task for task, _ in states}) == 1_000 // STATES_PER_TASK
    assert list(StateMaker(1_000, seed=4).states(1_000)) == states
    assert list(StateMaker(1_000, seed=5).states(1_000)) != states


def test_states_are_pages_of_their_task() -> None:
    states = list(StateMaker(100, seed=1).states(100))
    assert all(f"\n{task} \n" in page for task, page in states)
    kinds = [page_type(page) for _, page in states]
    assert set(kinds) == {"search", "results", "item", "description"}
    assert kinds.count("search") == 5


def test_queries_are_not_in_memory() -> None:
    maker = StateMaker(400, seed=0)
    states = list(maker.states(400))
    queries = bench_retrieval._draw_queries(maker, states, 40)
    assert len(set(queries)) == 40
    assert not set(queries) & set(states)
    known = {task for task, _ in states}
    assert [task in known for task, _ in queries] == [True, False] * 20


def test_retrieval_bench_reports_all_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_retrieval, "_PEER_S", 0.2)
    report = bench_retrieval.bench_retrieval(n=60, n_queries=10)
    assert (report["bench"], report["n"]) == ("retrieval", 60)
    assert report["states"]["n_tasks"] == 3
    results = report["results"]
    assert results.keys() == {"ours", "plain", *PEERS}
    ours = results["ours"]
    assert 0 < ours["median_ms"] <= ours["p99_ms"]
    assert not ours["is_compiled"]
    assert ours["n_queries"] == 10
    assert ours["peak_mib"] > 20
    for name in ("plain", "published", "sklearn"):
        assert report["ratios"][name] == results[name]["median_ms"] / ours["median_ms"]
    for name in PEERS:
        assert "missing" in results[name] or results[name]["n_held"] == 60
        assert report["notes"][name]
    assert json.loads(json.dumps(report)) == report


def test_a_missing_peer_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(states: object, rng: object) -> bench_peers.Ask:
        raise MissingExtraError("bm25s", extra="bench")

    monkeypatch.setitem(bench_peers.PEERS, "bm25s", (make, 10, ""))
    monkeypatch.setattr(bench_retrieval, "_PEER_S", 0.1)
    report = bench_retrieval.bench_retrieval(n=40, n_queries=4)
    assert report["results"]["bm25s"] == {
        "missing": "bm25s is missing: pip install 'rememberer-nb[bench]'"
    }
    assert "bm25s" not in report["ratios"]


def test_a_peer_that_holds_fewer_is_scaled() -> None:
    results = {
        "ours": {"median_ms": 2.0},
        "published": {"median_ms": 10.0, "n_held": 50},
        "sklearn": {"median_ms": 10.0, "n_held": 200},
    }
    assert bench_retrieval._ratios(results, 200) == {"published": 20.0, "sklearn": 5.0}


def test_sklearn_finds_what_we_find() -> None:
    """It ranks by the same totals, so its best two are ours."""
    maker = StateMaker(300, seed=8)
    states = list(maker.states(300))
    memory = ExperienceMemory()
    for state in states:
        memory.insert(*state)
    memory.refresh()
    ask = bench_peers.sklearn(states, np.random.default_rng(0))
    for query in bench_retrieval._draw_queries(maker, states, 30):
        totals = {hit.record.record_id: hit.total for hit in memory.retrieve(*query)}
        best = sorted(totals.values(), reverse=True)[:2]
        assert [totals[i] for i in ask(*query)] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("name", PEERS)
def test_peers_answer_with_two_places(name: str) -> None:
    states = list(StateMaker(40).states(40))
    try:
        ask = bench_peers.PEERS[name][0](states, np.random.default_rng(0))
    except MissingExtraError as error:
        pytest.skip(str(error))
    found = ask(*states[3])
    assert len(set(found)) == 2
    assert set(found) <= set(range(40))
    if name in ("sklearn", "bm25s"):
        assert found[0] == 3


def test_insert_bench() -> None:
    report = bench_retrieval.bench_insert(n=60, n_transitions=70)
    assert report["results"].keys() == {"ours", "one_step", "file"}
    for name, share in (("ours", 2 / 7), ("one_step", 6 / 7), ("file", 2 / 7)):
        result = report["results"][name]
        # Of seven new states in a row, the first two (six) bootstrap from a stand-in.
        assert (result["n_transitions"], result["retrieval_share"]) == (70, share)
        assert result["per_s"] > 50


def test_memory_bench() -> None:
    ours = bench_retrieval.bench_memory(n=5_000)["results"]["ours"]
    assert 200 < ours["text_bytes_per_record"] < 1_000
    assert ours["index_bytes_per_record"] < 3 * ours["text_bytes_per_record"]
    assert ours["text_bytes_per_record"] < ours["file_bytes_per_record"] < 4_000
    assert ours["index_bytes_per_record"] < ours["bytes_per_record"] < 20_000


def test_too_small_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for bench, options in (
        (bench_retrieval.bench_retrieval, {"n": 1}),
        (bench_retrieval.bench_insert, {"n_transitions": 3}),
        (bench_retrieval.bench_memory, {"n": 0}),
    ):
        with pytest.raises(ConfigError, match="must be at least"):
            bench(**options)
    assert main(["bench", "retrieval", "--n", "1"]) != 0
    assert "n and n_queries must be at least 2" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_targets() -> None:
    """A quarter of the targets' margins, since a test machine is busy."""
    report = bench_retrieval.bench_retrieval(n=100_000, n_queries=100)
    assert report["ratios"]["sklearn"] > (50 if has_compiled() else 15)
    assert report["results"]["ours"]["p99_ms"] < (15 if has_compiled() else 50)
    small = bench_retrieval.bench_retrieval(n=500, n_queries=200)
    assert small["ratios"]["published"] > 8
