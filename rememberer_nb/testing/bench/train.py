"""The benchmark of training: does an episode cost the same however many there were before?"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from rememberer_nb.config import RolloutConfig
from rememberer_nb.envs.profile import TextEnv
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_memory
from rememberer_nb.loop.runs import outcomes_of
from rememberer_nb.loop.training import train
from rememberer_nb.testing.bench.machine import machine

SIZES = (30, 100, 300, 1_000, 3_000)
# Tasks for development alone, so that nothing is read from the test tasks.
_TASKS = range(200, 500)
_N_WARM_UP = 120
_EPISODE_TABLES = ("episodes", "texts", "text_index", "uses")


def bench_train(n: int = 3_000, seed: int = 0) -> dict[str, Any]:
    """Train n episodes into one file; time and bytes per episode as the file grows.

    Episodes of three steps at most, so that all sizes have the same work; what is found in a
    memory of many records takes longer, which is the part of `bench retrieval`.

    Returns
    -------
    dict
        results: by the number of episodes in the file (30, 100, 300, 1000, 3000, as far as n goes,
        and n) what each took since the size before: `ms_per_episode`, committed, with
        `steps_per_episode`; `bytes_per_episode` of the whole file; and of these
        `episode_bytes`, in the tables that hold episodes alone (None where SQLite cannot tell).
        `resume_ms` is how long the run with n episodes takes to be taken up, with nothing to do.
    """
    if n < 1:
        raise ConfigError("bench train: n must be at least 1")
    env = build_env(Settings(rollout=RolloutConfig(max_steps=3)))
    # Code that only larger memories need is loaded when they come to it, once.
    _train(env, None, list(_TASKS[:_N_WARM_UP]), seed)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path, done, before = Path(folder) / "memory.sqlite", 0, {"all": 0, "episodes": 0}
        for size in sorted({n, *(size for size in SIZES if size < n)}):
            tasks = [_TASKS[number % len(_TASKS)] for number in range(done, size)]
            taken_s, n_steps = _train(env, path, tasks, seed)
            held, n_new = _sizes(path), size - done
            results[str(size)] = {
                "ms_per_episode": taken_s / n_new * 1e3,
                "steps_per_episode": n_steps / n_new,
                "bytes_per_episode": (held["all"] - before["all"]) / n_new,
                "episode_bytes": _difference(held["episodes"], before["episodes"], n_new),
            }
            done, before = size, held
        resumed_s, _ = _train(env, path, tasks, seed, resume=True)
    return {
        "bench": "train",
        "n": n,
        "machine": machine(),
        "results": {"ours": {**results, "resume_ms": resumed_s * 1e3}},
        "ratios": {},
    }


def _train(
    env: TextEnv, path: Path | None, tasks: list[int], seed: int, *, resume: bool = False
) -> tuple[float, int]:
    """Seconds, and steps; opening and closing the file do not count."""
    settings = Settings()
    with build_memory(settings, path) as memory:
        agent = build_agent("rememberer", env, settings, memory=memory, seed=seed)
        begun = time.perf_counter()
        config = RolloutConfig(n_epochs=1, max_steps=3)
        episodes = train(env, agent, tasks, seed=seed, config=config, resume=resume)
        taken_s = time.perf_counter() - begun
        return taken_s, sum(outcome.n_steps for outcome in outcomes_of(episodes))


def _sizes(path: Path) -> dict[str, int | None]:
    """Bytes of the file, and of what holds episodes alone."""
    query = f"SELECT SUM(pgsize) FROM dbstat WHERE name IN {_EPISODE_TABLES}"
    with closing(sqlite3.connect(path)) as db:
        try:
            episodes = db.execute(query).fetchone()[0]
        except sqlite3.OperationalError:
            episodes = None
    return {"all": path.stat().st_size, "episodes": episodes}


def _difference(now: int | None, before: int | None, n: int) -> float | None:
    return None if now is None or before is None else (now - before) / n
