"""Does the similarity rank states as it should? Labelled pairs of states, and their scores.

A state is a (task, page) that a scripted agent really met. Two rules label a pair of states of
different tasks, and neither reads the words that the similarities compare:

    page    same: the two pages are of one kind (results and results)
    task    same kind: both tasks' products answer one of the shop's queries ("women's leggings"),
            or both screens' instructions want the same kind of thing (an author's page);
            same department: fashion and fashion; other department: fashion and grocery (on the
            how-to site: the category of the task's first article)

Pairs of one kind of page and one kind of task are those that should help each other most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rememberer_nb.config import RetrievalConfig
from rememberer_nb.elements import Task
from rememberer_nb.envs.profile import TextEnv, profile_of
from rememberer_nb.envs.registry import find_env
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval import make_similarity

if TYPE_CHECKING:
    import pandas as pd

# One name for both parts, or (f_g, f_o).
Names = str | tuple[str, str]

GROUPS = (
    "same page, same kind of task",
    "same page, same department",
    "same page, other department",
    "other page, same kind of task",
    "other page, other department",
)


@dataclass(frozen=True, slots=True)
class State:
    """A task and a page of it; `kind` and `department` are the environment's words for the goal."""

    task: Task
    observation: str
    page_type: str
    kind: str
    department: str


def env_states(env: TextEnv, tasks: Iterable[int]) -> tuple[State, ...]:
    """The pages that the environment's scout meets on its way through tasks.

    Raises
    ------
    ConfigError
        The environment has brought no scout (`envs.registry.EnvSpec`).

    Examples
    --------
    >>> from rememberer_nb import make_env
    >>> [state.page_type for state in env_states(make_env("webshop"), [120])]
    ['search', 'results', 'item']
    >>> [(s.page_type, s.kind) for s in env_states(make_env("wikihow"), [94])]
    [('start', 'search'), ('results', 'article'), ('article', 'author')]
    """
    spec = find_env(profile_of(env).name)
    if not spec.scout:
        raise ConfigError(f"nothing labels the states of {spec.name!r}: it has no scout")
    agent, labels = spec.load("scout")(env)
    states = []
    for number in tasks:
        episode = run_episode(env, agent, number)
        states += [
            State(episode.task, step.observation, step.page_type, kind, department)
            for step, (kind, department) in zip(episode.steps, labels(episode), strict=True)
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
    states: Sequence[State], similarity: Names = "tfidf", task_weight: float = 0.5
) -> pd.DataFrame:
    """Every labelled pair with its scores, from a memory that holds all states.

    Parameters
    ----------
    similarity : name of the similarity, for tasks and observations alike, or (f_g, f_o).
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


def nearest_states(
    states: Sequence[State], similarity: Names = "tfidf", task_weight: float = 0.5
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
    states: Sequence[State], similarity: Names, task_weight: float
) -> tuple[ExperienceMemory, dict[int, int]]:
    """A memory of all states, fitted on them, and record id -> place in `states`."""
    f_g, f_o = (similarity, similarity) if isinstance(similarity, str) else similarity
    config = RetrievalConfig(
        task_similarity=f_g, observation_similarity=f_o, task_weight=task_weight
    )
    memory = ExperienceMemory(config)
    place = {memory.insert(s.task.text, s.observation): i for i, s in enumerate(states)}
    memory.refresh()
    return memory, place


def similarity_table(texts: Sequence[str], similarity: str) -> np.ndarray:
    """How alike texts are, each with each.

    Returns
    -------
    ndarray of shape (n_texts, n_texts)
        Row i: the scores of text i as a query.

    >>> similarity_table(["a red lamp", "a lamp"], "jaccard").round(2).tolist()
    [[1.0, 0.67], [0.67, 1.0]]
    """
    scorer = make_similarity(similarity)
    for slot, text in enumerate(texts):
        scorer.put(slot, text)
    scorer.refresh()
    return np.array([scorer.scores(text) for text in texts]).reshape(len(texts), len(texts))


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
