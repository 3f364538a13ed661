"""The web shop as the agent sees it."""

from __future__ import annotations

import re

from rememberer_nb.envs.profile import Profile
from rememberer_nb.envs.webshop.wording import WORDING

_INTRODUCTION = """\
You are the customer of an online shop that shows plain text pages. Buy the one product that fits
the task best: the right kind of product, with the wanted properties and options, within the price.
There are two kinds of action:
  search[<keywords>]  looks for products, where the page has a search field;
  click[<label>]      presses something that the page shows in square brackets.
Choose the wanted options on the product's page before click[buy now], which ends the task.
The score is between 0 (wrong product) and 1 (everything fits)."""


def page_type(observation: str) -> str:
    """The kind of a shop page: "search", "results", "item", "description" or "done".

    >>> page_type("Instruction:\\na lamp\\n[Back to Search]\\nPage 1 (Total results: 3)")
    'results'
    """
    lowered = observation.lower()
    if "[buy now]" in lowered or "[button] buy now" in lowered:
        return "item"
    if re.search(r"page \d+ \(total results: \d+\)", lowered):
        return "results"
    if "< prev" in lowered:
        return "description"
    if "[search]" in lowered or "[button] search" in lowered:
        return "search"
    return "done" if "your score" in lowered or "thank you" in lowered else ""


WEBSHOP = Profile(
    name="webshop",
    introduction=_INTRODUCTION,
    full_mark=1.0,
    action_pattern=re.compile(r"\b(?:search|click)\s*\[[^\[\]\n]*\]", re.IGNORECASE),
    placeholders=("<keywords>",),
    page_type=page_type,
    wording=WORDING,
)
