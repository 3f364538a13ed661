"""The comparison that always stands beside Rememberer: baselines and controls, over seeds.

One seed is one unit of work: two trainings (from the initial memory and from an empty one), then
every condition on the same test tasks with the same seeds, so that differences are paired. Finished
seeds are kept in a file and not run again; seeds run in parallel through joblib.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from tqdm.auto import tqdm

from rememberer_nb.agents import Agent, describe_agent
from rememberer_nb.analysis import episode_metrics
from rememberer_nb.assemble import Settings, build_agent, build_env, build_llm, build_memory
from rememberer_nb.elements import Episode, to_data
from rememberer_nb.errors import DataError
from rememberer_nb.identity import differences, fingerprint, plain
from rememberer_nb.llms import close
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rollout import TextEnv, evaluate, train

CONDITIONS = {
    "random": "draws from the available actions",
    "llm_only": "the LLM without exemplars",
    "fixed_exemplars": "two exemplars drawn once from the initial memory",
    "frozen_memory": "retrieves from the initial memory, which never learns",
    "rememberer": "the initial memory, then trained",
    "rememberer_from_empty": "an empty memory, then trained",
    "shuffled_values": "the trained memory with its values dealt out anew",
}

PAIRS = (
    ("rememberer", "llm_only"),
    ("rememberer", "fixed_exemplars"),
    ("rememberer", "frozen_memory"),
    ("rememberer", "shuffled_values"),
    ("rememberer_from_empty", "llm_only"),
    ("frozen_memory", "llm_only"),
    ("fixed_exemplars", "llm_only"),
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared: settings, training and test tasks (numbers), seeds."""

    settings: Settings
    train_tasks: tuple[int, ...]
    test_tasks: tuple[int, ...]
    seeds: tuple[int, ...]


def run_seed(comparison: Comparison, seed: int) -> dict[str, Any]:
    """All conditions for one seed.

    Returns
    -------
    dict
        "seed"; "test": a row of metrics per condition; "training": per trained condition and epoch
        a row of metrics on the training tasks, while learning; "n_records" per trained condition.
    """
    env = build_env(comparison.settings)
    settings = comparison.settings
    empty = dataclasses.replace(settings, initial="empty")
    with_initial, curve = _train(env, comparison, settings, "rememberer", seed)
    from_empty, curve_empty = _train(env, comparison, empty, "rememberer_from_empty", seed)
    shuffled = with_initial.shuffled(np.random.default_rng(np.random.SeedSequence((seed, 1))))
    memories = {
        "frozen_memory": build_memory(settings),
        "rememberer": with_initial,
        "rememberer_from_empty": from_empty,
        "shuffled_values": shuffled,
    }
    rows = []
    for condition in CONDITIONS:
        agent = _agent(condition, env, settings, memories.get(condition), seed)
        episodes = evaluate(env, agent, comparison.test_tasks, seed=seed)
        rows.append({"agent": condition, "seed": seed, **episode_metrics(episodes)})
    sizes = {name: len(memories[name]) for name in ("rememberer", "rememberer_from_empty")}
    return {"seed": seed, "test": rows, "training": curve + curve_empty, "n_records": sizes}


def _agent(
    condition: str,
    env: TextEnv,
    settings: Settings,
    memory: ExperienceMemory | None,
    seed: int,
) -> Agent:
    name = condition if memory is None else "rememberer"
    return build_agent(name, env, settings, memory=memory, seed=seed)


def _train(
    env: TextEnv, comparison: Comparison, settings: Settings, condition: str, seed: int
) -> tuple[ExperienceMemory, list[dict[str, Any]]]:
    memory = build_memory(settings)
    agent = build_agent("rememberer", env, settings, memory=memory, seed=seed)
    episodes = train(
        env,
        agent,
        comparison.train_tasks,
        seed=seed,
        config=settings.rollout,
        keep_episodes=False,
    )
    return memory, epoch_rows(episodes, agent=condition, seed=seed)


def epoch_rows(episodes: Sequence[Episode], **labels: Any) -> list[dict[str, Any]]:
    """A row of metrics per epoch, with the given labels."""
    epochs = sorted({episode.epoch for episode in episodes})
    return [
        {**labels, "epoch": e, **episode_metrics([x for x in episodes if x.epoch == e])}
        for e in epochs
    ]


def compare(
    comparison: Comparison,
    *,
    path: Path | None = None,
    n_jobs: int = 1,
    is_shown: bool = True,
) -> list[dict[str, Any]]:
    """Run all seeds; results in order of the seeds.

    Parameters
    ----------
    path : a JSON Lines file of finished seeds. What is in it is not run again, provided that it
        belongs to the same comparison; anything else in it is a `DataError`.
    n_jobs : processes; the results do not depend on it.
    is_shown : whether to show a progress bar.
    """
    done = _read_done(path, comparison) if path is not None else {}
    waiting = [seed for seed in comparison.seeds if seed not in done]
    pool = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    results: Iterable[dict[str, Any]] = pool(
        joblib.delayed(run_seed)(comparison, seed) for seed in waiting
    )
    bar = tqdm(results, total=len(waiting), desc="compare", unit="seed", disable=not is_shown)
    for result in bar:
        done[result["seed"]] = result
        if path is not None:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
    return [done[seed] for seed in comparison.seeds]


def _head(comparison: Comparison) -> dict[str, Any]:
    """What every finished seed depends on: the settings, and what is behind their names now."""
    settings = comparison.settings
    env = build_env(settings)
    llm = build_llm(env, settings)
    try:
        agent = build_agent("rememberer", env, settings, llm=llm)
        described = describe_agent(agent)
    finally:
        close(llm)
    tasks = [env.unwrapped.tasks[n].text for n in comparison.train_tasks + comparison.test_tasks]
    identity = {
        "agent": described,
        "initial": fingerprint(list(agent.memory or ())),
        "task_texts": fingerprint(tasks),
    }
    return dict(plain({"comparison": {**to_data(comparison), "seeds": None}, "identity": identity}))


def _read_done(path: Path, comparison: Comparison) -> dict[int, dict[str, Any]]:
    head = _head(comparison)
    if not path.exists():
        path.write_text(json.dumps(head) + "\n", encoding="utf-8")
        return {}
    text = path.read_text(encoding="utf-8")
    whole, _, cut_off = text.rpartition("\n")
    try:
        first, *rows = [json.loads(line) for line in whole.split("\n")]
        done = {row["seed"]: row for row in rows}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"is no file of finished seeds: {error!r}", path=path) from error
    if first != head:
        found = differences(first if isinstance(first, dict) else {}, head)
        raise DataError(
            "belongs to a comparison with other settings or tasks: " + "; ".join(found[:3]),
            path=path,
        )
    if cut_off:
        # A run was stopped while it wrote: that seed is run again.
        path.write_text(whole + "\n", encoding="utf-8")
    return done
