"""What can be told from a printed shop page alone: its buttons, options and actions.

A page is plain text, one element a line. Buttons and product codes stand alone on their line,
"[Buy Now]"; a group of options is one line, "color [red][[blue]]", with the clicked value in
double brackets. Brackets in any other line are part of a text and cannot be clicked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rememberer_nb.elements import unique
from rememberer_nb.envs.webshop.profile import page_type

SEARCH = "search[<keywords>]"
_TABS = ("description", "features", "reviews", "attributes")
BUTTONS = frozenset({"search", "back to search", "< prev", "next >", *_TABS, "buy now"})

# Visited products stand in double brackets.
_ALONE = re.compile(r"\s*\[(?P<visited>\[)?(?P<label>[^\[\]]+)\](?(visited)\])\s*")
_CODE = re.compile(r"[A-Z0-9]{1,10}")
_GROUP = re.compile(r"(?P<name>.*?\S) \[")


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """One line of options: its number on the page (from 0), its name, its values in order."""

    line: int
    name: str
    values: tuple[str, ...]


def option_groups(page: str) -> tuple[OptionGroup, ...]:
    """The option groups of an item page, from top to bottom; none on any other page.

    Options stand between the "[< Prev]" button and the title, which is the last line before the
    price. The title itself is left out, for titles may hold brackets too.

    >>> page = "[< Prev]\\ncolor [red][[blue]]\\nLamp [2 pack]\\nPrice: $5.0\\n[Buy Now]"
    >>> option_groups(page)
    (OptionGroup(line=1, name='color', values=('red', 'blue')),)
    """
    if page_type(page) != "item":
        return ()
    lines = page.split("\n")
    labels = [_label(line) for line in lines]
    start = labels.index("< prev") + 1 if "< prev" in labels else 0
    prices = (i for i in range(start, len(lines)) if lines[i].startswith("Price:"))
    above_price = [i for i in range(start, next(prices, len(lines))) if lines[i].strip()]
    groups = (_group(i, lines[i].rstrip()) for i in above_price[:-1])
    return tuple(group for group in groups if group is not None)


def logged_actions(page: str) -> tuple[str, ...]:
    """What can be done on a page, in the order of the shop: buttons, product codes, options.

    Labels are in lower case, equal labels are listed once, and a page with a search field starts
    with the template "search[<keywords>]".

    >>> logged_actions("Webshop\\nInstruction:\\na lamp\\n[Search]")
    ('search[<keywords>]', 'click[search]')
    >>> logged_actions("[Back to Search]\\nPage 1 (Total results: 1)\\n[B01]\\nLamp\\n$5.0")
    ('click[back to search]', 'click[b01]')
    """
    lines = page.split("\n")
    labels = [label for line in lines if (label := _label(line)) in BUTTONS]
    if page_type(page) == "results":
        alone = (_ALONE.fullmatch(line) for line in lines)
        codes = (found["label"] for found in alone if found)
        labels += [code.lower() for code in codes if _CODE.fullmatch(code)]
    labels += [value.lower() for group in option_groups(page) for value in group.values]
    template = (SEARCH,) if "search" in labels else ()
    return template + tuple(f"click[{label}]" for label in unique(labels))


@dataclass(frozen=True, slots=True)
class LoggedPage:
    """A page as last printed in full, and the options clicked on it since then.

    Parameters
    ----------
    text : the page without any click.
    chosen : option group -> the value clicked last in it.
    """

    text: str
    chosen: Mapping[str, str] = field(default_factory=dict)

    def click_option(self, value: str) -> LoggedPage:
        """The page after a click on an option, which replaces the earlier one of its group.

        Where several groups hold the value, the last takes it, as in the shop. A value that the
        page does not show is kept as a group of its own.
        """
        wanted = value.lower()
        holders = [
            group.name
            for group in option_groups(self.text)
            if wanted in (known.lower() for known in group.values)
        ]
        return LoggedPage(self.text, {**self.chosen, holders[-1] if holders else value: value})

    def show(self) -> str:
        """The page in the shop's simplified format.

        "You have clicked" lines stand first, in reverse page order; clicked values stand in double
        brackets.

        >>> page = LoggedPage("\\n[< Prev]\\nsize [s][m]\\nA lamp\\nPrice: $5.0\\n[Buy Now]")
        >>> print(page.click_option("m").show())
        <BLANKLINE>
        You have clicked m.
        [< Prev]
        size [s][[m]]
        A lamp
        Price: $5.0
        [Buy Now]
        """
        if not self.chosen:
            return self.text
        wanted = {value.lower() for value in self.chosen.values()}
        lines = self.text.split("\n")
        clicked: list[str] = []
        for group in option_groups(self.text):
            lines[group.line] = f"{group.name} {_join_values(group.values, wanted)}"
            clicked += [value for value in group.values if value.lower() in wanted]
        on_page = {value.lower() for value in clicked}
        clicked += [value for value in self.chosen.values() if value.lower() not in on_page]
        heads = [f"You have clicked {value}." for value in reversed(clicked)]
        return "\n".join(["", *heads, "\n".join(lines).lstrip("\n")])


def _label(line: str) -> str | None:
    found = _ALONE.fullmatch(line)
    return found["label"].lower() if found else None


def _group(number: int, line: str) -> OptionGroup | None:
    # The end is looked at first: a pattern for all of the line would try each "[" in it.
    found = _GROUP.match(line) if line.endswith("]") else None
    if found is None:
        return None
    return OptionGroup(number, found["name"], _split_values(line[found.end() : -1]))


def _split_values(inside: str) -> tuple[str, ...]:
    # Splitting at "][" leaves brackets inside a value alone.
    values = inside.split("][")
    return tuple(v[1:-1] if v.startswith("[") and v.endswith("]") else v for v in values)


def _join_values(values: Iterable[str], clicked: set[str]) -> str:
    return "".join(f"[[{v}]]" if v.lower() in clicked else f"[{v}]" for v in values)
