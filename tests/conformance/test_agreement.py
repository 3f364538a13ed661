"""The published figures of the noun tagger are those of the recordings."""

from __future__ import annotations

from pathlib import Path

import pytest

from rememberer_nb.envs.webshop.tagger_agreement import RECORDED, tagger_agreement
from rememberer_nb.errors import DataError

DEFAULT = "webshop_conformance"


def test_webshop_published_agreement_is_that_of_the_recordings(conformance_dir: Path) -> None:
    folder = conformance_dir / DEFAULT
    if not (folder / "rewards.json").exists():
        pytest.skip(f"no {DEFAULT} in {conformance_dir}")
    found = tagger_agreement(folder)
    if [a.n for a in found] != [a.n for a in RECORDED]:
        pytest.skip("these are other recordings than those of the published figures")
    assert found == RECORDED


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"meta\.json"):
        tagger_agreement(tmp_path)
