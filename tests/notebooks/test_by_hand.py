"""Notebook 12b on the real model gives what its recording says."""

from __future__ import annotations

from pathlib import Path

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.local.fetch import model_path
from rememberer_nb.system.resources import notebooks_path
from rememberer_nb.teaching.suite import run_notebook

NOTEBOOK = notebooks_path("12b_an_llm_by_hand.ipynb")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_recording_is_what_the_model_says(tmp_path: Path) -> None:
    for name in ("gguf", "tokenizers"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    try:
        model_path("smollm2")
    except ConfigError as error:
        pytest.skip(str(error))
    recorded = run_notebook(NOTEBOOK, tmp_path / "tiny.ipynb", {}, is_shown=False)
    asked = {"model": "smollm2", "record_to": str(tmp_path / "calls.jsonl")}
    real = run_notebook(NOTEBOOK, tmp_path / "real.ipynb", asked, is_shown=False)
    assert real["chosen"] == recorded["chosen"]
    assert real["p_buy_now"] == pytest.approx(recorded["p_buy_now"], abs=0.02)
    assert real["paris"] == pytest.approx(recorded["paris"], abs=0.02)
    # Kept as it was bundled.
    assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == 11
