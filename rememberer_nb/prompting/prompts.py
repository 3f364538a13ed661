"""Prompts: templates, the token budget, and what was left out and why.

The plain text of a prompt, top to bottom (page lines always start with "| ", so that no page can
pass for a heading)::

    <introduction of the environment>

    <how to reply>

    ## Example 1
    Task: <g'>
    Page:
    | <o'>
    Encouraged:
    - <action> -> <value> <rationale>
    Discouraged:
    - <action> -> (not tried)

    ## Now
    Task: <g>
    Last actions:
    - <action>
    Page:
    | <o>
    Available actions:
    - <action>

    Reply:

The most similar exemplar comes last, nearest to the question (paper, section 3.3).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rememberer_nb.config import PromptConfig
from rememberer_nb.elements import Advice, Exemplar, LeftOut, Prompt, Situation
from rememberer_nb.envs.profile import Profile

PAGE_PREFIX = "| "
EXAMPLE_HEADING = "## Example"
NOW_HEADING = "## Now"
NOT_TRIED = "(not tried)"

HOW_TO_REPLY = """\
Reply with one line: the action, an arrow, the final score that you expect of it, and the reason.
Examples show pages seen before. Their values are scores that really followed: do as encouraged,
avoid what is discouraged, and adapt both to the present task."""

REPLY_SCHEMA = {
    "type": "object",
    "properties": {
        "action": {"type": "string"},
        "value": {"type": "number"},
        "rationale": {"type": "string"},
    },
    "required": ["action", "value", "rationale"],
    "additionalProperties": False,
}

CountTokens = Callable[[str], int]


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: a quarter of its characters, rounded up.

    English text averages about four characters a token under the usual byte-pair encodings. The
    estimate needs no tokeniser file; give `build_prompt` the real counter where one is at hand.

    >>> estimate_tokens("press the button")
    4
    """
    return math.ceil(len(text) / 4)


def format_advice(advice: Advice) -> str:
    """One line of advice: "action -> value rationale", or "action -> (not tried)".

    >>> format_advice(Advice("click[buy now]", 0.75, "everything fits"))
    'click[buy now] -> 0.75 everything fits'
    """
    value = NOT_TRIED if advice.value is None else f"{advice.value:.2f}"
    rationale = one_line(advice.rationale)
    return f"{one_line(advice.action)} -> {value} {rationale}".rstrip()


# The same records come back step after step.
@functools.lru_cache(maxsize=1024)
def format_page(observation: str) -> str:
    """A page as it stands in the prompt, each line behind a bar."""
    return "\n".join(PAGE_PREFIX + line.strip() for line in observation.strip().splitlines())


def format_bullets(lines: Sequence[str]) -> str:
    """A line each; "none" if there are none."""
    return "\n".join(f"- {one_line(line)}" for line in lines) or "- none"


# So do their actions, and the pages'.
@functools.lru_cache(maxsize=4096)
def one_line(text: str) -> str:
    """A text without line breaks, so that it cannot pass for a heading."""
    return " ".join(text.split())


def format_exemplar(exemplar: Exemplar, number: int) -> str:
    """An exemplar as it stands in the prompt."""
    parts = [
        f"{EXAMPLE_HEADING} {number}",
        f"Task: {one_line(exemplar.task)}",
        f"Page:\n{format_page(exemplar.observation)}",
    ]
    for title, advice in (
        ("Encouraged", exemplar.encouraged),
        ("Discouraged", exemplar.discouraged),
    ):
        if advice:
            parts.append(f"{title}:\n{format_bullets([format_advice(a) for a in advice])}")
    return "\n".join(parts)


def format_now(now: Situation, last_actions: Sequence[str]) -> str:
    """The present situation as it stands in the prompt, with as much of its history."""
    return "\n".join(
        [
            NOW_HEADING,
            f"Task: {one_line(now.task.text)}",
            f"Last actions:\n{format_bullets(last_actions)}",
            f"Page:\n{format_page(now.observation)}",
            f"Available actions:\n{format_bullets(now.available_actions)}",
            "",
            "Reply:",
        ]
    )


@dataclass(frozen=True, slots=True)
class Template:
    """What may differ between agents in the same form of prompt.

    `reply_schema` says what a JSON reply looks like; its property "action" is a string.
    """

    how_to_reply: str = HOW_TO_REPLY
    format_exemplar: Callable[[Exemplar, int], str] = format_exemplar
    reply_schema: Mapping[str, Any] = field(default_factory=lambda: REPLY_SCHEMA)


def build_prompt(
    profile: Profile,
    now: Situation,
    exemplars: Sequence[Exemplar] = (),
    *,
    config: PromptConfig | None = None,
    left_out: Sequence[LeftOut] = (),
    count_tokens: CountTokens = estimate_tokens,
    template: Template | None = None,
) -> Prompt:
    """Put a prompt together within its token budget.

    Parameters
    ----------
    profile : the environment's profile.
    now : the present situation; of its history the last `config.n_last_actions` are shown.
    exemplars : the most similar *first*, as retrieved; the prompt shows it last.
    left_out : what earlier stages left out (skipped exemplars); kept in the prompt's own list.
    template : how to reply and how exemplars look; by default as drawn above.

    Returns
    -------
    Prompt
        Over budget, exemplars go first (the least similar first), then the oldest actions of the
        history; the present page and the available actions always stay. `left_out` says what went.

    Examples
    --------
    >>> from rememberer_nb.elements import Task
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> now = Situation(Task("7", "a red lamp"), "[Search]", ("search[<keywords>]",))
    >>> prompt = build_prompt(WEBSHOP, now)
    >>> print(prompt.text[prompt.text.index("## Now"):])
    ## Now
    Task: a red lamp
    Last actions:
    - none
    Page:
    | [Search]
    Available actions:
    - search[<keywords>]
    <BLANKLINE>
    Reply:
    """
    config, template = config or PromptConfig(), template or Template()
    system = f"{profile.introduction}\n\n{template.how_to_reply}"
    shown, omitted = list(exemplars), list(left_out)
    history = list(now.last_actions[-config.n_last_actions :] if config.n_last_actions else ())
    while True:
        blocks = [template.format_exemplar(e, i) for i, e in enumerate(reversed(shown), start=1)]
        user = "\n\n".join([*blocks, format_now(now, history)])
        n_tokens = count_tokens(f"{system}\n\n{user}")
        over = f"prompt of {n_tokens} tokens, budget {config.max_tokens}"
        if n_tokens <= config.max_tokens or not (shown or history):
            break
        if shown:
            gone = shown.pop()
            tokens = count_tokens(template.format_exemplar(gone, 1))
            omitted.append(LeftOut("exemplar", over, tokens, record_id=gone.record_id))
        else:
            omitted.append(LeftOut(f"last action {history.pop(0)}", over))
    return Prompt(
        messages=(("system", system), ("user", user)),
        text=f"{system}\n\n{user}",
        n_tokens=n_tokens,
        left_out=tuple(omitted),
        reply_schema=template.reply_schema,
    )
