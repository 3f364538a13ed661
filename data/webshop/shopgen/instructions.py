"""Instructions as people type them: what they want of a product, in their own words.

An instruction is a noun with words before and after it, put into one of several shapes. Attributes
and option values appear as the shop writes them or as people say them; a few words have a slip.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from shopgen.products import MadeProduct
from shopgen.vocabulary import Attribute, Category, with_words_before, without_article

EVERYDAY_SHARE = 0.34
SLIP_SHARE = 0.06
_N_ATTRIBUTES_WEIGHTS = (0.27, 0.48, 0.25)
_N_OPTIONS_WEIGHTS = (0.2, 0.4, 0.29, 0.11)

_OPENERS = (
    "i am looking for {np}", "im looking for {np}", "i need {np}", "i want {np}",
    "i would like {np}", "find me {np}", "looking for {np}", "please find {np}",
    "get me {np}", "i am searching for {np}", "i want to buy {np}", "id like to buy {np}",
    "i need to get {np}", "show me {np}", "help me pick {np}", "i could use {np}",
    "im in need of {np}", "i am trying to find {np}", "im shopping for {np}", "order {np}",
    "need {np}", "want {np}", "i have to replace mine, so {np}", "let me see {np}",
    "i was hoping to find {np}", "im after {np}", "buy me {np}", "i guess i need {np}",
    "pick out {np} for me", "ive been meaning to buy {np}", "i really want {np}",
)  # fmt: skip
_QUESTIONS = (
    "do you have {np}", "can you find me {np}", "could you get me {np}", "are there any {plain}",
    "where can i get {np}", "would you look for {np}", "is there such a thing as {np}",
    "can i get {np}", "do you sell {np}",
)  # fmt: skip
_WISHES = {
    "adj": ("it should be {a}", "make sure its {a}", "needs to be {a}", "must be {a}",
            "it has to be {a}", "i want something {a}", "and {a} please"),
    "with": ("it should come with {a}", "i want {a}", "{a} would be great", "must have {a}",
             "look for {a}"),
    "for": ("it is for {a}", "has to be good for {a}", "i need it for {a}", "should work for {a}"),
    "without": ("no {a} please", "must not have {a}", "i dont want any {a}"),
}  # fmt: skip
_EVERYDAY_WISHES = (
    "ideally one {a}", "i want something {a}", "please pick one {a}", "i need one {a}",
    "preferably {a}", "it would be best if its one {a}",
)  # fmt: skip
_OPTION_PHRASES = {
    "color": ("in {v}", "in the color {v}", "in {v} color", "that comes in {v}", "colored {v}"),
    "size": ("size {v}", "in a size {v}", "in size {v}", "in {v}", "that comes in size {v}"),
    "measure": ("thats {v}", "in the {v} size", "sized {v}", "that is {v}", "({v})", "of {v}"),
    "flavor name": ("in {v} flavor", "with {v} flavor", "that tastes like {v}", "in {v}",
                    "flavored {v}"),
    "scent name": ("with {v} scent", "scented {v}", "that smells like {v}", "in {v}",
                   "in the {v} scent"),
    "item package quantity": ("({v})", "sold as {v}", "that comes as {v}", "in the {v} package"),
    "style": ("in the {v} style", "in {v}", "({v})", "the {v} version", "that is the {v} kind"),
}  # fmt: skip
_OPTION_WISHES = {
    "color": ("i like {v}", "color should be {v}", "choose {v}", "the {v} one please"),
    "size": ("i wear {v}", "size {v} please", "my size is {v}", "choose size {v}"),
    "measure": ("i need the {v} one", "{v} is the size i want", "it should measure {v}"),
    "flavor name": ("{v} is my favorite", "pick the {v} flavor", "i would prefer {v}"),
    "scent name": ("i like the smell of {v}", "pick {v} for the scent", "{v} please"),
    "item package quantity": ("get the {v}", "i want {v}", "{v} should be enough"),
    "style": ("i want the {v} option", "get the {v} one", "go for {v}"),
}
_OPTION_BEFORE = {
    "color": "{v}", "size": "{v}", "measure": "{v}", "flavor name": "{v} flavored",
    "scent name": "{v} scented", "item package quantity": "{v}", "style": "{v}",
}  # fmt: skip
_EVERYDAY_VALUES = (
    (r"^xx-large$", "2xl"), (r"^x-large$", "extra large"), (r"^x-small$", "extra small"),
    (r"^(\d)x-large$", r"\1xl"), (r"^pack of (\d+)$", r"\1 pack"), (r"^set of (\d+)$", r"\1 piece"),
    (r"^(\d+) pack$", r"pack of \1"), (r"^(\d+) count$", r"\1 ct"), (r" fl oz$", " ounces"),
    (r"^(\d+) ounce$", r"\1 oz"), (r"^(\d+) feet$", r"\1 ft"), (r"^(\d+) inch$", r"\1 inches"),
    (r"^(\d+) ft x (\d+) ft$", r"\1 by \2 feet"), (r"^(\d+) x (\d+) inch$", r"\1 by \2 inch"),
    (r"^(\d+)w x (\d+)l$", r"\1 waist \2 length"), (r"^(\d+) pound$", r"\1 lb"),
    (r"^(\d+) in x (\d+) in$", r"\1x\2"), (r"grey", "gray"), (r"^navy blue$", "navy"),
)  # fmt: skip
_ENDINGS = ("", "", "", "", ".", ".", ". thanks", ". thank you", " please", ", nothing fancy")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a goal asks of its product: attributes, and (group, value) pairs."""

    attributes: tuple[Attribute, ...]
    options: tuple[tuple[str, str], ...]


def choose_wanted(product: MadeProduct, rng: random.Random) -> Wanted:
    """Draw one to three of the product's attributes and none to three option values."""
    n_attributes = rng.choices((1, 2, 3), _N_ATTRIBUTES_WEIGHTS)[0]
    attributes = rng.sample(product.attributes, min(n_attributes, len(product.attributes)))
    groups = product.options
    n_options = min(rng.choices((0, 1, 2, 3), _N_OPTIONS_WEIGHTS)[0], len(groups))
    names = rng.sample(sorted(groups), n_options)
    return Wanted(tuple(attributes), tuple((name, rng.choice(groups[name])) for name in names))


def _everyday_value(value: str) -> str:
    for pattern, replacement in _EVERYDAY_VALUES:
        changed = re.sub(pattern, replacement, value)
        if changed != value:
            return changed
    return value


def _option(name: str, value: str, rng: random.Random) -> tuple[str, str]:
    """The manner and the wording of an option value: "measure" for sizes that are not worn."""
    is_worn = re.fullmatch(r"[\d.]+( wide| plus)?|\d+-\d+|\d+[tw].*|.*(small|large|medium)", value)
    manner = "measure" if name == "size" and not is_worn else name
    value = value.replace(" | ", " and ")
    return manner, _everyday_value(value) if rng.random() < EVERYDAY_SHARE else value


def _noun(product: MadeProduct, rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.55:
        return product.subkind
    return product.kind.words[0] if chance < 0.8 else rng.choice(product.kind.words[1:])


@dataclass
class _Parts:
    """An instruction in the making: words before the noun, after it, and further wishes."""

    noun: str
    before: list[str]
    after: list[str]
    wishes: list[str]

    def phrase(self) -> str:
        relative = [part for part in self.after if part.startswith("that ")]
        plain = [part for part in self.after if part not in relative]
        noun = with_words_before(" ".join(self.before), self.noun)
        return " ".join([noun, *plain, " and ".join(relative)]).strip()


def _place_attribute(
    parts: _Parts, attribute: Attribute, wish_share: float, rng: random.Random
) -> None:
    if attribute.everyday and rng.random() < EVERYDAY_SHARE:
        phrase = rng.choice(attribute.everyday)
        if rng.random() < wish_share:
            parts.wishes.append(rng.choice(_EVERYDAY_WISHES).format(a=phrase))
        else:
            parts.after.append(phrase)
    elif rng.random() < wish_share:
        parts.wishes.append(rng.choice(_WISHES[attribute.manner]).format(a=attribute.name))
    elif attribute.manner == "adj":
        if len(parts.before) < 2 and rng.random() < 0.65:
            parts.before.append(attribute.name)
        else:
            parts.after.append(f"that is {attribute.name}")
    elif attribute.manner == "with" and not parts.before and rng.random() < 0.35:
        parts.before.append(attribute.name)
    else:
        parts.after.append(f"{attribute.manner} {attribute.name}")


_FLAT_VALUES = ("unscented", "unsalted", "original", "assorted")


def _place_option(
    parts: _Parts, option: tuple[str, str], wish_share: float, rng: random.Random
) -> None:
    manner, value = _option(*option, rng)
    if value in _FLAT_VALUES:
        parts.before.insert(0, value)
    elif rng.random() < wish_share:
        parts.wishes.append(rng.choice(_OPTION_WISHES[manner]).format(v=value))
    elif len(parts.before) < 2 and rng.random() < 0.33:
        parts.before.insert(0, _OPTION_BEFORE[manner].format(v=value))
    else:
        parts.after.append(rng.choice(_OPTION_PHRASES[manner]).format(v=value))


def _compose(product: MadeProduct, wanted: Wanted, wish_share: float, rng: random.Random) -> _Parts:
    parts = _Parts(_noun(product, rng), [], [], [])
    jobs = [(_place_attribute, attribute) for attribute in wanted.attributes]
    jobs += [(_place_option, option) for option in wanted.options]  # type: ignore[misc]
    rng.shuffle(jobs)
    for place, what in jobs:
        place(parts, what, wish_share, rng)  # type: ignore[arg-type]
    if rng.random() < 0.05:
        parts.before.insert(0, product.brand.lower())
    return parts


def _with_wishes(text: str, wishes: list[str], rng: random.Random) -> str:
    joiner = rng.choice((". ", ", ", ". ", "; ", ". also, ", " and "))
    return joiner.join([text, *wishes[:1]]) + "".join(
        rng.choice((". ", ", ", " and ")) + wish for wish in wishes[1:]
    )


def _plain(product: MadeProduct, wanted: Wanted, _: Category, rng: random.Random) -> str:
    parts = _compose(product, wanted, 0.0, rng)
    return rng.choice(_OPENERS).format(np=parts.phrase()) + rng.choice(_ENDINGS)


def _in_steps(product: MadeProduct, wanted: Wanted, _: Category, rng: random.Random) -> str:
    parts = _compose(product, wanted, 0.55, rng)
    opened = rng.choice(_OPENERS).format(np=parts.phrase())
    return _with_wishes(opened, parts.wishes, rng) + rng.choice(_ENDINGS)


def _question(product: MadeProduct, wanted: Wanted, _: Category, rng: random.Random) -> str:
    parts = _compose(product, wanted, 0.25, rng)
    phrase = parts.phrase()
    opened = rng.choice(_QUESTIONS).format(np=phrase, plain=without_article(phrase))
    return "? ".join([opened, ". ".join(parts.wishes)]) if parts.wishes else opened + "?"


def _terse(product: MadeProduct, wanted: Wanted, _: Category, rng: random.Random) -> str:
    tags = [attribute.name for attribute in wanted.attributes]
    tags += [_option(name, value, rng)[1] for name, value in wanted.options]
    rng.shuffle(tags)
    split = rng.randint(0, len(tags))
    noun = without_article(_noun(product, rng))
    lead = " ".join([*tags[:split], noun])
    return rng.choice((", ", " ", ", ")).join([lead, *tags[split:]])


def _chatty(product: MadeProduct, wanted: Wanted, category: Category, rng: random.Random) -> str:
    told = rng.choice(category.chatter)
    body = rng.choice((_plain, _in_steps))(product, wanted, category, rng)
    if rng.random() < 0.25:
        return f"{body.rstrip('.')}. {told}"
    return told + rng.choice((". ", ", so ", " and ", "... ", ". ")) + body


def _details_first(product: MadeProduct, wanted: Wanted, _: Category, rng: random.Random) -> str:
    noun = _noun(product, rng)
    details = []
    for name, value in wanted.options:
        manner, value = _option(name, value, rng)
        label = {"measure": "size", "item package quantity": "quantity"}.get(manner, manner)
        details.append(f"{label.removesuffix(' name')} {value}")
    rest = _Parts(noun, [], [], [])
    for attribute in wanted.attributes:
        _place_attribute(rest, attribute, 0.0, rng)
    phrase = rest.phrase()
    if not details:
        return f"{phrase} is what {rng.choice(('i need', 'i want', 'im after'))}"
    listed = ", ".join(details)
    opened = rng.choice(
        (f"{listed}: {phrase}", f"i want {phrase}. {listed}", f"{phrase}, {listed}")
    )
    return opened + rng.choice(_ENDINGS)


_SHAPES = (_plain, _in_steps, _question, _terse, _chatty, _details_first)
_SHAPE_WEIGHTS = (0.33, 0.24, 0.11, 0.09, 0.13, 0.1)


def _slip(text: str, rng: random.Random) -> str:
    """One word with two letters swapped, one dropped or one doubled."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    if not long:
        return text
    i = rng.choice(long)
    word, at = words[i], rng.randint(1, len(words[i]) - 3)
    words[i] = rng.choice(
        (
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        )
    )
    return " ".join(words)


def write_instruction(
    product: MadeProduct, wanted: Wanted, category: Category, rng: random.Random
) -> str:
    """One instruction for a product, in lower case."""
    shape = rng.choices(_SHAPES, _SHAPE_WEIGHTS)[0]
    text = " ".join(shape(product, wanted, category, rng).split()).lower()
    text = text.replace(" ,", ",").replace("..", ".") if "..." not in text else text
    return _slip(text, rng) if rng.random() < SLIP_SHARE else text


def synthetic_instruction(product: MadeProduct, attributes: tuple[Attribute, ...]) -> str:
    """The stiff instruction of the attribute file: the kind and the attributes, nothing else."""
    noun = without_article(product.kind.words[0])
    return f"Shop for {noun}: {', '.join(attribute.name for attribute in attributes)}"
