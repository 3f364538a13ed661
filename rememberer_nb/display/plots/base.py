"""What the figures share: colours, Axes, labels, and tables as they come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from rememberer_nb.errors import ConfigError
from rememberer_nb.system.printable import brief

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#8C8C8C"
PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES = ("-", "--", "-.", ":")
MARKERS = "osD^vP*"
_N_LABEL = 34
_N_NAME = 40
Table = pd.DataFrame | Iterable[Mapping[str, Any]]


def make_axes(ax: Axes | None, *, width: float = 7.2, height: float = 3.6) -> Axes:
    """The given Axes, or new ones; sizes in inches."""
    if ax is not None:
        return ax
    return plt.subplots(figsize=(width, max(1.6, height)), layout="constrained")[1]


def finish(ax: Axes, x_label: str, y_label: str, is_drawn: bool, *, legend: bool = False) -> Axes:
    """Labels, legend, and a word where there is nothing to show."""
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    ax.spines[["top", "right"]].set_visible(False)
    if not is_drawn:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.text(0.5, 0.5, "nothing to show", transform=ax.transAxes, ha="center", color=GREY)
    elif legend and ax.get_legend_handles_labels()[0]:
        # Beside the Axes, where it hides nothing.
        ax.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def as_table(rows: Table, columns: tuple[str, ...], metric: str | None = None) -> pd.DataFrame:
    """The rows as a frame; those of another metric are left out."""
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    if frame.empty:
        return pd.DataFrame(columns=list(columns))
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ConfigError(f"the table lacks {', '.join(missing)}; it has {list(frame.columns)}")
    if metric is not None and "metric" in frame.columns:
        frame = frame[frame["metric"] == metric]
    # What came as JSON has None for a bound that there is not; a column of these holds no numbers.
    return frame.astype({name: float for name in ("low", "high") if name in columns})


def spelled(name: Any) -> str:
    """A name for people.

    >>> spelled("llm_only")
    'llm only'
    """
    return plain_label(str(name).replace("_", " "))


def plain_label(text: Any) -> str:
    """One line of at most 40 characters as a figure can show it; a dollar sign starts no formula.

    >>> print(plain_label("a lamp for $5"))
    a lamp for \\$5
    """
    return brief(str(text), _N_NAME).replace("$", r"\$")


def short(text: str) -> str:
    """One line of at most 34 characters; a dollar sign starts no formula.

    >>> print(short("a lamp for $5"))
    a lamp for \\$5
    """
    return brief(text, _N_LABEL).replace("$", r"\$")
