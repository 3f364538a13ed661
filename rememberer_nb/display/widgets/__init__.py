"""Widgets for notebooks, each with a static form that needs no kernel.

They read what the loop has recorded and call its public functions; they never change an episode.
"""

from rememberer_nb.display.widgets.html import episode_html
from rememberer_nb.display.widgets.inspector import EpisodeInspector
from rememberer_nb.display.widgets.static import static_notebook

__all__ = ["EpisodeInspector", "episode_html", "static_notebook"]
