"""A training run noted with its memory: what was asked for, and how far it has come.

The note is written in the same transaction as each episode, so after a crash the two agree, and
`train(..., resume=True)` knows what is left to do. It goes on with the parameters that it was
begun with; others are refused, since the memory would be that of no run at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from rememberer_nb.agents.interface import Agent
from rememberer_nb.agents.telling import after_episodes, describe_agent
from rememberer_nb.config import RolloutConfig
from rememberer_nb.elements import Episode
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.episode import memory_of
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.outcome import Outcome
from rememberer_nb.system.plain import differences, plain

# Epoch, position in it, task number: what a training has to do.
Job = tuple[int, int, int]
OnEpisode = Callable[[Episode], None]
# Of what `describe_run` notes. 1 had no version, and neither the LLM's settings nor the exemplars.
PARAMETERS_VERSION = 2


class RunEpisodes(Sequence[Episode]):
    """The episodes of a run that was resumed; what was done before is read when it is asked for.

    Parameters
    ----------
    memory : holds the earlier ones, and must be open for them to be read.
    first, n_earlier : how many episodes it held before the run; how many of the run's come then.

    It equals any sequence of equal episodes.
    """

    def __init__(self, memory: ExperienceMemory, first: int, n_earlier: int):
        self._memory, self._first, self._n_earlier = memory, first, n_earlier
        self._earlier = list(islice(memory.outcomes(first), n_earlier))
        self._later: list[Episode] = []

    def append(self, episode: Episode) -> None:
        """Add one that was done now."""
        self._later.append(episode)

    def __len__(self) -> int:
        return self._n_earlier + len(self._later)

    def __iter__(self) -> Iterator[Episode]:
        yield from islice(self._memory.each_episode(self._first), self._n_earlier)
        yield from self._later

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(len(self))[place]]
        number = range(len(self))[place]
        if number < self._n_earlier:
            return self._memory.episode(self._first + number + 1)
        return self._later[number - self._n_earlier]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return NotImplemented
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    @property
    def outcomes(self) -> list[Outcome]:
        """All of them in numbers."""
        return [*self._earlier, *map(Outcome.of, self._later)]


def outcomes_of(episodes: Sequence[Episode]) -> list[Outcome]:
    """Episodes in numbers; none is read for it."""
    if isinstance(episodes, RunEpisodes):
        return episodes.outcomes
    return [Outcome.of(episode) for episode in episodes]


Episodes = list[Episode] | RunEpisodes
OnResumed = Callable[[RunEpisodes], None]


@dataclass(slots=True)
class TrainingRun:
    """A run under way.

    Parameters
    ----------
    parameters : plain values that JSON holds; see `describe_run`.
    first_episode, first_update : how many episodes the memory held, and updates its log, before.
        The second stands in the ids of the run's episodes ("...@412"; a first run needs none), so
        that no two runs of a memory have the same.
    episodes : the run's so far, in the order in which they were learnt.
    """

    parameters: dict[str, Any] | None
    first_episode: int
    first_update: int
    episodes: Episodes = field(default_factory=list)

    def note(self, n_more: int = 0, *, is_finished: bool = False) -> dict[str, Any]:
        """What `ExperienceMemory.commit` writes with `n_more` episodes."""
        return {
            "parameters": self.parameters,
            "first_episode": self.first_episode,
            "first_update": self.first_update,
            "n_done": len(self.episodes) + n_more,
            "is_finished": is_finished,
        }


def describe_run(
    env_name: str,
    agent: Agent,
    tasks: Sequence[int],
    seed: int,
    config: RolloutConfig,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that a run's outcome depends on, as it will be read back; and `more`.

    Raises
    ------
    ConfigError : the agent does not describe itself, or not by plain values.
    """
    memory = memory_of(agent)
    return dict(
        plain(
            {
                "version": PARAMETERS_VERSION,
                "env": env_name,
                "agent": describe_agent(agent),
                "memory": {} if memory is None else _describe_memory(memory),
                "tasks": [int(task) for task in tasks],
                "seed": int(seed),
                "rollout": config,
                **(more or {}),
            }
        )
    )


def _describe_memory(memory: ExperienceMemory) -> dict[str, Any]:
    # What stands in for a page that is not in memory is found by its own similarities.
    names = ("task_weight", "task_similarity", "observation_similarity")
    retrieval = {name: getattr(memory.retrieval, name) for name in names}
    return {"retrieval": retrieval, "capacity": memory.capacity}


def begin_run(
    memory: ExperienceMemory, parameters: dict[str, Any] | None, *, resume: bool = False
) -> TrainingRun:
    """A new run, noted at once, or the one that the memory holds; without parameters none is noted.

    The memory is locked, before any work, and any money, is spent. A memory without a run, and
    without anything learnt, begins one on `resume` too: so the same command starts a job and takes
    it up again. More epochs than before are allowed.

    Raises
    ------
    ConfigError
        There is no run to resume, its parameters differ, or something else was learnt since.
    """
    memory.lock()
    noted = memory.run
    if parameters is None:
        return TrainingRun(None, memory.n_episodes, memory.n_updates)
    if resume and noted is None and memory.n_updates > memory.log_start:
        raise ConfigError("cannot resume: the memory holds no training run")
    if not resume or noted is None:
        run = TrainingRun(parameters, memory.n_episodes, memory.n_updates)
        memory.commit(run=run.note())
        return run
    _check_same(noted["parameters"], parameters)
    first, n_done = int(noted["first_episode"]), int(noted["n_done"])
    if memory.n_episodes != first + n_done:
        raise ConfigError("cannot resume: the memory has learnt from other episodes since")
    if memory.has_changes:
        raise ConfigError("cannot resume: the memory holds changes that were not committed")
    # Earlier versions noted none, and told no runs apart.
    episodes: Episodes = RunEpisodes(memory, first, n_done) if n_done else []
    return TrainingRun(parameters, first, int(noted.get("first_update", 0)), episodes)


def batches(
    tasks: Sequence[int], config: RolloutConfig, solved: Mapping[int, int]
) -> Iterator[list[Job]]:
    """The jobs of a training; `solved` (task -> epoch) grows, and counts in the epochs to come."""
    for epoch in range(config.n_epochs):
        skipped: frozenset[int] = frozenset()
        if config.skip_successes:
            skipped = frozenset(task for task, when in solved.items() if when < epoch)
        due = [(epoch, i, task) for i, task in enumerate(tasks) if task not in skipped]
        size = config.batch_size or 1
        yield from (due[i : i + size] for i in range(0, len(due), size))


@dataclass(slots=True)
class KeptEpisodes:
    """Episodes that were learnt from: committed, and announced."""

    agent: Agent
    run: TrainingRun | None
    on_episode: OnEpisode | None
    on_resumed: OnResumed | None = None
    episodes: Episodes = field(default_factory=list)
    solved: dict[int, int] = field(default_factory=dict)

    def take_up(self) -> set[tuple[int, int]]:
        """Announce what was done before; (epoch, position) of each."""
        if self.run is not None:
            self.episodes = self.run.episodes
        if not isinstance(self.episodes, RunEpisodes):
            return set()
        for outcome in self.episodes.outcomes:
            self._count(outcome)
        if self.on_resumed is not None:
            self.on_resumed(self.episodes)
        elif self.on_episode is not None:
            for episode in self.episodes:
                self.on_episode(episode)
        return {(outcome.epoch, outcome.position) for outcome in self.episodes.outcomes}

    def add(self, episodes: Sequence[Episode]) -> None:
        """Commit them together, with what the agent has to say of them."""
        episodes, stop = after_episodes(self.agent, episodes)
        memory = memory_of(self.agent)
        if memory is not None and self.run is not None:
            is_noted = self.run.parameters is not None
            note = self.run.note(len(episodes)) if is_noted else None
            memory.commit(*(episodes if is_noted else ()), run=note)
        for episode in episodes:
            self._count(Outcome.of(episode))
            self.episodes.append(episode)
            if self.on_episode is not None:
                self.on_episode(episode)
        if stop is not None:
            raise stop

    def finish(self) -> None:
        """Note that the run is over."""
        memory = memory_of(self.agent)
        if memory is not None and self.run is not None and self.run.parameters is not None:
            memory.commit(run=self.run.note(is_finished=True))

    def _count(self, outcome: Outcome) -> None:
        if outcome.is_success:
            self.solved.setdefault(outcome.task, outcome.epoch)


def _check_same(noted: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    if noted.get("version") != PARAMETERS_VERSION:
        raise ConfigError(
            "cannot resume: the run was begun by another version of this package, which noted "
            "other parameters than this one compares; finish it with that version, or train on "
            "from its memory as a new run"
        )
    n_epochs = asked["rollout"]["n_epochs"]
    if n_epochs >= noted["rollout"]["n_epochs"]:
        noted = {**noted, "rollout": {**noted["rollout"], "n_epochs": n_epochs}}
    if different := differences(noted, asked):
        raise ConfigError("cannot resume: the run was begun with other " + "; ".join(different))
