"""Reading JSON element by element: the same values as json.loads, and clear complaints."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rememberer_nb.envs.webshop import stream
from rememberer_nb.envs.webshop.stream import stream_array, stream_object
from rememberer_nb.errors import CatalogueError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
ROWS = [{"asin": "B1", "name": 'a "quoted" lamp, 12½" [x] {y}'}, {"asin": "Bé2", "n": [1.5, -2]}]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes a file."""

    def write_bytes(data: bytes) -> Path:
        path = tmp_path / "rows.json"
        path.write_bytes(data)
        return path

    return write_bytes


@given(
    rows=st.lists(VALUES, max_size=6), chunk=st.integers(1, 40), indent=st.sampled_from([None, 1])
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_webshop_stream_reads_what_json_reads(
    write: Callable[[bytes], Path],
    monkeypatch: pytest.MonkeyPatch,
    rows: list[Any],
    chunk: int,
    indent: int | None,
) -> None:
    """Whatever the values, wherever a chunk ends: inside a number, a word, a character."""
    monkeypatch.setattr(stream, "CHUNK_BYTES", chunk)
    text = json.dumps(rows, ensure_ascii=False, indent=indent)
    path = write(text.encode("utf-8", "surrogatepass"))
    assert list(stream_array(path)) == json.loads(text)
    keyed = {f"k{i}": row for i, row in enumerate(rows)}
    text = json.dumps(keyed, ensure_ascii=False, indent=indent)
    path = write(text.encode("utf-8", "surrogatepass"))
    assert dict(stream_object(path)) == keyed


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_webshop_stream_finds_out_encoding_and_packing(
    write: Callable[[bytes], Path], encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    data = pack(json.dumps(ROWS, ensure_ascii=False).encode(encoding))
    told: list[int] = []
    assert list(stream_array(write(data), told.append)) == ROWS
    assert sum(told) == len(data)


def test_webshop_stream_hands_out_before_it_has_read_all(
    write: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CHUNK_BYTES", 100)
    told: list[int] = []
    rows = stream_array(write(json.dumps(list(range(5_000))).encode()), told.append)
    assert [next(rows) for _ in range(3)] == [0, 1, 2]
    assert sum(told) <= 200
    rows.close()


def test_webshop_stream_names_what_is_cut_off(write: Callable[[bytes], Path]) -> None:
    """Cut off anywhere at all, a file is refused, and so is a gzipped one."""
    data = json.dumps(ROWS, ensure_ascii=False).encode()
    for length in range(1, len(data)):
        with pytest.raises(CatalogueError, match=r"rows\.json: product [012]: .*cut off"):
            list(stream_array(write(data[:length])))
    packed = gzip.compress(data)
    for length in range(1, len(packed)):
        with pytest.raises(CatalogueError, match=r"rows\.json"):
            list(stream_array(write(packed[:length])))
    keyed = json.dumps({"B1": ROWS}, ensure_ascii=False).encode()
    for length in range(1, len(keyed)):
        with pytest.raises(CatalogueError, match=r"rows\.json: product (B1|0|1): .*cut off"):
            list(stream_object(write(keyed[:length])))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "list of products"),
        ("{}", "list of products"),
        ("null", "list of products"),
        ("[1 2]", "product 1: is not JSON: '2' is out of place"),
        ("[1,]", "product 1: is not JSON: Expecting value"),
        ("[,1]", "product 0: is not JSON: Expecting value"),
        ("[1] 2", "after the end: is not JSON: '2' is out of place"),
        ('[{"a": maybe}]', "product 0: is not JSON"),
        ('["\t"]', "product 0: is not JSON: Invalid control character"),
        ("[" * 200_000, "product 0: is not JSON"),
    ],
)
def test_webshop_stream_refuses_what_is_no_list(
    write: Callable[[bytes], Path], text: str, told: str
) -> None:
    with pytest.raises(CatalogueError, match=told):
        list(stream_array(write(text.encode())))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "an object by asin"),
        ('{"a" 1}', "product a: is not JSON: '1' is out of place"),
        ('{"a": 1, b: 2}', "product 1: is not JSON: a key should be in double quotes"),
        ('{"a": 1,}', "product 1: is not JSON: a key"),
        ('{"a": nul}', "product a: is not JSON"),
        ('{"a": 1}}', "after the end"),
    ],
)
def test_webshop_stream_refuses_what_is_no_object(
    write: Callable[[bytes], Path], text: str, told: str
) -> None:
    with pytest.raises(CatalogueError, match=told):
        list(stream_object(write(text.encode())))


def test_webshop_stream_refuses_other_bytes(write: Callable[[bytes], Path], tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="product 1: is not JSON: 'utf-8' codec"):
        list(stream_array(write(b'["a", "\xff"]')))
    with pytest.raises(CatalogueError, match=r"moon\.json: cannot be read: no such file"):
        list(stream_array(tmp_path / "moon.json"))
    with pytest.raises(CatalogueError, match="cannot be read"):
        list(stream_array(tmp_path))


def test_webshop_stream_gives_up_on_a_value_without_end(
    write: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quotation mark that is missing early must not drag the whole file into memory."""
    monkeypatch.setattr(stream, "CHUNK_BYTES", 64)
    monkeypatch.setattr(stream, "MAX_VALUE_CHARS", 1_000)
    told: list[int] = []
    path = write(b'["' + b"x" * 50_000)
    with pytest.raises(CatalogueError, match="product 0: is not JSON"):
        list(stream_array(path, told.append))
    assert sum(told) < 2_000
