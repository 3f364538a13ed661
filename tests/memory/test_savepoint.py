"""What is cut short leaves a memory as it was, to the last bit."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rememberer_nb.config import CapacityConfig, RetrievalConfig, RlemConfig
from rememberer_nb.elements import ActionValue, Record, Transition
from rememberer_nb.errors import MemoryFileError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.operations import dump
from rememberer_nb.memory.store.store import Store
from rememberer_nb.rlem import learn_episode

WORDS = [f"{name}{number}" for name in ("lamp", "door", "page", "buy") for number in range(5)]
TASKS = ("a red lamp", "a blue door", "buy lamp3", "")
NAMES = ("tfidf", "jaccard", "tfidf+jaccard")
KNOWN = Record(0, "a red lamp", "page one", ("buy",), (ActionValue("buy", 0.5, 2),), "E0")


class Stop(BaseException):
    """Raised where a person might press Ctrl-C."""


Found = list[tuple[str, str, float]]


def drawn(rng: random.Random) -> tuple[str, Found]:
    """An episode: its task, and (observation, action, reward) of each step."""
    texts = [" ".join(rng.choices(WORDS, k=rng.randrange(6))) for _ in range(1 + rng.randrange(5))]
    return rng.choice(TASKS), [(text, rng.choice("abc"), rng.randint(-2, 2)) for text in texts]


def learn(memory: ExperienceMemory, task: str, found: Found, number: int) -> None:
    transitions = [
        Transition(
            observation, action, float(reward), f"{observation} after", is_last, False, "why",
            ("a", "b"),
        )
        for is_last, (observation, action, reward) in zip(
            [False] * (len(found) - 1) + [True], found, strict=True
        )
    ]  # fmt: skip
    learn_episode(memory, task, transitions, episode_id=str(number), config=RlemConfig(n_step=2))


def state(memory: ExperienceMemory) -> tuple:
    """All that it holds, and what it answers."""
    queries = itertools.product(TASKS[:3], ("page1 lamp2 lamp2", "buy1 door3", "unseen"))
    found = [tuple(memory.retrieve(*query, 3)) for query in queries]
    return list(dump(memory)), found, memory.next_record


def made(path: Path | None, name: str, eviction: str | None) -> ExperienceMemory:
    retrieval = RetrievalConfig(task_similarity=name, observation_similarity=name)
    limits = CapacityConfig(max_records=25, max_actions=2, eviction=eviction) if eviction else None
    return ExperienceMemory.open(path, retrieval=retrieval, capacity=limits)


@given(
    seed=st.integers(0, 10**6), name=st.sampled_from(NAMES), is_in_file=st.booleans(),
    eviction=st.sampled_from((None, "redundancy", "redundancy")),
)  # fmt: skip
@settings(max_examples=10, deadline=None)
def test_what_is_undone_might_never_have_begun(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    name: str,
    is_in_file: bool,
    eviction: str | None,
) -> None:
    rng = random.Random(seed)
    path = tmp_path_factory.mktemp("m") / "m.sqlite" if is_in_file else None
    with made(path, name, eviction) as memory, made(None, name, eviction) as other:

        def both(n: int, commits_at: int) -> None:
            for number in range(n):
                episode = drawn(rng)
                for each in (memory, other):
                    learn(each, *episode, number)
                    if number == commits_at:
                        each.commit()

        for each in (memory, other):
            each.add_initial([KNOWN])
        both(14, commits_at=rng.randrange(16))
        with pytest.raises(Stop), memory.all_or_nothing():
            for _ in range(rng.randrange(6)):
                learn(memory, *drawn(rng), 99)
            memory.remove(next(iter(memory)).record_id)
            raise Stop
        assert state(memory) == state(other)
        both(8, commits_at=7)
        expected = state(other)
        assert state(memory) == expected
    if path is not None:
        assert check_memory(path)["problems"] == []
        with made(path, name, eviction) as memory:
            assert state(memory) == expected


@pytest.fixture(params=[True, False], ids=["file", "RAM"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> ExperienceMemory:
    with made(tmp_path / "m.sqlite" if request.param else None, "tfidf", "redundancy") as held:
        held.add_initial([KNOWN])
        for number in range(6):
            learn(held, f"a {WORDS[number]} thing", [(f"page {number}", "a", 1)], number)
        yield held


def test_interrupted_inside_an_insertion(memory: ExperienceMemory, monkeypatch) -> None:
    """A slot is taken, nothing is in it: going back leans on none of that."""
    expected = state(memory)
    similarity = memory._index.observation_similarity

    def stop(*_: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(similarity, "put", stop)
        with pytest.raises(Stop), memory.all_or_nothing():
            memory.insert("g", "new")
    assert state(memory) == expected
    memory.insert("g", "new")
    memory.commit()
    assert ("g", "new") in memory


def test_a_commit_inside_stays(memory: ExperienceMemory) -> None:
    with pytest.raises(Stop), memory.all_or_nothing():
        learn(memory, "g", [("new", "a", 1)], 7)
        memory.commit()
        expected = state(memory)
        learn(memory, "g", [("newer", "a", 1)], 8)
        raise Stop
    assert state(memory) == expected
    learn(memory, "g", [("newer", "a", 1)], 8)
    memory.commit()
    assert memory.n_updates == len(memory.updates()) == 8


@pytest.mark.parametrize("is_written", [True, False])
def test_a_commit_that_is_interrupted(
    memory: ExperienceMemory, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    """Just before it is written, or just after: all of it is there, or nothing."""
    memory.commit()
    memory.insert("mine", "not committed")
    before = state(memory)
    write = Store.write

    def interrupted(self: Store, **changes: object) -> None:
        if is_written:
            write(self, **changes)
        raise Stop

    with (
        monkeypatch.context() as patch,
        pytest.raises(Stop),
        memory.all_or_nothing(),
    ):
        patch.setattr(Store, "write", interrupted)
        learn(memory, "g", [("new", "a", 1)], 7)
        after = state(memory)
        memory.commit()
    assert state(memory) == (after if is_written else before)
    learn(memory, "g", [("newer", "a", 1)], 8)
    memory.commit()
    assert memory.n_updates == len(memory.updates()) == 7 + is_written


def test_interrupted_again_while_it_goes_back(
    memory: ExperienceMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.commit()
    committed = state(memory)

    def stop(*_: object) -> None:
        raise Stop

    with monkeypatch.context() as patch, pytest.raises(Stop), memory.all_or_nothing():
        memory.insert("g", "new")
        patch.setattr(ExperienceMemory, "_take", stop)
        raise Stop
    with pytest.raises(MemoryFileError, match=r"interrupted; reload\(\) it"):
        memory.commit()
    memory.rollback()
    assert state(memory) == committed
    memory.commit()


def test_a_reader_goes_back_while_another_one_writes(tmp_path: Path) -> None:
    """What it has learnt for itself is its own, and no commit of another."""
    path = tmp_path / "m.sqlite"
    with made(path, "tfidf", None) as writer:
        writer.add_initial([KNOWN])
        writer.commit()
        with ExperienceMemory.open(path, read_only=True) as reader:
            learn(reader, "g", [("mine", "a", 1)], 0)
            expected = state(reader)
            learn(writer, "h", [("theirs", "a", 1)], 0)
            writer.commit()
            with pytest.raises(Stop), reader.all_or_nothing():
                learn(reader, "g", [("more", "a", 1)], 1)
                raise Stop
            assert state(reader) == expected


def test_nothing_is_done_where_nothing_was_changed(
    memory: ExperienceMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.commit()
    index = memory._index
    with pytest.raises(Stop), memory.all_or_nothing():
        raise Stop
    assert memory._index is index
