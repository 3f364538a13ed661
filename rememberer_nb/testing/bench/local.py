"""The benchmark of local models: decisions by likelihood on either backend, and by a reply."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.agents.baselines import RandomAgent
from rememberer_nb.agents.interface import Agent
from rememberer_nb.config import ChoiceConfig, LLMConfig, PromptConfig
from rememberer_nb.elements import Decision, Prompt, Situation, StepRandom, TextScore
from rememberer_nb.envs.profile import TextEnv, profile_of
from rememberer_nb.envs.tasks import development_tasks
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.local.fetch import model_path
from rememberer_nb.llms.local.model import BACKENDS, LocalLLM
from rememberer_nb.llms.local.scores import CHECK_PROMPT, CHECK_TEXTS
from rememberer_nb.llms.wrapped import WrappedLLM
from rememberer_nb.loop.build import Settings, build_agent, build_env
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.testing.bench.machine import in_fresh_process, machine, peak_mib, timing
from rememberer_nb.testing.tiny_model import write_tiny_gpt2_model

MODEL = "smollm2"
_ENV = "wikihow"
# What takes long is measured on one decision in so many.
_ONE_IN = 4
# Seconds, those of the processor, and the decision.
Measured = tuple[float, float, Decision]
_OTHER = Prompt((), "Another text.", 0, channel="completion")
# As the published code asks: a reply is cut off where it goes on to what is discouraged.
_REPLIES = LLMConfig(max_tokens=50, stop=("Discouraged",), reply_format="text")


def bench_local(n: int = 40, seed: int = 0) -> dict[str, Any]:
    """n decisions of how-to development tasks, in the brief template with exemplars of E0.

    The model is SmolLM2 where it has been fetched, else a tiny one with random weights; "model"
    says which. The pages are those of a random walk. Backends take turns, decision by decision,
    with one thread each: of more, the two would wait for each other, and for whatever else runs.

    Returns
    -------
    dict
        results: "ours" is NumPy, "llama.cpp" its own functions; each with `median_ms`, `p99_ms`
        and `per_s` of decisions, `cpu_ms`, the median of the processor's own time, `per_minute`,
        `tokens_per_s` (of prompts and candidates, computed or kept); medians named `fresh_...` with
        nothing kept of the step before, `one_by_one_...` with nothing kept between candidates
        either (on one decision in 4); `load_s` and `peak_mib` of a process of its own. "reply" is
        llama.cpp's server and `--choose reply`, of 50 tokens at most (on one decision in 4).
        agreement: of the two backends: `median`, `p99` and `max` of how far apart they score an
        text, in nats per token, and `same_action`, the share of decisions in which they agree.
        ratios: a median to ours.
    """
    if n < 1:
        raise ConfigError(f"bench local: n must be at least 1, got {n}")
    with _model() as (name, path):
        work = situations(n, seed)
        results, agreed = _timed(path, work)
        for backend, result in zip(BACKENDS, results.values(), strict=False):
            result |= in_fresh_process(__name__, "load", backend=backend, path=str(path))
    ours = results["ours"]["median_ms"]
    return {
        "bench": "local",
        "n": n,
        "machine": machine(),
        "model": name,
        "results": results,
        "agreement": agreed,
        "ratios": {peer: results[peer]["median_ms"] / ours for peer in ("llama.cpp", "reply")},
    }


@contextmanager
def _model() -> Iterator[tuple[str, Path]]:
    try:
        path = model_path(MODEL)
    except ConfigError:
        with tempfile.TemporaryDirectory() as folder:
            yield "tiny, random weights", write_tiny_gpt2_model(Path(folder) / "tiny.gguf")
    else:
        yield MODEL, path


class _Walker(RandomAgent):
    """Acts at random, and keeps what it saw."""

    def __init__(self, env: TextEnv):
        super().__init__(profile_of(env))
        self.seen: list[Situation] = []

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        self.seen.append(situation)
        return super().decide(situation, random)


def situations(n: int, seed: int = 0) -> list[Situation]:
    """n situations in a row, from how-to development tasks walked through at random."""
    env = build_env(Settings(env=_ENV))
    walker, tasks = _Walker(env), development_tasks(_ENV)
    for position in range(n):
        run_episode(env, walker, tasks[position % len(tasks)], seed=seed, position=position)
        if len(walker.seen) >= n:
            break
    return walker.seen[:n]


def likelihood_agent(llm: Any, *, choose: str = "likelihood") -> Agent:
    """Rememberer on the how-to site with E0's memory and the brief template."""
    settings = Settings(
        env=_ENV,
        prompt=PromptConfig(template="brief", channel="completion"),
        choice=ChoiceConfig(choose=choose),
    )
    return build_agent("rememberer", build_env(settings), settings, llm=llm)


class _OneByOne(WrappedLLM):
    """Scores each candidate by itself, the prompt read anew each time."""

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        found: list[TextScore] = []
        for text in candidates:
            _forget(self.inner)
            found += super().score(prompt, [text])
        return tuple(found)


def _forget(llm: Any) -> None:
    """Put something else in the place of what is kept of the last prompt."""
    llm.score(_OTHER, [" x"])


def _timed(path: Path, work: list[Situation]) -> tuple[dict[str, dict[str, Any]], dict[str, float]]:
    some = work[::_ONE_IN]
    llms = {
        name: LocalLLM(backend, path, backend=backend, config=_REPLIES, n_threads=1)
        for name, backend in zip(("ours", "llama.cpp"), BACKENDS, strict=True)
    }
    agents = {name: likelihood_agent(llm) for name, llm in llms.items()}
    singles = {name: likelihood_agent(_OneByOne(llm)) for name, llm in llms.items()}
    server = llms["llama.cpp"]
    replying = likelihood_agent(server, choose="reply")
    try:
        # What is loaded when it is first needed is loaded now.
        for agent in (*agents.values(), replying):
            agent.decide(work[0], _random())
        kept = _durations(agents, work)
        fresh = _durations(agents, work, forgets=llms)
        alone = _durations(singles, some)
        replies = _durations({"reply": replying}, some)["reply"]
    finally:
        for llm in llms.values():
            llm.close()
    results = {
        name: _described(kept[name])
        | {
            f"{way}_{key}": _described(measured[name])[key]
            for way, measured in (("fresh", fresh), ("one_by_one", alone))
            for key in ("median_ms", "cpu_ms")
        }
        for name in agents
    }
    pairs = [(one, other) for (*_, one), (*_, other) in zip(*kept.values(), strict=True)]
    return {**results, "reply": _described(replies)}, agreement(pairs)


def _durations(
    agents: dict[str, Agent], work: list[Situation], forgets: dict[str, Any] | None = None
) -> dict[str, list[Measured]]:
    """Seconds, those of the processor, and decisions, by agent; `forgets` are emptied before."""
    found: dict[str, list[Measured]] = {name: [] for name in agents}
    for situation in work:
        for name, agent in agents.items():
            if forgets:
                _forget(forgets[name])
            begun, worked = time.perf_counter(), time.process_time()
            decision = agent.decide(situation, _random())
            taken = time.perf_counter() - begun, time.process_time() - worked
            found[name].append((*taken, decision))
    return found


def _described(measured: list[Measured]) -> dict[str, Any]:
    durations, work_s, decisions = zip(*measured, strict=True)
    taken = timing(durations)
    prompts = [d.prompt.n_tokens for d in decisions if d.prompt]
    others = [d.reply.completion_tokens for d in decisions if d.reply]
    return {
        **taken,
        "cpu_ms": float(np.median(work_s) * 1e3),
        "per_minute": 60 * taken["per_s"],
        "tokens_per_s": (sum(prompts) + sum(others)) / sum(durations),
        "prompt_tokens": float(np.median(prompts)),
        "other_tokens": float(np.median(others)) if others else 0.0,
        "n_errors": sum(d.error is not None for d in decisions),
    }


def agreement(pairs: Sequence[tuple[Decision, Decision]]) -> dict[str, float]:
    """How far apart two backends score the same texts, in nats per token, and choose alike.

    A text that each wrote by itself (a search) may differ: then only the kind of action counts.
    """
    both = [list(zip(one.scores, other.scores, strict=True)) for one, other in pairs]
    apart = [
        abs(one.log_probability - other.log_probability) / one.n_tokens
        for scores in both
        for one, other in scores
        if one.text == other.text
    ]
    same = [
        max(scores, key=lambda pair: pair[0].score) is max(scores, key=lambda pair: pair[1].score)
        for scores in both
    ]
    return {
        "median": float(np.median(apart)),
        "p99": float(np.percentile(apart, 99)),
        "max": max(apart),
        "same_action": float(np.mean(same)),
    }


def _random() -> StepRandom:
    return StepRandom(0, np.random.default_rng(0))


def load(started: float, backend: str, path: str) -> dict[str, Any]:
    """Load a model, score three short texts: seconds, and the most memory that it took."""
    before = peak_mib()
    begun = time.perf_counter()
    llm = LocalLLM(backend, path, backend=backend, n_threads=1)
    llm.score(Prompt((), CHECK_PROMPT, 0, channel="completion"), CHECK_TEXTS)
    return {"load_s": time.perf_counter() - begun, "peak_mib": peak_mib() - before}


if __name__ == "__main__":
    print(json.dumps(load(**json.loads(sys.argv[2]))))
