"""What is in a memory learnt from logs, and what its values say of episodes it has not seen.

near duplicate     two records whose total similarity λ f_g + (1 − λ) f_o reaches a threshold
contradiction      a wide gap between values of the same action: between two near duplicates, or
                   between the targets that one and the same value was updated with

How well the predictions go with the scores is measured in `rememberer_nb.analysis.calibration`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from rememberer_nb.config import RetrievalConfig, RlemConfig
from rememberer_nb.elements import Episode, Hit, Record, Step, unique
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval import TfidfSimilarity
from rememberer_nb.rlem import learn_episode

if TYPE_CHECKING:
    import pandas as pd

_PAIR_COLUMNS = (
    "first", "second", "total", "task_similarity", "observation_similarity", "is_same_task",
)  # fmt: skip
_CONTRADICTION_COLUMNS = (
    "kind", "first", "second", "action", "low", "high", "gap", "total", "is_same_task",
)  # fmt: skip
_SMALL = 1e-12


def learn_memory(
    episodes: Iterable[Episode],
    *,
    rlem: RlemConfig | None = None,
    retrieval: RetrievalConfig | None = None,
) -> ExperienceMemory:
    """A memory in RAM that has learnt from the episodes, once each, in order.

    >>> learn_memory([])
    <ExperienceMemory: 0 records, 0 updates>
    """
    memory = ExperienceMemory(retrieval)
    for episode in episodes:
        learn_episode(
            memory,
            episode.task.text,
            episode.transitions(),
            episode_id=episode.episode_id,
            config=rlem,
        )
    memory.refresh()
    return memory


def near_duplicates(
    memory: ExperienceMemory, min_similarity: float = 0.9, task_weight: float | None = None
) -> pd.DataFrame:
    """Pairs of records that retrieval can hardly tell apart.

    Returns
    -------
    DataFrame
        A row per pair with total at least `min_similarity`, the most similar first: first and
        second (record ids, the smaller one first), total, task_similarity,
        observation_similarity, is_same_task. Scores are those of the first as the query.

    Examples
    --------
    >>> memory = ExperienceMemory()
    >>> for page in ("red lamp", "red lamp", "blue shoe"):
    ...     _ = memory.insert(f"task {len(memory)}", page)
    >>> memory.refresh()
    >>> near_duplicates(memory, 0.7)[["first", "second", "is_same_task"]].values.tolist()
    [[0, 1, False]]
    """
    import pandas as pd

    rows = [
        (
            record.record_id, hit.record.record_id, hit.total, hit.task_similarity,
            hit.observation_similarity, record.task == hit.record.task,
        )
        for record, hit in _near_pairs(memory, min_similarity, task_weight)
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(_PAIR_COLUMNS))
    return frame.sort_values(
        ["total", "first", "second"], ascending=[False, True, True], ignore_index=True
    )


def nearest_others(memory: ExperienceMemory) -> pd.DataFrame:
    """How near each record's nearest neighbours are.

    Returns
    -------
    DataFrame
        A row per record: record_id, any (total of the most similar other record) and other_task
        (of the most similar record of another task); NaN where there is none.
    """
    import pandas as pd

    rows = []
    for record in memory:
        nearest, foreign = np.nan, np.nan
        for hit in memory.retrieve(record.task, record.observation, 16):
            if hit.record.record_id != record.record_id and np.isnan(nearest):
                nearest = hit.total
            if hit.record.task != record.task:
                foreign = hit.total
                break
        rows.append((record.record_id, nearest, foreign))
    return pd.DataFrame(rows, columns=["record_id", "any", "other_task"])


def contradictions(
    memory: ExperienceMemory,
    min_similarity: float = 0.9,
    min_gap: float = 0.5,
    task_weight: float | None = None,
) -> pd.DataFrame:
    """The same action with very different values, at the same place or at nearly the same one.

    Returns
    -------
    DataFrame
        A row each, the widest gap first. `kind` is "neighbours": an action of two records with a
        total of at least `min_similarity`, low and high are its q values there; or "repeated": one
        action value whose logged targets differ, low and high are the extreme targets, and second
        equals first. Other columns: first, second (record ids), action, gap, total (1 for
        repeated), is_same_task.

    Examples
    --------
    >>> from rememberer_nb.elements import Transition
    >>> memory = ExperienceMemory()
    >>> for reward in (1.0, 0.0):
    ...     step = Transition("page", "click[buy now]", reward, "end", terminated=True)
    ...     _ = learn_episode(memory, "a lamp", [step])
    >>> contradictions(memory)[["kind", "low", "high"]].values.tolist()
    [['repeated', 0.0, 1.0]]
    """
    import pandas as pd

    rows = [*_repeated(memory), *_between(memory, min_similarity, task_weight)]
    frame = pd.DataFrame(
        [row for row in rows if row[6] >= min_gap - _SMALL], columns=list(_CONTRADICTION_COLUMNS)
    )
    return frame.sort_values(
        ["gap", "first", "second", "action"],
        ascending=[False, True, True, True],
        ignore_index=True,
    )


def _near_pairs(
    memory: ExperienceMemory, min_similarity: float, task_weight: float | None
) -> Iterator[tuple[Record, Hit]]:
    for record in memory:
        hits = memory.retrieve(record.task, record.observation, 16, task_weight)
        for hit in takewhile(lambda h: h.total >= min_similarity - _SMALL, hits):
            if hit.record.record_id > record.record_id:
                yield record, hit


def _repeated(memory: ExperienceMemory) -> Iterator[tuple[Any, ...]]:
    targets: dict[tuple[int, str], list[float]] = {}
    for update in memory.updates():
        targets.setdefault((update.record_id, update.action), []).append(update.target)
    for (record_id, action), made in targets.items():
        low, high = min(made), max(made)
        yield "repeated", record_id, record_id, action, low, high, high - low, 1.0, True


def _between(
    memory: ExperienceMemory, min_similarity: float, task_weight: float | None
) -> Iterator[tuple[Any, ...]]:
    for record, hit in _near_pairs(memory, min_similarity, task_weight):
        other, is_same_task = hit.record, record.task == hit.record.task
        for value in record.action_values:
            twin = other.value_of(value.action)
            if twin is not None:
                low, high = sorted((value.q_value, twin.q_value))
                ids = (record.record_id, other.record_id)
                gap = high - low
                yield "neighbours", *ids, value.action, low, high, gap, hit.total, is_same_task


def split_episodes(
    episodes: Sequence[Episode], n_parts: int, rng: np.random.Generator
) -> tuple[tuple[Episode, ...], ...]:
    """Parts of nearly equal numbers of tasks; attempts at one task stay together.

    An episode is thus never judged by a memory that has seen another attempt at its task.

    >>> from rememberer_nb.elements import Task
    >>> logged = [Episode(f"e{i}", "env", "a", Task("", f"g{i // 2}"), (), "") for i in range(6)]
    >>> parts = split_episodes(logged, 3, np.random.default_rng(0))
    >>> sorted(tuple(episode.episode_id for episode in part) for part in parts)
    [('e0', 'e1'), ('e2', 'e3'), ('e4', 'e5')]
    """
    tasks = unique(episode.task.text for episode in episodes)
    if not 2 <= n_parts <= len(tasks):
        raise ConfigError(f"n_parts must be in [2, {len(tasks)}] (tasks), got {n_parts!r}")
    part_of = {tasks[j]: i % n_parts for i, j in enumerate(rng.permutation(len(tasks)).tolist())}
    return tuple(
        tuple(e for e in episodes if part_of[e.task.text] == part) for part in range(n_parts)
    )


def crossed_predictions(
    parts: Sequence[Sequence[Episode]], *, rlem: RlemConfig | None = None
) -> pd.DataFrame:
    """`holdout_predictions` of each part in turn, from all the others; column `part` says which.

    `rlem` sets how the memories learn.

    >>> crossed_predictions([])
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: expected two parts or more, got 0
    """
    import pandas as pd

    if len(parts) < 2:
        raise ConfigError(f"expected two parts or more, got {len(parts)}")
    frames = []
    for number, part in enumerate(parts):
        training = [e for other in parts if other is not part for e in other]
        memory = learn_memory(training, rlem=rlem)
        frames.append(holdout_predictions(training, part, memory=memory).assign(part=number))
    return pd.concat(frames, ignore_index=True)


def holdout_predictions(
    training: Sequence[Episode],
    held_out: Sequence[Episode],
    *,
    memory: ExperienceMemory | None = None,
) -> pd.DataFrame:
    """What the training episodes say of each held-out step, beside what the episode scored.

    Parameters
    ----------
    memory : learnt from `training`; by default `learn_memory(training)`.

    Returns
    -------
    DataFrame
        A row per step of `held_out`: episode_id, step, page_type, action, score (the episode's
        total reward), is_success, similarity (total of the best hit), is_action_known, and the
        predictions of the score:

        - record: at the most similar record, the q value of the action taken, or that of its best
          action if it does not know this one;
        - neighbour: the return of the logged step most alike in the words of task, observation
          and action together (tf-idf; no memory, no λ, no learning; ties: the first);
        - page_rate: the mean score over training steps on this type of page;
        - base_rate: the mean score of the training episodes.

    Examples
    --------
    >>> from rememberer_nb.elements import Decision, Step, Task
    >>> def bought(name, page, reward):
    ...     step = Step(0, page, (), "item", Decision("buy"), reward, terminated=True)
    ...     return Episode(name, "env", "a", Task(name, name), (step,), "", reward == 1)
    >>> logged = [bought("red lamp", "lamp page", 1.0), bought("blue shoe", "shoe page", 0.0)]
    >>> frame = holdout_predictions(logged, [bought("green lamp", "lamp page", 1.0)])
    >>> frame[["score", "record", "neighbour", "page_rate", "base_rate"]].values.tolist()
    [[1.0, 1.0, 1.0, 0.5, 0.5]]
    """
    import pandas as pd

    steps = [(episode, step) for episode in training for step in episode.steps]
    if not steps:
        raise ConfigError("no training steps: there is nothing to predict from")
    memory = learn_memory(training) if memory is None else memory
    nearest = _NearestStep(steps)
    page_rates = _page_rates(steps)
    base_rate = float(np.mean([episode.total_reward for episode in training]))
    rows = []
    for episode in held_out:
        for step in episode.steps:
            hit = next(memory.retrieve(episode.task.text, step.observation, 1))
            known = hit.record.value_of(step.action)
            rows.append(
                {
                    "episode_id": episode.episode_id,
                    "step": step.index,
                    "page_type": step.page_type,
                    "action": step.action,
                    "score": episode.total_reward,
                    "is_success": episode.is_success,
                    "similarity": hit.total,
                    "is_action_known": known is not None,
                    "record": hit.record.max_q if known is None else known.q_value,
                    "neighbour": nearest.predict(episode, step),
                    "page_rate": page_rates.get(step.page_type, base_rate),
                    "base_rate": base_rate,
                }
            )
    return pd.DataFrame(rows)


class _NearestStep:
    """Returns of logged steps, looked up by the words of (task, observation, action)."""

    def __init__(self, steps: Sequence[tuple[Episode, Step]]):
        self._similarity = TfidfSimilarity()
        for slot, (episode, step) in enumerate(steps):
            self._similarity.put(slot, self._text(episode, step))
        self._similarity.refresh()
        self._returns = [sum(e.rewards[step.index :]) for e, step in steps]

    def predict(self, episode: Episode, step: Step) -> float:
        """The return of the most similar step."""
        scores = self._similarity.scores(self._text(episode, step))
        return float(self._returns[int(np.argmax(scores))])

    @staticmethod
    def _text(episode: Episode, step: Step) -> str:
        return f"{episode.task.text}\n{step.observation}\n{step.action}"


def _page_rates(steps: Sequence[tuple[Episode, Step]]) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for episode, step in steps:
        scores.setdefault(step.page_type, []).append(episode.total_reward)
    return {kind: float(np.mean(held)) for kind, held in scores.items()}
