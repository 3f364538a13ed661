"""A recorded episode as HTML: pure functions, shared by the inspector and its static fallback.

Each step shows the stages of the loop in order: the page, what was retrieved, the prompt, the reply
and the action, and what was learnt. Everything comes from the recorded `Episode` and is escaped;
nothing is fetched and nothing is run.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rememberer_nb.elements import Decision, Episode, Prompt, Step, Update
from rememberer_nb.errors import ConfigError
from rememberer_nb.prompts import NOW_HEADING, PAGE_PREFIX
from rememberer_nb.widgets.cards import Scale, number, retrieval_html
from rememberer_nb.widgets.page import page_html
from rememberer_nb.widgets.style import style_sheet

if TYPE_CHECKING:
    from rememberer_nb.memory import ExperienceMemory

# Without these classes MathJax takes the text between two prices for a formula.
_ROOT = "rnb mathjax_ignore tex2jax_ignore"
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)


def episode_html(episode: Episode, memory: ExperienceMemory | None = None) -> str:
    """The whole episode, a foldable section per step; needs no script, no network, no kernel.

    Parameters
    ----------
    memory : adds the terms behind the similarities; see `EpisodeInspector`.

    Examples
    --------
    >>> from rememberer_nb.elements import Task
    >>> "no steps" in episode_html(Episode("e", "env", "agent", Task("0", "g"), (), ""))
    True
    """
    seen: dict[str, int] = {}
    steps = [
        f"<details class='step'{' open' if step.index == 0 else ''}>"
        f"<summary>{step_summary(step)}</summary>"
        f"{_step_chips(episode, index)}{_stages(episode, index, memory, seen=seen)}</details>"
        for index, step in enumerate(episode.steps)
    ]
    return wrap(header_html(episode) + "".join(steps))


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
    stages = _stages(episode, index, memory, is_prompt_open=is_prompt_open)
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
    who = f"<b>{html.escape(episode.agent)}</b> in {html.escape(episode.env or 'an environment')}"
    soft = html.escape(f"task {episode.task.task_id}, {phase}, seed {episode.seed}")
    return (
        f"<div class='head'><span>{who}</span>{_chips(chips)}<span class='soft'>{soft}</span></div>"
        f"<div class='task'>{html.escape(episode.task.text)}</div>"
    )


def step_summary(step: Step) -> str:
    """One line: number, action, reward, and whether the reply was usable."""
    parts = [f"<b>Step {step.index + 1}</b>", f"<code>{html.escape(step.action)}</code>"]
    parts += [f"reward {number(step.reward)}"] if step.reward else []
    parts += ["reply error"] if step.decision.error is not None else []
    return " · ".join(parts)


def _step_chips(episode: Episode, index: int) -> str:
    step = episode.steps[index]
    so_far = sum(episode.rewards[: index + 1])
    chips = [("", f"{step.page_type} page")] if step.page_type else []
    chips += [("good" if step.reward > 0 else "", f"reward {number(step.reward)}")]
    chips += [("", f"so far {number(so_far)}")]
    chips += [("", "terminated: the episode ends")] if step.terminated else []
    chips += [("", "truncated: step limit")] if step.truncated else []
    return _chips(chips)


def _stages(
    episode: Episode,
    index: int,
    memory: ExperienceMemory | None,
    *,
    is_prompt_open: bool = False,
    seen: dict[str, int] | None = None,
) -> str:
    step = episode.steps[index]
    decision = step.decision
    page = page_html(step.observation, step.available_actions, step.action)
    stages = [
        ("Page", "what it sees", page),
        ("Retrieved", "similar experience", retrieval_html(decision, Scale.of(episode), memory)),
        ("Prompt", "what it asks", prompt_html(step, is_prompt_open, seen)),
        ("Action", "what it does", reply_html(decision)),
        ("Learnt", "changed Q values", updates_html(step, _learns(episode))),
    ]
    if index == len(episode.steps) - 1 and episode.final_observation:
        stages.append(("End", "the last page", page_html(episode.final_observation)))
    return "".join(
        f"<div class='stage'><div class='name'>{name}<span class='soft'>{note}</span></div>"
        f"<div>{content}</div></div>"
        for name, note, content in stages
    )


def _learns(episode: Episode) -> bool:
    return any(step.updates for step in episode.steps)


def prompt_html(step: Step, is_open: bool = False, seen: dict[str, int] | None = None) -> str:
    """The step's prompt, folded, and what was left out of it.

    `seen` maps the sections printed so far to their step; with it, neither a section that it holds
    nor the page, which stands above, is printed again.
    """
    prompt = step.decision.prompt
    if prompt is None:
        return "<span class='soft'>This agent asks no LLM.</span>"
    blocks = "".join(_prompt_blocks(prompt, step, seen))
    box = f"<div class='box' tabindex='0' role='group' aria-label='Prompt'>{blocks}</div>"
    size = f"{prompt.n_tokens} tokens, {_count(len(prompt.messages), 'message')}"
    left_out = "".join(_soft(f"Left out: {item.what}: {item.why}") for item in prompt.left_out)
    is_open_attribute = " open" if is_open else ""
    return f"<details{is_open_attribute}><summary>{size}</summary>{box}</details>{left_out}"


def _prompt_blocks(prompt: Prompt, step: Step, seen: dict[str, int] | None) -> Iterator[str]:
    lines = step.observation.strip().splitlines()
    page = "\n".join(PAGE_PREFIX + line.strip() for line in lines)
    for role, text in prompt.messages:
        for section in filter(None, _SECTION.split(text)):
            earlier = step.index if seen is None else seen.setdefault(section, step.index)
            if earlier != step.index:
                name = section.splitlines()[0] if section.startswith("## ") else f"{role} message"
                yield _soft(f"[{name}: as at step {earlier + 1}]")
                continue
            is_repeated = seen is not None and len(lines) > 1 and section.startswith(NOW_HEADING)
            shown = section.replace(page, "[the page above]", 1) if is_repeated else section
            yield f"<pre>{html.escape(shown.rstrip())}</pre>"


def reply_html(decision: Decision) -> str:
    """The reply, why it could not be used if so, and the action that was taken."""
    parts = []
    if decision.reply is not None:
        reply = decision.reply
        cost = f"{reply.prompt_tokens} + {reply.completion_tokens} tokens, {reply.latency_s:.2f} s"
        about = f"{html.escape(reply.model)}: {cost}" if reply.model else cost
        parts.append(f"<div class='soft'>Reply of {about}</div>")
        parts.append(f"<pre>{html.escape(reply.text) or '(empty)'}</pre>")
    if decision.error is not None:
        error = html.escape(decision.error)
        parts.append(
            f"<div class='error'><b>Reply error</b>: {error}. "
            "The action is the agent's fallback instead.</div>"
        )
    action = f"<b>Action</b>&ensp;<code class='chosen'>{html.escape(decision.action)}</code>"
    why = f"&ensp;<span class='soft'>because {html.escape(decision.rationale)}</span>"
    parts.append(f"<div class='act'>{action}{why if decision.rationale else ''}</div>")
    return "".join(parts)


def updates_html(step: Step, learns: bool = True) -> str:
    """The updates made after this step, each with the numbers to work it out again."""
    if not step.updates:
        why = "no target was complete yet" if learns else "the memory was not learning"
        return _soft(f"Nothing: {why}.")
    rows = "".join(_update_row(update) for update in step.updates)
    head = "<th>action of</th><th>target Q′</th><th class='n'>α</th><th class='n'>Q</th>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _update_row(update: Update) -> str:
    arrow = "▲" if update.q_after > update.q_before else "▼"
    arrow = "=" if update.q_after == update.q_before else arrow
    action = f"step {update.step + 1}: <code>{html.escape(update.action)}</code>"
    where = _soft(f"record {update.record_id}, visit {update.n_visits}")
    change = f"{number(update.q_before)} → <b>{number(update.q_after)}</b> {arrow}"
    return (
        f"<tr><td>{action}{where}</td><td>{_target_html(update)}</td>"
        f"<td class='n'>{number(update.learning_rate)}</td><td class='n'>{change}</td></tr>"
    )


def _target_html(update: Update) -> str:
    n, gamma = len(update.rewards), update.gamma
    rewards = ", ".join(number(reward) for reward in update.rewards)
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
    return " ".join(f"<span class='chip {kind}'>{html.escape(text)}</span>" for kind, text in chips)


def _soft(text: str) -> str:
    return f"<div class='soft'>{html.escape(text)}</div>"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
