"""The λ explorer: see which records a situation retrieves, and why, as λ moves from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets

from rememberer_nb.display.widgets.html import wrap
from rememberer_nb.elements import Hit
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.system.printable import brief
from rememberer_nb.system.templates import macros, with_source

STATIC_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_STEP = 0.05
_NAME_LIMIT = 60
_WHOLE = "memory.to_frame()"
_TEMPLATE = "display/widgets/retrieval.html"


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
        head = widgets.HTML(wrap(macros(_TEMPLATE).head(task)))
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
        weight, shapes = self.task_weight, macros(_TEMPLATE)
        rows = [
            (
                hit,
                _kind(hit, self.profile),
                self._rank_at_start[hit.record.record_id],
                *_parts(hit, weight),
            )
            for hit in self.hits
        ]
        shown = with_source(shapes.ranked(rows), _WHOLE) if rows else shapes.empty()
        self.panel.value = wrap(shown)

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
    rows = [
        (hit, _kind(hit, profile), [(h := cells[w, i], *_parts(h, w)) for w in weights])
        for i, hit in shown.items()
    ]
    shapes = macros(_TEMPLATE)
    note = f"; “#1” is the rank; outside the best {n_hits}: faint"
    body = with_source(shapes.side_by_side(weights, rows, n_hits), _WHOLE)
    return wrap(shapes.head(task, note) + (body if rows else shapes.empty()))


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


def _kind(hit: Hit, profile: Profile | None) -> str:
    return profile.page_type(hit.record.observation) if profile is not None else ""


def _parts(hit: Hit, weight: float) -> tuple[float, float]:
    """What the task and what the page adds to the total."""
    return weight * hit.task_similarity, (1 - weight) * hit.observation_similarity
