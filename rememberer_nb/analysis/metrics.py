"""Metrics, each defined by its formula once, and tables with intervals.

success_rate   = successes / episodes            (a success reaches the task's full reward)
mean_reward    = Σ total reward / episodes       (unit of the environment's reward)
mean_steps     = Σ steps / episodes
reply_errors   = steps whose reply held no available action, a count
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rememberer_nb.elements import Episode
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory.outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd

N_RESAMPLES = 10_000
_DIGITS = 12
# At once, so that thousands of episodes do not take gigabytes; the draws are those of one call.
_MAX_DRAWS = 1_000_000
METRICS = ("success_rate", "mean_reward")


def episode_metrics(episodes: Sequence[Episode | Outcome]) -> dict[str, Any]:
    """The four metrics of the module's docstring, and `n_episodes`.

    Parameters
    ----------
    episodes : whole, or in numbers (`memory.outcome.Outcome`); a function here takes either.

    >>> episode_metrics([])
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: no episodes: there is nothing to measure
    """
    if not episodes:
        raise ConfigError("no episodes: there is nothing to measure")
    n, outcomes = len(episodes), [Outcome.of(episode) for episode in episodes]
    return {
        "n_episodes": n,
        "success_rate": sum(o.is_success for o in outcomes) / n,
        "mean_reward": sum(o.total_reward for o in outcomes) / n,
        "mean_steps": sum(o.n_steps for o in outcomes) / n,
        "reply_errors": sum(o.n_reply_errors for o in outcomes),
    }


def bootstrap_interval(
    values: Sequence[float] | np.ndarray,
    *,
    level: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean: the one behind every interval of a mean here.

    Parameters
    ----------
    values : array of shape (n,), n at least 1, one number per independent unit (seed or task). One
        number has no interval: both bounds are NaN then.
    level : coverage, in (0, 1).

    Examples
    --------
    >>> bootstrap_interval([1.0, 1.0, 1.0])
    (1.0, 1.0)
    >>> low, high = bootstrap_interval([0.0, 1.0] * 50)
    >>> 0.35 < low < 0.45 and 0.55 < high < 0.65
    True
    """
    sample = np.asarray(values, dtype=float)
    if sample.ndim != 1 or not len(sample):
        raise ConfigError(f"expected a non-empty list of numbers, got shape {sample.shape}")
    if len(sample) == 1:
        return math.nan, math.nan
    from scipy import stats

    low, high = stats.bootstrap(
        (sample,),
        np.mean,
        n_resamples=n_resamples,
        confidence_level=level,
        method="percentile",
        rng=seed,
        batch=max(1, _MAX_DRAWS // len(sample)),
    ).confidence_interval
    # Differences that cancel leave 1e-18 rather than 0, which must not count as an effect.
    return round(float(low), _DIGITS), round(float(high), _DIGITS)


def intervals(by_seed: Mapping[int, Sequence[Episode | Outcome]]) -> dict[str, list[float] | None]:
    """ci95 of success rate and mean reward: over seeds, or over tasks if there is one seed.

    None where there is one episode, which has no interval.
    """
    if len(by_seed) == 1:
        episodes = next(iter(by_seed.values()))
        units = {
            "success_rate": [float(e.is_success) for e in episodes],
            "mean_reward": [e.total_reward for e in episodes],
        }
    else:
        metrics = [episode_metrics(episodes) for episodes in by_seed.values()]
        units = {name: [m[name] for m in metrics] for name in METRICS}
    return {
        name: list(bootstrap_interval(values)) if len(values) > 1 else None
        for name, values in units.items()
    }


def summary_table(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Mean and 95 % interval per agent, over seeds or tasks.

    Parameters
    ----------
    rows : one per agent and seed (or task), with "agent" and the metrics.

    Returns
    -------
    DataFrame
        One row per (agent, metric): agent, metric, mean, low, high, n (rows); agents in order of
        appearance. low and high are NaN with one seed.
    """
    import pandas as pd

    frame = pd.DataFrame(list(rows))
    result = []
    for agent, group in frame.groupby("agent", sort=False):
        for metric in METRICS:
            low, high = bootstrap_interval(group[metric].to_numpy())
            result.append((agent, metric, group[metric].mean(), low, high, len(group)))
    return pd.DataFrame(result, columns=["agent", "metric", "mean", "low", "high", "n"])


def paired_differences(
    rows: Iterable[dict[str, Any]], pairs: Iterable[tuple[str, str]], unit: str = "seed"
) -> pd.DataFrame:
    """Differences of agents run with the same seeds on the same tasks.

    Parameters
    ----------
    rows : one per agent and unit.
    unit : what is paired, "seed" or "task": a column of the rows.

    Returns
    -------
    DataFrame
        One row per (agent, baseline, metric): the mean over units of metric(agent) −
        metric(baseline), its bootstrap interval, n, and `is_clear`: the interval excludes 0. One
        seed has no interval (NaN), and nothing is clear.
    """
    import pandas as pd

    frame = pd.DataFrame(list(rows))
    result = []
    for agent, baseline in pairs:
        for metric in METRICS:
            wide = frame.pivot(index=unit, columns="agent", values=metric)
            difference = (wide[agent] - wide[baseline]).dropna().to_numpy()
            low, high = bootstrap_interval(difference)
            is_clear = low > 0 or high < 0
            result.append(
                (agent, baseline, metric, difference.mean(), low, high, len(difference), is_clear)
            )
    columns = ["agent", "baseline", "metric", "mean", "low", "high", "n", "is_clear"]
    return pd.DataFrame(result, columns=columns)


def by_task(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per agent and task, the mean over seeds, from rows per agent and seed.

    Parameters
    ----------
    rows : with "agent", and a number per task in "successes" and "rewards".

    Examples
    --------
    >>> rows = [{"agent": "a", "successes": [s, 1], "rewards": [0, 2]} for s in (0, 1)]
    >>> [(row["task"], row["success_rate"], row["mean_reward"]) for row in by_task(rows)]
    [(0, 0.5, 0.0), (1, 1.0, 2.0)]
    """
    of_agent: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        of_agent.setdefault(row["agent"], []).append(row)
    found = []
    for agent, seeds in of_agent.items():
        successes = np.mean([row["successes"] for row in seeds], axis=0)  # (n_tasks,)
        rewards = np.mean([row["rewards"] for row in seeds], axis=0)
        for task, (success, reward) in enumerate(zip(successes, rewards, strict=True)):
            values = {"success_rate": float(success), "mean_reward": float(reward)}
            found.append({"agent": agent, "task": task, **values})
    return found


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as JSON has them: None for NaN."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def ceiling_table(rewards: dict[int, list[float]]) -> pd.DataFrame:
    """Success rate and mean reward for each number of hits, with 95 % intervals over tasks.

    Returns
    -------
    DataFrame
        One row per n: n_hits, success_rate, success_low, success_high, mean_reward, reward_low,
        reward_high.

    >>> ceiling_table({1: [0.5, 1.0]})[["n_hits", "success_rate", "mean_reward"]].values.tolist()
    [[1.0, 0.5, 0.75]]
    """
    import pandas as pd

    rows = []
    for n, found in rewards.items():
        solved = [float(reward == 1) for reward in found]
        row: dict[str, float] = {"n_hits": n}
        for name, short, values in (("success_rate", "success", solved),
                                    ("mean_reward", "reward", found)):  # fmt: skip
            low, high = bootstrap_interval(values)
            row |= {name: sum(values) / len(values), f"{short}_low": low, f"{short}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def interval_text(row: Mapping[str, Any]) -> str:
    """A plain row of `summary_table`, as text.

    >>> interval_text({"mean": 0.5, "low": 0.25, "high": 0.75})
    '0.500 [0.250, 0.750]'
    """
    if row["low"] is None:
        return f"{row['mean']:.3f} -"
    return f"{row['mean']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def difference_text(row: Mapping[str, Any]) -> str:
    """A plain row of `paired_differences`, as text; a star if its interval excludes 0.

    >>> difference_text({"mean": 0.5, "low": 0.25, "high": 0.75, "is_clear": True})
    '+0.500 [+0.250, +0.750]*'
    """
    if row["low"] is None:
        return f"{row['mean']:+.3f} -"
    mark = "*" if row["is_clear"] else " "
    return f"{row['mean']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]{mark}"
