"""The comparison that always stands beside Rememberer: baselines and controls, over seeds.

One seed is one unit of work: two trainings (from the initial memory and from an empty one), then
every condition on the same test tasks with the same seeds, so that differences are paired. Finished
seeds are kept in a file and not run again; seeds run in parallel through joblib. What an LLM that
scores or answers slowly has said is kept, too, so that a seed goes on where it was stopped.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from tqdm.auto import tqdm

from rememberer_nb.agents.telling import describe_agent
from rememberer_nb.analysis.metrics import METRICS, episode_metrics
from rememberer_nb.config import checked_count, replace
from rememberer_nb.elements import Episode
from rememberer_nb.envs.profile import TextEnv
from rememberer_nb.envs.registry import EnvSpec, find_env, register_env
from rememberer_nb.errors import DataError, WorkerError
from rememberer_nb.llms import LLM, RecordingLLM, close
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_llm, build_memory
from rememberer_nb.loop.episode import memory_of
from rememberer_nb.loop.training import Conduct, evaluate, train
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.outcome import Outcome
from rememberer_nb.system.files import reason
from rememberer_nb.system.places import write_text
from rememberer_nb.system.plain import differences, fingerprint, plain, to_data
from rememberer_nb.system.stopping import end_with_parent

# A slip of the finger is refused rather than tried.
MAX_JOBS = 1024

CONDITIONS = {
    "random": "draws from the available actions",
    "llm_only": "the LLM without exemplars",
    "fixed_exemplars": "two exemplars drawn once from the initial memory",
    "frozen_memory": "retrieves from the initial memory, which never learns",
    "rememberer": "the initial memory, then trained",
    "rememberer_from_empty": "an empty memory, then trained",
    "shuffled_values": "the trained memory with its values dealt out anew",
    "no_discouraged": "the trained memory, shown without discouraged advice",
}

PAIRS = (
    ("rememberer", "llm_only"),
    ("rememberer", "fixed_exemplars"),
    ("rememberer", "frozen_memory"),
    ("rememberer", "shuffled_values"),
    ("rememberer", "no_discouraged"),
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

    @property
    def unit(self) -> str:
        """What intervals are over: the draws of the stand-in differ by seed; a real LLM draws
        nothing in a test, and what could have come out otherwise are the tasks.
        """
        return "seed" if self.settings.llm.partition(":")[0] == "offline" else "task"

    @property
    def n_episodes(self) -> int:
        """Of each seed: two trainings, and all conditions on the test tasks."""
        n_training = self.settings.rollout.n_epochs * len(self.train_tasks)
        return 2 * n_training + len(CONDITIONS) * len(self.test_tasks)


def run_seed(
    comparison: Comparison,
    seed: int,
    *,
    llm: LLM | None = None,
    on_episode: Callable[[Episode], None] | None = None,
) -> dict[str, Any]:
    """All conditions for one seed.

    Parameters
    ----------
    llm : by default a new one, from the settings.
    on_episode : told of each episode that is over.

    Returns
    -------
    dict
        "seed"; "test": per condition a row of metrics, with the success (0 or 1) and reward of each
        test task; "training": per trained condition and epoch a row of metrics on the training
        tasks, while learning; "n_records" per trained condition.
    """
    env = build_env(comparison.settings)
    settings = comparison.settings
    empty = dataclasses.replace(settings, initial="empty")
    llm, conduct = llm or build_llm(env, settings), Conduct(False, on_episode=on_episode)
    run = _Run(comparison, env, llm, seed, dataclasses.replace(conduct, keep_episodes=False))
    with_initial, curve = run.trained(settings, "rememberer")
    from_empty, curve_empty = run.trained(empty, "rememberer_from_empty")
    shuffled = with_initial.shuffled(np.random.default_rng(np.random.SeedSequence((seed, 1))))
    memories = {
        "frozen_memory": build_memory(settings),
        "rememberer": with_initial,
        "rememberer_from_empty": from_empty,
        "shuffled_values": shuffled,
        "no_discouraged": with_initial,
    }
    rows = [run.tested(condition, memories.get(condition)) for condition in CONDITIONS]
    sizes = {name: len(memories[name]) for name in ("rememberer", "rememberer_from_empty")}
    return {"seed": seed, "test": rows, "training": curve + curve_empty, "n_records": sizes}


@dataclass(frozen=True, slots=True)
class _Run:
    """What the parts of a seed share."""

    comparison: Comparison
    env: TextEnv
    llm: LLM
    seed: int
    conduct: Conduct

    def trained(
        self, settings: Settings, condition: str
    ) -> tuple[ExperienceMemory, list[dict[str, Any]]]:
        """A memory after training, and the metrics of each epoch."""
        memory, settings = build_memory(settings), settings.for_training()
        agent = build_agent(
            "rememberer", self.env, settings, memory=memory, seed=self.seed, llm=self.llm
        )
        episodes = train(
            self.env,
            agent,
            self.comparison.train_tasks,
            seed=self.seed,
            config=settings.rollout,
            conduct=self.conduct,
        )
        return memory, epoch_rows(episodes, agent=condition, seed=self.seed)

    def tested(self, condition: str, memory: ExperienceMemory | None) -> dict[str, Any]:
        """A condition on the test tasks."""
        settings = self.comparison.settings
        if condition == "no_discouraged":
            without = replace(settings.exemplar, use_discouraged=False)
            settings = dataclasses.replace(settings, exemplar=without)
        name = condition if memory is None else "rememberer"
        agent = build_agent(name, self.env, settings, memory=memory, seed=self.seed, llm=self.llm)
        tasks = self.comparison.test_tasks
        episodes = evaluate(self.env, agent, tasks, seed=self.seed, conduct=self.conduct)
        return {
            "agent": condition,
            "seed": self.seed,
            **episode_metrics(episodes),
            "successes": [int(episode.is_success) for episode in episodes],
            "rewards": [episode.total_reward for episode in episodes],
        }


def epoch_rows(episodes: Sequence[Episode | Outcome], **labels: Any) -> list[dict[str, Any]]:
    """A row of metrics per epoch, with the given labels."""
    outcomes = [Outcome.of(episode) for episode in episodes]
    epochs = sorted({outcome.epoch for outcome in outcomes})
    return [
        {**labels, "epoch": e, **episode_metrics([o for o in outcomes if o.epoch == e])}
        for e in epochs
    ]


def compare(
    comparison: Comparison,
    *,
    path: Path | None = None,
    recordings: Path | None = None,
    n_jobs: int = 1,
    is_shown: bool = True,
) -> list[dict[str, Any]]:
    """Run all seeds; results in order of the seeds.

    Parameters
    ----------
    path : a JSON Lines file of finished seeds. What is in it is not run again, provided that it
        belongs to the same comparison; anything else in it is a `DataError`.
    recordings : a folder for what the LLM says, a file per seed; a seed looks into those of the
        others, too (`RecordingLLM`).
    n_jobs : processes; the results do not depend on it.
    is_shown : whether to show progress: a bar of seeds, and one of episodes for each seed where
        what the LLM says is kept.
    """
    n_jobs = checked_count("--jobs", n_jobs, 1, MAX_JOBS)
    done = _read_done(path, comparison) if path is not None else {}
    waiting = [seed for seed in comparison.seeds if seed not in done]
    spec = find_env(comparison.settings.env)
    calls = [
        joblib.delayed(_in_worker)(spec, comparison, seed, recordings, is_shown) for seed in waiting
    ]
    with closing(in_parallel(calls, n_jobs)) as results:
        bar = tqdm(results, total=len(waiting), desc="compare", unit="seed", disable=not is_shown)
        for result in bar:
            done[result["seed"]] = result
            if path is not None:
                _append(path, result)
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
        "initial": fingerprint(list(memory_of(agent) or ())),
        "task_texts": fingerprint(tasks),
    }
    return dict(plain({"comparison": {**to_data(comparison), "seeds": None}, "identity": identity}))


def in_parallel(calls: Sequence[Any], n_jobs: int) -> Generator[Any, None, None]:
    """Results of `joblib.delayed` calls as they are finished; closing it ends the workers at once.

    >>> list(in_parallel([joblib.delayed(len)("ab")], n_jobs=1))
    [2]
    """
    pool = joblib.Parallel(
        n_jobs=max(1, min(n_jobs, len(calls))),
        return_as="generator_unordered",
        initializer=end_with_parent,
        initargs=(os.getpid(),),
    )
    results = pool(calls)
    try:
        yield from results
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process was killed, perhaps for want of memory; --jobs 1 needs none"
        ) from error


def _in_worker(
    spec: EnvSpec, comparison: Comparison, seed: int, recordings: Path | None, is_shown: bool
) -> dict[str, Any]:
    """`run_seed` in a process that may not know the environment yet."""
    register_env(spec)
    if recordings is None:
        return run_seed(comparison, seed)
    llm = build_llm(build_env(comparison.settings), comparison.settings)
    others = [path for path in sorted(recordings.glob("seed-*.jsonl")) if path.stat().st_size]
    own = recordings / f"seed-{seed}.jsonl"
    recorded = RecordingLLM(llm, own, also=[path for path in others if path != own])
    total = comparison.n_episodes
    bar = tqdm(
        total=total, desc=f"seed {seed}", unit="episode", position=1 + seed, disable=not is_shown
    )
    with bar, closing(recorded):
        return run_seed(comparison, seed, llm=recorded, on_episode=lambda _: bar.update())


def _append(path: Path, result: dict[str, Any]) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
    except OSError as error:
        raise DataError(f"cannot be written: {reason(error)}", path=path) from error


def _read_done(path: Path, comparison: Comparison) -> dict[int, dict[str, Any]]:
    head = _head(comparison)
    if not path.exists():
        write_text(path, json.dumps(head) + "\n")
        return {}
    try:
        whole, _, cut_off = path.read_bytes().rpartition(b"\n")
    except OSError as error:
        raise DataError(f"cannot be read: {reason(error)}", path=path) from error
    lines = whole.split(b"\n")
    first, *rows = [_parse(line, path, number) for number, line in enumerate(lines, start=1)]
    if first != head:
        if not (isinstance(first, dict) and "comparison" in first):
            raise DataError("is no file of finished seeds", path=path)
        found = differences(first, head)
        raise DataError(
            "belongs to a comparison with other settings or tasks: " + "; ".join(found[:3]),
            path=path,
        )
    done = {}
    for number, row in enumerate(rows, start=2):
        if not _is_finished(row):
            raise DataError(
                'expected a finished seed: "seed", "test" with a row of numbers per condition, '
                f'"training" and "n_records"; got {lines[number - 1].decode()[:60]}',
                path=path,
                field=f"line {number}",
            )
        done[row["seed"]] = row
    if cut_off:
        # A run was stopped while it wrote: that seed is run again.
        write_text(path, whole.decode() + "\n")
    return done


def _parse(line: bytes, path: Path, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        problem = f"expected JSON in UTF-8: {error}"
        raise DataError(problem, path=path, field=f"line {number}") from error


def _is_finished(row: Any) -> bool:
    """Whether it is what `run_seed` returns."""
    if not isinstance(row, dict) or not _is_count(row.get("seed")):
        return False
    test, training, sizes = (row.get(key) for key in ("test", "training", "n_records"))
    return (
        isinstance(test, list)
        and isinstance(training, list)
        and isinstance(sizes, dict)
        and all(_is_row(each, row["seed"]) for each in test + training)
        and [each["agent"] for each in test] == list(CONDITIONS)
        and bool(training)
        and all(_is_count(each.get("epoch")) for each in training)
        and all(_is_paired(each, test[0]) for each in test)
        and all(map(_is_count, sizes.values()))
    )


def _is_row(row: Any, seed: int) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("agent"), str)
        and row.get("seed") == seed
        and all(_is_number(row.get(metric)) for metric in METRICS)
    )


def _is_paired(row: dict[str, Any], first: dict[str, Any]) -> bool:
    """Whether a row tells the tasks apart, as many as the first one."""
    lists = [row.get("successes"), row.get("rewards"), first.get("successes")]
    return all(isinstance(each, list) and all(map(_is_number, each)) for each in lists) and (
        len({len(each) for each in lists if each is not None}) == 1
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
