"""Figures of notebooks 01 and 03: what purchases earn and could earn, and how well similarities
tell pages apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from rememberer_nb.display.plots.base import (
    BLUE,
    DASHES,
    GREEN,
    GREY,
    MARKERS,
    ORANGE,
    PALETTE,
    Table,
    as_table,
    finish,
    make_axes,
    plain_label,
    spelled,
)

_PARTS = (("att", "attributes", BLUE), ("option", "options", ORANGE), ("price", "price", GREEN))


def reward_parts(
    purchases: Mapping[str, Mapping[str, float | bool]], ax: Axes | None = None
) -> Axes:
    """What each purchase earned and what it missed, by part; a full bar is the full reward.

    Parameters
    ----------
    purchases : label -> `info["reward_info"]` of the step that bought.

    >>> info = dict(r_type=1.0, r_att=0.5, w_att=0.5, r_price=True, w_price=0.5)
    >>> [text.get_text() for text in reward_parts({"a lamp": info}).texts]
    ['0.75']
    """
    labels = [plain_label(name) for name in purchases]
    places = range(len(labels))
    ax = make_axes(ax, height=1.2 + 0.45 * len(labels))
    left = np.zeros(len(labels))
    for key, name, colour in _PARTS:
        shares = [_share(info, key) for info in purchases.values()]
        ax.barh(places, shares, left=left, color=colour, label=name, height=0.6)
        left += shares
    missed = {"color": "none", "edgecolor": GREY, "hatch": "///", "linewidth": 0.6}
    ax.barh(places, 1 - left, left=left, height=0.6, label="missed", **missed)
    for row, total in enumerate(left):
        ax.text(1.02, row, f"{total:.2f}", va="center")
    ax.set_yticks(places, labels)
    ax.set_xlim(0, 1.12)
    ax.set_xticks(np.linspace(0, 1, 5))
    ax.invert_yaxis()
    return finish(ax, "reward", "", bool(labels), legend=True)


def _share(info: Mapping[str, float | bool], key: str) -> float:
    return float(info["r_type"] * info.get(f"w_{key}", 0.0) * info.get(f"r_{key}", 0.0))


def best_of_hits(table: Table, ax: Axes | None = None) -> Axes:
    """What a perfect choice among the first hits earns, with 95 % intervals.

    Parameters
    ----------
    table : rows as of `rememberer_nb.analysis.metrics.ceiling_table`.

    >>> row = dict(success_rate=0.5, success_low=0.4, success_high=0.6, n_hits=1)
    >>> row |= dict(mean_reward=0.8, reward_low=0.7, reward_high=0.9)
    >>> best_of_hits([row]).get_xticklabels()[0].get_text()
    '1'
    """
    needed = [f"{short}_{end}" for short in ("success", "reward") for end in ("low", "high")]
    frame = as_table(table, ("n_hits", "success_rate", "mean_reward", *needed))
    ax = make_axes(ax)
    places = np.arange(len(frame))
    for i, (column, short) in enumerate((("mean_reward", "reward"), ("success_rate", "success"))):
        middle = frame[column].to_numpy()
        spread = [middle - frame[f"{short}_low"], frame[f"{short}_high"] - middle]
        style = {"marker": MARKERS[i], "linestyle": DASHES[i], "capsize": 3}
        shift = (i - 0.5) * 0.06
        ax.errorbar(
            places + shift, middle, spread, color=PALETTE[i], label=spelled(column), **style
        )
    ax.set_xticks(places, [f"{n:g}" for n in frame["n_hits"]])
    ax.set_ylim(0, 1.05)
    return finish(ax, "first hits to choose from", "best purchase", not frame.empty, legend=True)


def pair_scores(pairs: Table, ax: Axes | None = None, *, score: str = "total") -> Axes:
    """Scores of labelled pairs, a box per group: quartiles, and whiskers from 5 to 95 %.

    Parameters
    ----------
    pairs : rows with `group` and the score, as of `analysis.similarities.scored_pairs`; groups
        stand in order of their category, else of appearance, and the first is coloured.

    >>> rows = [{"group": "similar", "total": 0.8}, {"group": "not", "total": 0.1}]
    >>> [label.get_text() for label in pair_scores(rows).get_yticklabels()]
    ['similar (1)', 'not (1)']
    """
    frame = as_table(pairs, ("group", score))
    by_group = frame.groupby("group", sort=hasattr(frame["group"], "cat"), observed=True)
    values = {str(name): rows[score].to_numpy() for name, rows in by_group}
    ax = make_axes(ax, height=1.2 + 0.4 * len(values))
    if values:
        ax.boxplot(
            list(values.values()),
            orientation="horizontal",
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            widths=0.55,
            medianprops={"color": "black"},
            boxprops={"facecolor": "#DDDDDD"},
        )
        ax.patches[0].set_facecolor(BLUE)
        names = [f"{plain_label(name)} ({len(found)})" for name, found in values.items()]
        ax.set_yticks(range(1, len(names) + 1), names)
        ax.set_xlim(left=0)
        ax.invert_yaxis()
    return finish(ax, spelled(score), "", bool(values))


def lambda_shares(shares: Table, column: str, ax: Axes | None = None) -> Axes:
    """A share over λ, a line per similarity.

    Parameters
    ----------
    shares : rows with `similarity`, `task_weight` and the share in `column`, in [0, 1].

    >>> rows = [{"similarity": "tfidf", "task_weight": w, "hit": 1 - w} for w in (0, 1)]
    >>> lambda_shares(rows, "hit").lines[0].get_ydata().tolist()
    [1, 0]
    """
    frame = as_table(shares, ("similarity", "task_weight", column))
    ax = make_axes(ax)
    for i, (name, rows) in enumerate(frame.groupby("similarity", sort=False)):
        style = {"marker": MARKERS[i % 7], "linestyle": DASHES[i % len(DASHES)]}
        colour = PALETTE[i % len(PALETTE)]
        ax.plot(rows["task_weight"], rows[column], color=colour, label=spelled(name), **style)
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(0, 1.03)
    is_drawn = not frame.empty
    return finish(ax, "λ, weight of the task similarity", "share", is_drawn, legend=True)
