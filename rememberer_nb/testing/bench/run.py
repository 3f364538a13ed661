"""Benchmarks: our figure, the peers' and the ratio, taken in one run on the same work."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.envs.profile import TextEnv
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_memory
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.testing.bench.lcs import bench_lcs
from rememberer_nb.testing.bench.llm import bench_llm
from rememberer_nb.testing.bench.local import bench_local
from rememberer_nb.testing.bench.machine import machine, timing
from rememberer_nb.testing.bench.retrieval import bench_insert, bench_memory, bench_retrieval
from rememberer_nb.testing.bench.train import bench_train
from rememberer_nb.testing.bench.webshop import bench_webshop
from rememberer_nb.testing.bench.wikihow import bench_wikihow


def bench_loop(n: int = 1000, n_episodes: int = 100, seed: int = 0) -> dict[str, Any]:
    """Whole decisions a second, offline, with n records in memory.

    A decision is everything between one observation and the next: retrieval, exemplars, prompt,
    reply, parsing, and the environment's step. The memory is filled by episodes of the agent
    itself over the training and development tasks; then tasks it has not seen are run with the
    memory frozen, in one process.
    """
    settings = Settings()
    env = build_env(settings)
    memory = _filled_memory(env, settings, n, seed)
    agent = build_agent("rememberer", env, settings, memory=memory, seed=seed)
    assert isinstance(agent, PromptingAgent)
    run_episode(env, agent, 100, seed=seed)
    durations: list[float] = []
    start = time.perf_counter()

    def on_step(_: object) -> None:
        nonlocal start
        now = time.perf_counter()
        durations.append(now - start)
        start = now

    for task in range(100, 100 + n_episodes):
        start = time.perf_counter()
        run_episode(env, agent, task, seed=seed, on_step=on_step)
    return {
        "bench": "loop",
        "n": len(memory),
        "machine": machine(),
        "results": {"ours": {"n_decisions": len(durations), **timing(durations)}},
        "ratios": {},
    }


def _filled_memory(env: TextEnv, settings: Settings, n_records: int, seed: int) -> ExperienceMemory:
    memory = build_memory(settings)
    agent = build_agent("random", env, settings, seed=seed)
    agent.memory = memory
    task = 200
    while len(memory) < n_records:
        run_episode(env, agent, task, seed=seed, position=task, epoch=0, learn=True)
        task = task + 1 if task < 499 else 200
        seed += task == 200
    for record in list(memory)[n_records:]:
        memory.remove(record.record_id)
    memory.commit()
    return memory


BENCHES: dict[str, Callable[..., dict[str, Any]]] = {
    "loop": bench_loop,
    "webshop": bench_webshop,
    "lcs": bench_lcs,
    "llm": bench_llm,
    "local": bench_local,
    "wikihow": bench_wikihow,
    "retrieval": bench_retrieval,
    "insert": bench_insert,
    "memory": bench_memory,
    "train": bench_train,
}


def run_bench(name: str, **options: Any) -> dict[str, Any]:
    """Run a benchmark by name."""
    if name not in BENCHES:
        raise ConfigError(f"no benchmark is named {name!r}; known: {', '.join(BENCHES)}")
    bench = BENCHES[name]
    if unknown := [
        option for option in options if option not in inspect.signature(bench).parameters
    ]:
        raise ConfigError(f"the benchmark {name!r} does not take {', '.join(unknown)}")
    return bench(**options)
