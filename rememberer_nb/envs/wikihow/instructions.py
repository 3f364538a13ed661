"""Instructions of how-to tasks: which one is in force, and what kind of thing it asks for.

A how-to task is a command of one to five instructions, revealed one at a time. The observation
then ends with the latest of them, as its only line that is no element: ``Instruction: Access ...``.
"""

from __future__ import annotations

import functools
import re

KINDS = ("search", "article", "author", "category", "reference", "about")

_ELEMENT = re.compile(r"^<[a-zA-Z]", re.MULTILINE)
_HEADING = re.compile(r"instruction\s*:", re.IGNORECASE)
# Anchored at the start of a line or at "Then", so that words within a title are none.
_KIND = re.compile(
    r"(?:^[ \t]*(?:instruction:[ \t]*)?|\bthen,?\s+)"
    r"(?:search\b[^\n\"“]*?\b(?P<search>article)\b"
    r"|(?:access|check|visit|open)\s+the\s+"
    r"(?:(?P<article>article)|(?P<author>author)|(?:page\s+of\s+)?(?:the\s+)?(?P<category>category)"
    r"|(?P<reference>reference)|(?P<about>about))\b)",
    re.IGNORECASE | re.MULTILINE,
)

# Likeness of two kinds. Source: the published code's table. An author's and a category's page are
# reached by a link at the top of an article, references and the about page further down.
_LIKENESS = {
    ("search", "article"): 0.1,
    ("article", "author"): 0.3,
    ("article", "category"): 0.3,
    ("author", "category"): 0.8,
    ("author", "reference"): 0.3,
    ("author", "about"): 0.3,
    ("category", "reference"): 0.3,
    ("category", "about"): 0.3,
    ("reference", "about"): 0.8,
}


def current_instruction(task: str, observation: str) -> str:
    """The instruction in force: the screen's last line that is no element, else the task.

    An observation without any element (a shop page) has no such line.

    >>> current_instruction("Search ...", '<p id="0">x</p>\\nInstruction: Check the reference list')
    'Check the reference list'
    >>> current_instruction("i want a lamp", "[Back to Search]\\nPage 1")
    'i want a lamp'
    """
    if not _ELEMENT.search(observation):
        return task
    for line in reversed(observation.split("\n")):
        if line.strip() and not line.startswith("<"):
            return _HEADING.sub("", line, count=1).strip() or task
    return task


def instruction_kinds(text: str) -> tuple[str, ...]:
    """The kinds of the instructions in a text, in order; what is no how-to instruction is none.

    >>> instruction_kinds('Search an article to learn how to hop.\\nThen, access the about page')
    ('search', 'about')
    >>> instruction_kinds('Access the article "How to Check the Reference List"')
    ('article',)
    >>> instruction_kinds("i want a lamp")
    ()
    """
    return tuple(str(found.lastgroup) for found in _KIND.finditer(text))


def kind_likeness(one: str, two: str) -> float:
    """Likeness of two kinds, in [0, 1]; symmetric.

    >>> kind_likeness("about", "reference"), kind_likeness("search", "about")
    (0.8, 0.0)
    """
    if one == two:
        return 1.0
    return _LIKENESS.get((one, two), _LIKENESS.get((two, one), 0.0))


@functools.lru_cache(maxsize=65536)
def kinds_likeness(one: tuple[str, ...], two: tuple[str, ...]) -> float:
    """Likeness of two commands: that of their kinds, aligned in order, over the longer length.

    Of single instructions it is `kind_likeness`; without any it is 0. Time O(len(one) len(two)).

    >>> kinds_likeness(("search", "about"), ("search", "reference", "about"))
    0.6666666666666666
    """
    best = [0.0] * (len(two) + 1)
    for kind in one:
        row = [0.0]
        for j, other in enumerate(two):
            row.append(max(best[j + 1], row[j], best[j] + kind_likeness(kind, other)))
        best = row
    return best[-1] / max(len(one), len(two), 1)
