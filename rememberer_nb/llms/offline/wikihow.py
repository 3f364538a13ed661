"""The how-to site as the stand-in reads it: one element per line, nothing but the text.

The latest instruction is the last line of the page that is no element; without one it is the task.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rememberer_nb.llms.offline.beliefs import Look, PageReading
from rememberer_nb.llms.offline.parse import Section
from rememberer_nb.llms.offline.wikihow_tables import TABLES
from rememberer_nb.llms.offline.wish import fold
from rememberer_nb.llms.offline.words import FILLER, share, stems, word_stem, words

_ELEMENT = re.compile(r"<(\w+)\b([^>]*)>([^<]*)")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')
_INPUT = re.compile(r"input\(([^,()]*),\s*(.*)\)", re.IGNORECASE)
_TEMPLATE = re.compile(r"(input\([^,()]*,\s*)<[^<>]*>\)", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“]([^\"“”]+)[\"”]")
_COMMANDS = frozenset({"access", "article", "check", "how", "learn", "page", "then", "to"})

# A page of fewer elements than this is a start page: a logo, a menu, a search button. In runs of
# three agents over the 110 development tasks all 417 start pages had 5 elements, and of 1,890
# other pages without a search field 5 had fewer than 7 (the last lines of an article).
_SMALL_PAGE = 7


@dataclass(frozen=True, slots=True)
class _Instruction:
    content: tuple[str, ...]
    quoted: frozenset[tuple[str, ...]]
    asked: float
    queries: tuple[str, ...]


def _instruction(text: str) -> _Instruction:
    said = words(text)
    telling = [w for w in said if w not in FILLER and w not in _COMMANDS]
    quoted = [found.strip() for found in _QUOTED.findall(text)]
    queries = (" ".join(telling), *quoted, " ".join(said))
    return _Instruction(
        tuple(dict.fromkeys(word_stem(word) for word in telling)),
        frozenset(words(title) for title in quoted),
        float("search" in said[:4]),
        tuple(dict.fromkeys(query for query in queries if query)),
    )


def latest_instruction(section: Section) -> str:
    """What is to be done next.

    >>> latest_instruction(Section("a task", ("Instruction: check the author", "<p id='1'>x</p>")))
    'check the author'
    """
    plain = [line for line in section.page if line and not line.startswith("<")]
    return plain[-1].split(":", 1)[-1].strip() if plain else section.task


def _match(label: str, wanted: _Instruction) -> tuple[float, float]:
    """Share of the wanted words in a label, and share of the label's words that are wanted."""
    known = stems(label) - _COMMANDS - FILLER
    return share(wanted.content, known), share(tuple(known), frozenset(wanted.content))


def _done(action: str, last_actions: Sequence[str]) -> float:
    return min(sum(fold(last) == fold(action) for last in last_actions), 2) / 2


class HowToBeliefs:
    """The how-to site for the stand-in (the protocol is `beliefs.Beliefs`).

    >>> page = ('<img alt="Search" id="2" clickable="true">',)
    >>> section = Section("Search an article to learn how to hide gauges.", page,
    ...     available_actions=("INPUT(2, <text>)", "CLICK(2)", "GOBACK"))
    >>> site = HowToBeliefs()
    >>> list(site.candidates(section, site.read(section)))[0]
    'INPUT(2, hide gauges)'
    """

    name = "wikihow"
    tables = TABLES
    unavailable = ("CLICK(100000)", "INPUT(100000, help)")

    def read(self, section: Section) -> PageReading:
        """The kind of page, its features, and every element that can be pressed."""
        wanted = _instruction(latest_instruction(section))
        elements = [found for line in section.page if (found := _ELEMENT.match(line))]
        looks: dict[str, Look] = {}
        best = typed = 0.0
        n_links = 0
        has_field = False
        for tag, raw, text in (element.groups() for element in elements):
            attributes = dict(_ATTRIBUTE.findall(raw))
            if attributes.get("clickable") == "false":
                continue
            # A category's page has a field, too, but shows no value: it lists no search hits.
            if tag == "input" and "value" in attributes:
                has_field = True
                typed = share(wanted.content, stems(attributes["value"]))
            is_link = tag in ("div", "p", "a") and bool(words(text))
            label = text if is_link else attributes.get("alt") or attributes.get("class", "")
            action = f"click({attributes.get('id', '')})"
            match, precise = _match(label, wanted)
            done = _done(action, section.last_actions)
            if is_link:
                quoted = float(words(text) in wanted.quoted)
                look = Look("link", (match, precise, quoted, 1 / (1 + n_links), done))
                n_links += 1
            else:
                look = Look("button", (match, precise, done))
            looks[action] = look
            best = max(best, match)
        looks |= _moves(1.0 - best, wanted, section.last_actions)
        small = len(elements) < _SMALL_PAGE
        page = "results" if has_field else "start" if small else "content"
        features = (1.0 - best, typed, wanted.asked)
        return PageReading(page, features, frozenset(wanted.content), looks)

    def look(self, section: Section, reading: PageReading, action: str) -> Look | None:
        """What is typed by its words, anything else by what the page shows."""
        found = _INPUT.fullmatch(action.strip())
        if found is None:
            return reading.looks.get("".join(action.split()).lower())
        wanted = _instruction(latest_instruction(section))
        said = tuple(word_stem(word) for word in words(found[2]))
        coverage = share(wanted.content, frozenset(said))
        filler = 1.0 - share(said, frozenset(wanted.content))
        _, typed, asked = reading.features
        done = _done(action, section.last_actions)
        return Look("input", (coverage, filler, asked, typed * coverage, done))

    def candidates(self, section: Section, reading: PageReading) -> dict[str, Look]:
        """The available actions that are understood; an input template becomes several texts."""
        found: dict[str, Look] = {}
        queries = _instruction(latest_instruction(section)).queries
        for action in section.available_actions:
            template = _TEMPLATE.fullmatch(action)
            filled = [f"{template[1]}{query})" for query in queries] if template else [action]
            for candidate in filled:
                if (look := self.look(section, reading, candidate)) is not None:
                    found[candidate] = look
        return found


def _moves(poor: float, wanted: _Instruction, last_actions: Sequence[str]) -> dict[str, Look]:
    looks = {
        f"scroll({way})": Look(
            "scroll",
            (poor, float(way == "down"), wanted.asked, _done(f"scroll({way})", last_actions)),
        )
        for way in ("up", "down")
    }
    looks["goback"] = Look("goback", (poor, wanted.asked, _done("goback", last_actions)))
    return looks
