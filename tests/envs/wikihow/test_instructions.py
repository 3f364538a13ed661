"""Instructions: which is in force, what kind it is, how alike two kinds are; a test per branch."""

from __future__ import annotations

import itertools

import pytest

from rememberer_nb.envs.wikihow.instructions import (
    KINDS,
    current_instruction,
    instruction_kinds,
    kind_likeness,
    kinds_likeness,
)

SCREEN = '<p id="0" clickable="true">hop</p>\n<div id="1" clickable="false"></div>'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Search an article to learn how to hide gauges.", "search"),
        ('Access the article "How to Hide Gauges"', "article"),
        ("Check the author page of Trudi Griffin, LPC, MS.", "author"),
        ("Access the page of category Financial Stocks", "category"),
        ("Check the reference list", "reference"),
        ("Access the about page to learn why people trust wikihow.", "about"),
    ],
)
@pytest.mark.parametrize("form", ["{}", "Then, {}", "then {}", "  {}", "Instruction: {}"])
def test_each_kind_is_recognised(text: str, kind: str, form: str) -> None:
    """The published matcher of reference lists can never match."""
    lowered = text[0].lower() + text[1:]
    assert instruction_kinds(form.format(text)) == (kind,)
    assert instruction_kinds(form.format(lowered)) == (kind,)


@pytest.mark.parametrize(
    "text",
    ["", "i want a red lamp", "Please access", "Access the moon", "research the article trade"],
)
def test_what_is_no_instruction_has_no_kind(text: str) -> None:
    assert instruction_kinds(text) == ()


@pytest.mark.parametrize("joint", ["\n", " "])
def test_a_whole_command_in_order(joint: str) -> None:
    command = joint.join(
        [
            "Search an article to learn how to check the reference list.",
            'Then, access the article "How to Check the Author Page"',
            "Then, access the page of category About",
            "Then, check the reference list",
        ]
    )
    assert instruction_kinds(command) == ("search", "article", "category", "reference")


def test_likeness_by_hand() -> None:
    assert kind_likeness("search", "article") == 0.1
    assert kind_likeness("author", "category") == kind_likeness("reference", "about") == 0.8
    for near, far in itertools.product(("author", "category"), ("article", "reference", "about")):
        assert kind_likeness(near, far) == 0.3
    for kind in ("author", "category", "reference", "about"):
        assert kind_likeness("search", kind) == 0
    assert kind_likeness("article", "reference") == kind_likeness("article", "about") == 0


def test_unlike_kinds_score_lower_and_order_does_not_matter() -> None:
    for one, two in itertools.product(KINDS, KINDS):
        assert kind_likeness(one, two) == kind_likeness(two, one)
        assert (kind_likeness(one, two) == 1) is (one == two)


def test_commands_are_aligned_in_order() -> None:
    # article ~ article 1, category ~ author 0.8; the longer command has three instructions.
    one, two = ("search", "article", "category"), ("article", "author")
    assert kinds_likeness(one, two) == kinds_likeness(two, one) == pytest.approx(1.8 / 3)
    # Crossed, only one of the pairs can be kept.
    assert kinds_likeness(("article", "about"), ("about", "article")) == 0.5
    assert kinds_likeness(one, one) == 1
    assert kinds_likeness((), ()) == kinds_likeness((), one) == 0


def test_the_instruction_in_force_is_the_last_line_that_is_no_element() -> None:
    assert current_instruction("task", f"{SCREEN}\nInstruction: Check it") == "Check it"
    assert current_instruction("task", f"{SCREEN}\nCheck it\n\n") == "Check it"
    assert current_instruction("task", f"Instruction: First\n{SCREEN}\nsecond") == "second"


@pytest.mark.parametrize(
    "observation", ["", SCREEN, f"{SCREEN}\nInstruction: ", "Instruction:\na lamp\n[Search]"]
)
def test_without_one_it_is_the_task(observation: str) -> None:
    assert current_instruction("a task", observation) == "a task"
