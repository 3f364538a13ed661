"""Simplified HTML: what is written is read back, and what can be done on it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs.screens import Element, read_screen, screen_actions, with_instruction
from rememberer_nb.memory.pool_yaml import load_yaml


def test_lines_by_hand() -> None:
    field = Element("input", 1, "search src text", text='say "hi"')
    assert field.to_html() == (
        '<input class="search src text" value="say &quot;hi&quot;" type="text" id="1" '
        'clickable="true">'
    )
    button = Element("button", 0, alt="Open & close", is_clickable=False)
    assert button.to_html() == ('<button alt="Open &amp; close" id="0" clickable="false"></button>')


def test_what_is_no_element_is_passed_over() -> None:
    text = '<p id="x">a</p>\n<p>b</p>\n<p id="1">c</p> d\n< p id="2">\n<p id="99999999999">e</p>\n'
    assert [(e.number, e.text) for e in read_screen(text)] == [(1, "c</p> d")]
    assert read_screen("") == ()


def test_fields_first_then_presses_then_moves() -> None:
    elements = [
        Element("button", 0),
        Element("img", 1, alt="Search"),
        Element("input", 2, is_clickable=False),
        Element("img", 3, alt="A picture", is_clickable=False),
    ]
    assert screen_actions(elements) == (
        "INPUT(1, <text>)", "INPUT(2, <text>)", "CLICK(0)", "CLICK(1)", "SCROLL(UP)",
        "SCROLL(DOWN)", "GOBACK",
    )  # fmt: skip


def test_the_instruction_stays_on_its_line() -> None:
    assert with_instruction("<p>", " Check\nit ") == "<p>\nInstruction: Check it"
    assert with_instruction("<p>", " \n") == "<p>"


@given(
    st.lists(
        st.builds(
            Element,
            tag=st.sampled_from(["p", "div", "button", "input"]),
            number=st.integers(0, 999),
            label=st.text(max_size=8),
            alt=st.text(max_size=8),
            text=st.text(max_size=20),
            is_clickable=st.booleans(),
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read_back(elements: list[Element]) -> None:
    text = "\n".join(element.to_html() for element in elements)
    assert len(text.splitlines()) == len(elements)
    assert [normal(e) for e in read_screen(text)] == [normal(e) for e in elements]


def normal(element: Element) -> tuple[object, ...]:
    """HTML has no way to write some control characters; the rest must be the same."""
    texts = (element.label, element.alt, element.text)
    kept = tuple("".join(c for c in text if c.isprintable()) for text in texts)
    return (element.tag, element.number, element.is_clickable, *kept)


def test_published_screens_are_written_as_they_are(conformance_dir: Path) -> None:
    pool, _ = load_yaml(conformance_dir / "rememberer_pools" / "annotated_pool-auto.q.yaml")
    n_same = n_lines = 0
    for screen, _, _ in pool:
        for line in screen.split("\n"):
            (element,) = read_screen(line)
            n_lines += 1
            n_same += element.to_html() == line
    assert n_same == n_lines > 900
