"""What LLMs have besides `complete`, and LLMs around another LLM.

- `settings` (`protocol.LLM`): what makes it this LLM. One without any is known by its name alone.
- `interrupt()`, optional: give up the calls under way, from another thread.
- `close()`, optional: let go of connections and threads.
- `score` and `write`, optional: how likely texts are (`protocol.ScoringLLM`).
- `count_tokens(text)`, optional: by its own tokenizer.
- `use_budget(budget)`, optional: ask it before every request; True if so (`budget`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from rememberer_nb.elements import Prompt, Reply, TextScore
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.protocol import LLM, ScoringLLM
from rememberer_nb.system.plain import plain


def settings_of(llm: LLM) -> dict[str, Any]:
    """An LLM's `settings` as JSON gives them back, its name among them as "llm".

    Raises
    ------
    ConfigError : they hold something that JSON has no form for.

    Examples
    --------
    >>> from rememberer_nb.llms import OfflineLLM
    >>> settings_of(OfflineLLM("webshop"))["temperature"]
    0.05
    """
    # An LLM of others may lack them: its name then has to say everything.
    settings = getattr(llm, "settings", None) or {}
    try:
        return {"llm": llm.name, **plain(settings)}
    except ConfigError as error:
        raise ConfigError(f"settings of the LLM {llm.name!r}: {error}") from error


def interrupt(llm: LLM) -> None:
    """Give up an LLM's calls under way, if it can."""
    getattr(llm, "interrupt", _nothing)()


def close(llm: LLM) -> None:
    """Let go of what an LLM holds, if anything."""
    getattr(llm, "close", _nothing)()


def use_budget(llm: LLM, budget: Any) -> bool:
    """Hand an LLM the budget that its requests are to ask; False if it has no use for one."""
    return bool(getattr(llm, "use_budget", _no_use)(budget))


def can_score(llm: LLM) -> bool:
    """Whether an LLM says how likely a text is."""
    while isinstance(llm, WrappedLLM):
        llm = llm.inner
    return hasattr(llm, "score") and hasattr(llm, "write")


def scoring(llm: LLM) -> ScoringLLM:
    """The LLM as one that scores.

    >>> from rememberer_nb.llms import OfflineLLM
    >>> scoring(OfflineLLM("webshop"))
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: offline:novice does not say how likely a text is: ...
    """
    if not can_score(llm):
        raise ConfigError(
            f"{llm.name} does not say how likely a text is: --choose likelihood needs a local "
            "model (smollm2, llama.cpp:FILE.gguf) or a recording of one"
        )
    return cast(ScoringLLM, llm)


def token_counter(llm: LLM) -> Callable[[str], int] | None:
    """The LLM's own count of a text's tokens, if it has one."""
    while isinstance(llm, WrappedLLM):
        llm = llm.inner
    return getattr(llm, "count_tokens", None)


def _nothing() -> None:
    pass


def _no_use(budget: Any) -> bool:
    return False


class WrappedLLM:
    """An LLM around another one, which it passes everything on to."""

    def __init__(self, inner: LLM):
        self.inner = inner

    @property
    def name(self) -> str:
        """The inner LLM's name."""
        return self.inner.name

    @property
    def settings(self) -> dict[str, Any]:
        """The inner LLM's settings."""
        return settings_of(self.inner)

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The inner LLM's reply."""
        return self.inner.complete(prompt, seed=seed)

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """The inner LLM's scores."""
        return scoring(self.inner).score(prompt, candidates)

    def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
        """The inner LLM's continuation."""
        return scoring(self.inner).write(prompt, stop=stop, max_tokens=max_tokens)

    def use_budget(self, budget: Any) -> bool:
        """Hand a budget to the inner LLM."""
        return use_budget(self.inner, budget)

    def interrupt(self) -> None:
        """Interrupt the inner LLM."""
        interrupt(self.inner)

    def close(self) -> None:
        """Close the inner LLM."""
        close(self.inner)
