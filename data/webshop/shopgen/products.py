"""Products in families: one brand's versions of a sub-kind share a title's frame.

What sets the versions apart (attributes, option values, price) stands partly in the title and
mostly elsewhere: in bullets or the description, and now and then in the attribute file alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shopgen.vocabulary import Attribute, Category, Kind, without_article

GROUP_NAMES = {"flavor": "flavor name", "pack": "item package quantity", "scent": "scent name"}
_EMPTY_PARTS = re.compile(r" ?([,|])(?: ?[,|])*")
_ASIN_SIGNS = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
RIVALS = (
    ("long sleeve", "short sleeve"),
    ("slim fit", "relaxed fit", "regular fit", "loose fit"),
    ("straight leg", "wide leg"),
    ("v neck", "crew neck"),
    ("queen size", "king size", "twin size"),
    ("solid wood", "engineered wood"),
    ("assembly required", "fully assembled", "easy to assemble"),
    ("human hair", "synthetic hair"),
    ("100% cotton", "cotton spandex", "polyester spandex", "nylon spandex", "egyptian cotton"),
    ("zipper closure", "button closure", "lace closure", "drawstring closure", "elastic closure"),
    ("1080p hd", "4k ultra hd"),
    ("machine wash", "hand wash"),
    ("ready to hang", "led bulbs"),
    ("soy wax", "led bulbs"),
)
_FAMILY_SIZES = (1, 2, 3, 4, 5)
_FAMILY_WEIGHTS = (0.15, 0.25, 0.25, 0.2, 0.15)
_N_ATTRIBUTES = (2, 3, 4, 5)
_N_ATTRIBUTES_WEIGHTS = (0.2, 0.4, 0.3, 0.1)

_ATTRIBUTE_BULLETS = (
    "{A}: you will notice it from the first day, and it stays that way.",
    "{A} - one of the reasons why customers come back to {brand}.",
    "Designed with care, {a}, so you can think about other things.",
    "{A}. We test every batch before it leaves the workshop.",
    "What makes it different? {A}, and a price that stays fair.",
    "{N} you can count on: {a}.",
    "{A}, just as you would expect from {brand}.",
    "Made with everyday life in mind: {a}, no compromise.",
    "You asked and we listened: {a}.",
    "{A} | {use}",
)
_PLAIN_BULLETS = (
    "{N} with a thought for {use}: a present that gets used.",
    "What you get: {noun} as shown, a card with hints, and our friendly support.",
    "Please check the measurements and the pictures before you order.",
    "If anything is wrong with your {noun}, write to us and we will make it right.",
    "{brand} is a small team that cares about the details.",
    "Colors may look a little different on your display.",
    "What customers mention most: {use}.",
    "Goes well with our other {other}.",
)
_DESCRIPTIONS = (
    "This {noun} comes from {brand}: {use}. {listed}",
    "Meet the {noun} from {brand}. {listed} Have a look at our {other} too.",
    "{listed} {N}, {use}.",
    "Looking for {noun}? {brand} has had them for years. {listed}",
    "{brand} {noun}: {use}. {listed} Packed with care.",
    "",
)
_LISTINGS = (
    "Details: {a}.",
    "Think {a}.",
    "Key words: {a}.",
    "In short: {a}.",
    "Here is why: {a}.",
)


@dataclass(frozen=True, slots=True)
class MadeProduct:
    """A generated product, with what the instruction writer must know of it."""

    kind: Kind
    subkind: str
    brand: str
    attributes: tuple[Attribute, ...]
    row: dict[str, object]

    @property
    def asin(self) -> str:
        return str(self.row["asin"])

    @property
    def options(self) -> dict[str, list[str]]:
        """Group name -> values as the shop shows them: lower-cased, "/" as " | "."""
        groups: dict[str, list[dict[str, str]]] = self.row["customization_options"]  # type: ignore[assignment]
        return {
            name: [value["value"].replace("/", " | ").lower() for value in values]
            for name, values in groups.items()
        }


@dataclass(frozen=True, slots=True)
class _Family:
    kind: Kind
    subkind: str
    brand: str
    style: int
    uses: tuple[str, ...]
    attributes: tuple[Attribute, ...]
    options: dict[str, list[str]]
    price: float


def _asin(letter: str, rng: random.Random, taken: set[str]) -> str:
    while True:
        asin = f"B0{letter}" + "".join(rng.choices(_ASIN_SIGNS, k=7))
        if asin not in taken:
            taken.add(asin)
            return asin


def _title_case(text: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in text.split(" "))


def _title(family: _Family, shown: Sequence[str], extra: str, rng: random.Random) -> str:
    noun = _title_case(without_article(family.subkind))
    general = _title_case(without_article(family.kind.words[0]))
    general = "" if general in noun else general
    brand, use = family.brand, family.uses[0]
    lead = " ".join(map(_title_case, shown[:1]))
    rest = ", ".join(map(_title_case, shown[1:]))
    frames = (
        f"{brand} {lead} {noun}",
        f"{brand} {noun}, {lead}, {rest}, {use} - {extra}",
        f"{noun} by {brand} | {lead} | {use}",
        f"{lead} {noun} {rest} {general} {use}, {family.uses[1]} ({extra})",
        f"{brand} {noun} {extra}",
        f"{brand} - {lead} {noun}, {general}, {use}, {rest}",
        f"{noun}, {use}, {lead} {rest} ({brand})",
        f"{brand} {extra} {lead} {noun} {use} {family.uses[1]} {general}, {rest}",
    )
    title = " ".join(frames[family.style].replace(" |", "|").split())
    title = _EMPTY_PARTS.sub(r"\1", title).replace("|", " |").replace(", (", " (")
    title = title.replace(" ()", "")
    if rng.random() < 0.05:
        title = title.upper()
    return title.strip(" ,-|")


def _price_text(price: float, rng: random.Random) -> str:
    price = max(price, 2.5)
    chance = rng.random()
    if chance < 0.015:
        return ""
    cents = rng.choice((0.99, 0.95, 0.5, 0.0, 0.49, 0.97))
    low = int(price) + cents
    if chance < 0.25:
        return f"${low:.2f} - ${low * rng.uniform(1.15, 1.9):.2f}"
    return f"${low:.2f}"


def _values(values: Sequence[str], group: str, rng: random.Random) -> list[str]:
    size = min(len(values), rng.randint(3, 7))
    kept = set(rng.sample(range(len(values)), size))
    chosen = [value for i, value in enumerate(values) if i in kept]
    if group == "color" and len(chosen) > 2 and rng.random() < 0.12:
        chosen[-1] = f"{chosen[-1]}/{chosen[0]}"
    return chosen


def _family(kind: Kind, category: Category, rng: random.Random) -> _Family:
    groups = [group for group in kind.options if rng.random() < 0.86]
    low, high = kind.price
    return _Family(
        kind=kind,
        subkind=rng.choice(kind.subkinds),
        brand=rng.choice(category.brands),
        style=rng.randrange(8),
        uses=tuple(rng.sample(kind.uses, 2)),
        attributes=tuple(rng.sample(kind.attributes, 3)),
        options={name: list(values) for name, values in groups},
        price=low * (high / low) ** rng.betavariate(1.6, 2.0),
    )


def _attributes(family: _Family, rng: random.Random) -> tuple[Attribute, ...]:
    """One or two of the family's attributes, and others of the kind."""
    size = rng.choices(_N_ATTRIBUTES, _N_ATTRIBUTES_WEIGHTS)[0]
    mixed = rng.sample(family.attributes, min(size, rng.randint(1, 2)))
    others = [attribute for attribute in family.kind.attributes if attribute not in mixed]
    mixed += rng.sample(others, min(size - len(mixed), len(others)))
    for rivals in RIVALS:
        _keep_one(mixed, rivals)
    rng.shuffle(mixed)
    return tuple(mixed)


def _keep_one(attributes: list[Attribute], rivals: Sequence[str]) -> None:
    """Of attributes that cannot be true at once the first stays."""
    for extra in [attribute for attribute in attributes if attribute.name in rivals][1:]:
        attributes.remove(extra)


def _phrase(attribute: Attribute) -> str:
    return attribute.name if attribute.manner == "adj" else f"{attribute.manner} {attribute.name}"


def _texts(
    family: _Family, attributes: Sequence[Attribute], rng: random.Random
) -> tuple[list[str], list[str], str]:
    """What the title shows, the bullets and the description.

    Each attribute has a place or two of its own; one in thirty stands in none of them.
    """
    noun = without_article(family.subkind)
    others = [other for other in family.kind.subkinds if other != family.subkind]
    words = {
        "brand": family.brand,
        "noun": noun,
        "N": noun[:1].upper() + noun[1:],
        "other": without_article(rng.choice(others)),
        "use": rng.choice(family.uses).lower(),
    }
    shown, listed, bullets = [], [], []
    for attribute in attributes:
        in_title, in_bullet = rng.random() < 0.3, rng.random() < 0.65
        if in_title:
            shown.append(attribute.name)
        if in_bullet:
            a = _phrase(attribute)
            frame = rng.choice(_ATTRIBUTE_BULLETS)
            bullets.append(frame.format(A=rng.choice((a.upper(), _title_case(a))), a=a, **words))
        if not (in_title or in_bullet) and rng.random() < 0.93:
            listed.append(_phrase(attribute))
    rng.shuffle(bullets)
    for plain in rng.sample(_PLAIN_BULLETS, rng.randint(1, 3)):
        bullets.insert(rng.choice((0, rng.randint(0, len(bullets)))), plain.format(**words))
    listing = rng.choice(_LISTINGS).format(a=", ".join(listed)) if listed else ""
    frames = _DESCRIPTIONS[:-1] if listed else _DESCRIPTIONS
    description = rng.choice(frames).format(listed=listing, **words)
    return shown, bullets, " ".join(description.split())


def _version(family: _Family, category: Category, asin: str, rng: random.Random) -> MadeProduct:
    attributes = _attributes(family, rng)
    shown, bullets, description = _texts(family, attributes, rng)
    options = {
        GROUP_NAMES.get(group, group): _values(values, group, rng)
        for group, values in family.options.items()
    }
    extra = rng.choice(rng.choice(list(options.values()))) if options else ""
    row = {
        "asin": asin,
        "name": _title(family, shown, _title_case(extra), rng),
        "category": category.name,
        "query": family.kind.query,
        "product_category": family.kind.path,
        "pricing": _price_text(family.price * rng.lognormvariate(0, 0.35), rng),
        "small_description": bullets,
        "full_description": description,
        "customization_options": {
            name: [{"value": value} for value in values] for name, values in options.items()
        },
        "images": [""],
    }
    return MadeProduct(family.kind, family.subkind, family.brand, attributes, row)


def _accessory(
    title: str, kind: Kind, category: Category, asin: str, rng: random.Random
) -> MadeProduct:
    """A thing for owners of the kind, filed elsewhere: it only mentions the kind."""
    attributes = tuple(rng.sample(kind.attributes, 2))
    brand = rng.choice(category.brands)
    color = [{"value": value} for value in rng.sample(("black", "white", "grey", "pink"), 2)]
    row = {
        "asin": asin,
        "name": f"{brand} {title}",
        "category": category.name,
        "query": f"{category.name} accessories",
        "product_category": f"{kind.path.split(' › ')[0]} › Accessories › Care & Storage",
        "pricing": f"${rng.randint(5, 19)}.{rng.choice(('99', '49', '00'))}",
        "small_description": [
            f"Made for your {without_article(kind.words[0])}: {attributes[0].name}.",
            "Small enough for a drawer, and made to be used often.",
        ],
        "full_description": f"A helper for every owner of {without_article(kind.subkinds[0])}.",
        "customization_options": {"color": color} if rng.random() < 0.5 else {},
        "images": [""],
    }
    return MadeProduct(kind, f"a {title.lower()}", brand, attributes, row)


def make_products(
    category: Category, rng: random.Random, taken: set[str]
) -> Iterator[tuple[MadeProduct, bool]]:
    """The products of one department, each with whether it is the real thing (no accessory).

    `taken` holds the asins given so far and gains the new ones.
    """
    for kind in category.kinds:
        made = 0
        while made < kind.count:
            family = _family(kind, category, rng)
            size = min(rng.choices(_FAMILY_SIZES, _FAMILY_WEIGHTS)[0], kind.count - made)
            for _ in range(size):
                yield _version(family, category, _asin(category.letter, rng, taken), rng), True
            made += size
        for title in kind.accessories:
            asin = _asin(category.letter, rng, taken)
            yield _accessory(title, kind, category, asin, rng), False
