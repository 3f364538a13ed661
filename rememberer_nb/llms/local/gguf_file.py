"""A GGUF file read for NumPy: weights as float32, and the tokenizer that its tokens make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.errors import DataError, MissingExtraError

ARCHITECTURE = "llama"
_CONTROL = 3
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
    n_heads: int
    n_kv_heads: int
    head_width: int
    rope_frequencies: np.ndarray  # (e / 2,)
    epsilon: float
    n_context: int


def read_gguf(path: Path) -> tuple[Weights, Any]:
    """Weights and tokenizer (a `tokenizers.Tokenizer`).

    Raises
    ------
    DataError : the file cannot be read, is no GGUF file, is cut off, or holds another architecture
        or tokenizer than can be read here.
    MissingExtraError : `gguf` or `tokenizers` is not installed.
    """
    file = open_gguf(path)
    found = file.get("general.architecture")
    if found != ARCHITECTURE:
        raise DataError(f"has architecture {found!r}; NumPy reads {ARCHITECTURE!r}", path=path)
    return _weights(file), _tokenizer(file)


def open_gguf(path: Path) -> GGUFFile:
    """A file whose fields and tensors can be asked for; errors as those of `read_gguf`."""
    try:
        import gguf
    except ImportError as error:
        raise MissingExtraError("gguf", extra="llama") from error
    try:
        return GGUFFile(gguf.GGUFReader(path), path)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise DataError(f"cannot be read as GGUF: {error}", path=path) from error


class GGUFFile:
    """Fields and tensors by name.

    Raises
    ------
    DataError : there is none of the name, or it is quantised in a way that `gguf` does not know.
    """

    def __init__(self, reader: Any, path: Path):
        self.reader = reader
        self.path = path
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}

    def get(self, name: str, default: Any = ...) -> Any:
        """A field's value."""
        field = self.reader.get_field(name)
        if field is None and default is ...:
            raise DataError(f"lacks {name}", path=self.path)
        return default if field is None else field.contents()

    def tensor(self, name: str) -> np.ndarray:
        """A tensor as float32, the last axis the one that it is multiplied along."""
        from gguf.quants import dequantize

        if name not in self.tensors:
            raise DataError(f"lacks the tensor {name}", path=self.path)
        found = self.tensors[name]
        try:
            values = dequantize(found.data, found.tensor_type)
        except (NotImplementedError, ValueError) as error:
            problem = f"tensor {name}: {error}"
            raise DataError(problem, path=self.path) from error
        return np.ascontiguousarray(values, dtype=np.float32)


def _weights(file: GGUFFile) -> Weights:
    n_heads = int(file.get("llama.attention.head_count"))
    width = int(file.get("llama.embedding_length"))
    head_width = int(file.get("llama.rope.dimension_count", width // n_heads))
    base = float(file.get("llama.rope.freq_base", 10000.0))
    embedding = file.tensor("token_embd.weight")
    is_tied = "output.weight" not in file.tensors
    return Weights(
        embedding=embedding,
        layers=tuple(_layer(file, i) for i in range(int(file.get("llama.block_count")))),
        norm=file.tensor("output_norm.weight"),
        head=embedding if is_tied else file.tensor("output.weight"),
        n_heads=n_heads,
        n_kv_heads=int(file.get("llama.attention.head_count_kv", n_heads)),
        head_width=head_width,
        rope_frequencies=base ** (-np.arange(0, head_width, 2) / head_width),
        epsilon=float(file.get("llama.attention.layer_norm_rms_epsilon")),
        n_context=int(file.get("llama.context_length")),
    )


def _layer(file: GGUFFile, number: int) -> Layer:
    names = (
        "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output",
        "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
    )  # fmt: skip
    return Layer(*(file.tensor(f"blk.{number}.{name}.weight") for name in names))


def _tokenizer(file: GGUFFile) -> Any:
    """Byte-pair encoding as GPT-2 has it, digits one by one where the file says so."""
    try:
        from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    except ImportError as error:
        raise MissingExtraError("tokenizers", extra="llama") from error

    kind, before = file.get("tokenizer.ggml.model"), file.get("tokenizer.ggml.pre", "gpt-2")
    if kind != "gpt2" or before not in _PRE_TOKENIZERS:
        raise DataError(
            f"has the tokenizer {kind!r}, {before!r}; NumPy reads 'gpt2' with "
            + " or ".join(map(repr, _PRE_TOKENIZERS)),
            path=file.path,
        )
    tokens, types = file.get("tokenizer.ggml.tokens"), file.get("tokenizer.ggml.token_type")
    merges = [tuple(pair.split(" ")) for pair in file.get("tokenizer.ggml.merges")]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    parts = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    if before == "smollm":
        parts.insert(0, pre_tokenizers.Split(Regex(r"\p{N}"), "isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    tokenizer.decoder = decoders.ByteLevel()
    special = [token for token, kind in zip(tokens, types, strict=True) if kind == _CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return tokenizer
