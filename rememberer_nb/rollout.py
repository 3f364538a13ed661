"""Episodes: run one, train over tasks, evaluate with the memory frozen.

Randomness: every episode derives its generators from (seed, epoch, position in the epoch, task
number), so an episode gives the same result alone, resumed, or beside others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from tqdm.auto import tqdm

from rememberer_nb.agents import Agent, Situation, StepRandom
from rememberer_nb.config import RolloutConfig
from rememberer_nb.elements import Decision, Episode, Step, Task, Transition, Update
from rememberer_nb.envs.profile import Profile
from rememberer_nb.rlem import EpisodeLearner

EVALUATION_EPOCH = -1


class TextEnv(Protocol):
    """What an environment must offer: a `gymnasium.Env` with text observations.

    `info` carries `task`, `available_actions`, `page_type` and `is_success`.
    """

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start the task `options["task"]`; returns (observation, info)."""
        ...

    def step(self, action: str) -> Any:
        """Returns (observation, reward, terminated, truncated, info)."""
        ...


@dataclass(frozen=True, slots=True)
class EpisodeRandom:
    """The randomness of one episode, in streams that do not disturb one another.

    Agents that draw differently (for synthetic advice, say) still make the same LLM calls with the
    same seeds, so their episodes are paired.
    """

    env_seed: int
    calls: np.random.Generator
    choices: np.random.Generator

    @classmethod
    def derive(cls, seed: int, epoch: int, position: int, task_number: int) -> EpisodeRandom:
        """From the run's seed, the epoch (-1: evaluation), the position in it, and the task.

        >>> one, two = (EpisodeRandom.derive(0, 1, 2, 500) for _ in range(2))
        >>> one.env_seed == two.env_seed
        True
        """
        # Entropy must not be negative: evaluation's epoch -1 becomes 0.
        root = np.random.SeedSequence((seed, epoch + 1, position, task_number))
        env, calls, choices = (np.random.default_rng(child) for child in root.spawn(3))
        return cls(int(env.integers(2**31)), calls, choices)

    def next_step(self) -> StepRandom:
        """The randomness of the next step."""
        return StepRandom(int(self.calls.integers(2**31)), self.choices)


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
    task : the task's number in the environment.
    seed, epoch, position : what the episode's randomness derives from.
    learn : whether the agent's memory learns (training) or stays as it is (evaluation).
    on_step : called after each step, for live views.
    """
    random = EpisodeRandom.derive(seed, epoch, position, task)
    observation, info = env.reset(seed=random.env_seed, options={"task": task})
    goal: Task = info["task"]
    episode_id = f"{agent.name}/{seed}/{epoch}/{position}/{goal.task_id}"
    learner = None
    if learn and agent.memory is not None:
        learner = EpisodeLearner(agent.memory, goal.text, episode_id, agent.rlem, random.choices)
    steps: list[Step] = []
    is_over = False
    while not is_over:
        situation = Situation(
            goal, observation, info["available_actions"], tuple(step.action for step in steps)
        )
        decision = agent.decide(situation, random.next_step())
        step, observation, info = _take(env, situation, decision, info, len(steps), learner)
        steps.append(step)
        if on_step is not None:
            on_step(step)
        is_over = step.terminated or step.truncated
    return Episode(
        episode_id=episode_id,
        env=profile_of(env).name,
        agent=agent.name,
        task=goal,
        steps=tuple(steps),
        final_observation=observation,
        is_success=bool(info.get("is_success", False)),
        seed=seed,
        epoch=epoch,
    )


def _take(
    env: TextEnv,
    situation: Situation,
    decision: Decision,
    info: dict[str, Any],
    index: int,
    learner: EpisodeLearner | None,
) -> tuple[Step, str, dict[str, Any]]:
    after, reward, terminated, truncated, next_info = env.step(decision.action)
    truncated = truncated and not terminated
    updates: tuple[Update, ...] = ()
    if learner is not None:
        updates = learner.observe(
            Transition(
                observation=situation.observation,
                action=decision.action,
                reward=float(reward),
                next_observation=after,
                terminated=terminated,
                truncated=truncated,
                rationale=decision.rationale,
                available_actions=situation.available_actions,
                is_invalid=decision.error is not None,
            )
        )
    step = Step(
        index=index,
        observation=situation.observation,
        available_actions=situation.available_actions,
        page_type=info.get("page_type", ""),
        decision=decision,
        reward=float(reward),
        terminated=terminated,
        truncated=truncated,
        updates=updates,
    )
    return step, after, next_info


@dataclass(frozen=True, slots=True)
class Progress:
    """How a loop shows its progress: a bar on standard error, or none."""

    is_shown: bool = True

    def over(self, items: Iterable[Any], n_items: int, label: str) -> Iterable[Any]:
        """The items, with a bar."""
        return tqdm(items, total=n_items, desc=label, disable=not self.is_shown, leave=False)


def train(
    env: TextEnv,
    agent: Agent,
    tasks: Sequence[int],
    *,
    seed: int = 0,
    config: RolloutConfig | None = None,
    keep_episodes: bool = True,
    progress: Progress | None = None,
) -> list[Episode]:
    """Run the training tasks `config.n_epochs` times; the memory learns and is committed.

    Epochs count from 0. With `config.skip_successes` a task solved in an earlier epoch is left
    out, as in the published code. `keep_episodes` stores each episode with the memory.
    """
    config = config or RolloutConfig()
    progress = progress or Progress(is_shown=False)
    jobs = [(epoch, i, task) for epoch in range(config.n_epochs) for i, task in enumerate(tasks)]
    episodes: list[Episode] = []
    solved_in: dict[int, int] = {}
    for epoch, position, task in progress.over(jobs, len(jobs), f"train {agent.name}"):
        if config.skip_successes and solved_in.get(task, epoch) < epoch:
            continue
        episode = run_episode(
            env, agent, task, seed=seed, epoch=epoch, position=position, learn=True
        )
        if agent.memory is not None:
            agent.memory.commit(episode if keep_episodes else None)
        if episode.is_success:
            solved_in.setdefault(task, epoch)
        episodes.append(episode)
    return episodes


def evaluate(
    env: TextEnv,
    agent: Agent,
    tasks: Sequence[int],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Episode]:
    """Run each task once with the memory frozen."""
    progress = progress or Progress(is_shown=False)
    return [
        run_episode(env, agent, task, seed=seed, position=position)
        for position, task in progress.over(enumerate(tasks), len(tasks), f"evaluate {agent.name}")
    ]


def profile_of(env: TextEnv) -> Profile:
    """The environment's profile."""
    return getattr(env, "unwrapped", env).profile  # type: ignore[no-any-return]
