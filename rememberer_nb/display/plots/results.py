"""Results: learning curves, comparisons of agents, paired differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rememberer_nb.display.plots.base import (
    BLACK,
    BLUE,
    DASHES,
    GREY,
    MARKERS,
    PALETTE,
    Table,
    as_table,
    finish,
    make_axes,
    plain_label,
    spelled,
)

_UNITS = {
    "success_rate": "success rate (successes / episodes)",
    "mean_reward": "mean reward per episode",
    "mean_steps": "mean number of steps per episode",
}


def learning_curve(frame: Table, ax: Axes | None = None, *, metric: str = "success_rate") -> Axes:
    """Mean per epoch with its 95 % interval as a band, a line per agent.

    Parameters
    ----------
    frame : rows with agent, epoch (from 0), mean, low, high; rows of other metrics are left out
        where there is a column metric.
    metric : which metric; its unit labels the axis.

    Examples
    --------
    >>> rows = [{"agent": "a", "epoch": e, "mean": e / 4, "low": 0, "high": 1} for e in range(3)]
    >>> len(learning_curve(rows).lines)
    1
    """
    ax = make_axes(ax)
    table = as_table(frame, ("agent", "epoch", "mean", "low", "high"), metric)
    for i, (agent, rows) in enumerate(table.groupby("agent", sort=False)):
        rows = rows.sort_values("epoch")
        style = {"color": PALETTE[i % len(PALETTE)], "linestyle": DASHES[i % len(DASHES)]}
        epochs = rows["epoch"].to_numpy() + 1
        ax.plot(epochs, rows["mean"], marker=MARKERS[i % 7], label=spelled(agent), **style)
        ax.fill_between(epochs, rows["low"], rows["high"], alpha=0.15, color=style["color"], lw=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return finish(
        ax, "epoch", _UNITS.get(metric) or plain_label(metric), not table.empty, legend=True
    )


def agent_comparison(frame: Table, metric: str = "success_rate", ax: Axes | None = None) -> Axes:
    """A dot per agent with its 95 % interval and n, in the given order from the top.

    Parameters
    ----------
    frame : rows with agent, mean, low, high, n (`rememberer_nb.analysis.metrics.summary_table`).

    Examples
    --------
    >>> rows = [{"agent": "llm_only", "mean": 0.2, "low": 0.1, "high": 0.3, "n": 12}]
    >>> agent_comparison(rows).get_yticklabels()[0].get_text()
    'llm only  (n = 12)'
    """
    table = as_table(frame, ("agent", "mean", "low", "high", "n"), metric)
    ax = make_axes(ax, height=0.8 + 0.38 * len(table))
    labels = [f"{spelled(row.agent)}  (n = {row.n})" for row in table.itertuples()]
    _dots(ax, table, labels, [BLUE] * len(table), [True] * len(table))
    return finish(ax, _UNITS.get(metric) or plain_label(metric), "", not table.empty)


def plot_paired_differences(
    frame: Table, metric: str = "success_rate", ax: Axes | None = None
) -> Axes:
    """Differences with 95 % intervals beside a line at zero.

    Filled dots with a * where the interval excludes 0, open grey ones where it does not.

    Parameters
    ----------
    frame : rows with agent, baseline, mean, low, high
        (`rememberer_nb.analysis.metrics.paired_differences`).

    Examples
    --------
    >>> row = {"agent": "rememberer", "baseline": "llm_only", "mean": 0.1, "low": 0.05, "high": 0.2}
    >>> [text.get_text() for text in plot_paired_differences([row]).texts]
    ['*']
    """
    table = as_table(frame, ("agent", "baseline", "mean", "low", "high"), metric)
    ax = make_axes(ax, height=0.8 + 0.38 * len(table))
    is_clear = ((table["low"] > 0) | (table["high"] < 0)).tolist()
    labels = [f"{spelled(row.agent)} − {spelled(row.baseline)}" for row in table.itertuples()]
    _dots(ax, table, labels, [BLUE if clear else GREY for clear in is_clear], is_clear)
    for y in np.flatnonzero(is_clear):
        place = {"textcoords": "offset points", "ha": "center", "va": "center", "fontsize": 12}
        ax.annotate("*", (table["mean"].iloc[y], y), (0, 7), **place)
    if is_clear:
        ax.axvline(0, color=BLACK, lw=1, zorder=1)
    unit = f"difference in {spelled(metric)}    (* the interval excludes 0)"
    return finish(ax, unit, "", not table.empty)


def _dots(
    ax: Axes, table: pd.DataFrame, labels: list[str], colours: list[str], filled: list[bool]
) -> None:
    rows = zip(table.itertuples(), colours, filled, strict=True)
    for y, (row, colour, is_filled) in enumerate(rows):
        ax.plot([row.low, row.high], [y, y], color=colour, lw=2, solid_capstyle="butt")
        face = colour if is_filled else "white"
        ax.plot(row.mean, y, "o", color=colour, markerfacecolor=face, markersize=7)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", alpha=0.3)


def save_comparison(
    summary: Table, differences: Table, training: Table, folder: Path
) -> list[Path]:
    """The comparison's figures as PNG files below `folder`; returns their paths.

    The files depend on the data alone: no dates or versions are written into them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    metrics = ("success_rate", "mean_reward")
    draw = {
        "comparison": lambda ax, metric: agent_comparison(summary, metric, ax),
        "comparison_differences": lambda ax, metric: plot_paired_differences(
            differences, metric, ax
        ),
        "comparison_training": lambda ax, metric: learning_curve(training, ax, metric=metric),
    }
    paths = []
    for name, panel in draw.items():
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        is_shared = name != "comparison_training"
        for ax, metric in zip(figure.subplots(1, 2, sharey=is_shared), metrics, strict=True):
            panel(ax, metric)
        if name == "comparison_training" and (legend := figure.axes[0].get_legend()):
            legend.remove()  # the one of the second panel serves both
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=150, metadata={"Software": None})
    return paths
