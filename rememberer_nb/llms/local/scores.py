"""How likely a text is after a prompt: what a local model can say besides replying.

`Scorer` is the protocol, kept by `llama_scores.LlamaScores`; the checks that all scorers make of
what they are asked stand here, so that all of them refuse the same requests with the same words.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from rememberer_nb.elements import TextScore
from rememberer_nb.errors import ConfigError, DataError, LLMRequestError

CONTEXT_TOKENS = 8192
WRITTEN_TOKENS = 24
# What scorers are compared on: a start and ways to go on, of more tokens than one.
CHECK_PROMPT = "<|im_start|>user\nInstruction: Open the article about bread.\nEncouraged:\n- press"
CHECK_TEXTS = (" the menu", " How to Bake Bread", " go back")

_MAGIC = b"GGUF"


@runtime_checkable
class Scorer(Protocol):
    """A model that says how likely texts are."""

    @property
    def n_context(self) -> int:
        """The longest prompt and text together, in tokens."""
        ...

    def tokenize(self, text: str) -> list[int]:
        """A text's tokens; special ones, such as <|im_start|>, are read as such."""
        ...

    def score(self, prompt: str, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """How likely each candidate is after the prompt.

        Prompt and candidate are made tokens of apart, so a candidate brings its own first space.

        Raises
        ------
        LLMRequestError : the prompt or a candidate has no tokens, two candidates are equal, or
            prompt and longest candidate go beyond the context.
        """
        ...

    def write(
        self, prompt: str, *, stop: Sequence[str] = ("\n",), max_tokens: int = WRITTEN_TOKENS
    ) -> str:
        """What follows, the likeliest token each time, until just before a `stop` or the end.

        Raises
        ------
        LLMRequestError : the prompt has no tokens, or goes beyond the context with `max_tokens`.
        """
        ...

    def close(self) -> None:
        """Free the model."""
        ...


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def as_utf8(text: str) -> bytes:
    """The text for a tokenizer; half a surrogate pair, which UTF-8 cannot hold, becomes "?"."""
    return text.encode("utf-8", "replace")


def check_request(
    prompt: Sequence[int], candidates: Sequence[str], tokens: Sequence[Sequence[int]], limit: int
) -> None:
    """Refuse a request that has no scores; the words are the same for all scorers.

    Parameters
    ----------
    prompt : its tokens.
    candidates : the texts.
    tokens : theirs, per candidate.
    limit : the context, in tokens.

    Raises
    ------
    LLMRequestError : see `Scorer.score`.

    Examples
    --------
    >>> check_request([5, 6], [" a", " b"], [[7], [8]], limit=3)
    >>> check_request([5, 6], [" a", " a"], [[7], [7]], limit=3)
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.LLMRequestError: two candidates are equal: ' a'
    """
    seen: set[str] = set()
    for text, found in zip(candidates, tokens, strict=True):
        if not found:
            raise LLMRequestError("a candidate is empty: it has no tokens to score")
        if text in seen:
            raise LLMRequestError(f"two candidates are equal: {text!r:.80}")
        seen.add(text)
    check_length(prompt, max(map(len, tokens), default=0), limit, "the longest candidate")


def check_length(prompt: Sequence[int], n_more: int, limit: int, what: str) -> None:
    """Refuse a prompt without tokens, and one that goes beyond the context with what follows it.

    Raises
    ------
    LLMRequestError : so it is.
    """
    if not prompt:
        raise LLMRequestError("the prompt is empty: nothing says what the first token depends on")
    if len(prompt) + n_more > limit:
        raise LLMRequestError(
            f"the prompt has {len(prompt)} tokens and {what} {n_more}, more than the context's "
            f"{limit}"
        )


def check_writing(prompt: Sequence[int], stop: Sequence[str], n_tokens: int, limit: int) -> None:
    """Refuse what cannot be written on.

    Raises
    ------
    LLMRequestError : see `Scorer.write`.
    ConfigError : an empty `stop`, or less than one token.
    """
    if "" in stop or n_tokens < 1:
        raise ConfigError(f"expected texts to stop at and a token at least: {stop!r}, {n_tokens}")
    check_length(prompt, n_tokens, limit, "what is to be written")


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text up to the first of the `stop`s, and whether there was one.

    >>> cut("red shoes\\nand", ("\\n", "shoes"))
    ('red ', True)
    """
    found = [at for at in map(text.find, stop) if at >= 0]
    return (text[: min(found)], True) if found else (text, False)


def check_gguf(path: Path) -> None:
    """Make sure that a file is there and begins as a GGUF file does.

    Raises
    ------
    ConfigError : no such file.
    DataError : it cannot be read, or is something else.
    """
    if not path.is_file():
        raise ConfigError(f"no model file {str(path)!r}: expected llama.cpp:FILE.gguf")
    try:
        with path.open("rb") as file:
            is_model = file.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path) from error
    if not is_model:
        raise DataError("is not a GGUF file", path=path)
