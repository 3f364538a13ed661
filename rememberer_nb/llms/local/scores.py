"""What local models have in common: texts scored after a prompt, and a short text written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rememberer_nb.elements import TextScore
from rememberer_nb.errors import ConfigError


class Scorer(Protocol):
    """A model behind `local.model.LocalLLM`; both backends are one."""

    n_context: int

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text."""
        ...

    def score(self, prompt: str, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """ln P(candidate | prompt) of each candidate.

        Raises
        ------
        ConfigError : a candidate is empty or equal to another.
        ConfigError : prompt and longest candidate do not fit into the context.
        """
        ...

    def write(self, prompt: str, *, stop: Sequence[str] = ("\n",), max_tokens: int = 24) -> str:
        """The most likely token, again and again, up to a text of `stop`."""
        ...

    def close(self) -> None:
        """Free the model."""
        ...


def check_candidates(candidates: Sequence[str]) -> None:
    """Refuse a candidate that is empty, or equal to another.

    >>> check_candidates([" yes", " yes"])
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: candidate 1 equals candidate 0: ' yes'
    """
    if not candidates:
        raise ConfigError("there are no candidates to score")
    seen: dict[str, int] = {}
    for number, text in enumerate(candidates):
        if not text.strip():
            raise ConfigError(f"candidate {number} is empty: {text!r}")
        if text in seen:
            raise ConfigError(f"candidate {number} equals candidate {seen[text]}: {text!r:.80}")
        seen[text] = number


def check_length(n_tokens: int, n_context: int) -> None:
    """Refuse what does not fit into the context: nothing is cut silently."""
    if n_tokens > n_context:
        raise ConfigError(
            f"prompt and candidate have {n_tokens:,} tokens, and the model's context is "
            f"{n_context:,}: lower prompt.max_tokens, or take --template brief"
        )
