"""The bundled logs: made from their seed, small, readable, away from the test tasks."""

from __future__ import annotations

import gzip
import importlib
from pathlib import Path

import pytest

from rememberer_nb.envs.webshop.logs.react import read_react, summarise
from rememberer_nb.errors import TranscriptError
from rememberer_nb.system.resources import data_path

FOLDER = Path(__file__).resolve().parents[2] / "data" / "webshop"
MAX_BYTES = 150_000


@pytest.fixture(scope="module")
def maker():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield importlib.import_module("make_logs")


@pytest.fixture(scope="module")
def path():
    return data_path("webshop", "logs", "bundled_shop.txt.gz")


def test_the_file_is_what_the_seed_makes(maker, path, capsys):
    assert maker.main(["--check"]) == 0
    assert "episodes: 150" in capsys.readouterr().out
    assert path.stat().st_size < MAX_BYTES


def test_writing_gives_the_same_text_and_damage_is_noticed(maker, path, tmp_path, capsys):
    assert maker.main(["--out", str(tmp_path)]) == 0
    written = tmp_path / maker.NAME
    text = gzip.decompress(written.read_bytes())
    assert text == gzip.decompress(path.read_bytes())
    written.write_bytes(gzip.compress(text.replace(b"Action", b"Faction", 1)))
    assert maker.main(["--check", "--out", str(tmp_path)]) == 1
    assert "differs" in capsys.readouterr().err


def test_it_reads_as_episodes_of_development_tasks(path):
    episodes = read_react(path)
    numbers = [episode.task.number for episode in episodes]
    assert len(episodes) == 150 and len(set(numbers)) == 110
    assert set(numbers) <= set(range(100, 400))
    assert len({episode.episode_id for episode in episodes}) == 150
    counts = summarise(episodes)
    assert 0.1 < counts["success_rate"] < 0.5 and counts["purchases"] < 150
    printed = episodes[-1].metadata
    assert printed["printed_mean_score"] == pytest.approx(counts["mean_score"])
    assert printed["printed_success_rate"] == pytest.approx(counts["success_rate"])


def test_a_gzipped_log_that_is_cut_off_or_plain_is_told(path, tmp_path):
    data = path.read_bytes()
    broken = tmp_path / "broken.txt.gz"
    for damaged in (data[: len(data) // 2], data[:100] + b"\0" * 50 + data[150:]):
        broken.write_bytes(damaged)
        with pytest.raises(TranscriptError, match=r"broken\.txt\.gz: cannot be read"):
            read_react(broken)
    plain = tmp_path / "plain.txt.gz"
    plain.write_bytes(gzip.decompress(data))
    one, other = read_react(plain), read_react(path)
    assert [e.steps for e in one] == [e.steps for e in other]
