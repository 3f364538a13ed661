"""Profiles: which available action a text means."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs.webshop.profile import WEBSHOP

PAGE = ("search[<keywords>]", "click[buy now]", "click[< prev]", "click[(2 pack)]", "click[a [b]]")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("click[buy now]", "click[buy now]"),
        ("CLICK[Buy Now]", "click[buy now]"),
        ("  click[buy   now]\n", "click[buy now]"),
        ("click [ buy now ]", "click[buy now]"),
        ("click[(2 pack)]", "click[(2 pack)]"),
        ("click[a [b]]", "click[a [b]]"),
        ("search[Red Lamp]", "search[Red Lamp]"),
        ("Search[ red lamp ]", "search[red lamp]"),
        ("search [red lamp]", "search[red lamp]"),
        ("search[red\nlamp]", "search[red lamp]"),
        ("search[a [b] c]", "search[a [b] c]"),
    ],
)
def test_what_is_meant(written: str, meant: str) -> None:
    assert WEBSHOP.match(written, PAGE) == meant


@pytest.mark.parametrize(
    "written",
    [
        "click[moon]",
        "click[buy now",
        "click[buy]",
        "buy now",
        "search[]",
        "search[ ]",
        "search[",
        "search[<keywords>]",
        "search[ <Keywords> ]",
        "search[red <keywords>]",
        "",
        "   ",
    ],
)
def test_what_is_not_available(written: str) -> None:
    assert WEBSHOP.match(written, PAGE) is None


def test_nothing_is_available() -> None:
    assert WEBSHOP.match("click[buy now]", ()) is None


def test_a_search_needs_its_template() -> None:
    assert WEBSHOP.match("search[lamp]", ("click[buy now]",)) is None


def test_of_alike_labels_the_exact_one() -> None:
    assert WEBSHOP.match("click[XL]", ("click[xl]", "click[XL]")) == "click[XL]"
    assert WEBSHOP.match("click[Xl]", ("click[xl]", "click[XL]")) == "click[xl]"


def test_case_can_matter() -> None:
    strict = dataclasses.replace(WEBSHOP, is_case_sensitive=True)
    assert strict.match("click[Buy Now]", PAGE) is None
    assert strict.match("click[buy now]", PAGE) == "click[buy now]"
    assert strict.match("Search[lamp]", PAGE) is None
    assert strict.match("search[Lamp]", PAGE) == "search[Lamp]"


def test_templates() -> None:
    assert WEBSHOP.is_template("search[<keywords>]")
    assert not WEBSHOP.is_template("search[red]")


@given(st.text(max_size=20))
def test_a_match_is_a_fixed_point(keywords: str) -> None:
    """What was matched is available, is one line, and matches itself."""
    action = WEBSHOP.match(f"search[{keywords}]", PAGE)
    if action is not None:
        assert len(action.splitlines()) == 1
        assert not WEBSHOP.is_template(action)
        assert WEBSHOP.match(action, PAGE) == action


@pytest.mark.parametrize(
    ("observation", "kind"),
    [
        ("WebShop [SEP] Instruction: [SEP] a lamp [SEP] Search", ""),
        ("Instruction:\na lamp\n[Search]", "search"),
        ("[button] Search [button_]", "search"),
        ("[Back to Search]\nPage 1 (Total results: 50)\n[Next >]", "results"),
        ("[Back to Search]\n[< Prev]\nsize\n[small]\n[Buy Now]", "item"),
        ("[button] Buy Now [button_]", "item"),
        ("[Back to Search]\n[< Prev]\nA fine lamp.", "description"),
        ("Thank you for shopping with us!\nYour score (min 0.0, max 1.0)", "done"),
    ],
)
def test_kinds_of_shop_pages(observation: str, kind: str) -> None:
    assert WEBSHOP.page_type(observation) == kind
