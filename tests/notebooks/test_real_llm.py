"""Notebook 12: its endpoint on llama.cpp's server, recorded, and replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rememberer_nb.errors import NotebookError
from rememberer_nb.llms.replay.recording import read_recording
from rememberer_nb.system.resources import notebooks_path
from rememberer_nb.teaching.suite import run_notebook
from rememberer_nb.testing.tiny_model import write_tiny_model

NOTEBOOK = notebooks_path("12_real_llm.ipynb")
SHORT = {"tasks": "0:3", "max_steps": 3, "temperature": 1.0, "n_seeds": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name in ("xllamacpp", "gguf"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.mark.slow
def test_on_a_real_server_recorded_and_replayed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    calls = tmp_path / "calls.jsonl"
    asked = {"endpoint": f"llama.cpp:{model}", "record_to": str(calls), "concurrency": 2, **SHORT}
    live = run_notebook(NOTEBOOK, tmp_path / "live.ipynb", asked, is_shown=False)
    recording = read_recording(calls)
    assert live["n_calls"] == len(recording.calls) == 9
    assert live["llm_errors"] == {}
    assert live["completion_tokens"] == sum(
        call.reply.completion_tokens for call in recording.calls.values()
    )
    # The server and its model are gone; the recording is all there is.
    model.rename(model.with_suffix(".gone"))
    asked = {"endpoint": f"replay:{calls}", **SHORT}
    size = calls.stat().st_size
    assert run_notebook(NOTEBOOK, tmp_path / "again.ipynb", asked, is_shown=False) == live
    assert calls.stat().st_size == size


@pytest.mark.slow
def test_a_run_that_was_not_recorded_fails_clearly(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match="not among the 49 recorded calls"):
        asked = {"tasks": "10:12", "n_seeds": 1}
        run_notebook(NOTEBOOK, tmp_path / "out.ipynb", asked, is_shown=False)
