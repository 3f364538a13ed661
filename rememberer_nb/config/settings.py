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
import math
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


def checked_count(name: str, value: Any, least: int, most: int) -> int:
    """The value, if it is a whole number in [least, most]; else a `ConfigError`.

    >>> checked_count("--jobs", 2, 1, 1024)
    2
    """
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{name} must be a whole number from {least} to {most}, got {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class RetrievalConfig:
    """Which records are shown: total = λ f_g + (1 − λ) f_o (paper, section 3.3)."""

    n_exemplars: int = _setting(2, "records", "paper", "m: records placed in the prompt")
    task_weight: float = _setting(0.5, "1", "paper", "λ: weight of the task similarity, in [0, 1]")
    task_similarity: str = _setting("tfidf", "name", "ours", "f_g (paper: by instruction)")
    observation_similarity: str = _setting("tfidf", "name", "ours", "f_o (paper: by page)")
    ranking: str = _setting(
        "similarity", "name", "paper", "or 'two_phase': the most similar, by value (MemRL, 2026)"
    )
    n_candidates: int = _setting(10, "records", "ours", "two_phase: so many are ranked by value")

    def __post_init__(self) -> None:
        _check_count(self, "n_exemplars")
        _check_choice(self, "ranking", "similarity", "two_phase")
        _check_positive(self, "n_candidates")
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
    stand_in: str = _setting(
        "nearest", "name", "paper", "or 'kernel': several neighbours, weighted (NEC, 2017)"
    )
    n_neighbours: int = _setting(5, "records", "ours", "kernel: how many (NEC: 50)")
    initial_q: float = _setting(
        0.0, "reward", "paper", "Q of a new action; high: optimism (Sutton and Barto, 2.6)"
    )
    initial_visits: int = _setting(
        0, "visits", "paper", "what initial_q counts for in a running mean"
    )

    def __post_init__(self) -> None:
        _check_choice(self, "stand_in", "nearest", "kernel")
        _check_positive(self, "n_neighbours")
        _check(self, "initial_q", "finite", math.isfinite(self.initial_q))
        _check_count(self, "initial_visits")
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
    exploration: float = _setting(
        0.0, "reward", "paper", "bonus of what was tried less (UCB1: Auer et al., 2002)"
    )

    def __post_init__(self) -> None:
        _check(self, "exploration", "at least 0", 0 <= self.exploration < math.inf)
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
    reads_values: bool = _setting(True, "flag", "ours", "False: only labels of advice count")

    def __post_init__(self) -> None:
        _check_choice(self, "strength", "novice", "able")
        _check(self, "temperature", "above 0", self.temperature > 0)
        _check(self, "prior_weight", "above 0", self.prior_weight > 0)
        _check(self, "label_weight", "at least 0", self.label_weight >= 0)
        _check(self, "malformed_rate", "in [0, 1]", 0 <= self.malformed_rate <= 1)


@dataclass(frozen=True, slots=True)
class LLMConfig:
    """An LLM behind an OpenAI-compatible endpoint. Key and address come from the environment."""

    model: str = _setting("", "name", "ours", "as the server knows it; 'openai:NAME' gives it, too")
    temperature: float | None = _setting(0.0, "1", "ours", "None: the server's own")
    max_tokens: int = _setting(300, "tokens", "ours", "of a reply (published code: 50)")
    stop: tuple[str, ...] = _setting(
        (), "texts", "ours", "where a reply ends (published code: 'Discouraged')"
    )
    seed: int | str | None = _setting(
        "call", "1", "ours", "sent along: 'call': each call's own; a number: that; None: none"
    )
    reply_format: str = _setting(
        "auto", "name", "ours", "'schema' (JSON), 'text', or 'auto': schema if the server has it"
    )
    timeout_s: float = _setting(60.0, "s", "ours", "for one try (published code: 5)")
    deadline_s: float = _setting(180.0, "s", "ours", "for all tries of a call, waits included")
    max_retries: int = _setting(6, "tries", "ours", "after the first one")
    backoff_s: float = _setting(0.5, "s", "ours", "first wait; each one doubles, half of it drawn")
    max_backoff_s: float = _setting(20.0, "s", "ours", "longest wait of our own")
    retry_after_cap_s: float = _setting(60.0, "s", "ours", "longest wait that a server may ask for")
    max_failures: int | None = _setting(
        20, "calls", "ours", "failures in a row that stop the run; None: never"
    )
    requests_per_minute: float | None = _setting(
        None, "1/min", "ours", "None: no limit (published code: 19)"
    )
    tokens_per_minute: float | None = _setting(None, "tokens/min", "ours", "None: no limit")
    input_price: float | None = _setting(None, "money/Mtok", "ours", "per million prompt tokens")
    output_price: float | None = _setting(None, "money/Mtok", "ours", "per million reply tokens")
    budget_calls: int | None = _setting(
        None, "requests", "ours", "of a run, tries and redirects too; None: no limit"
    )
    budget_tokens: int | None = _setting(None, "tokens", "ours", "of a run; None: no limit")
    budget_money: float | None = _setting(None, "money", "ours", "of a run; needs both prices")

    def __post_init__(self) -> None:
        heat = self.temperature
        _check(self, "temperature", "in [0, 2] or None", heat is None or 0 <= heat <= 2)
        is_seed = self.seed in ("call", None) or isinstance(self.seed, int)
        _check(self, "seed", "'call', a whole number or None", is_seed)
        _check_choice(self, "reply_format", "auto", "schema", "text")
        _check_positive(self, "max_tokens")
        _check_count(self, "max_retries")
        for name in ("timeout_s", "deadline_s"):
            _check(self, name, "above 0", getattr(self, name) > 0)
        for name in ("backoff_s", "max_backoff_s", "retry_after_cap_s"):
            _check(self, name, "at least 0", getattr(self, name) >= 0)
        for name in ("max_failures", "budget_calls", "budget_tokens"):
            _check_positive(self, name, or_none=True)
        for name in ("requests_per_minute", "tokens_per_minute", "budget_money"):
            value = getattr(self, name)
            _check(self, name, "above 0 or None", value is None or value > 0)
        for name in ("input_price", "output_price"):
            value = getattr(self, name)
            _check(self, name, "at least 0 or None", value is None or value >= 0)
        has_prices = None not in (self.input_price, self.output_price)
        _check(self, "budget_money", "None without prices", has_prices or self.budget_money is None)

    def money(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What tokens cost, in the unit of the prices; None without prices.

        >>> LLMConfig(input_price=2.0, output_price=8.0).money(1_000_000, 500_000)
        6.0
        """
        if self.input_price is None or self.output_price is None:
            return None
        return (prompt_tokens * self.input_price + completion_tokens * self.output_price) / 1e6


@dataclass(frozen=True, slots=True)
class RolloutConfig:
    """How episodes are run."""

    max_steps: int = _setting(15, "steps", "paper", "step limit; reaching it truncates")
    n_epochs: int = _setting(3, "epochs", "paper", "passes over the training tasks")
    skip_successes: bool = _setting(
        False, "flag", "published code", "leave out tasks solved in an earlier epoch"
    )
    batch_size: int | None = _setting(
        None,
        "episodes",
        "ours",
        "collected against a frozen memory, then learnt; None: learn at every step (paper)",
    )

    def __post_init__(self) -> None:
        _check_positive(self, "max_steps")
        checked_count("RolloutConfig.n_epochs", self.n_epochs, 1, 1_000_000)
        _check_positive(self, "batch_size", or_none=True)


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
