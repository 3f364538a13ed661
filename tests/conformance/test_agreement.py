"""The published figures of the noun tagger are those of the recordings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rememberer_nb.envs.webshop.tagger_agreement import RECORDED, tagger_agreement
from rememberer_nb.errors import DataError

DEFAULT = "webshop_conformance"
FILES = (
    "items_shuffle.json", "items_ins_v2.json", "items_human_ins.json", "meta.json",
    "rewards.json", "rewards_synthetic.json",
)  # fmt: skip
# Of the recordings that the published figures speak of.
PUBLISHED = "8b478af84df6256a"


def digest(folder: Path) -> str:
    """What tells a recording from any other: all that goes into the figures."""
    parts = [hashlib.sha256((folder / name).read_bytes()).digest() for name in FILES]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def test_webshop_published_agreement_is_that_of_the_recordings(conformance_dir: Path) -> None:
    folder = conformance_dir / DEFAULT
    if not (folder / "rewards.json").exists():
        pytest.skip(f"no {DEFAULT} in {conformance_dir}")
    if digest(folder) != PUBLISHED:
        pytest.skip("these are other recordings than those of the published figures")
    found = tagger_agreement(folder)
    assert found == RECORDED
    assert sum(agreement.n for agreement in found) == 2100


def test_a_recording_is_known_by_all_of_its_files(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_text("[]")
    whole = digest(tmp_path)
    for name in FILES:
        (tmp_path / name).write_text("[1]")
        assert digest(tmp_path) != whole
        (tmp_path / name).write_text("[]")
    assert digest(tmp_path) == whole


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"meta\.json"):
        tagger_agreement(tmp_path)
