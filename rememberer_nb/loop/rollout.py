"""Episodes: run one, train over tasks, evaluate with the memory frozen.

Randomness: every episode derives its generators from (seed, epoch, position in the epoch, task
number), so an episode gives the same result alone, resumed, or beside others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from tqdm.auto import tqdm

from rememberer_nb.agents.prompting_agent import Agent, Situation, StepRandom
from rememberer_nb.config import RolloutConfig
from rememberer_nb.elements import Decision, Episode, Step, Task, Transition, Update
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.parallel import Slots, run_jobs
from rememberer_nb.loop.runs import Job, KeptEpisodes, OnEpisode, batches, begin_run, describe_run
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import EpisodeLearner, learn_episode
from rememberer_nb.system.printable import brief

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
    run: int | None = None,
) -> Episode:
    """One attempt at a task, every decision kept.

    Parameters
    ----------
    env : the environment; its time limit is what truncates.
    task : the task's number in the environment.
    seed, epoch, position : what the episode's randomness derives from.
    learn : whether the agent's memory learns (training) or stays as it is (evaluation). An episode
        that is cut short (Ctrl-C, an error) is taken back, and nothing else.
    on_step : called after each step, for live views.
    run : tells the episodes of a memory's training runs apart, see `runs.TrainingRun`; by default
        one that learns is a run of its own.
    """
    memory = agent.memory if learn else None
    random = EpisodeRandom.derive(seed, epoch, position, task)
    observation, info = env.reset(seed=random.env_seed, options={"task": task})
    goal: Task = info["task"]
    if run is None:
        run = 0 if memory is None else memory.n_updates
    place = f"{agent.name}/{seed}/{epoch}/{position}/{goal.task_id}"
    episode_id = f"{place}@{run}" if run else place
    learner = None
    if memory is not None:
        learner = EpisodeLearner(memory, goal.text, episode_id, agent.rlem, random.learning)
    steps: list[Step] = []
    with _all_or_nothing(memory):
        while not steps or not (steps[-1].terminated or steps[-1].truncated):
            situation = Situation(
                goal,
                observation,
                info["available_actions"],
                tuple(step.action for step in steps),
                tuple(steps),
            )
            decision = agent.decide(situation, random.next_step())
            step, observation, info = _take(env, situation, decision, info, len(steps), learner)
            steps.append(step)
            if on_step is not None:
                on_step(step)
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
            metadata={"position": position},
        )


def _all_or_nothing(memory: ExperienceMemory | None) -> AbstractContextManager[None]:
    return nullcontext() if memory is None else memory.all_or_nothing()


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

    def bar(self, n_items: int, label: str) -> Any:
        """A bar to `update()`, for a `with` statement."""
        return tqdm(total=n_items, desc=brief(label, 60), disable=not self.is_shown, leave=False)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What the episodes of one training or evaluation share."""

    seed: int
    run: int = 0

    def __call__(self, env: TextEnv, agent: Agent, job: Job, *, learn: bool = False) -> Episode:
        epoch, position, task = job
        return run_episode(
            env, agent, task,
            seed=self.seed, epoch=epoch, position=position, learn=learn, run=self.run,
        )  # fmt: skip


def _collect(
    jobs: Sequence[Job], envs: Sequence[TextEnv], agent: Agent, attempt: _Attempt
) -> Iterator[tuple[int, Episode]]:
    """Episodes of (epoch, position, task) without learning, as they are finished."""
    if len(envs) == 1:
        return ((number, attempt(envs[0], agent, job)) for number, job in enumerate(jobs))
    return run_jobs(jobs, attempt, envs, agent)


def train(
    env: TextEnv,
    agent: Agent,
    tasks: Sequence[int],
    *,
    seed: int = 0,
    config: RolloutConfig | None = None,
    keep_episodes: bool = True,
    progress: Progress | None = None,
    slots: Slots | None = None,
    on_episode: OnEpisode | None = None,
    resume: bool = False,
    parameters: Mapping[str, Any] | None = None,
) -> list[Episode]:
    """Run the training tasks `config.n_epochs` times; the memory learns and is committed.

    Epochs count from 0. With `config.skip_successes` a task solved in an earlier epoch is left
    out, as in the published code. `keep_episodes` stores each episode with the memory.

    With `config.batch_size` the memory stays frozen while that many episodes of an epoch are
    collected, several at once if there are `slots`; then it learns from them in order. `on_episode`
    is told of each episode once it has been learnt and committed, so that nothing finished is lost
    when the run is stopped.

    `resume` goes on with the run that the agent's memory holds (`rememberer_nb.loop.runs`), whatever
    stopped it: memory and episodes, the earlier ones included, become those of a run that was never
    stopped. (A batch cut short by Ctrl-C has been learnt in part; its rest sees a memory that knows
    that part.) `parameters` are noted with the run, and must agree, beside those of the agent.
    """
    config = config or RolloutConfig()
    progress = progress or Progress(is_shown=False)
    slots = slots or Slots()
    if slots.n > 1 and config.batch_size is None:
        raise ConfigError("training learns at every step: several slots need a batch_size")
    if resume and (agent.memory is None or not keep_episodes):
        raise ConfigError("only a run of an agent with a memory that keeps episodes can be resumed")
    run, attempt = None, _Attempt(seed)
    if agent.memory is not None:
        # Before any work, and any money, is spent.
        agent.memory.lock()
        attempt = _Attempt(seed, agent.memory.n_updates)
    if agent.memory is not None and keep_episodes:
        asked = describe_run(profile_of(env).name, agent, tasks, seed, config, parameters)
        run = begin_run(agent.memory, asked, resume=resume)
        attempt = _Attempt(seed, run.first_update)
    kept = KeptEpisodes(agent, run, on_episode)
    with progress.bar(config.n_epochs * len(tasks), f"train {agent.name}") as bar:
        done = kept.take_up()
        bar.update(len(done))
        for batch in batches(tasks, config, kept.solved):
            due = [job for job in batch if job[:2] not in done]
            # What is cut short is taken back as far as it was not committed.
            with _all_or_nothing(agent.memory):
                if due and config.batch_size is None:
                    kept.add([attempt(env, agent, due[0], learn=True)])
                    bar.update()
                elif due:
                    envs = slots.environments(env, len(due))
                    _train_batch(due, envs, agent, attempt, kept.add, bar)
    kept.finish()
    return kept.episodes


def _train_batch(
    batch: Sequence[Job],
    envs: Sequence[TextEnv],
    agent: Agent,
    attempt: _Attempt,
    keep: Callable[[Sequence[Episode]], None],
    bar: Any,
) -> None:
    """Collect a batch, then learn from it in order; if it is cut short, from what is finished."""
    found: dict[int, Episode] = {}
    try:
        with closing(_collect(batch, envs, agent, attempt)) as finished:
            for number, episode in finished:
                found[number] = episode
                bar.update()
    finally:
        if found:
            keep([_learn(found[i], agent, batch[i], attempt.seed) for i in sorted(found)])


def _learn(episode: Episode, agent: Agent, job: Job, seed: int) -> Episode:
    """The same episode with the updates that the memory made from it."""
    if agent.memory is None:
        return episode
    random = EpisodeRandom.derive(seed, *job)
    updates = learn_episode(
        agent.memory,
        episode.task.text,
        episode.transitions(),
        episode_id=episode.episode_id,
        config=agent.rlem,
        rng=random.learning,
    )
    steps = tuple(
        dataclasses.replace(step, updates=tuple(u for u in updates if u.step == step.index))
        for step in episode.steps
    )
    return dataclasses.replace(episode, steps=steps)


def evaluate(
    env: TextEnv,
    agent: Agent,
    tasks: Sequence[int],
    *,
    seed: int = 0,
    progress: Progress | None = None,
    slots: Slots | None = None,
    on_episode: OnEpisode | None = None,
) -> list[Episode]:
    """Run each task once with the memory frozen; episodes in order of the tasks.

    Parameters
    ----------
    slots : how many at once; one by default.
    on_episode : told of each episode when it is finished, in that order, so that nothing finished
        is lost when the run is stopped (Ctrl-C, a used-up budget).

    Raises
    ------
    LLMStopError : asking the LLM again cannot help.
    """
    progress = progress or Progress(is_shown=False)
    jobs = [(EVALUATION_EPOCH, position, task) for position, task in enumerate(tasks)]
    envs = (slots or Slots()).environments(env, len(jobs))
    found: dict[int, Episode] = {}
    with (
        progress.bar(len(jobs), f"evaluate {agent.name}") as bar,
        closing(_collect(jobs, envs, agent, _Attempt(seed))) as finished,
    ):
        for number, episode in finished:
            found[number] = episode
            bar.update()
            if on_episode is not None:
                on_episode(episode)
    return [found[number] for number in sorted(found)]


def profile_of(env: TextEnv) -> Profile:
    """The environment's profile."""
    return getattr(env, "unwrapped", env).profile  # type: ignore[no-any-return]
