"""Scores as a recording keeps them: a short key, no prompt, no candidates.

::

    {"key": "h2Zk...", "scores": [-7.03, -15.31], "tokens": [2, 4]}      ScoringLLM.score
    {"key": "9fQx...", "text": "bake bread", "tokens": 3}                ScoringLLM.write

A key is a hash of all that was asked for, 12 characters; the model is named in the file's first
line. Scores are rounded before they are used, so a replay chooses as the run did.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from rememberer_nb.elements import Prompt, Reply, TextScore

# A hundredth of a nat is less than two backends differ by.
DIGITS = 2
_KEY_BYTES = 9

Scored = tuple[TextScore, ...] | Reply


def score_key(prompt: Prompt, candidates: Sequence[str]) -> str:
    """The key of a call of `score`.

    >>> score_key(Prompt((), "a", 1), [" b"]) == score_key(Prompt((), "a", 2), [" b"])
    True
    """
    return _key(["score", *_asked(prompt), list(candidates)])


def write_key(prompt: Prompt, stop: Sequence[str], max_tokens: int) -> str:
    """The key of a call of `write`."""
    return _key(["write", *_asked(prompt), list(stop), max_tokens])


def rounded(scores: Sequence[TextScore]) -> tuple[TextScore, ...]:
    """Scores as they are kept."""
    return tuple(TextScore(round(s.log_probability, DIGITS), s.n_tokens) for s in scores)


def scored_data(value: Scored) -> dict[str, Any]:
    """What a line says besides its key."""
    if isinstance(value, Reply):
        return {"text": value.text, "tokens": value.completion_tokens}
    scores, tokens = [s.log_probability for s in value], [s.n_tokens for s in value]
    return {"scores": scores, "tokens": tokens}


def _asked(prompt: Prompt) -> list[Any]:
    if prompt.channel == "completion":
        return ["completion", prompt.text]
    return ["chat", [list(message) for message in prompt.messages]]


def _key(asked: list[Any]) -> str:
    digest = hashlib.sha256(json.dumps(asked).encode()).digest()
    return base64.urlsafe_b64encode(digest[:_KEY_BYTES]).decode()
