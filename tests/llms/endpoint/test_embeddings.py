"""Embeddings over HTTP: batches, named errors, tries within a deadline, and no key in any text."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rememberer_nb.config import LLMConfig
from rememberer_nb.errors import ConfigError, LLMError
from rememberer_nb.llms.endpoint.embeddings import EmbeddingClient, embedding_endpoint
from rememberer_nb.llms.local.llama_cpp import LlamaServer
from rememberer_nb.testing.tiny_model import write_tiny_model
from tests.llms.conftest import KEY, FaultServer, refusal

FAST = LLMConfig(timeout_s=0.5, deadline_s=2.0, max_retries=2, backoff_s=0.02, max_backoff_s=0.04)


def vectors(*rows: Any) -> dict[str, Any]:
    """The script's entry for an answer with those vectors."""
    data = [{"object": "embedding", "index": i, "embedding": row} for i, row in enumerate(rows)]
    return {"body": {"object": "list", "data": data, "model": "m"}}


@pytest.fixture
def client() -> Iterator[EmbeddingClient]:
    made = EmbeddingClient("m", config=FAST, batch_size=2)
    yield made
    made.close()


def test_texts_go_in_batches_and_come_back_in_order(
    server: FaultServer, client: EmbeddingClient
) -> None:
    swapped = vectors([3.0, 4.0], [1.0, 2.0])
    for place, row in enumerate(swapped["body"]["data"]):
        row["index"] = 1 - place
    server.play(swapped, vectors([5.0, 6.0]))
    found = client(["one", "", "three"])
    assert found.dtype == np.float32
    assert found.tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert [entry["path"] for entry in server.log] == ["/v1/embeddings"] * 2
    # An empty text is refused by some servers.
    assert [entry["body"]["input"] for entry in server.log] == [["one", " "], ["three"]]
    assert server.log[0]["body"]["model"] == "m"
    assert client.n_requests == 2


def test_nothing_is_asked_for_no_texts(server: FaultServer, client: EmbeddingClient) -> None:
    assert client([]).shape == (0, 0)
    assert server.log == []


BAD_REQUEST = refusal(400, f"too long, {KEY}")


@pytest.mark.parametrize(
    ("answers", "name", "n_requests"),
    [
        ([refusal(500)], "unavailable", 3),
        ([refusal(429)], "unavailable", 3),
        ([refusal(429, headers={"retry-after": "90"})], "unavailable", 1),
        ([refusal(429, code="insufficient_quota")], "quota", 1),
        ([refusal(401, f"wrong key {KEY}")], "auth", 1),
        ([refusal(404)], "endpoint", 1),
        ([BAD_REQUEST], "refused_request", 1),
        ([{**vectors([1.0]), "delay_s": 0.8}], "timeout", 3),
        ([{**vectors([1.0]), "cut_after": 3}], "unavailable", 3),
        ([{"body": "<html>hello</html>"}], "not_json", 1),
        ([{"body": {"data": []}}], "wrong_embeddings", 1),
        ([{"body": {"error": "no"}}], "wrong_embeddings", 1),
        ([{"body": []}], "wrong_embeddings", 1),
        ([vectors([1.0], [2.0])], "wrong_embeddings", 1),
        ([vectors([])], "wrong_embeddings", 1),
        ([vectors(None)], "wrong_embeddings", 1),
        ([vectors("AAAA")], "wrong_embeddings", 1),
        ([{"body": {"data": [3]}}], "wrong_embeddings", 1),
    ],
)
def test_what_can_go_wrong_has_a_name(
    server: FaultServer, client: EmbeddingClient, answers: list, name: str, n_requests: int
) -> None:
    server.play(*answers)
    started = time.monotonic()
    with pytest.raises(LLMError) as caught:
        client(["text"])
    assert caught.value.name == name
    assert len(server.log) == n_requests
    assert time.monotonic() - started < 2.5
    assert KEY not in str(caught.value)


def test_vectors_of_several_lengths_are_refused(
    server: FaultServer, client: EmbeddingClient
) -> None:
    server.play(vectors([1.0], [2.0]), vectors([1.0, 2.0]))
    with pytest.raises(LLMError, match="vectors of several lengths"):
        client(["a", "b", "c"])


def test_a_passing_failure_is_tried_again(server: FaultServer, client: EmbeddingClient) -> None:
    server.play(refusal(503), vectors([1.0]))
    assert client(["a"]).tolist() == [[1.0]]


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBEDDING_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(LLMError, match=r"no embeddings from 127\.0\.0\.1:9"):
        EmbeddingClient("m", config=FAST)(["a"])


def test_the_address_of_its_own_goes_first_and_never_gets_the_llms_key() -> None:
    both = {
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "OPENAI_API_KEY": KEY,
        "EMBEDDING_BASE_URL": "http://127.0.0.1:2/v1",
    }
    own = embedding_endpoint(both)
    assert (own.base_url, own.key) == ("http://127.0.0.1:2/v1", "none")
    del both["EMBEDDING_BASE_URL"]
    assert embedding_endpoint(both).key == KEY


def test_a_model_must_be_named() -> None:
    with pytest.raises(ConfigError, match="expected embedding:MODEL"):
        EmbeddingClient("")


def test_llama_cpp_serves_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("xllamacpp", "gguf"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    path = write_tiny_model(tmp_path / "tiny.gguf")
    with LlamaServer(path, n_context=2048, has_embeddings=True) as server:
        client = EmbeddingClient("tiny", endpoint=server.endpoint, batch_size=2)
        one, two, again = client(["a red lamp", "a long coat", "a red lamp"])
        client.close()
    assert one.shape == (32,)
    assert one == pytest.approx(again, abs=1e-5)
    assert abs(float(one @ two) / np.linalg.norm(one) / np.linalg.norm(two)) < 0.999


@pytest.mark.parametrize(
    "rows",
    [
        [["1.0", "2.0"]],
        [[True, 1e300]],
        [[10**400]],
        [[[1.0]]],
        [{"0": 1.0}],
        [[1.0], [2.0, 3.0]],
    ],
)
def test_vectors_that_are_none(server: FaultServer, client: EmbeddingClient, rows: list) -> None:
    server.play(vectors(*rows))
    with pytest.raises(LLMError) as caught:
        client(["text"] * len(rows))
    assert caught.value.name == "wrong_embeddings"


@pytest.mark.parametrize("places", [(0, 0), (1, 2), (-1, 0), ("0", 1), ([], 0)])
def test_places_that_are_none(server: FaultServer, client: EmbeddingClient, places: tuple) -> None:
    answer = vectors([1.0], [2.0])
    for row, place in zip(answer["body"]["data"], places, strict=True):
        row["index"] = place
    server.play(answer)
    with pytest.raises(LLMError) as caught:
        client(["a", "b"])
    assert caught.value.name == "wrong_embeddings"
