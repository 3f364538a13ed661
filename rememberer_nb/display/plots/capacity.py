"""Figure of notebook 02: how success depends on how much a memory may hold."""

from __future__ import annotations

from matplotlib.axes import Axes

from rememberer_nb.display.plots.base import (
    BLUE,
    GREY,
    Table,
    as_table,
    finish,
    make_axes,
    plain_label,
    spelled,
)


def capacity_curve(
    table: Table, ax: Axes | None = None, *, baseline: float | None = None, label: str = "baseline"
) -> Axes:
    """A metric against the limit on records, with intervals; limits stand in the given order.

    Parameters
    ----------
    table : rows with `max_records` (a number, or words such as "no limit"), `mean`, `low`, `high`,
        and optionally `metric`, the name of the axis.
    baseline, label : a level to compare with, and its name.

    >>> rows = [{"max_records": 10, "mean": 0.5, "low": 0.4, "high": 0.6}]
    >>> [t.get_text() for t in capacity_curve(rows, baseline=0.3).get_xticklabels()]
    ['10']
    """
    frame = as_table(table, ("max_records", "mean", "low", "high"))
    ax = make_axes(ax)
    places = range(len(frame))
    spread = [frame["mean"] - frame["low"], frame["high"] - frame["mean"]]
    ax.errorbar(places, frame["mean"], spread, color=BLUE, marker="o", capsize=3, label="learnt")
    if baseline is not None:
        ax.axhline(baseline, color=GREY, linestyle="--", label=plain_label(label))
    ax.set_xticks(places, [plain_label(limit) for limit in frame["max_records"]])
    ax.set_ylim(bottom=0)
    name = spelled(frame["metric"].iloc[0]) if "metric" in frame.columns and len(frame) else "mean"
    return finish(ax, "most records that the memory may hold", name, not frame.empty, legend=True)
