"""Text to sparse vectors, encoded once at insertion; similarities behind one protocol."""

from rememberer_nb.retrieval.index import RecordIndex, Scored
from rememberer_nb.retrieval.jaccard import JaccardSimilarity
from rememberer_nb.retrieval.similarity import (
    Similarity,
    Term,
    make_similarity,
    register_similarity,
)
from rememberer_nb.retrieval.tfidf import TfidfSimilarity, tokenize

register_similarity("tfidf", TfidfSimilarity)
register_similarity("jaccard", JaccardSimilarity)

__all__ = [
    "JaccardSimilarity",
    "RecordIndex",
    "Scored",
    "Similarity",
    "Term",
    "TfidfSimilarity",
    "make_similarity",
    "register_similarity",
    "tokenize",
]
