"""Training runs: stopped anywhere and resumed they are as if nothing had happened."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import pytest

from rememberer_nb.agents.baselines import FixedExemplars, RandomAgent
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.config import (
    CapacityConfig,
    PromptConfig,
    RetrievalConfig,
    RlemConfig,
    RolloutConfig,
)
from rememberer_nb.elements import Advice, Episode, Exemplar, Prompt
from rememberer_nb.errors import ConfigError, MemoryFileError
from rememberer_nb.loop.episode import run_episode
from rememberer_nb.loop.logged import learn_logged
from rememberer_nb.loop.parallel import Slots
from rememberer_nb.loop.runs import outcomes_of
from rememberer_nb.loop.training import Conduct, train
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.operations import dump
from rememberer_nb.memory.outcome import Outcome
from rememberer_nb.memory.store.store import Store
from rememberer_nb.prompting.prompts import Template
from tests.loop.test_training import Stop, at_line, guesses
from tests.toy import TOY, ScriptedLLM, ToyEnv

LIMITS = CapacityConfig(max_records=4, max_actions=2)


class StopsAfter(ScriptedLLM):
    """Interrupts the run at its n-th call."""

    def __init__(self, n_calls: int):
        super().__init__(guesses)
        self.n_left = n_calls

    def complete(self, prompt: Prompt, *, seed: int = 0):
        self.n_left -= 1
        if self.n_left < 0:
            raise KeyboardInterrupt
        return super().complete(prompt, seed=seed)


def run(
    memory: ExperienceMemory, llm: ScriptedLLM | None = None, *, seed: int = 3, **settings: object
) -> list[Episode]:
    config = settings.pop("config", RolloutConfig(n_epochs=3))
    agent = rememberer(llm or ScriptedLLM(guesses), TOY, memory, rlem=RlemConfig(n_step=2))
    return train(ToyEnv(), agent, [2, 0, 3], seed=seed, config=config, **settings)


def straight(**settings: object) -> tuple[list[str], list[Episode]]:
    memory = ExperienceMemory(capacity=LIMITS)
    episodes = run(memory, **settings)
    return list(dump(memory)), episodes


@pytest.mark.parametrize("config", [RolloutConfig(), RolloutConfig(skip_successes=True)])
def test_stopped_at_every_call_and_resumed(tmp_path: Path, config: RolloutConfig) -> None:
    expected, episodes = straight(config=config)
    n_calls = sum(len(episode.steps) for episode in episodes)
    assert n_calls > 20
    for n in range(0, n_calls, 5):
        path = tmp_path / f"{n}.sqlite"
        with (
            ExperienceMemory.open(path, capacity=LIMITS) as memory,
            pytest.raises(KeyboardInterrupt),
        ):
            run(memory, StopsAfter(n), config=config)
        seen: list[Episode] = []
        with ExperienceMemory.open(path, capacity=LIMITS) as memory:
            assert not memory.run["is_finished"]
            found = run(memory, config=config, resume=True, conduct=Conduct(on_episode=seen.append))
            assert list(dump(memory)) == expected
            assert found == seen == episodes
        assert check_memory(path)["problems"] == []


def test_stopped_again_and_again(tmp_path: Path) -> None:
    """At least one episode is finished each time, or it would never end."""
    expected, _ = straight()
    path, n_stops, is_over = tmp_path / "m.sqlite", 0, False
    while not is_over:
        with ExperienceMemory.open(path, capacity=LIMITS) as memory:
            try:
                run(memory, StopsAfter(9), resume=True)
                is_over = True
            except KeyboardInterrupt:
                n_stops += 1
                assert n_stops < 30
    assert n_stops > 2
    with ExperienceMemory.open(path) as memory:
        assert list(dump(memory)) == expected


def test_resumed_in_the_same_memory(tmp_path: Path) -> None:
    """Ctrl-C in a notebook: the memory stays open, and half an episode is gone."""
    expected, episodes = straight()
    with ExperienceMemory.open(tmp_path / "m.sqlite", capacity=LIMITS) as memory:
        with pytest.raises(KeyboardInterrupt):
            run(memory, StopsAfter(11))
        assert memory.n_updates == sum(len(e.steps) for e in memory.episodes()) < 11
        memory.commit()
        assert memory.n_updates == len(memory.updates())
        assert run(memory, resume=True) == episodes
        assert list(dump(memory)) == expected


def test_an_episode_that_is_cut_short_leaves_nothing() -> None:
    memory = ExperienceMemory(capacity=LIMITS)
    run(memory)
    before = list(dump(memory))
    agent = rememberer(StopsAfter(3), TOY, memory, rlem=RlemConfig(n_step=1))
    with pytest.raises(KeyboardInterrupt):
        run_episode(ToyEnv(), agent, 1, learn=True)
    assert list(dump(memory)) == before
    # Evaluation learns nothing, so there is nothing to take back.
    memory.insert("g", "mine")
    agent = rememberer(StopsAfter(1), TOY, memory)
    with pytest.raises(KeyboardInterrupt):
        run_episode(ToyEnv(), agent, 1)
    assert ("g", "mine") in memory


@pytest.mark.parametrize("n_slots", [1, 2])
def test_whole_batches_are_resumed(tmp_path: Path, n_slots: int) -> None:
    """A process that is killed has learnt from all of a batch or from none of it."""
    config = RolloutConfig(batch_size=2)
    slots = Slots(n_slots, ToyEnv)
    settings = {"config": config, "conduct": Conduct(slots=slots)}
    expected, episodes = straight(**settings)

    class Killed(BaseException):
        pass

    for n_done in (2, 3, 5, 6):
        seen: list[Episode] = []

        def die(episode: Episode, seen: list = seen, n_done: int = n_done) -> None:
            seen.append(episode)
            if len(seen) == n_done:
                raise Killed

        path = tmp_path / f"{n_done}.sqlite"
        with ExperienceMemory.open(path, capacity=LIMITS) as memory, pytest.raises(Killed):
            run(memory, config=config, conduct=Conduct(slots=slots, on_episode=die))
        with ExperienceMemory.open(path, capacity=LIMITS) as memory:
            assert run(memory, resume=True, **settings) == episodes
            assert list(dump(memory)) == expected


def test_a_finished_run_is_reported_again_and_may_be_made_longer(tmp_path: Path) -> None:
    with ExperienceMemory.open(tmp_path / "m.sqlite", capacity=LIMITS) as memory:
        episodes = run(memory)
        lines = list(dump(memory))
        llm = ScriptedLLM(guesses)
        assert run(memory, llm, resume=True) == episodes
        assert (llm.prompts, list(dump(memory))) == ([], lines)
        longer = RolloutConfig(n_epochs=5)
        expected, more = straight(config=longer)
        assert run(memory, config=longer, resume=True) == more
        assert list(dump(memory)) == expected
        with pytest.raises(ConfigError, match=r"rollout\.n_epochs: 5, now 3"):
            run(memory, resume=True)


def test_a_resumed_run_reads_no_earlier_episode_that_nobody_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = tmp_path / "m.sqlite", []
    with ExperienceMemory.open(path, capacity=LIMITS) as memory:
        learn_logged(memory, [run_episode(ToyEnv(), RandomAgent(TOY), 1)])
        with pytest.raises(KeyboardInterrupt):
            run(memory, StopsAfter(11))
        n_earlier = memory.n_episodes - 1
    expected = ExperienceMemory(capacity=LIMITS)
    learn_logged(expected, [run_episode(ToyEnv(), RandomAgent(TOY), 1)])
    episodes = run(expected)
    load = Store.load_episodes

    def count(store: Store, after: int = 0, before: int | None = None):
        for episode in load(store, after, before):
            read.append(episode.episode_id)
            yield episode

    monkeypatch.setattr(Store, "load_episodes", count)
    told, resumed = [], []
    conduct = Conduct(on_episode=told.append, on_resumed=resumed.append)
    with ExperienceMemory.open(path, capacity=LIMITS) as memory:
        found = run(memory, resume=True, conduct=conduct)
        assert (read, resumed, told) == ([], [found], episodes[n_earlier:])
        assert 0 < n_earlier < len(found) == len(episodes) == 9
        assert outcomes_of(found) == [Outcome.of(episode) for episode in episodes]
        assert read == []
        # Asked for, each is read alone; those of now are at hand.
        assert (found[0], found[-1]) == (episodes[0], episodes[-1])
        assert read == [episodes[0].episode_id]
        assert found[n_earlier - 1 : n_earlier + 1] == episodes[n_earlier - 1 : n_earlier + 1]
        assert found == episodes and found != episodes[1:]
        with pytest.raises(IndexError):
            found[9]


def test_a_second_run_on_the_same_memory(tmp_path: Path) -> None:
    expected = ExperienceMemory(capacity=LIMITS)
    run(expected)
    run(expected, seed=4)
    with ExperienceMemory.open(tmp_path / "m.sqlite", capacity=LIMITS) as memory:
        run(memory)
        with pytest.raises(KeyboardInterrupt):
            run(memory, StopsAfter(15), seed=4)
        assert len(run(memory, seed=4, resume=True)) == 9
        assert list(dump(memory)) == list(dump(expected))


def test_other_parameters_are_refused(tmp_path: Path) -> None:
    with ExperienceMemory.open(tmp_path / "m.sqlite", capacity=LIMITS) as memory:
        with pytest.raises(KeyboardInterrupt):
            run(memory, StopsAfter(12), parameters={"initial": "E0"})
        before = list(dump(memory))
        for changes, problem in (
            ({}, "initial: 'E0', now None"),
            ({"parameters": {"initial": "E1"}}, "initial: 'E0', now 'E1'"),
            ({"parameters": {"initial": "E0"}, "seed": 5}, "seed: 3, now 5"),
            (
                {"parameters": {"initial": "E0"}, "config": RolloutConfig(max_steps=9)},
                r"rollout\.max_steps: 15, now 9",
            ),
        ):
            with pytest.raises(ConfigError, match=f"begun with other .*{problem}"):
                run(memory, resume=True, **changes)
        agent = rememberer(ScriptedLLM(guesses), TOY, memory, rlem=RlemConfig(n_step=1))
        with pytest.raises(ConfigError, match=r"rlem\.n_step: 2, now 1; tasks: "):
            train(ToyEnv(), agent, [2, 0], seed=3, resume=True, parameters={"initial": "E0"})
        assert list(dump(memory)) == before


class Scripted(ScriptedLLM):
    """One that has settings."""

    def __init__(self, script: object, **settings: object):
        super().__init__(script)
        self.settings = settings


def fixed(value: float) -> FixedExemplars:
    return FixedExemplars([Exemplar(0, "g", "o", (), (Advice("go[on]", value),))])


class Brief(PromptingAgent):
    template = Template(how_to_reply="Say what to do.")


def agent_of(memory: ExperienceMemory, **changes: object) -> PromptingAgent:
    cls = changes.pop("cls", PromptingAgent)
    settings = {"llm": Scripted(guesses, temperature=0.0), "profile": TOY, "source": fixed(0.5)}
    return cls("mine", **{**settings, **changes}, memory=memory)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"llm": Scripted(guesses, temperature=0.7)}, r"agent\.llm\.temperature: 0\.0, now 0\.7$"),
        ({"source": fixed(0.6)}, r"agent\.exemplars: '\w{16}', now '\w{16}'$"),
        ({"cls": Brief}, r"agent\.template: '\w{16}', now '\w{16}'$"),
        ({"prompt": PromptConfig(n_last_actions=2)}, r"agent\.prompt\.n_last_actions: 5, now 2$"),
        (
            {"profile": dataclasses.replace(TOY, introduction="You stand in a house.")},
            r"agent\.template: '\w{16}', now '\w{16}'$",
        ),
    ],
)
def test_a_run_sees_what_its_prompts_and_replies_depend_on(changes: dict, problem: str) -> None:
    memory = ExperienceMemory()
    train(ToyEnv(), agent_of(memory), [2, 0], config=RolloutConfig(n_epochs=1))
    same = train(ToyEnv(), agent_of(memory), [2, 0], config=RolloutConfig(n_epochs=1), resume=True)
    assert len(same) == 2
    with pytest.raises(ConfigError, match=f"begun with other {problem}"):
        train(
            ToyEnv(),
            agent_of(memory, **changes),
            [2, 0],
            config=RolloutConfig(n_epochs=1),
            resume=True,
        )


def test_what_the_memory_finds_alike_is_part_of_a_run(tmp_path: Path) -> None:
    """A page that is not in memory is stood in for by the most similar one."""
    path = tmp_path / "m.sqlite"
    with ExperienceMemory.open(path) as memory:
        run(memory)
    with (
        ExperienceMemory.open(path, retrieval=RetrievalConfig(task_weight=0.9)) as memory,
        pytest.raises(ConfigError, match=r"memory\.retrieval\.task_weight: 0\.5, now 0\.9"),
    ):
        run(memory, resume=True)


def test_a_run_of_an_earlier_version_is_refused_with_a_clear_word() -> None:
    memory = ExperienceMemory()
    run(memory)
    noted = dict(memory.run)
    noted["parameters"] = {"env": "toy", "agent": "rememberer", "llm": "scripted", "seed": 3}
    memory.commit(run=noted)
    with pytest.raises(ConfigError, match="begun by another version of this package"):
        run(memory, resume=True)
    # A new run on the same memory is none of its business.
    assert len(run(memory)) == 9


def test_an_agent_that_does_not_describe_itself_is_told_so() -> None:
    class Silent:
        name, memory, rlem = "silent", ExperienceMemory(), RlemConfig()

    with pytest.raises(ConfigError, match=r"the agent 'silent' has no describe\(\)"):
        train(ToyEnv(), Silent(), [0])

    class Odd(Silent):
        def describe(self) -> dict:
            return {"name": "odd", "llm": object()}

    with pytest.raises(ConfigError, match=r"describe\(\) of the agent 'silent': expected plain"):
        train(ToyEnv(), Odd(), [0])


def test_what_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="agent with a memory that keeps episodes"):
        run(ExperienceMemory(), resume=True, conduct=Conduct(keep_episodes=False))
    with pytest.raises(ConfigError, match="agent with a memory"):
        train(ToyEnv(), RandomAgent(TOY), [0], resume=True)
    memory = ExperienceMemory()
    run(memory, conduct=Conduct(keep_episodes=False))
    with pytest.raises(ConfigError, match="holds no training run"):
        run(memory, resume=True)
    run(memory)
    memory.commit(run_episode(ToyEnv(), PromptingAgent("x", ScriptedLLM(guesses), TOY), 0))
    with pytest.raises(ConfigError, match="learnt from other episodes since"):
        run(memory, resume=True)


@pytest.mark.slow
def test_ctrl_c_at_any_line_of_a_training(tmp_path: Path) -> None:
    """Inside a step, a commit or between two: resumed, it is as if it had not been stopped."""
    config = RolloutConfig(n_epochs=1)
    straight = ExperienceMemory(capacity=LIMITS)
    n_lines = at_line(-1, lambda: run(straight, config=config))
    expected = list(dump(straight))
    for n in range(1, int(0.98 * n_lines), n_lines // 60):
        path = tmp_path / f"{n}.sqlite" if n % 2 else None
        with ExperienceMemory.open(path, capacity=LIMITS) as memory:
            with pytest.raises(Stop):
                at_line(n, functools.partial(run, memory, config=config))
            run(memory, config=config, resume=True)
            assert list(dump(memory)) == expected
        if path is not None:
            assert check_memory(path)["problems"] == []


def test_what_waits_to_be_committed_is_not_the_run_s() -> None:
    memory = ExperienceMemory()
    with pytest.raises(KeyboardInterrupt):
        run(memory, StopsAfter(12))
    memory.insert("g", "mine")
    with pytest.raises(ConfigError, match="changes that were not committed"):
        run(memory, resume=True)
    memory.rollback()
    assert len(run(memory, resume=True)) == 9


def test_a_run_on_what_was_learnt_from_a_log(tmp_path: Path) -> None:
    """Stopped and resumed, its ids are those of a run that was not: they tell where it began."""
    llm = ScriptedLLM(guesses)
    logged = [run_episode(ToyEnv(), PromptingAgent("x", llm, TOY), task) for task in range(4)]
    expected = ExperienceMemory(capacity=LIMITS)
    learn_logged(expected, logged)
    n_logged = expected.n_updates
    episodes = run(expected)
    with ExperienceMemory.open(tmp_path / "m.sqlite", capacity=LIMITS) as memory:
        learn_logged(memory, logged)
        with pytest.raises(KeyboardInterrupt):
            run(memory, StopsAfter(15))
        assert run(memory, resume=True) == episodes
        assert list(dump(memory)) == list(dump(expected))
        assert {episode.episode_id.partition("@")[2] for episode in episodes} == {str(n_logged)}


def test_a_run_that_an_earlier_version_began(tmp_path: Path) -> None:
    """Its note says nothing of its first update, and its ids are what they were."""
    with ExperienceMemory.open(tmp_path / "m.sqlite", capacity=LIMITS) as memory:
        run(memory)
        note = {name: value for name, value in memory.run.items() if name != "first_update"}
        memory.commit(run=note)
        longer = run(memory, config=RolloutConfig(n_epochs=4), resume=True)
        assert len(longer) == 12
        assert not any("@" in episode.episode_id for episode in longer)
        again = run(memory, config=RolloutConfig(n_epochs=1))
        assert all("@" in episode.episode_id for episode in again)


def test_two_trainings_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    with ExperienceMemory.open(path) as one, ExperienceMemory.open(path) as two:
        one.lock()
        llm = ScriptedLLM(guesses)
        with pytest.raises(MemoryFileError, match="is writing it"):
            run(two, llm)
        # Before any work, and any money, was spent.
        assert llm.prompts == []
