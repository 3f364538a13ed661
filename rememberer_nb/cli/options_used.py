"""Which options an agent has a use for; one that would change nothing is refused.

An option belongs to a stage; `_STAGES` says which stages each agent has, and what is missing in
words. Options that belong to none (tasks, seeds, steps, output) always count.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from rememberer_nb.errors import ConfigError

# Stage -> what is said of an agent that lacks it, and the stage's options.
_OPTIONS = {
    "llm": ("asks no LLM", "--llm --record"),
    "memory": ("has no memory", "--memory --resume --max-records --max-actions --eviction"),
    "learning": (
        "learns no values",
        "--gamma --n-step --stand-in --n-neighbours --initial-q --initial-visits",
    ),
    "initial": ("sees no initial memory", "--initial"),
    "exemplars": ("shows no retrieved exemplars", "--n-exemplars"),
    "similarity": (
        "looks for nothing similar",
        "--task-weight --task-similarity --observation-similarity",
    ),
    "ranking": ("ranks no records by value", "--ranking --n-candidates"),
    "advice": ("gives no advice by value", "--exploration"),
}
_OFFLINE = frozenset({"llm"})
_STAGES = {
    "random": frozenset[str](),
    "llm_only": _OFFLINE,
    "fixed_exemplars": _OFFLINE | {"initial", "exemplars", "advice"},
    "react": _OFFLINE | {"initial"},
    # Similarities find what stands in for an unknown page while it learns.
    "reflexion": _OFFLINE | {"memory", "learning", "initial"},
    "retrieval_only": _OFFLINE | {"memory", "learning", "initial", "exemplars", "similarity"},
    "rememberer": frozenset(_OPTIONS),
}
# What decides how a server is asked; the stand-in and a replay ask none.
_ASKING = (
    "--model", "--temperature", "--reply-format", "--timeout", "--deadline", "--max-retries",
    "--requests-per-minute", "--tokens-per-minute", "--stop", "--llm-seed",
)  # fmt: skip
_BUDGET = ("--budget-calls", "--budget-tokens", "--budget-money")
_PRICES = ("--input-price", "--output-price")
# Each counts only beside another one.
_BESIDE = {
    "--n-candidates": ("--ranking", "two_phase"),
    "--n-neighbours": ("--stand-in", "kernel"),
    "--eviction": ("--max-records", None),
}


class Given(argparse.Action):
    """Stores a value, and notes the option among those that were given."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Store and note."""
        setattr(namespace, self.dest, values)
        given = {**getattr(namespace, "given", {}), self.option_strings[0]: values}
        namespace.given = given


def note_given(parser: argparse.ArgumentParser) -> None:
    """Make the options added from now on `Given`, unless they name an action of their own."""
    parser.register("action", None, Given)


def check_used(args: argparse.Namespace, *, is_training: bool) -> None:
    """Refuse options that the agent, its LLM or the command has no use for.

    Raises
    ------
    ConfigError : names the options, and says why they would change nothing.
    """
    given: dict[str, Any] = dict(getattr(args, "given", {}))
    given |= {"--stop": args.stop} if args.stop else {}
    given |= {"--resume": True} if getattr(args, "resume", False) else {}
    _check_agent(args.agent, given, is_training)
    _check_beside(given)
    if not args.estimate:
        _check_llm(args.llm, given)
    elif "--out" in given:
        raise ConfigError("--estimate runs nothing: --out has no effect")


def stages_of(agent: str, *, is_training: bool) -> frozenset[str]:
    """The stages that an agent has; all of them for one that is not known here.

    >>> sorted(stages_of("react", is_training=True))
    ['initial', 'llm']
    """
    stages = _STAGES.get(agent, frozenset(_OPTIONS))
    if not is_training:
        return stages - {"learning"}
    return stages | {"similarity"} if "learning" in stages else stages


def _check_agent(agent: str, given: dict[str, Any], is_training: bool) -> None:
    stages = stages_of(agent, is_training=is_training)
    for stage, (lack, options) in _OPTIONS.items():
        names = options.split()
        if stage == "llm":
            names += [*_ASKING, *_BUDGET, *_PRICES, "--max-tokens"]
        if stage not in stages and (unused := _among(names, given)):
            raise ConfigError(_no_effect(f"{agent} {lack}", unused))


def _check_beside(given: dict[str, Any]) -> None:
    for option, (other, value) in _BESIDE.items():
        if option in given and (other not in given or value not in (None, given[other])):
            wanted = f"{other} {value}" if value else other
            raise ConfigError(_no_effect(f"without {wanted}", [option]))


def _check_llm(spec: str, given: dict[str, Any]) -> None:
    kind, _, detail = spec.partition(":")
    if kind == "record":
        kind = detail.partition(":")[2].partition(":")[0]
    unused: Sequence[str] = ()
    if kind == "offline":
        # The longest reply is what a call may take of a budget.
        has_budget = bool(_among(_BUDGET, given))
        unused = _among([*_ASKING, *([] if has_budget else ["--max-tokens"])], given)
    elif kind == "replay":
        unused = _among([*_ASKING, *_BUDGET, "--max-tokens"], given)
    if unused:
        asks = "the offline stand-in asks no server" if kind == "offline" else "a replay asks none"
        raise ConfigError(_no_effect(asks, unused))


def _among(names: Iterable[str], given: dict[str, Any]) -> list[str]:
    return [name for name in names if name in given]


def _no_effect(why: str, options: Sequence[str]) -> str:
    verb = "has" if len(options) == 1 else "have"
    return f"{why}: {', '.join(options)} {verb} no effect"
