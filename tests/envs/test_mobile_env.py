"""The adapter to Mobile-Env against a stand-in that speaks its dm_env interface; no emulator."""

from __future__ import annotations

import enum
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env

from rememberer_nb.agents.baselines import RandomAgent
from rememberer_nb.envs.mobile_env import MAX_TEXT, MobileEnv, connect, read_hierarchy
from rememberer_nb.errors import DataError, MissingExtraError, TaskError
from rememberer_nb.loop.episode import run_episode


class StepType(enum.IntEnum):
    """As in dm_env."""

    FIRST = 0
    MID = 1
    LAST = 2


@dataclass(frozen=True)
class TimeStep:
    """As in dm_env."""

    step_type: StepType
    reward: float | None
    discount: float | None
    observation: dict[str, Any]

    def last(self) -> bool:
        return self.step_type == StepType.LAST


def view(kind: str, *children: str, bounds: str = "[0,0][10,10]", **attributes: str) -> str:
    """A node of a view hierarchy, as XML."""
    shown = {"class": f"android.widget.{kind}", "bounds": bounds, "clickable": "false"}
    shown |= {name.replace("_", "-"): text for name, text in attributes.items()}
    element = ElementTree.Element("node", shown)
    for child in children:
        element.append(ElementTree.fromstring(child))
    return ElementTree.tostring(element, encoding="unicode")


SEARCH = view("ImageView", content_desc="Search", resource_id="app:id/search_button",
              clickable="true")  # fmt: skip
BAR = view("View", resource_id="android:id/statusBarBackground")
START = view("FrameLayout", view("ImageButton", content_desc="Open drawer"), SEARCH, BAR)
RESULTS = view(
    "FrameLayout",
    view("EditText", text="hop", resource_id="app:id/search_src_text", clickable="true"),
    view("LinearLayout", view("View", text="How to Hop"), clickable="true"),
    BAR,
)
ARTICLE = view("FrameLayout", view("TextView", text="How to Hop"), BAR)


@dataclass(frozen=True)
class NewTimeStep:
    """As from Mobile-Env 4 on."""

    step_type: StepType
    reward: float
    observation: dict[str, Any]
    succeeds: bool | None = None

    def last(self) -> bool:
        return self.step_type == StepType.LAST


class FakeAndroid:
    """Two instructions: a search for "hop", then a press on the second element.

    It speaks the part of Mobile-Env's interface that its own agents use.
    """

    nb_tasks = 2

    def __init__(self, *, is_cut_off: bool = False, ends_unrewarded: bool = False) -> None:
        self.is_cut_off, self.ends_unrewarded = is_cut_off, ends_unrewarded
        self.actions: list[dict[str, Any]] = []
        self.task_id = ""
        self._instructions: list[str] = []

    def switch_task(self, index: int) -> TimeStep:
        self.task_id, self._instructions = f"hop-{index}", []
        return self._step(StepType.FIRST, START)

    def command(self) -> list[str]:
        return ["Search an article to learn how to hop. ", 'Then, access the article "How to Hop"']

    def task_instructions(self, latest_only: bool = False) -> Any:
        if latest_only:
            return self._instructions[-1] if self._instructions else ""
        return self._instructions

    def step(self, action: Mapping[str, np.ndarray]) -> TimeStep:
        assert all(isinstance(v, np.ndarray) and v.shape == () for v in action.values())
        plain = {name: value.item() for name, value in action.items()}
        self.actions.append(plain)
        self._instructions = []
        if plain["action_type"] == 2 and plain["text"] == "hop":
            self._instructions = ["Check that", 'Access the article "How to Hop"']
            return self._step(StepType.MID, RESULTS, 1.0)
        if plain == {"action_type": 1, "element_id": 1}:
            reward = 0.0 if self.ends_unrewarded else 1.0
            discount = 1.0 if self.is_cut_off else 0.0
            return self._step(StepType.LAST, ARTICLE, reward, discount)
        return self._step(StepType.MID, START)

    @staticmethod
    def _step(
        kind: StepType, screen: str, reward: float | None = 0.0, discount: float = 0.0
    ) -> TimeStep:
        hierarchy = ElementTree.fromstring(f"<hierarchy>{screen}</hierarchy>")
        return TimeStep(kind, reward, discount, {"pixels": None, "view_hierarchy": hierarchy})


def begun(**settings: bool) -> tuple[FakeAndroid, MobileEnv]:
    android = FakeAndroid(**settings)
    env = MobileEnv(android)
    env.reset(options={"task": 1})
    return android, env


# Screens


def test_a_hierarchy_as_simplified_html() -> None:
    leaves = [
        view("Button", text="Go", content_desc="Go on"),
        view("ActionMenuItemView", content_desc="More"),
        view("ImageView", text="cat", content_desc="picture"),
        view("Image", text="dog.jpg", resource_id="62e5"),
        view("EditText", text='a "b"', resource_id="com.app:id/search_src_text"),
        view("TextView", text="1 < 2\nlines", clickable="true"),
        view("View", resource_id="nav_bar"),
    ]
    root = ElementTree.fromstring(f"<hierarchy>{view('FrameLayout', *leaves)}</hierarchy>")
    assert [element.to_html() for element in read_hierarchy(root)] == [
        '<button alt="Go on" id="0" clickable="false">Go</button>',
        '<button alt="More" id="1" clickable="false"></button>',
        '<img alt="picture: cat" id="2" clickable="false">',
        '<img class="62e5" alt="dog.jpg" id="3" clickable="false">',
        '<input class="search src text" value="a &quot;b&quot;" type="text" id="4" '
        'clickable="false">',
        '<p id="5" clickable="true">1 &lt; 2&#10;lines</p>',
        '<div class="nav bar" id="6" clickable="false"></div>',
    ]


def test_only_leaves_that_take_space_are_numbered() -> None:
    leaves = [
        view("TextView", text="a", bounds="[0,0][0,0]"),
        view("TextView", text="b", bounds="[5,0][5,9]"),
        view("TextView", text="c", bounds="[0,9][9,9]"),
        view("TextView", text="d", bounds="[9,0][5,9]"),
        view("TextView", text="e", bounds="[-5,-5][5,9]"),
    ]
    root = ElementTree.fromstring(view("FrameLayout", *leaves))
    assert [(e.number, e.text) for e in read_hierarchy(root)] == [(0, "e")]
    assert read_hierarchy(ElementTree.fromstring("<hierarchy/>")) == ()


def test_what_stands_in_something_clickable_is_clickable() -> None:
    inner = view("LinearLayout", view("TextView", text="deep"))
    root = view("FrameLayout", view("LinearLayout", inner, clickable="true"), view("TextView"))
    elements = read_hierarchy(ElementTree.fromstring(root))
    assert [element.is_clickable for element in elements] == [True, False]


@pytest.mark.parametrize("bounds", ["", "everywhere", "[0,0][1]"])
def test_bounds_that_cannot_be_read(bounds: str) -> None:
    with pytest.raises(DataError, match="no readable bounds"):
        read_hierarchy(ElementTree.fromstring(view("F", view("TextView", bounds=bounds))))


# Episodes


def test_an_episode() -> None:
    android = FakeAndroid()
    env = MobileEnv(android)
    assert [task.text for task in env.tasks] == ["", ""]
    observation, info = env.reset(options={"task": 1})
    assert observation.split("\n") == [
        '<button alt="Open drawer" id="0" clickable="false"></button>',
        '<img class="search button" alt="Search" id="1" clickable="true">',
        '<div class="statusBarBackground" id="2" clickable="false"></div>',
    ]
    assert info["available_actions"] == (
        "INPUT(1, <text>)", "CLICK(1)", "SCROLL(UP)", "SCROLL(DOWN)", "GOBACK",
    )  # fmt: skip
    assert info["task"].task_id == "hop-1"
    assert info["task"].text == (
        'Search an article to learn how to hop.\nThen, access the article "How to Hop"'
    )
    assert env.tasks[1] == info["task"]

    observation, reward, terminated, truncated, info = env.step("INPUT(1, hop)")
    assert (reward, terminated, truncated) == (1.0, False, False)
    assert observation.split("\n")[-1] == 'Instruction: Access the article "How to Hop"'
    assert (info["page_type"], info["is_success"], info["no_op"]) == ("results", False, "")

    observation, reward, terminated, truncated, info = env.step("CLICK(1)")
    assert (reward, terminated, truncated, info["is_success"]) == (1.0, True, False, True)
    # Mobile-Env shows an instruction only on the step that brings it; the last one stays.
    assert observation.endswith('\nInstruction: Access the article "How to Hop"')
    with pytest.raises(ResetNeeded):
        env.step("GOBACK")
    assert android.actions == [
        {"action_type": 2, "element_id": 1, "text": "hop"},
        {"action_type": 1, "element_id": 1},
    ]


def test_the_moves() -> None:
    android, env = begun()
    for action in ("SCROLL(UP)", "SCROLL( DOWN )", " GOBACK", "GOBACK()", "INPUT(1, a (b), c )"):
        assert env.step(action)[4]["no_op"] == ""
    assert android.actions == [
        {"action_type": 3, "direction": 1},
        {"action_type": 3, "direction": 3},
        {"action_type": 4},
        {"action_type": 4},
        {"action_type": 2, "element_id": 1, "text": "a (b), c"},
    ]


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("", "no action of this app"),
        ("DANCE", "no action of this app"),
        ("CLICK(x)", "no action of this app"),
        ("SCROLL(LEFT)", "no action of this app"),
        ("CLICK(1) please", "no action of this app"),
        ("CLICK(3)", "no element 3 on this screen"),
        ("CLICK(0)", "element 0 cannot be pressed"),
        ("INPUT(0, hop)", "element 0 takes no text"),
        ("INPUT(9, hop)", "no element 9 on this screen"),
        (f"INPUT(1, {'x' * (MAX_TEXT + 1)})", "a text of more than 1000 characters"),
        ("x" * 100_000, "no action of this app"),
        (f"INPUT(1, {'(' * 100_000}", "no action of this app"),
    ],
)
def test_what_cannot_be_done_is_not_sent(action: str, why: str) -> None:
    android, env = begun()
    before = env.render()
    observation, reward, terminated, truncated, info = env.step(action)
    assert (observation, reward, terminated, truncated) == (before, 0.0, False, False)
    assert info["no_op"] == why
    assert android.actions == []


def test_a_step_limit_of_the_app_truncates() -> None:
    _, env = begun(is_cut_off=True)
    env.step("INPUT(1, hop)")
    *_, terminated, truncated, info = env.step("CLICK(1)")
    assert (terminated, truncated, info["is_success"]) == (False, True, False)


def test_an_end_without_reward_is_no_success() -> None:
    _, env = begun(ends_unrewarded=True)
    env.step("INPUT(1, hop)")
    *_, terminated, _, info = env.step("CLICK(1)")
    assert (terminated, info["is_success"]) == (True, False)


@pytest.mark.parametrize(
    ("succeeds", "ending"),
    [(True, (True, False, True)), (False, (True, False, False)), (None, (False, True, False))],
)
def test_the_endings_of_mobile_env_4(succeeds: bool | None, ending: tuple[bool, ...]) -> None:
    android, env = begun()
    env.step("INPUT(1, hop)")
    plain = android.step

    def step(action: Mapping[str, np.ndarray]) -> NewTimeStep:
        old = plain(action)
        return NewTimeStep(old.step_type, old.reward, old.observation, succeeds)

    android.step = step  # type: ignore[method-assign, assignment]
    assert env.step("SCROLL(DOWN)")[2:4] == (False, False)
    env.step("INPUT(1, hop)")
    *_, terminated, truncated, info = env.step("CLICK(1)")
    assert (terminated, truncated, info["is_success"]) == ending


def test_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    package, wrappers = ModuleType("android_env"), ModuleType("android_env.wrappers")
    package.load = lambda *args, **settings: calls.append((args, settings)) or FakeAndroid()
    wrappers.VhIoWrapper = lambda android, tokenizer: calls.append((tokenizer,)) or android
    monkeypatch.setitem(sys.modules, "android_env", package)
    monkeypatch.setitem(sys.modules, "android_env.wrappers", wrappers)
    env = connect("tasks", "phone", "tokenizer", unify_vocabulary="vocab.txt")
    assert env.reset(options={"task": 0})[1]["task"].task_id == "hop-0"
    settings = {"with_view_hierarchy": True, "unify_vocabulary": "vocab.txt"}
    assert calls == [(("tasks", "phone"), settings), ("tokenizer",)]


def test_connecting_without_mobile_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "android_env", None)
    with pytest.raises(MissingExtraError, match=r"rememberer-nb\[mobile\]"):
        connect("tasks", "phone", None)


def test_wrong_calls() -> None:
    env = MobileEnv(FakeAndroid())
    with pytest.raises(ResetNeeded):
        env.step("GOBACK")
    with pytest.raises(TaskError, match="0 to 1"):
        env.reset(options={"task": 2})
    env.reset(seed=0)
    with pytest.raises(InvalidAction):
        env.step(3)  # type: ignore[arg-type]


def test_gymnasium_and_the_loop_accept_it() -> None:
    env = MobileEnv(FakeAndroid())
    check_env(env, skip_render_check=True)
    episode = run_episode(env, RandomAgent(env.profile), 0, seed=0)
    assert len(episode.steps) > 0
    assert episode.env == "wikihow"


def test_importing_needs_no_dm_env() -> None:
    code = (
        "import sys; sys.modules.update(dm_env=None, android_env=None, lxml=None)\n"
        "import rememberer_nb.envs.mobile_env"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_the_stand_in_speaks_dm_env() -> None:
    dm_env = pytest.importorskip("dm_env", reason="dm_env is not installed: nothing to compare")
    assert [(t.name, t.value) for t in StepType] == [(t.name, t.value) for t in dm_env.StepType]
    ours = dm_env.TimeStep(dm_env.StepType.LAST, 1.0, 0.0, {})
    assert tuple(ours._fields) == tuple(TimeStep.__dataclass_fields__)
    assert ours.last()
