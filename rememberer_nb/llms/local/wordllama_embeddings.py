"""Texts to vectors on this machine, without a network: the static embeddings of `wordllama`.

A vector of 256 numbers for each of 32,000 pieces of words (MIT, 16 MB, in the package itself; extra
`embed`); a text's vector is the mean over its pieces. The two files are read directly: the
package's own loader looks for its tokenizer in another folder and then downloads it, and importing
it sets up logging for the whole process.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.errors import DataError, MissingExtraError
from rememberer_nb.retrieval.embedding import EmbeddingSimilarity

NAME = "wordllama"
N_DIMENSIONS = 256
_OTHER = "this release of wordllama is another than the ones known here"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"


def wordllama_similarity() -> EmbeddingSimilarity:
    """The similarity "embedding:wordllama".

    Raises
    ------
    MissingExtraError : `wordllama` is not installed.
    """
    _folder()
    # Another release may have other vectors: those that a memory keeps are never mixed.
    version = importlib.metadata.version(NAME)
    return EmbeddingSimilarity(NAME, encode_texts, version=version)


def encode_texts(texts: Sequence[str]) -> np.ndarray:
    """The texts' vectors, ndarray of shape (n_texts, 256), float32.

    A text without any piece, the empty one, has the zero vector, which is like nothing. No word is
    unknown: a rare one is spelt in bytes. Half a character counts as one that cannot be shown.

    Each text is encoded by itself, and the sums are exact, so a vector depends on its text alone.

    Raises
    ------
    MissingExtraError : `wordllama` is not installed.
    DataError : its files are not those that are known here.
    """
    tokenizer, table = _model()
    vectors = np.zeros((len(texts), N_DIMENSIONS), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        # Joins the halves of a pair, too.
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        pieces = tokenizer.encode(whole, add_special_tokens=False).ids
        if pieces:
            # 16-bit numbers times counts: 64 bits hold their sums to the last bit, in any order.
            kinds, counts = np.unique(pieces, return_counts=True)
            row[:] = counts.astype(np.float64) @ table[kinds].astype(np.float64) / len(pieces)
    return vectors


@functools.cache
def _model() -> tuple[Any, np.ndarray]:
    """The tokenizer, and ndarray of shape (32000, 256), float16; read once in a process."""
    folder = _folder()
    try:
        from safetensors import safe_open
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtraError(NAME, extra="embed") from error
    for path in (folder / _WEIGHTS, folder / _TOKENIZER):
        if not path.is_file():
            raise DataError(f"no such file: {_OTHER}", path=path)
    with safe_open(folder / _WEIGHTS, framework="np") as weights:
        table = weights.get_tensor("embedding.weight")
    tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if table.dtype != np.float16 or table.shape != (tokenizer.get_vocab_size(), N_DIMENSIONS):
        problem = f"holds {table.dtype} of shape {table.shape}: {_OTHER}"
        raise DataError(problem, path=folder / _WEIGHTS)
    return tokenizer, table


def _folder() -> Path:
    """Where the package lies; it is found without importing it."""
    spec = importlib.util.find_spec(NAME)
    if spec is None or spec.origin is None:
        raise MissingExtraError(NAME, extra="embed")
    return Path(spec.origin).parent
