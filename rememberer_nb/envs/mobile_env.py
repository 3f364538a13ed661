"""Mobile-Env's WikiHow tasks as an environment of this project.

A thin adapter: it takes an environment that speaks dm_env as Mobile-Env's `VhIoWrapper` does, shows
its view hierarchies as simplified HTML, and turns text actions into that wrapper's action values.

It has been tested against a stand-in that speaks the same interface; **no emulator was ever run**.
Mobile-Env (github.com/X-LANCE/Mobile-Env, the extra ``mobile``), its task files and an Android
emulator are needed to run it on the real thing, and nothing of that to import this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from rememberer_nb.elements import Task
from rememberer_nb.envs.profile import Profile
from rememberer_nb.envs.screens import Element, screen_actions, with_instruction
from rememberer_nb.envs.text_env import TextTaskEnv
from rememberer_nb.envs.wikihow.profile import WIKIHOW
from rememberer_nb.errors import DataError, MissingExtraError

# Numbers of Mobile-Env's action values (android_env.wrappers.VhIoWrapper).
NOTHING, CLICK, INPUT, SCROLL, GOBACK = range(5)
DIRECTIONS = {"UP": 1, "DOWN": 3}
# Longer texts are refused: an emulator types one token at a time.
MAX_TEXT = 1000

_ACTION = re.compile(
    r"(?:(?P<click>CLICK)\(\s*(?P<pressed>\d{1,9})\s*\)"
    r"|(?P<input>INPUT)\(\s*(?P<field>\d{1,9})\s*,\s*(?P<text>.*?)\s*\)"
    r"|(?P<scroll>SCROLL)\(\s*(?P<way>UP|DOWN)\s*\)"
    r"|(?P<goback>GOBACK)(?:\(\s*\))?)",
    re.DOTALL,
)
_BOUNDS = re.compile(r"\[(-?\d+),(-?\d+)\]\[(-?\d+),(-?\d+)\]")
_TAGS = (
    (("TextView",), "p"),
    (("Button", "MenuItemView"), "button"),
    (("ImageView", "IconView", "Image"), "img"),
    (("EditText",), "input"),
)


class Node(Protocol):
    """A node of a view hierarchy: an element of lxml.etree or of xml.etree.ElementTree."""

    def get(self, key: str) -> str | None:
        """An attribute's value."""
        ...

    def __iter__(self) -> Iterator[Node]: ...


class AndroidTasks(Protocol):
    """What is asked of Mobile-Env: the part of its interface that this adapter calls."""

    nb_tasks: int
    task_id: str

    def switch_task(self, index: int) -> Any:
        """Begin a task; returns the first TimeStep."""
        ...

    def step(self, action: Mapping[str, np.ndarray]) -> Any:
        """Returns a TimeStep: reward, observation["view_hierarchy"], last(), and how it ended."""
        ...

    def command(self) -> list[str]:
        """The whole task, an instruction each."""
        ...

    def task_instructions(self, latest_only: bool = False) -> Any:
        """Instructions shown on the last step; the latest as one text, "" if there is none."""
        ...


def read_hierarchy(root: Node) -> tuple[Element, ...]:
    """The leaves of a view hierarchy that take up space, numbered as `VhIoWrapper` numbers them.

    An element can be pressed if it or anything around it can.

    Raises
    ------
    DataError
        A leaf has no readable bounds.

    >>> from xml.etree import ElementTree
    >>> leaf = '<node class="a.TextView" text="hop" bounds="[0,0][9,9]" clickable="true"/>'
    >>> read_hierarchy(ElementTree.fromstring(f"<hierarchy>{leaf}</hierarchy>"))[0].to_html()
    '<p id="0" clickable="true">hop</p>'
    """
    elements: list[Element] = []
    stack = [(child, root.get("clickable") == "true") for child in reversed(list(root))]
    while stack:
        node, is_around = stack.pop()
        is_clickable = is_around or node.get("clickable") == "true"
        children = list(node)
        if not children and _takes_space(node):
            elements.append(_element(node, len(elements), is_clickable))
        stack += [(child, is_clickable) for child in reversed(children)]
    return tuple(elements)


def _takes_space(node: Node) -> bool:
    found = _BOUNDS.fullmatch(node.get("bounds") or "")
    if found is None:
        raise DataError(f"a view has no readable bounds: {node.get('bounds')!r:.80}")
    left, top, right, bottom = map(int, found.groups())
    return left < right and top < bottom


def _element(node: Node, number: int, is_clickable: bool) -> Element:
    kind = node.get("class") or ""
    tag = next((tag for endings, tag in _TAGS if kind.endswith(endings)), "div")
    label = (node.get("resource-id") or "").rpartition("/")[2].replace("_", " ")
    alt, text = node.get("content-desc") or "", node.get("text") or ""
    if tag == "img":
        alt, text = ": ".join(part for part in (alt, text) if part), ""
    return Element(tag, number, label, alt, text, is_clickable)


class MobileEnv(TextTaskEnv):
    """Mobile-Env behind this project's interface; see the module's docstring.

    An observation is the screen as simplified HTML, with the latest instruction as last line.
    The last step tells how an episode ended: from Mobile-Env 4 on by its `succeeds`, where None is
    an end from outside (`truncated`); before that by dm_env's `discount`, where anything but 0 is
    `truncated`. Success is not reported there: an end by a rewarded step counts as one.

    `info` holds `task`, `available_actions`, `page_type`, `is_success`, `instruction` (the latest
    one), and `no_op`: why an action did nothing, or "". Such an action is not sent to the app.

    Parameters
    ----------
    android : the wrapped environment, `VhIoWrapper(android_env.load(...), ...)`.
    profile : what an agent needs to know; by default the how-to site's.
    """

    def __init__(self, android: AndroidTasks, *, profile: Profile | None = None):
        super().__init__()
        self.android = android
        self.profile = profile or WIKIHOW
        self._tasks = [Task(str(i), "", number=i) for i in range(android.nb_tasks)]
        self._number: int | None = None
        self._elements: tuple[Element, ...] = ()
        self._instruction = ""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks by number; a task's text is known once it has been begun."""
        return tuple(self._tasks)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin the task `options["task"]`, or one drawn at random.

        Raises
        ------
        TaskError
            There is no such task; the message names the range.
        """
        number = self._choose_task(seed, options).number
        first = self.android.switch_task(number)
        text = "\n".join(line.strip() for line in self.android.command())
        self._tasks[number] = Task(str(self.android.task_id), text, number=number)
        self._number, self._instruction = number, ""
        self._look(first)
        return self.render(), self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carry out a text action; what cannot be done changes nothing, and `info` says why."""
        self._check_action(action, self._number is not None)
        values, no_op = self._read(action)
        if values is None:
            return self.render(), 0.0, False, False, self._info(no_op=no_op)
        taken = self.android.step(values)
        self._look(taken)
        reward = float(taken.reward or 0.0)
        terminated, truncated, is_success = _ending(taken, reward)
        info = self._info(is_success=is_success)
        if terminated or truncated:
            self._number = None
        return self.render(), reward, terminated, truncated, info

    def render(self) -> str:  # type: ignore[override]
        """The screen, an element a line, and the latest instruction."""
        screen = "\n".join(element.to_html() for element in self._elements)
        return with_instruction(screen, self._instruction)

    def _look(self, step: Any) -> None:
        self._elements = read_hierarchy(step.observation["view_hierarchy"])
        latest = self.android.task_instructions(latest_only=True)
        self._instruction = str(latest).strip() or self._instruction

    def _read(self, action: str) -> tuple[dict[str, np.ndarray] | None, str]:
        found = _ACTION.fullmatch(action.strip())
        if found is None:
            return None, "no action of this app"
        if found["goback"]:
            return _values(GOBACK), ""
        if found["scroll"]:
            return _values(SCROLL, direction=DIRECTIONS[found["way"]]), ""
        number = int(found["pressed"] or found["field"])
        if number >= len(self._elements):
            return None, f"no element {number} on this screen"
        element = self._elements[number]
        if found["click"] and not element.is_clickable:
            return None, f"element {number} cannot be pressed"
        if found["click"]:
            return _values(CLICK, element_id=number), ""
        text = found["text"]
        if not element.takes_text:
            return None, f"element {number} takes no text"
        if len(text) > MAX_TEXT:
            return None, f"a text of more than {MAX_TEXT} characters"
        return _values(INPUT, element_id=number, text=text), ""

    def _info(self, *, is_success: bool = False, no_op: str = "") -> dict[str, Any]:
        return {
            "task": self._tasks[self._number] if self._number is not None else None,
            "available_actions": screen_actions(self._elements),
            "page_type": self.profile.page_type(self.render()),
            "is_success": is_success,
            "instruction": self._instruction,
            "no_op": no_op,
        }


def connect(task_path: str, avd_name: str, tokenizer: Any, **settings: Any) -> MobileEnv:
    """Start Mobile-Env on an emulator, and adapt it.

    Parameters
    ----------
    task_path : the folder of task files.
    avd_name : the Android virtual device.
    tokenizer : turns typed text into tokens; see `VhIoWrapper`.
    settings : the others of `android_env.load`, such as `unify_vocabulary`.

    Raises
    ------
    MissingExtraError
        Mobile-Env is not installed.
    """
    try:
        import android_env
        from android_env.wrappers import VhIoWrapper
    except ImportError as error:
        raise MissingExtraError("mobile-env-rl", extra="mobile") from error
    android = android_env.load(task_path, avd_name, with_view_hierarchy=True, **settings)
    return MobileEnv(VhIoWrapper(android, tokenizer))


def _ending(step: Any, reward: float) -> tuple[bool, bool, bool]:
    """terminated, truncated, is_success of a TimeStep of either kind."""
    if not step.last():
        return False, False, False
    if hasattr(step, "succeeds"):
        is_cut_off, is_success = step.succeeds is None, bool(step.succeeds)
    else:
        is_cut_off = bool(step.discount)
        is_success = not is_cut_off and reward > 0
    return not is_cut_off, is_cut_off, is_success


def _values(action_type: int, *, text: str | None = None, **numbers: int) -> dict[str, np.ndarray]:
    """Mobile-Env's action values: every one of them an array without dimensions."""
    values = {"action_type": np.array(action_type, dtype=np.int32)}
    values |= {name: np.array(number, dtype=np.int32) for name, number in numbers.items()}
    return values if text is None else {**values, "text": np.array(text, dtype=np.object_)}
