"""States of a large experience memory, drawn from a seed: the bundled shop recombined.

A task takes the wish of one bundled instruction, an option value of another product and a price.
A product takes the beginning of one bundled title, the end of another, its own asin and price, and
the options of a third; all of one department. The pages of a task are those that an agent meets:
its search page, results pages, item pages with options clicked, descriptions and features.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterator, Sequence
from functools import cache

from rememberer_nb.envs import make_env
from rememberer_nb.envs.webshop import pages
from rememberer_nb.envs.webshop.catalogue import Product

STATES_PER_TASK = 20
_MIN_PRODUCTS = 1_000
# One product in the pool for so many states: a page's products are met again, but not often.
_STATES_PER_PRODUCT = 10
_PRICE = re.compile(r",? and price lower than [\d.]+ dollars$")
_ASIN_SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# What page each state of a task is: one in twenty a search page, and so on.
_KINDS = ("search", *("results",) * 7, *("item",) * 9, *("sub",) * 3)

State = tuple[str, str]


@cache
def _bundled() -> tuple[dict[str, tuple[Product, ...]], tuple[tuple[str, str], ...]]:
    """The bundled shop's products by department, and its wishes (department, text)."""
    shop = make_env("webshop").unwrapped.engine.shop  # type: ignore[attr-defined]
    by_department: dict[str, list[Product]] = {}
    for product in shop.products:
        by_department.setdefault(product.category, []).append(product)
    wishes = [(goal.category, _PRICE.sub("", goal.text)) for goal in shop.goals]
    return {name: tuple(held) for name, held in by_department.items()}, tuple(wishes)


class StateMaker:
    """Draws distinct states (task, observation), `STATES_PER_TASK` to a task.

    Parameters
    ----------
    n : about how many states will be drawn; the pool of products grows with it.
    seed : the same n and seed give the same states.

    Examples
    --------
    >>> maker = StateMaker(40, seed=1)
    >>> states = list(maker.states(40))
    >>> len(set(states)), len({task for task, _ in states})
    (40, 2)
    """

    def __init__(self, n: int, seed: int = 0):
        self._rng = random.Random(seed)
        self._products, self._wishes = _bundled()
        self._departments = sorted(self._products)
        self._seen: dict[str, str] = {}
        n_products = _MIN_PRODUCTS + n // _STATES_PER_PRODUCT
        self._pool: dict[str, list[Product]] = {name: [] for name in self._departments}
        for i in range(n_products):
            department = self._departments[i % len(self._departments)]
            self._pool[department].append(self._product(department))

    def states(self, n: int) -> Iterator[State]:
        """n states, all different and different from those drawn before."""
        while n > 0:
            task, department = self.task()
            for observation in self.observations(task, department, min(n, STATES_PER_TASK)):
                yield task, observation
            n -= STATES_PER_TASK

    def task(self) -> tuple[str, str]:
        """A task that was not drawn before, and its department."""
        rng = self._rng
        while True:
            department, wish = rng.choice(self._wishes)
            options = rng.choice(self._products[department]).options
            name, values = rng.choice(options) if options else ("", ("",))
            text = f"{wish}, {name} {rng.choice(values)}" if name else wish
            text = f"{text}, and price lower than {rng.randrange(1, 40) * 10}.00 dollars"
            if text not in self._seen:
                self._seen[text] = department
                return text, department

    def department(self, task: str) -> str:
        """The department of a task that was drawn."""
        return self._seen[task]

    def observations(self, task: str, department: str, n: int) -> list[str]:
        """n different pages of a task, n at most `STATES_PER_TASK`."""
        found: dict[str, None] = {}
        for kind in _KINDS[:n]:
            while len(found) < len(_KINDS):
                page = self.observation(task, department, kind)
                if page not in found:
                    found[page] = None
                    break
        return list(found)

    def observation(self, task: str, department: str, kind: str = "results") -> str:
        """One page of a task: "search", "results", "item" or "sub"."""
        rng, pool = self._rng, self._pool[department]
        if kind == "search":
            return pages.format_simplified(pages.search_page(task))
        if kind == "results":
            shown = rng.sample(pool, pages.N_SHOWN_SIMPLIFIED)
            page = pages.results_page(task, shown, (), rng.randrange(1, 6), 50)
            return pages.format_simplified(page)
        product = rng.choice(pool)
        if kind == "sub":
            name = rng.choice(("Description", "Features"))
            return pages.format_simplified(pages.sub_page(task, product, name))
        return pages.format_simplified(pages.item_page(task, product, self._url(product)))

    def _url(self, product: Product) -> str:
        return "".join(
            f'"{self._rng.choice(values)}"'
            for _, values in product.options
            if self._rng.random() < 0.5
        )

    def _product(self, department: str) -> Product:
        rng = self._rng
        first, last, frame = (rng.choice(self._products[department]) for _ in range(3))
        low = round(4 + 300 * rng.random() ** 3, 2)
        asin = "B0" + "".join(rng.choices(_ASIN_SIGNS, k=8))
        title = _joined(rng, first.title.split(), last.title.split())
        return dataclasses.replace(
            frame, asin=asin, title=title, description=last.description, prices=(low,),
            price_tag=f"${low}", bullets=(*first.bullets[:2], *last.bullets[:2]),
        )  # fmt: skip


def _joined(rng: random.Random, first: Sequence[str], last: Sequence[str]) -> str:
    """The beginning of one title and the end of another."""
    beginning = first[: rng.randrange(2, max(3, len(first)))]
    return " ".join([*beginning, *last[len(last) // 2 :]])
