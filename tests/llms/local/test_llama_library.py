"""The library's layout: found, or refused in one clear error."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from rememberer_nb.errors import ConfigError, MissingExtraError
from rememberer_nb.llms.local import llama_library as library
from rememberer_nb.llms.local.llama_library import (
    CONTEXT_DEFAULTS,
    MODEL_DEFAULTS,
    ContextParams,
    ModelParams,
    check_defaults,
)


def known() -> ContextParams:
    params = ContextParams()
    for name, value in CONTEXT_DEFAULTS.items():
        setattr(params, name, value)
    return params


def place_of(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> None:
    spec = folder and SimpleNamespace(origin=str(folder / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_fields_lie_where_the_header_has_them() -> None:
    # Nine numbers of four bytes, five kinds, 80 bytes not looked at, and then the switches.
    assert ContextParams.n_threads.offset == 28
    assert ContextParams.flash_attn_type.offset == 52
    assert ContextParams.embeddings.offset == 136
    assert ContextParams.kv_unified.offset == 141
    # Seven addresses and four numbers, one of them alone beside an address.
    assert ModelParams.use_extra_bufts.offset == 74
    assert ctypes.sizeof(ContextParams) == ctypes.sizeof(ModelParams) == 512
    check_defaults(known(), CONTEXT_DEFAULTS)


@pytest.mark.parametrize(
    ("name", "value"), [("n_ctx", 4096), ("n_threads", 8), ("rope_scaling_type", 0)]
)
def test_another_default_is_another_layout(name: str, value: int) -> None:
    params = known()
    setattr(params, name, value)
    with pytest.raises(ConfigError, match=rf"expected here: {name} is {value}, not.*backend numpy"):
        check_defaults(params, CONTEXT_DEFAULTS)


def test_switches_that_moved_by_a_byte_are_seen() -> None:
    params = known()
    switches = ContextParams.embeddings.offset
    data = bytearray(params)
    data[switches + 1 : switches + 7] = data[switches : switches + 6]
    with pytest.raises(ConfigError, match="offload_kqv is False, not True"):
        check_defaults(ContextParams.from_buffer(data), CONTEXT_DEFAULTS)


def test_a_missing_function_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2031.1")
    with pytest.raises(ConfigError, match=r"xllamacpp 2031\.1 .*there is no llama_log_set"):
        library.bind(ctypes.CDLL(None))


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    place_of(monkeypatch, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rememberer-nb\[llama\]'"):
        library._library.__wrapped__()


def test_a_package_without_a_library_or_with_a_broken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_of(monkeypatch, tmp_path)
    with pytest.raises(ConfigError, match="it holds no library"):
        library._library.__wrapped__()
    (tmp_path / "a.so").write_bytes(b"no library")
    with pytest.raises(ConfigError, match="its library cannot be opened"):
        library._library.__wrapped__()


def test_a_package_without_a_version_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert "xllamacpp (unknown) does not" in str(library.layout_error("it differs"))


def test_the_installed_one_has_the_layout() -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra llama")
    found = library.llama_library()
    assert found is library.llama_library()
    check_defaults(found.model_default_params(), MODEL_DEFAULTS)
    check_defaults(found.context_default_params(), CONTEXT_DEFAULTS)
