"""ReAct (arXiv 2210.03629): one worked example, and a thought before each action.

The prompts are our own (`prompting.react_prompts`). The offline stand-in reads advice with values
and nothing else, so it cannot act for this agent and others like it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rememberer_nb.agents.interface import RetrievalMemory
from rememberer_nb.agents.prompting_agent import SAMPLE, PromptingAgent
from rememberer_nb.config import PromptConfig, RlemConfig
from rememberer_nb.elements import Exemplar, LeftOut, Prompt, Situation
from rememberer_nb.envs.profile import Profile
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.wrapped import require_language_model
from rememberer_nb.prompting.prompts import CountTokens, estimate_tokens, one_line
from rememberer_nb.prompting.react_prompts import (
    Demonstration,
    Scene,
    Turn,
    build_react_prompt,
)
from rememberer_nb.prompting.replies import ParsedReply, parse_reply
from rememberer_nb.system.plain import fingerprint

_ACTION = re.compile(r"^\W*action\W*?:", re.IGNORECASE | re.MULTILINE)
_THOUGHT = re.compile(r"^\W*thought\W*?:\W*", re.IGNORECASE)
# Where a reply that runs on invents the next page.
_NEXT_TURN = re.compile(r"^\W*(?:page|observation|thought)\W*?:", re.IGNORECASE | re.MULTILINE)


class ReActAgent(PromptingAgent):
    """Thinks, then acts, with a worked example and the whole episode before its eyes.

    The thought becomes the decision's rationale. Of a reply that runs on past its action, only the
    first thought and action count.
    """

    name = "react"
    needs_language_model = True

    def __init__(
        self,
        llm: LLM,
        profile: Profile,
        demonstration: Demonstration | None = None,
        *,
        memory: RetrievalMemory | None = None,
        rlem: RlemConfig | None = None,
        prompt: PromptConfig | None = None,
        count_tokens: CountTokens = estimate_tokens,
    ):
        require_language_model(self.name, llm)
        super().__init__(
            self.name, llm, profile,
            memory=memory, rlem=rlem, prompt=prompt, count_tokens=count_tokens,
        )  # fmt: skip
        self.demonstration = demonstration

    def lessons(self, situation: Situation) -> Sequence[str]:
        """What earlier attempts taught; nothing here."""
        return ()

    def build(
        self, situation: Situation, exemplars: Sequence[Exemplar], left_out: Sequence[LeftOut]
    ) -> Prompt:
        """The prompt."""
        return self._build(situation, self.demonstration)

    def sample_prompt(self) -> Prompt:
        """The template at work, without the demonstration."""
        return self._build(SAMPLE, None)

    def describe(self) -> Mapping[str, Any]:
        """As any, and the fingerprint of the demonstration."""
        shown = self.demonstration
        return {
            **super().describe(),
            "demonstration": None if shown is None else fingerprint(shown.text()),
        }

    def _build(self, situation: Situation, demonstration: Demonstration | None) -> Prompt:
        turns = (
            Turn(step.observation, step.decision.rationale, step.action) for step in situation.steps
        )
        scene = Scene(
            situation.task.text,
            situation.observation,
            situation.available_actions,
            tuple(turns),
            tuple(self.lessons(situation)),
        )
        return build_react_prompt(
            self.profile,
            scene,
            demonstration=demonstration,
            config=self.prompt,
            count_tokens=self.count_tokens,
        )

    def read(self, text: str, situation: Situation) -> ParsedReply:
        """Thought and action."""
        return read_thought_and_action(text, situation.available_actions, self.profile)


def read_thought_and_action(
    text: str, available_actions: Sequence[str], profile: Profile
) -> ParsedReply:
    """Read a ReAct reply; the thought becomes the rationale.

    Actions that the thought mentions are not taken for the choice. A reply without the word
    "Action:" (JSON, for one) is read like any other.

    Raises
    ------
    ReplyError : no available action can be read.

    Examples
    --------
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> text = "Thought: not click[a], it is too dear.\\nAction: click[b]\\nPage: ..."
    >>> read = read_thought_and_action(text, ["click[a]", "click[b]"], WEBSHOP)
    >>> read.action, read.rationale
    ('click[b]', 'not click[a], it is too dear.')
    """
    found = _ACTION.search(text)
    if found is None or text.lstrip().startswith("{"):
        return parse_reply(text, available_actions, profile)
    rest = text[found.end() :]
    after = _NEXT_TURN.search(rest)
    chosen = parse_reply(rest[: after.start()] if after else rest, available_actions, profile)
    thought = one_line(_THOUGHT.sub("", text[: found.start()]))
    return dataclasses.replace(chosen, rationale=thought or chosen.rationale)
