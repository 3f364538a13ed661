"""Screens: what a phone shows of a page at once, as simplified HTML.

One element per line, numbered from 0, the status bar last::

    <button alt="Open navigation drawer" id="0" clickable="true"></button>
    <img class="search button" alt="Search" id="1" clickable="true">
    <div id="2" clickable="true">Bake Rye Bread</div>
    <div class="statusBarBackground" id="3" clickable="false"></div>

A page is a header that every viewport repeats, and a body that is cut into viewports. Heights are
estimates in pixels; the element that the lower edge cuts through is shown on both sides of the cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

VIEW_HEIGHT = 640
_LINE_LENGTH, _LINE_HEIGHT, _MARGIN = 45, 24, 8
_VOID_TAGS = frozenset({"img", "input"})
INPUT_TEMPLATE = "INPUT({}, <text>)"
SCROLL_UP, SCROLL_DOWN, GO_BACK = "SCROLL(UP)", "SCROLL(DOWN)", "GOBACK"


class Place(NamedTuple):
    """Where a link leads: a kind of page and which of that kind.

    ("article", 3), ("author", 3), ("category", 3), ("references", 3) with numbers; ("results",
    query); ("start", 0), ("search", 0), ("menu", 0), ("about", 0).
    """

    kind: str
    key: int | str = 0


@dataclass(frozen=True, slots=True)
class ScreenElement:
    """A line of a screen.

    Parameters
    ----------
    tag, text : of the HTML element; the text is plain.
    attributes : what stands between tag and id, as written.
    is_clickable : what the line says; pressing a clickable element without `target` does nothing.
    target : where pressing it leads.
    is_field : whether text can be typed into it.
    height : pixels; 0: estimated from the length of the text.
    anchor : a name that `Page.anchors` finds again.
    """

    tag: str
    text: str = ""
    attributes: str = ""
    is_clickable: bool = False
    target: Place | None = None
    is_field: bool = False
    height: int = 0
    anchor: str = ""

    @property
    def pixels(self) -> int:
        """The height, estimated if need be."""
        n_lines = -(-len(self.text) // _LINE_LENGTH) or 1
        return self.height or n_lines * _LINE_HEIGHT + _MARGIN

    def line(self, number: int) -> str:
        """The element as HTML.

        >>> ScreenElement("p", "<", is_clickable=True).line(5)
        '<p id="5" clickable="true">&lt;</p>'
        """
        flag = "true" if self.is_clickable else "false"
        space = " " if self.attributes else ""
        head = f'<{self.tag}{space}{self.attributes} id="{number}" clickable="{flag}">'
        return head if self.tag in _VOID_TAGS else f"{head}{escape(self.text)}</{self.tag}>"


STATUS_BAR = ScreenElement("div", attributes='class="statusBarBackground"')


def escape(text: str) -> str:
    """Text or an attribute's value, so that it stays on its line and inside its quotes.

    >>> escape('a "b" <c> & d')
    'a &quot;b&quot; &lt;c&gt; &amp; d'
    """
    if not ("&" in text or "<" in text or ">" in text or '"' in text):
        return text
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;")


@dataclass(frozen=True, slots=True)
class Screen:
    """One viewport: its text, what can be pressed (number -> target), where text can be typed."""

    text: str
    n_elements: int
    targets: dict[int, Place | None]
    fields: frozenset[int]
    anchors: frozenset[str]
    available_actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page as its viewports from top to bottom; `hits` are the articles that a search found."""

    place: Place
    screens: tuple[Screen, ...]
    hits: frozenset[int] = field(default=frozenset())

    def screen_of(self, anchor: str) -> int:
        """The first viewport that shows an anchor; the top if none does."""
        return next((i for i, s in enumerate(self.screens) if anchor in s.anchors), 0)


def lay_out(
    place: Place,
    header: Sequence[ScreenElement],
    body: Sequence[ScreenElement],
    *,
    later_header: Sequence[ScreenElement] | None = None,
    hits: frozenset[int] = frozenset(),
) -> Page:
    """Cut a page into viewports; `later_header` stands on all but the first."""
    views = _cut(body)
    screens = []
    for i, view in enumerate(views):
        above = header if i == 0 or later_header is None else later_header
        scrolls = (*(SCROLL_UP,) * (i > 0), *(SCROLL_DOWN,) * (i < len(views) - 1))
        screens.append(_screen([*above, *view, STATUS_BAR], scrolls))
    return Page(place, tuple(screens), hits)


def _cut(body: Sequence[ScreenElement]) -> list[Sequence[ScreenElement]]:
    """The body in viewports.

    >>> tall = [ScreenElement("p", str(i), height=300) for i in range(5)]
    >>> [[element.text for element in view] for view in _cut(tall)]
    [['0', '1', '2'], ['2', '3', '4']]
    """
    views: list[Sequence[ScreenElement]] = []
    start = 0
    while True:
        end, used = start, 0
        while end < len(body) and used < VIEW_HEIGHT:
            used += body[end].pixels
            end += 1
        views.append(body[start:end])
        if end >= len(body):
            return views
        # What the edge cuts through comes again, unless it is taller than a whole view.
        start = end - 1 if used > VIEW_HEIGHT and end - start > 1 else end


def _screen(elements: Sequence[ScreenElement], scrolls: tuple[str, ...]) -> Screen:
    clickable = [(i, element) for i, element in enumerate(elements) if element.is_clickable]
    fields = [i for i, element in enumerate(elements) if element.is_field]
    return Screen(
        text="\n".join([element.line(i) for i, element in enumerate(elements)]),
        n_elements=len(elements),
        targets={i: element.target for i, element in clickable},
        fields=frozenset(fields),
        anchors=frozenset([element.anchor for element in elements if element.anchor]),
        available_actions=(
            *[INPUT_TEMPLATE.format(i) for i in fields],
            *[f"CLICK({i})" for i, _ in clickable],
            *scrolls,
        ),
    )
