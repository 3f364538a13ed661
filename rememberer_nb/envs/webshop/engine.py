"""The shop as a state machine: text actions in; page, reward and end out. No gymnasium here.

It behaves as the original's text environment does, action by action and byte by byte: what is not
available changes nothing, searching works on every page, and a purchase does not close the shop
(the gymnasium environment on top of it does).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rememberer_nb.envs.webshop import pages
from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.goals import Goal
from rememberer_nb.envs.webshop.reward import Info, score_purchase
from rememberer_nb.envs.webshop.shop import Shop

FORMATS = ("text", "text_rich", "simplified")
_SUB_PAGES = {name.lower(): name for name in pages.SUB_PAGES}
_FORMATTERS = {
    "text": pages.format_text,
    "text_rich": pages.format_rich,
    "simplified": pages.format_simplified,
}


class StepOutcome(NamedTuple):
    """What a step brought: the reward, and whether it bought something."""

    reward: float = 0.0
    done: bool = False


_NOTHING = StepOutcome()


def parse_action(action: str) -> tuple[str, str] | None:
    """Verb and argument of "verb[argument]", None if the action has no such form.

    The verb reaches to the last "[" that leaves an argument before the last "]" of the first line;
    what follows that "]" is ignored. Takes time proportional to the length.

    >>> parse_action("search[red lamp] please"), parse_action("search[]")
    (('search', 'red lamp'), None)
    >>> parse_action("think[click[next >]]")
    ('think[click', 'next >]')
    """
    line = action.split("\n", 1)[0]
    end = line.rfind("]")
    start = line.rfind("[", 0, max(end - 1, 0))
    return (line[:start], line[start + 1 : end]) if start > 0 else None


@dataclass(slots=True)
class _State:
    """Where the customer is. `kind` is "search", "results", "item", "description" or "done"."""

    kind: str = "search"
    keywords: tuple[str, ...] = ()
    hits: Sequence[Product] = ()
    page_number: int = 1
    product: Product | None = None
    sub_page: str = ""
    options: dict[str, str] = field(default_factory=dict)
    visited: set[str] = field(default_factory=set)
    reward: float = 0.0


class Engine:
    """One customer in a shop.

    Parameters
    ----------
    shop : catalogue, search index and goals; shared between engines and never changed.
    is_simplified : three products of a result page are shown and can be clicked, instead of ten.

    Examples
    --------
    >>> from rememberer_nb.envs.webshop.shop import Shop
    >>> lamp = Product("B1", "Red Lamp", options=(("size", ("small", "large")),), query="lamp")
    >>> goal = Goal("B1", "Red Lamp", "", "lamp", "", "a lamp", ("red",), ("small",), 120.0)
    >>> engine = Engine(Shop.build([lamp], [goal], {"B1": 100.0}))
    >>> engine.reset(0)
    >>> for action in ("search[Lamps]", "click[b1]", "click[small]", "click[buy now]"):
    ...     outcome = engine.step(action)
    >>> outcome
    StepOutcome(reward=1.0, done=True)
    """

    def __init__(self, shop: Shop, *, is_simplified: bool = False):
        self.shop = shop
        self._n_shown = pages.N_SHOWN_SIMPLIFIED if is_simplified else pages.PAGE_SIZE
        self._goal_number = 0
        self.reward_info: Info | None = None
        self._enter(_State())

    def reset(self, goal_number: int) -> None:
        """Start anew with the goal of that number."""
        self._goal_number = goal_number
        self.reward_info = None
        self._enter(_State())

    def step(self, action: str) -> StepOutcome:
        """Carry out one action; anything that cannot be done changes nothing."""
        parsed = parse_action(action)
        if parsed is None:
            return _NOTHING
        verb, argument = parsed[0], parsed[1].lower()
        if verb == "search":
            self._search(argument)
        elif verb == "click" and argument in self.clickables and argument != "search":
            return self._click(argument)
        return _NOTHING

    @property
    def goal(self) -> Goal:
        """What this customer is to buy."""
        return self.shop.goals[self._goal_number]

    @property
    def page_type(self) -> str:
        """The kind of page: "search", "results", "item", "description" (any sub page), "done"."""
        return self._state.kind

    @property
    def has_search_bar(self) -> bool:
        """Whether the page shows the search field (searching works everywhere)."""
        return self._state.kind == "search"

    @property
    def clickables(self) -> tuple[str, ...]:
        """The labels that can be clicked, in order, lower-case."""
        if self._clickables is None:
            self._clickables = pages.clickables(self._page(self._n_shown))
        return self._clickables

    @property
    def url_path(self) -> str:
        """The path that the original's address bar would show."""
        state, goal = self._state, self._goal_number
        if state.kind == "search":
            return f"/{goal}"
        asin = state.product.asin if state.product else ""
        if state.kind == "done":
            return f"/done/{goal}/{asin}/{state.options}"
        query = "+".join(state.keywords)
        if state.kind == "results":
            return f"/search_results/{goal}/{query}/{state.page_number}"
        if state.kind == "item":
            options = json.dumps(state.options)
            return f"/item_page/{goal}/{asin}/{query}/{state.page_number}/{options}"
        sub_page = f"{state.sub_page}/{state.options}"
        return f"/item_sub_page/{goal}/{asin}/{query}/{state.page_number}/{sub_page}"

    def observe(self, observation_format: str) -> str:
        """The page as text, in one of `FORMATS`; `text` always lists ten products."""
        n_shown = pages.PAGE_SIZE if observation_format == "text" else self._n_shown
        return _FORMATTERS[observation_format](self._page(n_shown))

    def _enter(self, state: _State) -> None:
        self._state = state
        self._changed()

    def _changed(self) -> None:
        self._clickables: tuple[str, ...] | None = None
        self._shown: dict[int, pages.Page] = {}

    def _page(self, n_shown: int) -> pages.Page:
        if n_shown not in self._shown:
            self._shown[n_shown] = self._build_page(n_shown)
        return self._shown[n_shown]

    def _build_page(self, n_shown: int) -> pages.Page:
        state, instruction = self._state, self.goal.text
        if state.kind == "search":
            return pages.search_page(instruction)
        if state.kind == "results":
            first = (state.page_number - 1) * pages.PAGE_SIZE
            shown = state.hits[first : first + n_shown]
            return pages.results_page(
                instruction, shown, state.visited, state.page_number, len(state.hits)
            )
        assert state.product is not None
        if state.kind == "item":
            return pages.item_page(instruction, state.product, self.url_path)
        if state.kind == "description":
            return pages.sub_page(instruction, state.product, state.sub_page)
        return pages.done_page(state.product.asin, state.options, state.reward)

    def _search(self, argument: str) -> None:
        keywords = tuple(argument.split(" "))
        hits = self.shop.find(keywords)
        self._enter(_State("results", keywords, hits, visited=self._state.visited))

    def _click(self, label: str) -> StepOutcome:
        state = self._state
        if label == pages.BUY_NOW.lower():
            return self._buy()
        if label == pages.BACK_TO_SEARCH.lower():
            self._enter(_State())
        elif state.kind == "results":
            self._click_result(label)
        elif label == pages.PREV.lower():
            self._leave_product()
        elif label in _SUB_PAGES:
            state.kind, state.sub_page = "description", _SUB_PAGES[label]
        else:
            self._choose(label)
        self._changed()
        return _NOTHING

    def _click_result(self, label: str) -> None:
        state = self._state
        if label == pages.NEXT.lower():
            state.page_number += 1
        elif label == pages.PREV.lower():
            state.page_number -= 1
        else:
            state.product = next(p for p in state.hits if p.asin.lower() == label)
            state.visited.add(state.product.asin)
            state.kind = "item"

    def _leave_product(self) -> None:
        state = self._state
        if state.kind == "description":
            state.kind = "item"
        else:
            state.kind = "results"
            state.options.clear()

    def _choose(self, value: str) -> None:
        """Of equal values in several groups, the last group's is chosen."""
        assert self._state.product is not None
        groups = reversed(self._state.product.options)
        name = next(name for name, values in groups if value in values)
        self._state.options[name] = value

    def _buy(self) -> StepOutcome:
        state = self._state
        assert state.product is not None
        price = self.shop.prices[state.product.asin]
        state.reward, self.reward_info = score_purchase(
            state.product, self.goal, price, state.options, self.shop.nouns
        )
        state.kind = "done"
        self._changed()
        return StepOutcome(state.reward, True)
