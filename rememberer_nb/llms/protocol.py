"""What every LLM of this package can do, and how one is made from its name.

>>> llm = make_llm("offline:able", profile="webshop")
>>> llm.name
'offline:able'
>>> make_llm("oracle", profile="webshop")
Traceback (most recent call last):
...
rememberer_nb.errors.ConfigError: no LLM is named 'oracle'; known: ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from rememberer_nb.config import LLMConfig, OfflineConfig
from rememberer_nb.elements import Prompt, Reply, TextScore
from rememberer_nb.envs.profile import Profile
from rememberer_nb.envs.registry import get_profile
from rememberer_nb.errors import ConfigError


@runtime_checkable
class LLM(Protocol):
    """Anything that answers prompts.

    Parameters
    ----------
    name : the spec that `make_llm` made it from, for tables and file names.
    settings : plain values (as JSON has them), everything that a reply depends on besides the
        prompt and the call seed: "llm" names it, and a change of any other asks another LLM. Calls
        are recorded, and runs resumed, under equal settings only. No key and no address.
    """

    @property
    def name(self) -> str:
        """The spec."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Just the name, for an LLM that has nothing to set."""
        return {"llm": self.name}

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """The answer to a prompt.

        Parameters
        ----------
        prompt : messages and plain text; a member reads whichever it needs.
        seed : the call seed. The offline stand-in draws from it; an endpoint may be handed it, or
            never hear of it.

        Raises
        ------
        LLMError : no answer could be had.
        """
        ...


@runtime_checkable
class ScoringLLM(LLM, Protocol):
    """An LLM that also says how likely a text is; both methods read the prompt's text alone."""

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """ln P(candidate | prompt) of each candidate.

        Parameters
        ----------
        candidates : texts that might follow, different and none of them empty. One that begins a
            word begins with a space.

        Raises
        ------
        ConfigError : a candidate is empty or equal to another, or all is too long for the context.
        """
        ...

    def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
        """What most likely follows, token by token, up to a text of `stop`."""
        ...


ConfiguredFactory = Callable[[str, Profile, LLMConfig, OfflineConfig], LLM]

_FACTORIES: dict[str, ConfiguredFactory] = {}


def register_configured_llm(name: str, factory: ConfiguredFactory) -> None:
    """As `llms.register_llm`, for a `factory(detail, profile, config, offline)` that has settings.

    The budget is the factory's to keep (`budget.with_budget`).
    """
    if not name or ":" in name:
        raise ConfigError(f"an LLM's name must be non-empty and hold no colon, got {name!r}")
    _FACTORIES[name] = factory


def make_llm(
    spec: str,
    *,
    profile: Profile | str,
    config: LLMConfig | None = None,
    offline: OfflineConfig | None = None,
) -> LLM:
    """The LLM of a spec such as "offline", "openai:NAME" or "replay:FILE".

    Parameters
    ----------
    spec : a registered name, or name and detail with a colon between.
    profile : the environment that it will act in, or its registered name.
    config : how to ask a real one, and the budget.
    offline : the stand-in's settings; a strength in the spec goes over its own.

    Raises
    ------
    ConfigError : an unknown LLM (the message lists the names there are), profile or detail.
    """
    name, _, detail = spec.partition(":")
    config = config or LLMConfig()
    if name not in _FACTORIES:
        known = ", ".join(sorted(_FACTORIES))
        raise ConfigError(f"no LLM is named {name!r:.80}; known: {known}")
    known_profile = get_profile(profile) if isinstance(profile, str) else profile
    return _FACTORIES[name](detail, known_profile, config, offline or OfflineConfig())
