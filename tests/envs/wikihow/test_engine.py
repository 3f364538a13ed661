"""The app: typing, pressing, scrolling, going back, and what changes nothing."""

from __future__ import annotations

import pytest

from rememberer_nb.envs.wikihow.engine import MAX_ACTION, MAX_HISTORY, NOTHING_MOVES, Engine
from rememberer_nb.envs.wikihow.env import WikiHowEnv
from rememberer_nb.envs.wikihow.screens import Place


@pytest.fixture
def engine() -> Engine:
    return WikiHowEnv().engine


def click(engine: Engine, text: str) -> str:
    """Press the first element that shows a text."""
    lines = engine.screen.text.split("\n")
    number = next(i for i, line in enumerate(lines) if f">{text}<" in line)
    return engine.act(f"CLICK({number})")


@pytest.mark.parametrize(
    "action",
    ["INPUT(2, mend mittens)", "input( 2 ,mend   mittens)", " INPUT(2,mend mittens) ",
     "Input (2, mend mittens)"],
)  # fmt: skip
def test_typing_searches_and_the_field_shows_the_text(engine: Engine, action: str) -> None:
    assert engine.act(action) == ""
    assert engine.page.place == Place("results", "mend mittens")
    assert '<input class="search src text" value="mend mittens " type="text" id="1"' in (
        engine.screen.text
    )


def test_text_with_brackets_and_commas_is_typed_whole(engine: Engine) -> None:
    assert engine.act("INPUT(2, sew, knit (by hand))") == ""
    assert engine.page.place.key == "sew, knit (by hand)"


def test_a_category_s_own_field_searches_too(engine: Engine) -> None:
    engine.act("CLICK(0)")
    click(engine, "Gardening")
    assert sorted(engine.screen.fields) == [1, 3]
    assert engine.act("INPUT(3, water an orchid)") == ""
    assert engine.page.place.kind == "results"


def test_the_search_button_opens_an_empty_field_and_the_cross_clears_it(engine: Engine) -> None:
    assert engine.act("CLICK(2)") == ""
    assert engine.page.place == Place("search")
    assert 'value=""' in engine.screen.text
    engine.act("INPUT(1, bread)")
    assert engine.act("CLICK(2)") == ""
    assert engine.page.place == Place("search")


def test_scrolling_moves_a_screen_at_a_time_and_stops_at_the_ends(engine: Engine) -> None:
    engine.act("INPUT(2, how to pack a back pack)")
    engine.act("CLICK(3)")
    n_screens = len(engine.page.screens)
    assert n_screens >= 5
    assert engine.act("SCROLL(UP)") == "the page ends here: nothing to scroll up to"
    seen = [engine.screen.text]
    for _ in range(n_screens - 1):
        assert engine.act("scroll(down)") == ""
        seen.append(engine.screen.text)
    assert len(set(seen)) == n_screens
    assert engine.act("SCROLL(DOWN)") == "the page ends here: nothing to scroll down to"
    assert engine.screen.text == seen[-1]
    assert engine.act("SCROLL(UP)") == ""
    assert engine.screen.text == seen[-2]


def test_going_back_returns_page_and_viewport(engine: Engine) -> None:
    engine.act("INPUT(2, pack a back pack)")
    engine.act("CLICK(3)")
    engine.act("SCROLL(DOWN)")
    engine.act("SCROLL(DOWN)")
    before = engine.screen
    click_number = min(engine.screen.fields)
    engine.act(f"INPUT({click_number}, rye bread)")
    assert engine.act("GOBACK") == ""
    assert engine.screen is before
    assert engine.act("goback()") == ""
    assert engine.page.place.kind == "results"
    assert engine.act("GOBACK") == ""
    assert engine.page.place.kind == "start"
    assert engine.act("GOBACK") == "there is no page to go back to"


def test_the_history_is_bounded(engine: Engine) -> None:
    for i in range(MAX_HISTORY + 10):
        engine.act(f"INPUT({min(engine.screen.fields)}, bread {i})")
    n_back = 0
    while not engine.act("GOBACK"):
        n_back += 1
    assert n_back == MAX_HISTORY


def test_the_references_link_jumps_and_back_returns(engine: Engine) -> None:
    engine.act("INPUT(2, pack a back pack)")
    engine.act("CLICK(3)")
    assert click(engine, "References") == ""
    assert engine.view >= 3
    assert "references" in engine.screen.anchors
    assert engine.act("GOBACK") == ""
    assert engine.view == 0


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("CLICK(99)", "there is no element 99 on this screen"),
        ("INPUT(99, x)", "there is no element 99 on this screen"),
        ("CLICK(1)", "element 1 cannot be pressed"),
        ("CLICK(3)", "nothing happens when it is pressed"),
        ("INPUT(0, bread)", "element 0 is no field: nothing can be typed into it"),
        ("INPUT(4, bread)", "element 4 is no field"),
        ("INPUT(2, )", "there is nothing to type"),
        ("INPUT(2)", "there is no such action: 'INPUT(2)'"),
        ("CLICK(x)", "there is no such action"),
        ("CLICK(-1)", "there is no such action"),
        ("CLICK(٣)", "there is no such action"),
        ("CLICK(1234567)", "there is no such action"),
        ("SCROLL(LEFT)", "there is no such action"),
        ("SCROLL(DOWN)", "the page ends here"),
        ("GOBACK", "there is no page to go back to"),
        ("GOBACK(1)", "there is no such action"),
        ("search[bread]", "there is no such action"),
        ("", "there is no such action: ''"),
        ("INPUT(2, a\x00b)", "characters that cannot be typed"),
        ("INPUT(2, a\nb)", "characters that cannot be typed"),
        ("INPUT(2, \ud800)", "characters that cannot be typed"),
        ("CLICK(0)\u2028CLICK(0)", "characters that cannot be typed"),
        ("INPUT(2, " + "x" * 100_000 + ")", f"{MAX_ACTION} can be typed"),
        ("(" * 100_000, f"{MAX_ACTION} can be typed"),
    ],
)
def test_what_cannot_be_done_changes_nothing(engine: Engine, action: str, reason: str) -> None:
    before = (engine.page, engine.view, engine.available_actions)
    assert reason in engine.act(action)
    assert (engine.page, engine.view, engine.available_actions) == before


def test_a_link_to_the_page_in_sight_is_no_step(engine: Engine) -> None:
    engine.act("INPUT(2, pack a back pack)")
    assert engine.act("INPUT(1, pack  a back pack)") == NOTHING_MOVES
    engine.act("CLICK(3)")
    article = engine.site.articles[int(engine.page.place.key)]
    assert click(engine, article.title) == NOTHING_MOVES
    engine.act("GOBACK")
    engine.act("GOBACK")
    assert engine.page.place.kind == "start"


def test_back_is_offered_only_where_there_is_a_way_back(engine: Engine) -> None:
    assert "GOBACK" not in engine.available_actions
    engine.act("CLICK(0)")
    assert engine.available_actions[-1] == "GOBACK"
    engine.reset()
    assert engine.page.place.kind == "start"
    assert "GOBACK" not in engine.available_actions
