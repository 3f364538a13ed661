"""Environments by name, and what each brings along: one `EnvSpec` given to one `register_env`.

The bundled environments register themselves this way too. An installed package names its own in
the entry-point group ``rememberer_nb.envs``; it is loaded when its name is first asked for::

    [project.entry-points."rememberer_nb.envs"]
    toy = "toy_shop.registration:SPEC"
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Record
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ConfigError

GROUP = "rememberer_nb.envs"
# What commands and settings mean where none is named.
DEFAULT_ENV = "webshop"
EMPTY = "empty"

# The file of an initial memory, or what returns that file, or the records themselves.
Initial = str | Path | Callable[[], str | Path | Sequence[Record]]


@dataclass(frozen=True, slots=True)
class EnvSpec:
    """One environment, as every command, experiment and notebook finds it.

    What may be given as "module:name" is imported when it is first needed.

    Parameters
    ----------
    name : what it is called on the command line and in `Settings`; its profile has the same name.
    make : `make(**settings)`, or "module:name" of it, builds the environment, without step limit.
    profile : its `Profile`, or "module:name" of it.
    place : what tables of results call it ("bundled shop"); by default the name.
    task_sets : the numbers of named tasks. Training takes "S0" and evaluation "test" by default.
    development : the tasks for looking around: of no named set.
    initial : name -> initial memory; "empty" is there in any case.
    default_initial : which of them a new memory starts from.
    scout : "module:name" of a function env -> (agent, labels), for `analysis.similarities`: who
        walks through a task, and labels(episode) -> (kind, department) of the goal, per step.
    guide : a function (env without wrappers) -> agent that knows the goals and takes the right
        actions, or "module:name" of it, for `analysis.advice`.

    Raises
    ------
    ConfigError
        A name is no text, a task no number, or the default is none of the initial memories.

    Examples
    --------
    >>> spec = EnvSpec("toy", make="toy:Env", profile="toy:PROFILE", task_sets={"S0": [1, 2]})
    >>> spec.place, spec.task_sets["S0"], spec.default_initial
    ('toy', (1, 2), 'empty')
    """

    name: str
    make: str | Callable[..., Any]
    profile: str | Profile
    place: str = ""
    task_sets: Mapping[str, Sequence[int]] = field(default_factory=dict)
    development: Sequence[int] = ()
    initial: Mapping[str, Initial] = field(default_factory=dict)
    default_initial: str = EMPTY
    scout: str = ""
    guide: str | Callable[[Any], Any] = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ConfigError(f"an environment's name must be a non-empty text, got {self.name!r}")
        if self.default_initial not in (*self.initial, EMPTY):
            known = ", ".join((*self.initial, EMPTY))
            raise ConfigError(
                f"environment {self.name!r}: default_initial must be one of {known}, "
                f"got {self.default_initial!r}"
            )
        sets = {name: self._numbers(name, tasks) for name, tasks in self.task_sets.items()}
        object.__setattr__(self, "task_sets", sets)
        object.__setattr__(self, "development", self._numbers("development", self.development))
        object.__setattr__(self, "place", self.place or self.name)

    def _numbers(self, where: str, tasks: Sequence[int]) -> Sequence[int]:
        numbers = tasks if isinstance(tasks, range) else tuple(tasks)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ConfigError(
                f"environment {self.name!r}: {where} must be task numbers from 0 on, got {tasks!r}"
            )
        return numbers

    def load(self, part: str) -> Any:
        """The part of that name ("make", "profile", ...), imported if "module:name" was given.

        Raises
        ------
        ConfigError
            There is no such module, or nothing of that name in it.
        """
        value = getattr(self, part)
        if not isinstance(value, str):
            return value
        module, _, name = value.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(f"environment {self.name!r}: {part} {value!r}: {error}") from error


_SPECS: dict[str, EnvSpec] = {}


def register_env(spec: EnvSpec) -> None:
    """Make an environment known by its name; nothing of it is imported yet."""
    _SPECS[spec.name] = spec


def find_env(name: str) -> EnvSpec:
    """What is registered under a name, here or by an installed package.

    Raises
    ------
    ConfigError
        No environment has that name (the message lists those there are), or its package does not
        give an `EnvSpec` of that name.
    """
    if name in _SPECS:
        return _SPECS[name]
    installed = {point.name: point for point in entry_points(group=GROUP)}
    if name not in installed:
        known = ", ".join(sorted({*_SPECS, *installed}))
        raise ConfigError(f"no environment is named {name!r:.80}; known: {known}")
    register_env(_loaded(installed[name]))
    return _SPECS[name]


def _loaded(point: EntryPoint) -> EnvSpec:
    try:
        spec = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"environment {point.name!r} ({point.value}): {error}") from error
    if not isinstance(spec, EnvSpec) or spec.name != point.name:
        raise ConfigError(
            f"environment {point.name!r} ({point.value}): expected an EnvSpec of that name, "
            f"found {spec!r:.80}"
        )
    return spec


def get_profile(name: str) -> Profile:
    """The profile of the environment of that name; a `ConfigError` lists the names there are."""
    return find_env(name).load("profile")  # type: ignore[no-any-return]
