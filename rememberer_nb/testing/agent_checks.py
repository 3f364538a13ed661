"""Does an agent keep what `agents.interface.Agent` promises?"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rememberer_nb.agents.interface import Agent
from rememberer_nb.agents.telling import describe_agent
from rememberer_nb.config import RlemConfig
from rememberer_nb.elements import Decision, Situation, StepRandom
from rememberer_nb.envs.profile import Profile, TextEnv, profile_of
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.system.plain import plain
from rememberer_nb.testing.checks import changed, expect, is_one_line, run_checks

# Situations are met on the agent's own way through a task, this many at most.
N_STEPS = 6
Make = Callable[[], Agent]


def check_agent(make: Make, env: TextEnv, tasks: Sequence[int] = (0,)) -> tuple[str, ...]:
    """Check an agent on the situations that it gets itself into.

    Parameters
    ----------
    make : makes it anew, with a memory of its own if it has one.
    env : the environment that it acts in, with its step limit.
    tasks : the tasks begun there; no test tasks, if these are to stay unseen.

    Returns
    -------
    tuple of str
        The names of the checks.

    Raises
    ------
    CheckError
        Names the check, what was expected and what was found.

    Examples
    --------
    >>> from rememberer_nb import RandomAgent, get_profile, make_env
    >>> make = lambda: RandomAgent(get_profile("webshop"))
    >>> check_agent(make, make_env("webshop"), tasks=[100])[:2]
    ('attributes', 'description')
    """
    checks = (
        attributes, description, decisions, same_again, no_global_randomness, memory_is_only_read,
    )  # fmt: skip

    def situations() -> list[Situation]:
        agent = make()
        return [situation for task in tasks for situation in _met(agent, env, task)]

    return run_checks("check_agent", checks, make, situations, profile_of(env))


def _random(seed: int) -> StepRandom:
    return StepRandom(seed, np.random.default_rng(seed))


def _met(agent: Agent, env: TextEnv, task: int) -> list[Situation]:
    episode = run_episode(env, agent, task)
    actions = tuple(step.action for step in episode.steps)
    return [
        Situation(
            episode.task, step.observation, step.available_actions, actions[:i], episode.steps[:i]
        )
        for i, step in enumerate(episode.steps[:N_STEPS])
    ]


def _seen(decision: Decision) -> dict[str, Any]:
    """What of a decision must come out the same again: all but the time that it took."""
    return {
        "action": decision.action,
        "rationale": decision.rationale,
        "error": decision.error,
        "prompt": None if decision.prompt is None else decision.prompt.text,
        "exemplars": decision.exemplars,
    }


Situations = Callable[[], list[Situation]]


def attributes(make: Make, situations: Situations, profile: Profile) -> None:
    """A name, RLEM settings, and a memory to retrieve from or None."""
    agent = make()
    expect(is_one_line(agent.name), "a name on one line", agent.name)
    expect(isinstance(agent.rlem, RlemConfig), "rlem to be an RlemConfig", agent.rlem)
    is_memory = agent.memory is None or hasattr(agent.memory, "retrieve")
    expect(is_memory, "a memory that can retrieve, or None", agent.memory)


def description(make: Make, situations: Situations, profile: Profile) -> None:
    """`describe()` gives plain values, its name among them, that decisions do not change."""
    agent = make()
    before = describe_agent(agent)
    expect(before.get("name") == agent.name, f"the name {agent.name!r} in it", before.get("name"))
    differing = changed(before, describe_agent(make()))
    expect(not differing, "equal descriptions of two instances", differing)
    for situation in situations():
        agent.decide(situation, _random(1))
    differing = changed(before, describe_agent(agent))
    expect(not differing, "a description that decisions do not change", differing)


def decisions(make: Make, situations: Situations, profile: Profile) -> None:
    """An available action each time; where none could be found, `error` says why."""
    agent = make()
    for situation in situations():
        decision = agent.decide(situation, _random(2))
        expect(isinstance(decision, Decision), "a Decision", decision)
        is_known = profile.match(decision.action, situation.available_actions) is not None
        is_fine = is_known or decision.error is not None
        expect(is_fine, f"one of {situation.available_actions}, or an error", decision.action)


def same_again(make: Make, situations: Situations, profile: Profile) -> None:
    """The same situation and randomness give the same decision, of another instance too."""
    agent, other = make(), make()
    for number, situation in enumerate(situations()):
        first = _seen(agent.decide(situation, _random(number)))
        for which in (agent, other):
            again = _seen(which.decide(situation, _random(number)))
            differing = changed(first, again)
            expect(not differing, "the same decision again", f"another {differing}")


def no_global_randomness(make: Make, situations: Situations, profile: Profile) -> None:
    """Neither reads nor moves the generators of `random` and `numpy.random`."""
    agent, met = make(), situations()
    kept = random.getstate(), np.random.get_state()
    try:
        found = []
        for seed in (1, 2):
            random.seed(seed)
            np.random.seed(seed)
            before = _global_state()
            found.append([_seen(agent.decide(situation, _random(3))) for situation in met])
            expect(before == _global_state(), "global generators left alone", "draws from them")
        expect(found[0] == found[1], "decisions without global randomness", "others")
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])


def _global_state() -> tuple[object, object]:
    keys: Any = np.random.get_state()[1]  # type: ignore[index]
    return random.getstate(), keys.tolist()


def memory_is_only_read(make: Make, situations: Situations, profile: Profile) -> None:
    """Deciding does not change the memory; learning is the loop's."""
    agent, met = make(), situations()
    memory: Any = agent.memory
    if memory is None:
        return
    before = _held(memory)
    for situation in met:
        agent.decide(situation, _random(4))
    expect(_held(memory) == before, "the memory as it was", "another")


def _held(memory: Any) -> Any:
    """The records of a memory that can be walked through, and its count of updates."""
    records = plain(list(memory)) if hasattr(memory, "__iter__") else None
    return records, getattr(memory, "n_updates", None)
