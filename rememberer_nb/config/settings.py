"""Settings: one frozen class per stage; every default with its unit and its source.

Sources: "paper" (arXiv 2306.07929), "published code" (OpenDFM/Rememberer), "ours".
`describe(config)` lists them; `replace(config, **changes)` makes a changed copy and refuses
unknown names. Options of the command line and the files of `--config` are made from these classes.

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
from typing import Any, TypeVar

import attrs

from rememberer_nb.config.fields import (
    Rule,
    flag,
    not_negative,
    number,
    one_of,
    or_none,
    positive,
    reply_seed,
    seeds_text,
    setting,
    share,
    text,
    texts,
    whole,
)
from rememberer_nb.errors import ConfigError

Config = TypeVar("Config")
_rate = number("in (0, 1]", lambda value: 0 < value <= 1)
_heat = number("in [0, 2]", lambda value: 0 <= value <= 2)
_finite = number("finite")
_eviction = one_of("redundancy", "least_visited", "oldest")

# Value, rule, unit, source; meaning, option. A setting stands on two lines at most.
# fmt: off


@attrs.frozen
class RunConfig:
    """What is run, and on what."""

    env: str = setting("webshop", text, "name", "paper", "webshop or wikihow", "--env")
    agent: str = setting("rememberer", text, "name", "paper",
        "random, llm_only, fixed_exemplars or rememberer; with a real LLM also retrieval_only, "
        "react and reflexion", "--agent")
    llm: str = setting("offline", text, "name", "ours",
        "offline[:able], openai[:MODEL], llama.cpp:FILE, replay:FILE or record:FILE:LLM", "--llm")
    initial: str | None = setting(None, or_none(text), "name", "paper",
        "what a new memory starts from: E0, E1, E2, empty, FILE; None: E0, or its own", "--initial")
    tasks: str | None = setting(None, or_none(text), "numbers", "ours",
        "S0, S1, test, A:B (half-open) or N,N,...; None: S0 to train, else test", "--tasks")
    seeds: str = setting("0", seeds_text, "numbers", "ours",
        "one, or a range A:B, half-open", "--seed --seeds")


@attrs.frozen
class RetrievalConfig:
    """Which records are shown: total = λ f_g + (1 − λ) f_o (paper, section 3.3)."""

    n_exemplars: int = setting(2, whole(0), "records", "paper",
        "m: records placed in the prompt", "--n-exemplars")
    task_weight: float = setting(0.5, share, "1", "paper",
        "λ: weight of the task similarity, in [0, 1]", "--task-weight")
    task_similarity: str = setting("tfidf", text, "name", "ours",
        "f_g, or embedding:MODEL (paper: by instruction)", "--task-similarity")
    observation_similarity: str = setting("tfidf", text, "name", "ours",
        "f_o, alike (paper: by page)", "--observation-similarity")
    ranking: str = setting("similarity", one_of("similarity", "two_phase"), "name", "paper",
        "or 'two_phase': the most similar, by value (MemRL, 2026)", "--ranking")
    n_candidates: int = setting(10, whole(1), "records", "ours",
        "two_phase: so many are ranked by value", "--n-candidates", needs=("ranking", "two_phase"))


@attrs.frozen
class RlemConfig:
    """How values are learnt (paper, section 3.2, equations 2 to 4)."""

    gamma: float = setting(1.0, share, "1 per step", "paper", "γ: discount, in [0, 1]", "--gamma")
    n_step: int | None = setting(5, or_none(whole(1), "all"), "steps", "ours",
        "n: rewards before bootstrapping; None: all", "--n-step")
    learning_rate: float | None = setting(None, or_none(_rate), "1", "paper",
        "α; None: 1/N, the running mean")
    bootstrap_truncated: bool = setting(True, flag, "flag", "ours",
        "bootstrap at a step limit (published code: no)")
    double: bool = setting(False, flag, "flag", "published code", "double Q-learning, two tables")
    table_choice: str = setting("turn", one_of("turn", "random"), "name", "ours",
        "double: 'turn' or 'random'", needs=("double", True))
    stand_in: str = setting("nearest", one_of("nearest", "kernel"), "name", "paper",
        "or 'kernel': several neighbours, weighted (NEC, 2017)", "--stand-in")
    n_neighbours: int = setting(5, whole(1), "records", "ours",
        "kernel: how many (NEC: 50)", "--n-neighbours", needs=("stand_in", "kernel"))
    initial_q: float = setting(0.0, _finite, "reward", "paper",
        "Q of a new action; high: optimism (Sutton and Barto, 2.6)", "--initial-q")
    initial_visits: int = setting(0, whole(0), "visits", "paper",
        "what initial_q counts for in a running mean", "--initial-visits")


@attrs.frozen
class CapacityConfig:
    """How much the memory holds and what it forgets first."""

    max_records: int | None = setting(None, or_none(whole(1)), "records", "ours",
        "None: no limit (paper: 500)", "--max-records")
    max_actions: int | None = setting(None, or_none(whole(1)), "actions", "ours",
        "per record; None: no limit", "--max-actions")
    eviction: str = setting("redundancy", _eviction, "name", "paper",
        "what a full memory forgets first", "--eviction", needs=("max_records", ...))


@attrs.frozen
class ExemplarConfig:
    """How a record becomes advice (paper, section 3.3; ablations in section 4.3)."""

    margin: float = setting(0.05, not_negative, "reward", "ours",
        "gap below the encouraged value", needs=("published_rule", False))
    published_rule: bool = setting(False, flag, "flag", "published code",
        "discourage only values of at most 0")
    use_discouraged: bool = setting(True, flag, "flag", "paper",
        "show discouraged advice (ablation)")
    use_synthetic: bool = setting(True, flag, "flag", "paper", "fill a missing side (ablation)")
    synthetic_value: str = setting("none", one_of("none", "zero", "random"), "name", "ours",
        "'none' (not tried), 'zero' or 'random' (published code)", needs=("use_synthetic", True))
    max_tokens: int = setting(1500, whole(1), "tokens", "ours", "an exemplar above this is skipped")
    exploration: float = setting(0.0, not_negative, "reward", "paper",
        "bonus of what was tried less (UCB1: Auer et al., 2002)", "--exploration")


@attrs.frozen
class PromptConfig:
    """What goes into the prompt."""

    max_tokens: int = setting(3700, whole(1), "tokens", "published code",
        "budget of the whole prompt")
    n_last_actions: int = setting(5, whole(0), "actions", "paper",
        "length of the action history shown")
    reply_form: str = setting("advice", one_of("advice", "action"), "name", "paper",
        "'advice' (encouraged and discouraged, with values) or 'action' (one line)", "--reply-form",
        needs=("template", "full"))
    channel: str = setting("chat", one_of("chat", "chat_turns", "completion"), "name", "ours",
        "'chat', 'chat_turns' (exemplars as turns) or 'completion' (paper)", "--channel")
    template: str = setting("full", one_of("full", "brief"), "name", "ours",
        "'full', or 'brief' for small models: no pages, actions in words; on the command line the "
        "default with --choose likelihood", "--template")


@attrs.frozen
class ChoiceConfig:
    """How an action is chosen: from what the LLM writes, or by what it finds likely."""

    choose: str = setting("reply", one_of("reply", "likelihood"), "name", "ours",
        "by the 'reply' (paper), or by the 'likelihood' of each action", "--choose")
    normalisation: str = setting("token", one_of("sum", "token", "character", "empty"), "name",
        "ours", "of ln P(action): its 'sum', per 'token', per 'character', or minus that after an "
        "'empty' prompt", "--normalisation", needs=("choose", "likelihood"))
    temperature: float = setting(0.0, not_negative, "1", "ours",
        "0: the best one; else a draw from the softmax", "--choice-temperature",
        needs=("choose", "likelihood"))
    repeats: bool = setting(True, flag, "flag", "ours",
        "may take an action again that it took on this very page", "--repeats",
        needs=("choose", "likelihood"))
    training_temperature: float | None = setting(None, or_none(not_negative), "1", "ours",
        "while it learns; None: as elsewhere", "--training-temperature",
        needs=("choose", "likelihood"))


@attrs.frozen
class OfflineConfig:
    """The offline stand-in for the LLM."""

    strength: str = setting("novice", one_of("novice", "able"), "name", "ours",
        "'novice' or 'able'")
    temperature: float = setting(0.05, positive, "full marks", "ours",
        "of the softmax over beliefs")
    prior_weight: float = setting(0.2, positive, "observations", "ours",
        "c: what the prior counts for")
    label_weight: float = setting(0.05, not_negative, "full marks", "ours",
        "pull of the bare labels")
    malformed_rate: float = setting(0.02, share, "replies", "ours", "share of unusable replies")
    reads_values: bool = setting(True, flag, "flag", "ours", "False: only labels of advice count")


@attrs.frozen
class LLMConfig:
    """An LLM behind an OpenAI-compatible endpoint. Key and address come from the environment."""

    model: str = setting("", text, "name", "ours",
        "as the server knows it; 'openai:NAME' gives it, too", "--model")
    temperature: float | None = setting(0.0, or_none(_heat), "1", "ours",
        "None: the server's own", "--temperature")
    max_tokens: int = setting(300, whole(1), "tokens", "ours",
        "of a reply (published code: 50)", "--max-tokens")
    stop: tuple[str, ...] = setting((), texts, "texts", "ours",
        "where a reply ends (published code: 'Discouraged')", "--stop")
    seed: int | str | None = setting("call", reply_seed, "1", "ours",
        "sent along: 'call': each call's own; a number: that; None: none", "--llm-seed")
    reply_format: str = setting("auto", one_of("auto", "schema", "text"), "name", "ours",
        "'schema' (JSON), 'text', or 'auto': schema if the server has it", "--reply-format")
    timeout_s: float = setting(60.0, positive, "s", "ours",
        "for one try (published code: 5)", "--timeout")
    deadline_s: float = setting(180.0, positive, "s", "ours",
        "for all tries of a call, waits included", "--deadline")
    max_retries: int = setting(6, whole(0), "tries", "ours", "after the first one", "--max-retries")
    backoff_s: float = setting(0.5, not_negative, "s", "ours",
        "first wait; each one doubles, half of it drawn")
    max_backoff_s: float = setting(20.0, not_negative, "s", "ours", "longest wait of our own")
    retry_after_cap_s: float = setting(60.0, not_negative, "s", "ours",
        "longest wait that a server may ask for")
    max_failures: int | None = setting(20, or_none(whole(1)), "calls", "ours",
        "failures in a row that stop the run; None: never")
    requests_per_minute: float | None = setting(None, or_none(positive), "1/min", "ours",
        "None: no limit (published code: 19)", "--requests-per-minute")
    tokens_per_minute: float | None = setting(None, or_none(positive), "tokens/min", "ours",
        "None: no limit", "--tokens-per-minute")
    input_price: float | None = setting(None, or_none(not_negative), "money/Mtok", "ours",
        "per million prompt tokens", "--input-price")
    output_price: float | None = setting(None, or_none(not_negative), "money/Mtok", "ours",
        "per million reply tokens", "--output-price")
    budget_calls: int | None = setting(None, or_none(whole(1)), "requests", "ours",
        "of a run, tries and redirects too; None: no limit", "--budget-calls")
    budget_tokens: int | None = setting(None, or_none(whole(1)), "tokens", "ours",
        "of a run; None: no limit", "--budget-tokens")
    budget_money: float | None = setting(None, or_none(positive), "money", "ours",
        "of a run; needs both prices", "--budget-money")

    @budget_money.validator
    def _has_prices(self, attribute: Any, value: float | None) -> None:
        is_priced = None not in (self.input_price, self.output_price)
        rule = Rule("None without prices", lambda money: is_priced or money is None)
        rule(self, attribute, value)

    def money(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What tokens cost, in the unit of the prices; None without prices.

        >>> LLMConfig(input_price=2.0, output_price=8.0).money(1_000_000, 500_000)
        6.0
        """
        if self.input_price is None or self.output_price is None:
            return None
        return (prompt_tokens * self.input_price + completion_tokens * self.output_price) / 1e6


@attrs.frozen
class RolloutConfig:
    """How episodes are run."""

    max_steps: int = setting(15, whole(1), "steps", "paper",
        "step limit; reaching it truncates", "--max-steps")
    n_epochs: int = setting(3, whole(1, 1_000_000), "epochs", "paper",
        "passes over the training tasks", "--epochs")
    skip_successes: bool = setting(False, flag, "flag", "published code",
        "leave out tasks solved in an earlier epoch")
    batch_size: int | None = setting(None, or_none(whole(1)), "episodes", "ours",
        "run on a frozen memory, then learnt; None: learn at each step (paper)", "--batch-size")


# fmt: on

# By the names that files, `--set` and errors use, in the order of the loop.
STAGES: dict[str, type] = {
    "run": RunConfig,
    "rollout": RolloutConfig,
    "retrieval": RetrievalConfig,
    "exemplar": ExemplarConfig,
    "prompt": PromptConfig,
    "choice": ChoiceConfig,
    "rlem": RlemConfig,
    "capacity": CapacityConfig,
    "offline": OfflineConfig,
    "llm": LLMConfig,
}


def replace(value: Config, **changes: Any) -> Config:
    """A changed copy of a config, or of any other frozen value of this package.

    An unknown name raises `ConfigError` with the names there are.
    """
    cls: Any = type(value)
    is_config = attrs.has(cls)
    known = [field.name for field in (attrs if is_config else dataclasses).fields(cls)]
    for name in changes:
        if name not in known:
            raise ConfigError(f"{cls.__name__} has no setting {name!r}; it has {', '.join(known)}")
    return (attrs.evolve if is_config else dataclasses.replace)(value, **changes)  # type: ignore


def describe(config: Any) -> list[dict[str, Any]]:
    """One row per setting: name, value, unit, source, meaning.

    >>> describe(RetrievalConfig())[0]["meaning"]
    'm: records placed in the prompt'
    """
    return [
        {
            "name": field.name,
            "value": getattr(config, field.name),
            **{key: field.metadata[key] for key in ("unit", "source", "meaning")},
        }
        for field in attrs.fields(type(config))
    ]
