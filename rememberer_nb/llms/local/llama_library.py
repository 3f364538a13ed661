"""llama.cpp's own functions, from the library inside the wheel `xllamacpp` (extra `llama`).

Nothing of that package is imported. Its structures have no version, and come and go by value: they
are laid down here with room to spare, and every field that is set or could have moved is compared
with the default that is known for it before anything is loaded. `LlamaScores` then checks by
computing that the rest is right, too.
"""

from __future__ import annotations

import ctypes as c
import functools
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rememberer_nb.errors import ConfigError, MissingExtraError

_ROOM = 512
_P = c.c_void_p
_I = c.c_int32


class ModelParams(c.Structure):
    """llama_model_params: its switches."""

    _fields_ = (
        ("before", c.c_uint8 * 72),
        ("vocab_only", c.c_bool),
        ("check_tensors", c.c_bool),
        ("use_extra_bufts", c.c_bool),
        ("no_host", c.c_bool),
        ("no_alloc", c.c_bool),
        ("load_mtp", c.c_bool),
        ("after", c.c_uint8 * (_ROOM - 78)),
    )


class ContextParams(c.Structure):
    """llama_context_params: in order, up to the last field that is set."""

    _fields_ = (
        ("n_ctx", c.c_uint32),
        ("n_batch", c.c_uint32),
        ("n_ubatch", c.c_uint32),
        ("n_seq_max", c.c_uint32),
        ("n_rs_seq", c.c_uint32),
        ("n_outputs_max", c.c_uint32),
        ("n_outputs_max_per_seq", c.c_uint32),
        ("n_threads", _I),
        ("n_threads_batch", _I),
        ("ctx_type", _I),
        ("rope_scaling_type", _I),
        ("pooling_type", _I),
        ("attention_type", _I),
        ("flash_attn_type", _I),
        ("between", c.c_uint8 * 80),
        ("embeddings", c.c_bool),
        ("offload_kqv", c.c_bool),
        ("no_perf", c.c_bool),
        ("op_offload", c.c_bool),
        ("swa_full", c.c_bool),
        ("kv_unified", c.c_bool),
        ("after", c.c_uint8 * (_ROOM - 142)),
    )


class Batch(c.Structure):
    """llama_batch: arrays of `n_tokens` entries."""

    _fields_ = (
        ("n_tokens", _I),
        ("token", _P),
        ("embd", _P),
        ("pos", _P),
        ("n_seq_id", _P),
        ("seq_id", _P),
        ("logits", _P),
    )


MODEL_DEFAULTS = {
    "vocab_only": False,
    "check_tensors": False,
    "use_extra_bufts": True,
    "no_host": False,
    "no_alloc": False,
    "load_mtp": False,
}
CONTEXT_DEFAULTS = {
    "n_ctx": 512,
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_seq_max": 1,
    "n_rs_seq": 0,
    "n_outputs_max": 0,
    "n_outputs_max_per_seq": 1,
    "n_threads": 4,
    "n_threads_batch": 4,
    "ctx_type": 0,
    "rope_scaling_type": -1,
    "pooling_type": -1,
    "attention_type": -1,
    "flash_attn_type": -1,
    "embeddings": False,
    "offload_kqv": True,
    "no_perf": True,
    "op_offload": True,
    "swa_full": True,
    "kv_unified": False,
}

# Result, then arguments.
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "log_set": (None, _P, _P),
    "backend_init": (None,),
    "model_default_params": (ModelParams,),
    "context_default_params": (ContextParams,),
    "model_load_from_file": (_P, c.c_char_p, ModelParams),
    "init_from_model": (_P, _P, ContextParams),
    "free": (None, _P),
    "model_free": (None, _P),
    "model_n_ctx_train": (_I, _P),
    "n_ctx": (c.c_uint32, _P),
    "n_ctx_seq": (c.c_uint32, _P),
    "n_seq_max": (c.c_uint32, _P),
    "model_get_vocab": (_P, _P),
    "vocab_n_tokens": (_I, _P),
    "vocab_get_add_bos": (c.c_bool, _P),
    "vocab_is_eog": (c.c_bool, _P, _I),
    "tokenize": (_I, _P, c.c_char_p, _I, _P, _I, c.c_bool, c.c_bool),
    "token_to_piece": (_I, _P, _I, c.c_char_p, _I, _I, c.c_bool),
    "get_memory": (_P, _P),
    "memory_clear": (None, _P, c.c_bool),
    "memory_seq_cp": (None, _P, _I, _I, _I, _I),
    "memory_seq_rm": (c.c_bool, _P, _I, _I, _I),
    "decode": (_I, _P, Batch),
    "get_logits_ith": (c.POINTER(c.c_float), _P, _I),
}
# llama.cpp keeps this for the life of the process.
_say_nothing = c.CFUNCTYPE(None, c.c_int, c.c_char_p, _P)(lambda level, text, data: None)


def layout_error(problem: str) -> ConfigError:
    """The installed library is not the one that is known here."""
    try:
        version = importlib.metadata.version("xllamacpp")
    except importlib.metadata.PackageNotFoundError:
        version = "(unknown)"
    return ConfigError(
        f"xllamacpp {version} does not have the layout expected here: {problem}; use another "
        "version of it, or the backend numpy"
    )


def llama_library() -> SimpleNamespace:
    """llama.cpp's functions by name, without their common "llama_"; its log is silent.

    Raises
    ------
    MissingExtraError : `xllamacpp` is not installed.
    ConfigError : this version of it lacks a function, or its structures differ.
    """
    library = _library()
    # Each time: a server in this process sets a log of its own.
    library.log_set(c.cast(_say_nothing, _P), None)
    return library


@functools.cache
def _library() -> SimpleNamespace:
    spec = importlib.util.find_spec("xllamacpp")
    if spec is None or spec.origin is None:
        raise MissingExtraError("xllamacpp", extra="llama")
    found = [p for end in ("so", "pyd") for p in sorted(Path(spec.origin).parent.glob(f"*.{end}"))]
    if not found:
        raise layout_error("it holds no library")
    try:
        functions = bind(c.CDLL(str(found[0])))
    except OSError as error:
        raise layout_error(f"its library cannot be opened: {error}") from error
    check_defaults(functions.model_default_params(), MODEL_DEFAULTS)
    check_defaults(functions.context_default_params(), CONTEXT_DEFAULTS)
    functions.backend_init()
    return functions


def bind(library: c.CDLL) -> SimpleNamespace:
    """The functions of a library with their types.

    Raises
    ------
    ConfigError : it lacks one.
    """
    functions = SimpleNamespace()
    for name, (result, *arguments) in _FUNCTIONS.items():
        try:
            function = getattr(library, f"llama_{name}")
        except AttributeError as error:
            raise layout_error(f"there is no llama_{name}") from error
        function.restype, function.argtypes = result, arguments
        setattr(functions, name, function)
    return functions


def check_defaults(params: c.Structure, defaults: Mapping[str, int]) -> None:
    """Make sure that parameters lie where they are expected.

    Raises
    ------
    ConfigError : one of them has another value than its known default.
    """
    for name, known in defaults.items():
        value = getattr(params, name)
        if value != known:
            raise layout_error(f"{name} is {value}, not {known}")
