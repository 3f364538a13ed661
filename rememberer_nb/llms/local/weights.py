"""The weights of a GGUF file as float32, and the tokenizer that its tokens make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.errors import DataError, MissingExtraError
from rememberer_nb.llms.local.gguf_file import GGUFFile, open_gguf

ARCHITECTURE = "llama"
# Kinds of tokens that are found in a text before it is cut into words: control, user-defined.
_SPECIAL = (3, 4)
_PRE_TOKENIZERS = ("smollm", "gpt-2")


@dataclass(frozen=True, slots=True)
class Layer:
    """Matrices of shape (n_out, n_in); see `numpy_lm` for the symbols."""

    attention_norm: np.ndarray  # (d,)
    query: np.ndarray  # (h e, d)
    key: np.ndarray  # (g e, d)
    value: np.ndarray  # (g e, d)
    output: np.ndarray  # (d, h e)
    mlp_norm: np.ndarray  # (d,)
    gate: np.ndarray  # (f, d)
    up: np.ndarray  # (f, d)
    down: np.ndarray  # (d, f)


@dataclass(frozen=True, slots=True)
class Weights:
    """All numbers of a model."""

    embedding: np.ndarray  # (v, d)
    layers: tuple[Layer, ...]
    norm: np.ndarray  # (d,)
    head: np.ndarray  # (v, d)
    n_kv_heads: int  # g
    head_width: int  # e
    rope_frequencies: np.ndarray  # (e / 2,)
    epsilon: float
    n_context: int


def read_gguf(path: Path) -> tuple[Weights, Any]:
    """Weights and tokenizer (a `tokenizers.Tokenizer`).

    Raises
    ------
    ConfigError : no such file.
    DataError : it is no GGUF file, is cut off, or holds another architecture or tokenizer than can
        be read here.
    MissingExtraError : `gguf` or `tokenizers` is not installed.
    """
    file = open_gguf(path)
    found = file.get("general.architecture")
    if found != ARCHITECTURE:
        raise DataError(f"has architecture {found!r:.80}; NumPy reads {ARCHITECTURE!r}", path=path)
    tokenizer = _tokenizer(file)
    return _weights(file, tokenizer.get_vocab_size()), tokenizer


def _weights(file: GGUFFile, v: int) -> Weights:
    d, h = file.count("llama.embedding_length"), file.count("llama.attention.head_count")
    g, f = file.count("llama.attention.head_count_kv", h), file.count("llama.feed_forward_length")
    e = file.count("llama.rope.dimension_count", d // h)
    if e * h != d or h % g or e % 2:
        problem = f"{h} heads, {g} of keys, of width {e} make no {d}; NumPy reads plain heads only"
        raise DataError(problem, path=file.path)
    shapes = {
        "attn_norm": (d,), "attn_q": (d, d), "attn_k": (g * e, d), "attn_v": (g * e, d),
        "attn_output": (d, d), "ffn_norm": (d,), "ffn_gate": (f, d), "ffn_up": (f, d),
        "ffn_down": (d, f),
    }  # fmt: skip
    n_layers = file.count("llama.block_count")
    names = [f"blk.{i}.{name}.weight" for i in range(n_layers) for name in shapes]
    _check_all_is_read(file, {"token_embd.weight", "output_norm.weight", "output.weight", *names})
    embedding = file.tensor("token_embd.weight", v, d)
    layers = tuple(
        Layer(*(file.tensor(f"blk.{i}.{name}.weight", *shapes[name]) for name in shapes))
        for i in range(n_layers)
    )
    base = file.number("llama.rope.freq_base", 10000.0)
    return Weights(
        embedding=embedding,
        layers=layers,
        norm=file.tensor("output_norm.weight", d),
        head=file.tensor("output.weight", v, d) if "output.weight" in file.tensors else embedding,
        n_kv_heads=g,
        head_width=e,
        rope_frequencies=base ** (-np.arange(0, e, 2) / e),
        epsilon=file.number("llama.attention.layer_norm_rms_epsilon"),
        n_context=file.count("llama.context_length"),
    )


def _check_all_is_read(file: GGUFFile, known: set[str]) -> None:
    """A model with something more than is computed here would get wrong scores, silently."""
    scaling = file.get("llama.rope.scaling.type", "none")
    more = sorted(file.tensors.keys() - known)
    if more or scaling != "none":
        what = f"the tensor {more[0][:80]}" if more else f"positions scaled as {scaling!r:.80}"
        raise DataError(f"has {what}, which NumPy does not read", path=file.path)


def _tokenizer(file: GGUFFile) -> Any:
    """Byte-pair encoding as GPT-2 has it, digits one by one where the file says so."""
    try:
        from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    except ImportError as error:
        raise MissingExtraError("tokenizers", extra="llama") from error

    kind, before = file.get("tokenizer.ggml.model"), file.get("tokenizer.ggml.pre", "gpt-2")
    if kind != "gpt2" or before not in _PRE_TOKENIZERS:
        raise DataError(
            f"has the tokenizer {kind!r:.80}, {before!r:.80}; NumPy reads 'gpt2' with "
            + " or ".join(map(repr, _PRE_TOKENIZERS)),
            path=file.path,
        )
    special, vocabulary, merges = _tokens(file)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    parts = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    if before == "smollm":
        parts.insert(0, pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return tokenizer


def _tokens(file: GGUFFile) -> tuple[list[str], dict[str, int], list[tuple[str, str]]]:
    """Special tokens, all tokens with their numbers, and which two are merged into one, in order.

    Raises
    ------
    DataError : they do not fit together, or a text is to begin with a token of its own.
    """
    if file.get("tokenizer.ggml.add_bos_token", False):
        raise DataError("begins texts with a token, which NumPy does not", path=file.path)
    tokens, pairs = file.texts("tokenizer.ggml.tokens"), file.texts("tokenizer.ggml.merges")
    vocabulary = {token: number for number, token in enumerate(tokens)}
    kinds = file.get("tokenizer.ggml.token_type")
    if not isinstance(kinds, list) or not len(kinds) == len(tokens) == len(vocabulary):
        raise DataError("does not say of each token what kind it is", path=file.path)
    special = [t for t, kind in zip(tokens, kinds, strict=True) if kind in _SPECIAL]
    merges = []
    for pair in pairs:
        one, _, other = pair.partition(" ")
        if not {one, other, one + other} <= vocabulary.keys():
            raise DataError(f"merges {pair!r:.80}, but they are no tokens", path=file.path)
        merges.append((one, other))
    return special, vocabulary, merges
