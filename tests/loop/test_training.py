"""Episodes, training and evaluation in a tiny world."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

import rememberer_nb
from rememberer_nb.agents.baselines import RandomAgent
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.config import CapacityConfig, RetrievalConfig, RlemConfig, RolloutConfig
from rememberer_nb.elements import (
    ActionValue,
    Episode,
    Prompt,
    Record,
    Reply,
    Step,
    Transition,
    Update,
)
from rememberer_nb.envs.profile import profile_of
from rememberer_nb.loop.episode import EVALUATION_EPOCH, EpisodeRandom, run_episode
from rememberer_nb.loop.training import Conduct, evaluate, train
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import learn_episode
from rememberer_nb.system.plain import to_data
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


# What is cut short

PACKAGE = str(Path(rememberer_nb.__file__).parent)
N_STEP_1 = RlemConfig(n_step=1)


class Stop(BaseException):
    """Raised where a person might press Ctrl-C."""


def known() -> Record:
    page, value = "You stand before the red door.", ActionValue("open[door]", 0.5, 2)
    return Record(0, "open the green door", page, ("go[on]", "open[door]"), (value,), "E0")


class StopsWhere:
    """An agent, an environment and a callback that stop at a step: before it, in it, after it."""

    def __init__(self, memory: ExperienceMemory, where: str, step: int):
        self.name, self.inner, self.env = "scripted", ScriptedLLM(guesses), ToyEnv()
        self.n_left, self.where = step, where
        self.agent = rememberer(self, TOY, memory, rlem=N_STEP_1)
        self.step, self.env.step = self.env.step, self.env_step

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        self.count("agent")
        return self.inner.complete(prompt, seed=seed)

    def env_step(self, action: str) -> tuple:
        self.count("env")
        return self.step(action)

    def on_step(self, step: Step) -> None:
        self.count("callback")

    def count(self, where: str) -> None:
        if where == self.where:
            self.n_left -= 1
            if self.n_left < 0:
                raise Stop


@pytest.mark.parametrize("where", ["agent", "env", "callback"])
@pytest.mark.parametrize("is_in_file", [True, False])
def test_an_episode_cut_short_anywhere_is_taken_back_and_nothing_else(
    tmp_path: Path, where: str, is_in_file: bool
) -> None:
    """Neither the initial memory nor the episodes before it have been committed."""
    limits = CapacityConfig(max_records=3)
    straight = ExperienceMemory(capacity=limits)
    straight.add_initial([known()])
    expected = [
        run_episode(ToyEnv(), learner(straight, rlem=N_STEP_1), i, learn=True) for i in range(3)
    ]
    path = tmp_path / "m.sqlite" if is_in_file else None
    with ExperienceMemory.open(path, capacity=limits) as memory:
        memory.add_initial([known()])
        found = []
        for task in range(3):
            for step in range(len(expected[task].steps)):
                part = StopsWhere(memory, where, step)
                with pytest.raises(Stop):
                    run_episode(part.env, part.agent, task, learn=True, on_step=part.on_step)
            agent = learner(memory, rlem=N_STEP_1)
            found.append(run_episode(ToyEnv(), agent, task, learn=True))
        assert found == expected
        assert dump(memory) == dump(straight)
        memory.commit()
    if path is not None:
        with ExperienceMemory.open(path, capacity=limits) as memory:
            assert dump(memory) == dump(straight)


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("keep_episodes", [True, False])
def test_training_takes_back_no_more_than_what_it_had_begun(
    batch_size: int | None, keep_episodes: bool
) -> None:
    """What waited to be committed when it began is no work of its own."""
    memory = ExperienceMemory()
    memory.add_initial([known()])
    run_episode(ToyEnv(), learner(memory), 1, learn=True)
    before = dump(memory)
    part = StopsWhere(memory, "agent", 2)
    config = RolloutConfig(n_epochs=1, batch_size=batch_size)
    with pytest.raises(Stop):
        train(
            part.env,
            part.agent,
            [0, 1],
            config=config,
            conduct=Conduct(keep_episodes=keep_episodes),
        )
    assert dump(memory) == before


def test_a_batch_is_learnt_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = ExperienceMemory()
    memory.add_initial([known()])
    before, keep = dump(memory), ExperienceMemory.keep

    def stop(self: ExperienceMemory, record: Record, update: Update) -> None:
        if update.update_id == 5:
            raise Stop
        keep(self, record, update)

    config = RolloutConfig(n_epochs=1, batch_size=4)
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(ExperienceMemory, "keep", stop)
        train(ToyEnv(), learner(memory), [0, 1, 2], config=config)
    assert dump(memory) == before


def at_line(n: int, action: Callable[[], object]) -> int:
    """Does it, and stops at the n-th line that runs in the package; how many lines ran."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Callable | None:
        nonlocal count
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            count += 1
            if count == n:
                raise Stop
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.slow
def test_ctrl_c_at_any_line() -> None:
    """Half-done insertions, evictions and refreshes: nothing is left of them."""
    limits = CapacityConfig(max_records=3, max_actions=1)

    def filled() -> ExperienceMemory:
        memory = ExperienceMemory(capacity=limits)
        memory.add_initial([known()])
        for task in range(2):
            run_episode(ToyEnv(), learner(memory, rlem=N_STEP_1), task, learn=True)
        return memory

    def attempt(memory: ExperienceMemory) -> None:
        run_episode(ToyEnv(), learner(memory, rlem=N_STEP_1), 2, learn=True)

    whole = filled()
    n_lines = at_line(-1, lambda: attempt(whole))
    assert n_lines > 1000
    memory = filled()
    before = answers(memory)
    # Its last lines are left out: a few that fill a cache run only once.
    for n in range(1, int(0.98 * n_lines), n_lines // 150):
        with pytest.raises(Stop):
            at_line(n, functools.partial(attempt, memory))
        assert answers(memory) == before
    attempt(memory)
    assert answers(memory) == answers(whole)


def answers(memory: ExperienceMemory) -> tuple:
    """All that it holds, and what it finds."""
    queries = [("open the red door", f"You stand before the {c} door.") for c in ("red", "blue")]
    return dump(memory), [tuple(memory.retrieve(*query, 3)) for query in queries]


INTERRUPTED = """
import sys, time
sys.path.insert(0, {root!r})
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.operations import dump
from rememberer_nb.loop.episode import run_episode
from tests.loop.test_training import known, learner
from tests.toy import ToyEnv

memory = ExperienceMemory.open({path!r})
memory.add_initial([known()])
for task in range(2):
    run_episode(ToyEnv(), learner(memory), task, learn=True)
before = list(dump(memory))

def show(step):
    print(step.index, flush=True)
    time.sleep(0.2 if step.index < 3 else 30)

try:
    run_episode(ToyEnv(), learner(memory), 2, learn=True, on_step=show)
except KeyboardInterrupt:
    print(list(dump(memory)) == before, flush=True)
memory.commit()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c(tmp_path: Path) -> None:
    path, root = str(tmp_path / "m.sqlite"), str(Path(__file__).parent.parent.parent)
    script = INTERRUPTED.format(root=root, path=path)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert [process.stdout.readline() for _ in range(2)] == ["0\n", "1\n"]
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert (rest.splitlines()[-1], process.returncode) == ("True", 0)
    straight = ExperienceMemory()
    straight.add_initial([known()])
    for task in range(2):
        run_episode(ToyEnv(), learner(straight), task, learn=True)
    with ExperienceMemory.open(path) as memory:
        assert dump(memory) == dump(straight)


# Ids


def ids(episodes: Sequence[Episode]) -> list[str]:
    return [episode.episode_id for episode in episodes]


@pytest.mark.parametrize("keep_episodes", [True, False])
@pytest.mark.parametrize("batch_size", [None, 3])
def test_no_two_runs_of_a_memory_share_an_id(keep_episodes: bool, batch_size: int | None) -> None:
    agent = learner()
    settings = {
        "config": RolloutConfig(n_epochs=2, batch_size=batch_size),
        "conduct": Conduct(keep_episodes=keep_episodes),
    }
    one = train(ToyEnv(), agent, [0, 1], **settings)
    n_updates = agent.memory.n_updates
    two = train(ToyEnv(), agent, [0, 1], **settings)
    places = [f"rememberer/0/{epoch}/{i}/{i}" for epoch in range(2) for i in range(2)]
    assert ids(one) == places
    assert ids(two) == [f"{place}@{n_updates}" for place in places]
    # The log tells them apart too.
    logged = [update.episode_id for update in agent.memory.updates()]
    assert set(logged[:n_updates]) == set(ids(one))
    assert set(logged[n_updates:]) == set(ids(two))
    # Evaluation adds nothing to a memory, and its ids say nothing of one.
    assert ids(evaluate(ToyEnv(), agent, [0])) == ["rememberer/0/-1/0/0"]


def test_the_same_episode_learnt_again_is_another_one() -> None:
    agent = learner()
    one, two = (run_episode(ToyEnv(), agent, 0, learn=True) for _ in range(2))
    assert ids([one, two]) == ["rememberer/0/-1/0/0", f"rememberer/0/-1/0/0@{len(one.steps)}"]


def test_episodes_need_not_be_kept() -> None:
    agent = learner()
    train(
        ToyEnv(), agent, [0], config=RolloutConfig(n_epochs=1), conduct=Conduct(keep_episodes=False)
    )
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
    evaluate(ToyEnv(), RandomAgent(TOY), [0, 1], conduct=Conduct(is_shown=True))
    shown = capsys.readouterr()
    assert "evaluate random" in shown.err
    assert shown.out == ""
    evaluate(ToyEnv(), RandomAgent(TOY), [0, 1])
    assert capsys.readouterr().err == ""


def test_a_bar_s_name_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    with Conduct(is_shown=True).bar(1, "train \x1b[2J\u202e\n" + "x" * 99):
        pass
    shown = capsys.readouterr().err
    assert "train \\u001b[2J\\u202e xxx" in shown
    assert "x" * 40 not in shown


def test_profile_of() -> None:
    assert profile_of(ToyEnv()) is TOY
