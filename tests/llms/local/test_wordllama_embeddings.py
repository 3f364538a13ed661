"""Embeddings of this machine: by hand, the same everywhere, and without a network."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rememberer_nb.cli import main
from rememberer_nb.errors import DataError, MissingExtraError
from rememberer_nb.llms.local import wordllama_embeddings
from rememberer_nb.llms.local.wordllama_embeddings import encode_texts
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.check import check_memory
from rememberer_nb.memory.operations import dump
from rememberer_nb.retrieval import make_similarity

NAME = "embedding:wordllama"
TEXTS = [
    "a red lamp",
    "",
    "[Search]\nPage 1 (Total results: 3)",
    "日本語 \U0001f600",
    "lamp " * 9000,
]


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    if "absent" not in request.node.name:
        request.getfixturevalue("wordllama")


def cosines(query: str, *texts: str) -> list[float]:
    similarity = make_similarity(NAME)
    for slot, text in enumerate(texts):
        similarity.put(slot, text)
    return similarity.scores(query).tolist()


def test_the_mean_over_the_pieces_by_hand() -> None:
    tokenizer, table = wordllama_embeddings._model()
    places = [tokenizer.token_to_id(piece) for piece in ("▁red", "▁lamp", "▁lamp")]
    rows = [[float(x) for x in table[place]] for place in places]
    expected = [sum(column) / 3 for column in zip(*rows, strict=True)]
    (vector,) = encode_texts(["red lamp lamp"])
    assert vector.dtype == np.float32
    assert vector.tolist() == pytest.approx(expected, abs=1e-6)
    # Pieces have places, not texts: the order of words does not count.
    assert cosines("red lamp lamp", "lamp red lamp") == pytest.approx([1.0])


def test_like_words_are_alike() -> None:
    alike, unlike = cosines("a red lamp", "a crimson light", "quarterly tax report")
    assert 1 > alike > unlike + 0.1
    assert cosines("a red lamp", "a red lamp")[0] == pytest.approx(1.0)


def test_texts_without_a_piece_are_like_nothing() -> None:
    assert encode_texts([""]).tolist() == [[0.0] * 256]
    assert cosines("", "", "a red lamp", " ") == [0, 0, 0]
    assert encode_texts([]).shape == (0, 256)


@pytest.mark.parametrize("text", [" ", "\n", "\x00", "ꙮ𐍈", "qzxv jjkw", "</s>"])
def test_no_text_is_unknown(text: str) -> None:
    assert cosines(text, text) == pytest.approx([1.0])


def test_half_a_character() -> None:
    shown = encode_texts(["a \ufffd b", "\U0001f600", "\ufffd\ufffd"])
    halves = encode_texts(["a \ud83d b", "\ud83d\ude00", "\ude00\ud83d"])
    assert halves.tolist() == shown.tolist()


def test_a_very_long_text() -> None:
    short, long = (encode_texts([unit * n])[0] for unit, n in ((" lamp", 1000), (" lamp", 100_000)))
    assert long == pytest.approx(short, abs=1e-2)
    assert np.isfinite(encode_texts(["x" * 300_000])).all()


def test_a_vector_depends_on_its_text_alone() -> None:
    together = encode_texts(TEXTS)
    for text, vector in zip(TEXTS, together, strict=True):
        assert encode_texts([text])[0].tolist() == vector.tolist()


ELSEWHERE = """
import socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("a socket was asked for")

socket.socket = socket.create_connection = socket.getaddrinfo = refuse
sys.addaudithook(lambda event, args: refuse() if event.startswith("socket.") else None)
import json, logging
from rememberer_nb.llms.local.wordllama_embeddings import encode_texts

vectors = encode_texts(json.loads(sys.argv[1])).tobytes().hex()
loaded = sorted({"wordllama", "requests", "huggingface_hub", "openai"} & set(sys.modules))
print(json.dumps([vectors, loaded, len(logging.getLogger().handlers)]))
"""


def test_the_same_in_another_process_without_a_network(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, json.dumps(TEXTS)],
        env={**os.environ, **home, "PYTHONHASHSEED": "7", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [encode_texts(TEXTS).tobytes().hex(), [], 0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_as_the_package_itself_has_it() -> None:
    # In a process of its own: importing the package sets up logging.
    code = """
import json, sys
import numpy as np
from wordllama.inference import WordLlamaInference
from rememberer_nb.llms.local.wordllama_embeddings import _model, encode_texts

texts = [text for text in json.loads(sys.argv[1]) if text]
ours, (tokenizer, table) = encode_texts(texts), _model()
theirs = WordLlamaInference(table, tokenizer).embed(texts)
print(float(np.abs(ours - theirs).max()))
"""
    command = [sys.executable, "-W", "ignore", "-c", code, json.dumps(TEXTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1e-4


# What is not installed, and what is not as it was


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The model is read anew, and forgotten afterwards."""
    wordllama_embeddings._model.cache_clear()
    monkeypatch.setattr(wordllama_embeddings, "_model", wordllama_embeddings._model.__wrapped__)
    return monkeypatch


def test_an_absent_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "wordllama" else found(name)
    )
    with pytest.raises(MissingExtraError, match=r"wordllama is missing: .*rememberer-nb\[embed\]"):
        make_similarity(NAME)
    assert main(["train", "--tasks", "S0", "--task-similarity", NAME]) != 0
    told = capsys.readouterr().err.strip().splitlines()
    assert told[-1].endswith("wordllama is missing: pip install 'rememberer-nb[embed]'")


def test_absent_parts_of_it_name_the_extra(unread: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unread.setattr(wordllama_embeddings, "_folder", lambda: tmp_path)
    unread.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"rememberer-nb\[embed\]"):
        encode_texts(["a"])


def test_another_release_is_named(unread: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    real = wordllama_embeddings._folder()
    unread.setattr(wordllama_embeddings, "_folder", lambda: tmp_path)
    with pytest.raises(
        DataError, match=r"l2_supercat_256\.safetensors: no such file: this release"
    ):
        encode_texts(["a"])
    (tmp_path / "weights").mkdir()
    (tmp_path / "tokenizers").symlink_to(real / "tokenizers")
    save_file(
        {"embedding.weight": np.ones((5, 256), np.float16)},
        tmp_path / "weights" / "l2_supercat_256.safetensors",
    )
    with pytest.raises(DataError, match=r"holds float16 of shape \(5, 256\): this release"):
        encode_texts(["a"])


# In a run


@pytest.mark.parametrize("env", ["webshop", "wikihow"])
def test_a_run_that_is_resumed_is_the_run_that_was_not(
    env: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def counted(texts: list[str]) -> np.ndarray:
        asked.extend(texts)
        return encode_texts(texts)

    monkeypatch.setattr(wordllama_embeddings, "encode_texts", counted)

    def run(path: Path, n_epochs: int, *more: str) -> str:
        asked.clear()
        command = ["train", "--env", env, "--tasks", "S0", "--json", "--memory", str(path)]
        names = ["--task-similarity", NAME, "--observation-similarity", NAME]
        assert main([*command, *names, "--epochs", str(n_epochs), *more]) == 0
        result = json.loads(capsys.readouterr().out)
        return json.dumps({k: v for k, v in result.items() if k != "timing"}, sort_keys=True)

    straight, halting = tmp_path / "straight.sqlite", tmp_path / "halting.sqlite"
    expected = run(straight, 2)
    # Each text once: tasks and pages, queries and records.
    assert len(asked) == len(set(asked)) > 20
    run(halting, 1)
    before = set(asked)
    assert run(halting, 2, "--resume") == expected
    assert before & set(asked) <= queries_only(halting)
    with ExperienceMemory.open(straight) as one, ExperienceMemory.open(halting) as two:
        assert list(dump(one)) == list(dump(two))
    assert check_memory(halting)["problems"] == []


def queries_only(path: Path) -> set[str]:
    """Texts that no record of a memory has, which no file keeps."""
    with ExperienceMemory.open(path, read_only=True) as memory:
        known = {text for record in memory for text in (record.task, record.observation)}
        told = {t for e in memory.each_episode() for s in e.steps for t in (s.observation,)}
    return told - known
