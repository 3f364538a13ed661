"""Dense similarity: encoded once, kept with the memory, mixed like the others."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rememberer_nb.config import RetrievalConfig
from rememberer_nb.errors import ConfigError, LLMAuthError, LLMOutageError, LLMUnavailableError
from rememberer_nb.llms.endpoint.embeddings import EmbeddingClient
from rememberer_nb.llms.local.llama_cpp import LlamaServer
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.retrieval import EmbeddingSimilarity, JaccardSimilarity, make_similarity
from rememberer_nb.retrieval.embedding import N_REMEMBERED
from rememberer_nb.retrieval.mixed import MixedSimilarity
from rememberer_nb.retrieval.vectors import vector_key
from rememberer_nb.testing.tiny_model import write_tiny_model


class Letters:
    """Counts a, b and minus c; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.append(list(texts))
        return np.array([[t.count("a"), t.count("b") - t.count("c")] for t in texts], dtype=float)


class Away:
    """Gives no vectors."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error or LLMUnavailableError("the server is away")

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        raise self.error


@pytest.fixture
def encode() -> Letters:
    return Letters()


@pytest.fixture
def similarity(encode: Letters) -> EmbeddingSimilarity:
    made = EmbeddingSimilarity("letters", encode)
    for slot, text in enumerate(("a", "ab", "c", "xyz")):
        made.put(slot, text)
    return made


def test_scores_by_hand(similarity: EmbeddingSimilarity) -> None:
    # "b" is (0, 1): at right angles to "a", at 45° to "ab", opposite to "c"; "xyz" is 0.
    scores = similarity.scores("b")
    assert scores == pytest.approx([0, math.sqrt(0.5), 0, 0], abs=1e-6)
    assert similarity.scores("aaaa") == pytest.approx([1, math.sqrt(0.5), 0, 0], abs=1e-6)
    assert similarity.scores("xyz").tolist() == [0, 0, 0, 0]
    assert similarity.name == "embedding:letters"


def test_every_text_is_encoded_once_and_all_that_waits_together(
    similarity: EmbeddingSimilarity, encode: Letters
) -> None:
    assert encode.asked == []
    similarity.scores("q")
    assert encode.asked == [["a", "ab", "c", "xyz", "q"]]
    similarity.scores("q")
    similarity.put(4, "q")
    similarity.put(5, "ab")
    similarity.put(6, "new")
    assert len(similarity.scores("q")) == 7
    assert encode.asked[1:] == [["new"]]


def test_removed_slots_score_nothing_and_are_used_again(similarity: EmbeddingSimilarity) -> None:
    similarity.scores("a")
    similarity.remove(0)
    similarity.remove(3)
    assert similarity.scores("a") == pytest.approx([0, math.sqrt(0.5), 0, 0], abs=1e-6)
    similarity.put(0, "b")
    assert similarity.scores("b")[0] == pytest.approx(1)
    similarity.put(9, "never asked for")
    similarity.remove(9)
    assert len(similarity.scores("b")) == 10


def test_the_explanation_adds_up(similarity: EmbeddingSimilarity) -> None:
    (term,) = similarity.explain("b", 1)
    assert term.product == pytest.approx(math.sqrt(0.5))
    assert similarity.explain("b", 0) == ()


def test_one_that_shares_its_vectors_asks_for_nothing(similarity: EmbeddingSimilarity) -> None:
    before = similarity.scores("ab")
    again = EmbeddingSimilarity("letters", Away())
    again.vectors = similarity.vectors
    # Other slots, one text twice, and one that is gone.
    for slot, text in ((3, "a"), (1, "ab"), (0, "ab"), (2, "c")):
        again.put(slot, text)
    assert again.scores("ab").tolist() == before[[1, 1, 2, 0]].tolist()


def test_a_text_in_two_slots_outlives_one_of_them(encode: Letters) -> None:
    similarity = EmbeddingSimilarity("letters", encode)
    similarity.put(0, "ab"), similarity.put(1, "ab")
    similarity.scores("a")
    similarity.remove(1)
    assert list(similarity.vectors.new) == [vector_key("letters", "ab")]
    similarity.remove(0)
    assert similarity.vectors.new == {}
    assert encode.asked == [["ab", "a"]]


def test_another_version_of_a_model_is_another_model(similarity: EmbeddingSimilarity) -> None:
    similarity.scores("a")
    newer = EmbeddingSimilarity("letters", lambda texts: np.ones((len(texts), 3)), version="2")
    similarity.vectors.share_with(newer)
    newer.put(0, "a")
    assert newer.scores("c").tolist() == pytest.approx([1.0])
    assert newer.name == similarity.name
    assert similarity.vectors.widths == {"letters": 2, "letters 2": 3}
    assert similarity.vectors.models == {"letters 2"}


def test_a_commit_does_not_fail_with_the_endpoint_but_a_query_does(encode: Letters) -> None:
    similarity = EmbeddingSimilarity("letters", Away())
    similarity.put(0, "a")
    assert similarity.state() == b""
    with pytest.raises(LLMOutageError, match="embedding:letters: nothing can be retrieved: the s"):
        similarity.scores("a")
    similarity._encode = Away(LLMAuthError("no API key"))
    with pytest.raises(LLMAuthError):
        similarity.scores("a")
    similarity._encode = encode
    assert similarity.scores("a").tolist() == [1.0]


def test_another_model_by_the_same_name_is_noticed(similarity: EmbeddingSimilarity) -> None:
    similarity.scores("a")
    similarity._encode = lambda texts: np.ones((len(texts), 3))
    with pytest.raises(LLMOutageError, match="gives 3 dimensions, the memory holds vectors of 2"):
        similarity.scores("another")


def test_half_a_character_is_a_text_like_any_other(encode: Letters) -> None:
    similarity = EmbeddingSimilarity("letters", encode)
    similarity.put(0, "a \ud83d")
    assert similarity.scores("a").tolist() == [1.0]


def test_mixed_with_another(encode: Letters) -> None:
    both = MixedSimilarity(
        [(3.0, EmbeddingSimilarity("letters", encode)), (1.0, JaccardSimilarity())], name="both"
    )
    both.put(0, "task\x1ea b")
    assert both.scores("task\x1eb a").tolist() == pytest.approx([1.0])
    assert both.scores("task\x1ea").tolist() == pytest.approx([0.75 * math.sqrt(0.5) + 0.125])
    again = MixedSimilarity(
        [(3.0, EmbeddingSimilarity("letters", Away())), (1.0, JaccardSimilarity())], name="both"
    )
    both.parts[0].vectors.share_with(again)
    again.put(0, "task\x1ea b")
    again.restore(both.state())
    assert again.scores("task\x1ea b").tolist() == pytest.approx([1.0])


@pytest.mark.parametrize("name", ["embedding:m", "embedding:a/b:c", "9*embedding:m+jaccard"])
def test_made_by_name(name: str) -> None:
    assert make_similarity(name).name == name


@pytest.mark.usefixtures("wordllama")
def test_a_name_that_is_registered_whole_goes_first() -> None:
    assert make_similarity("embedding:wordllama").model.startswith("wordllama 0.")
    assert isinstance(make_similarity("embedding:wordllama2")._encode, EmbeddingClient)


def test_names_that_are_none() -> None:
    with pytest.raises(ConfigError, match=r"known: .*embedding:\.\.\."):
        make_similarity("embeddings:m")
    with pytest.raises(ConfigError, match="expected embedding:MODEL"):
        make_similarity("embedding:")


# With a memory, and a real server


def _fill(memory: ExperienceMemory) -> None:
    for colour in ("red", "blue", "green"):
        record_id = memory.insert(f"a {colour} lamp", f"page of a {colour} lamp")
        memory.add_action(record_id, "click[buy now]")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    for name in ("xllamacpp", "gguf"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    path = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf")
    with LlamaServer(path, n_context=2048, has_embeddings=True) as running:
        yield running


def test_a_memory_opened_again_asks_for_its_queries_alone(
    server: LlamaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("EMBEDDING_BASE_URL", server.endpoint.base_url)
    monkeypatch.setenv("EMBEDDING_API_KEY", "sk-embedding-key-0123456789")
    path = tmp_path / "m.sqlite"
    settings = RetrievalConfig(
        task_similarity="embedding:tiny", observation_similarity="embedding:tiny+tfidf"
    )
    query = ("a blue lamp", "page of a blue coat")
    with ExperienceMemory.open(path, retrieval=settings) as memory:
        _fill(memory)
        hits = list(memory.retrieve(*query))
        memory.commit()
    assert hits[0].record.task == "a blue lamp"
    assert hits[0].task_similarity == pytest.approx(1.0, abs=1e-6)
    assert b"sk-embedding-key" not in path.read_bytes()
    with ExperienceMemory.open(path, retrieval=settings) as memory:
        similarity = memory._index.task_similarity
        again = list(memory.retrieve(*query))
        assert similarity._encode.n_requests == 1 - (query[0] == hits[0].record.task)
        assert [hit.total for hit in again] == [hit.total for hit in hits]
        # λ as with any other similarity.
        by_task = list(memory.retrieve(*query, task_weight=1.0))
        assert [hit.total for hit in by_task] == [hit.task_similarity for hit in by_task]


def test_threads_that_ask_at_the_same_time_do_not_disturb_each_other() -> None:
    def lengths(texts):
        return np.array([[hash(text) % 7 + 1, len(text)] for text in texts], float)

    def filled():
        similarity = EmbeddingSimilarity("lengths", lengths)
        for slot in range(100):
            similarity.put(slot, "x" * slot)
        return similarity

    queries = [f"query {i}" for i in range(20_000)]
    expected = [filled().scores(query)[:3].tolist() for query in queries[:5]]
    similarity, interval = filled(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = [scores[:3].tolist() for scores in pool.map(similarity.scores, queries)]
    finally:
        sys.setswitchinterval(interval)
    assert found[:5] == expected
    assert len(found) == len(queries) > N_REMEMBERED
