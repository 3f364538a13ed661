"""The λ explorer: see which records a situation retrieves, and why, as λ moves from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from rememberer_nb.display.widgets.cards import number
from rememberer_nb.display.widgets.html import wrap
from rememberer_nb.elements import Hit
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.system.printable import LINE_LIMIT, brief, clip_html, with_source

STATIC_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_STEP = 0.05
_NAME_LIMIT = 60
_WHOLE = "memory.to_frame()"
_TASK_COLOUR, _PAGE_COLOUR = "#0072B2", "#E69F00"
_LEGEND = (
    f"<span style='color:{_TASK_COLOUR}' aria-hidden='true'>■</span> from the task, λ f_g "
    f"<span style='color:{_PAGE_COLOUR}' aria-hidden='true'>■</span> from the page, (1 − λ) f_o"
)


class LambdaExplorer(widgets.VBox):
    """Drag λ and see the retrieved records, their totals and the two parts of each total.

    Parameters
    ----------
    memory : where to retrieve from; it is read and never changed.
    task, observation : the query (g, o).
    profile : optional; names the kind of page of each record.
    n_hits : how many records are shown.
    task_weight : λ at the start; None takes the memory's own. It is also the λ that the marks
        "▲" and "▼" compare ranks with.

    The number beside the slider can be typed. Without a kernel the `text/html` form shows several
    λ side by side. Raises `ConfigError` if λ is not in [0, 1] or n_hits is below 1.

    Examples
    --------
    >>> memory = ExperienceMemory()
    >>> for colour in ("red", "blue"):
    ...     _ = memory.insert(f"a {colour} lamp", f"the page of {colour} things")
    >>> explorer = LambdaExplorer(memory, "a blue lamp", "the page of red things")
    >>> explorer.task_weight = 1.0
    >>> [hit.record.task for hit in explorer.hits]
    ['a blue lamp', 'a red lamp']
    """

    def __init__(
        self,
        memory: ExperienceMemory,
        task: str,
        observation: str,
        *,
        profile: Profile | None = None,
        n_hits: int = 6,
        task_weight: float | None = None,
    ):
        start = memory.retrieval.task_weight if task_weight is None else task_weight
        if not 0 <= start <= 1:
            raise ConfigError(f"task_weight must be in [0, 1], got {start!r}")
        if n_hits < 1:
            raise ConfigError(f"n_hits must be at least 1, got {n_hits!r}")
        self.memory, self.query = memory, (task, observation)
        self.profile, self.n_hits = profile, n_hits
        self.start = start
        self._rank_at_start = {h.record.record_id: h.rank for h in self._all_hits(start)}
        self.slider = _slider(start)
        self.typed = _number_box(start)
        self.panel = widgets.HTML()
        head = widgets.HTML(wrap(_query_html(task) + f"<div class='soft'>{_LEGEND}</div>"))
        controls = widgets.HBox([self.slider, self.typed], layout={"flex_flow": "row wrap"})
        super().__init__([head, controls, self.panel])
        self.add_class("rnb-lambda")
        widgets.link((self.slider, "value"), (self.typed, "value"))
        self.slider.observe(self._show, "value")
        self._show()

    @property
    def task_weight(self) -> float:
        """λ; setting it moves the slider."""
        return float(self.slider.value)

    @task_weight.setter
    def task_weight(self, weight: float) -> None:
        if not 0 <= weight <= 1:
            raise ConfigError(f"task_weight must be in [0, 1], got {weight!r}")
        self.slider.value = weight

    @property
    def hits(self) -> tuple[Hit, ...]:
        """The best records at the present λ."""
        return self._hits(self.task_weight)

    def to_html(self) -> str:
        """The same query at several λ side by side, without scripts; what exports show."""
        return lambda_html(
            self.memory, *self.query, profile=self.profile, n_hits=self.n_hits, weights=None
        )

    def _hits(self, weight: float) -> tuple[Hit, ...]:
        return tuple(self._all_hits(weight)[: self.n_hits])

    def _all_hits(self, weight: float) -> list[Hit]:
        return list(self.memory.retrieve(*self.query, self.n_hits, weight))

    def _show(self, _: Any = None) -> None:
        rows = "".join(self._row(hit) for hit in self.hits)
        head = (
            "<th class='n'>rank</th><th>record</th>"
            "<th>λ f_g + (1 − λ) f_o = total</th><th class='n'>f_g</th><th class='n'>f_o</th>"
        )
        empty = "" if rows else "<div class='soft'>The memory is empty.</div>"
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        self.panel.value = wrap(empty or with_source(table, _WHOLE))

    def _row(self, hit: Hit) -> str:
        before = self._rank_at_start[hit.record.record_id]
        moved = "▲" if hit.rank < before else "▼"
        note = "" if hit.rank == before else f" <span class='soft'>{moved} was {before + 1}</span>"
        return (
            f"<tr><td class='n'>{hit.rank + 1}{note}</td><td>{_record_html(hit, self.profile)}</td>"
            f"<td class='keep'>{_bar(hit, self.task_weight)} {_sum(hit, self.task_weight)}</td>"
            f"<td class='n'>{hit.task_similarity:.2f}</td>"
            f"<td class='n'>{hit.observation_similarity:.2f}</td></tr>"
        )

    def __repr__(self) -> str:
        task = brief(self.query[0], _NAME_LIMIT)
        return f"LambdaExplorer({task!r}, {len(self.memory)} records)"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """The widget view, and beside it the static form that survives an export."""
        bundle = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/plain": repr(self), "text/html": self.to_html()}


def lambda_html(
    memory: ExperienceMemory,
    task: str,
    observation: str,
    *,
    profile: Profile | None = None,
    n_hits: int = 6,
    weights: Sequence[float] | None = None,
) -> str:
    """One query at several λ: a row per record that is among the best at one of them.

    Each cell gives the rank, the total and its two parts as a bar. Cells outside the best
    `n_hits` are faint.
    """
    weights = STATIC_WEIGHTS if weights is None else tuple(weights)
    by_weight = {w: list(memory.retrieve(task, observation, n_hits, w)) for w in weights}
    shown = {hit.record.record_id: hit for hits in by_weight.values() for hit in hits[:n_hits]}
    cells = {(w, h.record.record_id): h for w, hits in by_weight.items() for h in hits}
    rows = "".join(
        f"<tr><td>{_record_html(hit, profile)}</td>"
        + "".join(_cell(cells[w, record_id], w, n_hits) for w in weights)
        + "</tr>"
        for record_id, hit in shown.items()
    )
    head = "<th>record</th>" + "".join(f"<th>λ = {w:g}</th>" for w in weights)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    note = f"<div class='soft'>{_LEGEND}; “#1” is the rank; outside the best {n_hits}: faint</div>"
    body = with_source(table, _WHOLE) if shown else "<div class='soft'>The memory is empty.</div>"
    return wrap(_query_html(task) + note + body)


def _slider(weight: float) -> widgets.FloatSlider:
    return widgets.FloatSlider(
        value=weight,
        min=0.0,
        max=1.0,
        step=_STEP,
        description="λ",
        readout=False,
        style={"description_width": "auto"},
        layout={"width": "320px"},
    )


def _number_box(weight: float) -> widgets.BoundedFloatText:
    return widgets.BoundedFloatText(
        value=weight,
        min=0.0,
        max=1.0,
        step=_STEP,
        description="λ (type)",
        style={"description_width": "auto"},
        layout={"width": "140px"},
    )


def _query_html(task: str) -> str:
    return f"<div class='task'>{clip_html(task, LINE_LIMIT)}</div>"


def _record_html(hit: Hit, profile: Profile | None) -> str:
    kind = profile.page_type(hit.record.observation) if profile is not None else ""
    page = f", {clip_html(kind, _NAME_LIMIT)} page" if kind else ""
    task = clip_html(hit.record.task, LINE_LIMIT)
    return f"record {hit.record.record_id}{page}<div class='soft'>{task}</div>"


def _bar(hit: Hit, weight: float) -> str:
    task_part = 100 * weight * hit.task_similarity
    page_part = 100 * (1 - weight) * hit.observation_similarity
    return (
        "<span class='bar' aria-hidden='true'>"
        f"<i style='left:0;width:{task_part:.1f}%;background:{_TASK_COLOUR}'></i>"
        f"<i style='left:{task_part:.1f}%;width:{page_part:.1f}%;background:{_PAGE_COLOUR}'></i>"
        "</span>"
    )


def _sum(hit: Hit, weight: float) -> str:
    parts = (weight * hit.task_similarity, (1 - weight) * hit.observation_similarity)
    return f"{number(parts[0])} + {number(parts[1])} = <b>{number(hit.total)}</b>"


def _cell(hit: Hit, weight: float, n_hits: int) -> str:
    faint = "" if hit.rank < n_hits else " style='opacity:.45'"
    place = f"<span class='soft'>#{hit.rank + 1}</span>"
    return f"<td class='keep'{faint}><b>{number(hit.total)}</b> {place}<br>{_bar(hit, weight)}</td>"
