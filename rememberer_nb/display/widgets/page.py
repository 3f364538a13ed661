"""A page as HTML: what can be clicked is highlighted, and so is what the action clicked.

The marks come from the page and the available actions alone, whatever the environment: a label in
square brackets, between "[button]" and "[button_]" or between "[SEP]"s that an action names; an
element with the id that an action names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from rememberer_nb.system.printable import TEXT_LIMIT
from rememberer_nb.system.templates import macros

_ACTION = re.compile(r"\s*(\w+)\s*[\[(](.*)[\])]\s*$", re.DOTALL)
# What opens a button ends where the next `_CLOSE` on its line does; without one it is a label.
_TOKEN = re.compile(
    r"(?P<open>\[(?:clicked )?button\] )"
    r"|\[\[(?P<clicked>[^\[\]\n]*+)\]\]"
    r"|\[(?P<label>[^\[\]\n]*+)\]"
    r"|<(?P<tag>\w++)(?P<attributes>[^<>\n]*+)>(?:[^<\n]*+</(?P=tag)>)?"
)
_CLOSE = re.compile(r" \[(?:clicked )?button_\]")
_ID = re.compile(r"\bid=\"(\w++)\"")
_SEPARATOR = " [SEP] "


def action_names(action: str) -> tuple[str, str]:
    """The verb of an action and what it names, in lower case.

    >>> action_names("click[Buy Now]"), action_names("INPUT(3, red lamp)")
    (('click', 'buy now'), ('input', '3'))
    """
    match = _ACTION.match(action)
    if match is None:
        return action.strip().lower(), ""
    verb, argument = match[1].lower(), match[2].strip().lower()
    is_id = "(" in action[: match.start(2)]
    return verb, argument.split(",", 1)[0].strip() if is_id else argument


def _targets(actions: Iterable[str]) -> set[str]:
    # A search names free text; what the page shows for it is a label like its verb.
    return {name for action in actions for name in action_names(action) if name}


def page_html(
    observation: str,
    available_actions: Collection[str] = (),
    action: str = "",
    limit: int = TEXT_LIMIT,
) -> str:
    """The page in a scrollable box of fixed-width text.

    Parameters
    ----------
    observation : the page as the agent saw it; everything in it is escaped.
    available_actions : what these name is highlighted where the page shows it.
    action : what this names is marked as chosen.
    limit : how many characters of the page are shown; a word says how many are left out.

    Examples
    --------
    >>> "<mark class='chosen'" in page_html("[Buy Now]", ["click[buy now]"], "click[buy now]")
    True
    >>> page_html("<b>[sic]</b>").count("&lt;b&gt;[sic]&lt;/b&gt;")
    1
    """
    clickable = _targets(available_actions)
    verb, named = action_names(action)
    # Only an action without a label of its own on the page (a search) is shown by its verb.
    chosen = {named} if named in clickable else {verb}
    text = observation if _SEPARATOR in observation else observation.strip()
    split = _parts if _SEPARATOR in observation else _pieces
    pieces = [(piece, _kind(name, clickable, chosen)) for piece, name in split(text[:limit])]
    return macros("display/widgets/page.html").page(pieces, len(text) - limit)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """What stands between separators, each on a line, with its name."""
    for number, part in enumerate(text.split(_SEPARATOR)):
        if number:
            yield "\n", ""
        yield part, part


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces: what can be clicked with its name, the rest with none."""
    end = 0
    for start, stop, name in _tokens(text):
        yield text[end:start], ""
        yield text[start:stop], name
        end = stop
    yield text[end:], ""


def _tokens(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and name of all that can be clicked, in time linear in the text."""
    buttons = _Buttons(text)
    position = 0
    while found := _TOKEN.search(text, position):
        start, position = found.span()
        if found["open"] is not None:
            close = buttons.close_after(position)
            if close is None:
                position -= 1
                yield start, position, text[start + 1 : position - 1]
            else:
                yield start, close.end(), text[position : close.start()]
                position = close.end()
        elif found["tag"] is None:
            name = found["clicked"]
            yield start, position, found["label"] if name is None else name
        elif ids := _ID.findall(text, found.start("attributes"), found.end("attributes")):
            yield start, position, ids[-1]
        else:
            # A tag that nothing names may hold a label.
            position = start + 1


class _Buttons:
    """Where buttons end; looks at each character once, however many are opened and never closed."""

    def __init__(self, text: str):
        self._text = text
        self._close = _CLOSE.search(text)
        self._line_end = -1

    def close_after(self, position: int) -> re.Match[str] | None:
        """The next end of a button, if it stands on the line of `position`; positions only grow."""
        if self._close is not None and self._close.start() < position:
            self._close = _CLOSE.search(self._text, position)
        if self._line_end < position:
            found = self._text.find("\n", position)
            self._line_end = len(self._text) if found < 0 else found
        if self._close is None or self._close.start() > self._line_end:
            return None
        return self._close


def _kind(name: str, clickable: Collection[str], chosen: Collection[str]) -> str:
    key = name.strip().lower()
    if key not in clickable:
        return ""
    return "chosen" if key in chosen else "label"
