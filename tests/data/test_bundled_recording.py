"""The bundled recordings: small, safe to share, labelled as what they are, and up to date."""

from __future__ import annotations

import bz2
import importlib
import re
from pathlib import Path

import pytest

from rememberer_nb.llms.local.catalogue import find_model
from rememberer_nb.llms.replay.recording import read_recording
from rememberer_nb.system.resources import data_path

FOLDER = Path(__file__).resolve().parents[2] / "data" / "recordings"


@pytest.fixture(scope="module")
def maker():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module("make_recording")


@pytest.fixture(scope="module")
def path():
    return data_path("recordings", "random_weights_shop.jsonl")


def test_it_can_be_replayed(maker, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["make_recording.py", "--check"])
    assert maker.main() == 0
    assert capsys.readouterr().out.startswith("random_weights_shop.jsonl: ")


def test_what_it_lacks_is_noticed(maker, path, monkeypatch, tmp_path, capsys):
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    short = tmp_path / path.name
    short.write_text("".join(lines[:-1]), encoding="utf-8")
    monkeypatch.setattr(maker, "PATH", short)
    monkeypatch.setattr("sys.argv", ["make_recording.py", "--check"])
    assert maker.main() == 1
    assert "not among the" in capsys.readouterr().err


def test_it_is_small_and_says_what_it_is(path):
    assert path.stat().st_size < 300_000
    recording = read_recording(path)
    assert recording.settings["llm"] == "llama.cpp:tiny-random-weights.gguf"
    replies = [call.reply for call in recording.calls.values()]
    assert len(replies) == 49
    assert {reply.model for reply in replies} == {"tiny-random-weights.gguf"}
    assert all(reply.prompt_tokens > 500 for reply in replies)


def test_nothing_in_it_is_secret(path):
    text = path.read_text(encoding="utf-8")
    for secret in ("127.0.0.1", "localhost", "api_key", "sk-", "/tmp", "/home", "http"):
        assert secret not in text


def test_what_smollm2_said_is_small_and_names_no_folder():
    path = data_path("recordings", "smollm2_by_hand.jsonl")
    recording = read_recording(path)
    assert path.stat().st_size < 3_000
    assert recording.settings["llm"] == "smollm2"
    assert recording.settings["model"] == "SmolLM2-135M-Instruct.Q4_1.gguf"
    # Five cities; and the actions of three pages, with each of three memories.
    assert len(recording.scored) == 1 + 3 * 3
    assert recording.calls == {}


@pytest.mark.parametrize("packed", sorted(FOLDER.glob("smollm2*.bz2")), ids=lambda path: path.stem)
def test_what_the_real_model_said_is_small_and_names_the_model(packed):
    assert packed.stat().st_size < 1_000_000
    recording = read_recording(packed)
    assert recording.settings["llm"] == "smollm2"
    assert recording.settings["sha256"] == find_model("smollm2").sha256
    assert recording.scored
    # Keys of scores are drawn from letters, digits, - and _, so they may hold anything short.
    text = re.sub(r'"key": "[^"]*"', "", bz2.decompress(packed.read_bytes()).decode())
    for secret in ("127.0.0.1", "localhost", "api_key", "sk-", "/tmp", "/home", "/root"):
        assert secret not in text


def test_the_notebook_has_no_more_than_it_asks():
    recording = read_recording(FOLDER / "smollm2_notebook-wikihow.jsonl.bz2")
    # As the notebook's frame and the table in the README say: with 1,184 and 49 of others.
    assert len(recording.calls) + len(recording.scored) == 341
    assert len(read_recording(FOLDER / "smollm2_advice-wikihow.jsonl.bz2").scored) == 1184
