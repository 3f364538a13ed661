"""Notebooks for places without a kernel: HTML exports and code hosts."""

from __future__ import annotations

import copy
from typing import Any

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def static_notebook(nb: Any) -> Any:
    """A copy of a notebook that shows every output without a running kernel.

    A widget view is empty unless a kernel or scripts from a network stand behind it, and viewers
    prefer it to the static form beside it. So the views go, with the widget state in the metadata,
    and what stands beside them (`text/html`, else `text/plain`) shows. An output that is nothing
    but a view goes altogether.

    Parameters
    ----------
    nb : an nbformat 4 notebook (a `NotebookNode` or a dict); it is not changed.

    Examples
    --------
    >>> data = {"text/html": "<b>1</b>", "application/vnd.jupyter.widget-view+json": {}}
    >>> output = {"output_type": "display_data", "data": data, "metadata": {}}
    >>> nb = {"metadata": {"widgets": {}}, "cells": [{"outputs": [output]}]}
    >>> static_notebook(nb)["cells"][0]["outputs"][0]["data"]
    {'text/html': '<b>1</b>'}
    """
    result = copy.deepcopy(nb)
    result["metadata"].pop("widgets", None)
    for cell in result["cells"]:
        if "outputs" in cell:
            cell["outputs"] = [output for output in cell["outputs"] if _keep_static(output)]
    return result


def _keep_static(output: Any) -> bool:
    """Drop the widget view from an output; whether anything is left to show."""
    data = output.get("data")
    if data is None or data.pop(_WIDGET_VIEW, None) is None:
        return True
    output.get("metadata", {}).pop(_WIDGET_VIEW, None)
    return bool(data)
