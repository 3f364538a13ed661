"""What an agent is, and what it asks of a memory and of a source of exemplars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from rememberer_nb.config import RetrievalConfig, RlemConfig
from rememberer_nb.config.identity import plain
from rememberer_nb.elements import Decision, Episode, Exemplar, Hit, LeftOut, Situation, StepRandom
from rememberer_nb.errors import ConfigError, LLMStopError

Selection = tuple[tuple[Hit, ...], tuple[Exemplar, ...], tuple[LeftOut, ...]]


class Memory(Protocol):
    """What an agent asks of its memory: `rememberer_nb.memory.ExperienceMemory` has it."""

    retrieval: RetrievalConfig

    def retrieve(
        self,
        task: str,
        observation: str,
        n_exemplars: int = 2,
        task_weight: float | None = None,
    ) -> Iterator[Hit]:
        """The most similar records, best first."""
        ...

    def each_episode(self, after: int = 0) -> Iterator[Episode]:
        """The episodes that it keeps, in order."""
        ...


class Agent(Protocol):
    """Turns a situation into a decision.

    `memory` is what the agent learns in, None if it does not learn; `rlem` says how.
    """

    name: str
    rlem: RlemConfig

    @property
    def memory(self) -> Memory | None:
        """What it learns in."""
        ...

    def decide(self, situation: Situation, random: StepRandom) -> Decision:
        """Choose an action."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What decisions depend on besides the memory's contents and randomness.

        Plain values by name, "name" among them; a training run is resumed under equal ones only.
        """
        ...


def describe_agent(agent: Agent) -> dict[str, Any]:
    """An agent's `describe()` as JSON gives it back.

    Raises
    ------
    ConfigError : it has none, or one that JSON has no form for.
    """
    describe = getattr(agent, "describe", None)
    if describe is None:
        raise ConfigError(
            f"the agent {agent.name!r} has no describe(): what its decisions depend on is noted "
            "with its training, so that it can be resumed"
        )
    try:
        return dict(plain(describe()))
    except ConfigError as error:
        raise ConfigError(f"describe() of the agent {agent.name!r}: {error}") from error


def after_episodes(
    agent: Agent, episodes: Sequence[Episode]
) -> tuple[list[Episode], BaseException | None]:
    """Show an agent the training episodes that are over, if it has a method `after_episode`.

    It may return an episode with more metadata. What stops the run meanwhile (`LLMStopError`,
    Ctrl-C) is returned rather than raised: the episodes are whole and are to be kept first.
    """
    after = getattr(agent, "after_episode", None)
    told: list[Episode] = []
    stop: BaseException | None = None
    for episode in episodes:
        try:
            told.append(episode if after is None or stop else after(episode))
        except (LLMStopError, KeyboardInterrupt) as error:
            stop = error
            told.append(episode)
    return told, stop


class ExemplarSource(Protocol):
    """Where the exemplars of a prompt come from."""

    def select(self, situation: Situation, rng: np.random.Generator) -> Selection:
        """Hits looked at, exemplars (the most similar first), and what was left out."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What the choice depends on besides the memory's contents: part of the agent's own."""
        ...
