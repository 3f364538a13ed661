"""The real small model, where it has been fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from rememberer_nb.errors import ConfigError


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The file; skips where it has not been fetched."""
    why = "needs a part that fetches models"
    fetch = pytest.importorskip("rememberer_nb.llms.local.fetch", reason=why)
    for name in ("xllamacpp", "gguf", "tokenizers"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    try:
        return fetch.model_path("smollm2")
    except ConfigError as error:
        pytest.skip(str(error))
