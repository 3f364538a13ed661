"""Retrieved records as HTML cards: how similar, what their actions are worth, what was advised."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from rememberer_nb.elements import ActionValue, Advice, Decision, Episode, Exemplar, Hit
from rememberer_nb.system.printable import LINE_LIMIT
from rememberer_nb.system.templates import macros

if TYPE_CHECKING:
    from rememberer_nb.memory import ExperienceMemory

_TEMPLATE = "display/widgets/cards.html"
_N_TERMS = 6
_N_VALUES = 8
# Of a list that is long beyond reason, so many are shown.
N_LISTED = 40


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
        """Where the bar of a value starts and how long it is, in percent; it starts at 0.

        Values beyond the scale, as an LLM may predict, end with it.
        """
        width, value = self.high - self.low, min(max(value, self.low), self.high)
        start, stop = sorted(((0 - self.low) / width, (value - self.low) / width))
        return round(100 * start, 1), round(100 * (stop - start), 1)


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
    # The prompt shows the most similar exemplar last.
    places = {record_id: len(shown) - i for i, record_id in enumerate(shown)}
    exemplars = {exemplar.record_id: exemplar for exemplar in decision.exemplars}

    cards = []
    for hit, terms in zip_longest(decision.hits, why, fillvalue=""):
        record = hit.record
        task = "the same task" if record.task == hit.query[0] else record.task
        rows = _rows(record.action_values, exemplars.pop(record.record_id, None))
        cards.append((f"{hit.rank + 1}.", record.record_id, task, hit, rows, terms))
    cards += [("Fixed.", e.record_id, e.task, None, _rows((), e), "") for e in exemplars.values()]
    n_more = len(cards) - N_LISTED
    shapes = macros(_TEMPLATE)
    return shapes.cards(cards[:N_LISTED], n_more, (places, left_out), (scale, Scale()), limit)


def _rows(
    values: Iterable[ActionValue], exemplar: Exemplar | None
) -> tuple[list[tuple[str, ActionValue | None, str, Advice | None]], int]:
    """(action, what is known, kind of advice or "", advice) each, and how many are left out."""
    known = sorted(values, key=lambda v: (-v.q_value, -v.n_visits, v.action))
    advice = {} if exemplar is None else {
        item.action: (kind, item)
        for kind in ("encouraged", "discouraged")
        for item in getattr(exemplar, kind)
    }  # fmt: skip
    # Advised actions stay in sight; of the rest the best few.
    shown = [v for i, v in enumerate(known) if i < _N_VALUES or v.action in advice]
    rows = [(v.action, v, *advice.pop(v.action, ("", None))) for v in shown]
    rows += [(action, None, kind, item) for action, (kind, item) in advice.items()]
    return rows[:N_LISTED], len(known) - len(shown) + max(0, len(rows) - N_LISTED)


def predicted_html(decision: Decision, scale: Scale, limit: int = LINE_LIMIT) -> str:
    """What the LLM believes: its values beside the memory's, and how likely it finds each action.

    The memory's are those that the retrieved records have for the same action.
    """
    sides = ("encouraged", decision.predicted_encouraged), (
        "discouraged", decision.predicted_discouraged)  # fmt: skip
    records = [hit.record for hit in decision.hits]
    rows = [
        (kind, advice, [(r.record_id, v) for r in records if (v := r.value_of(advice.action))])
        for kind, said in sides
        for advice in said
    ]
    likely = sorted(decision.scores, key=lambda score: -score.probability)
    shapes, n_more = macros(_TEMPLATE), len(likely) - N_LISTED
    return shapes.predictions(rows[:N_LISTED], scale, limit) + shapes.chances(
        likely[:N_LISTED], n_more, decision.action, Scale(), limit
    )


def shared_terms(hit: Hit, memory: ExperienceMemory | None) -> str:
    """The terms that made the scores, as the memory explains them now."""
    if memory is None:
        return ""
    held = memory.find(hit.record.task, hit.record.observation)
    is_held = held is not None and held.record_id == hit.record.record_id
    return macros(_TEMPLATE).shared_terms(memory.explain(hit) if is_held else None, _N_TERMS)
