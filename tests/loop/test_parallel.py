"""Many episodes at once: the same results, a bounded number of calls, a prompt end."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rememberer_nb.agents.baselines import RandomAgent
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.agents.rememberer import rememberer
from rememberer_nb.config import RolloutConfig
from rememberer_nb.elements import Episode, Prompt, Reply
from rememberer_nb.errors import ConfigError, LLMAuthError, LLMTimeoutError
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_memory
from rememberer_nb.loop.parallel import Slots, run_jobs
from rememberer_nb.loop.training import Conduct, evaluate, train
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval.registry import make_similarity
from rememberer_nb.system.plain import to_data
from tests.loop.test_training import dump, guesses
from tests.toy import TOY, ScriptedLLM, ToyEnv, opens_the_right_door

TEN = Slots(10, ToyEnv)


class Slow(ScriptedLLM):
    """Takes a while, differently long, and notes how many ask at once."""

    def __init__(self, script=guesses, delay_s: float = 0.01):
        super().__init__(script)
        self.delay_s = delay_s
        self.n_now = self.n_most = 0
        self.lock = threading.Lock()
        self.is_interrupted = threading.Event()

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        with self.lock:
            self.n_now += 1
            self.n_most = max(self.n_most, self.n_now)
        self.is_interrupted.wait(self.delay_s * (1 + seed % 7 / 7))
        with self.lock:
            self.n_now -= 1
        return super().complete(prompt, seed=seed)

    def interrupt(self) -> None:
        self.is_interrupted.set()


def agent_with(llm: ScriptedLLM) -> PromptingAgent:
    return rememberer(llm, TOY, ExperienceMemory())


@pytest.mark.parametrize("n_slots", [2, 5, 40])
def test_the_results_are_those_of_one_after_the_other(n_slots: int) -> None:
    agent = agent_with(ScriptedLLM(guesses))
    train(ToyEnv(), agent, range(4), config=RolloutConfig(n_epochs=1))
    tasks = [0, 1, 2, 3] * 5
    expected = evaluate(ToyEnv(), agent, tasks, seed=3)
    before = dump(agent.memory)
    agent.llm = slow = Slow()
    found = evaluate(ToyEnv(), agent, tasks, seed=3, conduct=Conduct(slots=Slots(n_slots, ToyEnv)))
    assert to_data(found) == to_data(expected)
    assert dump(agent.memory) == before
    assert 1 < slow.n_most <= min(n_slots, 20)


def test_the_shop_with_the_stand_in_and_a_memory_file(tmp_path: Path) -> None:
    settings = Settings()
    env = build_env(settings)
    with build_memory(settings, tmp_path / "memory.sqlite") as memory:
        agent = build_agent("rememberer", env, settings, memory=memory)
        expected = evaluate(env, agent, range(6))
        slots = Slots(4, lambda: build_env(settings))
        assert to_data(evaluate(env, agent, range(6), conduct=Conduct(slots=slots))) == to_data(
            expected
        )


def test_waiting_overlaps() -> None:
    agent = agent_with(Slow(delay_s=0.05))
    started = time.perf_counter()
    episodes = evaluate(ToyEnv(), agent, [0, 1, 2, 3] * 5, conduct=Conduct(slots=Slots(20, ToyEnv)))
    n_steps = sum(len(episode.steps) for episode in episodes)
    assert n_steps > 40
    assert time.perf_counter() - started < 0.05 * n_steps / 2


def test_an_agent_without_llm() -> None:
    expected = evaluate(ToyEnv(), RandomAgent(TOY), range(4))
    assert to_data(
        evaluate(ToyEnv(), RandomAgent(TOY), range(4), conduct=Conduct(slots=TEN))
    ) == to_data(expected)


def test_failed_calls_are_fallbacks_here_too() -> None:
    llm = ScriptedLLM([LLMTimeoutError("too late")])
    episodes = evaluate(
        ToyEnv(), PromptingAgent("llm_only", llm, TOY), range(4), conduct=Conduct(slots=TEN)
    )
    assert all(e.n_reply_errors == len(e.steps) > 0 for e in episodes)


def test_a_stop_keeps_what_is_finished_and_begins_nothing_more() -> None:
    class Refusing(Slow):
        def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
            if len(self.prompts) >= 12:
                raise LLMAuthError("refused")
            return super().complete(prompt, seed=seed)

    llm = Refusing(["go[back]"])
    kept: list[Episode] = []
    with pytest.raises(LLMAuthError, match="refused"):
        evaluate(
            ToyEnv(max_steps=2),
            PromptingAgent("llm_only", llm, TOY),
            [0] * 50,
            conduct=Conduct(slots=Slots(4, lambda: ToyEnv(max_steps=2)), on_episode=kept.append),
        )
    assert 4 <= len(kept) <= 8
    assert len(llm.prompts) <= 12 + 4


def test_a_bug_is_not_swallowed() -> None:
    def bug(prompt: Prompt, seed: int) -> str:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        evaluate(ToyEnv(), agent_with(ScriptedLLM(bug)), range(4), conduct=Conduct(slots=TEN))


@pytest.mark.parametrize("n_slots", [1, 8])
def test_ctrl_c_ends_it_promptly_and_loses_nothing_finished(n_slots: int) -> None:
    llm = Slow(["go[back]"], delay_s=0.02)
    kept: list[Episode] = []

    def press(episode: Episode) -> None:
        kept.append(episode)
        if len(kept) == n_slots:
            # From here on every call takes long, and Ctrl-C comes while all wait.
            llm.delay_s = 20.0
            main = threading.main_thread().ident
            threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()

    if n_slots == 1:
        # A single slot calls from the main thread, where the interrupt itself ends the wait.
        llm.is_interrupted.wait = time.sleep  # type: ignore[method-assign]
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        evaluate(
            ToyEnv(max_steps=2),
            PromptingAgent("llm_only", llm, TOY),
            [0] * 100,
            conduct=Conduct(slots=Slots(n_slots, lambda: ToyEnv(max_steps=2)), on_episode=press),
        )
    assert time.monotonic() - started < 3.0
    assert n_slots <= len(kept) < 3 * n_slots
    assert all(episode.truncated for episode in kept)
    deadline = time.monotonic() + 2.0
    while any(t.name.startswith("episode") for t in threading.enumerate()):
        assert time.monotonic() < deadline, "threads are left behind"
        time.sleep(0.01)


def test_slots_say_what_they_lack() -> None:
    with pytest.raises(ConfigError, match="need make_env"):
        Slots(2)
    with pytest.raises(ConfigError, match="at least"):
        Slots(0)
    with pytest.raises(ConfigError, match="need a batch_size"):
        train(ToyEnv(), agent_with(ScriptedLLM(guesses)), [0], conduct=Conduct(slots=TEN))
    with pytest.raises(ConfigError, match="a worker at least"):
        next(run_jobs([1], lambda w, a, j: j, [], object()))


# Training in batches


def batched(n_slots: int, size: int, n_epochs: int = 2) -> tuple[list[Episode], ExperienceMemory]:
    agent = agent_with(Slow(delay_s=0.002))
    config = RolloutConfig(n_epochs=n_epochs, batch_size=size)
    slots = Slots(n_slots, ToyEnv)
    return train(
        ToyEnv(), agent, range(4), seed=1, config=config, conduct=Conduct(slots=slots)
    ), agent.memory


def test_batches_do_not_depend_on_the_slots() -> None:
    one, memory = batched(1, 3)
    two, other = batched(4, 3)
    assert to_data(one) == to_data(two)
    assert dump(memory) == dump(other)
    assert [(e.epoch, e.task.number) for e in one] == [(e, t) for e in (0, 1) for t in range(4)]


def test_the_memory_is_frozen_within_a_batch() -> None:
    """What a batch retrieves was known before it; updates belong to the steps that they value."""
    episodes, memory = batched(1, 2, n_epochs=1)
    known: list[set[str]] = []
    for episode in episodes:
        hits = {hit.record.task for step in episode.steps for hit in step.decision.hits}
        known.append(hits)
        for step in episode.steps:
            assert [update.step for update in step.updates] == [step.index]
    assert known[0] == known[1] == set()
    assert known[2] and known[2] <= {e.task.text for e in episodes[:2]}
    assert known[3] <= {e.task.text for e in episodes[:2]}
    assert memory.n_updates == sum(len(e.steps) for e in episodes)
    assert len(memory.episodes()) == 4


def test_a_batch_of_one_learns_what_training_at_every_step_learns_of_a_first_episode() -> None:
    one, _ = batched(1, 1, n_epochs=1)
    agent = agent_with(ScriptedLLM(guesses))
    two = train(ToyEnv(), agent, range(4), seed=1, config=RolloutConfig(n_epochs=1))
    assert [s.action for s in one[0].steps] == [s.action for s in two[0].steps]


def test_an_interrupted_batch_is_learnt_as_far_as_it_is_finished() -> None:
    def stops(prompt: Prompt, seed: int) -> str:
        if len(agent.llm.prompts) > 13:
            raise KeyboardInterrupt
        return "go[back]"

    agent = agent_with(ScriptedLLM(stops))
    kept: list[Episode] = []
    config = RolloutConfig(n_epochs=1, batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        train(ToyEnv(), agent, range(4), config=config, conduct=Conduct(on_episode=kept.append))
    assert [len(e.steps) for e in kept] == [6, 6]
    assert agent.memory.n_updates == 12
    assert len(agent.memory.episodes()) == 2


def test_skipping_successes_counts_whole_epochs() -> None:
    agent = agent_with(ScriptedLLM(opens_the_right_door))
    config = RolloutConfig(n_epochs=2, batch_size=2, skip_successes=True)
    episodes = train(ToyEnv(max_steps=4), agent, [0, 3, 1, 0], config=config)
    assert [(e.epoch, e.task.number) for e in episodes] == [(0, 0), (0, 3), (0, 1), (0, 0), (1, 3)]


@pytest.mark.parametrize("name", ["tfidf", "jaccard"])
def test_similarities_bear_readers_at_once(name: str) -> None:
    """Queries from many threads give what they give alone."""
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{n}" for n in rng.integers(300, size=40)) for _ in range(200)]
    similarity = make_similarity(name)
    for slot, text in enumerate(texts):
        similarity.put(slot, text)
    alone = [similarity.scores(text).tolist() for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: similarity.scores(text).tolist(), texts))
    assert together == alone
