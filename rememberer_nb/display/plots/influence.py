"""What an LLM does with its memory: one decision with and without, and advice on the whole."""

from __future__ import annotations

from matplotlib.axes import Axes

from rememberer_nb.display.plots.base import (
    BLUE,
    GREY,
    ORANGE,
    VERMILION,
    Table,
    as_table,
    finish,
    make_axes,
    plain_label,
    short,
)
from rememberer_nb.errors import ConfigError

_SHOWN = "as shown"
# Variant -> what the legend says of it, colour, hatch.
_BARS = {_SHOWN: ("with memory", BLUE, ""), "no exemplars": ("without memory", ORANGE, "//")}


def action_bars(
    frame: Table, ax: Axes | None = None, *, n_actions: int = 6, right: str | None = None
) -> Axes:
    """P(action) of one decision with and without memory, the likeliest action on top.

    Parameters
    ----------
    frame : rows with variant, action, words, probability, chosen
        (`rememberer_nb.analysis.influence.influence`).
    n_actions : how many are shown: those likeliest in either case.
    right : an action to be named as the right one.

    Examples
    --------
    >>> rows = [{"variant": "as shown", "action": "b", "words": "buy", "probability": 0.7,
    ...     "chosen": True}]
    >>> [text.get_text() for text in action_bars(rows, right="b").texts]
    ['0.70 chosen']
    """
    table = as_table(frame, ("variant", "action", "words", "probability", "chosen"))
    table = table[table["variant"].isin(list(_BARS))]
    highest = table.groupby("action", sort=False)["probability"].max()
    actions = highest.sort_values(ascending=False, kind="stable").index[:n_actions].tolist()
    words = dict(zip(table["action"], table["words"], strict=True))
    ax = make_axes(ax, height=1.0 + 0.5 * len(actions))
    for i, (variant, (label, colour, hatch)) in enumerate(_BARS.items()):
        rows = table[table["variant"] == variant].set_index("action")
        found = [(y, rows.loc[action]) for y, action in enumerate(actions) if action in rows.index]
        places = [y + (i - 0.5) * 0.4 for y, _ in found]
        values = [float(row["probability"]) for _, row in found]
        style = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
        ax.barh(places, values, 0.38, label=label if found else None, **style)
        for place, value, (_, row) in zip(places, values, found, strict=True):
            said = f"{value:.2f} chosen" if row["chosen"] else f"{value:.2f}"
            ax.annotate(said, (value, place), (3, 0), textcoords="offset points", va="center",
                        fontsize=8, fontweight="bold" if row["chosen"] else None)  # fmt: skip
    marks = [" (right)" if action == right else "" for action in actions]
    names = [short(words[action]) + mark for action, mark in zip(actions, marks, strict=True)]
    ax.set_yticks(range(len(actions)), names)
    ax.set_ylim(max(1, len(actions)) - 0.5, -0.5)
    # Room for the longest number and word; no probability is above 1.
    ax.set_xlim(0, 1.5 * max([*highest, 0.1]))
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= min(1, ax.get_xlim()[1])])
    ax.tick_params(axis="y", length=0)
    return finish(ax, "P(action)", "", bool(actions), legend=True)


def influence_dots(frame: Table, ax: Axes | None = None, *, action: str | None = None) -> Axes:
    """How much each change of the exemplars moves P of an action; a dot per variant.

    Filled dots where another action is chosen by it, open ones where the choice stays.

    Parameters
    ----------
    frame : rows with variant, changed, action, words, chosen, difference
        (`rememberer_nb.analysis.influence.influence`).
    action : whose probability; by default that of the action chosen as shown.

    Raises
    ------
    ConfigError : no row has that action.

    Examples
    --------
    >>> row = {"action": "b", "words": "buy", "changed": "all"}
    >>> shown = {**row, "variant": "as shown", "chosen": True, "difference": 0.0}
    >>> less = {**row, "variant": "no exemplars", "chosen": False, "difference": -0.5}
    >>> influence_dots([shown, less]).get_yticklabels()[0].get_text()
    'no exemplars'
    """
    table = as_table(frame, ("variant", "changed", "action", "words", "chosen", "difference"))
    is_shown, is_chosen = table["variant"] == _SHOWN, table["chosen"].astype(bool)
    if action is None and len(table):
        action = table[is_shown & is_chosen]["action"].iloc[0]
    rows = table[(table["action"] == action) & ~is_shown]
    if len(table) and not (table["action"] == action).any():
        raise ConfigError(f"the table has no action {plain_label(action)!r}")
    kept = set(table[is_shown & is_chosen]["action"])
    stays = {
        (row.variant, row.changed): row.action in kept for row in table[is_chosen].itertuples()
    }
    ax = make_axes(ax, height=1.0 + 0.32 * len(rows))
    labels = []
    for y, row in enumerate(rows.itertuples()):
        face = "none" if stays.get((row.variant, row.changed)) else VERMILION
        ax.plot([0, row.difference], [y, y], color=VERMILION, lw=1.5)
        ax.plot(row.difference, y, "o", color=VERMILION, markerfacecolor=face, markersize=8)
        labels.append(row.variant if row.changed == "all" else f"{row.variant}: {row.changed}")
    ax.axvline(0, color=GREY, lw=1, zorder=1)
    ax.set_yticks(range(len(labels)), [plain_label(label) for label in labels])
    ax.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", alpha=0.3)
    name = short(rows["words"].iloc[0]) if len(rows) else "action"
    label = f"change of P({name})\n(filled: another action is chosen)"
    return finish(ax, label, "", bool(labels))


def advice_dots(
    frame: Table,
    metric: str = "probability",
    ax: Axes | None = None,
    *,
    normalisation: str = "token",
) -> Axes:
    """The advised action with each kind of advice, its 95 % interval, and the same without advice.

    Parameters
    ----------
    frame : rows with normalisation, label, advised, metric, mean, low, high, without
        (`rememberer_nb.analysis.advice.advice_table`).
    metric : "probability", or "chosen", the share of decisions in which it is.

    Examples
    --------
    >>> row = {"normalisation": "token", "label": "encouraged", "advised": "wrong",
    ...     "metric": "chosen", "mean": 0.9, "low": 0.8, "high": 1.0, "without": 0.1}
    >>> advice_dots([row], "chosen").get_yticklabels()[0].get_text()
    'encouraged, wrong'
    """
    columns = ("normalisation", "label", "advised", "mean", "low", "high", "without")
    table = as_table(frame, columns, metric)
    # What is compared with no advice.
    of_kind = table["label"].isin(["encouraged", "discouraged"])
    table = table[of_kind & (table["normalisation"] == normalisation)]
    ax = make_axes(ax, height=1.0 + 0.45 * len(table))
    for y, row in enumerate(table.itertuples()):
        colour, marker = (BLUE, "o") if row.label == "encouraged" else (VERMILION, "s")
        seen, names = ax.get_legend_handles_labels()[1], ("without advice", row.label)
        without, label = (None if name in seen else name for name in names)
        ax.plot([row.without, row.mean], [y, y], color=GREY, lw=1, linestyle=":")
        style = {"linestyle": "none", "markersize": 8}
        ax.plot(row.without, y, "D", color=GREY, markerfacecolor="none", label=without, **style)
        ax.plot([row.low, row.high], [y, y], color=colour, lw=2.5, solid_capstyle="butt")
        ax.plot(row.mean, y, marker, color=colour, label=label, **style)
    labels = [plain_label(f"{row.label}, {row.advised}") for row in table.itertuples()]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    ax.set_xlim(-0.03, 1.03)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", alpha=0.3)
    units = {"probability": "P(advised action)", "chosen": "share of decisions that choose it"}
    return finish(ax, units.get(metric) or plain_label(metric), "", bool(labels), legend=True)
