"""HTML from templates: one jinja2 environment, in which every text is escaped and printable.

Templates stand beside the code that uses them, as files of macros. Their line breaks and what
indents them are no part of the HTML. Whatever a template writes follows `system.printable`: a text
is made printable and escaped, `text | clip(limit)` cuts it with a word, `text | isolated(limit)`
also keeps its direction to itself. Only what comes from another macro or filter is HTML already.
"""

from __future__ import annotations

import functools
import html
import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

from rememberer_nb.system.printable import (
    LINE_LIMIT,
    MORE,
    clip_html,
    isolated_html,
    more_html,
    printable,
)

_PACKAGE = Path(__file__).resolve().parent.parent


class _OneLine(Extension):
    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"\n\s*", "", source)


def as_number(value: float) -> str:
    """Two decimals, without a negative zero.

    >>> as_number(-0.001), as_number(2 / 3)
    ('0.00', '0.67')
    """
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


def count(n: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "step"), count(1_040, "step")
    ('1 step', '1,040 steps')
    """
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _written(value: Any) -> Markup:
    return value if isinstance(value, Markup) else Markup(html.escape(printable(str(value))))


@functools.cache
def environment() -> Environment:
    """The one environment of all templates; nobody changes it.

    >>> environment().from_string("<b>{{ text }}</b>").render(text="<i>\\x1b")
    '<b>&lt;i&gt;\\\\u001b</b>'
    """
    made = Environment(
        loader=FileSystemLoader(_PACKAGE),
        autoescape=True,
        extensions=[_OneLine],
        finalize=_written,
        undefined=StrictUndefined,
    )
    made.globals["number"] = as_number
    made.filters |= {
        "clip": lambda text, limit=LINE_LIMIT: Markup(clip_html(text, limit)),
        "isolated": lambda text, limit=LINE_LIMIT: Markup(isolated_html(text, limit)),
        "more": lambda n: Markup(more_html(n)),
        "number": as_number,
        "count": count,
    }
    return made


@functools.cache
def macros(path: str) -> Any:
    """The macros of a template file, by its path in the package: functions that return HTML.

    >>> macros("memory/views.html").table(["<b>"], [["1"]], 5)
    Markup("<table>...<th>&lt;b&gt;</th>...<td class='n'>1</td>...</table>")
    """
    return environment().get_template(path).module


def with_source(source: Markup, where: str) -> Markup:
    """Some HTML; where a text in it was cut, with a line that says where it is whole.

    >>> print(with_source(Markup(clip_html("abc", 1)), "there")[-67:])
    <div class='soft'>Texts that are cut here are whole in there.</div>
    """
    note = "<div class='soft'>Texts that are cut here are whole in {}.</div>"
    return source + Markup(note).format(where) if MORE in source else source
