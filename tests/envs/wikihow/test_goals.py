"""Goals: their wording, and when each kind is reached."""

from __future__ import annotations

import pytest

from rememberer_nb.envs.wikihow.env import WikiHowEnv
from rememberer_nb.envs.wikihow.goals import Goal, HowToTask, word
from rememberer_nb.envs.wikihow.screens import Place


@pytest.fixture(scope="module")
def engine():
    return WikiHowEnv().engine


def reached(engine, goal: Goal, place: Place, view: int = 0) -> bool:
    page = engine.pages.page(place)
    return goal.is_reached(page, page.screens[view])


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("search", "How to Mend a Kite", "search an article to learn how to mend a kite."),
        ("article", "How to Mend a Kite", 'access the article "How to Mend a Kite"'),
        ("category", "Bread Baking", "access the page of category Bread Baking"),
        ("author", "Una Vane, MA", "check the author page of Una Vane, MA."),
        ("references", "", "check the reference list"),
        ("about", "", "access the about page to learn why people trust Howbarn."),
    ],
)
def test_wording(engine, kind: str, name: str, sentence: str) -> None:
    assert word(kind, name, engine.site) == sentence
    assert Goal(kind, 0, sentence).instruction == sentence[0].upper() + sentence[1:]


def test_a_command_has_a_line_per_goal() -> None:
    goals = (Goal("search", 0, "search x."), Goal("references", 0, "check the list"))
    assert HowToTask("references", goals).command == "Search x.\nThen, check the list"


def test_a_search_counts_if_the_article_is_among_the_hits(engine) -> None:
    wanted = engine.site.article_numbers["How to Mend Mittens"]
    goal = Goal("search", wanted, "")
    assert reached(engine, goal, Place("results", "mend mittens"))
    assert reached(engine, goal, Place("results", "mittens"))
    assert not reached(engine, goal, Place("results", "rye bread"))
    assert not reached(engine, goal, Place("article", wanted))
    assert not reached(engine, goal, Place("search"))


@pytest.mark.parametrize("kind", ["article", "author", "category"])
def test_pages_count_by_kind_and_number(engine, kind: str) -> None:
    goal = Goal(kind, 2, "")
    assert reached(engine, goal, Place(kind, 2))
    assert not reached(engine, goal, Place(kind, 3))
    for other in {"article", "author", "category"} - {kind}:
        assert not reached(engine, goal, Place(other, 2))
    assert not reached(engine, goal, Place("results", "2"))


def test_references_count_in_sight_and_of_the_right_article(engine) -> None:
    goal = Goal("references", 2, "")
    at = engine.pages.page(Place("article", 2)).screen_of("references")
    assert reached(engine, goal, Place("article", 2), at)
    assert not reached(engine, goal, Place("article", 2), 0)
    other = engine.pages.page(Place("article", 3)).screen_of("references")
    assert not reached(engine, goal, Place("article", 3), other)


def test_the_about_page(engine) -> None:
    goal = Goal("about", 0, "")
    assert reached(engine, goal, Place("about"))
    assert not reached(engine, goal, Place("menu"))


def test_the_reference_list_is_that_of_the_article_accessed_last() -> None:
    checked = 0
    for task in WikiHowEnv().how_to_tasks:
        kinds = [goal.kind for goal in task.goals]
        if "references" in kinds:
            at = kinds.index("references")
            accessed = [goal for goal in task.goals[:at] if goal.kind == "article"]
            assert task.goals[at].target == accessed[-1].target
            checked += len(accessed) > 1
    assert checked
