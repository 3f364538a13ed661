"""What a purchase is worth.

reward = (matched attributes + matched options + [price ≤ limit])
         / (wanted attributes + wanted options + 1) · r_type

The rules are those of WebShop (Yao et al. 2022, arXiv 2207.01206, section 3.2), with the details
of princeton-nlp/WebShop (MIT).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.fuzz import token_set_ratio

from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.goals import Goal
from rememberer_nb.envs.webshop.nouns import NounTagger

# The colour words of princeton-nlp/WebShop (MIT), in its order: the first that occurs counts.
_COLOUR_WORDS = """
    alabaster apricot aqua ash asphalt azure banana beige black blue blush bordeaux bronze brown
    burgundy camel camo caramel champagne charcoal cheetah chestnut chocolate christmas coffee
    cognac copper coral cranberry cream crystal dark denim eggplant elephant espresso fuchsia gold
    granite grape graphite grass gray green grey heather indigo ivory ivy khaki lavender lemon
    leopard light lilac lime magenta maroon mauve merlot midnight mint mocha multicolor mushroom
    mustard natural navy nude olive orange peach pewter pink plum purple rainbow red rose royal
    rust sand sapphire seashell silver skull slate steel stone stonewash sunflower tan taupe teal
    tiger turquoise violet walnut wheat white wine yellow
"""
COLOURS = tuple(_COLOUR_WORDS.split())
_SIMILAR_ABOVE = 85
_NO_NOUNS_SCORE = 0.2
_SAME_TITLE_ABOVE = 0.2
_OTHER_TITLE_BELOW = 0.1
_UNLIKE_TYPE = 0.5
_N_SHARED_CATEGORIES = 2
_NOT_WORD = re.compile(r"[\W_]")
# The original's scorer leaves these characters out before it compares ("café" becomes "caf").
_LEFT_OUT = dict.fromkeys(range(128, 256))

Info = dict[str, float | bool]


@dataclass(frozen=True, slots=True)
class TypeMatch:
    """How far a product is the right kind of thing; `score` is r_type, in [0, 1]."""

    score: float
    query_match: bool
    category_match: bool
    title_score: float


def _simplify(phrase: str) -> str:
    return _NOT_WORD.sub(" ", phrase.translate(_LEFT_OUT).lower())


def are_similar(left: str, right: str) -> bool:
    """Whether two phrases agree but for order, repetitions and small differences in spelling.

    Their token-set ratio, rounded to a whole number of percent, is above 85.

    >>> are_similar("long sleeves", "sleeve, long"), are_similar("long sleeve", "short leg")
    (True, False)
    """
    return round(token_set_ratio(_simplify(left), _simplify(right))) > _SIMILAR_ABOVE


def reduce_colour(value: str) -> str:
    """The first colour word that a value contains, or the value.

    >>> reduce_colour("light grey"), reduce_colour("large")
    ('grey', 'large')
    """
    return next((colour for colour in COLOURS if colour in value), value)


def _wanted_value(option: str | tuple[str, str]) -> str:
    if isinstance(option, str):
        return reduce_colour(option)
    return next((colour for colour in COLOURS if colour in option), " ".join(option))


def count_options(bought: Iterable[str], wanted: Sequence[str] | Sequence[tuple[str, str]]) -> int:
    """How many of the wanted options are among the bought values.

    >>> count_options(["light grey", "x-large"], ["grey", "small"])
    1
    """
    values = [reduce_colour(value) for value in bought]
    return sum(any(are_similar(v, _wanted_value(w)) for v in values) for w in wanted)


def count_attributes(product: Product, wanted: Iterable[str]) -> int:
    """How many of the wanted attributes the product has, by its attribute list or its text.

    >>> count_attributes(Product("B1", "Red Lamp", attributes=("easy clean",)), ["easy cleans"])
    1
    """
    return sum(_has_attribute(product, attribute) for attribute in wanted)


def _has_attribute(product: Product, attribute: str) -> bool:
    if any(are_similar(own, attribute) for own in product.attributes):
        return True
    texts = (product.title, " ".join(product.bullets), product.description)
    return any(attribute in text.lower() for text in texts)


def _categories(product_category: str) -> set[str]:
    return {part.strip() for part in product_category.split("›")}


def _title_score(title: str, wanted: str, nouns: NounTagger) -> float:
    wanted_nouns = nouns(wanted)
    if not wanted_nouns:
        return _NO_NOUNS_SCORE
    return len(set(wanted_nouns).intersection(nouns(title))) / len(wanted_nouns)


def match_type(product: Product, goal: Goal, nouns: NounTagger) -> TypeMatch:
    """Whether the product is the kind of thing that the goal asks for."""
    query_match = product.query == goal.query
    shared = _categories(product.product_category) & _categories(goal.product_category)
    category_match = len(shared) >= _N_SHARED_CATEGORIES
    title_score = _title_score(product.title, goal.name, nouns)
    if title_score < _OTHER_TITLE_BELOW:
        score = _OTHER_TITLE_BELOW if title_score else 0.0
    else:
        is_same = query_match or category_match or title_score > _SAME_TITLE_ABOVE
        score = 1.0 if is_same else _UNLIKE_TYPE
    return TypeMatch(score, query_match, category_match, title_score)


def score_purchase(
    product: Product, goal: Goal, price: float, options: Mapping[str, str], nouns: NounTagger
) -> tuple[float, Info]:
    """The reward of buying a product with these options at this price (dollars), and its parts.

    Returns
    -------
    (reward, info) : reward in [0, 1]; `info` holds `r_type, r_att, w_att, query_match,
        category_match, title_score, r_price, w_price`, and `r_option, w_option` if the goal has
        options.

    Examples
    --------
    >>> lamp = Product("B1", "Red Lamp", attributes=("dimmable",), query="lamp")
    >>> goal = Goal("B1", "Red Lamp", "", "lamp", "", "a lamp", ("dimmable",), ("blue",), 30.0)
    >>> reward, info = score_purchase(lamp, goal, 25.0, {}, {"Red Lamp": ["lamp"]}.get)
    >>> round(reward, 4), info["r_option"], info["r_price"]
    (0.6667, 0.0, True)
    """
    kind = match_type(product, goal, nouns)
    n_attributes, n_options = len(goal.attributes), len(goal.options)
    n_wanted = n_attributes + n_options + 1
    matched_attributes = count_attributes(product, goal.attributes)
    matched_options = count_options(options.values(), goal.options)
    is_affordable = price <= goal.price_upper
    info: Info = {
        "r_type": kind.score,
        "r_att": matched_attributes / n_attributes,
        "w_att": n_attributes / n_wanted,
        "query_match": kind.query_match,
        "category_match": kind.category_match,
        "title_score": kind.title_score,
    }
    if n_options:
        info["r_option"] = matched_options / n_options
        info["w_option"] = n_options / n_wanted
    info["r_price"] = is_affordable
    info["w_price"] = 1 / n_wanted
    share = (matched_attributes + matched_options + is_affordable) / n_wanted
    return share * kind.score, info
