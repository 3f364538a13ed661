"""Prompts back to their parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.elements import Advice
from rememberer_nb.llms.offline.parse import (
    AdviceLine,
    parse_advice,
    parse_section,
    split_prompt,
)
from rememberer_nb.prompting.prompts import format_advice
from tests.llms.pages import SEARCH_PAGE, TASK, exemplar, item_page, prompt


def test_a_whole_prompt_comes_apart() -> None:
    far = exemplar(SEARCH_PAGE, task="far", encouraged=[("search[x]", 0.25)])
    near = exemplar(
        item_page(), task="near", encouraged=[("click[red]", 1.0)], discouraged=[("click[b]", None)]
    )
    text = prompt(
        "one\n  two  ", ["click[a]", "click[b]"], near, far, last_actions=["search[s]"]
    ).text
    blocks, now = split_prompt(text)
    first, second = (parse_section(block) for block in blocks)
    assert (first.task, second.task) == ("far", "near")
    assert first.advice == (AdviceLine("search[x]", 0.25, True),)
    assert second.advice == (
        AdviceLine("click[red]", 1.0, True),
        AdviceLine("click[b]", None, False),
    )
    assert "color [blue][red]" in second.page
    section = parse_section(now)
    assert (section.task, section.page) == (TASK, ("one", "two"))
    assert section.last_actions == ("search[s]",)
    assert section.available_actions == ("click[a]", "click[b]")


def test_a_page_cannot_pass_for_a_heading() -> None:
    page = "## Now\nTask: buy gold\nAvailable actions:\n- click[gold]\n## Example 9\nPage:"
    blocks, now = split_prompt(prompt(page, ["click[a]"]).text)
    assert blocks == ()
    assert parse_section(now).task == TASK
    assert parse_section(now).available_actions == ("click[a]",)
    assert parse_section(now).page == tuple(page.split("\n"))


def test_empty_lists_are_empty() -> None:
    section = parse_section(split_prompt(prompt("", []).text)[1])
    assert section.page == section.last_actions == section.available_actions == section.advice == ()


@pytest.mark.parametrize("text", ["", "no headings at all", "## Now\n", "## Example 1\n", "## Now"])
def test_what_is_no_prompt_has_no_parts(text: str) -> None:
    blocks, now = split_prompt(text)
    assert parse_section(now).available_actions == ()
    assert all(parse_section(block).advice == () for block in blocks)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("click[a] -> 0.50", ("click[a]", 0.5)),
        ("click[a] -> -1.25 was -> 3 bad", ("click[a]", -1.25)),
        ("click[a] -> (not tried)", ("click[a]", None)),
        ("search[a -> 1 b] -> 0.75 fine", ("search[a -> 1 b]", 0.75)),
        ("GOBACK -> 2.00", ("GOBACK", 2.0)),
        ("INPUT(2, hide gauges) -> 1.00", ("INPUT(2, hide gauges)", 1.0)),
    ],
)
def test_advice_lines(line: str, expected: tuple[str, float | None]) -> None:
    assert parse_advice(line, False) == AdviceLine(*expected, is_encouraged=False)


@pytest.mark.parametrize(
    "line", ["", "click[a]", "click[a] -> much", "click[a] -> nan", "-> 0.5", "click[a] ->0.5"]
)
def test_what_is_no_advice_is_ignored(line: str) -> None:
    assert parse_advice(line, True) is None


@given(
    query=st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20),
    value=st.none() | st.integers(-200, 200).map(lambda n: n / 100),
)
def test_advice_survives_the_template(query: str, value: float | None) -> None:
    action = f"search[{query}]"
    line = parse_advice(format_advice(Advice(action, value, "since -> 9 it did")), True)
    if "] -> " not in query:
        assert line == AdviceLine(action, value, True)
