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

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rememberer_nb.config import PromptConfig
from rememberer_nb.elements import Advice, Exemplar, LeftOut, Prompt
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


def format_page(observation: str) -> str:
    """A page as it stands in the prompt, each line behind a bar."""
    return "\n".join(PAGE_PREFIX + line.strip() for line in observation.strip().splitlines())


def format_bullets(lines: Sequence[str]) -> str:
    """A line each; "none" if there are none."""
    return "\n".join(f"- {one_line(line)}" for line in lines) or "- none"


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


def _format_now(
    task: str, observation: str, available: Sequence[str], last_actions: Sequence[str]
) -> str:
    return "\n".join(
        [
            NOW_HEADING,
            f"Task: {one_line(task)}",
            f"Last actions:\n{format_bullets(last_actions)}",
            f"Page:\n{format_page(observation)}",
            f"Available actions:\n{format_bullets(available)}",
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


# A free text within an action: no brackets, quotes or line breaks, and no space in front.
_FREE_TEXT = r"""[^\x00-\x20\[\]()<>"\\][^\x00-\x1F\[\]()<>"\\]{0,59}"""
_MAX_RATIONALE = 200


def constrained_schema(
    schema: Mapping[str, Any], available_actions: Sequence[str], profile: Profile
) -> Mapping[str, Any]:
    """The schema of replies whose action is available, for servers that decode by grammar.

    Other texts are bounded, so that no reply runs away.

    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> constrained_schema(REPLY_SCHEMA, ["click[a]"], WEBSHOP)["properties"]["action"]
    {'anyOf': [{'type': 'string', 'enum': ['click[a]']}]}
    """
    plain = [action for action in available_actions if not profile.is_template(action)]
    choices: list[dict[str, Any]] = [{"type": "string", "enum": plain}] if plain else []
    for action in available_actions:
        for placeholder in profile.placeholders:
            before, found, after = action.partition(placeholder)
            if found:
                pattern = f"^{_literal(before)}{_FREE_TEXT}{_literal(after)}$"
                choices.append({"type": "string", "pattern": pattern})
    if not choices:
        return schema
    properties = {
        name: {**kind, "maxLength": _MAX_RATIONALE} if kind.get("type") == "string" else kind
        for name, kind in schema["properties"].items()
    }
    return {**schema, "properties": {**properties, "action": {"anyOf": choices}}}


def _literal(text: str) -> str:
    # re.escape escapes spaces, too, which grammars made from patterns do not know.
    return re.sub(r"([\^$.|?*+()\[\]{}])", r"\\\1", text)


def build_prompt(
    profile: Profile,
    task: str,
    observation: str,
    available_actions: Sequence[str],
    *,
    exemplars: Sequence[Exemplar] = (),
    last_actions: Sequence[str] = (),
    config: PromptConfig | None = None,
    left_out: Sequence[LeftOut] = (),
    count_tokens: CountTokens = estimate_tokens,
    template: Template | None = None,
    is_constrained: bool = False,
) -> Prompt:
    """Put a prompt together within its token budget.

    Parameters
    ----------
    profile : the environment's profile.
    task, observation, available_actions : the present situation (g, o and what can be done).
    exemplars : the most similar *first*, as retrieved; the prompt shows it last.
    last_actions : the whole history, oldest first; the last `config.n_last_actions` are shown.
    left_out : what earlier stages left out (skipped exemplars); kept in the prompt's own list.
    template : how to reply and how exemplars look; by default as drawn above.
    is_constrained : whether the reply's schema admits available actions alone.

    Returns
    -------
    Prompt
        Over budget, exemplars go first (the least similar first), then the oldest actions of the
        history; the present page and the available actions always stay. `left_out` says what went.

    Examples
    --------
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> prompt = build_prompt(WEBSHOP, "a red lamp", "[Search]", ["search[<keywords>]"])
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
    shown = list(exemplars)
    history = list(last_actions[-config.n_last_actions :] if config.n_last_actions else ())
    omitted = list(left_out)

    def user_text() -> str:
        blocks = [template.format_exemplar(e, i) for i, e in enumerate(reversed(shown), start=1)]
        return "\n\n".join([*blocks, _format_now(task, observation, available_actions, history)])

    user = user_text()
    while (n_tokens := count_tokens(f"{system}\n\n{user}")) > config.max_tokens:
        over = f"prompt of {n_tokens} tokens, budget {config.max_tokens}"
        if shown:
            gone = shown.pop()
            tokens = count_tokens(template.format_exemplar(gone, 1))
            omitted.append(LeftOut("exemplar", over, tokens, record_id=gone.record_id))
        elif history:
            omitted.append(LeftOut(f"last action {history.pop(0)}", over))
        else:
            break
        user = user_text()
    schema = template.reply_schema
    if is_constrained:
        schema = constrained_schema(schema, available_actions, profile)
    return Prompt(
        messages=(("system", system), ("user", user)),
        text=f"{system}\n\n{user}",
        n_tokens=n_tokens,
        left_out=tuple(omitted),
        reply_schema=schema,
    )
