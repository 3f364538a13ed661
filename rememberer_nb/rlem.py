"""RLEM: n-step Q-learning on the experience memory (paper, section 3.2, equations 2 to 4).

For transition i of an episode o_0, (a_0, r_0, o_1), ..., o_T of task g,

    target = Σ_{k<n} γ^k r_{i+k} + γ^n · max_a Q(g, o_{i+n}, a)
    Q(g, o_i, a_i) ← Q + α · (target − Q)        with α = 1/N, N visits with this one, or constant

as soon as o_{i+n} is seen and is not the last observation. At the end, what is left gets the plain
discounted sum of the remaining rewards if the episode *terminated*; if a step limit *truncated* it,
the last observation is bootstrapped from, unless `bootstrap_truncated` is off. Where o_{i+n} is not
in memory, the most similar record is its proxy.

Everything that is learnt is worked out here; a memory keeps what it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rememberer_nb.config import RlemConfig
from rememberer_nb.elements import ActionValue, Hit, Record, Transition, Update
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.retrieval.shares import similarity_shares


class LearningMemory(Protocol):
    """What RLEM asks of a memory: `rememberer_nb.memory.ExperienceMemory` has it."""

    n_tables: int

    @property
    def n_updates(self) -> int:
        """Updates kept so far; the id of the next one."""
        ...

    def visit(self, task: str, transition: Transition, initial_q: float = 0.0) -> Record:
        """The record of (g, o_i) with a_i among its actions; a new action is not kept yet."""
        ...

    def find(self, task: str, observation: str) -> Record | None:
        """The record at exactly (g, o), or None."""
        ...

    def proxies(self, visited: Record, observation: str, n: int) -> list[Hit]:
        """The n records most similar to (g, o); of equals the most visited, this visit counted."""
        ...

    def keep(self, record: Record, update: Update) -> None:
        """Hold what was learnt, and log how."""
        ...


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """The target of transition `step`: rewards [step, stop), then Q at o_stop or nothing."""

    step: int
    stop: int
    is_bootstrapped: bool


def n_step_return(rewards: Sequence[float], gamma: float) -> float:
    """G^(n) = Σ_k γ^k r_k.

    >>> n_step_return([0.0, 0.0, 1.0], gamma=0.5)
    0.25
    """
    return float(sum(gamma**k * reward for k, reward in enumerate(rewards)))


def plan_targets(
    n_steps: int, n_step: int | None, *, bootstrap_last: bool = False
) -> tuple[PlannedTarget, ...]:
    """The targets of a whole episode, in the order in which they are learnt.

    Parameters
    ----------
    n_steps : T, the number of transitions.
    n_step : n, or None for all remaining rewards.
    bootstrap_last : whether the last observation o_T is bootstrapped from (truncated episodes).

    Examples
    --------
    >>> for target in plan_targets(3, 2): print(target)
    PlannedTarget(step=0, stop=2, is_bootstrapped=True)
    PlannedTarget(step=1, stop=3, is_bootstrapped=False)
    PlannedTarget(step=2, stop=3, is_bootstrapped=False)
    """
    n = n_steps if n_step is None else n_step
    return tuple(
        PlannedTarget(step, min(step + n, n_steps), step + n < n_steps or bootstrap_last)
        for step in range(n_steps)
    )


def bootstrap_value(record: Record, table: int = 0) -> float:
    """max_a Q(g, o, a); with two tables, the updated one chooses a and the other one values it.

    >>> bootstrap_value(Record(0, "g", "o", (), (ActionValue("a", 0.5, 1), ActionValue("b", 0, 1))))
    0.5
    """
    if not record.action_values or len(record.action_values[0].tables) < 2:
        return record.max_q
    chosen = min(record.action_values, key=lambda v: (-v.tables[table][0], v.action))
    return chosen.tables[1 - table][0]


def learnt(value: ActionValue, update: Update, reward: float) -> ActionValue:
    """What an update makes of a value: its table, the mean of the visited tables, the counts.

    >>> update = Update(7, "e", 0, 0, "a", 0, (1.0,), 1.0, None, None, False, 1.0, 0.5, 0.0, 0.5, 2)
    >>> after = learnt(ActionValue("a", 0.0, 1, reward=0.0, tables=((0.0, 1),)), update, reward=1.0)
    >>> after.q_value, after.n_visits, after.reward, after.last_update
    (0.5, 2, 0.5, 7)
    """
    tables = list(value.tables)
    tables[update.table] = (update.q_after, update.n_visits)
    visited = [q for q, n in tables if n]
    n_visits = sum(n for _, n in tables)
    return replace(
        value,
        q_value=sum(visited) / len(visited),
        n_visits=n_visits,
        reward=value.reward + (reward - value.reward) / n_visits,
        tables=tuple(tables),
        first_update=update.update_id if value.first_update is None else value.first_update,
        last_update=update.update_id,
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """What is bootstrapped from: nothing, a record, or proxies with their shares."""

    value: float = 0.0
    record_id: int | None = None
    is_proxy: bool = False
    shares: tuple[tuple[int, float], ...] = ()


_NOTHING = _Source()


class EpisodeLearner:
    """Learns from one episode, transition by transition.

    Parameters
    ----------
    memory : the memory to learn in.
    task : the task's text g.
    episode_id : for the update log.
    config : γ, n, α and the switches.
    rng : only used by double Q-learning with `table_choice="random"`.

    Examples
    --------
    >>> from rememberer_nb.memory import ExperienceMemory
    >>> learner = EpisodeLearner(ExperienceMemory(), "g", "e0", RlemConfig(gamma=0.5, n_step=1))
    >>> [u.target for u in learner.observe(Transition("o0", "a", 0.0, "o1"))]
    [0.0]
    >>> [u.target for u in learner.observe(Transition("o1", "b", 1.0, "end", terminated=True))]
    [1.0]
    """

    def __init__(
        self,
        memory: LearningMemory,
        task: str,
        episode_id: str,
        config: RlemConfig | None = None,
        rng: np.random.Generator | None = None,
    ):
        self.memory = memory
        self.task = task
        self.episode_id = episode_id
        self.config = config or RlemConfig()
        self._rng = rng if rng is not None else np.random.default_rng(0)
        self._transitions: list[Transition] = []
        self._n_learnt = 0
        self._is_over = False
        if self.config.double != (memory.n_tables == 2):
            raise ConfigError(
                f"RlemConfig.double is {self.config.double}, but the memory keeps "
                f"{memory.n_tables} value(s) per action"
            )

    def observe(self, transition: Transition) -> tuple[Update, ...]:
        """Take in (o_t, a_t, r_t, o_{t+1}) and make the updates that have become possible."""
        if self._is_over:
            raise ValueError(f"episode {self.episode_id} is over: start a new learner")
        self._transitions.append(transition)
        n, n_seen = self.config.n_step, len(self._transitions)
        self._is_over = transition.terminated or transition.truncated
        plan: tuple[PlannedTarget, ...] = ()
        if self._is_over:
            bootstrap_last = transition.truncated and self.config.bootstrap_truncated
            plan = plan_targets(n_seen, n, bootstrap_last=bootstrap_last)[self._n_learnt :]
        elif n is not None and n_seen >= n:
            # The observation just seen is o_{i+n}, and the episode goes on from it.
            plan = (PlannedTarget(n_seen - n, n_seen, True),)
        self._n_learnt += len(plan)
        return tuple(self._update(target) for target in plan)

    def _update(self, plan: PlannedTarget) -> Update:
        memory, config = self.memory, self.config
        transition = self._transitions[plan.step]
        # The visited action exists before the maximum is taken, so that a state that leads to
        # itself bootstraps from at least its initial value.
        visited = memory.visit(self.task, transition, config.initial_q)
        value = visited.value_of(transition.action)
        assert value is not None
        table = self._choose_table(value.n_visits)
        q_before, n_before = value.tables[table]

        rewards = tuple(t.reward for t in self._transitions[plan.step : plan.stop])
        target = n_step_return(rewards, config.gamma)
        source = _NOTHING
        if plan.is_bootstrapped:
            after = self._transitions[plan.stop - 1].next_observation
            source = self._source(visited, after, table)
            target += config.gamma ** len(rewards) * source.value
        rate = config.learning_rate or 1 / (n_before + 1 + config.initial_visits)
        q_after = q_before + rate * (target - q_before)

        update = Update(
            memory.n_updates, self.episode_id, plan.step, visited.record_id, transition.action,
            table, rewards, config.gamma,
            bootstrap_value=source.value if plan.is_bootstrapped else None,
            bootstrap_record_id=source.record_id,
            is_stand_in=source.is_proxy,
            target=target,
            learning_rate=rate,
            q_before=q_before,
            q_after=q_after,
            n_visits=n_before + 1,
            bootstrap_sources=source.shares,
        )  # fmt: skip
        memory.keep(visited.with_value(learnt(value, update, transition.reward)), update)
        return update

    def _source(self, visited: Record, observation: str, table: int) -> _Source:
        """The value of o_{i+n}: of its record, or of its proxies, each with its share."""

        def value_of(record: Record) -> float:
            is_visited = record.record_id == visited.record_id
            return bootstrap_value(visited if is_visited else record, table)

        found = self.memory.find(self.task, observation)
        if found is not None:
            return _Source(value_of(found), found.record_id)
        n = self.config.n_neighbours if self.config.stand_in == "kernel" else 1
        hits = self.memory.proxies(visited, observation, n)
        shares = similarity_shares(hits)
        value = float(sum(w * value_of(hit.record) for w, hit in zip(shares, hits, strict=True)))
        nearest = hits[0].record.record_id
        if len(hits) == 1:
            return _Source(value, nearest, True)
        ids = (hit.record.record_id for hit in hits)
        return _Source(value, nearest, True, tuple(zip(ids, shares, strict=True)))

    def _choose_table(self, n_visits: int) -> int:
        if self.memory.n_tables == 1:
            return 0
        if self.config.table_choice == "random":
            return int(self._rng.integers(2))
        return n_visits % 2


def learn_episode(
    memory: LearningMemory,
    task: str,
    transitions: Iterable[Transition],
    *,
    episode_id: str = "",
    config: RlemConfig | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[Update, ...]:
    """Learn from a finished episode (off-policy: any agent's, or a log).

    The last transition, and no other, must be terminated or truncated. Nothing is committed; of no
    transitions nothing is learnt.

    Raises
    ------
    DataError : the episode has no ending, or goes on after it. Nothing was stored.
    """
    steps = tuple(transitions)
    _check_whole(steps, f"episode {episode_id!r}")
    learner = EpisodeLearner(memory, task, episode_id, config, rng)
    return tuple(update for t in steps for update in learner.observe(t))


def _check_whole(steps: Sequence[Transition], episode: str) -> None:
    last = len(steps) - 1
    for number, step in enumerate(steps):
        has_ended = step.terminated or step.truncated
        where = f"transition {number} of 0 to {last}"
        if has_ended and number < last:
            raise DataError(f"{where} ends the episode, which goes on", field=episode)
        if not has_ended and number == last:
            raise DataError(
                f"{where} is the last one and neither terminated nor truncated: mark the last "
                "transition of a log that was broken off as truncated",
                field=episode,
            )
