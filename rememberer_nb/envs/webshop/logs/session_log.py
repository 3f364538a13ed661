"""Session logs of the original WebShop server, read as they stand: one page visit a line.

A line is a JSON object: `page` (which page), `url`, `goal` (the customer's whole goal) and, but for
the first page, `content` (keywords, page number, product, chosen options, whatever the page has);
the last page of a purchase adds `reward` and `reward_info`. What the pages said is not logged.

Source: github.com/princeton-nlp/WebShop (MIT), `web_agent_site/app.py` with logging switched on.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rememberer_nb.envs.webshop.pages import SUB_PAGES
from rememberer_nb.errors import TranscriptError, shown
from rememberer_nb.system.files import read_json_lines

PAGES = ("index", "search_results", "item_page", "item_sub_page", "done")
MAX_PAGE_NUMBER = 1000
# Page visits and actions of one session; a person's has some tens. Each keeps its whole page.
MAX_STEPS = 1000
# Characters of a list of keywords as Python prints it; Python's parser is slow with long ones.
MAX_LITERAL = 10_000
_SUFFIX = ".jsonl"
# The web pages for people have a tab that the text environment lacks.
_SUB_PAGES = (*SUB_PAGES, "Attributes")
_SUB_PAGE_SEGMENT = 5
_PARTS = {"r_type", "r_att", "r_option", "title_score"}
_FLAGS = {"r_price", "query_match", "category_match"}


@dataclass(frozen=True, slots=True)
class Visit:
    """One line of a log. Fields that a page does not have keep their empty defaults.

    Parameters
    ----------
    line : its number in the file, from 1.
    page : one of `PAGES`.
    keywords, page_number : the search that the page belongs to, and the page of its results.
    asins : what a results page lists, in order.
    asin, options : the product, and group name -> value in the order of the clicks.
    sub_page : "Description", "Features", "Reviews" or "Attributes".
    price : of the purchase, in dollars.
    reward, reward_info : of the purchase, the reward in [0, 1].
    """

    line: int
    page: str
    session: str
    goal: Mapping[str, Any] = field(repr=False)
    keywords: tuple[str, ...] = ()
    page_number: int = 1
    asins: tuple[str, ...] = ()
    asin: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    sub_page: str = ""
    price: float | None = None
    reward: float = 0.0
    reward_info: Mapping[str, Any] | None = None


def find_logs(source: str | Path | Sequence[str | Path]) -> tuple[Path, ...]:
    """The log files meant by a file, a folder (its *.jsonl by name), or several of these."""
    if not isinstance(source, str | Path):
        return tuple(path for part in source for path in find_logs(part))
    path = Path(source)
    if not path.is_dir():
        return (path,)
    found = tuple(sorted(path.glob(f"*{_SUFFIX}")))
    if not found:
        raise TranscriptError(f"holds no session log (*{_SUFFIX})", path=path)
    return found


def read_visits(path: Path) -> tuple[Visit, ...]:
    """Every visit of one file, checked field by field; empty lines are skipped.

    Raises
    ------
    TranscriptError
        If the file is missing or empty, or a line is not what it should be; names the line.
    """
    lines = islice(read_json_lines(path, TranscriptError), MAX_STEPS + 1)
    visits = tuple(_Line(path, number, value).visit() for number, value in lines)
    if not visits:
        raise TranscriptError("holds no page visits", path=path)
    if len(visits) > MAX_STEPS:
        raise TranscriptError(f"holds more than {MAX_STEPS} page visits", path=path)
    return visits


class _Line:
    """One line, read field by field; complaints name the file, the line and the field."""

    def __init__(self, path: Path, number: int, value: Any):
        self._path, self._number = path, number
        self._data = self._object(value, "the line")

    def visit(self) -> Visit:
        """The line as a `Visit`."""
        page = self._get(self._data, "page", str)
        if page not in PAGES:
            raise self._error(f"'page' should be one of {', '.join(PAGES)}, got {shown(page)}")
        path = self._url_path()
        goal = self._object(self._get(self._data, "goal", dict), "goal")
        self._get(goal, "instruction_text", str)
        session = unquote(path[0 if page == "index" else min(1, len(path) - 1)])
        details = {} if page == "index" else self._content(page, path)
        return Visit(self._number, page, session, goal, **details)

    def _url_path(self) -> list[str]:
        url = self._get(self._data, "url", str)
        try:
            return urlsplit(url).path.strip("/").split("/")
        except ValueError as error:
            raise self._error(f"'url' is none: {error}, got {shown(url)}") from error

    def _content(self, page: str, path: list[str]) -> dict[str, Any]:
        content = self._object(self._get(self._data, "content", dict), "content")
        details: dict[str, Any] = {}
        if page != "done":
            details["keywords"] = self._keywords(content)
            details["page_number"] = self._page_number(content)
        if page == "search_results":
            details["asins"] = self._strings(content, "search_result_asins")
            return details
        details["asin"] = self._get(content, "asin", str)
        details["options"] = self._options(content)
        if page == "item_sub_page":
            details["sub_page"] = self._sub_page(path)
        return details if page == "item_page" else {**details, **self._purchase(page, content)}

    def _keywords(self, content: dict[str, Any]) -> tuple[str, ...]:
        """A list; pages below the results hold it as Python prints it."""
        raw = self._get(content, "keywords", list, str)
        if isinstance(raw, str):
            try:
                raw = _literal(raw)
            except ValueError as error:
                raise self._error(f"'keywords' should be a list, got {shown(raw)}") from error
        keywords = self._strings({"keywords": raw}, "keywords") if isinstance(raw, list) else ()
        if not keywords:
            raise self._error(f"'keywords' should be a list of words, got {shown(raw)}")
        return keywords

    def _page_number(self, content: dict[str, Any]) -> int:
        raw = self._get(content, "page", int, str)
        text = str(raw)
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
        if not 1 <= number <= MAX_PAGE_NUMBER:
            expected = f"a page number from 1 to {MAX_PAGE_NUMBER}"
            raise self._error(f"'page' of the content should be {expected}, got {shown(raw)}")
        return number

    def _options(self, content: dict[str, Any]) -> dict[str, str]:
        options = self._object(self._get(content, "options", dict), "options")
        if not all(isinstance(value, str) for value in options.values()):
            raise self._error(f"'options' should hold texts, got {shown(options)}")
        return options

    def _sub_page(self, path: list[str]) -> str:
        name = unquote(path[_SUB_PAGE_SEGMENT]) if len(path) > _SUB_PAGE_SEGMENT else ""
        if name not in _SUB_PAGES:
            raise self._error(
                f"'url' should name one of {', '.join(_SUB_PAGES)}, got {shown(name)}"
            )
        return name

    def _purchase(self, page: str, content: dict[str, Any]) -> dict[str, Any]:
        if page != "done":
            return {}
        reward = self._number_in(self._data, "reward", 0.0, 1.0)
        info = self._data.get("reward_info")
        if info is not None:
            info = self._object(info, "reward_info")
            for name in sorted(_PARTS & info.keys()):
                self._number_in(info, name, 0.0, 1.0)
            for name in sorted(_FLAGS & info.keys()):
                self._get(info, name, bool)
        price = self._number_in(content, "price", 0.0, math.inf) if "price" in content else None
        return {"reward": reward, "reward_info": info, "price": price}

    def _number_in(self, data: dict[str, Any], name: str, low: float, high: float) -> float:
        number = float(self._get(data, name, int, float))
        if not low <= number <= high:
            raise self._error(f"{name!r} should lie in [{low}, {high}], got {number!r}")
        return number

    def _strings(self, data: dict[str, Any], name: str) -> tuple[str, ...]:
        items = self._get(data, name, list)
        if not all(isinstance(item, str) for item in items):
            raise self._error(f"{name!r} should hold texts, got {shown(items)}")
        return tuple(items)

    def _get(self, data: dict[str, Any], name: str, *types: type) -> Any:
        if name not in data:
            raise self._error(f"lacks the field {name!r}")
        value = data[name]
        # True is an int to Python, but no number here.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            expected = " or ".join(kind.__name__ for kind in types)
            raise self._error(f"{name!r} should be {expected}, got {shown(value)}")
        return value

    def _object(self, value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._error(f"{name} should be an object, got {shown(value)}")
        return value

    def _error(self, problem: str) -> TranscriptError:
        return TranscriptError(problem, path=self._path, field=f"line {self._number}")


def _literal(text: str) -> Any:
    """The value that a text is in Python's notation; `ValueError` if it is none."""
    if len(text) > MAX_LITERAL:
        raise ValueError("too long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError, Warning) as error:
        raise ValueError(str(error)) from error
