"""Retrieved records as HTML cards: how similar, what their actions are worth, what was advised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from rememberer_nb.elements import ActionValue, Advice, Decision, Episode, Exemplar, Hit
from rememberer_nb.system.printable import LINE_LIMIT, clip_html, isolated_html

if TYPE_CHECKING:
    from rememberer_nb.memory import ExperienceMemory
    from rememberer_nb.retrieval import Term

_N_TERMS = 6
_N_VALUES = 8
# Of a list that is long beyond reason, so many are shown.
N_LISTED = 40
_TERM_LIMIT = 100
_WHY_LIMIT = 200


def number(value: float) -> str:
    """Two decimals, without a negative zero.

    >>> number(-0.001), number(2 / 3)
    ('0.00', '0.67')
    """
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text


@dataclass(frozen=True, slots=True)
class Scale:
    """What a full bar means: the same for every bar of an episode, so that bars compare.

    >>> Scale(-1.0, 1.0).span(0.5)
    (50.0, 25.0)
    """

    low: float = 0.0
    high: float = 1.0

    @classmethod
    def of(cls, episode: Episode) -> Scale:
        """From 0 (or the lowest value) to 1 (or the highest) over all retrieved records."""
        values = [
            value.q_value
            for step in episode.steps
            for hit in step.decision.hits
            for value in hit.record.action_values
        ]
        return cls(min([0.0, *values]), max([1.0, *values]))

    def span(self, value: float) -> tuple[float, float]:
        """Where the bar of a value starts and how long it is, in percent; it starts at 0."""
        width = self.high - self.low
        start, stop = sorted(((0 - self.low) / width, (value - self.low) / width))
        return round(100 * start, 1), round(100 * (stop - start), 1)

    def bar(self, value: float, kind: str = "") -> str:
        """The bar as HTML; hidden from screen readers, since the number stands beside it."""
        start, length = self.span(value)
        style = f"left:{start:g}%;width:{length:g}%"
        return f"<span class='bar {kind}' aria-hidden='true'><i style='{style}'></i></span>"


def retrieval_html(
    decision: Decision, scale: Scale, why: Sequence[str] = (), limit: int = LINE_LIMIT
) -> str:
    """A card per hit in order of rank, then one per exemplar that no hit stands behind.

    `why` is added to the cards, one for each hit (`shared_terms`); texts are cut at `limit`.
    """
    left_out = {} if decision.prompt is None else {
        item.record_id: item.why for item in decision.prompt.left_out if item.record_id is not None
    }  # fmt: skip
    shown = [e.record_id for e in decision.exemplars if e.record_id not in left_out]
    exemplars = {exemplar.record_id: exemplar for exemplar in decision.exemplars}
    cards = []
    for hit, terms in zip_longest(decision.hits, why, fillvalue=""):
        record_id = hit.record.record_id
        exemplar = exemplars.pop(record_id, None)
        head = f"<b>{hit.rank + 1}.</b> {_place(record_id, shown, left_out)}"
        values = _values_html(hit.record.action_values, exemplar, scale, limit)
        task = "the same task" if hit.record.task == hit.query[0] else hit.record.task
        cards.append(_card(head, clip_html(task, limit), _scores(hit) + values + terms))
    for record_id, exemplar in exemplars.items():
        head = f"<b>Fixed.</b> {_place(record_id, shown, left_out)}"
        values = _values_html((), exemplar, scale, limit)
        cards.append(_card(head, clip_html(exemplar.task, limit), values))
    return listed(cards, "records") or "<span class='soft'>Nothing was retrieved.</span>"


def listed(items: Sequence[str], noun: str) -> str:
    """The first items as HTML, and a word for the rest.

    >>> listed(["<b>1</b>"] * 1_040, "numbers")[-42:]
    "<div class='soft'>1,000 more numbers</div>"
    """
    rest = len(items) - N_LISTED
    note = f"<div class='soft'>{rest:,} more {noun}</div>" if rest > 0 else ""
    return "".join(items[:N_LISTED]) + note


def _card(head: str, task: str, body: str) -> str:
    about = f"<div class='head'>{head}</div><div class='soft'>{task}</div>"
    return f"<div class='card'>{about}{body}</div>"


def _place(record_id: int, shown: Sequence[int], left_out: dict[int | None, str]) -> str:
    """Where a record went; the prompt shows the most similar exemplar last."""
    name = f"record {record_id}"
    if record_id in left_out:
        why = isolated_html(left_out[record_id], _WHY_LIMIT)
        return f"{name} <span class='chip bad'>skipped: {why}</span>"
    if record_id in shown:
        place = len(shown) - shown.index(record_id)
        return f"{name} <span class='chip'>example {place} in the prompt</span>"
    return f"{name} <span class='chip'>not shown</span>"


def _scores(hit: Hit) -> str:
    unit = Scale()
    scores = (
        ("total", hit.total),
        ("task", hit.task_similarity),
        ("page", hit.observation_similarity),
    )
    parts = [
        f"<span class='score'>{name} {unit.bar(value)} {number(value)}</span>"
        for name, value in scores
    ]
    return f"<div class='scores'>{' '.join(parts)}</div>"


def _values_html(
    values: Iterable[ActionValue], exemplar: Exemplar | None, scale: Scale, limit: int
) -> str:
    known = sorted(values, key=lambda v: (-v.q_value, -v.n_visits, v.action))
    advice = {} if exemplar is None else {
        item.action: (kind, item)
        for kind in ("encouraged", "discouraged")
        for item in getattr(exemplar, kind)
    }  # fmt: skip
    # Advised actions stay in sight; of the rest the best few.
    shown = [v for i, v in enumerate(known) if i < _N_VALUES or v.action in advice]
    hidden = len(known) - len(shown)
    rows = [_Row(v.action, v, *advice.pop(v.action, ("", None))) for v in shown]
    rows += [_Row(action, None, kind, item) for action, (kind, item) in advice.items()]
    if not rows:
        return "<div class='soft'>No action was tried here.</div>"
    hidden += max(0, len(rows) - N_LISTED)
    more = f"<div class='soft'>{hidden:,} more actions in between</div>" if hidden else ""
    head = (
        "<colgroup><col style='width:33%'><col style='width:27%'><col style='width:40%'></colgroup>"
        "<thead><tr><th>action</th><th>Q, visits</th><th>advice and why</th></tr></thead>"
    )
    body = "".join(row.html(scale, limit) for row in rows[:N_LISTED])
    return f"<table class='values'>{head}<tbody>{body}</tbody></table>{more}"


@dataclass(frozen=True, slots=True)
class _Row:
    """An action with what is known of it, and what was advised: encouraged, discouraged or ""."""

    action: str
    value: ActionValue | None
    kind: str
    advice: Advice | None

    def html(self, scale: Scale, limit: int) -> str:
        """A row of the table."""
        value, advice = self.value, self.advice
        q = value.q_value if value is not None else None if advice is None else advice.value
        if q is None or (advice is not None and advice.is_synthetic):
            shown = "" if q is None else f", shown as {number(q)}"
            worth = f"<i class='soft'>not tried{shown}</i>"
        else:
            visits = "" if value is None else f" <span class='soft'>×{value.n_visits}</span>"
            worth = f"{scale.bar(q, self.kind or 'plain')} {number(q)}{visits}"
        return (
            f"<tr><td><code>{clip_html(self.action, limit)}</code></td><td>{worth}</td>"
            f"<td>{self._why(limit)}</td></tr>"
        )

    def _why(self, limit: int) -> str:
        value, advice = self.value, self.advice
        reason = advice.rationale if advice is not None else value.rationale if value else ""
        if advice is not None and advice.is_synthetic:
            reason = "drawn at random"
        mark = {"encouraged": "▲ encouraged", "discouraged": "▼ discouraged"}.get(self.kind, "")
        parts = [
            f"<b class='{self.kind}'>{mark}</b>" if mark else "",
            isolated_html(reason, limit) if reason else "",
        ]
        return " · ".join(part for part in parts if part)


def shared_terms(hit: Hit, memory: ExperienceMemory | None) -> str:
    """The terms that made the scores, as the memory explains them now."""
    if memory is None:
        return ""
    held = memory.find(hit.record.task, hit.record.observation)
    if held is None or held.record_id != hit.record.record_id:
        return "<div class='soft'>No longer in memory.</div>"
    explanation = memory.explain(hit)
    lines = [
        f"<div>{name}: {_terms(terms)}</div>"
        for name, terms in (
            ("task", explanation.task_terms),
            ("page", explanation.observation_terms),
        )
    ]
    return f"<details><summary>Shared terms</summary>{''.join(lines)}</details>"


def _terms(terms: Sequence[Term]) -> str:
    parts = [f"{isolated_html(t.term, _TERM_LIMIT)} {t.product:.3f}" for t in terms[:_N_TERMS]]
    rest = terms[_N_TERMS:]
    if rest:
        parts.append(f"{len(rest)} more {sum(t.product for t in rest):.3f}")
    return " + ".join(parts) or "none"
