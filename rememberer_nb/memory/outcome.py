"""An episode in numbers: all that reports count, kept beside it so that none need read it whole."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rememberer_nb.elements import Episode


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an episode ended, and what it took.

    Parameters
    ----------
    task, epoch : the task's number; the pass over the tasks (-1: evaluation).
    position : the place in the epoch; None for an episode that is part of no run.
    total_reward : the undiscounted sum, in the environment's unit.
    n_reply_errors : steps whose reply held no available action.
    n_asked : steps that asked an LLM; `prompt_tokens` and `completion_tokens` are their replies'.
    failures : LLM calls that failed, by the error's name.
    calls : what else the agent asked: the episode's `metadata["calls"]`.

    >>> from rememberer_nb.elements import Decision, Step, Task
    >>> step = Step(0, "o", (), "", Decision("a"), 0.5, terminated=True)
    >>> found = Outcome.of(Episode("e", "env", "agent", Task("7", "g", 7), (step,), "end"))
    >>> found.task, found.n_steps, found.total_reward, found == Outcome.parse(found.to_text())
    (7, 1, 0.5, True)
    """

    task: int
    epoch: int
    position: Any
    is_success: bool
    n_steps: int
    total_reward: float
    n_reply_errors: int
    n_asked: int
    prompt_tokens: int
    completion_tokens: int
    failures: Mapping[str, int]
    calls: Any = ()

    @classmethod
    def of(cls, episode: Episode | Outcome) -> Outcome:
        """That of an episode; an outcome is its own."""
        if isinstance(episode, Outcome):
            return episode
        asked = [s.decision for s in episode.steps if s.decision.prompt is not None]
        replies = [decision.reply for decision in asked if decision.reply is not None]
        return cls(
            task=episode.task.number,
            epoch=episode.epoch,
            position=episode.metadata.get("position"),
            is_success=episode.is_success,
            n_steps=len(episode.steps),
            total_reward=episode.total_reward,
            n_reply_errors=episode.n_reply_errors,
            n_asked=len(asked),
            prompt_tokens=sum(reply.prompt_tokens for reply in replies),
            completion_tokens=sum(reply.completion_tokens for reply in replies),
            failures=Counter(
                d.error_name for d in asked if d.error_name and d.error_name != "reply"
            ),
            calls=episode.metadata.get("calls", ()),
        )

    def to_text(self) -> str:
        """As it is stored: its fields in order, as JSON."""
        return json.dumps([getattr(self, field.name) for field in dataclasses.fields(self)])

    @classmethod
    def parse(cls, text: str) -> Outcome:
        """The inverse, but for the types of sequences."""
        fields = json.loads(text)
        if isinstance(fields[-1], list):
            fields[-1] = tuple(fields[-1])
        return cls(*fields)
