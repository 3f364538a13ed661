"""A GGUF file read for NumPy: weights as float32, and the tokenizer that its tokens make.

A GGUF file is, one after the other and little-endian::

    "GGUF", version, number of tensors, number of fields
    fields: name, kind, value               general.architecture: "llama", ...
    tensors: name, shape, kind, offset      token_embd.weight: 49152 x 576, Q8_0, 0
    the tensors' own bytes                  nearly all of the file
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rememberer_nb.errors import DataError, MissingExtraError
from rememberer_nb.llms.local.scores import check_gguf

ARCHITECTURE = "llama"
_VERSIONS = (2, 3)
# Kinds of values in fields, as `struct` names them.
_NUMBERS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
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


class Place(NamedTuple):
    """Where a tensor lies, its shape as NumPy has it, and how it is quantised."""

    shape: tuple[int, ...]
    kind: Any
    start: int
    n_bytes: int


class GGUFFile:
    """Fields and tensors by name; nothing of the file stays open.

    Raises
    ------
    ConfigError : no such file.
    DataError : it is no GGUF file, cut off, damaged, or quantised in a way that `gguf` does not
        know.
    MissingExtraError : `gguf` is not installed.
    """

    def __init__(self, path: Path):
        check_gguf(path)
        self.path = path
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                self._read(_Reader(data))
            except (struct.error, UnicodeDecodeError) as error:
                raise DataError(f"is cut off or damaged: {error}", path=path) from error

    def _read(self, reader: _Reader) -> None:
        (version,), (n_tensors, n_fields) = reader.numbers("I"), reader.numbers("Q", 2)
        if version not in _VERSIONS:
            problem = f"is a GGUF file of version {version}; 2 and 3 can be read"
            raise DataError(problem, path=self.path)
        self.fields = dict(self._field(reader) for _ in range(n_fields))
        found = [self._tensor(reader) for _ in range(n_tensors)]
        alignment = self.count("general.alignment", 32)
        start = -(-reader.at // alignment) * alignment
        self.tensors = {name: place._replace(start=start + place.start) for name, place in found}
        for name, place in self.tensors.items():
            if (end := place.start + place.n_bytes) > len(reader.data):
                problem = f"is cut off: {name} ends at byte {end:,} of {len(reader.data):,}"
                raise DataError(problem, path=self.path)

    def _field(self, reader: _Reader) -> tuple[str, Any]:
        name, (kind,) = reader.text(), reader.numbers("I")
        (of, n) = (reader.numbers("I")[0], reader.numbers("Q")[0]) if kind == _LIST else (kind, 1)
        if of == _TEXT:
            values = [reader.text() for _ in range(n)]
        elif of in _NUMBERS:
            values = list(reader.numbers(_NUMBERS[of], n))
        else:
            raise DataError(f"has a value of kind {of}", path=self.path, field=name[:80])
        return name, values if kind == _LIST else values[0]

    def _tensor(self, reader: _Reader) -> tuple[str, Place]:
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

        name, (n_axes,) = reader.text(), reader.numbers("I")
        # The file counts axes from the fastest on.
        shape = reader.numbers("Q", n_axes)[::-1]
        (kind,), (start,) = reader.numbers("I"), reader.numbers("Q")
        try:
            known = GGMLQuantizationType(kind)
            block, size = GGML_QUANT_SIZES[known]
        except (ValueError, KeyError) as error:
            problem = f"tensor {name:.80}: is quantised in an unknown way ({kind})"
            raise DataError(problem, path=self.path) from error
        return name, Place(shape, known, start, math.prod(shape) // block * size)

    def get(self, name: str, default: Any = ...) -> Any:
        """A field's value.

        Raises
        ------
        DataError : there is no such field, and no default.
        """
        if name not in self.fields and default is ...:
            raise DataError(f"lacks {name}", path=self.path)
        return self.fields.get(name, default)

    def count(self, name: str, default: Any = ...) -> int:
        """A field that is a whole number above 0; `DataError` if it is not."""
        return self._positive(int, name, default)

    def number(self, name: str, default: Any = ...) -> float:
        """A field that is a number above 0; `DataError` if it is not."""
        return self._positive(float, name, default)

    def texts(self, name: str) -> list[str]:
        """A field that is a list of texts; `DataError` if it is not."""
        values = self.get(name)
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise DataError("expected a list of texts", path=self.path, field=name)
        return values

    def _positive(self, kind: type, name: str, default: Any) -> Any:
        value = self.get(name, default)
        if type(value) is not kind or not 0 < value < math.inf:
            problem = f"expected {kind.__name__} above 0, got {value!r:.80}"
            raise DataError(problem, path=self.path, field=name)
        return value

    def tensor(self, name: str, *shape: int) -> np.ndarray:
        """A tensor as float32, the last axis the one that it is multiplied along.

        Raises
        ------
        DataError : there is none of that name and shape, or it cannot be read.
        """
        from gguf.quants import dequantize

        if name not in self.tensors:
            raise DataError(f"lacks the tensor {name}", path=self.path)
        place = self.tensors[name]
        if place.shape != shape:
            problem = f"tensor {name}: expected the shape {shape}, got {place.shape}"
            raise DataError(problem, path=self.path)
        try:
            data = np.fromfile(self.path, np.uint8, place.n_bytes, offset=place.start)
            values = dequantize(data.reshape(*shape[:-1], -1), place.kind).reshape(shape)
        except (OSError, NotImplementedError, ValueError) as error:
            raise DataError(f"tensor {name}: {error}", path=self.path) from error
        return np.ascontiguousarray(values, dtype=np.float32)


class _Reader:
    """Reads value after value; `struct.error` where the file ends too early."""

    def __init__(self, data: mmap.mmap):
        self.data, self.at = data, 4

    def numbers(self, kind: str, n: int = 1) -> tuple[Any, ...]:
        form = f"<{n}{kind}"
        found = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return found

    def text(self) -> str:
        (n,) = self.numbers("Q")
        return self.numbers("s", n)[0].decode()  # type: ignore[no-any-return]


def open_gguf(path: Path) -> GGUFFile:
    """A file whose fields and tensors can be asked for; errors as those of `GGUFFile`."""
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("gguf", extra="llama") from error
    return GGUFFile(path)


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
