"""The how-to site as the agent sees it."""

from __future__ import annotations

import re

from rememberer_nb.envs.profile import Profile
from rememberer_nb.envs.wikihow.wording import WORDING

# What one fulfilled instruction pays. Tasks have one to five instructions and so no full mark in
# common; a value of 2.00 in a prompt means two more instructions fulfilled, whatever the task.
FULL_MARK = 1.0

_INTRODUCTION = """\
You use the app of a how-to site. A screen is simplified HTML, one element per line, each with an
id. Your task is a command of several instructions; the last line of the page tells the one to
follow now. There are four kinds of action:
  INPUT(id, text)               types a text into a search field and starts the search;
  CLICK(id)                     presses an element;
  SCROLL(UP) or SCROLL(DOWN)    shows another part of a long page;
  GOBACK                        returns to the page before.
Each instruction that you fulfil scores 1; the task ends with the last one, or after 15 actions."""

_MARKS = (
    ("results", re.compile(r'class="search src text" value="\s*[^"\s]')),
    ("search", re.compile(r'class="search src text"')),
    ("start", re.compile(r'class="webView"')),
    ("article", re.compile(r'alt="More options"')),
    ("about", re.compile(r'class="about header"')),
    ("menu", re.compile(r'class="navigation drawer"')),
    # Cards of articles stand in "p" on the page of a category, in "div" on that of an author.
    (
        "category",
        re.compile(
            r'class="category banner|class="header container"[^>]*="true"|>&lt;<|<p [^>]*>How to<'
        ),
    ),
    ("author", re.compile(r'class="header container"[^>]*="false"|>\+ Follow<|<div [^>]*>How to<')),
)


def page_type(observation: str) -> str:
    """The kind of a page, by marks that the published screens have too; "" if there are none.

    "start", "search" (an empty field), "results", "article", "author", "category", "about", "menu".

    >>> page_type('<div class="webView" id="3" clickable="true"></div>')
    'start'
    """
    return next((name for name, mark in _MARKS if mark.search(observation)), "")


WIKIHOW = Profile(
    name="wikihow",
    introduction=_INTRODUCTION,
    full_mark=FULL_MARK,
    action_pattern=re.compile(
        r"\bINPUT ?\( ?\d+ ?,(?:[^()\n]|\([^()\n]*\))*\)"
        r"|\bCLICK ?\( ?\d+ ?\)|\bSCROLL ?\( ?(?:UP|DOWN) ?\)|\bGOBACK\b",
        re.IGNORECASE,
    ),
    placeholders=("<text>",),
    page_type=page_type,
    wording=WORDING,
)
