"""The web shop's benchmark: steps a second, loading, memory; searches in a shop of any size.

Every figure comes from a fresh process of its own, so that neither the benchmark's own work nor
what else the package imports is counted::

    python -m rememberer_nb.testing.bench.webshop walk|search|index '{"started": ..., ...}'
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rememberer_nb.envs import StepLimit, make_env
from rememberer_nb.envs.webshop.shop import Shop
from rememberer_nb.errors import ConfigError
from rememberer_nb.testing.bench.machine import in_fresh_process, machine, peak_mib, timing

N_QUERIES = 600
_N_WARM_UP = 20
# A walk searches wherever there is a search field and clicks anything else at random, but what
# leads back to the search field only now and then: so one step in ten is a search.
_RELUCTANTLY = ("click[buy now]", "click[back to search]")
_WILLINGNESS = 0.1
_KEYWORDS = (2, 6)


def bench_webshop(
    n: int = 50_000, products: int | None = None, keep: Path | None = None, seed: int = 0
) -> dict[str, Any]:
    """Steps a second through the environment, observation and available actions included.

    Parameters
    ----------
    n : steps of the walk.
    products : None walks through the bundled shop. A number makes a catalogue of that size, builds
        its index, and measures building, opening, searching and walking.
    keep : where to leave the catalogue and the index; None makes them in a folder for the moment.
    seed : of the walk, the queries and the catalogue.

    Returns
    -------
    dict
        The results hold `load_s` (`open_s` for an index) from the start of the process to a
        finished environment, `peak_mib` of the whole process, `per_s`, and the `search_share` of
        the steps; with `products` also `index_s`, `index_peak_mib`, and `median_ms` and `p99_ms`
        of `n_queries` different searches with their first page of products.
    """
    if n < 1 or (products is not None and products < 1):
        raise ConfigError(f"n and products must be at least 1, got n={n}, products={products}")
    if products is None:
        if keep is not None:
            raise ConfigError("keep is for a made catalogue: give products, too")
        results = in_fresh_process(__name__, "walk", items=None, n=n, seed=seed)
    else:
        with ExitStack() as stack:
            folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            results = _bench_index(folder, n, products, seed)
    return {
        "bench": "webshop",
        "n": n,
        "machine": machine(),
        "results": {"ours": results},
        "ratios": {},
    }


def _bench_index(folder: Path, n: int, products: int, seed: int) -> dict[str, Any]:
    from rememberer_nb.envs.webshop.env import locate_files
    from rememberer_nb.envs.webshop.generate import generate_catalogue

    folder.mkdir(parents=True, exist_ok=True)
    bundled = locate_files()
    files = generate_catalogue(folder, products, bundled, seed=seed, show_progress=True)
    index = folder / "index"
    built = in_fresh_process(
        __name__, "index", out=str(index), **{name: str(path) for name, path in files.items()}
    )
    searched = in_fresh_process(__name__, "search", items=str(index), seed=seed)
    walked = in_fresh_process(__name__, "walk", items=str(index), n=n, seed=seed)
    walked["open_s"] = walked.pop("load_s")
    return {**built, **searched, **walked}


def walk(started: float, items: str | None, n: int, seed: int) -> dict[str, Any]:
    """Walk n steps through the shop, on from task to task."""
    env = make_env("webshop", items=items)
    load_s = time.time() - started
    rng = random.Random(seed)
    queries = realistic_queries(env.unwrapped.engine.shop, min(n, 5_000), rng)
    begun = time.perf_counter()
    n_searches = _walk(env, n, queries, rng)
    return {
        "per_s": n / (time.perf_counter() - begun),
        "search_share": n_searches / n,
        "load_s": load_s,
        "peak_mib": peak_mib(),
    }


def _walk(env: StepLimit, n: int, queries: list[str], rng: random.Random) -> int:
    n_tasks, n_searches, is_over = len(env.tasks), 0, True
    info: dict[str, Any] = {}
    for _ in range(n):
        if is_over:
            info = env.reset(options={"task": rng.randrange(n_tasks)})[1]
        if info["page_type"] == "search":
            action = f"search[{rng.choice(queries)}]"
            n_searches += 1
        else:
            action = rng.choice(info["available_actions"])
            if action in _RELUCTANTLY and rng.random() > _WILLINGNESS:
                action = rng.choice(info["available_actions"])
        _, _, terminated, truncated, info = env.step(action)
        is_over = terminated or truncated
    return n_searches


def search(started: float, items: str, seed: int, n: int = N_QUERIES) -> dict[str, Any]:
    """Time n different searches, each with its first page of products."""
    env = make_env("webshop", items=items)
    shop: Shop = env.unwrapped.engine.shop
    queries = realistic_queries(shop, n + _N_WARM_UP, random.Random(seed))
    durations = []
    for query in queries:
        begun = time.perf_counter()
        shop.find(query.split(" "))[:10]
        durations.append(time.perf_counter() - begun)
    found = timing(durations[_N_WARM_UP:])
    return {
        "n_queries": len(durations) - _N_WARM_UP,
        "median_ms": found["median_ms"],
        "p99_ms": found["p99_ms"],
        "search_peak_mib": peak_mib(),
    }


def realistic_queries(shop: Shop, n: int, rng: random.Random) -> list[str]:
    """At most n different queries: half of them whole instructions, half words of a title.

    >>> env = make_env("webshop")
    >>> queries = realistic_queries(env.unwrapped.engine.shop, 10, random.Random(0))
    >>> len(queries) == len(set(queries)) == 10
    True
    """
    queries: dict[str, None] = {}
    goals = shop.goals
    for i in range(20 * n):
        goal = goals[rng.randrange(len(goals))]
        words = goal.name.lower().split()
        n_words = min(rng.randrange(*_KEYWORDS), len(words))
        queries[goal.text.lower() if i % 2 else " ".join(rng.sample(words, n_words))] = None
        if len(queries) == n:
            break
    return list(queries)


def index(started: float, **files: str) -> dict[str, Any]:
    """Build an index."""
    from rememberer_nb.envs.webshop.builder import build_index

    begun = time.perf_counter()
    counts = build_index(**files, show_progress=True)
    return {
        "products": counts["products"],
        "postings": counts["postings"],
        "index_bytes": counts["bytes"],
        "index_s": time.perf_counter() - begun,
        "index_peak_mib": peak_mib(),
    }


TASKS: dict[str, Callable[..., dict[str, Any]]] = {"walk": walk, "search": search, "index": index}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))
