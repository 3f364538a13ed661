"""Tasks of an environment by number, by id, and as named sets."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping, Sequence

from rememberer_nb.elements import Task, unique
from rememberer_nb.envs.registry import DEFAULT_ENV, find_env
from rememberer_nb.errors import ConfigError, TaskError, shown

_RANGE = re.compile(r"([0-9]{1,18}):([0-9]{1,18})")
_NUMBER = re.compile(r"-?[0-9]{1,18}")


def _check(number: int, n_tasks: int) -> int:
    if not 0 <= number < n_tasks:
        there_are = f"there are tasks 0 to {n_tasks - 1}" if n_tasks else "there are no tasks"
        raise TaskError(f"no task {number}: {there_are}")
    return number


def task_sets(env: str = DEFAULT_ENV) -> Mapping[str, Sequence[int]]:
    """The named task sets of an environment; none for one that has not named any.

    Raises
    ------
    ConfigError
        No environment has that name.

    >>> task_sets("wikihow")["S0"]
    range(70, 80)
    """
    return find_env(env).task_sets


def development_tasks(env: str = DEFAULT_ENV) -> Sequence[int]:
    """The tasks for looking around: of no named set. Empty for an environment without such.

    >>> development_tasks(), development_tasks("wikihow")
    (range(100, 500), range(90, 200))
    """
    return find_env(env).development


def _numbers(spec: str, sets: Mapping[str, Sequence[int]]) -> Sequence[int]:
    if spec in sets:
        return sets[spec]
    if found := _RANGE.fullmatch(spec):
        return range(int(found[1]), int(found[2]))
    if _NUMBER.fullmatch(spec):
        return (int(spec),)
    return ()


def task_numbers(spec: str, n_tasks: int, env: str = DEFAULT_ENV) -> tuple[int, ...]:
    """The task numbers that a specification names, in its order, each once.

    Parameters
    ----------
    spec : a named set ("test", "S0", "S1"), a half-open range "a:b", a number, or several of these
        with commas.
    n_tasks : how many tasks there are.
    env : the environment whose named sets are meant.

    Raises
    ------
    ConfigError
        The specification cannot be read, or names nothing; or no environment has that name.
    TaskError
        It names a task that does not exist.

    Examples
    --------
    >>> task_numbers("500:503", 700), task_numbers("3,7,12", 20), len(task_numbers("test", 700))
    ((500, 501, 502), (3, 7, 12), 100)
    >>> task_numbers("S0", 200, env="wikihow")[:3]
    (70, 71, 72)
    """
    named_sets = task_sets(env)
    numbers: dict[int, None] = {}
    for part in spec.split(","):
        named = _numbers(part.strip(), named_sets)
        if not named:
            sets = f"one of {', '.join(named_sets)}, " if named_sets else ""
            raise ConfigError(
                f"tasks should be {sets}a range a:b with a < b, or numbers; got {shown(part)}"
            )
        # A range from outside may be too long to be walked through.
        for number in (named[0], named[-1]) if isinstance(named, range) else named:
            _check(number, n_tasks)
        numbers |= dict.fromkeys(named)
    return tuple(numbers)


def find_task(tasks: Sequence[Task], wanted: object) -> Task:
    """The task meant by a number, a number as text, a task id or a `Task`.

    Raises
    ------
    TaskError
        There is no such task; the message names the range.

    Examples
    --------
    >>> tasks = (Task("0", "a lamp", 0), Task("1", "a shoe", 1))
    >>> find_task(tasks, 1) is find_task(tasks, "1")
    True
    """
    if isinstance(wanted, Task):
        wanted = wanted.number
    if isinstance(wanted, str):
        if not _NUMBER.fullmatch(wanted.strip()):
            ids = unique(task.task_id for task in (*tasks[:1], *tasks[-1:]))
            raise TaskError(f"no task {shown(wanted)}: there are tasks {' to '.join(ids)}")
        wanted = int(wanted)
    try:
        number = operator.index(wanted)  # type: ignore[arg-type]
    except TypeError:
        raise TaskError(f"a task is given by its number, got {shown(wanted)}") from None
    return tasks[_check(number, len(tasks))]
