"""What the stand-in understands of a task."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs import development_tasks, make_env
from rememberer_nb.llms.offline.wish import fits_price, look_at_query, read_wish
from rememberer_nb.llms.offline.words import split_limit, stems, word_stem, words
from tests.llms.pages import TASK


@pytest.mark.parametrize(
    ("task", "rest", "limit"),
    [
        ("a lamp, and price lower than 50.00 dollars", "a lamp", 50.0),
        ("a lamp for less than $7", "a lamp for", 7.0),
        ("a lamp under 20 dollars", "a lamp", 20.0),
        ("a lamp under 20 inches", "a lamp under 20 inches", None),
        ("under $5 or a price below 9 dollars", "under $5 or", 9.0),
        ("", "", None),
    ],
)
def test_price_clauses(task: str, rest: str, limit: float | None) -> None:
    assert split_limit(task) == (rest, limit)


def test_hyphens_keep_sizes_apart() -> None:
    assert words("X-Large or large") == ("x-large", "or", "large")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("dresses", "dress"),
        ("bus", "bus"),
        ("ties", "tie"),
        ("gas", "gas"),
        ("lamps", "lamp"),
        ("analysis", "analysis"),
    ],
)
def test_plain_plurals(word: str, expected: str) -> None:
    assert word_stem(word) == expected


def test_a_wish_read_by_hand() -> None:
    wish = read_wish(TASK)
    assert wish.head == ("soft", "red", "desk", "lamp")
    assert wish.core == ("desk", "lamp")
    assert wish.content == ("soft", "red", "desk", "lamp", "size", "small")
    assert wish.limit == 30.0
    assert "dollars" not in wish.plain
    assert wish.queries == (
        TASK,
        "i want a soft red desk lamp in size small",
        "soft red desk lamp size small",
        "soft red desk lamp",
        "soft red desk",
        "desk lamp",
    )


def test_turns_find_the_name_of_the_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the comment beside the list says; without it the head runs on into what it is like."""
    goals = make_env("webshop").unwrapped.engine.shop.goals

    def n_found() -> int:
        read_wish.cache_clear()
        found = 0
        for number in development_tasks():
            name = stems(goals[number].name) | stems(goals[number].query)
            found += frozenset(read_wish(goals[number].text).core) <= name
        return found

    assert n_found() == 190
    monkeypatch.setattr("rememberer_nb.llms.offline.wish._TURNS", frozenset())
    assert n_found() == 70
    read_wish.cache_clear()


def test_queries_hold_no_brackets() -> None:
    assert read_wish("a [red] lamp").queries[0] == "a red lamp"


@pytest.mark.parametrize("task", ["", "   ", "[]", "?!"])
def test_no_wish_no_telling_words(task: str) -> None:
    wish = read_wish(task)
    assert wish.content == wish.head == ()


@given(st.text(max_size=80))
def test_any_text_can_be_a_wish(task: str) -> None:
    wish = read_wish(task)
    assert len(wish.queries) == len(set(wish.queries)) <= 6
    for query in wish.queries:
        assert all(0 <= value <= 1 for value in look_at_query(query, wish).attributes)


def test_a_query_by_hand() -> None:
    # Of six telling words the query has two; of its four words two are filler; both core words.
    look = look_at_query("a desk lamp please", read_wish(TASK), ["search[A desk  lamp please]"])
    assert look.kind == "search"
    assert look.attributes == pytest.approx((2 / 6, 2 / 4, 1 - 4 / 12, 1.0, 1.0))
    assert look_at_query("", read_wish(TASK)).attributes == (0.0, 1.0, 1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("line", "limit", "expected"),
    [
        ("Price: $20.0", 30.0, 1.0),
        ("$30.0", 30.0, 1.0),
        ("$30.01", 30.0, 0.0),
        ("$20.0 to $40.0", 30.0, 0.5),
        ("$35.0 to $40.0", 30.0, 0.0),
        ("free", 30.0, 0.5),
        ("$999.0", None, 1.0),
    ],
)
def test_price_fits(line: str, limit: float | None, expected: float) -> None:
    assert fits_price(line, limit) == expected
