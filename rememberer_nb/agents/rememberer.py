"""The agent of the paper: exemplars retrieved from a memory that it learns in (section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rememberer_nb.agents.interface import RetrievalMemory, Selection
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import (
    ChoiceConfig,
    ExemplarConfig,
    PromptConfig,
    RetrievalConfig,
    RlemConfig,
)
from rememberer_nb.elements import Situation
from rememberer_nb.envs.profile import Profile
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.prompting.brief import choose_template
from rememberer_nb.prompting.exemplars import select_exemplars
from rememberer_nb.prompting.prompts import ADVICE, CountTokens, Template, estimate_tokens
from rememberer_nb.prompting.rankings import make_ranking


class MemoryExemplars:
    """The records most similar to the situation, written as exemplars."""

    def __init__(
        self,
        memory: RetrievalMemory,
        profile: Profile,
        retrieval: RetrievalConfig | None = None,
        exemplar: ExemplarConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
        template: Template = ADVICE,
    ):
        self.memory = memory
        self.profile = profile
        self.retrieval = retrieval or memory.retrieval
        self.exemplar = exemplar or ExemplarConfig()
        self.count_tokens = count_tokens
        self.template = template

    def select(self, situation: Situation, rng: np.random.Generator) -> Selection:
        """Retrieve and build."""
        n_exemplars = self.retrieval.n_exemplars
        ranking = make_ranking(self.retrieval)
        hits = self.memory.retrieve(
            situation.task.text,
            situation.observation,
            max(n_exemplars, ranking.n_candidates),
            self.retrieval.task_weight,
        )
        return select_exemplars(
            ranking.rank(hits),
            n_exemplars,
            self.profile,
            rng,
            config=self.exemplar,
            count_tokens=self.count_tokens,
            template=self.template,
        )

    def describe(self) -> Mapping[str, Any]:
        """How records are found and written."""
        return {"retrieval": self.retrieval, "exemplar": self.exemplar}


def rememberer(
    llm: LLM,
    profile: Profile,
    memory: RetrievalMemory,
    *,
    retrieval: RetrievalConfig | None = None,
    exemplar: ExemplarConfig | None = None,
    rlem: RlemConfig | None = None,
    prompt: PromptConfig | None = None,
    choice: ChoiceConfig | None = None,
    count_tokens: CountTokens = estimate_tokens,
) -> PromptingAgent:
    """The agent of the paper: retrieved exemplars, and a memory that it learns in.

    `count_tokens` (text -> tokens) is what the budgets of exemplars and prompt are counted with; by
    default an estimate, since tokenizers differ.
    """
    template = choose_template(prompt or PromptConfig(), profile)
    source = MemoryExemplars(memory, profile, retrieval, exemplar, count_tokens, template)
    return PromptingAgent(
        "rememberer", llm, profile, source,
        memory=memory, rlem=rlem, prompt=prompt, choice=choice, count_tokens=count_tokens,
    )  # fmt: skip
