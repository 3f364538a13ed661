"""Prompts: templates, channels, the token budget, and what was left out and why.

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
    Encouraged:

The most similar exemplar comes last, nearest to the question (paper, section 3.3). In the paper's
form of reply, "advice", the LLM goes on as the exemplars do and predicts values, too; in the form
"action" the text ends in "Reply:" and asks for one line.

The text goes to the LLM by one of three channels: "chat" sends it as one message (and the
introduction as the system's), "chat_turns" sends each exemplar as a user's and an assistant's turn,
"completion" sends it as it is, to be continued.
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
from rememberer_nb.prompting.schema import ADVICE_SCHEMA, REPLY_SCHEMA

PAGE_PREFIX = "| "
EXAMPLE_HEADING = "## Example"
NOW_HEADING = "## Now"
NOT_TRIED = "(not tried)"

HOW_TO_REPLY = """\
Reply with one line: the action, an arrow, the final score that you expect of it, and the reason.
Examples show pages seen before. Their values are scores that really followed: do as encouraged,
avoid what is discouraged, and adapt both to the present task."""

HOW_TO_ADVISE = """\
Reply with two lists, as the examples do. Under "Encouraged:" comes what you would do now, one
available action to a line: the action, an arrow, the final score that you expect of it, and the
reason. Under "Discouraged:" comes, alike, what you would not do.
The examples show pages seen before. Their values are scores that really followed: do as encouraged,
avoid what is discouraged, and adapt both to the present task."""

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


def format_input(exemplar: Exemplar) -> str:
    """What an exemplar is about, as it stands in the prompt."""
    return f"Task: {one_line(exemplar.task)}\nPage:\n{format_page(exemplar.observation)}"


def format_output(exemplar: Exemplar, line: Callable[[Advice], str] = format_advice) -> str:
    """What an exemplar advises, as it stands in the prompt; `line` writes one piece of advice."""
    sides = (("Encouraged", exemplar.encouraged), ("Discouraged", exemplar.discouraged))
    return "\n".join(
        f"{title}:\n{format_bullets([line(each) for each in advice])}"
        for title, advice in sides
        if advice
    )


def format_exemplar(exemplar: Exemplar, number: int) -> str:
    """An exemplar as it stands in the prompt."""
    return ADVICE.exemplar(exemplar, number)


def format_now(now: Situation, last_actions: Sequence[str]) -> str:
    """The present situation as it stands in the prompt, with as much of its history."""
    return "\n".join(
        [
            f"Task: {one_line(now.task.text)}",
            f"Last actions:\n{format_bullets(last_actions)}",
            f"Page:\n{format_page(now.observation)}",
            f"Available actions:\n{format_bullets(now.available_actions)}",
        ]
    )


def _introduce(profile: Profile, how_to_reply: str) -> str:
    return f"{profile.introduction}\n\n{how_to_reply}"


@dataclass(frozen=True, slots=True)
class Template:
    """The wording of a prompt.

    Parameters
    ----------
    how_to_reply : tells the LLM what a reply looks like.
    cue : what the text ends in, so that a reply goes on from there.
    format_input, format_output : an exemplar's two halves; the second looks like a reply.
    format_now : the present situation, with as much of its history.
    introduce : the first lines, from the profile and how to reply.
    has_headings : whether exemplars and situation stand under headings.
    opening : what stands between the cue and an action in a reply.
    say : (action, observation) -> the action as it is written; "" for what cannot be written.
    reply_schema : what a JSON reply looks like; None where replies are plain text.
    has_advice : whether a reply lists encouraged and discouraged actions, or is one line.
    """

    how_to_reply: str = HOW_TO_ADVISE
    cue: str = "\nEncouraged:"
    format_input: Callable[[Exemplar], str] = format_input
    format_output: Callable[[Exemplar], str] = format_output
    format_now: Callable[[Situation, Sequence[str]], str] = format_now
    introduce: Callable[[Profile, str], str] = _introduce
    has_headings: bool = True
    opening: str = "\n- "
    say: Callable[[str, str], str] = lambda action, observation: action
    reply_schema: Mapping[str, Any] | None = field(default_factory=lambda: ADVICE_SCHEMA)
    has_advice: bool = True

    def exemplar(self, exemplar: Exemplar, number: int) -> str:
        """An exemplar as it stands in the text."""
        parts = [f"{EXAMPLE_HEADING} {number}"] if self.has_headings else []
        parts += [self.format_input(exemplar), self.format_output(exemplar)]
        return "\n".join(part for part in parts if part)

    def now(self, now: Situation, last_actions: Sequence[str]) -> str:
        """The present situation as it stands in the text, cue and all."""
        heading = f"{NOW_HEADING}\n" if self.has_headings else ""
        return f"{heading}{self.format_now(now, last_actions)}{self.cue}"

    def words(self, now: Situation) -> dict[str, str]:
        """What the available actions are called -> the actions; of equal words the first."""
        called: dict[str, str] = {}
        for action in now.available_actions:
            if words := one_line(self.say(action, now.observation)):
                called.setdefault(words, action)
        return called


ADVICE = Template()
ACTION = Template(
    how_to_reply=HOW_TO_REPLY,
    cue="\n\nReply:",
    opening=" ",
    reply_schema=REPLY_SCHEMA,
    has_advice=False,
)
# By `PromptConfig.reply_form`.
FULL_TEMPLATES = {"advice": ADVICE, "action": ACTION}


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
    template : the wording; by default as drawn above, in the config's form of reply.

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
    Encouraged:
    """
    config = config or PromptConfig()
    template = template or FULL_TEMPLATES[config.reply_form]
    system = template.introduce(profile, template.how_to_reply)
    shown, omitted = list(exemplars), list(left_out)
    history = list(now.last_actions[-config.n_last_actions :] if config.n_last_actions else ())
    while True:
        blocks = [template.exemplar(e, i) for i, e in enumerate(reversed(shown), start=1)]
        user = "\n\n".join([*blocks, template.now(now, history)])
        text = f"{system}\n\n{user}" if system else user
        n_tokens = count_tokens(text)
        over = f"prompt of {n_tokens} tokens, budget {config.max_tokens}"
        if n_tokens <= config.max_tokens or not (shown or history):
            break
        if shown:
            gone = shown.pop()
            tokens = count_tokens(template.exemplar(gone, 1))
            omitted.append(LeftOut("exemplar", over, tokens, record_id=gone.record_id))
        else:
            omitted.append(LeftOut(f"last action {history.pop(0)}", over))
    turns: tuple[tuple[str, str], ...] = (("user", user),)
    if config.channel == "chat_turns":
        turns = _turns(template, shown, template.format_now(now, history))
    return Prompt(
        messages=(("system", system), *turns) if system else turns,
        text=text,
        n_tokens=n_tokens,
        left_out=tuple(omitted),
        reply_schema=template.reply_schema,
        channel=config.channel,
    )


def _turns(template: Template, shown: Sequence[Exemplar], now: str) -> tuple[tuple[str, str], ...]:
    """Each exemplar as a question and its answer, then the question; cue and headings say less."""
    turns: list[tuple[str, str]] = []
    for exemplar in reversed(shown):
        turns.append(("user", template.format_input(exemplar)))
        turns.append(("assistant", template.format_output(exemplar)))
    return (*turns, ("user", now))
