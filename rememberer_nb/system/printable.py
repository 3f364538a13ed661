"""Texts from elsewhere made fit to be seen: on a terminal, in HTML, in a figure.

Pages, actions, replies and names come from environments, LLMs and files, and may hold anything. A
view shows what they hold and lets none of it act: controls, which move a terminal's cursor or
change its colours, marks of direction, which turn round the numbers beside them, and halves of
surrogate pairs, which no file can hold, are written as JSON writes them. What is long is cut with a
word that says how much is left out. The data itself is never changed.
"""

from __future__ import annotations

import html
import sys
from typing import TextIO

from rememberer_nb.errors import printable as printable

# Characters of one text in a view: a long page, or a whole prompt of 4,000 tokens.
TEXT_LIMIT = 20_000
# Characters of a text that stands in a line with others: a task, an action, a reason.
LINE_LIMIT = 500
# What HTML holds where a text was cut; no foreign text can, since its quotes are escaped.
MORE = "class='soft more'"


def brief(text: str, width: int) -> str:
    """One printable line of at most `width` characters, with "…" at its end where it was cut.

    >>> brief("a  lamp\\nfor $5", 8)
    'a lamp …'
    """
    line = printable(" ".join(text.split()))
    return line if len(line) <= width else line[: width - 1] + "…"


def more(n: int) -> str:
    """The word for what is left out.

    >>> more(998_000)
    '… 998,000 characters more'
    """
    return f"… {n:,} {'character' if n == 1 else 'characters'} more"


def clip(text: str, limit: int = LINE_LIMIT) -> str:
    """The printable text, cut after `limit` characters with a word.

    >>> clip("abcdef", 4)
    'abcd … 2 characters more'
    """
    rest = len(text) - limit
    return printable(text) if rest <= 0 else f"{printable(text[:limit])} {more(rest)}"


def clip_html(text: str, limit: int = LINE_LIMIT) -> str:
    """The same for HTML: printable, escaped for elements and attributes, cut with a word.

    >>> clip_html("<b>bold</b>", 3)
    "&lt;b&gt;<span class='soft more'> … 8 characters more</span>"
    """
    return html.escape(printable(text[:limit])) + more_html(len(text) - limit)


def isolated_html(text: str, limit: int = LINE_LIMIT) -> str:
    """The same for HTML beside other words: whichever way the text runs, they stay in place.

    >>> isolated_html("lamp")
    '<bdi>lamp</bdi>'
    """
    return f"<bdi>{html.escape(printable(text[:limit]))}</bdi>{more_html(len(text) - limit)}"


def more_html(n: int) -> str:
    """The word for what is left out; nothing if nothing is."""
    return f"<span {MORE}> {more(n)}</span>" if n > 0 else ""


def say(text: str, file: TextIO | None = None) -> None:
    """Print the text, made printable, whatever the terminal's encoding lacks."""
    file = sys.stdout if file is None else file
    encoding = file.encoding or "utf-8"
    print(printable(text).encode(encoding, "backslashreplace").decode(encoding), file=file)
