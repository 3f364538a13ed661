"""Does a part keep what its protocol promises, and how fast is it?

For a part of your own, one line in a test of your own::

    from rememberer_nb.testing import check_agent, check_env, check_llm, check_similarity

    check_similarity(MySimilarity)

Each takes a function that makes a new part, runs checks by name, and returns their names; the first
promise that is broken raises a `CheckError`: which check, what was expected, what was found.
"""

import importlib
from typing import Any

_MODULE_OF = {
    "CheckError": "rememberer_nb.errors",
    "check_agent": "rememberer_nb.testing.agent_checks",
    "check_env": "rememberer_nb.testing.env_checks",
    "check_llm": "rememberer_nb.testing.llm_checks",
    "check_similarity": "rememberer_nb.testing.similarity_checks",
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    # Loaded when first used: a benchmark of one part must not load the others.
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
