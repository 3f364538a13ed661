"""The shop as the stand-in reads it: pages in the simplified format, nothing but their text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rememberer_nb.llms.offline.beliefs import Look, PageReading
from rememberer_nb.llms.offline.parse import Section
from rememberer_nb.llms.offline.webshop_tables import TABLES
from rememberer_nb.llms.offline.wish import Wish, fits_price, fold, look_at_query, read_wish
from rememberer_nb.llms.offline.words import share, stems, words

_ACTION = re.compile(r"\s*(search|click)\[(.*)\]\s*", re.IGNORECASE)
_TEMPLATE = re.compile(r"search\[<[^<>\]]*>\]", re.IGNORECASE)
_BUTTON = re.compile(r"\[\[(.+?)\]\](?!\])|\[(.+?)\]")
_LABEL = re.compile(r"(?:\[\[(.+)\]\]|\[(.+)\])")
_COUNTER = re.compile(r"Page (\d{1,6}) \(Total results: \d+\)", re.IGNORECASE)
_TABS = ("description", "features", "reviews")

# Pages further than this all count as equally deep.
_DEEPEST = 5

# A group is wanted if the task has more than this share of the words of one of its options.
_IS_NAMED = 0.5


def _label(line: str) -> tuple[str, bool] | None:
    """The label of a line that is one button, lower-cased, and whether it was clicked."""
    found = _LABEL.fullmatch(line)
    if found is None:
        return None
    return (found[1] or found[2]).lower(), found[1] is not None


def _times(action: str, last_actions: Sequence[str]) -> float:
    """How often an action was taken of late, in halves: 0, 0.5, then 1."""
    return min(sum(fold(last) == action for last in last_actions), 2) / 2


@dataclass(frozen=True, slots=True)
class _Item:
    """A product as a page shows it; each number in [0, 1]."""

    fit: float
    core: float
    price: float

    @property
    def poor(self) -> float:
        """How badly it fits: nothing of the thing's own name, little of the rest."""
        return 1.0 - (self.fit + self.core) / 2


def _item(title: str, price_line: str, wish: Wish) -> _Item:
    known = stems(title)
    return _Item(
        share(wish.head, known), share(wish.core, known), fits_price(price_line, wish.limit)
    )


@dataclass(frozen=True, slots=True)
class _Option:
    place: int
    named: float
    is_clicked: bool


class ShopBeliefs:
    """The shop for the stand-in (the protocol is `beliefs.Beliefs`).

    >>> shop = ShopBeliefs()
    >>> section = Section("a lamp", ("[Search]",), available_actions=("search[<keywords>]",))
    >>> list(shop.candidates(section, shop.read(section)))
    ['search[a lamp]', 'search[lamp]']
    """

    name = "webshop"
    tables = TABLES
    unavailable = ("click[add to basket]", "click[proceed to checkout]", "click[see more offers]")

    def read(self, section: Section) -> PageReading:
        """The kind of page, its features, and every button on it as an action."""
        wish = read_wish(section.task)
        lines = section.page
        lowered = [line.lower() for line in lines]
        counter = next((f for line in lines if (f := _COUNTER.fullmatch(line))), None)
        if "[buy now]" in lowered:
            page, features, looks = _item_page(lines, lowered, wish, section.last_actions)
        elif counter is not None:
            page, features, looks = _results_page(lines, counter, wish, section.last_actions)
        elif "[< prev]" in lowered:
            page, features, looks = "sub", (), _sub_page()
        elif "[search]" in lowered:
            page, features, looks = "search", (), {}
        else:
            page, features, looks = "", (), {}
        return PageReading(page, features, frozenset(wish.content), looks)

    def look(self, section: Section, reading: PageReading, action: str) -> Look | None:
        """A query by its words, anything else by what the page shows under that label."""
        found = _ACTION.fullmatch(action)
        if found is None:
            return None
        if found[1].lower() == "search":
            return look_at_query(found[2], read_wish(section.task), section.last_actions)
        return reading.looks.get(found[2].lower())

    def candidates(self, section: Section, reading: PageReading) -> dict[str, Look]:
        """The available actions that are understood; a search template becomes several queries."""
        found: dict[str, Look] = {}
        for action in section.available_actions:
            if _TEMPLATE.fullmatch(action):
                for query in read_wish(section.task).queries:
                    filled = f"search[{query}]"
                    found[filled] = self.look(section, reading, filled)
            elif (look := self.look(section, reading, action)) is not None:
                found[action] = look
        return found


_Page = tuple[str, tuple[float, ...], dict[str, Look]]


def _results_page(
    lines: Sequence[str], counter: re.Match[str], wish: Wish, last_actions: Sequence[str]
) -> _Page:
    products = _products(lines, wish)
    unseen = [item for _, item, is_visited in products if not is_visited]
    best = min((item.poor for item in unseen), default=1.0)
    # Nothing that can be paid counts as too dear; an empty page is not dear, only empty.
    dear = 1.0 - max((item.price for item in unseen), default=1.0)
    empty = float(not products)
    deep = min(max(int(counter[1]) - 1, 0), _DEEPEST) / _DEEPEST
    visited = 1.0 - len(unseen) / len(products) if products else 0.0
    looks = {
        label: Look("product", (item.fit, item.core, 1 / (1 + i), item.price, float(is_visited)))
        for i, (label, item, is_visited) in enumerate(products)
    }
    looks["next >"] = Look("next", (best, dear, deep, empty))
    # The page before was seen already: that this one is poor or dear makes it no better.
    looks["< prev"] = Look("prev", (0.0, 0.0, 0.0, empty))
    looks["back to search"] = Look(
        "back", (best, dear, empty, _times("click[back to search]", last_actions))
    )
    return "results", (best, dear, deep, empty, visited), looks


def _products(lines: Sequence[str], wish: Wish) -> list[tuple[str, _Item, bool]]:
    """(label, product, visited?) in the page's order: an id, a title and a price, line by line."""
    start = next(i for i, line in enumerate(lines) if _COUNTER.fullmatch(line)) + 1
    products = []
    while start < len(lines):
        label = _label(lines[start])
        start += 1
        if label is None or label[0] in ("next >", "< prev", "back to search"):
            continue
        title, price = [*lines[start : start + 2], "", ""][:2]
        products.append((label[0], _item(title, price, wish), label[1]))
        start += 2
    return products


def _item_page(
    lines: Sequence[str], lowered: Sequence[str], wish: Wish, last_actions: Sequence[str]
) -> _Page:
    price_at = next((i for i, line in enumerate(lowered) if line.startswith("price:")), 0)
    title_at = max(price_at - 1, 0)
    item = _item(lines[title_at], lines[price_at], wish)
    groups = _groups(lines[:title_at], wish)
    have, chosen = _choices(groups)
    dear = 1.0 - item.price
    looks = _options(groups)
    for tab in _TABS:
        looks[tab] = Look("tab", (item.poor, _times(f"click[{tab}]", last_actions)))
    looks["buy now"] = Look("buy", (item.fit, item.core, item.price, have))
    looks["< prev"] = Look("prev", (item.poor, dear, 0.0, 0.0))
    times = _times("click[back to search]", last_actions)
    looks["back to search"] = Look("back", (item.poor, dear, 0.0, times))
    return "item", (item.poor, dear, have, chosen, float(bool(groups))), looks


def _choices(groups: Sequence[dict[str, _Option]]) -> tuple[float, float]:
    """Share of the wanted groups that are chosen right, share of all groups that are chosen."""
    wanted = right = chosen = 0
    for group in groups:
        best = max(option.named for option in group.values())
        clicked = [option.named for option in group.values() if option.is_clicked]
        chosen += bool(clicked)
        if best > _IS_NAMED:
            wanted += 1
            right += best in clicked
    return right / wanted if wanted else 1.0, chosen / len(groups) if groups else 1.0


def _options(groups: Sequence[dict[str, _Option]]) -> dict[str, Look]:
    looks = {}
    for group in groups:
        best = max(option.named for option in group.values())
        is_settled = float(any(option.is_clicked for option in group.values()))
        for label, option in group.items():
            is_best = float(0 < option.named == best)
            is_first = float(option.place == 0)
            attributes = (option.named, is_best, is_settled, float(option.is_clicked), is_first)
            looks[label] = Look("option", attributes)
    return looks


def _groups(lines: Sequence[str], wish: Wish) -> list[dict[str, _Option]]:
    """The option groups above the title: "color [red][[blue]]", each a map from label to option."""
    after = next((i for i, line in enumerate(lines) if line.lower() == "[< prev]"), 0) + 1
    groups: list[dict[str, _Option]] = []
    for line in lines[after:]:
        buttons = _BUTTON.findall(line)
        if buttons:
            groups.append(
                {
                    (clicked or plain).lower(): _Option(
                        place,
                        share(words(clicked or plain), wish.plain),
                        bool(clicked),
                    )
                    for place, (clicked, plain) in enumerate(buttons)
                }
            )
    return groups


def _sub_page() -> dict[str, Look]:
    # A page of text leads nowhere but back; its words are not weighed.
    return {
        "< prev": Look("prev", (0.0, 0.0, 1.0, 0.0)),
        "back to search": Look("back", (0.0, 0.0, 0.0, 0.0)),
    }
