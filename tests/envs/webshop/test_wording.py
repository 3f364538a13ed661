"""The shop in few words: every action of every page says something, products by their titles."""

from __future__ import annotations

import re

import pytest

from rememberer_nb.envs import development_tasks, make_env
from rememberer_nb.envs.webshop.wording import gist, say
from rememberer_nb.loop.build import Settings, build_agent
from rememberer_nb.loop.episode import run_episode

RESULTS = """\
Instruction: a lamp
[Back to Search]
Page 1 (Total results: 3)
[B0AAAAAAAA]
Brass Lamp, Red
$9.00
[[B0BBBBBBBB]]
Oak Lamp
$8.00
[B0CCCCCCCC]"""


def test_a_product_by_its_title_seen_before_or_not() -> None:
    assert say("click[b0aaaaaaaa]", RESULTS) == "brass lamp, red"
    assert say("click[b0bbbbbbbb]", RESULTS) == "oak lamp"
    # Its title is missing, as at the end of a page that was cut.
    assert say("click[b0cccccccc]", RESULTS) == "b0cccccccc"
    assert say("click[back to search]", RESULTS) == "back to search"
    assert say("search[red lamp]", RESULTS) == 'search for "red lamp"'
    assert say("wait", RESULTS) == "wait"


@pytest.mark.parametrize("mark", ["[button] {} [button_]", "[clicked button] {} [clicked button_]"])
def test_the_original_rich_pages(mark: str) -> None:
    page = f"[button] Next > [button_]\n\n{mark.format('B0AAAAAAAA')}\nBrass Lamp\n$9.00"
    assert say("click[b0aaaaaaaa]", page) == "brass lamp"


def test_the_gist_of_a_product() -> None:
    page = "You have clicked red.\nYou have clicked small.\n[< Prev]\nLamp \nPrice: $9.00 \n"
    assert gist("a  lamp\n", page) == "Task: a lamp\nProduct: lamp, $9.00\nChosen: red, small"
    assert gist("a lamp", "") == "Task: a lamp"


@pytest.mark.parametrize("form", ["simplified", "text_rich"])
def test_every_action_of_every_page(form: str) -> None:
    world = make_env("webshop", observation_format=form)
    agent = build_agent("random", world, Settings())
    kinds = set()
    for task in development_tasks("webshop")[:15]:
        for step in run_episode(world, agent, task, seed=task).steps:
            kinds.add(step.page_type)
            for action in step.available_actions:
                words = say(action, step.observation)
                assert words and words == " ".join(words.split())
                assert not re.match(r"b0|click|search\[", words), (action, words)
    assert {"search", "results", "item"} <= kinds
