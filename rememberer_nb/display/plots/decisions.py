"""Decisions: similarities, the weight between them, choices, and what targets are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from rememberer_nb.config import RetrievalConfig
from rememberer_nb.display.plots.base import (
    BLUE,
    DASHES,
    GREY,
    MARKERS,
    PALETTE,
    SKY,
    VERMILION,
    Table,
    as_table,
    finish,
    make_axes,
    short,
)
from rememberer_nb.elements import Hit
from rememberer_nb.errors import ConfigError
from rememberer_nb.rlem import plan_targets

_SEQUENTIAL = LinearSegmentedColormap.from_list("white to blue", ["#FFFFFF", SKY, BLUE, "#00233F"])


def similarity_matrix(
    matrix: Sequence[Sequence[float]] | np.ndarray,
    labels: Sequence[str],
    ax: Axes | None = None,
) -> Axes:
    """Similarities as a heat map with numbers; `matrix` has shape (n, n), values in [0, 1].

    Above 12 labels the numbers are left out. Raises `ConfigError` if matrix and labels do not fit.

    >>> len(similarity_matrix([[1.0, 0.2], [0.2, 1.0]], ["a", "b"]).texts)
    4
    """
    values = np.asarray(matrix, dtype=float)
    n = len(labels)
    if values.size and values.shape != (n, n):
        raise ConfigError(f"expected {n} x {n} similarities for {n} labels, got {values.shape}")
    ax = make_axes(ax, width=1.6 + 0.55 * n + 1, height=1.2 + 0.5 * n)
    if n:
        image = ax.imshow(values, cmap=_SEQUENTIAL, vmin=0, vmax=1)
        ax.figure.colorbar(image, ax=ax, label="similarity (1)", fraction=0.046, pad=0.04)
        names = [short(label) for label in labels]
        ax.set_xticks(range(n), names, rotation=35, ha="right", rotation_mode="anchor")
        ax.set_yticks(range(n), names)
    for (y, x), value in np.ndenumerate(values if n <= 12 else values[:0]):
        colour = "white" if value > 0.55 else "black"
        ax.text(x, y, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    ax.spines[:].set_visible(False)
    return finish(ax, "", "", n > 0)


def lambda_curve(
    hits: Iterable[Hit], ax: Axes | None = None, *, task_weight: float | None = None
) -> Axes:
    """The total score of each hit as λ goes from 0 (page alone) to 1 (task alone).

    A line runs from f_o to f_g; where two cross, the ranking changes. The dotted line marks
    `task_weight` (default: that of `RetrievalConfig`).
    """
    ax = make_axes(ax)
    weight = RetrievalConfig().task_weight if task_weight is None else task_weight
    is_drawn = False
    for i, hit in enumerate(hits):
        is_drawn = True
        ends = (hit.observation_similarity, hit.task_similarity)
        style = {"color": PALETTE[i % len(PALETTE)], "linestyle": DASHES[i // 7 % len(DASHES)]}
        label = short(f"record {hit.record.record_id}: {hit.record.task}")
        ax.plot((0, 1), ends, marker=MARKERS[i % 7], label=label, **style)
    ax.axvline(weight, color=GREY, linestyle=":", zorder=1)
    ax.set_xlim(-0.02, 1.02)
    return finish(
        ax,
        "λ, weight of the task similarity",
        "total = $λ f_g + (1 - λ) f_o$",
        is_drawn,
        legend=True,
    )


def choice_probabilities(
    rows: Table, ax: Axes | None = None, *, x: str = "x", x_label: str = ""
) -> Axes:
    """The probability of each action against a quantity, a line per action.

    Parameters
    ----------
    rows : rows with a column `x` (an advised value, a similarity), action and probability.
    """
    ax = make_axes(ax)
    table = as_table(rows, (x, "action", "probability"))
    for i, (action, group) in enumerate(table.groupby("action", sort=False)):
        group = group.sort_values(x)
        style = {"color": PALETTE[i % len(PALETTE)], "linestyle": DASHES[i % len(DASHES)]}
        marker = MARKERS[i % 7]
        ax.plot(group[x], group["probability"], marker=marker, label=short(str(action)), **style)
    ax.set_ylim(-0.03, 1.03)
    return finish(ax, x_label or x.replace("_", " "), "probability", not table.empty, legend=True)


def n_step_targets(
    rewards: Sequence[float],
    n_step: int | None,
    ax: Axes | None = None,
    *,
    bootstrap_last: bool = False,
) -> Axes:
    """What each target of a toy episode is made of: a row per transition.

    Squares are rewards that are summed, labelled with the reward; a circle is the bootstrapped
    maximum of Q at that observation.

    Examples
    --------
    >>> [text.get_text() for text in n_step_targets([0, 1], n_step=1).texts]
    ['0', 'Q', '1']
    """
    ax = make_axes(ax, height=1.0 + 0.38 * len(rewards))
    plan = plan_targets(len(rewards), n_step, bootstrap_last=bootstrap_last)
    for target in plan:
        for t in range(target.step, target.stop):
            ax.plot(t, target.step, "s", color=BLUE, markersize=21)
            text = f"{rewards[t]:g}"
            ax.text(t, target.step, text, color="white", ha="center", va="center", fontsize=8)
        if target.is_bootstrapped:
            style = {"markerfacecolor": "white", "markeredgewidth": 2, "markersize": 18}
            ax.plot(target.stop, target.step, "o", color=VERMILION, **style)
            ax.text(target.stop, target.step, "Q", ha="center", va="center", fontsize=8)
    ax.set_xticks(range(len(rewards) + 1))
    ax.set_yticks(range(len(rewards)), [f"target of $a_{{{t}}}$" for t in range(len(rewards))])
    ax.set_ylim(len(rewards) - 0.4, -0.6)
    ax.set_xlim(-0.6, len(rewards) + 0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    label = "time step t    (■ reward summed, ○ max Q bootstrapped)"
    return finish(ax, label, "", bool(rewards))
