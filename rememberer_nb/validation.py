"""Does the similarity rank states as it should? Labelled pairs of shop states, and their scores.

A state is a (task, page) that a scripted shopper really met. Two rules label a pair of states of
different tasks, and neither reads the words that the similarities compare:

    page    same: the two pages are of one kind (results and results)
    task    same kind: both tasks' products answer one of the shop's queries ("women's leggings");
            same department: fashion and fashion; other department: fashion and grocery

Pairs of one kind of page and one kind of task are those that should help each other most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rememberer_nb.config import RetrievalConfig
from rememberer_nb.elements import Task
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rollout import TextEnv, run_episode
from rememberer_nb.shoppers import FirstHitShopper

if TYPE_CHECKING:
    import pandas as pd

GROUPS = (
    "same page, same kind of task",
    "same page, same department",
    "same page, other department",
    "other page, same kind of task",
    "other page, other department",
)


@dataclass(frozen=True, slots=True)
class State:
    """A task and a page of it; `kind` and `department` are the shop's own words for the goal."""

    task: Task
    observation: str
    page_type: str
    kind: str
    department: str


def shop_states(env: TextEnv, tasks: Iterable[int]) -> tuple[State, ...]:
    """The pages that a first-hit shopper meets: a search, a results and an item page per task.

    >>> from rememberer_nb import make_env
    >>> [state.page_type for state in shop_states(make_env("webshop"), [120])]
    ['search', 'results', 'item']
    """
    goals = env.unwrapped.engine.shop.goals  # type: ignore[attr-defined]
    states = []
    for number in tasks:
        episode = run_episode(env, FirstHitShopper(), number)
        goal = goals[number]
        states += [
            State(episode.task, step.observation, step.page_type, goal.query, goal.category)
            for step in episode.steps
        ]
    return tuple(states)


def pair_group(one: State, other: State) -> str | None:
    """Which of `GROUPS` a pair belongs to; None for pairs of one task, or in between.

    >>> lamp = State(Task("0", "a lamp"), "o", "results", "lamps", "garden")
    >>> shoe = State(Task("1", "a shoe"), "p", "item", "shoes", "fashion")
    >>> pair_group(lamp, shoe), pair_group(lamp, lamp)
    ('other page, other department', None)
    """
    if one.task == other.task:
        return None
    page = "same page" if one.page_type == other.page_type else "other page"
    if one.kind == other.kind:
        task = "same kind of task"
    else:
        is_near = one.department == other.department
        task = "same department" if is_near else "other department"
    group = f"{page}, {task}"
    return group if group in GROUPS else None


def scored_pairs(
    states: Sequence[State], similarity: str = "tfidf", task_weight: float = 0.5
) -> pd.DataFrame:
    """Every labelled pair with its scores, from a memory that holds all states.

    Parameters
    ----------
    similarity : name of the similarity, for tasks and observations alike.
    task_weight : λ in [0, 1].

    Returns
    -------
    DataFrame
        A row per labelled pair of states i < j: first, second (places in `states`), group,
        task_similarity, observation_similarity, total.
    """
    import pandas as pd

    memory, place = _hold(states, similarity, task_weight)
    rows: list[dict[str, Any]] = []
    for i, state in enumerate(states):
        for hit in memory.retrieve(state.task.text, state.observation, len(states)):
            j = place[hit.record.record_id]
            group = pair_group(state, states[j])
            if i < j and group is not None:
                rows.append(
                    {
                        "first": i,
                        "second": j,
                        "group": group,
                        "task_similarity": hit.task_similarity,
                        "observation_similarity": hit.observation_similarity,
                        "total": hit.total,
                    }
                )
    frame = pd.DataFrame(rows).sort_values(["first", "second"], ignore_index=True)
    return frame.astype({"group": pd.CategoricalDtype(GROUPS, ordered=True)})


def nearest_others(
    states: Sequence[State], similarity: str = "tfidf", task_weight: float = 0.5
) -> pd.DataFrame:
    """What each state would be shown first, its own task's pages aside.

    Returns
    -------
    DataFrame
        A row per state: total of the best hit of another task, is_same_page, is_same_kind,
        is_same_department; the mean of a column is the share of states.
    """
    import pandas as pd

    memory, place = _hold(states, similarity, task_weight)
    rows = []
    for state in states:
        hits = memory.retrieve(state.task.text, state.observation, 8)
        hit = next((h for h in hits if h.record.task != state.task.text), None)
        if hit is None:
            raise ConfigError("nearest_others needs the states of two tasks or more")
        other = states[place[hit.record.record_id]]
        rows.append(
            {
                "total": hit.total,
                "is_same_page": other.page_type == state.page_type,
                "is_same_kind": other.kind == state.kind,
                "is_same_department": other.department == state.department,
            }
        )
    return pd.DataFrame(rows)


def _hold(
    states: Sequence[State], similarity: str, task_weight: float
) -> tuple[ExperienceMemory, dict[int, int]]:
    """A memory of all states, fitted on them, and record id -> place in `states`."""
    config = RetrievalConfig(
        task_similarity=similarity, observation_similarity=similarity, task_weight=task_weight
    )
    memory = ExperienceMemory(config)
    place = {memory.insert(s.task.text, s.observation): i for i, s in enumerate(states)}
    memory.refresh()
    return memory, place


def auc(similar: Sequence[float], dissimilar: Sequence[float]) -> float:
    """How often a similar pair scores above a dissimilar one; ties count half.

    The area under the ROC curve: 1 is perfect order, 0.5 is chance.

    >>> auc([0.9, 0.5], [0.5, 0.1])
    0.875
    """
    if not len(similar) or not len(dissimilar):
        raise ConfigError("auc needs at least one similar and one dissimilar pair")
    high, low = np.asarray(similar, dtype=float), np.sort(np.asarray(dissimilar, dtype=float))
    below = np.searchsorted(low, high, side="left")
    up_to = np.searchsorted(low, high, side="right")
    return float((below + up_to).mean() / (2 * len(low)))


def auc_table(pairs: pd.DataFrame, score: str = "total") -> dict[str, float]:
    """The first of `GROUPS` against each of the others, and against all of them together.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"group": [GROUPS[0], GROUPS[4]], "total": [0.8, 0.1]})
    >>> auc_table(frame)
    {'other page, other department': 1.0, 'all others': 1.0}
    """
    scores = {group: pairs.loc[pairs["group"] == group, score].to_numpy() for group in GROUPS}
    similar = scores[GROUPS[0]]
    table = {group: auc(similar, scores[group]) for group in GROUPS[1:] if len(scores[group])}
    rest = np.concatenate([scores[group] for group in GROUPS[1:]])
    return {**table, "all others": auc(similar, rest)}
