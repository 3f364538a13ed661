"""The web shop in few words: the task, the product at hand, and products by their titles."""

from __future__ import annotations

import functools
import itertools
import re

from rememberer_nb.envs.profile import Wording

_CLICK = re.compile(r"click\[(.*)\]", re.DOTALL | re.IGNORECASE)
_SEARCH = re.compile(r"search\[(.*)\]", re.DOTALL | re.IGNORECASE)
_PRODUCT = re.compile(r"(?:\[button\] |\[)(b0[a-z0-9]{8})(?: \[button_\]|\])", re.IGNORECASE)
_CLICKED = re.compile(r"you have clicked (.*)\.", re.IGNORECASE)
_PRICE = re.compile(r"price: (.*)", re.IGNORECASE)


def gist(task: str, observation: str) -> str:
    """The task; on a product's page, also its title, its price and what was chosen.

    >>> print(gist("a red lamp", "You have clicked red.\\n[Buy Now]\\nLamp\\nPrice: $9.00"))
    Task: a red lamp
    Product: lamp, $9.00
    Chosen: red
    """
    lines = [line.strip() for line in observation.split("\n")]
    said = [f"Task: {' '.join(task.split())}"]
    for title, line in itertools.pairwise(lines):
        if price := _PRICE.fullmatch(line):
            said.append(f"Product: {title.lower()}, {price[1]}")
    chosen = [found[1] for line in lines if (found := _CLICKED.fullmatch(line))]
    if chosen:
        said.append(f"Chosen: {', '.join(chosen)}")
    return "\n".join(said)


def say(action: str, observation: str) -> str:
    """A product by its title, anything else by its label; in small letters, as tasks are.

    >>> say("click[b0bvts6slb]", "[B0BVTS6SLB]\\nA BRASS LAMP\\n$9.00")
    'a brass lamp'
    >>> say("search[<keywords>]", ""), say("click[buy now]", "")
    ('search for "<keywords>"', 'buy now')
    """
    if pressed := _CLICK.fullmatch(action):
        return _titles(observation).get(pressed[1].lower(), pressed[1])
    if typed := _SEARCH.fullmatch(action):
        return f'search for "{typed[1]}"'
    return action


@functools.lru_cache(maxsize=256)
def _titles(observation: str) -> dict[str, str]:
    lines = [line.strip() for line in observation.split("\n")]
    return {
        found[1].lower(): title.lower()
        for line, title in itertools.pairwise(lines)
        if (found := _PRODUCT.fullmatch(line)) and title
    }


WORDING = Wording(gist, say)
