"""One episode: an agent acts, its memory learns, every decision is kept.

Randomness: every episode derives its generators from (seed, epoch, position in the epoch, task
number), so an episode gives the same result alone, resumed, or beside others.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from rememberer_nb.agents.interface import Agent
from rememberer_nb.elements import Decision, Episode, Situation, Step, StepRandom, Task, Transition
from rememberer_nb.envs.profile import TextEnv, profile_of
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import EpisodeLearner

EVALUATION_EPOCH = -1


@dataclass(frozen=True, slots=True)
class EpisodeRandom:
    """The randomness of one episode, in streams that do not disturb one another.

    Agents that draw differently (for synthetic advice, say) still make the same LLM calls with the
    same seeds, so their episodes are paired. `learning` is what the memory draws from, at every
    step or, with the same draws, in a batch.
    """

    env_seed: int
    calls: np.random.Generator
    choices: np.random.Generator
    learning: np.random.Generator

    @classmethod
    def derive(cls, seed: int, epoch: int, position: int, task_number: int) -> EpisodeRandom:
        """From the run's seed, the epoch (-1: evaluation), the position in it, and the task.

        >>> one, two = (EpisodeRandom.derive(0, 1, 2, 500) for _ in range(2))
        >>> one.env_seed == two.env_seed
        True
        """
        # Entropy must not be negative: evaluation's epoch -1 becomes 0.
        root = np.random.SeedSequence((seed, epoch + 1, position, task_number))
        env, calls, choices, learning = (np.random.default_rng(child) for child in root.spawn(4))
        return cls(int(env.integers(2**31)), calls, choices, learning)

    def next_step(self) -> StepRandom:
        """The randomness of the next step."""
        return StepRandom(int(self.calls.integers(2**31)), self.choices)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which attempt at which task: what an episode's randomness and its id derive from.

    Parameters
    ----------
    task : the task's number in the environment.
    seed, epoch, position : the run's seed, its pass over the tasks (-1: evaluation), the
        place in it.
    run : tells the episodes of a memory's training runs apart: how many updates the memory had
        learnt when the run began (`runs.TrainingRun`); 0 in evaluation.
    """

    task: int
    seed: int = 0
    epoch: int = EVALUATION_EPOCH
    position: int = 0
    run: int = 0

    def random(self) -> EpisodeRandom:
        """The episode's generators."""
        return EpisodeRandom.derive(self.seed, self.epoch, self.position, self.task)

    def episode_id(self, agent: str, task_id: str) -> str:
        """Unique among the episodes that a memory learns from.

        >>> Attempt(500, epoch=1, run=412).episode_id("rememberer", "500")
        'rememberer/0/1/0/500@412'
        """
        place = f"{agent}/{self.seed}/{self.epoch}/{self.position}/{task_id}"
        return f"{place}@{self.run}" if self.run else place


def run_episode(
    env: TextEnv,
    agent: Agent,
    task: int,
    *,
    seed: int = 0,
    epoch: int = EVALUATION_EPOCH,
    position: int = 0,
    learn: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> Episode:
    """One attempt at a task, every decision kept.

    Parameters
    ----------
    env : the environment; its time limit is what truncates.
    task, seed, epoch, position : see `Attempt`.
    learn : whether the agent's memory learns (training) or stays as it is (evaluation). An episode
        that is cut short (Ctrl-C, an error) is taken back, and nothing else.
    on_step : called after each step, for live views.
    """
    memory = memory_of(agent) if learn else None
    run = 0 if memory is None else memory.n_updates
    return play(env, agent, Attempt(task, seed, epoch, position, run), learn=learn, on_step=on_step)


def play(
    env: TextEnv,
    agent: Agent,
    attempt: Attempt,
    *,
    learn: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> Episode:
    """As `run_episode`, for an attempt of a run."""
    memory, random = memory_of(agent) if learn else None, attempt.random()
    observation, info = env.reset(seed=random.env_seed, options={"task": attempt.task})
    task: Task = info["task"]
    episode_id = attempt.episode_id(agent.name, task.task_id)
    learner = None
    if memory is not None:
        learner = EpisodeLearner(memory, task.text, episode_id, agent.rlem, random.learning)
    steps: list[Step] = []
    with all_or_nothing(memory):
        while not steps or not (steps[-1].terminated or steps[-1].truncated):
            taken = tuple(step.action for step in steps)
            actions = info["available_actions"]
            situation = Situation(task, observation, actions, taken, tuple(steps))
            decision = agent.decide(situation, random.next_step())
            step, observation, info = _act(env, situation, decision, info, learner)
            steps.append(step)
            if on_step is not None:
                on_step(step)
    return Episode(
        episode_id, profile_of(env).name, agent.name, task, tuple(steps), observation,
        is_success=bool(info.get("is_success", False)),
        seed=attempt.seed,
        epoch=attempt.epoch,
        metadata={"position": attempt.position},
    )  # fmt: skip


def all_or_nothing(memory: ExperienceMemory | None) -> AbstractContextManager[None]:
    """What is cut short inside leaves the memory, if there is one, as it was before."""
    return nullcontext() if memory is None else memory.all_or_nothing()


def memory_of(agent: Agent) -> ExperienceMemory | None:
    """What the agent learns in, None if it does not learn.

    Raises
    ------
    ConfigError : it is no `ExperienceMemory`, so nothing can be learnt in it.
    """
    memory = agent.memory
    if memory is None or isinstance(memory, ExperienceMemory):
        return memory
    raise ConfigError(f"{agent.name} learns in a {type(memory).__name__}, not an ExperienceMemory")


def _act(
    env: TextEnv,
    situation: Situation,
    decision: Decision,
    info: dict[str, Any],
    learner: EpisodeLearner | None,
) -> tuple[Step, str, dict[str, Any]]:
    """Take the action, and learn what can be learnt by now; the step and what is seen next."""
    after, reward, terminated, truncated, next_info = env.step(decision.action)
    transition = Transition(
        situation.observation, decision.action, float(reward), after,
        terminated=terminated,
        truncated=truncated and not terminated,
        rationale=decision.rationale,
        available_actions=situation.available_actions,
    )  # fmt: skip
    step = Step(
        len(situation.steps), situation.observation, situation.available_actions,
        info.get("page_type", ""), decision, transition.reward,
        terminated=transition.terminated,
        truncated=transition.truncated,
        updates=() if learner is None else learner.observe(transition),
    )  # fmt: skip
    return step, after, next_info
