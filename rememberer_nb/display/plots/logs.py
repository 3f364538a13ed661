"""Figures of notebook 11: a memory learnt from logs, and what its values say of other episodes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from rememberer_nb.display.plots.base import (
    BLACK,
    BLUE,
    DASHES,
    GREY,
    PALETTE,
    VERMILION,
    Table,
    as_table,
    finish,
    make_axes,
    plain_label,
    short,
    spelled,
)

_HATCHES = ("", "//", "..", "xx", "\\\\")
_UNITS = {
    "spearman": "Spearman's ρ of prediction and score",
    "auc": "AUC of the prediction for success",
}


def values_by_page(frame: Table, ax: Axes | None = None, *, n_bins: int = 20) -> Axes:
    """Histogram of q values, stacked by type of page.

    Parameters
    ----------
    frame : rows with page_type and q_value.

    Examples
    --------
    >>> rows = [{"page_type": "item", "q_value": 0.5}, {"page_type": "search", "q_value": 1.0}]
    >>> [text.get_text() for text in values_by_page(rows).get_legend().get_texts()]
    ['item (1)', 'search (1)']
    """
    table = as_table(frame, ("page_type", "q_value"))
    ax = make_axes(ax)
    groups = {str(kind) or "other": rows["q_value"] for kind, rows in table.groupby("page_type")}
    if groups:
        low, high = min(0.0, table["q_value"].min()), max(1.0, table["q_value"].max())
        _, _, drawn = ax.hist(
            list(groups.values()),
            np.linspace(low, high, n_bins + 1),
            stacked=True,
            color=[PALETTE[i % len(PALETTE)] for i in range(len(groups))],
            label=[f"{spelled(kind)} ({len(values)})" for kind, values in groups.items()],
            edgecolor="white",
            linewidth=0.5,
        )
        # One group comes as a container, several as a list of them.
        for i, bars in enumerate([drawn] if len(groups) == 1 else drawn):
            for bar in bars:
                bar.set_hatch(_HATCHES[i % len(_HATCHES)])
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return finish(ax, "Q value (reward)", "number of action values", bool(groups), legend=True)


def nearest_totals(frame: Table, ax: Axes | None = None) -> Axes:
    """How many records have a neighbour at least that similar, any and of another task.

    Parameters
    ----------
    frame : rows with any and other_task (`rememberer_nb.analysis.diagnosis.nearest_others`).

    Examples
    --------
    >>> len(nearest_totals([{"any": 0.9, "other_task": 0.3}]).lines)
    2
    """
    table = as_table(frame, ("any", "other_task"))
    ax = make_axes(ax)
    names = {"any": "any other record", "other_task": "a record of another task"}
    for i, (column, label) in enumerate(names.items()):
        values = np.sort(table[column].dropna().to_numpy(dtype=float))
        if len(values):
            share = 1 - np.arange(len(values) + 1) / len(table)
            style = {"color": (BLUE, VERMILION)[i], "linestyle": DASHES[i]}
            ends = np.concatenate([[0.0], values])
            ax.step(ends, share, where="post", label=label, **style)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    ax.grid(alpha=0.3)
    return finish(
        ax,
        "total similarity s of the nearest one",
        "share of records with at least s",
        not table.empty,
        legend=True,
    )


def value_gaps(frame: Table, ax: Axes | None = None) -> Axes:
    """A line from the lower to the higher value of each contradiction, the widest on top.

    Parameters
    ----------
    frame : rows with kind, first, second, action, low, high
        (`rememberer_nb.analysis.diagnosis.contradictions`).

    Examples
    --------
    >>> row = {"kind": "repeated", "first": 3, "second": 3, "action": "a", "low": 0, "high": 1}
    >>> value_gaps([row]).get_yticklabels()[0].get_text()
    '3: a'
    """
    table = as_table(frame, ("kind", "first", "second", "action", "low", "high"))
    ax = make_axes(ax, height=0.9 + 0.3 * len(table))
    labels = []
    for y, row in enumerate(table.itertuples()):
        is_repeated = row.kind == "repeated"
        colour, marker = (VERMILION, "D") if is_repeated else (BLUE, "o")
        label = "targets of one value" if is_repeated else "values of two near duplicates"
        seen = label in ax.get_legend_handles_labels()[1]
        ax.plot([row.low, row.high], [y, y], color=colour, lw=1.5)
        ends = {"color": colour, "linestyle": "none", "marker": marker}
        ax.plot([row.low, row.high], [y, y], label=None if seen else label, **ends)
        where = str(row.first) if row.first == row.second else f"{row.first}, {row.second}"
        labels.append(short(f"{where}: {row.action}"))
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", alpha=0.3)
    return finish(ax, "value (reward)", "", bool(labels), legend=True)


def relation_intervals(frame: Table, metric: str = "auc", ax: Axes | None = None) -> Axes:
    """A dot per predictor with its 95 % interval, and a line at what a constant would give.

    Filled dots where the interval excludes that line, open grey ones where it does not.

    Parameters
    ----------
    frame : rows with predictor, metric, value, low, high, chance
        (`rememberer_nb.analysis.calibration.relation`); rows of other metrics are left out.

    Examples
    --------
    >>> row = {"predictor": "record", "value": 0.6, "low": 0.55, "high": 0.7, "chance": 0.5}
    >>> [label.get_text() for label in relation_intervals([row]).get_yticklabels()]
    ['record']
    """
    columns = ("predictor", "value", "low", "high", "chance")
    table = as_table(frame, columns, metric).dropna(subset=["value"])
    ax = make_axes(ax, height=0.9 + 0.38 * len(table))
    for y, row in enumerate(table.itertuples()):
        is_clear = row.low > row.chance or row.high < row.chance
        colour = BLUE if is_clear else GREY
        ax.plot([row.low, row.high], [y, y], color=colour, lw=2, solid_capstyle="butt")
        face = colour if is_clear else "white"
        ax.plot(row.value, y, "o", color=colour, markerfacecolor=face, markersize=7)
    if not table.empty:
        ax.axvline(table["chance"].iloc[0], color=BLACK, lw=1, zorder=1)
    ax.set_yticks(range(len(table)), [spelled(name) for name in table["predictor"]])
    ax.set_ylim(max(1, len(table)) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", alpha=0.3)
    return finish(ax, _UNITS.get(metric) or plain_label(metric), "", not table.empty)


def score_by_prediction(
    frame: Table, ax: Axes | None = None, *, base_rate: float | None = None
) -> Axes:
    """Mean score per bin of the prediction with its 95 % interval, beside the diagonal.

    Parameters
    ----------
    frame : rows with low_edge, high_edge, mean, low, high, n_episodes
        (`rememberer_nb.analysis.calibration.score_by_bin`).
    base_rate : the mean score over all steps, a horizontal line.
    """
    columns = ("low_edge", "high_edge", "mean", "low", "high", "n_episodes")
    table: pd.DataFrame = as_table(frame, columns)
    ax = make_axes(ax)
    for row in table.itertuples():
        x = (row.low_edge + row.high_edge) / 2
        ax.plot([x, x], [row.low, row.high], color=BLUE, lw=2, solid_capstyle="butt")
        ax.plot([row.low_edge, row.high_edge], [row.mean, row.mean], color=BLUE, lw=1, alpha=0.5)
        ax.plot(x, row.mean, "o", color=BLUE, markersize=7)
        ax.annotate(f"{row.n_episodes}", (x, 1.03), ha="center", fontsize=9, color=GREY)
    if not table.empty:
        ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="score = prediction")
        if base_rate is not None:
            ax.axhline(base_rate, color=BLACK, lw=1, linestyle="--", label="mean over all steps")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.1)
    return finish(
        ax, "predicted value (above: episodes)", "mean score", not table.empty, legend=True
    )
