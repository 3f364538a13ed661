"""Memories: action values, how they came about, how they spread, how a memory grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rememberer_nb.display.plots.base import (
    BLACK,
    DASHES,
    GREEN,
    GREY,
    PALETTE,
    SKY,
    VERMILION,
    finish,
    make_axes,
    short,
)
from rememberer_nb.elements import Exemplar, Record, Update


def q_values(record: Record, ax: Axes | None = None, *, exemplar: Exemplar | None = None) -> Axes:
    """A record's action values as horizontal bars, the highest on top, with visits.

    With the exemplar made of the record, encouraged and discouraged actions are coloured, and so
    are hatched.

    Examples
    --------
    >>> from rememberer_nb.elements import ActionValue
    >>> record = Record(0, "g", "o", (), (ActionValue("a", 0.1, 1), ActionValue("b", 0.9, 2)))
    >>> [label.get_text() for label in q_values(record).get_yticklabels()]
    ['b', 'a']
    """
    values = sorted(record.action_values, key=lambda v: (-v.q_value, -v.n_visits, v.action))
    ax = make_axes(ax, height=0.9 + 0.36 * len(values))
    roles = {} if exemplar is None else {
        advice.action: kind
        for kind in ("encouraged", "discouraged")
        for advice in getattr(exemplar, kind)
    }  # fmt: skip
    looks = {"encouraged": (GREEN, ""), "discouraged": (VERMILION, "//"), "": (GREY, "")}
    for y, value in enumerate(values):
        role = roles.get(value.action, "")
        colour, hatch = looks[role]
        label = role if role and role not in ax.get_legend_handles_labels()[1] else None
        ax.barh(y, value.q_value, 0.62, color=colour, hatch=hatch, ec="white", lw=0, label=label)
        text = f" {value.q_value:.2f} (×{value.n_visits})"
        ax.annotate(text, (max(0, value.q_value), y), va="center", fontsize=9)
    ax.set_yticks(range(len(values)), [short(value.action) for value in values])
    ax.set_ylim(max(1, len(values)) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    if values:
        ax.axvline(0, color=BLACK, lw=1)
    ax.margins(x=0.3)
    return finish(ax, "Q value (reward), (× visits)", "", bool(values), legend=bool(roles))


def q_history(updates: Iterable[Update], ax: Axes | None = None) -> Axes:
    """The Q value after each update, a line per action; dots show the targets.

    Parameters
    ----------
    updates : in order, of one record or more (`ExperienceMemory.updates`).
    """
    ax = make_axes(ax)
    series: dict[tuple[int, str, int], list[Update]] = {}
    for update in updates:
        series.setdefault((update.record_id, update.action, update.table), []).append(update)
    n_records = len({record_id for record_id, _, _ in series})
    for i, ((record_id, action, _), made) in enumerate(series.items()):
        colour = PALETTE[i % len(PALETTE)]
        label = f"{record_id}: {action}" if n_records > 1 else action
        visits = [made[0].n_visits - 1, *(update.n_visits for update in made)]
        q = [made[0].q_before, *(update.q_after for update in made)]
        dashes = DASHES[i % len(DASHES)]
        ax.plot(visits, q, dashes, color=colour, marker=".", label=short(label))
        targets = [update.target for update in made]
        ax.plot(visits[1:], targets, "x", color=colour, alpha=0.6, markersize=6)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return finish(
        ax, "visits to the action", "Q value (reward); × target", bool(series), legend=True
    )


def q_histogram(
    before: Sequence[float], after: Sequence[float], ax: Axes | None = None, *, n_bins: int = 20
) -> Axes:
    """How Q values spread before (outline) and after (filled), over the same bins."""
    ax = make_axes(ax)
    both = np.concatenate([np.asarray(before, dtype=float), np.asarray(after, dtype=float)])
    if len(both):
        low, high = both.min(), both.max()
        bins = np.linspace(low, high if high > low else low + 1, n_bins + 1)
        ax.hist(after, bins, color=SKY, label=f"after (n = {len(after)})")
        outline = {"histtype": "step", "color": BLACK, "linewidth": 1.5, "linestyle": "--"}
        ax.hist(before, bins, label=f"before (n = {len(before)})", **outline)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return finish(ax, "Q value (reward)", "number of action values", bool(len(both)), legend=True)
