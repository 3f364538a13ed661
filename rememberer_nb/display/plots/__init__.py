"""Figures: each function takes data and Axes and returns the Axes, for titles and more.

Without Axes a function makes its own. Colours are Okabe and Ito's, which colour-blind readers can
tell apart; marks, dashes or words repeat what a colour says. Axes without data say so instead of
staying blank; tables without the needed columns are a `ConfigError`.
"""

from rememberer_nb.display.plots.base import PALETTE
from rememberer_nb.display.plots.decisions import (
    choice_probabilities,
    lambda_curve,
    n_step_targets,
    similarity_matrix,
)
from rememberer_nb.display.plots.influence import action_bars, advice_dots, influence_dots
from rememberer_nb.display.plots.memory import q_histogram, q_history, q_values
from rememberer_nb.display.plots.results import (
    agent_comparison,
    learning_curve,
    plot_paired_differences,
    save_comparison,
)

__all__ = [
    "PALETTE",
    "action_bars",
    "advice_dots",
    "agent_comparison",
    "choice_probabilities",
    "influence_dots",
    "lambda_curve",
    "learning_curve",
    "n_step_targets",
    "plot_paired_differences",
    "q_histogram",
    "q_history",
    "q_values",
    "save_comparison",
    "similarity_matrix",
]
