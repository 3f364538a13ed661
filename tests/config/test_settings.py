"""Settings: their ranges, their sources, and what is said of a wrong one."""

from __future__ import annotations

import copy
import math
import pickle

import attrs
import pytest

from rememberer_nb.config import (
    CapacityConfig,
    ExemplarConfig,
    LLMConfig,
    OfflineConfig,
    PromptConfig,
    RetrievalConfig,
    RlemConfig,
    RolloutConfig,
    RunConfig,
    describe,
    replace,
)
from rememberer_nb.config import settings as config
from rememberer_nb.elements import Advice
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.system.plain import from_data, to_data

CONFIGS = [
    item
    for item in vars(config).values()
    if isinstance(item, type) and item.__module__ == config.__name__
]


def test_every_class_is_a_stage() -> None:
    assert len(CONFIGS) == 10
    assert set(CONFIGS) == set(config.STAGES.values())


@pytest.mark.parametrize("cls", CONFIGS)
def test_every_setting_has_unit_source_and_meaning(cls: type) -> None:
    rows = describe(cls())
    assert [row["name"] for row in rows] == [f.name for f in attrs.fields(cls)]
    for row in rows:
        assert row["source"] in ("paper", "published code", "ours"), row
        assert row["unit"], row
        assert row["meaning"], row


@pytest.mark.parametrize("cls", CONFIGS)
def test_configs_are_frozen(cls: type) -> None:
    name = attrs.fields(cls)[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(cls(), name, 1)
    assert not hasattr(cls(), "__dict__")


@pytest.mark.parametrize("cls", CONFIGS)
def test_configs_survive_every_copy(cls: type) -> None:
    made = cls()
    assert made == pickle.loads(pickle.dumps(made)) == copy.deepcopy(made)
    assert hash(made) == hash(cls())
    assert from_data(cls, to_data(made)) == made


def test_data_that_does_not_fit_names_the_setting() -> None:
    with pytest.raises(DataError, match=r"RlemConfig.gamma must be in \[0, 1\], got 2"):
        from_data(RlemConfig, {"gamma": 2})


def test_defaults_of_the_design() -> None:
    assert (RetrievalConfig().n_exemplars, RetrievalConfig().task_weight) == (2, 0.5)
    assert RlemConfig().learning_rate is None
    assert RlemConfig().bootstrap_truncated
    assert ExemplarConfig().margin == 0.05
    assert not ExemplarConfig().published_rule
    assert (RolloutConfig().max_steps, PromptConfig().n_last_actions) == (15, 5)


@pytest.mark.parametrize(
    ("cls", "name", "bad"),
    [
        (RetrievalConfig, "n_exemplars", -1),
        (RetrievalConfig, "n_exemplars", 1.5),
        (RetrievalConfig, "n_exemplars", True),
        (RetrievalConfig, "task_similarity", 3),
        (RetrievalConfig, "task_weight", 1.01),
        (RetrievalConfig, "task_weight", math.nan),
        (RlemConfig, "gamma", -0.1),
        (RlemConfig, "gamma", math.nan),
        (RlemConfig, "gamma", "0.9"),
        (RlemConfig, "gamma", True),
        (RlemConfig, "double", 1),
        (RlemConfig, "initial_q", math.inf),
        (ExemplarConfig, "exploration", math.inf),
        (ExemplarConfig, "margin", math.inf),
        (LLMConfig, "timeout_s", math.inf),
        (LLMConfig, "stop", ["END"]),
        (LLMConfig, "seed", True),
        (RunConfig, "env", None),
        (RunConfig, "seeds", "3:3"),
        (RunConfig, "seeds", "-1"),
        (RunConfig, "seeds", 3),
        (RunConfig, "seeds", "0:100001"),
        (RlemConfig, "n_step", 0),
        (RlemConfig, "n_step", 2.5),
        (RlemConfig, "learning_rate", 0.0),
        (RlemConfig, "learning_rate", 1.5),
        (RlemConfig, "table_choice", "both"),
        (CapacityConfig, "max_records", 0),
        (CapacityConfig, "max_actions", 0),
        (CapacityConfig, "eviction", "newest"),
        (ExemplarConfig, "margin", -0.01),
        (ExemplarConfig, "synthetic_value", "half"),
        (ExemplarConfig, "max_tokens", 0),
        (PromptConfig, "max_tokens", 0),
        (PromptConfig, "n_last_actions", -1),
        (PromptConfig, "n_last_actions", 0.5),
        (OfflineConfig, "strength", "expert"),
        (OfflineConfig, "temperature", 0.0),
        (OfflineConfig, "prior_weight", 0.0),
        (OfflineConfig, "label_weight", -1.0),
        (OfflineConfig, "malformed_rate", 1.1),
        (LLMConfig, "temperature", -0.1),
        (LLMConfig, "temperature", math.nan),
        (LLMConfig, "max_tokens", 0),
        (LLMConfig, "seed", "often"),
        (LLMConfig, "reply_format", "xml"),
        (LLMConfig, "timeout_s", 0),
        (LLMConfig, "deadline_s", -1.0),
        (LLMConfig, "max_retries", -1),
        (LLMConfig, "backoff_s", -0.1),
        (LLMConfig, "max_backoff_s", math.nan),
        (LLMConfig, "retry_after_cap_s", -1),
        (LLMConfig, "max_failures", 0),
        (LLMConfig, "requests_per_minute", 0),
        (LLMConfig, "tokens_per_minute", -1),
        (LLMConfig, "input_price", -1.0),
        (LLMConfig, "output_price", math.nan),
        (LLMConfig, "budget_calls", 0),
        (LLMConfig, "budget_tokens", 1.5),
        (LLMConfig, "budget_money", 1.0),
        (RolloutConfig, "batch_size", 0),
        (RolloutConfig, "max_steps", 0),
        (RolloutConfig, "n_epochs", 0),
    ],
)
def test_out_of_range_values_are_quoted(cls: type, name: str, bad: object) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(cls(), **{name: bad})
    assert str(caught.value).startswith(f"{cls.__name__}.{name} must be ")
    assert str(caught.value).endswith(f"got {bad!r}")


@pytest.mark.parametrize(
    ("cls", "name", "fine"),
    [
        (RlemConfig, "n_step", None),
        (RlemConfig, "n_step", 1),
        (RlemConfig, "gamma", 0),
        (RlemConfig, "learning_rate", 1.0),
        (CapacityConfig, "max_records", 1),
        (RetrievalConfig, "n_exemplars", 0),
        (RetrievalConfig, "task_weight", 1),
        (PromptConfig, "n_last_actions", 0),
        (LLMConfig, "temperature", None),
        (LLMConfig, "temperature", 2),
        (LLMConfig, "seed", 0),
        (LLMConfig, "max_retries", 0),
        (LLMConfig, "max_failures", None),
        (LLMConfig, "input_price", 0),
        (RolloutConfig, "batch_size", 1),
        (RunConfig, "seeds", "0:100000"),
        (RunConfig, "initial", None),
    ],
)
def test_edges_of_the_ranges(cls: type, name: str, fine: object) -> None:
    assert getattr(replace(cls(), **{name: fine}), name) == fine


def test_an_unknown_name_fails_and_lists_the_known() -> None:
    with pytest.raises(ConfigError, match="RlemConfig has no setting 'lambda_'; it has gamma, "):
        replace(RlemConfig(), lambda_=1)


def test_money_by_hand() -> None:
    prices = LLMConfig(input_price=2.0, output_price=8.0, budget_money=1.0)
    assert prices.money(500_000, 250_000) == 3.0
    assert LLMConfig(input_price=2.0).money(500_000, 250_000) is None


def test_replace_takes_the_other_values_too() -> None:
    assert replace(Advice("a", 0.5), rationale="why") == Advice("a", 0.5, "why")
    with pytest.raises(ConfigError, match="Advice has no setting 'reason'; it has action, "):
        replace(Advice("a"), reason="why")


def test_replace_makes_a_copy() -> None:
    one = RlemConfig()
    two = replace(one, gamma=0.5)
    assert (one.gamma, two.gamma, two.n_step) == (1.0, 0.5, one.n_step)
