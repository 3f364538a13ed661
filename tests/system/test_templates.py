"""Templates: whatever they write is escaped and printable, and nothing is left to care."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from hypothesis import given
from jinja2 import UndefinedError
from markupsafe import Markup

import rememberer_nb
from rememberer_nb.system.printable import clip_html, isolated_html, printable
from rememberer_nb.system.templates import environment, macros, with_source
from tests.system.test_printable import ANY_TEXT, unfit

PACKAGE = Path(rememberer_nb.__file__).parent
TEMPLATES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.html"))
# Templates are found in the package itself, not in what a wheel carries along.
TEMPLATES = [path for path in TEMPLATES if not path.startswith("_share/")]


def render(source: str, **values: object) -> str:
    return environment().from_string(source).render(**values)


@given(ANY_TEXT)
def test_any_text_is_escaped_and_printable(text: str) -> None:
    expected = html.escape(printable(text))
    assert render("{{ text }}", text=text) == expected
    assert render("<b title='{{ text }}'>", text=text) == f"<b title='{expected}'>"
    assert render("{{ text | clip(3) }}", text=text) == clip_html(text, 3)
    assert render("{{ text | isolated(3) }}", text=text) == isolated_html(text, 3)
    assert unfit(render("{{ text }}{{ [text] | join }}{{ 'a' ~ text }}", text=text)) == []


def test_only_what_is_marked_is_html() -> None:
    assert render("{{ text }}", text="<b>") == "&lt;b&gt;"
    assert render("{{ text }}", text=Markup("<b>")) == "<b>"
    assert render("{{ '<b>' }}{{ '<b>' ~ text }}", text=Markup("<i>")) == "&lt;b&gt;&lt;b&gt;<i>"
    cell = "{% macro cell(text) %}<td>{{ text }}</td>{% endmacro %}{{ cell(text) }}"
    assert render(cell, text="<b>") == "<td>&lt;b&gt;</td>"


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="nothing"):
        render("{{ nothing }}")
    with pytest.raises(UndefinedError, match="columns"):
        macros("memory/views.html").table()


def test_line_breaks_of_a_template_are_not_its_html() -> None:
    assert render("<p>\n  <b>{{ text }}</b>\n</p>\n", text="a\n  b") == "<p><b>a\n  b</b></p>"


def test_filters_for_numbers() -> None:
    assert render("{{ -0.001 | number }} {{ 1 | count('step') }}") == "0.00 1 step"
    assert render("{{ 2 | count('step') }}{{ 0 | more }}") == "2 steps"
    assert render("{{ 1 | more }}") == "<span class='soft more'> … 1 character more</span>"


def test_a_cut_text_says_where_it_is_whole() -> None:
    whole, cut = Markup("<b>a</b>"), Markup(clip_html("abc", 1))
    assert with_source(whole, "x") == whole
    assert with_source(cut, "x.y<b>").endswith("whole in x.y&lt;b&gt;.</div>")
    assert "whole in" not in with_source(Markup(clip_html("<span class='soft more'>")), "x")
    assert isinstance(with_source(cut, "x"), Markup)


@pytest.mark.parametrize("path", TEMPLATES)
def test_every_template_is_sound_and_trusts_nothing(path: str) -> None:
    source = (PACKAGE / path).read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", source)
    assert environment().get_template(path)


def test_there_are_templates() -> None:
    assert "memory/views.html" in TEMPLATES
