"""What an agent is, and what it asks of a memory and of a source of exemplars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from rememberer_nb.config import RetrievalConfig, RlemConfig
from rememberer_nb.elements import Decision, Episode, Exemplar, Hit, LeftOut, Situation, StepRandom

Selection = tuple[tuple[Hit, ...], tuple[Exemplar, ...], tuple[LeftOut, ...]]


class RetrievalMemory(Protocol):
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
    def memory(self) -> RetrievalMemory | None:
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


class ExemplarSource(Protocol):
    """Where the exemplars of a prompt come from."""

    def select(self, situation: Situation, rng: np.random.Generator) -> Selection:
        """Hits looked at, exemplars (the most similar first), and what was left out."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """What the choice depends on besides the memory's contents: part of the agent's own."""
        ...
