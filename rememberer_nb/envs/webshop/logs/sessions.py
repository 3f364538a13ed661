"""People's sessions on the original WebShop server, as episodes.

The server logs which page was shown; which action led there follows from two pages in a row. Where
no single action does (a browser's "back" is not logged), the shortest way through the shop that
ends on the logged page is taken, and its extra actions are counted in the metadata.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Decision, Episode, Step, Task, unique
from rememberer_nb.envs.webshop import pages
from rememberer_nb.envs.webshop.catalogue import Product
from rememberer_nb.envs.webshop.logs.session_log import MAX_STEPS, Visit, find_logs, read_visits
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.errors import TranscriptError

_BACK, _PREV, _NEXT = (
    f"click[{label.lower()}]" for label in (pages.BACK_TO_SEARCH, pages.PREV, pages.NEXT)
)
_BUY = f"click[{pages.BUY_NOW.lower()}]"
_TABS = tuple(f"click[{name.lower()}]" for name in pages.SUB_PAGES)
_SEARCH = ("search[<keywords>]", f"click[{pages.SEARCH.lower()}]")


def read_sessions(source: str | Path | Sequence[str | Path]) -> tuple[Episode, ...]:
    """Read session logs of the original WebShop server.

    Parameters
    ----------
    source : a log file (one session, a page visit a line), a folder of such files (*.jsonl, by
        name), or several of these.

    Returns
    -------
    tuple of Episode
        One per file, in order; agent "human". The reward of a purchase is the logged one, the
        episode then terminates; a log without a purchase is truncated. The same page twice in a
        row is a reload, no action.

        The log holds no page text, so observations are rebuilt in the shop's simplified format
        from what it does hold, and `metadata["observations"]` is "reconstructed":

        - the search page and the final page are complete;
        - a results page lists all logged products by code, without titles and prices; its total is
          the number of products that the log lists for this search;
        - an item page has the product's code as its title and, of the options, those clicked so
          far; a sub page has the product's code and its own name.

        `available_actions` are the page's buttons, its products, and for an item page all options
        that this session ever clicks there. The metadata also holds the `goal`, the `purchase`
        (asin, options, price, reward_info), `n_reloads` and `n_implied` actions.

    Raises
    ------
    TranscriptError
        If a file is missing, damaged, or cannot be followed; names file and line. Nothing is
        returned then.

    Examples
    --------
    >>> import json, tempfile
    >>> goal = {"instruction_text": "a lamp"}
    >>> lines = [
    ...     {"page": "index", "url": "http://shop/s1", "goal": goal},
    ...     {"page": "search_results", "url": "http://shop/search_results/s1/x/1", "goal": goal,
    ...      "content": {"keywords": ["red", "lamp"], "page": 1, "search_result_asins": ["B01"]}},
    ... ]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "s1.jsonl"
    ...     _ = path.write_text("\\n".join(map(json.dumps, lines)))
    ...     (episode,) = read_sessions(folder)
    >>> [step.action for step in episode.steps], episode.truncated
    (['search[red lamp]'], True)
    """
    paths = find_logs(source)
    if not paths:
        raise TranscriptError("no session logs were given")
    return tuple(_Session(path, i, read_visits(path)).episode() for i, path in enumerate(paths))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the customer is; equal places show equal pages."""

    page: str
    keywords: tuple[str, ...] = ()
    number: int = 1
    asin: str = ""
    options: tuple[tuple[str, str], ...] = ()
    sub_page: str = ""

    @classmethod
    def of(cls, visit: Visit) -> _Place:
        options = tuple(visit.options.items())
        return cls(
            visit.page, visit.keywords, visit.page_number, visit.asin, options, visit.sub_page
        )

    @property
    def results(self) -> _Place:
        """The results page that an item or sub page was reached from."""
        return _Place("search_results", self.keywords, self.number)

    @property
    def item(self) -> _Place:
        """The item page that a sub page belongs to."""
        return replace(self, page="item_page", sub_page="")


_Move = tuple[str, _Place]


def _way(here: _Place, goal: _Place) -> Iterator[_Move]:
    """The actions from one place to another, each with the place that it leads to."""
    while here != goal:
        action, here = _next_move(here, goal)
        yield action, here


def _next_move(here: _Place, goal: _Place) -> _Move:
    if goal.page == "index":
        return _BACK, goal
    if goal.page == "done":
        return _toward_purchase(here, goal)
    if here.page == "item_sub_page":
        return _PREV, here.item
    if goal.page == "item_sub_page" and here == goal.item:
        return f"click[{goal.sub_page.lower()}]", goal
    if goal.page in ("item_page", "item_sub_page"):
        return _toward_item(here, goal.item)
    return _toward_results(here, goal)


def _toward_purchase(here: _Place, goal: _Place) -> _Move:
    if here.page == "item_sub_page":
        return _PREV, here.item
    if here.page == "item_page" and here.asin == goal.asin:
        item = replace(here, options=goal.options)
        return (_BUY, goal) if here == item else _toward_item(here, item)
    raise ValueError(f"the product {goal.asin!r:.40} is bought without its page")


def _toward_item(here: _Place, item: _Place) -> _Move:
    if here == item.results:
        return f"click[{item.asin.lower()}]", replace(item, options=())
    is_same = replace(here, options=item.options) == item
    if is_same and (click := _option_click(dict(here.options), dict(item.options))):
        value, options = click
        return f"click[{value}]", replace(here, options=tuple(options.items()))
    return _toward_results(here, item.results)


def _option_click(
    have: dict[str, str], wanted: dict[str, str]
) -> tuple[str, dict[str, str]] | None:
    """The next click towards the wanted options; None where only starting again helps."""
    if list(wanted)[: len(have)] != list(have):
        return None
    name = next((name for name, value in wanted.items() if have.get(name) != value), None)
    return None if name is None else (wanted[name], {**have, name: wanted[name]})


def _toward_results(here: _Place, goal: _Place) -> _Move:
    if here.keywords == goal.keywords:
        if here.page == "item_page":
            return _PREV, here.results
        if here.page == "search_results":
            is_before = here.number < goal.number
            number = here.number + (1 if is_before else -1)
            return (_NEXT if is_before else _PREV), replace(here, number=number)
    return f"search[{' '.join(goal.keywords)}]", replace(goal, number=1)


@dataclass
class _Session:
    """One file: walks from page to page and notes the steps."""

    path: Path
    number: int
    visits: tuple[Visit, ...]
    here: _Place = field(default_factory=lambda: _Place("index"))
    steps: list[Step] = field(default_factory=list)
    n_reloads: int = 0
    n_implied: int = 0

    def __post_init__(self) -> None:
        self.listed: dict[_Place, tuple[str, ...]] = {}
        self.found: dict[tuple[str, ...], set[str]] = {}
        self.clicked: dict[str, list[str]] = {}
        for visit in self.visits:
            place = _Place.of(visit)
            if visit.page == "search_results":
                self.listed.setdefault(place, visit.asins)
                self.found.setdefault(visit.keywords, set()).update(visit.asins)
            self.clicked.setdefault(visit.asin, []).extend(visit.options.values())

    def episode(self) -> Episode:
        """The whole session."""
        first, last = self.visits[0], self.visits[-1]
        for visit in self.visits:
            self._follow(visit, first)
        if self.steps and last.page != "done":
            self.steps[-1] = replace(self.steps[-1], truncated=True)
        reward = last.reward if last.page == "done" else 0.0
        return Episode(
            episode_id=f"session_{first.session}",
            env=WEBSHOP.name,
            agent="human",
            task=Task(first.session, self._instruction, number=self.number),
            steps=tuple(self.steps),
            final_observation=self._show(self.here, reward),
            is_success=reward == WEBSHOP.full_mark,
            metadata=self._metadata(first, last),
        )

    @property
    def _instruction(self) -> str:
        return str(self.visits[0].goal["instruction_text"])

    def _metadata(self, first: Visit, last: Visit) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "source": self.path.name,
            "observations": "reconstructed",
            "goal": dict(first.goal),
            "n_reloads": self.n_reloads,
            "n_implied": self.n_implied,
        }
        if last.page == "done":
            metadata["purchase"] = {
                "asin": last.asin,
                "options": dict(last.options),
                "price": last.price,
                "reward_info": None if last.reward_info is None else dict(last.reward_info),
            }
        return metadata

    def _follow(self, visit: Visit, first: Visit) -> None:
        if (visit.goal, visit.session) != (first.goal, first.session):
            raise self._error(visit, "is of another session or goal than the lines before")
        place = _Place.of(visit)
        if self.here.page == "done" and place != self.here:
            raise self._error(visit, "goes on after the purchase")
        if place == self.here:
            self.n_reloads += visit is not first
            return
        self._check_listed(visit, place)
        try:
            moves = list(_way(self.here, place))
        except ValueError as error:
            raise self._error(visit, str(error)) from error
        for action, after in moves:
            self._step(action, after, visit.reward if after.page == "done" else 0.0)
            if len(self.steps) > MAX_STEPS:
                raise self._error(visit, f"the session takes more than {MAX_STEPS} actions")
        self.n_implied += len(moves) - 1

    def _check_listed(self, visit: Visit, place: _Place) -> None:
        known = self.listed.get(place.results) if place.page.startswith("item") else None
        if known is not None and visit.asin not in known:
            raise self._error(visit, f"product {visit.asin!r:.40} is not among the logged results")

    def _step(self, action: str, after: _Place, reward: float) -> None:
        observation = self._show(self.here)
        step = Step(
            index=len(self.steps),
            observation=observation,
            available_actions=unique([*self._available(self.here), action])
            if not action.startswith("search[")
            else self._available(self.here),
            page_type=WEBSHOP.page_type(observation),
            decision=Decision(action),
            reward=reward,
            terminated=after.page == "done",
        )
        self.steps.append(step)
        self.here = after

    def _available(self, place: _Place) -> tuple[str, ...]:
        if place.page == "index":
            return _SEARCH
        if place.page == "search_results":
            turn = (_PREV, _NEXT) if place.number > 1 else (_NEXT,)
            asins = self.listed.get(place, ())
            return unique([_BACK, *turn, *(f"click[{asin.lower()}]" for asin in asins)])
        if place.page == "item_sub_page":
            return (_BACK, _PREV)
        options = [f"click[{value}]" for value in self.clicked.get(place.asin, ())]
        return unique([_BACK, _PREV, *_TABS, _BUY, *options])

    def _show(self, place: _Place, reward: float = 0.0) -> str:
        return pages.format_simplified(self._page(place, reward))

    def _page(self, place: _Place, reward: float) -> pages.Page:
        text = self._instruction
        if place.page == "index":
            return pages.search_page(text)
        if place.page == "done":
            return pages.done_page(place.asin, dict(place.options), reward)
        if place.page == "search_results":
            shown = [Product(asin, "", price_tag="") for asin in self.listed.get(place, ())]
            n_found = len(self.found.get(place.keywords, ()))
            return pages.results_page(text, shown, (), place.number, n_found)
        head = [
            pages.Part(pages.TEXT, "Instruction:"),
            pages.Part(pages.TEXT, text),
            pages.Part(pages.BUTTON, pages.BACK_TO_SEARCH),
            pages.Part(pages.BUTTON, pages.PREV),
        ]
        if place.page == "item_sub_page":
            return [*head, pages.Part(pages.TEXT, f"{place.asin}: {place.sub_page}")]
        return [*head, *_item_parts(place)]

    def _error(self, visit: Visit, problem: str) -> TranscriptError:
        return TranscriptError(problem, path=self.path, field=f"line {visit.line}")


def _item_parts(place: _Place) -> Iterator[pages.Part]:
    for name, value in place.options:
        yield pages.Part(pages.TEXT, name)
        yield pages.Part(pages.CLICKED_LABEL, value)
    yield pages.Part(pages.TEXT, place.asin)
    for label in (*pages.SUB_PAGES, pages.BUY_NOW):
        yield pages.Part(pages.BUTTON, label)
