"""Checks for notebook 02."""

from __future__ import annotations

from typing import Any

from rememberer_nb.config import CapacityConfig
from rememberer_nb.elements import Transition
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import learn_episode
from rememberer_nb.teaching.exercises import is_close, is_real_number

# Targets in the order in which they come, and the (q, visits) that they leave.
_TARGETS = (
    ((0.6,), (0.6, 1)),
    ((1.0, 0.0), (0.5, 2)),
    ((0.2, 0.8, 0.5), (0.5, 3)),
    ((0.0, 0.0, 0.0, 1.0), (0.25, 4)),
)


def _running_mean(answer: Any) -> str | None:
    if not callable(answer):
        return "a function that takes a list of targets and returns (q, n_visits)"
    for targets, (q_value, n_visits) in _TARGETS:
        found = answer(list(targets))
        if not isinstance(found, tuple | list) or len(found) != 2:
            return "return two numbers: q and the visits"
        if found[1] != n_visits:
            return "every target is one visit"
        if not is_close(found[0], q_value, 1e-9):
            return "α is 1/N with N counted after the visit, so the very first target counts fully"
    return None


def contrast_memory() -> ExperienceMemory:
    """Five records: gaps of 1.0, 0.0 and 0.02 between two actions, one action, three actions.

    >>> [len(record.action_values) for record in contrast_memory()]
    [2, 2, 2, 1, 3]
    """
    memory = ExperienceMemory()
    rows = [("o0", "a", 1.0), ("o0", "b", 0.0), ("o1", "a", 0.4), ("o1", "b", 0.4)]
    rows += [("o2", "a", 0.5), ("o2", "b", 0.52), ("o3", "a", 1.0)]
    rows += [("o4", "a", 0.1), ("o4", "b", 0.9), ("o4", "c", 0.9)]
    for observation, action, reward in rows:
        step = Transition(observation, action, reward, "end", terminated=True)
        learn_episode(memory, "g", [step])
    return memory


def _contrast(answer: Any) -> str | None:
    if not callable(answer):
        return "a function of a frame (memory.to_frame()) that returns a number of records"
    found = answer(contrast_memory().to_frame())
    if not is_real_number(found):
        return f"a number is expected, not {found!r}"
    return {
        2: None,
        4: "two actions are not enough: their values must differ by the margin",
        3: "a gap below the margin does not count (0.05, the margin of the advice)",
        5: "group by record first",
    }.get(int(found), "group the rows by record_id and look at the gap between best and worst")


def tiny_full_memory(eviction: str) -> ExperienceMemory:
    """A memory with room for three records that holds three; see exercise 02.3.

    >>> [record.n_visits for record in tiny_full_memory("oldest")]
    [3, 2, 1]
    """
    memory = ExperienceMemory(capacity=CapacityConfig(max_records=3, eviction=eviction))
    for task, page, n_visits in (
        ("a red lamp", "lamps and shades", 3),
        ("a red lamp, please", "lamps and shades", 2),
        ("walking boots", "shoes of all sizes", 1),
    ):
        for _ in range(n_visits):
            step = Transition(page, "click[x]", 1.0, "end", terminated=True)
            learn_episode(memory, task, [step])
    return memory


def evicted(eviction: str) -> str:
    """The task of the record that the policy gives up when a fourth comes.

    >>> evicted("oldest")
    'a red lamp'
    """
    memory = tiny_full_memory(eviction)
    before = {record.task for record in memory}
    memory.insert("green tea", "tea and coffee")
    return next(iter(before - {record.task for record in memory}))


def _eviction(answer: Any) -> str | None:
    policies = ("oldest", "least_visited", "redundancy")
    if not isinstance(answer, dict) or set(answer) != set(policies):
        return f"a dict with the keys {', '.join(policies)}"
    wrong = [policy for policy in policies if answer[policy] != evicted(policy)]
    if not wrong:
        return None
    hints = {
        "oldest": "which record came in first? Visits do not matter",
        "least_visited": "count the updates of each record",
        "redundancy": "find the two most alike records, then the less visited of the two",
    }
    return f"{wrong[0]}: {hints[wrong[0]]}"


CHECKS = {"02.1": _running_mean, "02.2": _contrast, "02.3": _eviction}
