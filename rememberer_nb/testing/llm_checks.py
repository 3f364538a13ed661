"""Does an LLM keep what `llms.protocol.LLM` promises?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple

from rememberer_nb.elements import Prompt, Reply, Situation, Task
from rememberer_nb.envs.registry import DEFAULT_ENV, get_profile
from rememberer_nb.errors import LLMError
from rememberer_nb.llms.protocol import LLM
from rememberer_nb.llms.wrapped import settings_of
from rememberer_nb.prompting.prompts import build_prompt
from rememberer_nb.testing.checks import ODD_TEXTS, changed, expect, is_one_line, run_checks

Make = Callable[[], LLM]
Call = tuple[Prompt, int]


def sample_prompts(env: str = DEFAULT_ENV) -> tuple[Prompt, ...]:
    """Three prompts of an environment: its first page in words of our own, without exemplars.

    >>> len(sample_prompts())
    3
    """
    profile, page = get_profile(env), "A page.\n[Search]\n[Buy Now]"
    actions = ("search[<keywords>]", "click[buy now]")
    tasks = ("a red lamp", "a blue chair, and price lower than 30.00 dollars", "é")
    return tuple(
        build_prompt(profile, Situation(Task(str(number), task, number), page, actions))
        for number, task in enumerate(tasks)
    )


def check_llm(
    make: Make, calls: Sequence[Call] | None = None, *, is_deterministic: bool = True
) -> tuple[str, ...]:
    """Check an LLM.

    Parameters
    ----------
    make : makes it, the same one every time.
    calls : prompts, each with its call seed, that it can answer; samples of the shop by default.
    is_deterministic : whether it claims the same reply to the same prompt and call seed.

    Returns
    -------
    tuple of str
        The names of the checks.

    Raises
    ------
    CheckError
        Names the check, what was expected and what was found.

    Examples
    --------
    >>> from rememberer_nb import OfflineLLM
    >>> check_llm(lambda: OfflineLLM("webshop"))[:3]
    ('name', 'settings', 'replies')
    """
    asked = tuple(calls or [(prompt, seed) for prompt in sample_prompts() for seed in (0, 7)])
    checks: list[Callable[..., None]] = [name, settings, replies, odd_prompts, threads]
    if is_deterministic:
        checks.append(same_again)
    return run_checks("check_llm", checks, make, asked)


def name(make: Make, calls: Sequence[Call]) -> None:
    """A name on one line."""
    found = make().name
    expect(is_one_line(found), "a name on one line", found)


def settings(make: Make, calls: Sequence[Call]) -> None:
    """Plain values that neither a call nor another instance changes."""
    llm = make()
    before, other = settings_of(llm), settings_of(make())
    differing = changed(before, other)
    expect(not differing, "equal settings of two instances", differing)
    llm.complete(calls[0][0], seed=calls[0][1])
    differing = changed(before, settings_of(llm))
    expect(not differing, "settings that a call does not change", differing)


def replies(make: Make, calls: Sequence[Call]) -> None:
    """Every call gives a `Reply` with a text, counts and a duration."""
    llm = make()
    for prompt, seed in calls:
        _check_reply(llm.complete(prompt, seed=seed))


def _check_reply(reply: object) -> None:
    expect(isinstance(reply, Reply), "a Reply", reply)
    assert isinstance(reply, Reply)
    expect(isinstance(reply.text, str), "a text", reply.text)
    expect(isinstance(reply.model, str), "the model's name", reply.model)
    for count in (reply.prompt_tokens, reply.completion_tokens):
        expect(type(count) is int and count >= 0, "whole numbers of tokens", count)
    seconds = reply.latency_s
    expect(math.isfinite(seconds) and seconds >= 0, "latency_s of at least 0", seconds)


def odd_prompts(make: Make, calls: Sequence[Call]) -> None:
    """What cannot be answered is a reply all the same, or an `LLMError`; nothing else."""
    llm = make()
    for text in ODD_TEXTS:
        try:
            reply = llm.complete(Prompt((("user", text),), text, 1), seed=1)
        except LLMError:
            continue
        _check_reply(reply)


def threads(make: Make, calls: Sequence[Call]) -> None:
    """Several threads may ask one LLM at the same time."""
    llm, asked = make(), list(calls) * 4

    def ask(call: Call) -> Reply:
        return llm.complete(call[0], seed=call[1])

    with ThreadPoolExecutor(4) as pool:
        for reply in pool.map(ask, asked):
            _check_reply(reply)


def same_again(make: Make, calls: Sequence[Call]) -> None:
    """The same prompt and call seed give the same reply: in any order, of another instance."""
    one, other = make(), make()
    first = [_timeless(one.complete(prompt, seed=seed)) for prompt, seed in calls]
    again = [_timeless(other.complete(prompt, seed=seed)) for prompt, seed in reversed(calls)]
    for before, after in zip(first, reversed(again), strict=True):
        expect(before == after, f"the same reply again, {before[0]!r:.40}", after[0])


def _timeless(reply: Reply) -> tuple[object, ...]:
    text, n_prompt, n_completion, _, model = astuple(reply)
    return text, n_prompt, n_completion, model
