"""RLEM: n-step Q-learning on the experience memory (paper, section 3.2).

`plan_targets` and `n_step_return` are pure; `EpisodeLearner` follows an episode as it happens and
makes the updates. For transition i of an episode o_0, (a_0, r_0, o_1), ..., o_T:

    target = Σ_{k<n} γ^k r_{i+k} + γ^n · max_a Q(g, o_{i+n}, a)

as soon as o_{i+n} is seen and is not the last observation. At the end, what is left gets the plain
discounted sum of the remaining rewards if the episode *terminated*; if a step limit *truncated* it,
the last observation is bootstrapped from, unless `bootstrap_truncated` is off.

Two named alternatives to the paper's choices:

- `stand_in="kernel"`: where o_{i+n} is not in memory, the values of its k nearest records, each
  weighted by its similarity, take the place of the nearest one's. Source: Neural Episodic Control
  (Pritzel et al. 2017, arXiv 1703.01988, section 3.1), after Model-Free Episodic Control (Blundell
  et al. 2016, arXiv 1606.04460), which weights all k alike.
- `initial_q`, `initial_visits`: a new action starts from an optimistic value, which counts for some
  visits of a running mean. Source: Sutton and Barto 2018, section 2.6.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rememberer_nb.config import RlemConfig
from rememberer_nb.elements import ActionValue, Hit, Record, Transition, Update
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.memory import ExperienceMemory


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


Shares = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class _Source:
    """What was bootstrapped from: nothing, a record, or several that stand in together."""

    value: float | None = None
    record_id: int | None = None
    is_stand_in: bool = False
    shares: Shares = ()


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
    >>> memory = ExperienceMemory()
    >>> learner = EpisodeLearner(memory, "g", "e0", RlemConfig(gamma=0.5, n_step=1))
    >>> [u.target for u in learner.observe(Transition("o0", "a", 0.0, "o1"))]
    [0.0]
    >>> [u.target for u in learner.observe(Transition("o1", "b", 1.0, "end", terminated=True))]
    [1.0]
    """

    def __init__(
        self,
        memory: ExperienceMemory,
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
        n_seen = len(self._transitions)
        self._is_over = transition.terminated or transition.truncated
        if self._is_over:
            bootstrap_last = transition.truncated and self.config.bootstrap_truncated
            plan = plan_targets(n_seen, self.config.n_step, bootstrap_last=bootstrap_last)
            return self._learn(plan[self._n_learnt :])
        n = self.config.n_step
        if n is None or n_seen < n:
            return ()
        # The observation just seen is o_{i+n}, and the episode goes on from it.
        return self._learn((PlannedTarget(n_seen - n, n_seen, True),))

    def _learn(self, plan: Sequence[PlannedTarget]) -> tuple[Update, ...]:
        updates = tuple(self._update(target) for target in plan)
        self._n_learnt += len(plan)
        return updates

    def _update(self, plan: PlannedTarget) -> Update:
        memory, config = self.memory, self.config
        transition = self._transitions[plan.step]
        record_id, value = self._visited(transition)
        table = self._choose_table(value.n_visits)
        rewards = tuple(t.reward for t in self._transitions[plan.step : plan.stop])
        target = n_step_return(rewards, config.gamma)
        source = _Source()
        if plan.is_bootstrapped:
            after = self._transitions[plan.stop - 1].next_observation
            source = self._source(after, table, record_id)
            assert source.value is not None
            target += config.gamma ** len(rewards) * source.value
        q_before, n_before = value.tables[table]
        rate = config.learning_rate or 1 / (n_before + 1 + config.initial_visits)
        update = Update(
            update_id=memory.n_updates,
            episode_id=self.episode_id,
            step=plan.step,
            record_id=record_id,
            action=transition.action,
            table=table,
            rewards=rewards,
            gamma=config.gamma,
            bootstrap_value=source.value,
            bootstrap_record_id=source.record_id,
            is_stand_in=source.is_stand_in,
            target=target,
            learning_rate=rate,
            q_before=q_before,
            q_after=q_before + rate * (target - q_before),
            n_visits=n_before + 1,
            bootstrap_sources=source.shares,
        )
        memory.apply(update, transition.reward)
        return update

    def _visited(self, transition: Transition) -> tuple[int, ActionValue]:
        """The record of o_i and its value of a_i, made if they are new.

        The visited action exists (with q = 0 in the paper) before the maximum is taken, so that a
        state that leads to itself bootstraps from at least that.
        """
        memory = self.memory
        record_id = memory.insert(self.task, transition.observation, transition.available_actions)
        q_value = self.config.initial_q
        memory.add_action(record_id, transition.action, transition.rationale, q_value=q_value)
        value = memory.record(record_id).value_of(transition.action)
        assert value is not None
        return record_id, value

    def _source(self, observation: str, table: int, visited_id: int) -> _Source:
        """The value of o_{i+n}, or of what is most similar to it and stands in for it.

        Of equally similar records the one with more visits stands in, and the visit that is being
        learnt counts already.
        """
        record = self.memory.find(self.task, observation)
        if record is not None:
            return _Source(_bootstrap_value(record, table), record.record_id)
        n = self.config.n_neighbours if self.config.stand_in == "kernel" else 1
        with self.memory.visiting(visited_id):
            hits = list(itertools.islice(self.memory.retrieve(self.task, observation, n), n))
        nearest = hits[0].record
        if len(hits) == 1:
            return _Source(_bootstrap_value(nearest, table), nearest.record_id, True)
        value, shares = kernel_value(hits, table)
        return _Source(value, nearest.record_id, True, shares)

    def _choose_table(self, n_visits: int) -> int:
        if self.memory.n_tables == 1:
            return 0
        if self.config.table_choice == "random":
            return int(self._rng.integers(2))
        return n_visits % 2


def kernel_value(hits: Sequence[Hit], table: int = 0) -> tuple[float, Shares]:
    """Σ_k w_k · max_a Q_k, with weights in proportion to the hits' totals (NEC, equation 3).

    Returns the value and the weight of each record; all are alike if nothing is similar at all.

    Examples
    --------
    >>> from rememberer_nb.elements import ActionValue
    >>> records = [Record(i, "g", "o", (), (ActionValue("a", q, 1),)) for i, q in enumerate((1, 0))]
    >>> hits = [Hit(0, 0.75, 1, 0.5, records[0]), Hit(1, 0.25, 0, 0.5, records[1])]
    >>> kernel_value(hits)
    (0.75, ((0, 0.75), (1, 0.25)))
    """
    total = sum(hit.total for hit in hits)
    weights = [hit.total / total if total > 0 else 1 / len(hits) for hit in hits]
    values = [_bootstrap_value(hit.record, table) for hit in hits]
    shares = tuple((hit.record.record_id, w) for hit, w in zip(hits, weights, strict=True))
    return float(sum(w * q for w, q in zip(weights, values, strict=True))), shares


def _bootstrap_value(record: Record, table: int) -> float:
    """max_a Q; with two tables the updated one chooses the action and the other values it."""
    if not record.action_values or len(record.action_values[0].tables) < 2:
        return record.max_q
    chosen = min(record.action_values, key=lambda v: (-v.tables[table][0], v.action))
    return chosen.tables[1 - table][0]


def learn_episode(
    memory: ExperienceMemory,
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
    _check_whole(steps, episode_id)
    learner = EpisodeLearner(memory, task, episode_id, config, rng)
    return tuple(update for t in steps for update in learner.observe(t))


def _check_whole(steps: Sequence[Transition], episode_id: str) -> None:
    last = len(steps) - 1
    for number, step in enumerate(steps):
        has_ended = step.terminated or step.truncated
        if has_ended == (number == last):
            continue
        where = f"transition {number} of 0 to {last}"
        problem = f"{where} ends the episode, which goes on"
        if not has_ended:
            problem = (
                f"{where} is the last one and neither terminated nor truncated: mark the last "
                "transition of a log that was broken off as truncated"
            )
        raise DataError(problem, field=f"episode {episode_id!r}")
