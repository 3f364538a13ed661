"""The benchmark of concurrent evaluation against a server that takes its time."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from typing import Any

from rememberer_nb.analysis.metrics import episode_metrics
from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Episode
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.endpoint.client import OpenAILLM
from rememberer_nb.llms.endpoint.secret import NO_KEY, Endpoint
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_memory
from rememberer_nb.loop.costs import llm_totals
from rememberer_nb.loop.parallel import Slots
from rememberer_nb.loop.training import Conduct, evaluate
from rememberer_nb.testing.bench.machine import machine
from rememberer_nb.testing.local_server import stand_in_server

DELAY_S = 0.2
# The published code waits that long before every call.
PUBLISHED_S = 3.1
_WARM_UP_TASK = 600


def bench_llm(n: int = 100, slots: int = 32, seed: int = 0) -> dict[str, Any]:
    """Evaluate n tasks on some slots, each call answered after 200 ms by a process of its own.

    Parameters
    ----------
    n : test tasks.
    slots : episodes at once.
    seed : of the evaluation.

    Returns
    -------
    dict
        `total_s` of the whole evaluation; `ideal_s`, the greedy schedule of the same episodes: each
        in turn goes to the slot that is free first, a call takes 0.2 s and nothing else any time;
        `of_ideal` = total_s / ideal_s. "published" is one call after another, 3.1 s each.
    """
    if n < 1 or slots < 1:
        raise ConfigError(f"n and slots must be at least 1, got n={n}, slots={slots}")
    episodes, total_s = _evaluate(n, slots, seed)
    lengths = [len(episode.steps) for episode in episodes]
    ideal_s = makespan(lengths, slots) * DELAY_S
    published_s = sum(lengths) * PUBLISHED_S
    metrics = {**episode_metrics(episodes), **llm_totals(episodes)}
    ours = {
        "total_s": total_s,
        "ideal_s": ideal_s,
        "of_ideal": total_s / ideal_s,
        "per_s": sum(lengths) / total_s,
        "slots": slots,
        **{name: metrics[name] for name in ("n_calls", "llm_errors", "success_rate")},
    }
    return {
        "bench": "llm",
        "n": n,
        "machine": machine(),
        "results": {"ours": ours, "published": {"total_s": published_s}},
        "ratios": {"published": published_s / total_s},
    }


def _evaluate(n: int, slots: int, seed: int) -> tuple[list[Episode], float]:
    """The episodes, and how long they took together, in seconds."""
    settings = Settings()
    env = build_env(settings)
    conduct = Conduct(slots=Slots(slots, lambda: build_env(settings)))
    with build_memory(settings) as memory, stand_in_server(DELAY_S) as url:
        config = LLMConfig(model="stand-in", reply_format="text")
        llm = OpenAILLM(config, endpoint=Endpoint(url, NO_KEY))
        try:
            agent = build_agent("rememberer", env, settings, memory=memory, seed=seed, llm=llm)
            # Connections are made, and everything is imported, before the clock starts.
            evaluate(env, agent, [_WARM_UP_TASK] * slots, seed=seed, conduct=conduct)
            started = time.perf_counter()
            episodes = evaluate(env, agent, range(n), seed=seed, conduct=conduct)
            return episodes, time.perf_counter() - started
        finally:
            llm.close()


def makespan(lengths: Sequence[int], n_slots: int) -> int:
    """When the last of some jobs ends if each in turn goes to the slot that is free first.

    >>> makespan([3, 1, 1, 2], 2)
    4
    """
    free_at = [0] * n_slots
    for length in lengths:
        heapq.heappush(free_at, heapq.heappop(free_at) + length)
    return max(free_at)
