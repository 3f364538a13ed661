"""Other ways to find the most similar records, for `bench retrieval`.

Each holds the same states as our memory and answers a query text with the places of two of them.
What it takes to be fair is said in `note`; a peer that would take too long holds fewer states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rememberer_nb.envs.webshop.profile import page_type
from rememberer_nb.errors import MissingExtraError
from rememberer_nb.retrieval.patterns import page_likeness
from rememberer_nb.testing.bench.states import State

N_DIMENSIONS = 384
Ask = Callable[[str, str], Sequence[int]]


def published(states: Sequence[State], rng: np.random.Generator) -> Ask:
    """What the published code does per query, with a text encoder that takes no time.

    Every record is compared by a Python call that asks three others, weighs what they say and
    returns one number: the kinds of both pages, how well the page's lines fit the task (its second
    best line), and the likeness of the two tasks. Then all are sorted.
    """
    tasks = _unit(rng, len(states))
    lines = [_unit(rng, len(page.splitlines()) + 1) for _, page in states]
    wanted, weights = _unit(rng, 1), np.array([0.25, 0.25, 0.5], dtype=np.float32)

    def by_kind(place: int, kind: str) -> float:
        return page_likeness(kind, page_type(states[place][1]))

    def by_page(place: int, kind: str) -> float:
        fits = np.sort((tasks[place : place + 1] @ lines[place].T)[0])
        return 1.0 - abs(float(fits[-2]) - 0.5)

    def by_task(place: int, kind: str) -> float:
        return float((wanted @ tasks[place : place + 1].T).squeeze())

    def likeness(place: int, kind: str) -> float:
        said = np.asarray([part(place, kind) for part in (by_kind, by_page, by_task)], np.float32)
        return float(np.sum(weights * said))

    def ask(task: str, observation: str) -> Sequence[int]:
        kind = page_type(observation)
        scored = [(likeness(place, kind), place) for place in range(len(states))]
        return [place for _, place in sorted(scored, reverse=True)[:2]]

    return ask


def sklearn(states: Sequence[State], rng: np.random.Generator) -> Ask:
    """Brute-force cosine over the same TF-IDF: both vectors side by side, so totals are ours."""
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import NearestNeighbors

    by_task, by_observation = TfidfVectorizer(), TfidfVectorizer()
    by_task.fit(list(dict.fromkeys(task for task, _ in states)))
    by_observation.fit([observation for _, observation in states])

    def encode(some: Sequence[State]) -> Any:
        parts = (
            by_task.transform([task for task, _ in some]),
            by_observation.transform([observation for _, observation in some]),
        )
        return sparse.hstack(parts, format="csr") * np.sqrt(0.5)

    neighbours = NearestNeighbors(n_neighbors=2, algorithm="brute", metric="cosine")
    neighbours.fit(encode(states))

    def ask(task: str, observation: str) -> Sequence[int]:
        found = neighbours.kneighbors(encode([(task, observation)]), return_distance=False)
        return found[0].tolist()  # type: ignore[no-any-return]

    return ask


def bm25s(states: Sequence[State], rng: np.random.Generator) -> Ask:
    """BM25 by numba over task and observation as one document."""
    library = _needs("bm25s")
    _needs("numba")

    def tokens(texts: list[str]) -> Any:
        return library.tokenize(texts, stopwords=None, show_progress=False)

    ranker = library.BM25(backend="numba")
    ranker.index(tokens([f"{task} {page}" for task, page in states]), show_progress=False)

    def ask(task: str, observation: str) -> Sequence[int]:
        asked = tokens([f"{task} {observation}"])
        found = ranker.retrieve(asked, k=2, show_progress=False, n_threads=1)
        return found.documents[0].tolist()  # type: ignore[no-any-return]

    return ask


def langchain(states: Sequence[State], rng: np.random.Generator) -> Ask:
    """langchain-core's in-memory vector store. The text encoder is free here, too."""
    core = _needs("langchain_core.vectorstores")
    embeddings = _needs("langchain_core.embeddings").DeterministicFakeEmbedding(size=N_DIMENSIONS)
    store = core.InMemoryVectorStore(embeddings)
    document = _needs("langchain_core.documents").Document
    texts = [f"{task} {page}" for task, page in states]
    store.add_documents([document(t, id=str(i)) for i, t in enumerate(texts)])
    vector = rng.standard_normal(N_DIMENSIONS).tolist()

    def ask(task: str, observation: str) -> Sequence[int]:
        return [int(found.id) for found in store.similarity_search_by_vector(vector, k=2)]

    return ask


# Per peer: how to make it, the most states that it gets, and what to know of it.
PEERS: dict[str, tuple[Callable[[Sequence[State], np.random.Generator], Ask], int, str]] = {
    "published": (
        published, 2_000,
        "a Python call per record over the three likenesses of the published WebShop agent, "
        "vectors of 384 numbers at hand (its encoder counted as free); then a sort",
    ),
    "sklearn": (
        sklearn, 1_000_000,
        "NearestNeighbors, brute, cosine, over the same two TF-IDF vectors; transform included",
    ),
    "bm25s": (bm25s, 1_000_000, "backend numba, another score; its own tokeniser included"),
    "langchain": (
        langchain, 5_000,
        "InMemoryVectorStore over vectors of 384 numbers that are at hand (the encoder is free)",
    ),
}  # fmt: skip


def _unit(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """n vectors of length 1, ndarray of shape (n, N_DIMENSIONS)."""
    vectors = rng.standard_normal((n, N_DIMENSIONS), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _needs(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0].replace("_", "-")
        raise MissingExtraError(package, extra="fast" if package == "numba" else "bench") from None
