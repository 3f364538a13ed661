"""A llama-like language model in NumPy, to be read: from a GGUF file to ln P(text | prompt).

Symbols in shapes: n rows (the tokens of one pass), m tokens that they may look at (kept and new),
d width of the residual stream, h heads, g heads of keys and values (h / g queries share one),
e width of a head, f width inside the SwiGLU, v tokens of the vocabulary.

From bottom to top: `norm`, `rotated`, `attention` and `swiglu` are a layer (`through_layer`), all
layers are a pass (`NumpyLM.forward`), and a pass gives scores (`NumpyLM.score`).

One pass takes what is new of the prompt and all candidates together. The candidates are a tree: a
node is a beginning that one or more of them share, and looks at the prompt, at its parents and at
itself (`tree_mask`). Keys and values of the prompt stay for the next prompt that begins alike.

llama.cpp gives the same scores but for rounding. Of SmolLM2's weights as float32 they differ by
less than 0.05 nats a token (a test holds them to it); of its weights of 4 bits, which llama.cpp
multiplies by numbers of 8 bits, by as much as `rememberer-nb bench local` prints.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from rememberer_nb.elements import TextScore
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.local.scores import (
    CONTEXT_TOKENS,
    WRITTEN_TOKENS,
    as_utf8,
    check_request,
    check_writing,
    cut,
)
from rememberer_nb.llms.local.weights import Layer, Weights, read_gguf

Node = tuple[int, ...]
# Keys and values: two arrays of shape (tokens, g, e).
Held = tuple[np.ndarray, np.ndarray]

# A text ends with these, whatever the file calls them.
_ENDS = ("<|endoftext|>", "<|im_end|>")
# A long prompt goes in by pieces, since attention takes h n m numbers at a time.
_N_ROWS = 512
# What half a letter is decoded as.
_BROKEN = "\ufffd"


class NumpyLM:
    """The model of a GGUF file with architecture "llama" (SmolLM2 and others).

    Parameters
    ----------
    path : the file; its weights are unpacked to float32, 0.54 GB for 135 million of them.
    n_context : the longest prompt and candidate together, in tokens.
    n_threads : of NumPy's matrix products, while the model computes. They wait for each other
        busily: on two cores that others worked on, too, two threads took longer than one.

    Not for several threads at once: `model.LocalLLM` takes turns.

    Raises
    ------
    ConfigError : no such file, or less than one of anything.
    DataError : no GGUF file, or one of another architecture or tokenizer.
    MissingExtraError : `gguf` or `tokenizers` is not installed.
    """

    def __init__(self, path: str | Path, *, n_context: int = CONTEXT_TOKENS, n_threads: int = 1):
        if n_context < 1 or n_threads < 1:
            raise ConfigError(f"expected at least 1, got {n_context=}, {n_threads=}")
        self.weights, self.tokenizer = read_gguf(Path(path))
        self.n_context = min(n_context, self.weights.n_context)
        self.n_threads = n_threads
        self._blas = ThreadpoolController().select(user_api="blas")
        empty = np.zeros((0, self.weights.n_kv_heads, self.weights.head_width), np.float32)
        self._nothing: list[Held] = [(empty, empty)] * len(self.weights.layers)
        # The tokens of the last prompt, and what each layer holds of them.
        self._prompt: list[int] = []
        self._held = self._nothing

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text."""
        return list(self.tokenizer.encode(as_utf8(text).decode(), add_special_tokens=False).ids)

    def score(self, prompt: str, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """ln P(candidate | prompt) of each candidate (`scores.Scorer`)."""
        context, texts = self.tokenize(prompt), [tuple(self.tokenize(text)) for text in candidates]
        check_request(context, candidates, texts, self.n_context)
        nodes = list(dict.fromkeys(text[:end] for text in texts for end in range(1, len(text))))
        logs = log_softmax_rows(self.forward(context, nodes))  # (1 + n_nodes, v)
        rows = {node: row for row, node in enumerate([(), *nodes])}
        found = []
        for text in texts:
            # Each token is judged by the row of what stands before it.
            before = [rows[text[:i]] for i in range(len(text))]
            found.append(TextScore(float(logs[before, text].sum(dtype=float)), len(text)))
        return tuple(found)

    def write(
        self, prompt: str, *, stop: Sequence[str] = ("\n",), max_tokens: int = WRITTEN_TOKENS
    ) -> str:
        """The most likely token, again and again (`scores.Scorer`)."""
        context, ends = self.tokenize(prompt), {self.tokenizer.token_to_id(end) for end in _ENDS}
        check_writing(context, stop, max_tokens, self.n_context)
        tokens: list[int] = []
        text, is_done = "", False
        while len(tokens) < max_tokens and not is_done:
            tokens.append(int(self.forward([*context, *tokens], [])[0].argmax()))
            written = self.tokenizer.decode(tokens).replace(_BROKEN, "")
            text, is_done = cut(written, stop)
            is_done = is_done or tokens[-1] in ends
        return text

    def close(self) -> None:
        """Nothing is held but memory."""

    def forward(self, prompt: Sequence[int], nodes: Sequence[Node]) -> np.ndarray:
        """Logits after the prompt, and after each node: ndarray of shape (1 + n_nodes, v)."""
        # A gate far below 0 is shut: exp(-gate) may well be infinite.
        with self._blas.limit(limits=self.n_threads), np.errstate(over="ignore"):
            for end in range(_N_ROWS, len(prompt), _N_ROWS):
                self._pass(prompt[:end], [])
            x = self._pass(prompt, nodes)[-1 - len(nodes) :]
            return norm(x, self.weights.norm, self.weights.epsilon) @ self.weights.head.T

    def _pass(self, prompt: Sequence[int], nodes: Sequence[Node]) -> np.ndarray:
        """What is new of the prompt, and the nodes, through all layers: (n, d)."""
        n_kept = self._n_kept(prompt)
        held = [(key[:n_kept], value[:n_kept]) for key, value in self._held]
        # Whatever interrupts this, nothing is taken for held that is not.
        self._prompt, self._held = [], self._nothing
        tokens = [*prompt[n_kept:], *(node[-1] for node in nodes)]
        places = [*range(n_kept, len(prompt)), *(len(prompt) + len(node) - 1 for node in nodes)]
        angles = np.outer(places, self.weights.rope_frequencies).astype(np.float32)  # (n, e / 2)
        mask = tree_mask(n_kept, len(prompt), nodes)  # (n, m)
        x = self.weights.embedding[tokens]  # (n, d)
        for number, layer in enumerate(self.weights.layers):
            x, held[number] = through_layer(x, layer, self.weights, held[number], angles, mask)
        self._held = [(key[: len(prompt)], value[: len(prompt)]) for key, value in held]
        self._prompt = list(prompt)
        return x

    def _n_kept(self, prompt: Sequence[int]) -> int:
        """How many tokens begin this prompt as they began the last one; one is always new."""
        pairs = zip(self._prompt, prompt[:-1], strict=False)
        return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))


def through_layer(
    x: np.ndarray, layer: Layer, shape: Weights, held: Held, angles: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, Held]:
    """The rows after a layer, (n, d), and all keys and values, those held and those of the rows."""
    normed = norm(x, layer.attention_norm, shape.epsilon)
    query, key, value = (
        (normed @ matrix.T).reshape(len(x), -1, shape.head_width)  # (n, h or g, e)
        for matrix in (layer.query, layer.key, layer.value)
    )
    query, key = rotated(query, angles), rotated(key, angles)
    key, value = np.concatenate([held[0], key]), np.concatenate([held[1], value])  # (m, g, e)
    x = x + attention(query, key, value, mask) @ layer.output.T
    return x + swiglu(norm(x, layer.mlp_norm, shape.epsilon), layer), (key, value)


def norm(x: np.ndarray, weight: np.ndarray, epsilon: float) -> np.ndarray:
    """Each row divided by the root of its mean square, then weighted: (n, d).

    >>> norm(np.array([[3.0, -4.0]]), np.array([1.0, 10.0]), 0.0).round(3)
    array([[  0.849, -11.314]])
    """
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon) * weight


def rotated(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Each pair of components turned by its angle, which grows with the position: (n, heads, e).

    Parameters
    ----------
    x : (n, heads, e).
    angles : (n, e / 2), radians.

    >>> rotated(np.array([[[1.0, 0.0]]]), np.array([[np.pi / 2]])).round(3)
    array([[[0., 1.]]])
    """
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]  # (n, 1, e / 2)
    one, other = x[..., 0::2], x[..., 1::2]
    pairs = np.stack([one * cos - other * sin, one * sin + other * cos], axis=-1)
    return pairs.reshape(x.shape)


def attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """What each row takes from the values that it looks at: (n, h e).

    Parameters
    ----------
    query : (n, h, e).
    key, value : (m, g, e).
    mask : (n, m), see `tree_mask`.
    """
    (n, h, e), g = query.shape, key.shape[1]
    q = query.reshape(n, g, h // g, e).transpose(1, 2, 0, 3)  # (g, h / g, n, e)
    k = key.transpose(1, 2, 0)[:, None]  # (g, 1, e, m)
    v = value.transpose(1, 0, 2)[:, None]  # (g, 1, m, e)
    weights = softmax_rows(q @ k / np.sqrt(np.float32(e)) + mask)  # (g, h / g, n, m)
    return (weights @ v).transpose(2, 0, 1, 3).reshape(n, h * e)


def tree_mask(n_kept: int, n_prompt: int, nodes: Sequence[Node]) -> np.ndarray:
    """0 where a row may look, minus infinity elsewhere: ndarray of shape (n, m), float32.

    Parameters
    ----------
    n_kept : how many of the prompt's tokens are not among the rows.
    n_prompt : all of the prompt's tokens.
    nodes : beginnings of candidates; those of a node's own beginnings come before it.

    >>> tree_mask(1, 2, [(5,), (6,), (5, 7)])
    array([[  0.,   0., -inf, -inf, -inf],
           [  0.,   0.,   0., -inf, -inf],
           [  0.,   0., -inf,   0., -inf],
           [  0.,   0.,   0., -inf,   0.]], dtype=float32)
    """
    places = {node: n_prompt + i for i, node in enumerate(nodes)}
    mask = np.full((n_prompt - n_kept + len(nodes), n_prompt + len(nodes)), -np.inf, np.float32)
    mask[np.tri(len(mask), n_prompt, n_kept, dtype=bool).nonzero()] = 0
    for node, place in places.items():
        mask[place - n_kept, [places[node[:end]] for end in range(1, len(node) + 1)]] = 0
    return mask


def swiglu(x: np.ndarray, layer: Layer) -> np.ndarray:
    """A layer's two-way multiplication, one way squeezed by x / (1 + exp(-x)): (n, d)."""
    gate, up = x @ layer.gate.T, x @ layer.up.T  # (n, f)
    return (gate / (1 + np.exp(-gate)) * up) @ layer.down.T


def softmax_rows(x: np.ndarray) -> np.ndarray:
    """Shares of each row: above 0, and 1 together.

    >>> softmax_rows(np.array([0.0, np.log(3.0), -np.inf]))
    array([0.25, 0.75, 0.  ])
    """
    shares = np.exp(x - x.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def log_softmax_rows(x: np.ndarray) -> np.ndarray:
    """The logarithms of `softmax_rows`, for shares too small to be told from 0.

    >>> log_softmax_rows(np.array([0.0, -1000.0]))
    array([    0., -1000.])
    """
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
