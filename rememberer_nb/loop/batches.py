"""Episodes collected several at once with the memory frozen, and learnt from in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any

from rememberer_nb.agents.interface import Agent
from rememberer_nb.elements import Episode
from rememberer_nb.envs.profile import TextEnv
from rememberer_nb.loop.episode import Attempt, memory_of, play
from rememberer_nb.loop.parallel import Slots, run_jobs
from rememberer_nb.rlem import learn_episode


def collect(
    env: TextEnv, agent: Agent, attempts: Sequence[Attempt], slots: Slots
) -> Generator[tuple[int, Episode], None, None]:
    """Episodes without learning, as they are finished, with the numbers of their attempts."""
    envs = slots.environments(env, len(attempts))
    if len(envs) == 1:
        return ((number, play(env, agent, attempt)) for number, attempt in enumerate(attempts))
    return run_jobs(attempts, play, envs, agent)


def train_batch(
    env: TextEnv,
    agent: Agent,
    batch: Sequence[Attempt],
    slots: Slots,
    keep: Callable[[Sequence[Episode]], None],
    bar: Any,
) -> None:
    """Collect a batch, then learn from it in order; if it is cut short, from what is finished."""
    found: dict[int, Episode] = {}
    try:
        with closing(collect(env, agent, batch, slots)) as finished:
            for number, episode in finished:
                found[number] = episode
                bar.update()
    finally:
        if found:
            keep([_learn(found[number], agent, batch[number]) for number in sorted(found)])


def _learn(episode: Episode, agent: Agent, attempt: Attempt) -> Episode:
    """The same episode with the updates that the memory made from it."""
    memory = memory_of(agent)
    if memory is None:
        return episode
    updates = learn_episode(
        memory,
        episode.task.text,
        episode.transitions(),
        episode_id=episode.episode_id,
        config=agent.rlem,
        rng=attempt.random().learning,
    )
    steps = tuple(
        dataclasses.replace(step, updates=tuple(u for u in updates if u.step == step.index))
        for step in episode.steps
    )
    return dataclasses.replace(episode, steps=steps)
