"""Settings that were written down first, and the recordings that were made with them."""

from __future__ import annotations

import bz2
import hashlib
import json
from pathlib import Path

import pytest

from rememberer_nb.cli import main
from rememberer_nb.config.reading import make_configs, read_config
from rememberer_nb.envs import development_tasks
from rememberer_nb.errors import DataError
from rememberer_nb.experiments.registered import (
    check_registered,
    registration,
    registration_sha256,
)
from rememberer_nb.llms import ReplayLLM
from rememberer_nb.llms.replay.recording import header_line
from rememberer_nb.system.resources import data_path

FOLDER = data_path("registered", "SHA256SUMS").parent
FILES = sorted(FOLDER.glob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_registered_file_is_the_one_that_was_registered(path: Path) -> None:
    noted = dict(
        reversed(line.split()) for line in (FOLDER / "SHA256SUMS").read_text().splitlines()
    )
    assert noted[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert registration_sha256(path) == noted[path.name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_settings_can_be_read_and_name_what_it_is_for(path: Path) -> None:
    llm, _, env = path.stem.partition("-")
    configs = make_configs(read_config(path))
    assert (configs["run"].llm, configs["run"].env) == (llm, env)
    assert configs["choice"].choose == "likelihood"
    assert registration(llm, env) == registration(f"replay:{llm}", env) == path
    # What was tried out were development tasks.
    tried = path.read_text().split("--tasks ")[1].split()[0]
    first, last = map(int, tried.split(":"))
    assert set(range(first, last)) <= set(development_tasks(env))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_bundled_recording_says_what_it_was_made_with(path: Path) -> None:
    recording = data_path("recordings") / f"{path.stem}.jsonl.bz2"
    if not recording.exists():
        pytest.skip(f"{recording.name} is not bundled")
    head = json.loads(bz2.decompress(recording.read_bytes()).split(b"\n", 1)[0])
    assert head["registered"] == registration_sha256(path)
    check_registered(path, ReplayLLM(recording))
    assert recording.stat().st_size < 1_000_000


def test_a_recording_made_with_other_settings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(header_line({"llm": "smollm2"}, "0" * 64))
    with pytest.raises(DataError, match="not the settings that the recording was made with"):
        check_registered(FILES[0], ReplayLLM(path))


@pytest.mark.parametrize("llm", ["offline", "openai:gpt", "replay:a/b.jsonl", "moon", ""])
def test_nothing_is_registered_for_others(llm: str) -> None:
    assert registration(llm, "wikihow") is None


def test_compare_refuses_servers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "--llm", "openai:gpt"]) == 2
    assert "compare asks no server" in capsys.readouterr().err
    assert main(["compare", "--llm", "record:x.jsonl:smollm2"]) == 2
    assert "--out keeps what a local model says" in capsys.readouterr().err
