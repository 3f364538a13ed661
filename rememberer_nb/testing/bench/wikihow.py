"""The how-to site's benchmark: steps a second, loading, memory.

The walk runs in a fresh process of its own, so that nothing else is counted.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

from rememberer_nb.envs import StepLimit, make_env
from rememberer_nb.errors import ConfigError
from rememberer_nb.testing.bench.machine import in_fresh_process, machine, peak_mib

SEARCH_SHARE = 0.1
_N_QUERIES = 5_000
_KEYWORDS = (2, 6)


def bench_wikihow(n: int = 200_000, seed: int = 0) -> dict[str, Any]:
    """Steps a second through the environment, observation and available actions included.

    Parameters
    ----------
    n : steps of a random walk, about one in ten of them a search; on from task to task.
    seed : of the walk and the queries.

    Returns
    -------
    dict
        The results hold `per_s`, the `search_share` of the steps, `load_s` from the start of the
        process to a finished environment, and `peak_mib` of the whole process.
    """
    if n < 1:
        raise ConfigError(f"n must be at least 1, got {n}")
    return {
        "bench": "wikihow",
        "n": n,
        "machine": machine(),
        "results": {"ours": in_fresh_process(__name__, "walk", n=n, seed=seed)},
        "ratios": {},
    }


def walk(started: float, n: int, seed: int) -> dict[str, Any]:
    """Walk n steps through the site."""
    env = make_env("wikihow")
    load_s = time.time() - started
    rng = random.Random(seed)
    queries = title_queries([a.title for a in env.unwrapped.engine.site.articles], rng)
    begun = time.perf_counter()
    n_searches = _walk(env, n, queries, rng)
    return {
        "per_s": n / (time.perf_counter() - begun),
        "search_share": n_searches / n,
        "load_s": load_s,
        "peak_mib": peak_mib(),
    }


def title_queries(titles: list[str], rng: random.Random) -> list[str]:
    """Some words of a title each, in any order.

    >>> sorted(title_queries(["How to Mend Mittens"], random.Random(0))[0].split())
    ['Mend', 'Mittens']
    """
    queries = []
    for _ in range(_N_QUERIES):
        words = rng.choice(titles).split()[2:]
        queries.append(" ".join(rng.sample(words, min(rng.randrange(*_KEYWORDS), len(words)))))
    return queries


def _walk(env: StepLimit, n: int, queries: list[str], rng: random.Random) -> int:
    n_tasks, n_searches, is_over = len(env.tasks), 0, True
    info: dict[str, Any] = {}
    for _ in range(n):
        if is_over:
            info = env.reset(options={"task": rng.randrange(n_tasks)})[1]
        # The first available action is always a search field.
        template, *others = info["available_actions"]
        if rng.random() < SEARCH_SHARE:
            action = template.replace("<text>", rng.choice(queries))
            n_searches += 1
        else:
            action = rng.choice(others)
        _, _, terminated, truncated, info = env.step(action)
        is_over = terminated or truncated
    return n_searches


if __name__ == "__main__":
    print(json.dumps(walk(**json.loads(sys.argv[2]))))
