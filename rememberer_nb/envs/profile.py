"""What the agent needs to know of an environment, and nothing more.

An agent has no special case for any environment: templates, action grammar, page types and the
full mark come from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

# What a gist shows of a page that nobody has worded.
_PAGE_WORDS = 60


def _task_and_page(task: str, observation: str) -> str:
    return f"Task: {task}\nPage: {' '.join(observation.split()[:_PAGE_WORDS])}"


def _as_it_is(action: str, observation: str) -> str:
    return action


@dataclass(frozen=True, slots=True)
class Wording:
    """An environment in few words, for prompts that show no pages.

    Parameters
    ----------
    gist : (task, observation) -> what is to be decided, in a line or few.
    say : (action, observation) -> the action in the words of the page, a placeholder left in; ""
        for what words cannot tell.

    >>> Wording().gist("a lamp", "[Search]"), Wording().say("click[search]", "[Search]")
    ('Task: a lamp\\nPage: [Search]', 'click[search]')
    """

    gist: Callable[[str, str], str] = _task_and_page
    say: Callable[[str, str], str] = _as_it_is


@dataclass(frozen=True, slots=True)
class Profile:
    """One environment as prompts and replies see it.

    Parameters
    ----------
    name : the registered name ("webshop").
    introduction : tells the LLM where it is and what it may do; ends without a newline.
    full_mark : the total reward of a solved task; values in prompts share its unit.
    action_pattern : finds everything in free text that is written like an action; group 0 is it.
    placeholders : parts of available actions that stand for free text ("<keywords>").
    page_type : observation -> name of the kind of page, "" where there are no kinds.
    is_case_sensitive : whether actions that differ in case alone are different actions.
    wording : tasks and actions in few words; by default the page's beginning, and actions as such.

    Examples
    --------
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> WEBSHOP.match("click[Buy Now]", ("click[buy now]", "click[< prev]"))
    'click[buy now]'
    >>> WEBSHOP.match("search[Red Lamp]", ("search[<keywords>]",))
    'search[Red Lamp]'
    >>> WEBSHOP.match("click[moon]", ("click[buy now]",)) is None
    True
    """

    name: str
    introduction: str
    full_mark: float
    action_pattern: re.Pattern[str]
    placeholders: tuple[str, ...]
    page_type: Callable[[str], str]
    is_case_sensitive: bool = False
    wording: Wording = Wording()

    def is_template(self, action: str) -> bool:
        """Whether an available action holds a placeholder, so that it cannot be taken as it is."""
        # A loop: a generator takes three times as long, and every action of a page is asked about.
        for placeholder in self.placeholders:  # noqa: SIM110
            if placeholder in action:
                return True
        return False

    def match(self, action: str, available_actions: Iterable[str]) -> str | None:
        """The available action that `action` means, with placeholders filled; None if none."""
        wanted, written = self._fold(action), action.strip()
        templates, folded = [], None
        for candidate in available_actions:
            if self.is_template(candidate):
                templates.append(candidate)
            elif candidate == written:
                return candidate
            elif folded is None and self._fold(candidate) == wanted:
                folded = candidate
        if folded is not None:
            return folded
        return next((a for t in templates if (a := self._fill(t, action)) is not None), None)

    def _fold(self, action: str) -> str:
        text = _tidy(action)
        return text if self.is_case_sensitive else text.lower()

    def _fill(self, template: str, action: str) -> str | None:
        for placeholder in self.placeholders:
            before, found, after = template.partition(placeholder)
            text = _tidy(action)
            fits = len(text) > len(before) + len(after)
            head, tail = self._fold(text[: len(before)]), self._fold(text[len(text) - len(after) :])
            if found and fits and head == self._fold(before) and tail == self._fold(after):
                filled = text[len(before) : len(text) - len(after)].strip()
                # The placeholder itself, copied from the list of actions, is no text.
                is_text = filled and self._fold(placeholder) not in self._fold(filled)
                return before + filled + after if is_text else None
        return None


_BRACKETS = re.compile(r"(\w+) ?([\[(]) ?(.*?) ?([\])])")


def _tidy(action: str) -> str:
    """On one line, and without spaces around the argument: "click [ a ]" means "click[a]"."""
    text = " ".join(action.split())
    found = _BRACKETS.fullmatch(text)
    return "".join(found.groups()) if found else text


class TextEnv(Protocol):
    """What an environment must offer: a `gymnasium.Env` with text observations.

    `info` carries `task`, `available_actions`, `page_type` and `is_success`.
    """

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start the task `options["task"]`; returns (observation, info)."""
        ...

    def step(self, action: str) -> Any:
        """Returns (observation, reward, terminated, truncated, info)."""
        ...


def profile_of(env: TextEnv) -> Profile:
    """The environment's profile."""
    inner: Any = getattr(env, "unwrapped", env)
    profile: Profile = inner.profile
    return profile
