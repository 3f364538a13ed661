"""An index that is filled when it is first asked for."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.history import open_to_look
from rememberer_nb.retrieval import JaccardSimilarity, LateIndex, RecordIndex, TfidfSimilarity
from tests.memory.store.test_store import filled, hits

ROWS = [(i, f"task {i % 2}", f"page {i} lamp", i) for i in range(6)]


class Counting(JaccardSimilarity):
    """Counts the texts that it encodes, and fails when it is told to."""

    n_put = 0
    is_failing = False

    def put(self, slot: int, text: str) -> None:
        if Counting.is_failing:
            raise TypeError("the similarity's own")
        Counting.n_put += 1
        super().put(slot, text)


@pytest.fixture(autouse=True)
def fresh() -> None:
    Counting.n_put, Counting.is_failing = 0, False


def late() -> LateIndex:
    made = LateIndex(lambda: RecordIndex(Counting(), Counting()))
    made.take(ROWS, {})
    return made


def test_nothing_is_encoded_before_it_is_asked_for() -> None:
    index = late()
    assert index.keys == ("task:jaccard", "observation:jaccard")
    assert Counting.n_put == 0
    found = [scored.record_id for scored in index.get().search("task 1", "page 3 lamp", 0.5)]
    assert found[0] == 3
    assert Counting.n_put == 6 + 2
    assert index.get() is index.get()
    assert Counting.n_put == 6 + 2


def test_threads_wait_for_one_that_encodes() -> None:
    index, found = late(), []
    threads = [threading.Thread(target=lambda: found.append(index.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert Counting.n_put == 6 + 2


def test_what_failed_is_tried_again() -> None:
    index = late()
    Counting.is_failing = True
    for _ in range(2):
        with pytest.raises(TypeError, match="the similarity's own"):
            index.get()
    Counting.is_failing = False
    assert len(index.get()) == 6


def test_a_memory_is_encoded_when_it_is_first_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.sqlite"
    with filled(path, 4) as memory:
        expected, held = hits(memory), list(memory)
    n_put = []
    encode = TfidfSimilarity.put_many
    monkeypatch.setattr(
        TfidfSimilarity,
        "put_many",
        lambda self, slots, texts: (n_put.append(len(list(texts))), encode(self, slots, texts)),
    )
    with open_to_look(path) as memory:
        assert list(memory) == held
        assert memory.find(held[2].task, held[2].observation) == held[2]
        assert memory.stats()["n_records"] == 12
        assert n_put == []
        assert hits(memory) == expected
        assert n_put == [12, 4]
        # A change asks for it, too.
    with ExperienceMemory.open(path) as memory:
        memory.add_action(memory.record(0).record_id, "click[new]")
        assert n_put == [12, 4] * 2
        assert [hit.record.record_id for found in hits(memory) for hit in found] == [
            hit.record.record_id for found in expected for hit in found
        ]
