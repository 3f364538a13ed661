"""Prompts of the agents that need a language model: in our own words, within the same budget.

The prompt of ReAct and Reflexion, top to bottom::

    <introduction of the environment>

    <how to reply: a thought, then an action>

    ## Example                     one solved task, from start to end
    Task: <g'>
    Page:
    | <o'>
    Thought: <why>
    Action: <a'>
    ...

    ## Earlier attempts            Reflexion, once there was one
    - <what it taught>

    ## Now
    Task: <g>
    Page:                          the episode so far
    | <o_0>
    Thought: <why>
    Action: <a_0>
    ...
    Page:
    | <o_t>
    Available actions:
    - <action>

    Thought:

Over budget, the oldest pages of the episode go first (their thoughts and actions stay), then the
example, then the oldest steps whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rememberer_nb.config import PromptConfig
from rememberer_nb.elements import Episode, Exemplar, LeftOut, Prompt, Record, Task
from rememberer_nb.envs.profile import Profile
from rememberer_nb.prompting.prompts import (
    ACTION,
    EXAMPLE_HEADING,
    NOW_HEADING,
    CountTokens,
    Template,
    estimate_tokens,
    format_bullets,
    format_page,
    one_line,
)

PAGE_LEFT_OUT = "(left out)"

_HOW_TO_REACT = """\
Work in small steps. First think: in one or two sentences, what does the page show, and what is
still missing for the task? Then take one of the available actions. Reply in two lines:
Thought: what you think
Action: the action
The last page is the present one. If you reply in JSON, the thought goes under "rationale"."""

REACT_TEMPLATE = Template(
    how_to_reply=_HOW_TO_REACT,
    cue="\n\nReply:",
    # The thought comes first: what is written after the action cannot inform it.
    reply_schema={
        "type": "object",
        "properties": {"rationale": {"type": "string"}, "action": {"type": "string"}},
        "required": ["rationale", "action"],
        "additionalProperties": False,
    },
)

_HOW_TO_REFLECT = """\
You have just made the attempt below, and it did not solve the task. Look for the step at which it
went wrong. Then write two or three sentences to yourself: what was the mistake, and what exactly
will you do differently the next time that you get this same task? Write nothing else."""

_HOW_TO_REPLY_TO_STEPS = """\
Reply with one line: the action, an arrow, the final score that you expect of it, and the reason.
Examples show pages of earlier attempts that solved their tasks, and what was done there; adapt it
to the present task."""


def _format_done(exemplar: Exemplar) -> str:
    done = [f"{advice.action} -> {advice.rationale}".strip("-> ") for advice in exemplar.encouraged]
    return f"Done:\n{format_bullets(done)}"


SUCCESSFUL_STEP_TEMPLATE = replace(
    ACTION, how_to_reply=_HOW_TO_REPLY_TO_STEPS, format_output=_format_done
)


def format_successful_step(exemplar: Exemplar, number: int) -> str:
    """A step of a successful episode: what was done, without any value.

    >>> from rememberer_nb.elements import Advice
    >>> done = (Advice("click[buy now]", rationale="it fits"),)
    >>> print(format_successful_step(Exemplar(0, "a lamp", "[Buy Now]", encouraged=done), 1))
    ## Example 1
    Task: a lamp
    Page:
    | [Buy Now]
    Done:
    - click[buy now] -> it fits
    """
    return SUCCESSFUL_STEP_TEMPLATE.exemplar(exemplar, number)


@dataclass(frozen=True, slots=True)
class Turn:
    """A page, what was thought of it, and what was done."""

    observation: str
    thought: str
    action: str

    def text(self, *, has_page: bool = True) -> str:
        """As it stands in the prompt."""
        page = f"\n{format_page(self.observation)}" if has_page else f" {PAGE_LEFT_OUT}"
        return f"Page:{page}\nThought: {one_line(self.thought)}\nAction: {one_line(self.action)}"


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A solved task, from start to end."""

    task: str
    turns: tuple[Turn, ...]

    def text(self) -> str:
        """As it stands in the prompt."""
        head = f"{EXAMPLE_HEADING}\nTask: {one_line(self.task)}"
        return "\n".join([head, *(turn.text() for turn in self.turns)])


def demonstration_of(records: Sequence[Record]) -> Demonstration | None:
    """The first demonstration of an initial memory: the records of its first task, in order.

    Each record's best action is the one that was taken. None if there are no records.

    >>> from rememberer_nb.memory.initial import read_initial
    >>> [turn.action for turn in demonstration_of(read_initial("E0")).turns][-1]
    'click[buy now]'
    """
    taken = [record for record in records if record.best and record.task == records[0].task]
    turns = tuple(
        Turn(record.observation, record.best.rationale, record.best.action)
        for record in taken
        if record.best is not None
    )
    return Demonstration(taken[0].task, turns) if taken else None


@dataclass(frozen=True, slots=True)
class Scene:
    """What a ReAct prompt is about: `turns` are the episode's until now."""

    task: str
    observation: str
    available_actions: tuple[str, ...]
    turns: tuple[Turn, ...] = ()
    lessons: tuple[str, ...] = ()


def build_react_prompt(
    profile: Profile,
    scene: Scene,
    *,
    demonstration: Demonstration | None = None,
    config: PromptConfig | None = None,
    count_tokens: CountTokens = estimate_tokens,
) -> Prompt:
    """Put a prompt as drawn above together within its token budget."""
    system = f"{profile.introduction}\n\n{REACT_TEMPLATE.how_to_reply}"
    user, n_tokens, left_out = _fit(
        system, scene, demonstration, config or PromptConfig(), count_tokens
    )
    return Prompt(
        messages=(("system", system), ("user", user)),
        text=f"{system}\n\n{user}",
        n_tokens=n_tokens,
        left_out=left_out,
        reply_schema=REACT_TEMPLATE.reply_schema,
    )


def _fit(
    system: str,
    scene: Scene,
    demonstration: Demonstration | None,
    config: PromptConfig,
    count_tokens: CountTokens,
) -> tuple[str, int, tuple[LeftOut, ...]]:
    """The user's part, the tokens of both, and what went; it goes in the order said above."""
    n_turns = len(scene.turns)
    n_pages = n_turns
    left_out: list[LeftOut] = []
    while True:
        user = _user_text(scene, demonstration, scene.turns[-n_turns:] if n_turns else (), n_pages)
        n_tokens = count_tokens(f"{system}\n\n{user}")
        if n_tokens <= config.max_tokens:
            break
        over = f"prompt of {n_tokens} tokens, budget {config.max_tokens}"
        if n_pages:
            left_out.append(LeftOut(f"page of step {len(scene.turns) - n_pages}", over))
            n_pages -= 1
        elif demonstration is not None:
            left_out.append(LeftOut("example", over, count_tokens(demonstration.text())))
            demonstration = None
        elif n_turns:
            left_out.append(LeftOut(f"step {len(scene.turns) - n_turns}", over))
            n_turns -= 1
        else:
            break
    return user, n_tokens, tuple(left_out)


def _user_text(
    scene: Scene, demonstration: Demonstration | None, turns: Sequence[Turn], n_pages: int
) -> str:
    """`n_pages` of the last turns show their page."""
    blocks = [] if demonstration is None else [demonstration.text()]
    if scene.lessons:
        blocks.append(f"## Earlier attempts\n{format_bullets(scene.lessons)}")
    now = [f"{NOW_HEADING}\nTask: {one_line(scene.task)}"]
    now += [turn.text(has_page=i >= len(turns) - n_pages) for i, turn in enumerate(turns)]
    now.append(f"Page:\n{format_page(scene.observation)}")
    now.append(f"Available actions:\n{format_bullets(scene.available_actions)}")
    return "\n\n".join([*blocks, "\n".join(now), "Thought:"])


def build_reflection_prompt(
    profile: Profile,
    task: Task,
    episode: Episode,
    *,
    lessons: Sequence[str] = (),
    config: PromptConfig | None = None,
    count_tokens: CountTokens = estimate_tokens,
) -> Prompt:
    """Ask what went wrong in an episode; its oldest pages go first where they do not fit."""
    config = config or PromptConfig()
    system = f"{profile.introduction}\n\n{_HOW_TO_REFLECT}"
    turns = turns_of(episode)
    n_pages = len(turns)
    while True:
        user = _attempt_text(task.text, episode, turns, n_pages, lessons)
        n_tokens = count_tokens(f"{system}\n\n{user}")
        if n_tokens <= config.max_tokens or not n_pages:
            break
        n_pages -= 1
    n_gone = len(turns) - n_pages
    gone = tuple(LeftOut(f"page of step {i}", "over the budget") for i in range(n_gone))
    messages = (("system", system), ("user", user))
    return Prompt(messages, f"{system}\n\n{user}", n_tokens, gone)


def _attempt_text(
    task: str, episode: Episode, turns: Sequence[Turn], n_pages: int, lessons: Sequence[str]
) -> str:
    blocks = [f"## Earlier attempts\n{format_bullets(lessons)}"] if lessons else []
    lines = [f"## This attempt\nTask: {one_line(task)}"]
    lines += [turn.text(has_page=i >= len(turns) - n_pages) for i, turn in enumerate(turns)]
    end = "the attempt ended here" if episode.terminated else "no steps were left"
    lines.append(f"Page:\n{format_page(episode.final_observation)}")
    lines.append(f"Score: {episode.total_reward:.2f}; {end}.")
    return "\n\n".join([*blocks, "\n".join(lines), "What you will do differently:"])


def turns_of(episode: Episode) -> tuple[Turn, ...]:
    """The steps of an episode as turns."""
    return tuple(Turn(s.observation, s.decision.rationale, s.action) for s in episode.steps)
