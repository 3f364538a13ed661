"""How much of a result is the offline stand-in's own making: its settings, and values unread.

That values matter is partly how the stand-in was built: it is told to weigh them. So the loop is
run under other settings of its own, and by one that is blind to values (`reads_values=False`): what
was tried counts as a bare label, "encouraged" or "discouraged". (Which action is encouraged still
depends on the memory's values.) Training and evaluation use development tasks alone, so looking at
these numbers uses up no test task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from rememberer_nb.analysis.metrics import (
    METRICS,
    difference_text,
    episode_metrics,
    paired_differences,
    plain_rows,
)
from rememberer_nb.config import OfflineConfig, checked_count
from rememberer_nb.config.fields import MAX_SEEDS
from rememberer_nb.envs import development_tasks
from rememberer_nb.envs.profile import profile_of
from rememberer_nb.errors import ConfigError
from rememberer_nb.experiments.comparison import MAX_JOBS, in_parallel
from rememberer_nb.llms.offline import OfflineLLM
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_memory
from rememberer_nb.loop.training import Conduct, evaluate, train

if TYPE_CHECKING:
    import pandas as pd

AS_BUILT = "as built"
# Four times less and more than the default, or none.
VARIANTS: Mapping[str, OfflineConfig] = {
    AS_BUILT: OfflineConfig(),
    "prior_weight 0.05": OfflineConfig(prior_weight=0.05),
    "prior_weight 0.8": OfflineConfig(prior_weight=0.8),
    "label_weight 0": OfflineConfig(label_weight=0.0),
    "label_weight 0.2": OfflineConfig(label_weight=0.2),
    "value-blind": OfflineConfig(reads_values=False),
    "value-blind, label_weight 0.2": OfflineConfig(reads_values=False, label_weight=0.2),
}
BASELINES = ("llm_only", "frozen_memory", "shuffled_values")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Variants over seeds on the first development tasks of an environment.

    n_train, n_eval : tasks trained on, then tasks evaluated on; there must be as many.
    """

    env: str = "webshop"
    n_seeds: int = 12
    n_train: int = 10
    n_eval: int = 30

    def __post_init__(self) -> None:
        checked_count("--n-seeds", self.n_seeds, 1, MAX_SEEDS)
        n_tasks, wanted = len(development_tasks(self.env)), (self.n_train, self.n_eval)
        if min(wanted) < 1 or sum(wanted) > n_tasks:
            raise ConfigError(
                f"there are {n_tasks} development tasks of {self.env!r}, to train on one or more "
                f"and evaluate on one or more; got {self.n_train} and {self.n_eval}"
            )


def run_variant(sweep: Sweep, variant: str, seed: int) -> list[dict[str, Any]]:
    """Rememberer trained and evaluated with one of `VARIANTS`, with its baselines.

    Returns
    -------
    list of dict
        A row of metrics for "rememberer" and each of `BASELINES`, with "variant" and "seed". The
        LLM alone sees no advice, so only the first variant has a row of it, which serves for all.
    """
    settings = Settings(env=sweep.env, initial="E0")
    env = build_env(settings)
    llm = OfflineLLM(sweep.env, VARIANTS[variant], full_mark=profile_of(env).full_mark)
    tasks = development_tasks(sweep.env)
    trained = build_memory(settings)
    agent = build_agent("rememberer", env, settings, memory=trained, seed=seed, llm=llm)
    train(env, agent, tasks[: sweep.n_train], seed=seed, conduct=Conduct(keep_episodes=False))
    memories = {
        "rememberer": trained,
        "frozen_memory": build_memory(settings),
        "shuffled_values": trained.shuffled(np.random.default_rng((seed, 1))),
    }
    rows = []
    evaluated = tasks[sweep.n_train : sweep.n_train + sweep.n_eval]
    alone = ("llm_only",) if variant == AS_BUILT else ()
    for condition in (*memories, *alone):
        memory = memories.get(condition)
        name = condition if memory is None else "rememberer"
        agent = build_agent(name, env, settings, memory=memory, seed=seed, llm=llm)
        metrics = episode_metrics(evaluate(env, agent, evaluated, seed=seed))
        rows.append({"variant": variant, "agent": condition, "seed": seed, **metrics})
    return rows


def run_sweep(sweep: Sweep, *, n_jobs: int = 1) -> list[dict[str, Any]]:
    """`run_variant` for every variant and seed, in that order; `n_jobs` processes."""
    n_jobs = checked_count("--jobs", n_jobs, 1, MAX_JOBS)
    calls = [
        joblib.delayed(run_variant)(sweep, variant, seed)
        for variant in VARIANTS
        for seed in range(sweep.n_seeds)
    ]
    with closing(in_parallel(calls, n_jobs)) as results:
        rows = [row for found in results for row in found]
    order = list(VARIANTS)
    return sorted(rows, key=lambda row: (order.index(row["variant"]), row["seed"]))


def sweep_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Rememberer against each baseline within a variant, and against itself as built.

    Returns
    -------
    DataFrame
        `analysis.metrics.paired_differences` with a column `variant`; the baseline "as built" is
        Rememberer with the default settings, for the other variants.
    """
    import pandas as pd

    shared = [
        {**row, "agent": AS_BUILT if row["agent"] == "rememberer" else row["agent"]}
        for row in rows
        if row["variant"] == AS_BUILT and row["agent"] in ("rememberer", "llm_only")
    ]
    frames = []
    for variant in dict.fromkeys(row["variant"] for row in rows):
        own = [row for row in rows if row["variant"] == variant and row["agent"] != "llm_only"]
        baselines = BASELINES if variant == AS_BUILT else (*BASELINES, AS_BUILT)
        pairs = [("rememberer", baseline) for baseline in baselines]
        frames.append(paired_differences(own + shared, pairs).assign(variant=variant))
    return pd.concat(frames, ignore_index=True)


def sweep_report(sweep: Sweep, *, n_jobs: int = 1) -> tuple[list[dict[str, Any]], str]:
    """Run it: the plain rows of `sweep_table`, and the same as a text table."""
    table = plain_rows(sweep_table(run_sweep(sweep, n_jobs=n_jobs)))
    return table, sweep_text(table, sweep)


def sweep_text(table: Sequence[dict[str, Any]], sweep: Sweep) -> str:
    """The plain rows of `sweep_table`, for a terminal."""
    lines = [
        f"{sweep.env}: {sweep.n_eval} development tasks, trained on {sweep.n_train} others, "
        f"seeds 0 to {sweep.n_seeds - 1}; paired differences with 95 % bootstrap intervals",
        "",
        f"{'rememberer minus':32}{'success rate':>27}{'mean reward':>27}",
    ]
    cells = {(r["variant"], r["baseline"], r["metric"]): difference_text(r) for r in table}
    for variant, baseline in dict.fromkeys((r["variant"], r["baseline"]) for r in table):
        if baseline == BASELINES[0]:
            lines.append(f"stand-in: {variant}")
        success, reward = (cells[variant, baseline, metric] for metric in METRICS)
        lines.append(f"  {baseline:30}{success:>27}{reward:>27}".rstrip())
    return "\n".join([*lines, "", "* the interval excludes 0"])
