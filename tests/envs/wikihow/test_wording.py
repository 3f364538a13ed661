"""The how-to site in few words: elements by what they show, or nothing."""

from __future__ import annotations

from rememberer_nb.envs import development_tasks, make_env
from rememberer_nb.envs.wikihow.wording import gist, say
from rememberer_nb.loop.build import Settings, build_agent
from rememberer_nb.loop.episode import run_episode

PAGE = """\
<button alt="Open  menu" id="0" clickable="true"></button>
<div class="webView" id="1" clickable="true"></div>
<p id="2" clickable="true">• </p>
<div id="3" clickable="true">How to Fly a Kite</div>
Instruction: Access the article "How to Fly a Kite\""""


def test_elements_by_what_they_show() -> None:
    words = [say(f"CLICK({number})", PAGE) for number in range(5)]
    # A bullet says nothing, and there is no element 4.
    assert words == ["Open menu", "webView", "", "How to Fly a Kite", ""]
    assert say("INPUT(1, a kite)", PAGE) == 'search for "a kite"'
    assert [say(move, PAGE) for move in ("SCROLL(UP)", "SCROLL(DOWN)", "GOBACK", "WAIT")] == [
        "scroll up", "scroll down", "go back", "WAIT",
    ]  # fmt: skip


def test_the_gist_is_the_instruction_in_force() -> None:
    assert gist("Search ...", PAGE) == 'Instruction: Access the article "How to Fly a Kite"'


def test_every_action_of_every_page() -> None:
    world = make_env("wikihow")
    agent = build_agent("random", world, Settings(env="wikihow"))
    n_said = n_silent = 0
    for task in development_tasks("wikihow")[:15]:
        for step in run_episode(world, agent, task, seed=task).steps:
            for action in step.available_actions:
                words = say(action, step.observation)
                assert words == " ".join(words.split())
                assert not words.startswith(("CLICK", "INPUT", "SCROLL"))
                n_said, n_silent = n_said + bool(words), n_silent + (not words)
    # One in eight is a bullet, a bar or an empty box.
    assert 0 < n_silent < n_said / 4
