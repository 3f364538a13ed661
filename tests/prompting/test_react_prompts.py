"""Prompts of ReAct and Reflexion: what stands where, and what goes when there is no room."""

from __future__ import annotations

from rememberer_nb.config import PromptConfig
from rememberer_nb.elements import Decision, Episode, Step, Task
from rememberer_nb.memory.initial import read_initial
from rememberer_nb.prompting.react_prompts import (
    Demonstration,
    Scene,
    Turn,
    build_react_prompt,
    build_reflection_prompt,
    demonstration_of,
)
from rememberer_nb.prompting.schema import constrained
from tests.toy import TOY

AVAILABLE = ("go[on]", "say[<words>]")
DEMONSTRATION = Demonstration("open the grey door", (Turn("hall one", "walk first", "go[on]"),))
TURNS = tuple(Turn(f"page {i} " + "x" * 80, f"thought {i}", f"go[{i}]") for i in range(3))
SCENE = Scene("open the red\ndoor", "You stand here", AVAILABLE, TURNS, ("look twice",))


def test_everything_stands_in_order() -> None:
    prompt = build_react_prompt(TOY, SCENE, demonstration=DEMONSTRATION)
    user = dict(prompt.messages)["user"]
    parts = [
        "## Example\nTask: open the grey door\nPage:\n| hall one\n",
        "| hall one\nThought: walk first\nAction: go[on]\n\n",
        "## Earlier attempts\n- look twice",
        "## Now\nTask: open the red door\nPage:\n| page 0 ",
        "Thought: thought 0\nAction: go[0]\nPage:\n| page 1 ",
        "Action: go[2]\nPage:\n| You stand here\nAvailable actions:\n- go[on]\n- say[<words>]",
    ]
    places = [user.index(part) for part in parts]
    assert places == sorted(places)
    assert user.endswith("\n\nThought:")
    assert prompt.text == "\n\n".join(text for _, text in prompt.messages)
    assert prompt.left_out == ()
    assert list(prompt.reply_schema["properties"]) == ["rationale", "action"]


def test_over_budget_pages_go_first_then_the_example_then_steps() -> None:
    def what_is_gone(limit: int) -> list[str]:
        prompt = build_react_prompt(
            TOY, SCENE, demonstration=DEMONSTRATION, config=PromptConfig(max_tokens=limit)
        )
        assert "You stand here" in prompt.text
        assert prompt.n_tokens <= limit or len(prompt.left_out) == 7
        return [left.what for left in prompt.left_out]

    order = [*(f"page of step {i}" for i in range(3)), "example", *(f"step {i}" for i in range(3))]
    whole = build_react_prompt(TOY, SCENE, demonstration=DEMONSTRATION).n_tokens
    found = [what_is_gone(limit) for limit in range(whole, 100, -1)]
    assert {len(gone) for gone in found} == set(range(8))
    assert all(gone == order[: len(gone)] for gone in found)


def test_a_step_without_its_page_keeps_thought_and_action() -> None:
    whole = build_react_prompt(TOY, SCENE).n_tokens
    prompt = build_react_prompt(TOY, SCENE, config=PromptConfig(max_tokens=whole - 1))
    assert "Page: (left out)\nThought: thought 0\nAction: go[0]\nPage:\n| page 1" in prompt.text


def test_the_available_actions_can_be_all_that_the_schema_admits() -> None:
    prompt = constrained(build_react_prompt(TOY, SCENE), SCENE.available_actions, TOY)
    plain, filled = prompt.reply_schema["properties"]["action"]["anyOf"]
    assert plain == {"type": "string", "enum": ["go[on]"]}
    assert filled["pattern"].startswith(r"^say\[")


def test_the_demonstration_is_the_first_task_of_an_initial_memory() -> None:
    records = read_initial("E0", "wikihow")
    found = demonstration_of(records)
    assert found.task == records[0].task
    assert [turn.action for turn in found.turns] == [record.best.action for record in records]
    assert demonstration_of(()) is None


def _episode() -> Episode:
    steps = tuple(
        Step(i, turn.observation, AVAILABLE, "", Decision(turn.action, turn.thought), 0.25)
        for i, turn in enumerate(TURNS)
    )
    return Episode("e", "toy", "react", Task("0", "open the red door"), steps, "the end")


def test_a_reflection_sees_the_attempt_and_its_score() -> None:
    episode = _episode()
    prompt = build_reflection_prompt(TOY, episode.task, episode, lessons=["look twice"])
    assert "- look twice" in prompt.text
    assert "Action: go[2]\nPage:\n| the end\nScore: 0.75; no steps were left." in prompt.text
    assert prompt.reply_schema is None
    short = build_reflection_prompt(
        TOY, episode.task, episode, config=PromptConfig(max_tokens=prompt.n_tokens - 10)
    )
    assert [left.what for left in short.left_out] == ["page of step 0"]
    assert "page 0" not in short.text
    assert "thought 0" in short.text
