"""Tiny llama models with random weights, as GGUF files: to try local models, not to think.

Its tokens are the 256 bytes and some pieces of words, merged from the bundled demonstrations as
byte-pair encoding merges them. One constant component of the residual stream carries a bias per
token, which prefers words to letters; everything else of it is drawn. What comes out is noise that
keeps to the reply's schema, since the server decodes by grammar.

`write_tiny_gpt2_model` makes the kind that SmolLM2 is: byte-level pieces with merges in order,
heads that share keys and values, and an output that is the embedding again.

::

    python -m rememberer_nb.testing.tiny_model FILE.gguf
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from rememberer_nb.errors import MissingExtraError
from rememberer_nb.memory.initial import read_initial
from rememberer_nb.prompting.prompts import HOW_TO_REPLY

WIDTH = 32
HIDDEN = 64
N_HEADS = 2
CONTEXT_TOKENS = 16384
N_PIECES = 1000
GPT2_HEADS, GPT2_SHARED = 4, 2
GPT2_BLOCKS = 2
GPT2_CONTEXT_TOKENS = 512

# A space as SentencePiece writes it.
_SPACE = "\u2581"
# And as GPT-2's table of bytes does.
_GPT2_SPACE = "\u0120"
_SPECIAL = ("<unk>", "<s>", "</s>")
_GPT2_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# The server's default templates suit trained models; this one just lists the messages.
_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n\n"
    "{% endfor %}assistant:"
)
# Far below what a product of normalised random vectors reaches.
_NEVER = -1000.0
_RARELY = -6.0


def merge_pieces(text: str, n_pieces: int) -> list[str]:
    """Pieces of words by byte-pair encoding; see `merge_pairs`.

    >>> merge_pieces("low lower lowest", 3)
    ['lo', 'low', '\u2581low']
    """
    return ["".join(pair) for pair in merge_pairs(text, n_pieces)]


def merge_pairs(text: str, n_pairs: int, space: str = _SPACE) -> list[tuple[str, str]]:
    """Byte-pair encoding: again and again the most frequent pair is merged; the pairs in order.

    Ties go to the pair that comes first in the alphabet; `space` stands before each word.

    >>> merge_pairs("low lower lowest", 3, "_")
    [('_', 'l'), ('_l', 'o'), ('_lo', 'w')]
    """
    words = Counter(tuple(space + word) for word in text.split() if word.isascii())
    found: list[tuple[str, str]] = []
    while len(found) < n_pairs:
        pairs: Counter[tuple[str, str]] = Counter()
        for symbols, n in words.items():
            for pair in pairwise(symbols):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        found.append(best)
        merged: Counter[tuple[str, ...]] = Counter()
        for symbols, n in words.items():
            merged[_merge(symbols, best)] += n
        words = merged
    return found


def _merge(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return tuple(merged)


def write_tiny_model(
    path: str | Path,
    *,
    seed: int = 0,
    text: str | None = None,
    n_pieces: int = N_PIECES,
    n_context: int = CONTEXT_TOKENS,
) -> Path:
    """Write the model; the same arguments give the same bytes.

    Parameters
    ----------
    path : the file, about 400 kB.
    seed : draws the weights.
    text : what the pieces are merged from, since prompts like it take fewer tokens; by default how
        to reply, and the bundled demonstrations.
    n_pieces : at most so many.
    n_context : the longest prompt and reply together, in tokens.

    Raises
    ------
    MissingExtraError : `gguf` is not installed.
    """
    gguf = _gguf()
    pieces = merge_pieces(_usual_text() if text is None else text, n_pieces)
    file = gguf.GGUFWriter(Path(path), "llama")
    _add_shape(file, n_context=n_context, n_heads=N_HEADS, n_shared=N_HEADS, n_blocks=1)
    file.add_pooling_type(gguf.PoolingType.MEAN)
    _add_tokens(file, gguf.TokenType, pieces)
    return _write(file, Path(path), _weights(pieces, np.random.default_rng(seed)))


def write_tiny_gpt2_model(path: str | Path, *, seed: int = 0) -> Path:
    """Write a model of SmolLM2's kind, with two blocks; the same seed gives the same bytes.

    Parameters
    ----------
    path : the file, about 250 kB; weights are float32, so others can compute the same numbers.
    seed : draws the weights.

    Raises
    ------
    MissingExtraError : `gguf` is not installed.
    """
    gguf = _gguf()
    pairs = merge_pairs(_usual_text(), N_PIECES, _GPT2_SPACE)
    # Two pairs may make the same piece.
    tokens = list(dict.fromkeys([*_GPT2_SPECIAL, *_byte_letters(), *map("".join, pairs)]))
    n_control = len(_GPT2_SPECIAL)
    file = gguf.GGUFWriter(Path(path), "llama")
    _add_shape(
        file,
        n_context=GPT2_CONTEXT_TOKENS,
        n_heads=GPT2_HEADS,
        n_shared=GPT2_SHARED,
        n_blocks=GPT2_BLOCKS,
    )
    file.add_rope_freq_base(100000.0)
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("smollm")
    file.add_vocab_size(len(tokens))
    file.add_token_list(tokens)
    kinds = gguf.TokenType
    file.add_token_types([kinds.CONTROL] * n_control + [kinds.NORMAL] * (len(tokens) - n_control))
    file.add_token_merges([" ".join(pair) for pair in pairs])
    file.add_unk_token_id(0)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_add_bos_token(False)
    file.add_add_space_prefix(False)
    return _write(file, Path(path), _gpt2_weights(len(tokens), np.random.default_rng(seed)))


def _gguf() -> ModuleType:
    try:
        import gguf
    except ImportError as error:
        raise MissingExtraError("gguf", extra="llama") from error
    return gguf


def _add_shape(file: Any, *, n_context: int, n_heads: int, n_shared: int, n_blocks: int) -> None:
    file.add_context_length(n_context)
    file.add_embedding_length(WIDTH)
    file.add_block_count(n_blocks)
    file.add_feed_forward_length(HIDDEN)
    file.add_head_count(n_heads)
    file.add_head_count_kv(n_shared)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(WIDTH // n_heads)


def _write(file: Any, path: Path, weights: dict[str, np.ndarray]) -> Path:
    for name, values in weights.items():
        file.add_tensor(name, values.astype(np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path


def _usual_text() -> str:
    texts = [HOW_TO_REPLY]
    for env in ("webshop", "wikihow"):
        for record in read_initial("E0", env):
            texts += [record.task, record.observation]
            texts += [f"{value.action} {value.rationale}" for value in record.action_values]
    return "\n".join(texts)


def _add_tokens(file: Any, kinds: Any, pieces: list[str]) -> None:
    known = [f"<0x{byte:02X}>" for byte in range(256)]
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL]
    types += [kinds.BYTE] * len(known) + [kinds.NORMAL] * len(pieces)
    file.add_tokenizer_model("llama")
    file.add_vocab_size(len(types))
    file.add_token_list([*_SPECIAL, *known, *pieces])
    # Pieces are merged by score, so those found first go first.
    file.add_token_scores(
        [0.0] * (len(_SPECIAL) + len(known)) + [-1.0 - i for i in range(len(pieces))]
    )
    file.add_token_types(types)
    file.add_unk_token_id(0)
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_chat_template(_TEMPLATE)


def _byte_letters() -> list[str]:
    """GPT-2's letter for each byte: itself where it can be seen, else the next one from U+0100."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    unseen = [byte for byte in range(256) if byte not in seen]
    return [chr(byte if byte in seen else 0x100 + unseen.index(byte)) for byte in range(256)]


def _draw(rng: np.random.Generator, n_out: int, n_in: int) -> np.ndarray:
    return rng.normal(0.0, n_in**-0.5, (n_out, n_in))


def _gpt2_weights(n_tokens: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Tensors by name; matrices of shape (n_out, n_in)."""
    width = {"q": WIDTH, "k": WIDTH * GPT2_SHARED // GPT2_HEADS}
    width |= {"v": width["k"], "output": WIDTH}
    weights = {"token_embd.weight": _draw(rng, n_tokens, WIDTH)}
    weights["output_norm.weight"] = rng.uniform(0.5, 1.5, WIDTH)
    for block in range(GPT2_BLOCKS):
        for name in ("attn", "ffn"):
            weights[f"blk.{block}.{name}_norm.weight"] = rng.uniform(0.5, 1.5, WIDTH)
        for name, n_out in width.items():
            weights[f"blk.{block}.attn_{name}.weight"] = _draw(rng, n_out, WIDTH)
        for name in ("gate", "up"):
            weights[f"blk.{block}.ffn_{name}.weight"] = _draw(rng, HIDDEN, WIDTH)
        weights[f"blk.{block}.ffn_down.weight"] = _draw(rng, WIDTH, HIDDEN)
    return weights


def _weights(pieces: list[str], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Tensors by name; matrices of shape (n_out, n_in)."""
    draw = partial(_draw, rng)
    n_tokens = len(_SPECIAL) + 256 + len(pieces)
    weights = {
        "token_embd.weight": draw(n_tokens, WIDTH),
        "output_norm.weight": np.ones(WIDTH),
        "output.weight": draw(n_tokens, WIDTH),
        "blk.0.attn_norm.weight": np.ones(WIDTH),
        "blk.0.ffn_norm.weight": np.ones(WIDTH),
        "blk.0.ffn_gate.weight": draw(HIDDEN, WIDTH),
        "blk.0.ffn_up.weight": draw(HIDDEN, WIDTH),
        "blk.0.ffn_down.weight": draw(WIDTH, HIDDEN),
    }
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        weights[f"blk.0.{name}.weight"] = draw(WIDTH, WIDTH)
    # Component 0 is 1 in every embedding and nothing is ever added to it.
    weights["token_embd.weight"][:, 0] = 1.0
    for name in ("attn_output", "ffn_down"):
        weights[f"blk.0.{name}.weight"][0] = 0.0
    weights["output.weight"][:, 0] = _biases(pieces)
    return weights


def _biases(pieces: list[str]) -> list[float]:
    """Per token: whole words and the closing quote are likely, other text is not, bytes are never.

    The server's grammar goes before it: where only an unlikely token fits, that one is taken.
    """
    by_byte = [_RARELY if 0x20 <= byte < 0x7F else _NEVER for byte in range(256)]
    by_byte[ord('"')] = 0.0
    by_piece = [0.0 if piece.startswith(_SPACE) else _RARELY for piece in pieces]
    return [_NEVER, _NEVER, 0.0, *by_byte, *by_piece]


if __name__ == "__main__":
    print(write_tiny_model(sys.argv[1]))
