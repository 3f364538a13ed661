"""What customers want: the goals of a shop and the prices drawn for it.

Everything random comes from one `random.Random(seed)`, in the original's order: a price for each
product with a price range, then the price limits; the order of the goals has its own fixed seed.
"""

from __future__ import annotations

import itertools
import math
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rememberer_nb.envs.webshop.catalogue import Instruction, Product
from rememberer_nb.errors import CatalogueError

SHUFFLE_SEED = 233
NO_LIMIT = 1_000_000.0
_LIMITS = tuple(10.0 * i for i in range(1, 100))
_N_NEXT_LIMITS = 4
# Goals made of one product's options. Listings with a few groups of options have some hundreds.
MAX_CHOICES = 100_000


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing to buy.

    `options` are the wanted values: strings for a human goal, (group, value) pairs for a synthetic
    one. `price_upper` is in dollars; `weight` is how rare the wanted attributes are.
    """

    asin: str
    name: str
    category: str
    query: str
    product_category: str
    text: str
    attributes: tuple[str, ...]
    options: tuple[str, ...] | tuple[tuple[str, str], ...]
    price_upper: float
    weight: float = 1.0


def draw_prices(products: Iterable[Product], rng: random.Random) -> dict[str, float]:
    """asin -> dollars: the price, or one drawn uniformly from the product's range."""
    return {p.asin: rng.uniform(*p.prices) if len(p.prices) > 1 else p.prices[0] for p in products}


def draw_limit(price: float, rng: random.Random) -> tuple[float, str]:
    """A price limit above a price, and the words that the instruction gains.

    The larger of two drawn from the next four multiples of 10 below 1000; no limit if fewer than
    two are left.

    >>> draw_limit(995.0, random.Random(0))
    (1000000.0, '')
    """
    first = bisect_right(_LIMITS, price)
    above = _LIMITS[first : first + _N_NEXT_LIMITS]
    limit = max(rng.sample(above, 2)) if len(above) > 1 else NO_LIMIT
    return limit, limit_words(limit)


def limit_words(limit: float) -> str:
    """The words with which an instruction names its price limit.

    >>> limit_words(60.0), limit_words(NO_LIMIT)
    (', and price lower than 60.00 dollars', '')
    """
    return "" if limit == NO_LIMIT else f", and price lower than {limit:.2f} dollars"


def _goal(product: Product, text: str, **details: object) -> Goal:
    return Goal(
        asin=product.asin,
        name=product.title,
        category=product.category,
        query=product.query,
        product_category=product.product_category,
        text=text,
        **details,  # type: ignore[arg-type]
    )


def human_goals(
    products: Iterable[Product],
    instructions: Mapping[str, Sequence[Instruction]],
    prices: Mapping[str, float],
    rng: random.Random,
) -> Iterator[Goal]:
    """The goals of people's instructions, in file order; draws a price limit for each."""
    for product in products:
        for wanted in instructions.get(product.asin, ()):
            if wanted.attributes:
                limit, words = draw_limit(prices[product.asin], rng)
                yield _goal(
                    product,
                    wanted.text.strip(".") + words,
                    attributes=wanted.attributes,
                    options=wanted.options,
                    price_upper=limit,
                )


def has_synthetic_goals(product: Product) -> bool:
    """Whether a limit is drawn for the product, and a goal made of each choice of its options."""
    return bool(product.instruction and product.instruction_attributes)


def count_choices(product: Product) -> int:
    """How many choices of option values a product has; `CatalogueError` if they are too many."""
    n_choices = math.prod(len(values) for _, values in product.options)
    if n_choices > MAX_CHOICES:
        problem = f"its options can be chosen in more than {MAX_CHOICES} ways"
        raise CatalogueError(problem, field=f"product {product.asin}")
    return n_choices


def synthetic_choices(product: Product) -> Iterator[tuple[tuple[str, str], ...]]:
    """Every choice of option values, as (group, value) pairs with the groups sorted."""
    groups = sorted(product.options)
    names = [name for name, _ in groups]
    for values in itertools.product(*(values for _, values in groups)):
        yield tuple(zip(names, values, strict=True))


def synthetic_goal(product: Product, options: tuple[tuple[str, str], ...], limit: float) -> Goal:
    """The goal of one choice of options, not yet weighted."""
    wanted = ", and ".join(f"{name}: {value}" for name, value in options)
    return _goal(
        product,
        product.instruction + (f" with {wanted}" if wanted else "") + limit_words(limit),
        attributes=product.instruction_attributes,
        options=options,
        price_upper=limit,
    )


def _synthetic(
    products: Iterable[Product], prices: Mapping[str, float], rng: random.Random
) -> Iterator[Goal]:
    for product in products:
        if has_synthetic_goals(product):
            count_choices(product)
            limit, _ = draw_limit(prices[product.asin], rng)
            for options in synthetic_choices(product):
                yield synthetic_goal(product, options, limit)


def weighted(goal: Goal, counts: Mapping[str, int]) -> Goal:
    """The goal with the mean of 1 / (how many synthetic goals want it) over its attributes."""
    weight = sum(1 / counts[a] for a in goal.attributes) / len(goal.attributes)
    return replace(goal, weight=weight)


def shuffle_goals(goals: MutableSequence[Any]) -> None:
    """Put goals, or anything that stands for them, into their final order, in place."""
    random.Random(SHUFFLE_SEED).shuffle(goals)


def make_goals(
    products: Sequence[Product],
    instructions: Mapping[str, Sequence[Instruction]] | None,
    seed: int,
) -> tuple[tuple[Goal, ...], dict[str, float]]:
    """The goals in their final order, and the drawn price of each product (dollars by asin).

    Parameters
    ----------
    instructions : the human instructions; None makes synthetic goals instead.
    seed : of the prices and the price limits.

    Examples
    --------
    >>> lamp = Product("B1", "Red Lamp", prices=(25.0,))
    >>> wanted = {"B1": [Instruction("i want a red lamp.", ("red",), ())]}
    >>> goals, prices = make_goals([lamp], wanted, seed=0)
    >>> goals[0].text, prices
    ('i want a red lamp, and price lower than 60.00 dollars', {'B1': 25.0})
    """
    rng = random.Random(seed)
    prices = draw_prices(products, rng)
    if instructions is None:
        unweighted = list(_synthetic(products, prices, rng))
        counts = Counter(attribute for goal in unweighted for attribute in goal.attributes)
        goals = [weighted(goal, counts) for goal in unweighted]
    else:
        goals = list(human_goals(products, instructions, prices, rng))
    shuffle_goals(goals)
    return tuple(goals), prices
