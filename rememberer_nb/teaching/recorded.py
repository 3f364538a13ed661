"""What a notebook reports: one JSON output that machines find again."""

from __future__ import annotations

import json
from typing import Any

METRICS_MIME = "application/vnd.rememberer-nb.metrics+json"


def record_metrics(**values: Any) -> None:
    """Report a notebook's metrics: shown as one line, and kept as one JSON display output.

    Values are numbers, strings, booleans, None, and lists or dicts of those; anything else is a
    `TypeError` here and now rather than a broken notebook later.

    >>> record_metrics(n_records=3)
    metrics: {"n_records": 3}
    """
    from IPython import get_ipython
    from IPython.display import display

    text = json.dumps(values, sort_keys=True, allow_nan=False)
    if get_ipython() is None:
        print(f"metrics: {text}")
        return
    display({METRICS_MIME: json.loads(text), "text/plain": f"metrics: {text}"}, raw=True)
