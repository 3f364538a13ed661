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
    listed,
    number,
    retrieval_html,
    shared_terms,
)
from rememberer_nb.display.widgets.page import page_html
from rememberer_nb.display.widgets.style import style_sheet
from rememberer_nb.elements import Decision, Episode, Prompt, Step, Update
from rememberer_nb.errors import ConfigError
from rememberer_nb.prompting.prompts import NOW_HEADING, PAGE_PREFIX
from rememberer_nb.system.printable import (
    LINE_LIMIT,
    TEXT_LIMIT,
    clip_html,
    isolated_html,
    with_source,
)

if TYPE_CHECKING:
    from rememberer_nb.memory import ExperienceMemory

# Without these classes MathJax takes the text between two prices for a formula.
_ROOT = "rnb mathjax_ignore tex2jax_ignore"
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)
# Bytes of a step alone, and of all steps together; steps of the static form.
_STEP_SIZE = 300_000
_EPISODE_SIZE = 1_200_000
_N_STEPS = 200
# A step is tried with texts of so many characters until it fits.
_LIMITS = (TEXT_LIMIT, 5_000, 1_000, 150)
_NAME_LIMIT = 200
_REPLY_LIMIT = 5_000


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
    stages = _Stages(episode, memory, seen={})
    n_shown = min(len(episode.steps), _N_STEPS)
    room, sections = _EPISODE_SIZE, []
    for index in range(n_shown):
        # What one step leaves of its share goes to those after it.
        content = stages.fitted(index, room // (n_shown - index))
        room -= _size(content)
        sections.append(
            f"<details class='step'{' open' if index == 0 else ''}>"
            f"<summary>{step_summary(episode.steps[index])}</summary>"
            f"{_step_chips(episode, index)}{content}</details>"
        )
    if rest := len(episode.steps) - n_shown:
        shows = f"EpisodeInspector(episode, step={n_shown}) shows them"
        sections.append(_soft(f"… {rest:,} more steps: {shows}"))
    return wrap(header_html(episode) + "".join(sections))


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
    where = f"<b>Step {index + 1} of {len(episode.steps)}</b> <span class='soft'>t = {index}</span>"
    stages = _Stages(episode, memory, is_prompt_open=is_prompt_open).fitted(index, _STEP_SIZE)
    return (
        f"<div class='head where'><span>{where}</span>{_step_chips(episode, index)}</div>{stages}"
    )


def wrap(body: str) -> str:
    """A fragment with the style sheet and the class that it needs."""
    return f"{style_sheet()}<div class='{_ROOT}'>{body}</div>"


def header_html(episode: Episode) -> str:
    """Who did what, how it ended, and the task."""
    n_steps, n_errors = len(episode.steps), episode.n_reply_errors
    phase = "evaluation" if episode.epoch < 0 else f"training epoch {episode.epoch}"
    verdict = ("good", "✓ success") if episode.is_success else ("bad", "✗ no success")
    chips = [(verdict[0], verdict[1]), ("", f"reward {number(episode.total_reward)}")]
    chips += [("", _count(n_steps, "step"))] if n_steps else [("", "no steps")]
    chips += [("", "step limit reached")] if episode.truncated else []
    chips += [("bad", _count(n_errors, "reply error"))] if n_errors else []
    env = isolated_html(episode.env or "an environment", _NAME_LIMIT)
    who = f"<b>{isolated_html(episode.agent, _NAME_LIMIT)}</b> in {env}"
    task_id = isolated_html(episode.task.task_id, _NAME_LIMIT)
    soft = f"task {task_id}, {phase}, seed {episode.seed}"
    head = (
        f"<div class='head'><span>{who}</span>{_chips(chips)}<span class='soft'>{soft}</span></div>"
        f"<div class='task'>{clip_html(episode.task.text, TEXT_LIMIT)}</div>"
    )
    return with_source(head, "episode")


def step_summary(step: Step) -> str:
    """One line: number, action, reward, and whether the reply was usable."""
    parts = [f"<b>Step {step.index + 1}</b>", f"<code>{clip_html(step.action, _NAME_LIMIT)}</code>"]
    parts += [f"reward {number(step.reward)}"] if step.reward else []
    parts += ["reply error"] if step.decision.error is not None else []
    return " · ".join(parts)


def _step_chips(episode: Episode, index: int) -> str:
    step = episode.steps[index]
    so_far = sum(episode.rewards[: index + 1])
    chips = [("", f"{isolated_html(step.page_type, _NAME_LIMIT)} page")] if step.page_type else []
    chips += [("good" if step.reward > 0 else "", f"reward {number(step.reward)}")]
    chips += [("", f"so far {number(so_far)}")]
    chips += [("", "terminated: the episode ends")] if step.terminated else []
    chips += [("", "truncated: step limit")] if step.truncated else []
    return _chips(chips)


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
        return _soft(f"This step is too large to be shown: episode.steps[{index}] holds it.")

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
            ("Action", "what it does", reply_html(decision, limit)),
            ("Learnt", "changed Q values", updates_html(step, self._learns, line_limit)),
        ]
        if index == len(self._episode.steps) - 1 and self._episode.final_observation:
            last = page_html(self._episode.final_observation, limit=limit)
            stages.append(("End", "the last page", last))
        return "".join(
            f"<div class='stage'><div class='name'>{name}<span class='soft'>{note}</span></div>"
            f"<div>{content}</div></div>"
            for name, note, content in stages
        )


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
    if prompt is None:
        return "<span class='soft'>This agent asks no LLM.</span>"
    blocks = "".join(_prompt_blocks(prompt, step, seen, limit))
    box = f"<div class='box' tabindex='0' role='group' aria-label='Prompt'>{blocks}</div>"
    size = f"{prompt.n_tokens} tokens, {_count(len(prompt.messages), 'message')}"
    parts = [(item.what, item.why) for item in prompt.left_out]
    names = [tuple(isolated_html(part, _NAME_LIMIT) for part in pair) for pair in parts]
    left_out = listed([_soft(f"Left out: {what}: {why}") for what, why in names], "left out")
    is_open_attribute = " open" if is_open else ""
    return f"<details{is_open_attribute}><summary>{size}</summary>{box}</details>{left_out}"


def _prompt_blocks(
    prompt: Prompt, step: Step, seen: dict[str, int] | None, limit: int
) -> Iterator[str]:
    lines = step.observation.strip().splitlines()
    page = "\n".join(PAGE_PREFIX + line.strip() for line in lines)
    sections = [
        (role, part) for role, text in prompt.messages for part in _SECTION.split(text) if part
    ]
    for role, section in sections[:N_LISTED]:
        earlier = step.index if seen is None else seen.setdefault(section, step.index)
        if earlier != step.index:
            heading = section.startswith("## ") and section.splitlines()[0]
            name = isolated_html(heading, _NAME_LIMIT) if heading else f"{clip_html(role)} message"
            yield _soft(f"[{name}: as at step {earlier + 1}]")
            continue
        is_repeated = seen is not None and len(lines) > 1 and section.startswith(NOW_HEADING)
        shown = section.replace(page, "[the page above]", 1) if is_repeated else section
        yield f"<pre>{clip_html(shown.rstrip(), limit)}</pre>"
    if len(sections) > N_LISTED:
        yield _soft(f"{len(sections) - N_LISTED:,} more sections")


def reply_html(decision: Decision, limit: int = TEXT_LIMIT) -> str:
    """The reply, why it could not be used if so, and the action that was taken."""
    parts, line_limit = [], min(limit, LINE_LIMIT)
    if decision.reply is not None:
        reply = decision.reply
        cost = f"{reply.prompt_tokens} + {reply.completion_tokens} tokens, {reply.latency_s:.2f} s"
        model = isolated_html(reply.model, _NAME_LIMIT)
        parts.append(_soft(f"Reply of {f'{model}: ' if reply.model else ''}{cost}"))
        parts.append(f"<pre>{clip_html(reply.text, min(limit, _REPLY_LIMIT)) or '(empty)'}</pre>")
    if decision.error is not None:
        error = isolated_html(decision.error, line_limit)
        parts.append(
            f"<div class='error'><b>Reply error</b>: {error}. "
            "The action is the agent's fallback instead.</div>"
        )
    action = clip_html(decision.action, line_limit)
    parts.append(f"<div class='act'><b>Action</b>&ensp;<code class='chosen'>{action}</code>")
    if decision.rationale:
        why = isolated_html(decision.rationale, line_limit)
        parts.append(f"&ensp;<span class='soft'>because {why}</span>")
    return "".join([*parts, "</div>"])


def updates_html(step: Step, learns: bool = True, limit: int = LINE_LIMIT) -> str:
    """The updates made after this step, each with the numbers to work it out again."""
    if not step.updates:
        why = "no target was complete yet" if learns else "the memory was not learning"
        return _soft(f"Nothing: {why}.")
    rows = "".join(_update_row(update, limit) for update in step.updates[:N_LISTED])
    rest = len(step.updates) - N_LISTED
    head = "<th>action of</th><th>target Q′</th><th class='n'>α</th><th class='n'>Q</th>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return table + (_soft(f"{rest:,} more updates") if rest > 0 else "")


def _update_row(update: Update, limit: int) -> str:
    arrow = "▲" if update.q_after > update.q_before else "▼"
    arrow = "=" if update.q_after == update.q_before else arrow
    action = f"step {update.step + 1}: <code>{clip_html(update.action, limit)}</code>"
    where = _soft(f"record {update.record_id}, visit {update.n_visits}")
    change = f"{number(update.q_before)} → <b>{number(update.q_after)}</b> {arrow}"
    return (
        f"<tr><td>{action}{where}</td><td>{_target_html(update)}</td>"
        f"<td class='n'>{number(update.learning_rate)}</td><td class='n'>{change}</td></tr>"
    )


def _target_html(update: Update) -> str:
    n, gamma = len(update.rewards), update.gamma
    rewards = ", ".join(number(reward) for reward in update.rewards[:N_LISTED])
    rewards += f" and {n - N_LISTED:,} more" if n > N_LISTED else ""
    discounted = number(sum(gamma**k * reward for k, reward in enumerate(update.rewards)))
    note = f"rewards {rewards} (γ = {gamma:g})"
    if update.bootstrap_value is None:
        return f"<b>{number(update.target)}</b>{_soft(f'{note}, nothing bootstrapped')}"
    best = number(update.bootstrap_value)
    stand_in = ", the most similar one, which stands in" if update.is_stand_in else ""
    source = f"{best} = max Q of record {update.bootstrap_record_id}{stand_in}"
    sum_html = f"{discounted} + γ<sup>{n}</sup> · {best} = <b>{number(update.target)}</b>"
    return f"{sum_html}{_soft(f'{note}; {source}')}"


def _chips(chips: list[tuple[str, str]]) -> str:
    return " ".join(f"<span class='chip {kind}'>{content}</span>" for kind, content in chips)


def _soft(content: str) -> str:
    return f"<div class='soft'>{content}</div>"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
