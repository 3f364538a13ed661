"""Logged purchases put to our own reward rule.

The log holds the goal, what was bought with which options at what price, and the parts of the
reward. It does not hold the product's title, categories and texts; where our rule needs these, it
gets what the logged parts say of them (as many shared nouns as `title_score` tells, a shared query
or category if it matched). So the rule for the type, the options, the price and the sum are put to
the test; the attributes too where the product's own list is at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Episode
from rememberer_nb.envs.webshop.catalogue import Product, read_shop_json
from rememberer_nb.envs.webshop.goals import NO_LIMIT, Goal
from rememberer_nb.envs.webshop.reward import count_attributes, score_purchase
from rememberer_nb.errors import TranscriptError, shown

CHECKED = ("reward", "r_type", "r_att", "r_option", "r_price")
_TOLERANCE = 1e-9
_MAX_NOUNS = 1000
_NEEDED = ("r_type", "r_att", "r_price", "query_match", "category_match", "title_score")
_SAME, _OTHER = "a › b", ""
# Titles that no wanted attribute can occur in.
_WANTED_TITLE, _BOUGHT_TITLE = "\0wanted", "\0bought"

AttributeSource = str | Path | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RewardCheck:
    """One logged purchase beside our own reckoning.

    Parameters
    ----------
    logged, ours : name -> value, for "reward" and for each part that the log holds and that we
        did not have to take from it.
    n_listed : how many of the goal's attributes the product's own list has; None where there is
        no list, and the matched attributes are then taken from the log.
    """

    episode_id: str
    logged: Mapping[str, float]
    ours: Mapping[str, float]
    n_listed: int | None = None

    @property
    def differing(self) -> tuple[str, ...]:
        """The names whose values differ by more than 1e-9."""
        return tuple(
            name for name, value in self.logged.items() if abs(value - self.ours[name]) > _TOLERANCE
        )


def check_rewards(
    episodes: Iterable[Episode], *, attributes: AttributeSource | None = None
) -> tuple[RewardCheck, ...]:
    """Reckon the reward of each logged purchase anew.

    Parameters
    ----------
    episodes : from `read_sessions`; those without a purchase or without logged parts are left out.
    attributes : the shop's attribute file (path, or its content: asin -> object with
        "attributes"). An attribute that the product's list lacks may still stand in its texts,
        which the log does not hold: the higher of the two counts is used.

    Examples
    --------
    >>> from rememberer_nb.elements import Task
    >>> goal = {"attributes": ["soft"], "goal_options": ["red"], "price_upper": 30.0}
    >>> info = {"r_type": 1.0, "r_att": 0.0, "r_option": 1.0, "r_price": True,
    ...         "query_match": True, "category_match": False, "title_score": 0.25}
    >>> bought = {"asin": "B1", "options": {"color": "bright red"}, "price": 9.0}
    >>> metadata = {"goal": goal, "purchase": {**bought, "reward_info": info}}
    >>> episode = Episode("s", "webshop", "human", Task("s", "g"), (), "", metadata=metadata)
    >>> (check,) = check_rewards([episode])
    >>> round(check.ours["reward"], 4), check.differing
    (0.6667, ('reward',))
    """
    table = _read_table(attributes)
    purchases = ((episode, episode.metadata.get("purchase")) for episode in episodes)
    return tuple(
        _check(episode, purchase, table)
        for episode, purchase in purchases
        if purchase is not None and _is_whole(purchase.get("reward_info"))
    )


def summarise_checks(checks: Iterable[RewardCheck]) -> dict[str, Any]:
    """How many purchases agree, in all and part by part ("agreeing/held by the log").

    >>> summarise_checks([RewardCheck("s", {"reward": 0.5}, {"reward": 0.5})])
    {'checked': 1, 'agree': 1, 'parts': {'reward': '1/1'}, 'with_attribute_list': 0}
    """
    held = list(checks)
    parts = {}
    for name in CHECKED:
        having = [check for check in held if name in check.logged]
        if having:
            n_equal = sum(name not in check.differing for check in having)
            parts[name] = f"{n_equal}/{len(having)}"
    return {
        "checked": len(held),
        "agree": sum(not check.differing for check in held),
        "parts": parts,
        "with_attribute_list": sum(check.n_listed is not None for check in held),
    }


def _read_table(attributes: AttributeSource | None) -> Mapping[str, Any]:
    if attributes is None:
        return {}
    path = None if isinstance(attributes, Mapping) else Path(attributes)
    table = attributes if isinstance(attributes, Mapping) else read_shop_json(attributes)
    if not isinstance(table, Mapping):
        raise TranscriptError("the attribute file should hold an object by asin", path=path)
    return table


def _is_whole(info: Any) -> bool:
    return isinstance(info, Mapping) and all(name in info for name in _NEEDED)


def _check(episode: Episode, purchase: Mapping[str, Any], table: Mapping[str, Any]) -> RewardCheck:
    info, goal = purchase["reward_info"], _goal(episode)
    listed = _listed_attributes(purchase["asin"], table)
    n_listed = None
    if listed is not None:
        own = Product(purchase["asin"], "", attributes=listed)
        n_listed = count_attributes(own, goal.attributes)
    # The log knows how many attributes matched, not which: the first ones stand for them.
    n_held = max(round(info["r_att"] * len(goal.attributes)), n_listed or 0)
    product = Product(
        purchase["asin"],
        _BOUGHT_TITLE,
        attributes=goal.attributes[:n_held],
        query=goal.query if info["query_match"] else _OTHER,
        product_category=_SAME if info["category_match"] else _OTHER,
    )
    price = purchase["price"]
    if price is None:
        price = goal.price_upper + (not info["r_price"])
    reward, parts = score_purchase(
        product, goal, price, purchase["options"], _nouns(info["title_score"])
    )
    ours = {"reward": reward, **parts}
    logged = {"reward": episode.total_reward, **info}
    # What we took from the log ourselves is no test.
    given = {"r_att": n_listed is None, "r_price": purchase["price"] is None}
    names = [n for n in CHECKED if n in logged and n in ours and not given.get(n)]
    return RewardCheck(
        episode.episode_id,
        {name: float(logged[name]) for name in names},
        {name: float(ours[name]) for name in names},
        n_listed,
    )


def _goal(episode: Episode) -> Goal:
    """The logged goal, its type fields replaced by ones that match or not as the log says."""
    raw = episode.metadata["goal"]
    options, limit = raw.get("goal_options", []), raw.get("price_upper", NO_LIMIT)
    wanted = list(options.items()) if isinstance(options, Mapping) else options
    attributes = raw.get("attributes")
    for name, value, is_right in (
        ("attributes", attributes, bool(attributes) and _is_texts(attributes)),
        ("goal_options", options, _is_texts([*options.values()] if wanted != options else options)),
        ("price_upper", limit, isinstance(limit, int | float) and not isinstance(limit, bool)),
    ):
        if not is_right:
            source, where = episode.metadata.get("source"), f"{episode.episode_id}, goal"
            raise TranscriptError(f"bad {name!r}: {shown(value)}", path=source, field=where)
    return Goal(
        asin="",
        name=_WANTED_TITLE,
        category="",
        query=_SAME,
        product_category=_SAME,
        text=episode.task.text,
        attributes=tuple(attributes),
        options=tuple(wanted),
        price_upper=float(limit),
    )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _listed_attributes(asin: str, table: Mapping[str, Any]) -> tuple[str, ...] | None:
    entry = table.get(asin)
    if entry is None:
        return None
    listed = entry.get("attributes") if isinstance(entry, Mapping) else None
    if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
        raise TranscriptError("'attributes' should be a list of texts", field=f"product {asin}")
    return tuple(listed)


def _nouns(title_score: float) -> Any:
    """A tagger under which the two titles have just that score."""
    share = Fraction(title_score).limit_denominator(_MAX_NOUNS)
    nouns = [f"noun {i}" for i in range(share.denominator)]
    return {_WANTED_TITLE: nouns, _BOUGHT_TITLE: nouns[: share.numerator]}.get
