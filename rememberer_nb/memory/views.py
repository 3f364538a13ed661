"""What people see of a memory: a frame, statistics, HTML, and why a record was retrieved."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rememberer_nb.elements import Hit
from rememberer_nb.envs.profile import Profile
from rememberer_nb.retrieval import Term
from rememberer_nb.system.printable import LINE_LIMIT, brief
from rememberer_nb.system.templates import macros, with_source

if TYPE_CHECKING:
    import pandas as pd
    from markupsafe import Markup

    from rememberer_nb.memory import ExperienceMemory
    from rememberer_nb.memory.history import History

_TEMPLATE = "memory/views.html"
_N_SHOWN = 12
_PREVIEW = 60
_TERM_LIMIT = 200

# Notebook pages align the cells of tables themselves: the name thrice outweighs their rules. Text
# that runs from right to left must not turn round the numbers beside it: what holds it is isolated.
STYLE = """
<style>
.rnb {color: inherit; font-family: var(--jp-ui-font-family, system-ui, sans-serif);
  font-size: 13px; line-height: 1.45}
.rnb table {border-collapse: collapse; margin: 6px 0; width: auto}
.rnb.rnb.rnb th, .rnb.rnb.rnb td {text-align: left; vertical-align: top; padding: 3px 10px 3px 0;
  border-bottom: 1px solid rgba(128, 128, 128, .3); background: none}
.rnb.rnb.rnb td.n, .rnb.rnb.rnb th.n {text-align: right; font-variant-numeric: tabular-nums}
.rnb .soft {opacity: .7}
.rnb bdi, .rnb pre, .rnb code, .rnb td, .rnb th, .rnb .task, .rnb .soft, .rnb .chip, .rnb .label,
.rnb .chosen {unicode-bidi: isolate}
.rnb.rnb.rnb td {max-width: 600px; overflow-wrap: break-word}
.rnb .task, .rnb .soft, .rnb .error, .rnb .act {overflow-wrap: break-word}
</style>
"""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a record was retrieved: the shared terms with their products, largest first.

    Examples
    --------
    >>> from rememberer_nb.memory import ExperienceMemory
    >>> memory = ExperienceMemory()
    >>> _ = memory.insert("a red lamp", "page one")
    >>> explanation = memory.explain(next(memory.retrieve("a red chair", "page one")))
    >>> [term.term for term in explanation.task_terms]
    ['red']
    >>> round(explanation.observation_similarity, 6)
    1.0
    """

    hit: Hit
    task_terms: tuple[Term, ...]
    observation_terms: tuple[Term, ...]

    @property
    def task_similarity(self) -> float:
        """f_g as the sum of its products."""
        return sum(term.product for term in self.task_terms)

    @property
    def observation_similarity(self) -> float:
        """f_o as the sum of its products."""
        return sum(term.product for term in self.observation_terms)

    def to_frame(self) -> pd.DataFrame:
        """Columns: similarity, term, query_weight, record_weight, product."""
        import pandas as pd

        rows = [
            (name, term.term, term.query_weight, term.record_weight, term.product)
            for name, terms in (("task", self.task_terms), ("observation", self.observation_terms))
            for term in terms
        ]
        columns = ["similarity", "term", "query_weight", "record_weight", "product"]
        return pd.DataFrame(rows, columns=columns)

    def _repr_html_(self) -> str:
        parts = []
        for title, terms, value in (
            ("Task similarity", self.task_terms, self.task_similarity),
            ("Observation similarity", self.observation_terms, self.observation_similarity),
        ):
            rows = [(t.term, f"{t.product:.3f}") for t in terms[:_N_SHOWN]]
            rest = terms[_N_SHOWN:]
            if rest:
                rows.append((f"{len(rest)} more", f"{sum(t.product for t in rest):.3f}"))
            parts.append((title, value, rows))
        return _framed(macros(_TEMPLATE).explanation(parts, _TERM_LIMIT))


def to_frame(memory: ExperienceMemory) -> pd.DataFrame:
    """A row per (task, observation, action).

    Columns: record_id, task, observation, action, q_value, n_visits, reward (mean immediate
    reward), rationale, is_initial, source, first_update, last_update (update ids, or missing).
    """
    import pandas as pd

    rows = [
        (
            record.record_id, record.task, record.observation, value.action, value.q_value,
            value.n_visits, value.reward, value.rationale, value.is_initial, record.source,
            value.first_update, value.last_update,
        )
        for record in memory
        for value in record.action_values
    ]  # fmt: skip
    columns = [
        "record_id", "task", "observation", "action", "q_value", "n_visits", "reward", "rationale",
        "is_initial", "source", "first_update", "last_update",
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"first_update": "Int64", "last_update": "Int64"})


def stats(memory: ExperienceMemory, profile: Profile | None = None) -> dict[str, Any]:
    """Counts and ranges of a memory, plain values that `json.dumps` takes.

    `n_contrasting` counts the records that hold two actions or more: only they can show both an
    encouraged and a discouraged action from experience. With a profile, `page_types` counts the
    records per kind of page.
    """
    return _counts(
        [(record.task, record.observation, record.source) for record in memory],
        [(v.q_value, v.n_visits, v.is_initial) for r in memory for v in r.action_values],
        sum(len(record.action_values) > 1 for record in memory),
        memory.n_updates,
        profile,
    )


def file_stats(history: History, profile: Profile | None = None) -> dict[str, Any]:
    """As `stats`, of a file that is not opened as a memory."""
    return _counts(
        list(history.store.load_states()),
        list(history.store.load_counts()),
        history.n_contrasting,
        history.n_updates,
        profile,
    )


def _counts(
    states: Sequence[tuple[str, str, str]],
    values: Sequence[tuple[float, int, bool]],
    n_contrasting: int,
    n_updates: int,
    profile: Profile | None,
) -> dict[str, Any]:
    """Of (task, observation, source) per record and (q value, visits, is initial) per action."""
    q_values = [q_value for q_value, _, _ in values]
    result: dict[str, Any] = {
        "n_records": len(states),
        "n_tasks": len({task for task, _, _ in states}),
        "n_observations": len({observation for _, observation, _ in states}),
        "n_action_values": len(values),
        "n_contrasting": n_contrasting,
        "n_visits": sum(n_visits for _, n_visits, _ in values),
        "n_updates": n_updates,
        "n_initial": sum(is_initial for _, _, is_initial in values),
        "n_positive": sum(q > 0 for q in q_values),
        "q_min": min(q_values, default=None),
        "q_mean": math.fsum(q_values) / len(q_values) if q_values else None,
        "q_max": max(q_values, default=None),
        "sources": dict(Counter(source for _, _, source in states)),
    }
    if profile is not None:
        kinds = Counter(profile.page_type(observation) for _, observation, _ in states)
        result["page_types"] = dict(sorted(kinds.items()))
    return result


def to_html(memory: ExperienceMemory) -> str:
    """The memory's numbers and its most visited values, for a notebook."""
    values = [(record, value) for record in memory for value in record.action_values]
    values.sort(key=lambda pair: (-pair[1].n_visits, pair[0].record_id))
    rows = [
        (
            str(record.record_id), record.task, brief(record.observation, _PREVIEW), value.action,
            f"{value.q_value:.3f}", str(value.n_visits),
        )
        for record, value in values[:_N_SHOWN]
    ]  # fmt: skip
    shown = macros(_TEMPLATE).memory(stats(memory), rows, len(values) - len(rows), LINE_LIMIT)
    return _framed(shown)


def _framed(body: Markup) -> str:
    return f"{STYLE}<div class='rnb'>{with_source(body, 'to_frame()')}</div>"


def html_table(
    columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], limit: int = LINE_LIMIT
) -> str:
    """A plain table; cells that are numbers are right-aligned, everything is escaped.

    Cells of more than `limit` characters are cut.
    """
    return str(macros(_TEMPLATE).table(columns, rows, limit))
