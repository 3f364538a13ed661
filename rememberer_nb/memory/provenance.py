"""Where a value comes from, and where it went: updates, decisions, records, as frames.

`value_history` leads from a Q value back to its rewards (`plots.q_history` draws the same);
`decision_records` from a decision to the records that it was shown; `record_uses` from a record to
the decisions that looked at it, and how they ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rememberer_nb.elements import Episode, Hit, Step
from rememberer_nb.memory import ExperienceMemory

if TYPE_CHECKING:
    import pandas as pd

    from rememberer_nb.memory.history import History

HISTORY_COLUMNS = (
    "update_id", "episode_id", "step", "action", "table", "rewards", "gamma", "bootstrap_value",
    "bootstrap_record_id", "is_stand_in", "bootstrap_sources", "target", "learning_rate",
    "q_before", "q_after", "n_visits",
)  # fmt: skip


def value_history(
    memory: ExperienceMemory, record_id: int, action: str | None = None
) -> pd.DataFrame:
    """Every update of a record's values, or of one action's: a row each, in order.

    Columns: as the fields of `elements.Update`. `rewards` are those summed, `bootstrap_value` is
    the value of record `bootstrap_record_id` at that time (missing: nothing was bootstrapped),
    `learning_rate` is α: q_after = q_before + α · (target − q_before).

    Examples
    --------
    >>> from rememberer_nb.rlem import learn_episode, Transition
    >>> memory = ExperienceMemory()
    >>> for reward in (1.0, 0.0):
    ...     end = Transition("o", "a", reward, "end", terminated=True)
    ...     _ = learn_episode(memory, "g", [end])
    >>> value_history(memory, 0, "a")[["rewards", "learning_rate", "q_after"]].values.tolist()
    [[(1.0,), 1.0, 1.0], [(0.0,), 0.5, 0.5]]
    """
    import pandas as pd

    updates = memory.updates(record_id, action)
    rows = [[getattr(update, name) for name in HISTORY_COLUMNS] for update in updates]
    frame = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    return frame.astype({"bootstrap_record_id": "Int64"})


def decision_records(episode: Episode, step: int | None = None) -> pd.DataFrame:
    """The records that the decisions of an episode looked at, or those of one step's.

    Columns: step, rank, record_id, total, task_similarity, observation_similarity, is_shown (it
    became an exemplar), why_not (if left out), encouraged and discouraged (what its exemplar said),
    action (taken), is_followed (the action was an encouraged one).
    """
    import pandas as pd

    rows = [
        {
            "step": taken.index,
            "rank": hit.rank,
            "record_id": hit.record.record_id,
            "total": hit.total,
            "task_similarity": hit.task_similarity,
            "observation_similarity": hit.observation_similarity,
            **_advice(taken, hit),
        }
        for taken in episode.steps
        if step is None or taken.index == step
        for hit in taken.decision.hits
    ]
    columns = [
        "step", "rank", "record_id", "total", "task_similarity", "observation_similarity",
        "is_shown", "why_not", "encouraged", "discouraged", "action", "is_followed",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def record_uses(memory: ExperienceMemory | History, record_id: int) -> pd.DataFrame:
    """The stored decisions that looked at a record, and how they ended: a row each, in order.

    Columns: episode (number, from 0), episode_id, task, step, rank, total, is_shown, why_not,
    encouraged, discouraged, action, is_followed (see `decision_records`), reward (of that step),
    total_reward and is_success (of the episode).
    """
    import pandas as pd

    held: dict[int, Episode] = {}
    rows = []
    for number, index, rank, total, _ in memory.uses(record_id):
        if number not in held:
            held = {number: memory.episode(number)}
        episode = held[number]
        step = next(step for step in episode.steps if step.index == index)
        hit = next(hit for hit in step.decision.hits if hit.rank == rank)
        rows.append(
            {
                "episode": number - 1,
                "episode_id": episode.episode_id,
                "task": episode.task.text,
                "step": index,
                "rank": rank,
                "total": total,
                **_advice(step, hit),
                "reward": step.reward,
                "total_reward": episode.total_reward,
                "is_success": episode.is_success,
            }
        )
    columns = [
        "episode", "episode_id", "task", "step", "rank", "total", "is_shown", "why_not",
        "encouraged", "discouraged", "action", "is_followed", "reward", "total_reward",
        "is_success",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _advice(step: Step, hit: Hit) -> dict[str, Any]:
    record_id, decision = hit.record.record_id, step.decision
    shown = next((e for e in decision.exemplars if e.record_id == record_id), None)
    left_out = () if decision.prompt is None else decision.prompt.left_out
    why = next((item.why for item in left_out if item.record_id == record_id), "")
    encouraged = () if shown is None else tuple(a.action for a in shown.encouraged)
    return {
        "is_shown": shown is not None,
        "why_not": why,
        "encouraged": encouraged,
        "discouraged": () if shown is None else tuple(a.action for a in shown.discouraged),
        "action": step.action,
        "is_followed": step.action in encouraged,
    }
