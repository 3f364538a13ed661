"""Vectors by model and text: what is new, what is shared, what is given up."""

from __future__ import annotations

import numpy as np
import pytest

from rememberer_nb.retrieval import JaccardSimilarity
from rememberer_nb.retrieval.embedding import EmbeddingSimilarity
from rememberer_nb.retrieval.index import RecordIndex
from rememberer_nb.retrieval.mixed import MixedSimilarity
from rememberer_nb.retrieval.vectors import Vectors, vector_key

A, B = vector_key("m", "a"), vector_key("m", "b")


def made(encode=lambda texts: np.ones((len(texts), 2))) -> EmbeddingSimilarity:
    return EmbeddingSimilarity("m", encode)


def test_keys_are_of_the_model_and_the_text() -> None:
    keys = {vector_key(model, text) for model in ("m", "n") for text in ("", "a", "a\ud83d")}
    assert len(keys) == 6
    assert {len(key) for _, key in keys} == {16}
    # The same in every process, and in every file: BLAKE2b of 16 bytes.
    assert vector_key("m", "")[1].hex() == "cae66941d9efbd404e4d88758ea67670"


def test_what_was_stored_is_no_longer_new() -> None:
    vectors = Vectors()
    vectors.put(A, np.array([1.0, 0.0]))
    vectors.put(B, np.array([0.0, 1.0]))
    assert list(vectors.new) == [A, B]
    vectors.recall({A: np.array([1.0, 0.0])})
    assert list(vectors.new) == [B]
    vectors.put(A, np.array([9.0, 9.0]))
    assert (list(vectors.new), vectors.get(A).tolist()) == ([B], [1.0, 0.0])
    vectors.forget(B), vectors.forget(B)
    assert (vectors.new, vectors.get(B), list(vectors.snapshot())) == ({}, None, [A])


def test_a_vector_does_not_keep_the_array_that_it_came_in() -> None:
    vectors, batch = Vectors(), np.zeros((1000, 2))
    vectors.put(A, batch[3])
    batch[3] = 7.0
    assert vectors.get(A).base is None
    assert vectors.get(A).tolist() == [0.0, 0.0]


def test_parts_of_mixtures_share_and_others_are_left_alone() -> None:
    vectors, deep = Vectors(), made()
    inner = MixedSimilarity([(1.0, deep), (1.0, JaccardSimilarity())], name="inner")
    outer = MixedSimilarity([(1.0, JaccardSimilarity()), (1.0, inner)], name="outer")
    vectors.share_with(outer, JaccardSimilarity())
    assert deep.vectors is vectors
    assert vectors.models == {"m"}


def test_a_text_that_is_task_and_observation_is_encoded_once() -> None:
    asked: list[str] = []

    def encode(texts):
        asked.extend(texts)
        return np.ones((len(texts), 2))

    index = RecordIndex(made(encode), made(encode), Vectors())
    index.add(0, "a lamp", "a lamp")
    index.add(1, "a lamp", "a door")
    found = [scored.total for scored in index.search("a lamp", "a lamp", 0.5)]
    assert found == pytest.approx([1.0, 1.0])
    assert sorted(asked) == ["a door", "a lamp"]
