"""From names to parts that work together: environment, LLM, memory, agent.

The command line, the notebooks and the experiments all build their agents here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.agents.baselines import FixedExemplars, RandomAgent, fixed_exemplars
from rememberer_nb.agents.interface import Agent
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.agents.react import ReActAgent
from rememberer_nb.agents.reflexion import ReflexionAgent
from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.agents.retrieval_only import RetrievalOnlyAgent
from rememberer_nb.config import (
    STAGES,
    CapacityConfig,
    ChoiceConfig,
    ExemplarConfig,
    LLMConfig,
    OfflineConfig,
    PromptConfig,
    RetrievalConfig,
    RlemConfig,
    RolloutConfig,
    RunConfig,
    replace,
)
from rememberer_nb.elements import Record
from rememberer_nb.envs import make_env
from rememberer_nb.envs.profile import Profile, TextEnv, profile_of
from rememberer_nb.envs.registry import DEFAULT_ENV, find_env
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms import LLM, make_llm
from rememberer_nb.llms.wrapped import token_counter
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.history import History
from rememberer_nb.memory.initial import read_initial
from rememberer_nb.memory.origin import check_origin, origin_in, origin_of
from rememberer_nb.memory.store.file import closed_on_failure
from rememberer_nb.prompting.prompts import CountTokens, estimate_tokens
from rememberer_nb.prompting.react_prompts import demonstration_of

OFFLINE_AGENTS = ("random", "llm_only", "fixed_exemplars", "rememberer")
LLM_AGENTS = ("react", "reflexion", "retrieval_only")
AGENTS = (*OFFLINE_AGENTS, *LLM_AGENTS)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run depends on but its seed and its tasks.

    `initial` is what a new memory starts from; None stands for what the environment's memories
    start from by default, and for whatever the memory of a file has started from.

    >>> Settings().env, Settings().llm, Settings().new_initial
    ('webshop', 'offline', 'E0')
    """

    env: str = DEFAULT_ENV
    llm: str = "offline"
    initial: str | None = None
    retrieval: RetrievalConfig = field(default_factory=RetrievalConfig)
    rlem: RlemConfig = field(default_factory=RlemConfig)
    exemplar: ExemplarConfig = field(default_factory=ExemplarConfig)
    prompt: PromptConfig = field(default_factory=PromptConfig)
    choice: ChoiceConfig = field(default_factory=ChoiceConfig)
    capacity: CapacityConfig = field(default_factory=CapacityConfig)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    offline: OfflineConfig = field(default_factory=OfflineConfig)
    llm_config: LLMConfig = field(default_factory=LLMConfig)

    @classmethod
    def of(cls, configs: Mapping[str, Any]) -> Settings:
        """From a config per stage (`config.STAGES`)."""
        stages = {name: config for name, config in configs.items() if name not in ("run", "llm")}
        run = configs["run"]
        named = {"env": run.env, "llm": run.llm, "initial": run.initial}
        return cls(**named, **stages, llm_config=configs["llm"])

    def configs(self) -> dict[str, Any]:
        """A config per stage."""
        run = RunConfig(env=self.env, llm=self.llm, initial=self.initial)
        others = {name: getattr(self, name) for name in STAGES if name not in ("run", "llm")}
        return {"run": run, **others, "llm": self.llm_config}

    def for_training(self) -> Settings:
        """As they are while a memory learns: with the temperature of training."""
        warm = self.choice.training_temperature
        if warm is None:
            return self
        return dataclasses.replace(self, choice=replace(self.choice, temperature=warm))

    @property
    def new_initial(self) -> str:
        """What a new memory starts from."""
        return self.initial or find_env(self.env).default_initial


def build_env(settings: Settings) -> Any:
    """The environment, with its step limit."""
    return make_env(settings.env, max_steps=settings.rollout.max_steps)


def build_memory(
    settings: Settings,
    path: str | Path | None = None,
    *,
    must_exist: bool = False,
    read_only: bool = False,
) -> ExperienceMemory:
    """The memory in a file, or a new one in RAM; a new one starts from `settings.initial`.

    New is a memory to which nothing was ever committed. What it starts from is its first commit,
    with a note of what that is (`ExperienceMemory.origin`); if it is `read_only`, that stays in
    RAM. One that is not new keeps what it has.

    Raises
    ------
    ConfigError
        There is no such initial memory, or the file has started from another one.
    """
    records: tuple[Record, ...] | None = None
    if settings.initial is not None or path is None or not Path(path).exists():
        # Before a file is made.
        records = read_initial(settings.new_initial, settings.env)
    memory = ExperienceMemory.open(
        path,
        must_exist=must_exist,
        read_only=read_only,
        retrieval=settings.retrieval,
        capacity=settings.capacity,
        n_tables=_n_tables(settings, path, read_only),
    )
    with closed_on_failure(memory):
        if memory.is_new:
            source = settings.new_initial
            records = read_initial(source, settings.env) if records is None else records
            memory.begin(records, origin_of(source, records))
            if not read_only:
                memory.commit()
        elif settings.initial is not None and records is not None:
            check_origin(memory, settings.initial, records)
    return memory


def _n_tables(settings: Settings, path: str | Path | None, read_only: bool) -> int:
    """How many values an action has: for learning as the settings say, else as the file has it."""
    if read_only and path is not None:
        with History(path) as history:
            return history.n_tables
    return 2 if settings.rlem.double else 1


def initial_name(settings: Settings, memory: ExperienceMemory | None = None) -> str:
    """The initial memory that a run depends on: the memory's own, if that is known.

    >>> initial_name(Settings()), initial_name(Settings(initial="E1"))
    ('E0', 'E1')
    """
    origin = None if memory is None else memory.origin
    if origin is None and settings.initial is None and memory is not None:
        origin = origin_in(memory)
    return settings.new_initial if origin is None else str(origin["name"])


def build_llm(env: TextEnv, settings: Settings) -> LLM:
    """The LLM that the settings name; `llms.close` it when done."""
    return make_llm(
        settings.llm,
        profile=profile_of(env),
        config=settings.llm_config,
        offline=settings.offline,
    )


def build_agent(
    name: str,
    env: TextEnv,
    settings: Settings | None = None,
    *,
    memory: ExperienceMemory | None = None,
    seed: int = 0,
    llm: LLM | None = None,
    count_tokens: CountTokens | None = None,
) -> Agent:
    """An agent by name.

    Parameters
    ----------
    name : one of `AGENTS`; those beyond `OFFLINE_AGENTS` need a language model.
    memory : what the agent retrieves from and learns in, if it does; by default a new one.
    seed : draws the exemplars of "fixed_exemplars" from the initial records.
    llm : shared by several agents (its budget, what it found out of the server); by default a new
        one, from `settings`.
    count_tokens : text -> tokens, for the budgets of exemplars and prompt; by default the LLM's own
        count, where it has one, or an estimate.
    """
    settings, profile = settings or Settings(), profile_of(env)
    if name == "random":
        return RandomAgent(profile)
    if name not in AGENTS:
        raise ConfigError(f"no agent is named {name!r:.80}; known: {', '.join(AGENTS)}")
    llm = llm or build_llm(env, settings)
    count_tokens = count_tokens or token_counter(llm) or estimate_tokens
    asks: dict[str, Any] = {"prompt": settings.prompt, "count_tokens": count_tokens}
    if name in OFFLINE_AGENTS:
        asks["choice"] = settings.choice
    if name == "llm_only":
        return PromptingAgent(name, llm, profile, **asks)
    if name == "fixed_exemplars":
        source = _fixed_exemplars(settings, profile, memory, seed)
        return PromptingAgent(name, llm, profile, source, **asks)
    if name == "react":
        return ReActAgent(llm, profile, demonstration_of(_initial(settings, memory)), **asks)
    held = build_memory(settings) if memory is None else memory
    learns: dict[str, Any] = {"rlem": settings.rlem, **asks}
    if name == "reflexion":
        shown = demonstration_of(_initial(settings, memory))
        return ReflexionAgent(llm, profile, shown, memory=held, **learns)
    retrieves: dict[str, Any] = {"retrieval": settings.retrieval, "exemplar": settings.exemplar}
    make = rememberer if name == "rememberer" else RetrievalOnlyAgent
    return make(llm, profile, held, **retrieves, **learns)


def _fixed_exemplars(
    settings: Settings, profile: Profile, memory: ExperienceMemory | None, seed: int
) -> FixedExemplars:
    records = _initial(settings, memory)
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0)))
    n_exemplars = settings.retrieval.n_exemplars
    return FixedExemplars(fixed_exemplars(records, n_exemplars, profile, rng, settings.exemplar))


def _initial(settings: Settings, memory: ExperienceMemory | None) -> tuple[Record, ...]:
    """Initial records as such: those named, else those that the memory started from."""
    name = initial_name(settings, memory)
    if settings.initial is None and name in find_env(settings.env).initial:
        return read_initial(name, settings.env)
    return read_initial(settings.new_initial, settings.env)
