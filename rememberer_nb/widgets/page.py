"""A page as HTML: what can be clicked is highlighted, and so is what the action clicked.

The marks come from the page and the available actions alone, whatever the environment: a label in
square brackets, between "[button]" and "[button_]" or between "[SEP]"s that an action names; an
element with the id that an action names.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable

_ACTION = re.compile(r"\s*(\w+)\s*[\[(](.*)[\])]\s*$", re.DOTALL)
_TOKEN = re.compile(
    r"\[(?:clicked )?button\] (?P<rich>.*?) \[(?:clicked )?button_\]"
    r"|\[\[(?P<clicked>[^\[\]\n]*)\]\]"
    r"|\[(?P<label>[^\[\]\n]*)\]"
    r"|<(?P<tag>\w+)\b[^<>\n]*\bid=\"(?P<id>\w+)\"[^<>\n]*>(?:[^<\n]*</(?P=tag)>)?"
)
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


def page_html(observation: str, available_actions: Collection[str] = (), action: str = "") -> str:
    """The page in a scrollable box of fixed-width text.

    Parameters
    ----------
    observation : the page as the agent saw it; everything in it is escaped.
    available_actions : what these name is highlighted where the page shows it.
    action : what this names is marked as chosen.

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
    if _SEPARATOR in observation:
        parts = observation.split(_SEPARATOR)
        marked = "\n".join(_mark(part, part, clickable, chosen) for part in parts)
    else:
        marked = _mark_tokens(observation.strip(), clickable, chosen)
    return f"<div class='box' tabindex='0' role='group' aria-label='Page'><pre>{marked}</pre></div>"


def _mark_tokens(text: str, clickable: Collection[str], chosen: Collection[str]) -> str:
    pieces, end = [], 0
    for match in _TOKEN.finditer(text):
        pieces.append(html.escape(text[end : match.start()]))
        names = (match["rich"], match["clicked"], match["label"], match["id"])
        name = next((name for name in names if name is not None), "")
        pieces.append(_mark(match[0], name, clickable, chosen))
        end = match.end()
    return "".join([*pieces, html.escape(text[end:])])


def _mark(text: str, name: str, clickable: Collection[str], chosen: Collection[str]) -> str:
    shown, key = html.escape(text), name.strip().lower()
    if key not in clickable:
        return shown
    if key in chosen:
        return f"<mark class='chosen' title='chosen'>{shown}</mark>"
    return f"<span class='label'>{shown}</span>"
