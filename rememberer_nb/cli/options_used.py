"""Which settings and options a call has a use for; one that would change nothing is refused.

A setting belongs to a part of an agent; `_AGENTS` says which parts each agent has. Settings that
belong to none (tasks, seeds, steps) always count. What a file says is not looked at: one file
serves many calls.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from rememberer_nb.cli.settings import Chosen
from rememberer_nb.config.reading import SETTINGS
from rememberer_nb.errors import ConfigError

# Part -> what is said of an agent that lacks it, and its settings, or all those of a stage.
_PARTS = {
    "llm": ("asks no LLM", "run.llm llm offline prompt --record"),
    "history": ("shows no last actions", "prompt.n_last_actions"),
    "form": ("has a form of its own", "prompt.reply_form prompt.template"),
    "channel": ("asks in a single message", "prompt.channel"),
    "choice": ("chooses by what the LLM replies", "choice"),
    "memory": ("has no memory", "--memory --resume capacity"),
    "learning": ("learns no values", "rlem"),
    "initial": ("sees no initial memory", "run.initial"),
    "exemplars": ("shows no retrieved exemplars", "retrieval.n_exemplars"),
    "similarity": (
        "looks for nothing similar",
        "retrieval.task_weight retrieval.task_similarity retrieval.observation_similarity",
    ),
    "ranking": ("ranks no records by value", "retrieval"),
    "advice": ("gives no advice by value", "exemplar"),
    "skipping": ("skips no long exemplars", "exemplar.max_tokens"),
}
_PART_OF = {name: part for part, (_, names) in _PARTS.items() for name in names.split()}
_LLM = frozenset({"llm", "history", "form", "channel", "choice"})
_SHOWN = frozenset({"memory", "learning", "initial", "exemplars", "similarity", "skipping"})
_AGENTS = {
    "random": frozenset[str](),
    "llm_only": _LLM,
    "fixed_exemplars": _LLM | {"initial", "exemplars", "advice"},
    "react": frozenset({"llm", "initial"}),
    # Similarities find what stands in for an unknown page while it learns.
    "reflexion": frozenset({"llm", "memory", "learning", "initial"}),
    "retrieval_only": _SHOWN | {"llm", "history", "channel"},
    "rememberer": frozenset(_PARTS),
}
_PRICES = ("llm.input_price", "llm.output_price")
_BUDGET = ("llm.budget_calls", "llm.budget_tokens", "llm.budget_money")


def is_for_training(name: str) -> bool:
    """Whether a setting counts only where something is learnt.

    >>> is_for_training("rlem.gamma"), is_for_training("rollout.max_steps")
    (True, False)
    """
    stages = ("rlem.", "capacity.", "rollout.", "choice.training_")
    return name.startswith(stages) and name != "rollout.max_steps"


def check_used(chosen: Chosen, args: argparse.Namespace, *, is_training: bool) -> None:
    """Refuse what the agent, its LLM or the command has no use for.

    Raises
    ------
    ConfigError : names the options, and says why they would change nothing.
    """
    plain = {"--memory": args.memory, "--record": args.record}
    plain |= {"--resume": getattr(args, "resume", False)}
    given = chosen.given | {option: option for option, value in plain.items() if value}
    if not is_training:
        refuse(given, is_for_training, "an evaluation learns nothing")
    check_agent_settings(chosen, given, is_training=is_training)
    if not args.estimate:
        _check_llm(chosen, given)
    elif args.out:
        raise ConfigError("--estimate runs nothing: --out has no effect")


def check_agent_settings(chosen: Chosen, given: Mapping[str, str], *, is_training: bool) -> None:
    """Refuse what the agent has no use for, or what counts beside another setting only."""
    agent = chosen.configs["run"].agent
    parts = _AGENTS.get(agent, frozenset(_PARTS))
    if is_training and "learning" in parts:
        parts |= {"similarity"}
    for part, (lack, _) in _PARTS.items():
        if part not in parts:
            refuse(given, lambda name, part=part: _part(name) == part, f"{agent} {lack}")
    for name in given.keys() & SETTINGS.keys():
        _check_beside(chosen, name)


def _part(name: str) -> str:
    return _PART_OF.get(name) or _PART_OF.get(name.partition(".")[0], "")


def _check_beside(chosen: Chosen, name: str) -> None:
    other, wanted = SETTINGS[name]["needs"] or ("", ...)
    stage = name.partition(".")[0]
    value = getattr(chosen.configs[stage], other) if other else wanted
    if value is None if wanted is ... else value != wanted:
        beside = SETTINGS[f"{stage}.{other}"]["option"] or f"--set {stage}.{other}"
        if wanted is not ...:
            beside += ("=" if beside.startswith("--set") else " ") + str(wanted).lower()
        refuse(chosen.given, lambda each: each == name, f"without {beside}")


def _check_llm(chosen: Chosen, given: Mapping[str, str]) -> None:
    kind, _, detail = chosen.configs["run"].llm.partition(":")
    if kind == "record":
        kind = detail.partition(":")[2].partition(":")[0]
    if kind in ("offline", "replay"):
        config = chosen.configs["llm"]
        budget = _BUDGET if kind == "offline" else ()
        # The longest reply is what a call may take of a budget.
        if any(getattr(config, name.removeprefix("llm.")) is not None for name in budget):
            budget += ("llm.max_tokens",)
        used = _PRICES + budget
        asks = "the offline stand-in asks no server" if budget else "a replay asks none"
        refuse(given, lambda name: name.startswith("llm.") and name not in used, asks)
    if kind == "offline":
        refuse(given, lambda name: name == "prompt.channel", "the stand-in reads the text alone")
    if kind != "offline":
        refuse(given, lambda name: name.startswith("offline."), f"{kind} is not the stand-in")


def refuse(given: Mapping[str, str], is_unused: Callable[[str], Any], why: str) -> None:
    """Raise `ConfigError` if something that was given is unused; `why` says why."""
    unused = [how for name, how in given.items() if is_unused(name)]
    if unused:
        verb = "has" if len(unused) == 1 else "have"
        raise ConfigError(f"{why}: {', '.join(unused)} {verb} no effect")
