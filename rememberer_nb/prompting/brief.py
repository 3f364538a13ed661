"""A brief template for small models: no introduction, no pages, actions in words.

::

    <gist of an exemplar>
    Encouraged:
    - <action in words>
    Discouraged:
    - <action in words>

    <gist of the present situation>
    Done last: <action in words>
    Encouraged:

It takes some 60 to 200 tokens where the full template takes a thousand and more. What an
environment's gist and words are, its profile says (`Wording`).
"""

from __future__ import annotations

from collections.abc import Sequence

from rememberer_nb.config import PromptConfig
from rememberer_nb.elements import Advice, Exemplar, Situation
from rememberer_nb.envs.profile import Profile, Wording
from rememberer_nb.prompting.prompts import (
    FULL_TEMPLATES,
    NOT_TRIED,
    Template,
    format_output,
)


def choose_template(config: PromptConfig, profile: Profile) -> Template:
    """The template that the settings name.

    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> choose_template(PromptConfig(template="brief"), WEBSHOP).cue
    '\\nEncouraged:'
    """
    if config.template == "brief":
        return brief_template(profile.wording)
    return FULL_TEMPLATES[config.reply_form]


def brief_template(wording: Wording) -> Template:
    """The brief template in an environment's words.

    >>> from rememberer_nb.elements import Task
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> template = brief_template(WEBSHOP.wording)
    >>> print(template.now(Situation(Task("7", "a red lamp"), "[Search]", ()), ()))
    Task: a red lamp
    Encouraged:
    """

    def format_input(exemplar: Exemplar) -> str:
        return wording.gist(exemplar.task, exemplar.observation)

    def output(exemplar: Exemplar) -> str:
        return format_output(exemplar, lambda advice: line(advice, exemplar.observation))

    def line(advice: Advice, observation: str) -> str:
        words = wording.say(advice.action, observation) or advice.action
        value = NOT_TRIED if advice.value is None else f"{advice.value:.2f}"
        return f"{words} -> {value}"

    def format_now(now: Situation, last_actions: Sequence[str]) -> str:
        gist = wording.gist(now.task.text, now.observation)
        if not (last_actions and now.steps):
            return gist
        last = now.steps[-1]
        return f"{gist}\nDone last: {wording.say(last.action, last.observation) or last.action}"

    return Template(
        how_to_reply="",
        format_input=format_input,
        format_output=output,
        format_now=format_now,
        introduce=lambda profile, how_to_reply: "",
        has_headings=False,
        say=wording.say,
        # A schema would hold replies to actions that the exemplars do not show.
        reply_schema=None,
    )
