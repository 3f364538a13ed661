"""How fast a large memory answers, how fast it learns, and how much room it takes.

The states are drawn from a seed (`bench.states`). Targets: at n = 500 at least 40 times faster than
`published`; at 100,000 at least 100 times faster than `sklearn` and twice as fast as `bm25s`; at
1,000,000 a median below 4 ms, a 99th percentile below 15 ms and less than 4 GiB.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.elements import Transition
from rememberer_nb.errors import ConfigError, MissingExtraError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval import TfidfSimilarity
from rememberer_nb.retrieval.fast import plain
from rememberer_nb.retrieval.fast.kernels import kernels
from rememberer_nb.rlem import EpisodeLearner
from rememberer_nb.testing.bench.machine import in_fresh_process, machine, peak_mib, timing
from rememberer_nb.testing.bench.peers import PEERS
from rememberer_nb.testing.bench.states import State, StateMaker

N_HITS = 2
_N_WARM_UP = 5
_N_PLAIN = 200
_PEER_S = 30.0
_MIN_PEER_QUERIES = 5
# Longer than most: of 350 logged episodes of a real LLM the median has 5 actions, nine in ten at
# most 6.
_EPISODE_LENGTH = 7
_BATCH_EPISODES = 25


def bench_retrieval(n: int = 100_000, n_queries: int = 500, seed: int = 0) -> dict[str, Any]:
    """Top-2 of n distinct states, from the query's text to the hits.

    The queries are not in memory: every other one is an unseen page of a task in memory, the others
    are pages of unseen tasks. All are asked through `ExperienceMemory.retrieve`.

    Returns
    -------
    dict
        results: `ours` (compiled where the extra `fast` is installed: `is_compiled`), `plain`
        (without it) and the peers; each with median_ms, p99_ms, per_s and n_queries. `ours` adds
        the medians of both kinds of query, build_s, first_query_s and peak_mib, the peak of the
        process before any peer was built. ratios: the peers' medians by ours; the median of a peer
        that holds only `n_held` states is scaled to n there.
    """
    if n < 2 or n_queries < 2:
        raise ConfigError("bench retrieval: n and n_queries must be at least 2")
    maker = StateMaker(n, seed)
    states = list(maker.states(n))
    queries = _draw_queries(maker, states, n_queries)
    results = _time_ours(states, queries)
    results |= _time_peers(states, queries, seed)
    return {
        "bench": "retrieval",
        "n": n,
        "machine": machine(),
        "states": {
            "n_tasks": len({task for task, _ in states}),
            "mean_characters": float(np.mean([len(page) for _, page in states])),
        },
        "results": results,
        "ratios": _ratios(results, n),
        "notes": {name: note for name, (_, _, note) in PEERS.items()},
    }


def bench_insert(n: int = 100_000, n_transitions: int = 5_000, seed: int = 0) -> dict[str, Any]:
    """Transitions learnt per second into a memory of n records.

    Episodes of seven steps, each of a new task and through new states, so every transition makes a
    record. RLEM as it is by default (5 steps) bootstraps for two of the seven, from the most
    similar record, which retrieval finds (`retrieval_share`). `one_step` does so at every step but
    the last; `file` also commits each episode to a file. per_s is the median over batches.
    """
    if n < 1 or n_transitions < _EPISODE_LENGTH:
        raise ConfigError(f"bench insert: n must be at least 1, n_transitions {_EPISODE_LENGTH}")
    maker = StateMaker(n + 3 * n_transitions, seed)
    states = list(maker.states(n))
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, path in (("ours", None), ("file", Path(folder) / "memory.db")):
            with ExperienceMemory.open(path) as memory:
                for state in states:
                    memory.insert(*state)
                if path is not None:
                    memory.commit()
                episodes = _draw_episodes(maker, n_transitions // _EPISODE_LENGTH)
                results[name] = _time_learning(memory, episodes, None, path is not None)
                if path is None:
                    episodes = _draw_episodes(maker, n_transitions // _EPISODE_LENGTH)
                    results["one_step"] = _time_learning(memory, episodes, 1, False)
    return {
        "bench": "insert",
        "n": n,
        "machine": machine(),
        "is_compiled": kernels(n) is not plain,
        "results": results,
        "ratios": {},
    }


def bench_memory(n: int = 100_000, seed: int = 0) -> dict[str, Any]:
    """Bytes per record: in RAM altogether, in the index, in the texts, and in a file.

    Records as RLEM makes them: ten available actions and one action with a value. Measured in a
    process of its own; the peak over that process before the first record counts as RAM.
    """
    if n < 1:
        raise ConfigError("bench memory: n must be at least 1")
    measured = in_fresh_process(__name__, "memory", n=n, seed=seed)
    return {"bench": "memory", "n": n, "machine": machine(), "results": measured, "ratios": {}}


def measure_memory(started: float, n: int, seed: int) -> dict[str, Any]:
    """Fill a memory and take its size; see `bench_memory`."""
    maker = StateMaker(n, seed)
    for state in maker.states(20):
        ExperienceMemory().insert(*state)
    before, n_text = peak_mib(), 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.db"
        memory = ExperienceMemory.open(path)
        for task, page in maker.states(n):
            actions = [f"click[{word}]" for word in page.split()[:10]]
            memory.add_action(memory.insert(task, page, actions), actions[-1])
            n_text += len(page)
        in_ram = (peak_mib() - before) * 2**20
        memory.commit()
        memory.close()
        in_file = path.stat().st_size
    index = memory._index.nbytes
    return {
        "ours": {
            "bytes_per_record": in_ram / n,
            "index_bytes_per_record": index / n,
            "text_bytes_per_record": n_text / n,
            "file_bytes_per_record": in_file / n,
        }
    }


def _time_ours(states: Sequence[State], queries: Sequence[State]) -> dict[str, dict[str, Any]]:
    f_g, f_o = TfidfSimilarity(), TfidfSimilarity()
    begun = time.perf_counter()
    memory = ExperienceMemory(task_similarity=f_g, observation_similarity=f_o)
    for state in states:
        memory.insert(*state)
    build_s = time.perf_counter() - begun
    # The memory works on the similarities it was given, so their kernels can be exchanged.
    ask = _asker(memory)
    first_query_s = _time(ask, queries[:1])[0]
    times = _time(ask, queries)
    ours = {
        "n_queries": len(queries), **timing(times),
        "is_compiled": kernels(len(memory)) is not plain,
        "known_task_median_ms": timing(times[::2])["median_ms"],
        "unseen_task_median_ms": timing(times[1::2])["median_ms"],
        "build_s": build_s, "first_query_s": first_query_s, "peak_mib": peak_mib(),
    }  # fmt: skip
    for similarity in (f_g, f_o):
        similarity.rows.scorer = lambda n_rows: plain
    slow = _time(ask, queries[:_N_PLAIN])
    return {"ours": ours, "plain": {"n_queries": len(slow), **timing(slow)}}


def _draw_queries(maker: StateMaker, states: Sequence[State], n: int) -> list[State]:
    held, rng = set(states), random.Random(len(states))
    queries: list[State] = []
    while len(queries) < n:
        task, department = maker.task()
        kind = rng.choice(("results", "results", "item", "sub"))
        if len(queries) % 2 == 0:
            task = states[rng.randrange(len(states))][0]
            department = maker.department(task)
        state = task, maker.observation(task, department, kind)
        if state not in held:
            held.add(state)
            queries.append(state)
    return queries


def _draw_episodes(maker: StateMaker, n: int) -> list[tuple[str, list[Transition]]]:
    episodes = []
    for _ in range(n):
        task, department = maker.task()
        pages = [*maker.observations(task, department, _EPISODE_LENGTH), "done"]
        last = _EPISODE_LENGTH - 1
        episodes.append((task, [
            Transition(
                pages[i], f"click[{i}]", float(i == last), pages[i + 1], terminated=i == last,
                available_actions=(f"click[{i}]", "click[buy now]"),
            )
            for i in range(_EPISODE_LENGTH)
        ]))  # fmt: skip
    return episodes


def _time_learning(
    memory: ExperienceMemory,
    episodes: Iterable[tuple[str, list[Transition]]],
    n_step: int | None,
    is_committed: bool,
) -> dict[str, Any]:
    from rememberer_nb.config import RlemConfig

    config = RlemConfig() if n_step is None else RlemConfig(n_step=n_step)
    episodes, rates, n_learnt, n_bootstraps = iter(episodes), [], 0, 0
    while batch := list(islice(episodes, _BATCH_EPISODES)):
        begun, n_before = time.perf_counter(), n_learnt
        for task, transitions in batch:
            learner = EpisodeLearner(memory, task, f"e{n_learnt}", config)
            for transition in transitions:
                updates = learner.observe(transition)
                n_learnt += len(updates)
                n_bootstraps += sum(update.is_stand_in for update in updates)
            if is_committed:
                memory.commit()
        rates.append((n_learnt - n_before) / (time.perf_counter() - begun))
    # The first batch also loads what was never used before.
    return {
        "per_s": float(np.median(rates[1:] or rates)),
        "n_transitions": n_learnt,
        "retrieval_share": n_bootstraps / n_learnt,
    }


def _asker(memory: ExperienceMemory) -> Callable[[str, str], object]:
    def ask(task: str, observation: str) -> object:
        return list(islice(memory.retrieve(task, observation, N_HITS), N_HITS))

    return ask


def _time(ask: Callable[[str, str], object], queries: Sequence[State]) -> list[float]:
    """Seconds of each query, after a few that are not counted."""
    for query in queries[:_N_WARM_UP] if len(queries) > 1 else ():
        ask(*query)
    durations = []
    for query in queries:
        start = time.perf_counter()
        ask(*query)
        durations.append(time.perf_counter() - start)
    return durations


def _time_peers(
    states: Sequence[State], queries: Sequence[State], seed: int
) -> dict[str, dict[str, Any]]:
    results: dict[str, dict[str, Any]] = {}
    for name, (make, n_most, _) in PEERS.items():
        held = states[:n_most]
        begun = time.perf_counter()
        try:
            ask = make(held, np.random.default_rng(seed))
        except MissingExtraError as error:
            results[name] = {"missing": str(error)}
            continue
        build_s = time.perf_counter() - begun
        durations = _time(ask, queries[:_MIN_PEER_QUERIES])
        n_more = int(_PEER_S / max(float(np.median(durations)), 1e-9))
        if n_more > len(durations):
            durations = _time(ask, queries[:n_more])
        results[name] = {
            "n_queries": len(durations), **timing(durations), "n_held": len(held),
            "build_s": build_s,
        }  # fmt: skip
    return results


def _ratios(results: dict[str, dict[str, Any]], n: int) -> dict[str, float]:
    ours = results["ours"]["median_ms"]
    return {
        name: result["median_ms"] * n / result.get("n_held", n) / ours
        for name, result in results.items()
        if name != "ours" and "median_ms" in result
    }


TASKS: dict[str, Callable[..., dict[str, Any]]] = {"memory": measure_memory}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))
