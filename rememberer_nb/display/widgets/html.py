"""A recorded episode as HTML: pure functions, shared by the inspector and its static fallback.

Each step shows the stages of the loop in order: the page, what was retrieved, the prompt, the reply
and the action, and what was learnt. Everything comes from the recorded `Episode` and is escaped;
nothing is fetched and nothing is run. Long texts are cut, the more so the more of them there are,
and a line says where they are whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rememberer_nb.display.widgets.cards import (
    N_LISTED,
    Scale,
    predicted_html,
    retrieval_html,
    shared_terms,
)
from rememberer_nb.display.widgets.page import page_html
from rememberer_nb.display.widgets.style import style_sheet
from rememberer_nb.elements import Decision, Episode, Prompt, Step
from rememberer_nb.errors import ConfigError
from rememberer_nb.prompting.prompts import NOW_HEADING, PAGE_PREFIX
from rememberer_nb.system.printable import LINE_LIMIT, TEXT_LIMIT
from rememberer_nb.system.templates import macros, with_source

if TYPE_CHECKING:
    from rememberer_nb.memory import ExperienceMemory

_TEMPLATE = "display/widgets/episode.html"
# Without these classes MathJax takes the text between two prices for a formula.
_ROOT = "rnb mathjax_ignore tex2jax_ignore"
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)
# Bytes of a step alone, and of all steps together; steps of the static form.
_STEP_SIZE = 300_000
_EPISODE_SIZE = 1_200_000
_N_STEPS = 200
# A step is tried with texts of so many characters until it fits.
_LIMITS = (TEXT_LIMIT, 5_000, 1_000, 150)


def episode_html(episode: Episode, memory: ExperienceMemory | None = None) -> str:
    """The whole episode, a foldable section per step; needs no script, no network, no kernel.

    Long texts are cut so that the whole stays below 2 MB; `step_html` shows more of one step.

    Parameters
    ----------
    memory : adds the terms behind the similarities; see `EpisodeInspector`.

    Examples
    --------
    >>> from rememberer_nb.elements import Task
    >>> "no steps" in episode_html(Episode("e", "env", "agent", Task("0", "g"), (), ""))
    True
    """
    stages, shapes = _Stages(episode, memory, seen={}), macros(_TEMPLATE)
    n_shown = min(len(episode.steps), _N_STEPS)
    room, sections = _EPISODE_SIZE, []
    for index in range(n_shown):
        # What one step leaves of its share goes to those after it.
        content = stages.fitted(index, room // (n_shown - index))
        room -= _size(content)
        sections.append(shapes.folded(episode.steps[index], _so_far(episode, index), content))
    rest = len(episode.steps) - n_shown
    left = shapes.steps_left(rest, n_shown)
    return wrap(f"{header_html(episode)}{''.join(sections)}{left}")


def step_html(
    episode: Episode,
    index: int,
    memory: ExperienceMemory | None = None,
    *,
    is_prompt_open: bool = False,
) -> str:
    """One step, all its stages; `index` counts from 0. Goes inside `wrap`."""
    if not 0 <= index < len(episode.steps):
        raise ConfigError(
            f"step must be in [0, {len(episode.steps)}) for this episode, got {index!r}"
        )
    stages = _Stages(episode, memory, is_prompt_open=is_prompt_open).fitted(index, _STEP_SIZE)
    n_steps, so_far = len(episode.steps), _so_far(episode, index)
    return macros(_TEMPLATE).alone(episode.steps[index], n_steps, so_far, stages)


def wrap(body: str) -> str:
    """A fragment with the style sheet and the class that it needs."""
    return f"{style_sheet()}<div class='{_ROOT}'>{body}</div>"


def header_html(episode: Episode) -> str:
    """Who did what, how it ended, and the task."""
    phase = "evaluation" if episode.epoch < 0 else f"training epoch {episode.epoch}"
    return with_source(macros(_TEMPLATE).header(episode, phase), "episode")


def step_summary(step: Step) -> str:
    """One line: number, action, reward, and whether the reply was usable."""
    return macros(_TEMPLATE).summary(step)


def _so_far(episode: Episode, index: int) -> float:
    return sum(episode.rewards[: index + 1])


class _Stages:
    """The stages of an episode's steps, each step as large as there is room for."""

    def __init__(
        self,
        episode: Episode,
        memory: ExperienceMemory | None,
        *,
        is_prompt_open: bool = False,
        seen: dict[str, int] | None = None,
    ):
        self._episode, self._memory = episode, memory
        self._is_prompt_open, self._seen = is_prompt_open, seen
        self._scale = Scale.of(episode)
        self._learns = any(step.updates for step in episode.steps)

    def fitted(self, index: int, room: int) -> str:
        """A step in at most so many bytes, with texts as long as that allows."""
        step = self._episode.steps[index]
        why = [shared_terms(hit, self._memory) for hit in step.decision.hits[:N_LISTED]]
        for limit in _LIMITS:
            stages = self._html(index, why, limit)
            if _size(stages) <= room:
                return with_source(stages, f"episode.steps[{index}]")
        # None of its sections was printed.
        for section in [text for text, at in (self._seen or {}).items() if at == step.index]:
            del self._seen[section]
        return macros(_TEMPLATE).too_large(index)

    def _html(self, index: int, why: Sequence[str], limit: int) -> str:
        step = self._episode.steps[index]
        decision, line_limit = step.decision, min(limit, LINE_LIMIT)
        page = page_html(step.observation, step.available_actions, step.action, limit)
        retrieved = retrieval_html(decision, self._scale, why, line_limit)
        prompt = prompt_html(step, self._is_prompt_open, self._seen, limit)
        stages = [
            ("Page", "what it sees", page),
            ("Retrieved", "similar experience", retrieved),
            ("Prompt", "what it asks", prompt),
            ("Action", "what it does", reply_html(decision, self._scale, limit)),
            ("Learnt", "changed Q values", updates_html(step, self._learns, line_limit)),
        ]
        if index == len(self._episode.steps) - 1 and self._episode.final_observation:
            last = page_html(self._episode.final_observation, limit=limit)
            stages.append(("End", "the last page", last))
        return macros(_TEMPLATE).stages(stages)


def _size(source: str) -> int:
    return len(source.encode())


def prompt_html(
    step: Step,
    is_open: bool = False,
    seen: dict[str, int] | None = None,
    limit: int = TEXT_LIMIT,
) -> str:
    """The step's prompt, folded, and what was left out of it.

    `seen` maps the sections printed so far to their step; with it, neither a section that it holds
    nor the page, which stands above, is printed again. Each section is cut at `limit`.
    """
    prompt = step.decision.prompt
    blocks = [] if prompt is None else list(_prompt_blocks(prompt, step, seen))
    n_more = len(blocks) - N_LISTED
    return macros(_TEMPLATE).prompt(prompt, blocks[:N_LISTED], n_more, is_open, limit)


def _prompt_blocks(
    prompt: Prompt, step: Step, seen: dict[str, int] | None
) -> Iterator[tuple[str, str, str, int | None]]:
    """Role, heading, text and the number of the step that showed it already, if one did."""
    lines = step.observation.strip().splitlines()
    page = "\n".join(PAGE_PREFIX + line.strip() for line in lines)
    sections = [
        (role, part) for role, text in prompt.messages for part in _SECTION.split(text) if part
    ]
    for number, (role, section) in enumerate(sections):
        earlier = step.index
        if seen is not None and number < N_LISTED:
            earlier = seen.setdefault(section, step.index)
        heading = section.splitlines()[0] if section.startswith("## ") else ""
        is_repeated = seen is not None and len(lines) > 1 and section.startswith(NOW_HEADING)
        shown = section.replace(page, "[the page above]", 1) if is_repeated else section
        yield role, heading, shown.rstrip(), None if earlier == step.index else earlier + 1


def reply_html(decision: Decision, scale: Scale, limit: int = TEXT_LIMIT) -> str:
    """The reply, what it predicts, why it could not be used if so, and the action taken."""
    line_limit = min(limit, LINE_LIMIT)
    predicted = predicted_html(decision, scale, line_limit)
    return macros(_TEMPLATE).reply(decision, predicted, limit, line_limit)


def updates_html(step: Step, learns: bool = True, limit: int = LINE_LIMIT) -> str:
    """The updates made after this step, each with the numbers to work it out again."""
    rows = [
        (update, sum(update.gamma**k * reward for k, reward in enumerate(update.rewards)))
        for update in step.updates[:N_LISTED]
    ]
    return macros(_TEMPLATE).updates(rows, len(step.updates) - N_LISTED, learns, limit)
