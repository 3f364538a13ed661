"""Retrieval without values: the nearest steps of successful episodes as examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from rememberer_nb.agents.interface import RetrievalMemory, Selection
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import ExemplarConfig, PromptConfig, RetrievalConfig, RlemConfig
from rememberer_nb.elements import Advice, Episode, Exemplar, Hit, LeftOut, Record, Situation
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.wrapped import require_language_model
from rememberer_nb.prompting.prompts import CountTokens, estimate_tokens
from rememberer_nb.prompting.react_prompts import SUCCESSFUL_STEP_TEMPLATE, format_successful_step


class SuccessfulSteps:
    """The nearest records that a successful episode or a demonstration went through.

    Parameters
    ----------
    memory : what is searched; its values are not looked at.
    retrieval, exemplar : those of its settings that look at values must have their defaults.

    What counts as done at a record: the action of the latest successful episode of the memory that
    came by, else the demonstrated one.
    """

    def __init__(
        self,
        memory: RetrievalMemory,
        retrieval: RetrievalConfig | None = None,
        exemplar: ExemplarConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
    ):
        self.memory = memory
        self.retrieval = retrieval or memory.retrieval
        self.exemplar = exemplar or ExemplarConfig()
        if self.retrieval.ranking != "similarity":
            ranking = self.retrieval.ranking
            raise ConfigError(f"successful steps have no values to rank by: ranking={ranking!r}")
        if self.exemplar.exploration:
            raise ConfigError(
                "successful steps have no values to add a bonus to: "
                f"exploration={self.exemplar.exploration!r}"
            )
        self.count_tokens = count_tokens
        self._done: dict[tuple[str, str], Advice] = {}
        self.add(memory.each_episode())

    def add(self, episodes: Iterable[Episode]) -> None:
        """Take up the steps of the successful ones."""
        for episode in episodes:
            if episode.is_success:
                for step in episode.steps:
                    advice = Advice(step.action, rationale=step.decision.rationale)
                    self._done[(episode.task.text, step.observation)] = advice

    def select(self, situation: Situation, rng: np.random.Generator) -> Selection:
        """The first m hits that have something done, as exemplars, the most similar first."""
        n_exemplars = self.retrieval.n_exemplars
        hits = self.memory.retrieve(
            situation.task.text, situation.observation, n_exemplars, self.retrieval.task_weight
        )
        seen: list[Hit] = []
        exemplars: list[Exemplar] = []
        left_out: list[LeftOut] = []
        while len(exemplars) < n_exemplars and (hit := next(hits, None)) is not None:
            done = self.done_at(hit.record)
            if done is None:
                continue
            seen.append(hit)
            record = hit.record
            exemplar = Exemplar(record.record_id, record.task, record.observation, (), (done,))
            n_tokens = self.count_tokens(format_successful_step(exemplar, 1))
            if n_tokens > self.exemplar.max_tokens:
                over = f"exemplar of {n_tokens} tokens, budget {self.exemplar.max_tokens}"
                left_out.append(LeftOut("exemplar", over, n_tokens, record_id=record.record_id))
            else:
                exemplars.append(exemplar)
        return tuple(seen), tuple(exemplars), tuple(left_out)

    def describe(self) -> Mapping[str, Any]:
        """How steps are found and written."""
        return {"retrieval": self.retrieval, "exemplar": self.exemplar}

    def done_at(self, record: Record) -> Advice | None:
        """What was done at a record in a success; None if it saw none."""
        done = self._done.get((record.task, record.observation))
        if done is not None:
            return done
        shown = [value for value in record.action_values if value.is_initial]
        # A demonstration notes beside its own action what would have been wrong, at a lower value.
        best = max(shown, default=None, key=lambda value: value.q_value)
        if best is None or best.q_value <= 0:
            return None
        return Advice(best.action, rationale=best.rationale)


class RetrievalOnlyAgent(PromptingAgent):
    """Retrieves as Rememberer does, and shows what was done in successes, without values.

    Its memory learns in training all the same, so that it can be compared with Rememberer on the
    very same memory.
    """

    name = "retrieval_only"
    needs_language_model = True
    template = SUCCESSFUL_STEP_TEMPLATE

    def __init__(
        self,
        llm: LLM,
        profile: Profile,
        memory: RetrievalMemory,
        *,
        retrieval: RetrievalConfig | None = None,
        exemplar: ExemplarConfig | None = None,
        rlem: RlemConfig | None = None,
        prompt: PromptConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
    ):
        require_language_model(self.name, llm)
        self.steps = SuccessfulSteps(memory, retrieval, exemplar, count_tokens)
        super().__init__(
            self.name, llm, profile, self.steps,
            memory=memory, rlem=rlem, prompt=prompt, count_tokens=count_tokens,
        )  # fmt: skip

    def after_episode(self, episode: Episode) -> Episode:
        """Take up a successful training episode."""
        self.steps.add([episode])
        return episode
