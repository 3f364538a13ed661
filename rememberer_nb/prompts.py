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
from collections.abc import Callable, Sequence

from rememberer_nb.config import PromptConfig
from rememberer_nb.elements import Advice, Exemplar, LeftOut, Prompt
from rememberer_nb.envs.profile import Profile

PAGE_PREFIX = "| "
EXAMPLE_HEADING = "## Example"
NOW_HEADING = "## Now"
NOT_TRIED = "(not tried)"

_HOW_TO_REPLY = """\
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
    rationale = _line(advice.rationale)
    return f"{_line(advice.action)} -> {value} {rationale}".rstrip()


def _page(observation: str) -> str:
    return "\n".join(PAGE_PREFIX + line.strip() for line in observation.strip().splitlines())


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_line(line)}" for line in lines) or "- none"


def _line(text: str) -> str:
    return " ".join(text.split())


def format_exemplar(exemplar: Exemplar, number: int) -> str:
    """An exemplar as it stands in the prompt."""
    parts = [
        f"{EXAMPLE_HEADING} {number}",
        f"Task: {_line(exemplar.task)}",
        f"Page:\n{_page(exemplar.observation)}",
    ]
    for title, advice in (
        ("Encouraged", exemplar.encouraged),
        ("Discouraged", exemplar.discouraged),
    ):
        if advice:
            parts.append(f"{title}:\n{_bullets([format_advice(a) for a in advice])}")
    return "\n".join(parts)


def _format_now(
    task: str, observation: str, available: Sequence[str], last_actions: Sequence[str]
) -> str:
    return "\n".join(
        [
            NOW_HEADING,
            f"Task: {_line(task)}",
            f"Last actions:\n{_bullets(last_actions)}",
            f"Page:\n{_page(observation)}",
            f"Available actions:\n{_bullets(available)}",
            "",
            "Reply:",
        ]
    )


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
) -> Prompt:
    """Put a prompt together within its token budget.

    Parameters
    ----------
    profile : the environment's profile.
    task, observation, available_actions : the present situation (g, o and what can be done).
    exemplars : the most similar *first*, as retrieved; the prompt shows it last.
    last_actions : the whole history, oldest first; the last `config.n_last_actions` are shown.
    left_out : what earlier stages left out (skipped exemplars); kept in the prompt's own list.

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
    config = config or PromptConfig()
    system = f"{profile.introduction}\n\n{_HOW_TO_REPLY}"
    shown = list(exemplars)
    history = list(last_actions[-config.n_last_actions :] if config.n_last_actions else ())
    omitted = list(left_out)

    def user_text() -> str:
        blocks = [format_exemplar(e, i) for i, e in enumerate(reversed(shown), start=1)]
        return "\n\n".join([*blocks, _format_now(task, observation, available_actions, history)])

    user = user_text()
    while (n_tokens := count_tokens(f"{system}\n\n{user}")) > config.max_tokens:
        over = f"prompt of {n_tokens} tokens, budget {config.max_tokens}"
        if shown:
            gone = shown.pop()
            tokens = count_tokens(format_exemplar(gone, 1))
            omitted.append(LeftOut("exemplar", over, tokens, record_id=gone.record_id))
        elif history:
            omitted.append(LeftOut(f"last action {history.pop(0)}", over))
        else:
            break
        user = user_text()
    return Prompt(
        messages=(("system", system), ("user", user)),
        text=f"{system}\n\n{user}",
        n_tokens=n_tokens,
        left_out=tuple(omitted),
        reply_schema=REPLY_SCHEMA,
    )
