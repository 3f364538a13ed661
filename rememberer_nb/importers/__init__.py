"""Episodes that others have logged, as `Episode` values of this project.

Data flow: file -> raw steps as they were printed -> pages carried forward -> `Episode`, and from
there through `Episode.transitions()` into a memory (`logged`).

- `react`: printed WebShop transcripts of ReAct; `react_log` holds the raw reading of the file.
- `shop_pages`: what can be told from a printed shop page alone.
- `sessions`: the session logs of the original WebShop server; `session_log` reads them raw.
- `pools`: published memory pools, as records and not as episodes, and back; `pool_yaml` is the
  reading and writing of their YAML.
- `session_rewards`: their purchases put to our own reward rule.
"""

from rememberer_nb.importers.logged import learn_logged
from rememberer_nb.importers.pools import n_entries, read_pool, write_pool
from rememberer_nb.importers.react import read_react, summarise
from rememberer_nb.importers.session_rewards import check_rewards, summarise_checks
from rememberer_nb.importers.sessions import read_sessions

__all__ = [
    "check_rewards",
    "learn_logged",
    "n_entries",
    "read_pool",
    "read_react",
    "read_sessions",
    "summarise",
    "summarise_checks",
    "write_pool",
]
