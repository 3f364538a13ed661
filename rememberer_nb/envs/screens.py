"""Screens as simplified HTML, an element a line: how they are read, written and acted on.

``<img class="search button" alt="Search" id="2" clickable="true">`` is one element. Void elements
have no end tag. A last line that is no element holds the instruction in force.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

TEXT_PLACEHOLDER = "<text>"
MOVES = ("SCROLL(UP)", "SCROLL(DOWN)", "GOBACK")
INSTRUCTION_HEADING = "Instruction: "

_VOID = frozenset({"img", "input"})
_LINE = re.compile(r"<([a-zA-Z][\w-]*)((?:\s+[\w-]+=\"[^\"]*\")*)\s*/?>(.*)", re.DOTALL)
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a screen: its class (`label`), description (`alt`) and what it shows."""

    tag: str
    number: int
    label: str = ""
    alt: str = ""
    text: str = ""
    is_clickable: bool = True

    @property
    def takes_text(self) -> bool:
        """A field, or the search button, which opens one."""
        return self.tag == "input" or (self.tag == "img" and self.alt.lower() == "search")

    def to_html(self) -> str:
        """The element's line.

        >>> Element("img", 2, "search button", "Search").to_html()
        '<img class="search button" alt="Search" id="2" clickable="true">'
        >>> Element("p", 3, text="a < b").to_html()
        '<p id="3" clickable="true">a &lt; b</p>'
        """
        pairs = [("class", self.label), ("alt", self.alt)]
        if self.tag == "input":
            pairs += [("value", self.text), ("type", "text")]
        shown = [(name, text) for name, text in pairs if text]
        shown += [("id", str(self.number)), ("clickable", str(self.is_clickable).lower())]
        opening = " ".join(
            [self.tag, *(f'{name}="{_escape_quoted(text)}"' for name, text in shown)]
        )
        return f"<{opening}>" + ("" if self.tag in _VOID else f"{_escape(self.text)}</{self.tag}>")


def read_screen(screen: str) -> tuple[Element, ...]:
    """The elements of a screen that have a number as id, from top to bottom.

    >>> read_screen('<p id="3" clickable="false">a &lt; b</p>\\nInstruction: hop')
    (Element(tag='p', number=3, label='', alt='', text='a < b', is_clickable=False),)
    """
    found = (_LINE.fullmatch(line.strip()) for line in screen.split("\n"))
    return tuple(element for match in found if match and (element := _element(match)) is not None)


def screen_actions(elements: Iterable[Element]) -> tuple[str, ...]:
    """What can be done: a text for each field, a press for each clickable element, the moves.

    >>> screen_actions([Element("input", 1), Element("div", 2, is_clickable=False)])
    ('INPUT(1, <text>)', 'CLICK(1)', 'SCROLL(UP)', 'SCROLL(DOWN)', 'GOBACK')
    """
    held = tuple(elements)
    fields = (f"INPUT({e.number}, {TEXT_PLACEHOLDER})" for e in held if e.takes_text)
    presses = (f"CLICK({e.number})" for e in held if e.is_clickable)
    return (*fields, *presses, *MOVES)


def with_instruction(screen: str, instruction: str) -> str:
    """A screen and, as its last line, the instruction in force; without one the screen alone.

    >>> with_instruction('<p id="0">hop</p>', "Check the reference list")
    '<p id="0">hop</p>\\nInstruction: Check the reference list'
    """
    line = " ".join(instruction.split())
    return f"{screen}\n{INSTRUCTION_HEADING}{line}" if line else screen


def _element(match: re.Match[str]) -> Element | None:
    tag, raw, rest = match.groups()
    attributes = {name: html.unescape(value) for name, value in _ATTRIBUTE.findall(raw)}
    number = attributes.get("id", "")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        return None
    shown = html.unescape(rest.removesuffix(f"</{tag}>"))
    return Element(
        tag,
        int(number),
        attributes.get("class", ""),
        attributes.get("alt", ""),
        attributes.get("value", "") if tag in _VOID else shown,
        attributes.get("clickable") == "true",
    )


def _escape(text: str) -> str:
    # An element stays on its line, whatever it shows.
    escaped = html.escape(text, quote=False)
    return "".join(f"&#{ord(c)};" if c in _BREAKS else c for c in escaped)


def _escape_quoted(text: str) -> str:
    return _escape(text).replace('"', "&quot;")


_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
