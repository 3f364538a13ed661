"""The definitions, written down a second time: slow, plain, and sharing no code with the package.

`learn` is RLEM on dictionaries; `Shop` reads the catalogue's files and scores purchases. Only the
noun tagger is the package's, and rapidfuzz compares phrases for both.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path
from typing import Any

from rapidfuzz.fuzz import token_set_ratio

Table = dict[tuple[str, str], dict[str, list[float]]]


def learn(config: dict[str, Any], episodes: list[dict[str, Any]]) -> Table:
    """The table (task, observation) -> action -> [Q, visits] after some episodes.

    `config` and `episodes` are as recorded: a step holds the action that led to its observation,
    and that action's reward. An episode with "truncated": true bootstraps from its last page.
    """
    table: Table = {}
    for episode in episodes:
        _learn_one(table, config, episode)
    return table


def _learn_one(table: Table, config: dict[str, Any], episode: dict[str, Any]) -> None:
    steps, g = episode["steps"], episode["task"]
    pages = [step["observation"] for step in steps]
    actions = [step["action"] for step in steps[1:]]
    rewards = [step["reward"] for step in steps[1:]]
    last = len(actions)
    n = config["n_step"] or last + 1
    for end in range(1, last + 1):
        # With every page that is seen, what lies n steps back is learnt; at the end, all the rest.
        first = end - n
        if end < last and first >= 0:
            _update(table, config, g, pages[first], actions[first], rewards[first:end], pages[end])
    for i in range(max(0, last - n), last):
        beyond = pages[last] if episode.get("truncated") else None
        _update(table, config, g, pages[i], actions[i], rewards[i:last], beyond)


def _update(
    table: Table, config: dict[str, Any], g: str, o: str, a: str, rewards: list, beyond: str | None
) -> None:
    value = table.setdefault((g, o), {}).setdefault(a, [0.0, 0])
    value[1] += 1
    target = sum(config["gamma"] ** k * reward for k, reward in enumerate(rewards))
    if beyond is not None:
        known = table.get((g, beyond)) or table[_nearest(table, f"{g} {beyond}")]
        target += config["gamma"] ** len(rewards) * max(q for q, _ in known.values())
    rate = 1 / value[1] if config["update"] == "mean" else config["learning_rate"]
    value[0] += rate * (target - value[0])


def _nearest(table: Table, text: str) -> tuple[str, str]:
    """The record most alike by shared words; of equals the most visited, then the oldest."""
    wanted = set(text.split())

    def rank(key: tuple[str, str]) -> tuple[float, float]:
        held = set(f"{key[0]} {key[1]}".split())
        union = wanted | held
        overlap = len(wanted & held) / len(union) if union else 0.0
        return overlap, sum(visits for _, visits in table[key].values())

    # `max` keeps the first of equals.
    return max(table, key=rank)


class Shop:
    """Human goals of a catalogue and what purchases are worth, by the words of the plan."""

    def __init__(self, folder: Path, seed: int, nouns: Any, colours: tuple[str, ...]):
        self.nouns, self.colours = nouns, colours
        items, self.attributes, instructions = (
            json.loads(gzip.decompress((folder / f"{name}.json.gz").read_bytes()))
            for name in ("items_shuffle", "items_ins_v2", "items_human_ins")
        )
        self.items: dict[str, Any] = {}
        for item in items:
            if item["asin"] != "nan" and len(item["asin"]) <= 10:
                self.items.setdefault(item["asin"], item)
        draws = random.Random(seed)
        self.prices = {asin: self._price(item, draws) for asin, item in self.items.items()}
        self.goals = [
            {**told, "asin": asin, "limit": self._limit(asin, draws)}
            for asin in self.items
            for told in instructions.get(asin, ())
            if told["instruction_attributes"]
        ]
        random.Random(233).shuffle(self.goals)

    @staticmethod
    def _price(item: dict[str, Any], draws: random.Random) -> float:
        parts = (re.sub(r"[^\d.]", "", part) for part in (item["pricing"] or "").split("$")[1:])
        found = [float(part) for part in parts if part]
        if len(found) >= 2:
            return draws.uniform(*found[:2])
        return found[0] if found else 100.0

    def _limit(self, asin: str, draws: random.Random) -> float:
        tens = [ten for ten in range(10, 1000, 10) if ten > self.prices[asin]][:4]
        return sorted(draws.sample(tens, 2))[1] if len(tens) >= 2 else 1000000

    def score(self, number: int, asin: str, options: dict[str, str]) -> float:
        """The reward of buying a product for goal `number`."""
        goal = self.goals[number]
        wanted = goal["instruction_attributes"]
        colours = [self._colour(value) for value in options.values()]
        n_attributes = sum(self._has(asin, attribute) for attribute in wanted)
        n_options = sum(
            any(_alike(value, self._colour(option)) for value in colours)
            for option in goal["instruction_options"]
        )
        n_right = n_attributes + n_options + (self.prices[asin] <= goal["limit"])
        n_wanted = len(wanted) + len(goal["instruction_options"]) + 1
        return n_right / n_wanted * self._kind(asin, goal["asin"])

    def _colour(self, value: str) -> str:
        return next((colour for colour in self.colours if colour in value), value)

    def _has(self, asin: str, attribute: str) -> bool:
        item = self.items[asin]
        if any(_alike(own, attribute) for own in self.attributes[asin]["attributes"]):
            return True
        texts = (item["name"], " ".join(_bullets(item)), item["full_description"] or "")
        return any(attribute in text.lower() for text in texts)

    def _kind(self, asin: str, wanted: str) -> float:
        one, other = self.items[asin], self.items[wanted]
        names = self.nouns(other["name"])
        shared = set(names) & set(self.nouns(one["name"]))
        title = len(shared) / len(names) if names else 0.2
        if title < 0.1:
            return 0.1 if title else 0.0
        parts = [{p.strip() for p in i["product_category"].split("›")} for i in (one, other)]
        is_query = one["query"].lower().strip() == other["query"].lower().strip()
        is_same = is_query or len(parts[0] & parts[1]) >= 2 or title > 0.2
        return 1.0 if is_same else 0.5


def _bullets(item: dict[str, Any]) -> list[str]:
    found = item["small_description"] or []
    return [found] if isinstance(found, str) else found


def _alike(one: str, other: str) -> bool:
    """Token-set ratio above 85, other than letters and digits made spaces."""
    plain = (re.sub(r"[\W_]", " ", text.lower()) for text in (one, other))
    return round(token_set_ratio(*plain)) > 85
