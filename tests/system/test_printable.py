"""Texts from elsewhere on a terminal, in HTML and in a line."""

from __future__ import annotations

import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.system.printable import (
    brief,
    clip,
    clip_html,
    isolated_html,
    more,
    printable,
    say,
)

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
# With these drawn often, hypothesis finds what any text can hold.
ANY_TEXT = st.text(
    st.one_of(st.characters(), st.sampled_from(f"\x1b\x9b\r\n\t\x00\ud800$<&'{BIDI}"))
)


def unfit(text: str) -> list[str]:
    """The controls, surrogates and marks of direction in a text, but newline and tab."""
    return [
        char
        for char in text
        if (unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") and char not in "\n\t")
        or char in BIDI
    ]


@given(ANY_TEXT)
def test_nothing_unfit_is_left_of_any_text(text: str) -> None:
    for shown in (printable(text), brief(text, 20), clip(text, 9), clip_html(text, 9)):
        assert unfit(shown) == []
        shown.encode()


@given(ANY_TEXT)
def test_a_json_text_stays_what_it_is(text: str) -> None:
    source = json.dumps([text], ensure_ascii=False)
    assert json.loads(printable(source)) == [text]


def test_what_is_plain_stays_as_it_is() -> None:
    text = "Größe:\t12 €\nשלום ‘x’ 😀 \\u0041"
    assert printable(text) == text
    assert printable("a\r\nb\rc") == "a\nb\\u000dc"
    assert printable("\x1b]0;x\x07 \x7f\x9b") == "\\u001b]0;x\\u0007 \\u007f\\u009b"
    assert printable("\ud800") == "\\ud800"


def test_what_is_left_out_is_told() -> None:
    assert clip("x" * 1_000_000, 500).endswith("x … 999,500 characters more")
    assert clip_html("<" * 5, 4).startswith("&lt;" * 4 + "<span ")
    assert more(1) == "… 1 character more"
    assert clip("abcd", 4) == clip_html("abcd", 4) == "abcd"
    assert isolated_html("a&b", 2) == (
        "<bdi>a&amp;</bdi><span class='soft more'> … 1 character more</span>"
    )


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "é λ"), ("ascii", "\\xe9 \\u03bb")])
def test_a_poor_terminal_gets_escapes(encoding: str, shown: str) -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding)
    say("é λ \x1b[2J\ud800\nb", file)
    file.flush()
    assert raw.getvalue().decode(encoding) == f"{shown} \\u001b[2J\\ud800\nb\n"


def test_a_file_without_encoding() -> None:
    file = io.StringIO()
    say("λ\u202e", file)
    assert file.getvalue() == "λ\\u202e\n"
