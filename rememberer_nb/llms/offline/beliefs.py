"""How the stand-in forms a belief: a prior, moved by how advised actions surprised it.

An exemplar tells that action b was worth v where the stand-in would have believed q0(b); the
surprise v − q0(b) is carried over to like actions in like situations. With c the prior's weight, K
the likeness of two situations and k that of two actions::

    q0(a) = bias[kind] + Σ_i weight[kind, i] · attribute_i(a)
    Q(a)  = q0(a) + Σ K k (v − q0(b)) / (c + Σ K k)      over the advised actions b with a value v
            + label weight · Σ K k s / (c + Σ K k)       over all advice; s = +1 encouraged, −1 not

An action that looks exactly like the advised one gets (c q0 + Σ K k v) / (c + Σ K k), the mean of
prior and observations; actions that look a little better or worse than it stay that much better or
worse. All values are in full marks. Without advice Q(a) = q0(a) exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from rememberer_nb.config import OfflineConfig
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.offline.parse import Section

# No score is this many full marks: a bound keeps absurd advice from overflowing.
_VALUE_BOUND = 10.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """How fast likeness falls; each number is the exponent of e for one full unit of distance.

    Two actions that differ in one whole attribute are 0.05 alike, and so are as good as strangers;
    two pages that differ in one whole feature are 0.14 alike; two tasks without a common word
    leave 0.37, since how to shop does not depend much on what for.
    """

    page: float = 2.0
    task: float = 1.0
    action: float = 3.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) >= 0:
                raise ConfigError(f"Likeness.{name} must be at least 0, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a table of beliefs, in full marks, with its plain reason."""

    value: float
    reason: str


class Kind:
    """What is believed of one kind of action: a bias, and a weight per attribute.

    >>> kind = Kind(Number(0.3, "by itself"), near=Number(0.2, "it is close"))
    >>> round(kind.prior((0.5,)), 3), kind.reason((0.5,))
    (0.4, 'it is close')
    """

    __slots__ = ("bias", "numbers", "weights")

    def __init__(self, bias: Number, **numbers: Number):
        self.bias = bias
        self.numbers: Mapping[str, Number] = numbers
        self.weights = tuple(number.value for number in numbers.values())

    def prior(self, attributes: Sequence[float]) -> float:
        """q0 = bias + weights · attributes, in full marks."""
        total = self.bias.value
        for weight, attribute in zip(self.weights, attributes, strict=True):
            total += weight * attribute
        return total

    def reason(self, attributes: Sequence[float]) -> str:
        """The reason of the attribute that speaks most for it, else that of the bias."""
        parts = [
            (number.value * attribute, number.reason)
            for number, attribute in zip(self.numbers.values(), attributes, strict=True)
        ]
        best = max(parts, default=(0.0, ""), key=lambda part: part[0])
        return best[1] if best[0] > 0 else self.bias.reason

    def but(self, bias: Number | None = None, **numbers: Number) -> Kind:
        """A copy in which some numbers are others; an unknown attribute is a `ConfigError`."""
        unknown = numbers.keys() - self.numbers.keys()
        if unknown:
            raise ConfigError(f"no such attribute: {', '.join(sorted(unknown))}")
        return Kind(bias or self.bias, **{**self.numbers, **numbers})

    def described(self) -> list[tuple[str, float, str]]:
        """Every number with its name and its reason; the bias comes first."""
        named = {"": self.bias, **self.numbers}
        return [(name, number.value, number.reason) for name, number in named.items()]


Table = Mapping[str, Kind]


class Look(NamedTuple):
    """What is seen of an action: its kind, and the attributes of that kind, each in [0, 1]."""

    kind: str
    attributes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PageReading:
    """A task and a page as far as they matter: kind of page, features in [0, 1], task words."""

    page: str
    features: tuple[float, ...]
    words: frozenset[str]
    looks: Mapping[str, Look]


class Beliefs(Protocol):
    """One environment as the stand-in knows it: a small object, everything read from text."""

    name: str
    tables: Mapping[str, Table]
    unavailable: tuple[str, ...]

    def read(self, section: Section) -> PageReading:
        """What there is to see in a section of the prompt."""
        ...

    def look(self, section: Section, reading: PageReading, action: str) -> Look | None:
        """An action on a page that was read; None if nothing is known of it."""
        ...

    def candidates(self, section: Section, reading: PageReading) -> dict[str, Look]:
        """What could be done, templates filled: action -> look."""
        ...


class Advised(NamedTuple):
    """An advised action as it looked in its own exemplar.

    `value` is what it was worth, `prior` what would have been believed of it; both in full marks.
    """

    exemplar: int
    action: str
    look: Look
    prior: float
    value: float | None
    is_encouraged: bool
    situation_likeness: float


class Contribution(NamedTuple):
    """What one line of advice does to one candidate: it counts K·k observations of a surprise.

    `exemplar` is the example's number in the prompt, from 1; the surprise is `value` − `prior`.
    """

    exemplar: int
    action: str
    is_encouraged: bool
    situation_likeness: float
    action_likeness: float
    prior: float
    value: float | None


class Row(NamedTuple):
    """One candidate: all that went into its score. Values in full marks."""

    action: str
    kind: str
    attributes: tuple[tuple[str, float], ...]
    prior: float
    belief: float
    probability: float
    evidence: tuple[Contribution, ...]


def situation_likeness(one: PageReading, other: PageReading, likeness: Likeness) -> float:
    """K in [0, 1]: 1 for the same, 0 on another kind of page.

    K = exp(−page · Σ|feature distance| − task · (1 − shared words)), shared words counted as
    2 |A ∩ B| / (|A| + |B|).
    """
    if one.page != other.page:
        return 0.0
    distance = likeness.page * _distance(one.features, other.features)
    n_words = len(one.words) + len(other.words)
    shared = 2 * len(one.words & other.words) / n_words if n_words else 1.0
    return math.exp(-distance - likeness.task * (1 - shared))


def action_likeness(one: Look, other: Look, likeness: Likeness) -> float:
    """k in [0, 1]: 1 for the same attributes, 0 for another kind.

    >>> action_likeness(Look("buy", (1.0,)), Look("buy", (0.0,)), Likeness(action=0.0))
    1.0
    >>> action_likeness(Look("buy", (1.0,)), Look("back", (1.0,)), Likeness())
    0.0
    """
    if one.kind != other.kind:
        return 0.0
    return math.exp(-likeness.action * _distance(one.attributes, other.attributes))


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    total = 0.0
    for a, b in zip(one, other, strict=True):
        total += abs(a - b)
    return total


def weigh(
    look: Look, prior: float, advised: Sequence[Advised], config: OfflineConfig, likeness: Likeness
) -> tuple[float, tuple[Contribution, ...]]:
    """Q(a) and the lines of advice that had a part in it.

    >>> buy = Look("buy", ())
    >>> advice = Advised(1, "click[buy now]", buy, 0.3, 0.9, True, 1.0)
    >>> belief, _ = weigh(buy, 0.3, [advice], OfflineConfig(label_weight=0.0), Likeness())
    >>> round(belief, 6)  # (0.2 · 0.3 + 1 · 0.9) / 1.2
    0.8
    """
    weight = pull = labels = label_pull = 0.0
    evidence = []
    for line in advised:
        alike = action_likeness(look, line.look, likeness)
        counts = line.situation_likeness * alike
        if counts == 0.0:
            continue
        if line.value is not None:
            value = max(-_VALUE_BOUND, min(_VALUE_BOUND, line.value))
            weight += counts
            pull += counts * (value - line.prior)
        labels += counts
        label_pull += counts if line.is_encouraged else -counts
        evidence.append(
            Contribution(
                line.exemplar,
                line.action,
                line.is_encouraged,
                line.situation_likeness,
                alike,
                line.prior,
                line.value,
            )
        )
    belief = prior + pull / (config.prior_weight + weight)
    belief += config.label_weight * label_pull / (config.prior_weight + labels)
    return belief, tuple(evidence)


def softmax(beliefs: Sequence[float], temperature: float) -> list[float]:
    """exp(Q / temperature), normalised.

    >>> softmax([0.5, 0.5], 0.05)
    [0.5, 0.5]
    """
    if not beliefs:
        return []
    highest = max(beliefs)
    powers = [math.exp((belief - highest) / temperature) for belief in beliefs]
    total = math.fsum(powers)
    return [power / total for power in powers]
