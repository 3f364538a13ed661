"""GGUF files written by hand: what the format says, and what it forbids."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.llms.local.gguf_file import GGUFFile

Tensor = tuple[tuple[int, ...], int, bytes]


def text(value: str) -> bytes:
    """A text, after its length."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def field(name: str, value: Any) -> bytes:
    """A field: a truth value, a number, a text, or a list of texts or whole numbers."""
    if isinstance(value, list):
        # Lists of whole numbers are signed ones: llama.cpp wants the kinds of tokens so.
        is_text = bool(value) and isinstance(value[0], str)
        items = b"".join(text(each) if is_text else struct.pack("<i", each) for each in value)
        return text(name) + struct.pack("<IIQ", 9, 8 if is_text else 5, len(value)) + items
    return text(name) + struct.pack("<I", kind_of(value)) + packed(value)


def kind_of(value: Any) -> int:
    """The number of a value's kind."""
    return {bool: 7, int: 4, float: 6, str: 8}[type(value)]


def packed(value: Any) -> bytes:
    """A value's bytes."""
    if isinstance(value, str):
        return text(value)
    return struct.pack({bool: "<?", int: "<I", float: "<f"}[type(value)], value)


def gguf_bytes(
    fields: Mapping[str, Any], tensors: Mapping[str, Tensor], *, version: int = 3
) -> bytes:
    """A whole file; tensors are (shape as NumPy has it, kind, bytes)."""
    data = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(fields))
    data += b"".join(field(name, value) for name, value in fields.items())
    at, bodies = 0, b""
    alignment = fields.get("general.alignment", 32)
    for name, (shape, kind, body) in tensors.items():
        data += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
        data += struct.pack("<IQ", kind, at)
        bodies += body + bytes(-len(body) % alignment)
        at = len(bodies)
    return data + bytes(-len(data) % alignment) + bodies


def changed(
    source: Path, path: Path, fields: Mapping[str, Any] = {}, tensors: Mapping[str, Any] = {}
) -> Path:
    """A copy of a model of float32 with other fields and tensors; None takes one out."""
    file = GGUFFile(source)
    whole = {
        name: (place.shape, 0, file.tensor(name, *place.shape).tobytes())
        for name, place in file.tensors.items()
    }
    new = {
        name: (value.shape, 0, value.astype(np.float32).tobytes())
        if isinstance(value, np.ndarray)
        else value
        for name, value in tensors.items()
    }
    content = [
        {name: value for name, value in {**old, **more}.items() if value is not None}
        for old, more in ((file.fields, fields), (whole, new))
    ]
    path.write_bytes(gguf_bytes(*content))
    return path
