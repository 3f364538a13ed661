"""Episodes that others have logged, as `Episode` values of this project.

Data flow: file -> raw steps as they were printed -> pages carried forward -> `Episode`. Learning
from the episodes happens elsewhere, through `Episode.transitions()`.

- `react`: printed WebShop transcripts of ReAct; `react_log` holds the raw reading of the file.
- `shop_pages`: what can be told from a printed shop page alone.
"""

from rememberer_nb.importers.react import read_react, summarise

__all__ = ["read_react", "summarise"]
