"""The shop's pages as text, in three formats, built straight from the catalogue.

A page is a sequence of parts in reading order; a format says how each kind of part is written:

- `text`: the parts stripped and joined by " [SEP] ";
- `text_rich`: one part a line, buttons marked "[button] ... [button_]";
- `simplified`: buttons as "[...]", clicked ones as "[[...]]" (the format of the REMEMBERER paper).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from rememberer_nb.envs.webshop.catalogue import Product

PAGE_SIZE = 10
N_SHOWN_SIMPLIFIED = 3

SEARCH = "Search"
BACK_TO_SEARCH = "Back to Search"
NEXT = "Next >"
PREV = "< Prev"
BUY_NOW = "Buy Now"
SUB_PAGES = ("Description", "Features", "Reviews")

TEXT, BUTTON, LINK, LABEL = "text", "button", "link", "label"
CLICKED_LINK, CLICKED_LABEL = "clicked link", "clicked label"


class Part(NamedTuple):
    """A piece of a page: its kind, and the text that it shows."""

    kind: str
    text: str


Page = Sequence[Part]

_RICH = {
    TEXT: ("", "\n"),
    BUTTON: ("[button] ", " [button_]\n"),
    LINK: ("\n[button] ", " [button_]\n"),
    CLICKED_LINK: ("\n[clicked button] ", " [clicked button_]\n"),
    LABEL: ("  [button] ", " [button_]\n"),
    CLICKED_LABEL: ("  [clicked button] ", " [clicked button_]\n"),
}
_SIMPLIFIED = {
    TEXT: ("\n", " "),
    BUTTON: ("\n[", "]"),
    LINK: ("\n[", "]"),
    CLICKED_LINK: ("\n[[", "]]"),
    LABEL: ("[", "]"),
    CLICKED_LABEL: ("[[", "]]"),
}
_NAVIGATION = (Part(BUTTON, BACK_TO_SEARCH), Part(BUTTON, PREV))


def _texts(*texts: str) -> list[Part]:
    """Text parts; what a browser would not show as text at all is left out."""
    return [Part(TEXT, text) for text in texts if text not in ("", "\n")]


def _written(page: Page, marks: Mapping[str, tuple[str, str]]) -> str:
    pieces = []
    for kind, text in page:
        before, after = marks[kind]
        pieces += (before, text, after)
    return "".join(pieces)


def _clicked(page: Page) -> list[str]:
    """The clicked options, the last on the page first."""
    return [text for kind, text in reversed(page) if kind == CLICKED_LABEL]


def format_text(page: Page) -> str:
    """The `text` format.

    >>> format_text(search_page("a lamp"))
    'WebShop [SEP] Instruction: [SEP] a lamp [SEP] Search'
    """
    return " [SEP] ".join([text.strip() for _, text in page])


def format_rich(page: Page) -> str:
    """The `text_rich` format.

    >>> format_rich([Part(TEXT, "size"), Part(CLICKED_LABEL, "small")])
    'You have clicked small.\\nsize\\n  [clicked button] small [clicked button_]\\n'
    """
    clicked = "".join([f"You have clicked {value}.\n" for value in _clicked(page)])
    return clicked + _written(page, _RICH)


def format_simplified(page: Page) -> str:
    """The `simplified` format.

    >>> format_simplified([Part(TEXT, "size"), Part(LABEL, "small"), Part(CLICKED_LABEL, "large")])
    '\\nYou have clicked large.\\nsize [small][[large]]'
    """
    clicked = "".join([f"\nYou have clicked {value}." for value in _clicked(page)])
    return clicked + _written(page, _SIMPLIFIED)


def search_page(instruction: str) -> Page:
    """The page with the search field."""
    return [*_texts("WebShop", "Instruction: ", instruction), Part(BUTTON, SEARCH)]


def results_page(
    instruction: str,
    products: Iterable[Product],
    visited: Collection[str],
    page_number: int,
    n_hits: int,
) -> Page:
    """One page of search results; `visited` holds the asins that are shown as clicked."""
    page = [*_texts("Instruction:", instruction), Part(BUTTON, BACK_TO_SEARCH)]
    page.append(Part(TEXT, f"Page {page_number} (Total results: {n_hits})"))
    if page_number > 1:
        page.append(Part(BUTTON, PREV))
    page.append(Part(BUTTON, NEXT))
    for product in products:
        page.append(Part(CLICKED_LINK if product.asin in visited else LINK, product.asin))
        page += _product_lines(product)
    return page


@functools.lru_cache(maxsize=4096)
def _product_lines(product: Product) -> tuple[Part, ...]:
    return tuple(_texts(product.title, product.price_tag))


@functools.lru_cache(maxsize=4096)
def _item_lines(product: Product) -> tuple[Part, ...]:
    """Everything on a product's page below the instruction, no option clicked."""
    lines = list(_NAVIGATION)
    for name, values in product.options:
        lines += _texts(name)
        lines += [Part(LABEL, value) for value in values]
    lines += _texts(product.title, f"Price: {product.price_tag}", "Rating: N.A.")
    return (*lines, *(Part(BUTTON, label) for label in (*SUB_PAGES, BUY_NOW)))


def item_page(instruction: str, product: Product, url: str) -> Page:
    """A product's page. An option is shown as clicked when `url` holds it in double quotes."""
    page = [*_texts("Instruction:", instruction), *_item_lines(product)]
    if '"' not in url:
        return page
    return [
        Part(CLICKED_LABEL, text) if kind == LABEL and f'"{text}"' in url else Part(kind, text)
        for kind, text in page
    ]


def sub_page(instruction: str, product: Product, name: str) -> Page:
    """A product's description, features or reviews (of which there are never any)."""
    texts: Sequence[str] = ()
    if name == "Description":
        texts = (product.description,)
    elif name == "Features":
        texts = [f" {bullet}" for bullet in product.bullets]
    return [*_texts("Instruction:", instruction), *_NAVIGATION, *_texts(*texts)]


def _as_json(options: Mapping[str, str]) -> str:
    """JSON as web frameworks embed it in a page: sorted keys, HTML's own characters escaped."""
    text = json.dumps(options, sort_keys=True)
    for character in "<>&'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def done_page(asin: str, options: Mapping[str, str], reward: float) -> Page:
    """What stands after a purchase."""
    purchase = ("Purchased", "asin", asin, "options", _as_json(options), "attrs", "None")
    more = ("category", "None", "query", "None", "product category", "None")
    target = ("Target", "asin", "options", "attrs", "price upper", "instuction text", "category")
    score = ("Reward", "Your score (min 0.0, max 1.0)", str(reward), "Reward Details ", "None")
    return _texts(
        *("Thank you for shopping with us!", "Your code: ", "None"),
        *(" (Paste it in your MTurk interface.)", *purchase, *more, *target),
        *("product category", "query", "Goal ", "None", *score),
    )


def clickables(page: Page) -> tuple[str, ...]:
    """The labels that can be clicked: buttons, then products, then options; each once.

    >>> clickables([Part(LABEL, "small"), Part(LINK, "B01"), Part(BUTTON, "Next >")])
    ('next >', 'b01', 'small')
    """
    links = (LINK, CLICKED_LINK)
    buttons = [text.lower() for kind, text in page if kind == BUTTON]
    products = [text.lower() for kind, text in page if kind in links]
    options = [text for kind, text in page if kind in (LABEL, CLICKED_LABEL)]
    return tuple(dict.fromkeys((*buttons, *products, *options)))
