"""Pages as HTML: the marks are those of the definition, in time linear in the page."""

from __future__ import annotations

import html
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.display.widgets.page import page_html

# The marks as one expression: what a page shows, but in time quadratic in what is never closed.
DEFINITION = re.compile(
    r"\[(?:clicked )?button\] (?P<rich>.*?) \[(?:clicked )?button_\]"
    r"|\[\[(?P<clicked>[^\[\]\n]*)\]\]"
    r"|\[(?P<label>[^\[\]\n]*)\]"
    r"|<(?P<tag>\w+)\b[^<>\n]*\bid=\"(?P<id>\w+)\"[^<>\n]*>(?:[^<\n]*</(?P=tag)>)?"
)
NAMES = ("buy now", "red", "x", "a", "button", "clicked button", "")
PIECES = (
    "[button] ", " [button_]", "[clicked button] ", " [clicked button_]", "[", "]", "[[", "]]",
    "\n", " ", "a", "b id", "<", "</", ">", "<a ", 'id="x"', ' id="a"', "</a>", "<b", "=", '"',
    "buy now", "red", 'data-id="x" ',
)  # fmt: skip


def marked(page: str, names: tuple[str, ...]) -> str:
    """The page as the definition marks it, when nothing is chosen."""
    pieces, end = [], 0
    for found in DEFINITION.finditer(page):
        name = next(
            group for group in found.group("rich", "clicked", "label", "id") if group is not None
        )
        shown = html.escape(found[0])
        is_marked = name.strip().lower() in names
        pieces += [html.escape(page[end : found.start()])]
        pieces += [f"<span class='label'>{shown}</span>" if is_marked else shown]
        end = found.end()
    return "".join([*pieces, html.escape(page[end:])])


@given(st.lists(st.sampled_from(PIECES), max_size=24), st.lists(st.sampled_from(NAMES), max_size=4))
def test_marks_are_those_of_the_definition(pieces: list[str], names: list[str]) -> None:
    page = "".join(pieces).strip()
    actions = [f"click[{name}]" for name in names]
    expected = marked(page, tuple(name for name in names if name))
    assert f"<pre>{expected}</pre>" in page_html(page, actions)


@pytest.mark.parametrize(
    "piece",
    [
        "[button] ", "[button] x [clicked button] ", "[button] a [button_] ", "[", "[a", "[[",
        "[buy now]", "<a ", '<a id="x">', '<a id="x">y</a>', 'id="x" ', " [SEP] ", "word ", "\n",
    ],
)  # fmt: skip
def test_time_is_linear(piece: str) -> None:
    # On one line, inside an element that never ends, and with an end on the next line.
    for start, end in (("", ""), ("<a ", ""), ("", "\n [button_]")):
        page = start + piece * (300_000 // len(piece)) + end
        started = time.process_time()
        page_html(page, ["click[buy now]", "CLICK(x)"], "click[buy now]", limit=len(page))
        # About 0.2 s where the machine is slow; at a fourth of the size it was a minute.
        assert time.process_time() - started < 2


def test_a_long_page_is_cut_with_a_word() -> None:
    source = page_html("[red]" + "x" * 999_995, ["click[red]"], "click[red]", limit=5)
    assert source.endswith(
        "title='chosen'>[red]</mark><span class='soft more'> … 999,995 characters more</span>"
        "</pre></div>"
    )
    assert len(page_html("\x00<" * 500_000)) < 150_000
    assert "999,994 characters more" in page_html("a [SEP] " * 125_000, limit=6)
    # White space around a page is not a part of it.
    assert "more" not in page_html("  page  ", limit=4)


def test_what_acts_is_shown_as_an_escape_and_still_marked() -> None:
    source = page_html("[\u202ered\x1b]\r\n$5\rx", ["click[\u202eRED\x1b]"], "")
    assert "<span class='label'>[\\u202ered\\u001b]</span>\n$5\\u000dx" in source
