"""The best purchase that a search allows: what a shopper could earn who chooses perfectly.

A choice oracle: it knows the goal, but not how to search. It is given the hits of one query, buys
the one that earns most with the options that fit best, and so bounds every agent that types this
query and looks no further than these hits. No agent may use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.goals import Goal
from rememberer_nb.envs.webshop.reward import count_options, score_purchase
from rememberer_nb.errors import ConfigError

if TYPE_CHECKING:
    from rememberer_nb.envs.webshop.shop import Shop

# A search gives at most 50 hits, ten a page; a simplified page shows the first three of its ten.
RANKS = (1, 3, 10, 50)
_PER_PAGE, _SHOWN_PER_PAGE = 10, 3

Query = Callable[[Goal], str]


@dataclass(frozen=True, slots=True)
class Purchase:
    """A product with options (group name -> value), and what buying it earns, in [0, 1]."""

    product: Product
    options: dict[str, str]
    reward: float


def sentence_query(goal: Goal) -> str:
    """The whole instruction, lower-cased."""
    return goal.text.lower()


def keyword_query(goal: Goal) -> str:
    """The shop's own word for the kind, and the attributes: what only the goal's owner knows.

    >>> keyword_query(Goal("B1", "Lamp", "", "lamp", "", "a lamp", ("dimmable",), ("red",), 30.0))
    'lamp dimmable'
    """
    return f"{goal.query} {' '.join(goal.attributes)}".lower()


def find_hits(shop: Shop, query: str) -> list[Product]:
    """The hits of a search, best first, at most 50."""
    return list(shop.find(query.split(" ")))


def shown_simplified(hits: Sequence[Product]) -> list[Product]:
    """The hits that can be clicked on simplified pages: the first three of every ten.

    >>> len(shown_simplified([Product(f"B{i}", "Lamp") for i in range(25)]))
    9
    """
    return [hit for place, hit in enumerate(hits) if place % _PER_PAGE < _SHOWN_PER_PAGE]


def best_options(product: Product, goal: Goal) -> dict[str, str]:
    """One value per group at most, so that as many wanted options as possible are matched.

    Of equal choices, the goal's own words and the fewest groups come first. Where two groups have
    a value in common, a click sets it in the last one.

    >>> lamp = Product("B1", "Lamp", options=(("color", ("deep red", "blue")), ("size", ("s",))))
    >>> goal = Goal("B1", "Lamp", "", "lamp", "", "a red lamp", ("dimmable",), ("red",), 30.0)
    >>> best_options(lamp, goal)
    {'color': 'deep red'}
    """
    # Which wanted options are matched -> a choice that matches them; the empty choice to begin.
    best: dict[frozenset[int], dict[str, str]] = {frozenset(): {}}
    for name, values in _reachable(product):
        choices: dict[frozenset[int], str] = {}
        for value in sorted(values, key=lambda value: value not in goal.options):
            pairs = enumerate(goal.options)
            choices.setdefault(frozenset(i for i, w in pairs if count_options([value], [w])), value)
        for matched, chosen in list(best.items()):
            for more, value in choices.items():
                best.setdefault(matched | more, {**chosen, name: value})
    return best[max(best, key=len)]


def _reachable(product: Product) -> list[tuple[str, list[str]]]:
    """The option groups with the values that a click can set in them."""
    groups, taken = [], set[str]()
    for name, values in reversed(product.options):
        groups.append((name, [value for value in values if value not in taken]))
        taken.update(values)
    return groups[::-1]


def purchase(shop: Shop, goal: Goal, product: Product, *, with_options: bool = True) -> Purchase:
    """What buying a product earns, with the best options or with none."""
    options = best_options(product, goal) if with_options else {}
    price = shop.prices[product.asin]
    return Purchase(product, options, score_purchase(product, goal, price, options, shop.nouns)[0])


def best_purchase(shop: Shop, goal: Goal, hits: Iterable[Product]) -> Purchase | None:
    """The purchase among these hits that earns most, of equals the first; None without hits.

    >>> from rememberer_nb import make_env
    >>> shop = make_env("webshop").unwrapped.engine.shop
    >>> goal = shop.goals[120]
    >>> best_purchase(shop, goal, find_hits(shop, sentence_query(goal))).reward
    1.0
    """
    found = (purchase(shop, goal, product) for product in hits)
    return max(found, key=lambda bought: bought.reward, default=None)


def best_rewards(
    shop: Shop,
    goals: Iterable[Goal],
    ranks: Sequence[int] = RANKS,
    *,
    query: Query = sentence_query,
    shown: Callable[[Sequence[Product]], Sequence[Product]] = list,
) -> dict[int, list[float]]:
    """The best reward among the first n hits, for each n and goal.

    Parameters
    ----------
    ranks : n, how many hits are looked at.
    query : goal -> what is typed.
    shown : which of the hits can be bought at all; by default all.

    Returns
    -------
    dict
        n -> list of shape (n_goals,), 0 where the search finds nothing. Grows with n for each goal.
    """
    if not ranks or min(ranks) < 1:
        raise ConfigError(f"ranks must be whole numbers of at least 1, got {ranks!r}")
    rewards: dict[int, list[float]] = {n: [] for n in ranks}
    for goal in goals:
        hits = shown(find_hits(shop, query(goal))[: max(ranks)])
        best = list(accumulate((purchase(shop, goal, hit).reward for hit in hits), max)) or [0.0]
        for n, found in rewards.items():
            found.append(best[min(n, len(best)) - 1])
    return rewards
