"""The shipped files are found in a checkout and in an installed package, or missed by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from rememberer_nb.errors import DataError
from rememberer_nb.system import resources

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one file in each folder."""
    (tmp_path / "rememberer_nb").mkdir()
    _fill(tmp_path)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "rememberer_nb")
    return tmp_path


def _fill(top: Path) -> None:
    for folder, name in (("data/shop", "items.json"), ("notebooks", "00.ipynb")):
        (top / folder).mkdir(parents=True)
        (top / folder / name).write_text("{}")


def test_this_checkout_is_one_and_its_folders_are_at_the_top():
    assert resources.is_checkout()
    assert resources.data_path() == ROOT / "data"
    assert resources.notebooks_path() == ROOT / "notebooks"


def test_a_checkout_has_the_folders_beside_the_package(checkout: Path):
    assert resources.is_checkout()
    assert resources.data_path("shop", "items.json") == checkout / "data/shop/items.json"
    assert resources.data_path("shop/items.json") == checkout / "data/shop/items.json"
    assert resources.notebooks_path("00.ipynb") == checkout / "notebooks/00.ipynb"


def test_an_installed_package_holds_the_folders(checkout: Path):
    share = checkout / "rememberer_nb" / "_share"
    _fill(share)
    assert not resources.is_checkout()
    assert resources.data_path("shop", "items.json") == share / "data/shop/items.json"
    assert resources.notebooks_path("00.ipynb") == share / "notebooks/00.ipynb"


def test_the_working_directory_does_not_matter(checkout: Path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert resources.data_path("shop").is_absolute()
    assert resources.data_path("shop") == checkout / "data/shop"


def test_a_missing_file_is_named_with_what_is_there(checkout: Path):
    with pytest.raises(DataError, match=r"shop holds items\.json") as caught:
        resources.data_path("shop", "lamps.json")
    assert caught.value.path == checkout / "data/shop/lamps.json"
    assert str(checkout / "data/shop/lamps.json") in str(caught.value)


def test_a_missing_folder_is_named_with_what_its_nearest_parent_holds(checkout: Path):
    with pytest.raises(DataError, match="data holds shop"):
        resources.data_path("site", "articles", "1.json")
    with pytest.raises(DataError, match=r"notebooks holds 00\.ipynb"):
        resources.notebooks_path("99.ipynb")


def test_an_empty_folder_is_said_to_hold_nothing(checkout: Path):
    (checkout / "data/site").mkdir()
    (checkout / "data/site/.hidden").write_text("")
    with pytest.raises(DataError, match="site holds nothing"):
        resources.data_path("site", "articles.json")


def test_a_checkout_without_its_data_folder_says_so(tmp_path: Path, monkeypatch):
    (tmp_path / "rememberer_nb").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "rememberer_nb")
    with pytest.raises(DataError, match="data: not among the shipped files"):
        resources.data_path()


def test_what_is_read_from_a_file_is_kept_until_the_file_changes(tmp_path: Path):
    path, n_read = tmp_path / "a.txt", []

    @resources.cached_by_files(2, lambda path, suffix: [path])
    def read(path: Path, suffix: str) -> str:
        """Its text."""
        n_read.append(path)
        return path.read_text() + suffix

    path.write_text("one")
    assert [read(path, "!"), read(path, "!"), read(path, "?")] == ["one!", "one!", "one?"]
    assert (len(n_read), read.__doc__) == (2, "Its text.")
    # The same length, put in its place as editors do.
    other = tmp_path / "b.txt"
    other.write_text("two")
    other.replace(path)
    assert read(path, "!") == "two!"
    read.cache_clear()
    assert (read(path, "!"), len(n_read)) == ("two!", 4)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read(path, "!")


def test_a_folder_is_another_when_one_of_its_files_is(tmp_path: Path):
    assert resources.file_stamp(tmp_path / "absent") == ()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    before = resources.file_stamp(tmp_path)
    assert resources.file_stamp(tmp_path) == before
    (tmp_path / "in" / "a").write_text("xy")
    assert resources.file_stamp(tmp_path) != before
