"""GGUF files: read as they were written, and refused with one clear error when they are not."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.llms.local.gguf_file import GGUFFile, open_gguf
from tests.llms.local.gguf_writer import gguf_bytes

NEEDS = "needs the extra: pip install 'rememberer-nb[llama]'"
gguf_package = pytest.importorskip("gguf", reason=NEEDS)
pytest.importorskip("tokenizers", reason=NEEDS)
F32, F16, Q8_0, Q4_1 = 0, 1, 8, 3


def write(path: Path, fields: dict[str, Any], tensors: dict[str, Any], **more: Any) -> GGUFFile:
    path.write_bytes(gguf_bytes(fields, tensors, **more))
    return GGUFFile(path)


def test_what_was_written_by_hand_is_read(tmp_path: Path) -> None:
    fields = {"a": "é", "b": 7, "c": 0.5, "d": True, "e": ["x", ""], "f": [1, 2], "g": []}
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    tensors = {
        "one": ((2, 3), F32, matrix.tobytes()),
        "half": ((3,), F16, np.array([1, -2, 0.5], np.float16).tobytes()),
    }
    file = write(tmp_path / "m.gguf", fields, tensors)
    assert file.fields == fields
    assert file.tensor("one", 2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert file.tensor("half", 3).tolist() == [1, -2, 0.5]
    assert file.tensor("half", 3).dtype == np.float32
    assert (file.get("b"), file.get("no", 3), file.count("b"), file.number("c")) == (7, 3, 7, 0.5)
    assert file.texts("e") == ["x", ""]


@pytest.mark.parametrize(("version", "alignment"), [(2, 32), (3, 64), (3, 1)])
def test_versions_and_alignments(tmp_path: Path, version: int, alignment: int) -> None:
    body = np.array([5, 6], np.float32).tobytes()
    fields, tensors = (
        {"general.alignment": alignment},
        {"a": ((2,), F32, body), "b": ((1,), F32, body[:4])},
    )
    file = write(tmp_path / "m.gguf", fields, tensors, version=version)
    assert file.tensor("a", 2).tolist() == [5, 6]
    assert file.tensor("b", 1).tolist() == [5]


def test_numbers_of_four_and_eight_bits_by_hand(tmp_path: Path) -> None:
    # Q4_1: scale and least value, then bytes whose low halves are the first 16 numbers.
    halves = struct.pack("<ee", 0.5, -1.0) + bytes(range(16))
    # Q8_0: scale, then 32 signed bytes.
    bytes_ = struct.pack("<e", 0.25) + bytes([0, 4, 252, *[8] * 29])
    tensors = {"four": ((1, 32), Q4_1, halves), "eight": ((32,), Q8_0, bytes_)}
    file = write(tmp_path / "m.gguf", {}, tensors)
    assert file.tensor("four", 1, 32)[0].tolist() == [0.5 * i - 1 for i in range(16)] + [-1.0] * 16
    assert file.tensor("eight", 32).tolist() == [0, 1, -1, *[2] * 29]


def test_as_the_package_gguf_reads_it(tiny_gpt2: Path) -> None:
    file, theirs = GGUFFile(tiny_gpt2), gguf_package.GGUFReader(tiny_gpt2)
    assert file.fields == {
        name: found.contents() for name, found in theirs.fields.items() if name[:5] != "GGUF."
    }
    assert file.tensors.keys() == {tensor.name for tensor in theirs.tensors}
    for tensor in theirs.tensors:
        assert np.array_equal(file.tensor(tensor.name, *tensor.data.shape), tensor.data)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is not a GGUF file"),
        (b"PK\x03\x04 and so on", "is not a GGUF file"),
        (b"GGUF", "is cut off or damaged"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "is a GGUF file of version 50331648; 2 and 3"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 0), "is cut off or damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**64 - 1), "is cut off or damaged"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**64 - 1), "is cut off or damaged"),
        (b"GGUF" + struct.pack("<IQQQcI", 3, 0, 1, 1, b"\xff", 4), "is cut off or damaged"),
        (b"GGUF" + struct.pack("<IQQQcII", 3, 0, 1, 1, b"a", 77, 0), "a: has a value of kind 77"),
        # A list of lists, and one that is said to be endless.
        (b"GGUF" + struct.pack("<IQQQcIIQ", 3, 0, 1, 1, b"a", 9, 9, 1), "a value of kind 9"),
        (b"GGUF" + struct.pack("<IQQQcIIQ", 3, 0, 1, 1, b"a", 9, 4, 2**63), "is cut off or"),
        (b"GGUF" + struct.pack("<IQQQcI", 3, 1, 0, 1, b"a", 2**32 - 1), "is cut off or damaged"),
    ],
)
def test_files_that_are_no_models(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(DataError, match=match):
        open_gguf(path)


def test_nothing_is_aligned_to_0(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    one = gguf_bytes({"general.alignment": 1}, {})
    path.write_bytes(one[:-4] + bytes(4))
    with pytest.raises(DataError, match="alignment: expected int above 0, got 0"):
        open_gguf(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no model file '.*m\.gguf'"):
        open_gguf(tmp_path / "m.gguf")
    with pytest.raises(ConfigError, match="no model file"):
        open_gguf(tmp_path)
