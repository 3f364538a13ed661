"""Settings: one frozen dataclass per stage; every default with its unit and its source.

Sources: "paper" (arXiv 2306.07929), "published code" (OpenDFM/Rememberer), "ours".
`describe(config)` lists them; `replace(config, **changes)` makes a changed copy and refuses
unknown names.

>>> from rememberer_nb.config import RlemConfig, replace
>>> replace(RlemConfig(), gamma=0.9).gamma
0.9
>>> replace(RlemConfig(), gamma=2)
Traceback (most recent call last):
...
rememberer_nb.errors.ConfigError: RlemConfig.gamma must be in [0, 1], got 2
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from rememberer_nb.errors import ConfigError

Config = TypeVar("Config")


def _setting(default: Any, unit: str, source: str, meaning: str) -> Any:
    return field(default=default, metadata={"unit": unit, "source": source, "meaning": meaning})


def _check(config: Any, name: str, allowed: str, is_fine: bool) -> None:
    if not is_fine:
        owner = type(config).__name__
        raise ConfigError(f"{owner}.{name} must be {allowed}, got {getattr(config, name)!r}")


def _check_choice(config: Any, name: str, *choices: str) -> None:
    _check(config, name, " or ".join(repr(c) for c in choices), getattr(config, name) in choices)


def _check_positive(config: Any, name: str, *, or_none: bool = False) -> None:
    value = getattr(config, name)
    is_fine = (value is None and or_none) or (isinstance(value, int) and value >= 1)
    _check(config, name, "a whole number of at least 1" + (" or None" if or_none else ""), is_fine)


def _check_count(config: Any, name: str) -> None:
    value = getattr(config, name)
    _check(config, name, "a whole number of at least 0", isinstance(value, int) and value >= 0)


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """Which records are shown: total = λ f_g + (1 − λ) f_o (paper, section 3.3)."""

    n_exemplars: int = _setting(2, "records", "paper", "m: records placed in the prompt")
    task_weight: float = _setting(0.5, "1", "paper", "λ: weight of the task similarity, in [0, 1]")
    task_similarity: str = _setting("tfidf", "name", "ours", "f_g (paper: by instruction)")
    observation_similarity: str = _setting("tfidf", "name", "ours", "f_o (paper: by page)")

    def __post_init__(self) -> None:
        _check_count(self, "n_exemplars")
        _check(self, "task_weight", "in [0, 1]", 0 <= self.task_weight <= 1)


@dataclass(frozen=True, slots=True)
class RlemConfig:
    """How values are learnt (paper, section 3.2, equations 2 to 4)."""

    gamma: float = _setting(1.0, "1 per step", "paper", "γ: discount, in [0, 1]")
    n_step: int | None = _setting(5, "steps", "ours", "n: rewards before bootstrapping; None: all")
    learning_rate: float | None = _setting(None, "1", "paper", "α; None: 1/N, the running mean")
    bootstrap_truncated: bool = _setting(
        True, "flag", "ours", "bootstrap at a step limit (published code: no)"
    )
    double: bool = _setting(False, "flag", "published code", "double Q-learning, two tables")
    table_choice: str = _setting("turn", "name", "ours", "double: 'turn' or 'random'")

    def __post_init__(self) -> None:
        _check(self, "gamma", "in [0, 1]", 0 <= self.gamma <= 1)
        _check_positive(self, "n_step", or_none=True)
        rate = self.learning_rate
        _check(self, "learning_rate", "in (0, 1] or None", rate is None or 0 < rate <= 1)
        _check_choice(self, "table_choice", "turn", "random")


@dataclass(frozen=True, slots=True)
class CapacityConfig:
    """How much the memory holds and what it forgets first."""

    max_records: int | None = _setting(None, "records", "ours", "None: no limit (paper: 500)")
    max_actions: int | None = _setting(None, "actions", "ours", "per record; None: no limit")
    eviction: str = _setting(
        "redundancy", "name", "paper", "'redundancy', 'least_visited' or 'oldest'"
    )

    def __post_init__(self) -> None:
        _check_positive(self, "max_records", or_none=True)
        _check_positive(self, "max_actions", or_none=True)
        _check_choice(self, "eviction", "redundancy", "least_visited", "oldest")


@dataclass(frozen=True, slots=True)
class ExemplarConfig:
    """How a record becomes advice (paper, section 3.3; ablations in section 4.3)."""

    margin: float = _setting(0.05, "reward", "ours", "gap below the encouraged value")
    published_rule: bool = _setting(
        False, "flag", "published code", "discourage only values of at most 0"
    )
    use_discouraged: bool = _setting(True, "flag", "paper", "show discouraged advice (ablation)")
    use_synthetic: bool = _setting(True, "flag", "paper", "fill a missing side (ablation)")
    synthetic_value: str = _setting(
        "none", "name", "ours", "'none' (not tried), 'zero' or 'random' (published code)"
    )
    max_tokens: int = _setting(1500, "tokens", "ours", "an exemplar above this is skipped")

    def __post_init__(self) -> None:
        _check(self, "margin", "at least 0", self.margin >= 0)
        _check_choice(self, "synthetic_value", "none", "zero", "random")
        _check_positive(self, "max_tokens")


@dataclass(frozen=True, slots=True)
class PromptConfig:
    """What goes into the prompt."""

    max_tokens: int = _setting(3700, "tokens", "published code", "budget of the whole prompt")
    n_last_actions: int = _setting(5, "actions", "paper", "length of the action history shown")

    def __post_init__(self) -> None:
        _check_positive(self, "max_tokens")
        _check_count(self, "n_last_actions")


@dataclass(frozen=True, slots=True)
class OfflineConfig:
    """The offline stand-in for the LLM."""

    strength: str = _setting("novice", "name", "ours", "'novice' or 'able'")
    temperature: float = _setting(0.05, "full marks", "ours", "of the softmax over beliefs")
    prior_weight: float = _setting(0.2, "observations", "ours", "c: what the prior counts for")
    label_weight: float = _setting(0.05, "full marks", "ours", "pull of the bare labels")
    malformed_rate: float = _setting(0.02, "replies", "ours", "share of unusable replies")

    def __post_init__(self) -> None:
        _check_choice(self, "strength", "novice", "able")
        _check(self, "temperature", "above 0", self.temperature > 0)
        _check(self, "prior_weight", "above 0", self.prior_weight > 0)
        _check(self, "label_weight", "at least 0", self.label_weight >= 0)
        _check(self, "malformed_rate", "in [0, 1]", 0 <= self.malformed_rate <= 1)


@dataclass(frozen=True, slots=True)
class RolloutConfig:
    """How episodes are run."""

    max_steps: int = _setting(15, "steps", "paper", "step limit; reaching it truncates")
    n_epochs: int = _setting(3, "epochs", "paper", "passes over the training tasks")
    skip_successes: bool = _setting(
        False, "flag", "published code", "leave out tasks solved in an earlier epoch"
    )

    def __post_init__(self) -> None:
        _check_positive(self, "max_steps")
        _check_positive(self, "n_epochs")


def replace(config: Config, **changes: Any) -> Config:
    """A changed copy; an unknown name raises `ConfigError` with the names there are."""
    known = [f.name for f in fields(config)]  # type: ignore[arg-type]
    for name in changes:
        if name not in known:
            owner = type(config).__name__
            raise ConfigError(f"{owner} has no setting {name!r}; it has {', '.join(known)}")
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]


def describe(config: Any) -> list[dict[str, Any]]:
    """One row per setting: name, value, unit, source, meaning.

    >>> describe(RetrievalConfig())[0]["meaning"]
    'm: records placed in the prompt'
    """
    return [
        {"name": f.name, "value": getattr(config, f.name), **f.metadata} for f in fields(config)
    ]
