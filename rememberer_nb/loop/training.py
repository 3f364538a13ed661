"""Training and evaluation: many episodes, the memory learning or frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from tqdm.auto import tqdm

from rememberer_nb.agents.interface import Agent
from rememberer_nb.config import RolloutConfig
from rememberer_nb.elements import Episode
from rememberer_nb.envs.profile import TextEnv, profile_of
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.batches import collect, train_batch
from rememberer_nb.loop.episode import EVALUATION_EPOCH, Attempt, all_or_nothing, memory_of, play
from rememberer_nb.loop.parallel import Slots
from rememberer_nb.loop.runs import (
    Episodes,
    KeptEpisodes,
    OnEpisode,
    OnResumed,
    batches,
    begin_run,
    describe_run,
)
from rememberer_nb.system.printable import brief


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a run is carried out, whatever its outcome.

    Parameters
    ----------
    is_shown : whether its progress is, as a bar on standard error.
    slots : how many episodes may be under way at once, each waiting for its own LLM call.
    on_episode : told of each episode that is finished (when training, learnt and committed), so
        that nothing finished is lost when the run is stopped (Ctrl-C, a used-up budget).
    on_resumed : told once, in the place of `on_episode`, of all that a resumed training had done
        before: they need not be read then (`runs.RunEpisodes.outcomes`).
    keep_episodes : training stores each episode with the memory, so that it can be resumed.
    """

    is_shown: bool = False
    slots: Slots = field(default_factory=Slots)
    on_episode: OnEpisode | None = None
    on_resumed: OnResumed | None = None
    keep_episodes: bool = True

    def bar(self, n_items: int, label: str) -> Any:
        """A bar to `update()`, for a `with` statement."""
        return tqdm(total=n_items, desc=brief(label, 60), disable=not self.is_shown, leave=False)


def train(
    env: TextEnv,
    agent: Agent,
    tasks: Sequence[int],
    *,
    seed: int = 0,
    config: RolloutConfig | None = None,
    resume: bool = False,
    parameters: Mapping[str, Any] | None = None,
    conduct: Conduct | None = None,
) -> Episodes:
    """Run the training tasks `config.n_epochs` times; the memory learns and is committed.

    Epochs count from 0. With `config.skip_successes` a task solved in an earlier epoch is left
    out, as in the published code.

    With `config.batch_size` the memory stays frozen while that many episodes of an epoch are
    collected, several at once if there are `conduct.slots`; then it learns from them in order.

    `resume` goes on with the run that the agent's memory holds (`rememberer_nb.loop.runs`),
    whatever stopped it: memory and episodes, the earlier ones included, become those of a run that
    was never stopped. (A batch cut short by Ctrl-C has been learnt in part; its rest sees a memory
    that knows that part.) `parameters` are noted with the run, and must agree, beside those of the
    agent. What comes back is a list; of a resumed run a sequence that reads the earlier episodes
    from the memory when they are asked for (`runs.RunEpisodes`).
    """
    config, conduct = config or RolloutConfig(), conduct or Conduct()
    if conduct.slots.n > 1 and config.batch_size is None:
        raise ConfigError("training learns at every step: several slots need a batch_size")
    memory = memory_of(agent)
    if resume and (memory is None or not conduct.keep_episodes):
        raise ConfigError("only a run of an agent with a memory that keeps episodes can be resumed")
    asked = None
    if conduct.keep_episodes and memory is not None:
        asked = describe_run(profile_of(env).name, agent, tasks, seed, config, parameters)
    run = None if memory is None else begin_run(memory, asked, resume=resume)
    kept = KeptEpisodes(agent, run, conduct.on_episode, conduct.on_resumed)
    with conduct.bar(config.n_epochs * len(tasks), f"train {agent.name}") as bar:
        done = kept.take_up()
        bar.update(len(done))
        for batch in batches(tasks, config, kept.solved):
            due = [
                Attempt(task, seed, epoch, position, 0 if run is None else run.first_update)
                for epoch, position, task in batch
                if (epoch, position) not in done
            ]
            # What is cut short is taken back as far as it was not committed.
            with all_or_nothing(memory if due else None):
                if due and config.batch_size is not None:
                    train_batch(env, agent, due, conduct.slots, kept.add, bar)
                elif due:
                    kept.add([play(env, agent, due[0], learn=True)])
                    bar.update()
    kept.finish()
    return kept.episodes


def evaluate(
    env: TextEnv,
    agent: Agent,
    tasks: Sequence[int],
    *,
    seed: int = 0,
    conduct: Conduct | None = None,
) -> list[Episode]:
    """Run each task once with the memory frozen; episodes in order of the tasks.

    Raises
    ------
    LLMStopError : asking the LLM again cannot help.
    """
    conduct = conduct or Conduct()
    attempts = [
        Attempt(task, seed, EVALUATION_EPOCH, position) for position, task in enumerate(tasks)
    ]
    found: dict[int, Episode] = {}
    with (
        conduct.bar(len(attempts), f"evaluate {agent.name}") as bar,
        closing(collect(env, agent, attempts, conduct.slots)) as finished,
    ):
        for number, episode in finished:
            found[number] = episode
            bar.update()
            if conduct.on_episode is not None:
                conduct.on_episode(episode)
    return [found[number] for number in sorted(found)]
