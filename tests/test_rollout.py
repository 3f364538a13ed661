"""Episodes, training and evaluation in a tiny world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rememberer_nb.agents import PromptingAgent, RandomAgent, rememberer
from rememberer_nb.config import RetrievalConfig, RlemConfig, RolloutConfig
from rememberer_nb.elements import Episode, Prompt, Reply, Step, Transition, to_data
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import learn_episode
from rememberer_nb.rollout import (
    EVALUATION_EPOCH,
    EpisodeRandom,
    Progress,
    evaluate,
    profile_of,
    run_episode,
    train,
)
from tests.toy import NO_ANSWER, TOY, ScriptedLLM, ToyEnv, opens_the_right_door

WORDWISE = RetrievalConfig(task_similarity="jaccard", observation_similarity="jaccard")


def guesses(prompt: Prompt, seed: int) -> str:
    """An LLM that draws from the call seed alone."""
    draw = int(np.random.default_rng(seed).integers(5))
    return ("go[on]", "go[back]", "open[door]", "say[hello]", "hm")[draw]


def learner(memory: ExperienceMemory | None = None, **settings: object) -> PromptingAgent:
    memory = ExperienceMemory() if memory is None else memory
    return rememberer(ScriptedLLM(guesses), TOY, memory, **settings)


def test_an_episode_that_is_solved() -> None:
    agent = PromptingAgent("llm_only", ScriptedLLM(opens_the_right_door), TOY)
    seen: list[Step] = []
    episode = run_episode(ToyEnv(), agent, 1, seed=3, on_step=seen.append)
    assert [step.action for step in episode.steps] == ["go[on]", "go[on]", "open[door]"]
    assert episode.rewards == (0.0, 0.0, 1.0)
    assert (episode.is_success, episode.terminated, episode.truncated) == (True, True, False)
    assert [step.page_type for step in episode.steps] == ["hall", "door", "door"]
    assert episode.final_observation == "You went through the blue door."
    assert episode.steps[1].observation == "You stand before the red door."
    assert episode.steps[1].available_actions == (
        "go[on]",
        "go[back]",
        "open[door]",
        "say[<words>]",
    )
    assert tuple(seen) == episode.steps
    assert [step.index for step in episode.steps] == [0, 1, 2]
    assert (episode.env, episode.agent, episode.task.task_id) == ("toy", "llm_only", "1")
    assert (episode.seed, episode.epoch) == (3, EVALUATION_EPOCH)
    assert episode.episode_id == "llm_only/3/-1/0/1"
    # The history grows by what was done.
    histories = [prompt.text.count("- go[on]\nPage") for prompt in agent.llm.prompts]
    assert histories == [0, 1, 1]


def test_a_wrong_door_ends_without_success() -> None:
    llm = ScriptedLLM(["go[on]", "open[door]"])
    episode = run_episode(ToyEnv(), PromptingAgent("llm_only", llm, TOY), 1)
    assert (episode.is_success, episode.terminated, episode.total_reward) == (False, True, 0.0)


def test_the_step_limit_truncates() -> None:
    llm = ScriptedLLM(["go[back]"])
    episode = run_episode(ToyEnv(max_steps=4), PromptingAgent("llm_only", llm, TOY), 0)
    assert (len(episode.steps), episode.terminated, episode.truncated) == (4, False, True)
    assert not episode.is_success


def test_an_end_on_the_last_step_is_an_end() -> None:
    agent = PromptingAgent("llm_only", ScriptedLLM(opens_the_right_door), TOY)
    episode = run_episode(ToyEnv(max_steps=3), agent, 1)
    assert (episode.terminated, episode.truncated) == (True, False)


@pytest.mark.parametrize(
    ("bootstrap_truncated", "values"), [(True, [None, 0.75]), (False, [None, None])]
)
def test_truncation_reaches_the_memory(bootstrap_truncated: bool, values: list) -> None:
    """Two steps on, then the limit, before a door that is known to be worth 0.75."""
    memory = ExperienceMemory(WORDWISE)
    agent = rememberer(
        ScriptedLLM(["go[on]"]),
        TOY,
        memory,
        rlem=RlemConfig(n_step=1, bootstrap_truncated=bootstrap_truncated),
    )
    page = "You stand before the blue door."
    known = Transition(page, "open[door]", 0.75, "end", terminated=True)
    learn_episode(memory, "open the red door", [known])
    episode = run_episode(ToyEnv(max_steps=2), agent, 0, learn=True)
    assert episode.truncated
    updates = [update for step in episode.steps for update in step.updates]
    assert [update.step for update in updates] == [0, 1]
    assert updates[1].bootstrap_value == values[1]
    assert updates[1].target == (values[1] or 0.0)


def test_failed_replies_are_counted_and_shown() -> None:
    llm = ScriptedLLM(["go[back]", "hm", NO_ANSWER])
    episode = run_episode(ToyEnv(max_steps=3), PromptingAgent("llm_only", llm, TOY), 0, learn=True)
    errors = [step.decision.error for step in episode.steps]
    assert errors == [None, "no action in the reply: 'hm'", "the server is away"]
    assert episode.n_reply_errors == 2
    assert [t.is_invalid for t in episode.transitions()] == [False, True, True]
    for step in episode.steps:
        assert TOY.match(step.action, step.available_actions) == step.action


def test_the_same_seed_gives_the_same_episode() -> None:
    def run(**where: int) -> Episode:
        return run_episode(ToyEnv(), learner(), 0, learn=True, **where)

    one, two = run(seed=1, epoch=2, position=3), run(seed=1, epoch=2, position=3)
    assert to_data(one) == to_data(two)
    actions = tuple(step.action for step in one.steps)
    for where in ({"seed": 2}, {"epoch": 3}, {"position": 4}):
        others = [
            run(**({"seed": 1, "epoch": 2, "position": 3} | {k: v + i for k, v in where.items()}))
            for i in range(6)
        ]
        assert any(tuple(s.action for s in other.steps) != actions for other in others), where


def test_randomness_derives_from_all_four() -> None:
    base = (1, 2, 3, 4)
    draws = {base: EpisodeRandom.derive(*base).next_step().call_seed}
    for place in range(4):
        other = tuple(value + (i == place) for i, value in enumerate(base))
        draws[other] = EpisodeRandom.derive(*other).next_step().call_seed
    assert len(set(draws.values())) == 5
    evaluation = EpisodeRandom.derive(0, EVALUATION_EPOCH, 0, 0).next_step().call_seed
    assert evaluation != EpisodeRandom.derive(0, 0, 0, 0).next_step().call_seed


def test_calls_are_paired_whatever_else_is_drawn() -> None:
    one, two = EpisodeRandom.derive(0, 0, 0, 0), EpisodeRandom.derive(0, 0, 0, 0)
    seeds = []
    for random in (one, two):
        steps = []
        for _ in range(3):
            step = random.next_step()
            steps.append(step.call_seed)
            if random is two:
                step.rng.random(10)
        seeds.append(steps)
    assert seeds[0] == seeds[1]


def test_streams_by_hand() -> None:
    """The numbers of an episode, whatever streams there are besides."""
    random = EpisodeRandom.derive(3, 1, 2, 500)
    env, calls, choices = np.random.SeedSequence((3, 2, 2, 500)).spawn(3)
    assert random.env_seed == np.random.default_rng(env).integers(2**31)
    step = random.next_step()
    assert step.call_seed == np.random.default_rng(calls).integers(2**31)
    expected = np.random.default_rng(choices).random(9).tolist()
    assert step.rng.random(9).tolist() == expected
    assert random.learning.random(9).tolist() not in (expected, random.choices.random(9).tolist())


def test_tables_are_drawn_apart_from_what_the_agent_draws() -> None:
    """Random double Q-learning changes no decision, and a batch learns as every step does."""
    config = RlemConfig(double=True, table_choice="random", n_step=1)

    class Draws(ScriptedLLM):
        """No reply is read, so every action is the agent's own draw."""

    def play(rlem: RlemConfig, **rollout: object) -> tuple[list[str], list[int]]:
        memory = ExperienceMemory(n_tables=2 if rlem.double else 1)
        agent = PromptingAgent("x", Draws(["hm"]), TOY, memory=memory, rlem=rlem)
        episodes = train(ToyEnv(), agent, [0, 1], config=RolloutConfig(n_epochs=2, **rollout))
        actions = [step.action for episode in episodes for step in episode.steps]
        return actions, [update.table for update in memory.updates()]

    actions, tables = play(config)
    assert len(set(actions)) > 2
    assert set(tables) == {0, 1}
    assert play(config, batch_size=2) == (actions, tables)
    assert play(RlemConfig(n_step=1))[0] == actions


def dump(memory: ExperienceMemory) -> tuple:
    return list(memory), memory.updates(), memory.episodes(), memory.n_updates


def test_evaluation_leaves_the_memory_as_it_was() -> None:
    agent = learner()
    train(ToyEnv(), agent, [0, 1], config=RolloutConfig(n_epochs=1))
    before = dump(agent.memory)
    episodes = evaluate(ToyEnv(), agent, [0, 1, 2, 3])
    assert dump(agent.memory) == before
    assert [episode.task.task_id for episode in episodes] == ["0", "1", "2", "3"]
    assert [int(e.episode_id.split("/")[3]) for e in episodes] == [0, 1, 2, 3]
    assert all(step.updates == () for episode in episodes for step in episode.steps)
    # An episode alone is the one among others.
    alone = run_episode(ToyEnv(), agent, 2, position=2)
    assert to_data(alone) == to_data(episodes[2])


def test_training_commits_each_episode(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    env, counts = ToyEnv(), []

    class Watching(ScriptedLLM):
        def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
            if not env.n_steps:
                with ExperienceMemory.open(path) as reader:
                    counts.append((len(reader.episodes()), len(reader.updates())))
            return super().complete(prompt, seed=seed)

    with ExperienceMemory.open(path) as memory:
        agent = rememberer(Watching(guesses), TOY, memory)
        episodes = train(env, agent, [0, 1, 2], config=RolloutConfig(n_epochs=2))
        sizes = np.cumsum([0, *(len(episode.steps) for episode in episodes)]).tolist()
        # What another reader saw at the start of each episode.
        assert counts == list(enumerate(sizes[:-1]))
        held = dump(memory)
    with ExperienceMemory.open(path) as memory:
        assert dump(memory) == held
        assert memory.episodes() == episodes
        assert memory.n_updates == sizes[-1]


def test_every_step_is_learnt_once() -> None:
    agent = learner()
    episodes = train(ToyEnv(), agent, [0, 1], config=RolloutConfig(n_epochs=2))
    logged = [update for e in episodes for step in e.steps for update in step.updates]
    assert logged == agent.memory.updates()
    for episode in episodes:
        steps = [u.step for u in logged if u.episode_id == episode.episode_id]
        assert sorted(steps) == list(range(len(episode.steps)))


def test_learning_from_the_recorded_transitions_gives_the_same_values() -> None:
    agent = learner()
    episodes = train(ToyEnv(), agent, [0, 1, 2], config=RolloutConfig(n_epochs=2))
    again = ExperienceMemory()
    for episode in episodes:
        learn_episode(
            again, episode.task.text, episode.transitions(), episode_id=episode.episode_id
        )
    assert list(again) == list(agent.memory)
    assert again.updates() == agent.memory.updates()


def test_epochs_and_positions() -> None:
    episodes = train(ToyEnv(), learner(), [2, 0], config=RolloutConfig(n_epochs=2), seed=5)
    assert [(e.epoch, e.task.number, e.seed) for e in episodes] == [
        (0, 2, 5),
        (0, 0, 5),
        (1, 2, 5),
        (1, 0, 5),
    ]


@pytest.mark.parametrize("skip_successes", [False, True])
def test_skipping_what_an_earlier_epoch_solved(skip_successes: bool) -> None:
    """Tasks 0 and 1 are solved; task 3 is too far away for the step limit."""
    agent = rememberer(ScriptedLLM(opens_the_right_door), TOY, ExperienceMemory())
    config = RolloutConfig(n_epochs=2, skip_successes=skip_successes)
    episodes = train(ToyEnv(max_steps=4), agent, [0, 3, 1, 0], config=config)
    first = [(0, 0), (0, 3), (0, 1), (0, 0)]
    second = [(1, 3)] if skip_successes else [(1, 0), (1, 3), (1, 1), (1, 0)]
    assert [(e.epoch, e.task.number) for e in episodes] == first + second


def test_episodes_need_not_be_kept() -> None:
    agent = learner()
    train(ToyEnv(), agent, [0], config=RolloutConfig(n_epochs=1), keep_episodes=False)
    assert agent.memory.episodes() == []
    assert agent.memory.n_updates > 0


def test_agents_without_memory_can_be_trained_to_no_effect() -> None:
    agent = RandomAgent(TOY)
    episodes = train(ToyEnv(), agent, [0, 1], config=RolloutConfig(n_epochs=1))
    assert len(episodes) == 2
    assert all(step.updates == () for episode in episodes for step in episode.steps)


def test_a_memory_makes_the_door_known() -> None:
    """What was learnt comes back as advice: the loop closes."""
    agent = rememberer(ScriptedLLM(opens_the_right_door), TOY, ExperienceMemory())
    train(ToyEnv(), agent, [0], config=RolloutConfig(n_epochs=1))
    episode = run_episode(ToyEnv(), agent, 0)
    text = episode.steps[1].decision.prompt.text
    assert "Encouraged:\n- open[door] -> 1.00 the colour fits" in text


def test_progress(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(ToyEnv(), RandomAgent(TOY), [0, 1], progress=Progress())
    shown = capsys.readouterr()
    assert "evaluate random" in shown.err
    assert shown.out == ""
    evaluate(ToyEnv(), RandomAgent(TOY), [0, 1])
    assert capsys.readouterr().err == ""


def test_profile_of() -> None:
    assert profile_of(ToyEnv()) is TOY
