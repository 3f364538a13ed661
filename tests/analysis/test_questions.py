"""Decisions whose right action is known: which are asked about, and which are not."""

from __future__ import annotations

from typing import Any

import pytest

from rememberer_nb.analysis.questions import find_questions
from rememberer_nb.envs import make_env, registry
from rememberer_nb.envs.registry import EnvSpec, find_env, register_env
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.episode import run_episode
from tests.toy import TOY, ToyEnv

# Actions as they are.
SAY = TOY.wording.say


def test_right_actions_are_the_guide_s_and_wrong_ones_others_of_the_page(guided: Any) -> None:
    env = guided()
    found = list(find_questions(env, SAY, range(4), seed=3))
    # In the hall there are two actions: too few. Task k then passes k doors.
    assert [(q.situation.task.number, q.right) for q in found] == [
        (task, "open[door]" if door == task else "go[on]")
        for task in range(4)
        for door in range(task + 1)
    ]
    for question in found:
        assert question.situation.available_actions == ("go[on]", "go[back]", "open[door]")
        assert question.wrong in {"go[on]", "go[back]", "open[door]"} - {question.right}
    again = list(find_questions(env, SAY, range(4), seed=3))
    assert again == found
    # A task's draws do not depend on the tasks before it.
    assert list(find_questions(env, SAY, [3], seed=3)) == found[6:]
    others = [q.wrong for q in find_questions(env, SAY, range(4), seed=4)]
    assert others != [q.wrong for q in found]


def test_a_text_is_there_only_where_the_guide_writes_it(guided: Any) -> None:
    env = guided(lambda now: "say[open sesame]" if not now.last_actions else "go[back]")
    (question,) = find_questions(env, SAY, [0])
    assert question.situation.available_actions == ("go[on]", "go[back]", "say[open sesame]")
    assert question.right == "say[open sesame]"


def test_of_equal_words_the_right_action_s_count(guided: Any) -> None:
    words = {"go[on]": "go", "go[back]": "go", "open[door]": "open", "say[<words>]": "say"}
    env = guided(lambda now: "go[back]" if now.last_actions else "go[on]", placeholders=())
    (question,) = find_questions(env, lambda a, _: words[a], [0])
    assert question.situation.last_actions == ("go[on]",)
    assert question.situation.available_actions == ("go[back]", "open[door]", "say[<words>]")
    assert question.right == "go[back]"


def test_a_right_action_without_words_is_not_asked_about(guided: Any) -> None:
    env = guided(placeholders=())
    found = list(find_questions(env, lambda a, _: "" if a == "open[door]" else a, [1]))
    assert [q.right for q in found] == ["go[on]", "go[on]"]


def test_an_environment_without_a_guide_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_SPECS", dict(registry._SPECS))
    register_env(EnvSpec("toy", make=ToyEnv, profile=TOY))
    with pytest.raises(ConfigError, match="'toy' has no guide"):
        list(find_questions(ToyEnv(), SAY, [0]))


@pytest.mark.parametrize(("name", "task"), [("wikihow", 93), ("webshop", 101)])
def test_the_bundled_guides_solve_their_tasks(name: str, task: int) -> None:
    env = make_env(name)
    guide = find_env(name).load("guide")(env.unwrapped)
    assert run_episode(env, guide, task).is_success
    say = env.profile.wording.say
    found = list(find_questions(env, say, [task]))
    assert len(found) >= 2
    for question in found:
        assert question.right in question.situation.available_actions
        words = [say(a, question.situation.observation)
                 for a in question.situation.available_actions]  # fmt: skip
        assert len(set(words)) == len(words) >= 3
        assert all(words)
