"""A llama-like language model in NumPy, to be read: from a GGUF file to ln P(text | prompt).

Symbols in shapes: n rows (the tokens of one pass), m tokens that they may look at (kept and new),
d width of the residual stream, h heads, g heads of keys and values (h / g queries share one),
e width of a head, v tokens of the vocabulary.

One pass takes what is new of the prompt and all candidates together. The candidates are a tree: a
node is a beginning that one or more of them share, and looks at the prompt, at its parents and at
itself. Keys and values of the prompt stay for the next prompt that begins alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rememberer_nb.elements import TextScore
from rememberer_nb.llms.local.gguf_file import Layer, read_gguf
from rememberer_nb.llms.local.scores import (
    CONTEXT_TOKENS,
    WRITTEN_TOKENS,
    as_utf8,
    check_request,
    check_writing,
)

Node = tuple[int, ...]


class NumpyLM:
    """The model of a GGUF file with architecture "llama" (SmolLM2 and others).

    Parameters
    ----------
    path : the file; its weights are unpacked to float32, 0.54 GB for 135 million of them.
    n_context : the longest prompt and candidate together, in tokens.

    Raises
    ------
    DataError : no GGUF file, or one of another architecture or tokenizer.
    MissingExtraError : `gguf` or `tokenizers` is not installed.
    """

    def __init__(self, path: str | Path, *, n_context: int = CONTEXT_TOKENS):
        self.weights, self.tokenizer = read_gguf(Path(path))
        self.n_context = min(n_context, self.weights.n_context)
        self._prompt: list[int] = []
        # Keys and values of the prompt's tokens, a pair for each layer: (n_prompt, g, e).
        self._kept: list[tuple[np.ndarray, np.ndarray]] = []

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text."""
        return list(self.tokenizer.encode(as_utf8(text).decode(), add_special_tokens=False).ids)

    def score(self, prompt: str, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """ln P(candidate | prompt) of each candidate (`scores.Scorer`)."""
        context, texts = self.tokenize(prompt), [tuple(self.tokenize(text)) for text in candidates]
        check_request(context, candidates, texts, self.n_context)
        nodes = {text[:end]: 0 for text in texts for end in range(1, len(text))}
        logits = self.forward(context, list(nodes))  # (1 + n_nodes, v)
        top = logits.max(axis=1, keepdims=True)
        norms = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))  # ln of each row's sum
        rows = {node: row for row, node in enumerate([(), *nodes])}
        found = []
        for text in texts:
            at = [rows[text[:i]] for i in range(len(text))]
            found.append(TextScore(float((logits[at, text] - norms[at]).sum()), len(text)))
        return tuple(found)

    def write(
        self, prompt: str, *, stop: Sequence[str] = ("\n",), max_tokens: int = WRITTEN_TOKENS
    ) -> str:
        """The most likely token, again and again, up to a text of `stop`."""
        context, written = self.tokenize(prompt), ""
        check_writing(context, stop, max_tokens, self.n_context)
        tokens: list[int] = []
        while len(tokens) < max_tokens and not any(end in written for end in stop):
            tokens.append(int(self.forward([*context, *tokens], [])[0].argmax()))
            written = self.tokenizer.decode(tokens)
        return min((written.split(end)[0] for end in stop), key=len, default=written)

    def close(self) -> None:
        """Nothing is held but memory."""

    def forward(self, prompt: Sequence[int], nodes: Sequence[Node]) -> np.ndarray:
        """Logits after the prompt, and after each node: ndarray of shape (1 + n_nodes, v)."""
        w, n_kept = self.weights, self._n_kept(prompt)
        fresh = [*prompt[n_kept:], *(node[-1] for node in nodes)]  # the tokens of this pass
        depths = [*range(n_kept, len(prompt)), *(len(prompt) + len(node) - 1 for node in nodes)]
        mask = _mask(n_kept, len(prompt), nodes)  # (n, m)
        turn = np.outer(depths, w.rope_frequencies).astype(np.float32)[:, None]  # (n, 1, e / 2)
        kept, self._kept, self._prompt = self._kept, [], list(prompt)
        x = w.embedding[fresh]  # (n, d)
        for number, layer in enumerate(w.layers):
            normed = _norm(x, layer.attention_norm, w.epsilon)
            query, key, value = (
                (normed @ matrix.T).reshape(len(x), -1, w.head_width)  # (n, h or g, e)
                for matrix in (layer.query, layer.key, layer.value)
            )
            query, key = _rotated(query, turn), _rotated(key, turn)
            if n_kept:
                key = np.concatenate([kept[number][0][:n_kept], key])  # (m, g, e)
                value = np.concatenate([kept[number][1][:n_kept], value])
            x = x + _attention(query, key, value, mask) @ layer.output.T
            x = x + _mlp(_norm(x, layer.mlp_norm, w.epsilon), layer)
            self._kept.append((key[: len(prompt)], value[: len(prompt)]))
        after = x[len(prompt) - n_kept - 1 :]  # the prompt's last token, and the nodes
        return _norm(after, w.norm, w.epsilon) @ w.head.T

    def _n_kept(self, prompt: Sequence[int]) -> int:
        """How many tokens begin this prompt as they began the last one; one is always new."""
        pairs = zip(self._prompt, prompt[:-1], strict=False)
        return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))


def _mask(n_kept: int, n_prompt: int, nodes: Sequence[Node]) -> np.ndarray:
    """0 where a row may look, minus infinity elsewhere: ndarray of shape (n, m)."""
    places = {node: n_prompt + i for i, node in enumerate(nodes)}
    mask = np.full((n_prompt - n_kept + len(nodes), n_prompt + len(nodes)), -np.inf, np.float32)
    mask[np.tri(len(mask), n_prompt, n_kept, dtype=bool).nonzero()] = 0
    for node, place in places.items():
        mask[place - n_kept, [places[node[:end]] for end in range(1, len(node) + 1)]] = 0
    return mask


def _norm(x: np.ndarray, weight: np.ndarray, epsilon: float) -> np.ndarray:
    """Root mean square normalisation of each row: (n, d)."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon) * weight


def _rotated(x: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Each pair of components turned by its angle, which grows with the position: (n, heads, e)."""
    one, other, cos, sin = x[..., 0::2], x[..., 1::2], np.cos(turn), np.sin(turn)
    pairs = np.stack([one * cos - other * sin, one * sin + other * cos], axis=-1)
    return pairs.reshape(x.shape)


def _attention(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """What each row takes from the values that it looks at: (n, h e)."""
    (n, h, e), g = query.shape, key.shape[1]
    q = query.reshape(n, g, -1, e).transpose(1, 2, 0, 3)  # (g, h / g, n, e)
    k, v = key.transpose(1, 2, 0)[:, None], value.transpose(1, 0, 2)[:, None]  # (g, 1, e, m) ...
    weights = np.exp(_stable(q @ k / np.sqrt(np.float32(e)) + mask))  # (g, h / g, n, m)
    mixed = weights @ v / weights.sum(axis=-1, keepdims=True)  # (g, h / g, n, e)
    return mixed.transpose(2, 0, 1, 3).reshape(n, h * e)


def _stable(x: np.ndarray) -> np.ndarray:
    return x - x.max(axis=-1, keepdims=True)


def _mlp(x: np.ndarray, layer: Layer) -> np.ndarray:
    """SwiGLU: (n, d)."""
    gate = x @ layer.gate.T  # (n, f)
    return (gate / (1 + np.exp(-gate)) * (x @ layer.up.T)) @ layer.down.T
