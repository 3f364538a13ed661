"""How predictions of a score go with the scores, with intervals over episodes.

Spearman's ρ       correlation of the ranks of prediction and score (ties: mean rank); 0 if either
                   is constant
AUC                how often a step of a successful episode is predicted above one of a failure
                   (ties: half)

Steps of one episode share its score, so intervals come from resampling whole episodes. Where
predictions come from several held-out parts, each part is measured by itself: a part that scores
high leaves a low mean to predict it from, so comparing across parts would set every prediction
against the truth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rememberer_nb.analysis.similarities import auc
from rememberer_nb.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

PREDICTORS = ("record", "neighbour", "page_rate", "base_rate")
METRICS = ("spearman", "auc")
_CHANCE = {"spearman": 0.0, "auc": 0.5}


def spearman(prediction: np.ndarray, score: np.ndarray) -> float:
    """Rank correlation, in [−1, 1]; 0 if either side is constant.

    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.2])), 3)
    0.5
    """
    from scipy.stats import spearmanr

    if not (np.ptp(prediction) and np.ptp(score)):
        return 0.0
    return float(spearmanr(prediction, score).statistic)


def success_auc(prediction: np.ndarray, is_success: np.ndarray) -> float:
    """AUC of a prediction for success, in [0, 1]; NaN without both outcomes.

    >>> success_auc(np.array([0.9, 0.2, 0.2]), np.array([True, True, False]))
    0.75
    """
    is_success = np.asarray(is_success, dtype=bool)
    if is_success.all() or not is_success.any():
        return float("nan")
    return auc(prediction[is_success], prediction[~is_success])


@dataclass(frozen=True, slots=True)
class _Part:
    """The steps of one held-out part: arrays of shape (steps,), and the places of each episode."""

    columns: Mapping[str, np.ndarray]
    score: np.ndarray
    is_success: np.ndarray
    episodes: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, frame: pd.DataFrame, predictors: Sequence[str]) -> _Part:
        return cls(
            {name: frame[name].to_numpy(dtype=float) for name in predictors},
            frame["score"].to_numpy(dtype=float),
            frame["is_success"].to_numpy(dtype=bool),
            tuple(frame.groupby("episode_id", sort=False).indices.values()),
        )

    def measure(self, rng: np.random.Generator | None) -> np.ndarray:
        """Values of shape (metrics, predictors), of all steps or of redrawn episodes."""
        rows = np.arange(len(self.score))
        if rng is not None:
            chosen = rng.integers(len(self.episodes), size=len(self.episodes))
            rows = np.concatenate([self.episodes[i] for i in chosen])
        drawn = [column[rows] for column in self.columns.values()]
        score, is_success = self.score[rows], self.is_success[rows]
        return np.array(
            [[spearman(c, score) for c in drawn], [success_auc(c, is_success) for c in drawn]]
        )


def relation(
    predictions: pd.DataFrame,
    predictors: Sequence[str] = PREDICTORS,
    *,
    contrasts: Iterable[tuple[str, str]] = (),
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How predictions go with what the episodes scored, with 95 % intervals.

    Parameters
    ----------
    predictions : from `rememberer_nb.analysis.diagnosis`. With a column `part`, each part is
        measured by itself and the values are averaged, weighted by the parts' numbers of steps.
    contrasts : pairs of predictors whose difference gets a row too, "one − other".

    Returns
    -------
    DataFrame
        A row per metric ("spearman" with the score, "auc" for success) and predictor or contrast:
        predictor, metric, value, low, high, chance (what a constant gives: 0 and 0.5; 0 for a
        difference), is_clear (the interval excludes chance). Episodes are drawn with replacement
        within their part, the same ones for every row. NaN where no part has both outcomes.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({
    ...     "episode_id": list("aabbccdd"), "score": [0.0, 0, 0, 0, 1, 1, 1, 1],
    ...     "is_success": [False] * 4 + [True] * 4, "record": [0.1, 0.2, 0, 0.3, 0.4, 0.9, 1, 0.8],
    ... })
    >>> relation(frame, ["record"])[["metric", "value"]].values.tolist()[1]
    ['auc', 1.0]
    """
    import pandas as pd

    if predictions.empty:
        raise ConfigError("no predictions: there is nothing to relate")
    frames = [f for _, f in predictions.groupby("part")] if "part" in predictions else [predictions]
    parts = [_Part.of(frame.reset_index(drop=True), predictors) for frame in frames]
    rng = np.random.default_rng(seed)
    value = _average(parts, None)
    samples = np.array([_average(parts, rng) for _ in range(n_resamples)])
    place = {name: i for i, name in enumerate(predictors)}
    rows = []
    for i, metric in enumerate(METRICS):
        named = {name: (value[i, j], samples[:, i, j]) for name, j in place.items()}
        for one, other in contrasts:
            j, k = place[one], place[other]
            gap = value[i, j] - value[i, k]
            named[f"{one} − {other}"] = (gap, samples[:, i, j] - samples[:, i, k])
        for name, (point, drawn) in named.items():
            chance = _CHANCE[metric] if name in place else 0.0
            rows.append((name, metric, float(point), *_interval(drawn), chance))
    frame = pd.DataFrame(rows, columns=["predictor", "metric", "value", "low", "high", "chance"])
    return frame.assign(
        is_clear=(frame["low"] > frame["chance"]) | (frame["high"] < frame["chance"])
    )


def score_by_bin(
    predictions: pd.DataFrame, predictor: str = "record", n_bins: int = 5
) -> pd.DataFrame:
    """What episodes scored where a value in [0, 1] was predicted, in bins of equal width.

    Returns
    -------
    DataFrame
        A row per bin that holds a step: low_edge, high_edge, mean (of the score over steps), low
        and high (95 % interval over the bin's episodes), n_steps, n_episodes.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"episode_id": list("aab"), "score": [1, 1, 0], "record": [1, 1, 0]})
    >>> score_by_bin(frame, n_bins=2)[["low_edge", "mean", "n_episodes"]].values.tolist()
    [[0.0, 0.0, 1.0], [0.5, 1.0, 1.0]]
    """
    import pandas as pd

    values = predictions[predictor].to_numpy(dtype=float)
    number = np.clip((values * n_bins).astype(int), 0, n_bins - 1)
    rows = []
    for i, steps in predictions.groupby(number):
        episodes = steps.groupby("episode_id", sort=False)["score"].agg(["sum", "count"])
        drawn = np.random.default_rng(0).integers(len(episodes), size=(1000, len(episodes)))
        total, count = (episodes[name].to_numpy()[drawn].sum(axis=1) for name in ("sum", "count"))
        interval = _interval(total / count)
        edges = (i / n_bins, (i + 1) / n_bins)
        rows.append((*edges, steps["score"].mean(), *interval, len(steps), len(episodes)))
    columns = ["low_edge", "high_edge", "mean", "low", "high", "n_steps", "n_episodes"]
    return pd.DataFrame(rows, columns=columns)


def _average(parts: Sequence[_Part], rng: np.random.Generator | None) -> np.ndarray:
    """Mean over the parts that have a value, weighted by steps; shape (metrics, predictors)."""
    values = np.array([part.measure(rng) for part in parts])
    weights = np.array([len(part.score) for part in parts], dtype=float)[:, None, None]
    held = np.where(np.isnan(values), 0.0, weights)
    total = held.sum(axis=0)
    mean = (np.nan_to_num(values) * held).sum(axis=0) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, mean, np.nan)


def _interval(samples: np.ndarray) -> tuple[float, float]:
    held = samples[~np.isnan(samples)]
    if not len(held):
        return float("nan"), float("nan")
    low, high = np.quantile(held, [0.025, 0.975])
    return float(low), float(high)
