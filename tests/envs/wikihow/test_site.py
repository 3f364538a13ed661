"""The site's file: what is read, and what is refused by name."""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.envs.wikihow.env import WikiHowEnv
from rememberer_nb.envs.wikihow.goals import load_tasks
from rememberer_nb.envs.wikihow.site import load_site
from rememberer_nb.errors import DataError

ARTICLE = {
    "title": "How to Mend a Kite",
    "category": "Kites",
    "authors": ["Ann Lee"],
    "updated": "May 1, 2020",
    "views": 10,
    "badge": "",
    "intro": "Kites tear.",
    "parts": [{"title": "Sewing", "steps": ["Sew it."]}],
    "tips": [],
    "warnings": [],
    "related": ["How to Mend a Kite"],
    "references": ["A book"],
}
SITE: dict[str, Any] = {
    "format": "rememberer_nb/how-to-site",
    "version": 1,
    "name": "Tiny",
    "about": ["We mend."],
    "categories": [{"name": "Toys", "parent": None}, {"name": "Kites", "parent": "Toys"}],
    "authors": [{"name": "Ann Lee", "job": "Sailor", "bio": "Sails."}],
    "articles": [ARTICLE],
}
TASKS: dict[str, Any] = {
    "format": "rememberer_nb/how-to-tasks",
    "version": 1,
    "tasks": [{"kind": "search", "goals": [["search", "How to Mend a Kite"]]}],
}


def write(folder: Path, site: Any = SITE, tasks: Any = TASKS) -> Path:
    path = folder / "site.json"
    path.write_text(json.dumps(site), encoding="utf-8")
    (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    return path


def test_a_tiny_site_can_be_visited(tmp_path: Path) -> None:
    env = WikiHowEnv(site=write(tmp_path))
    env.reset(options={"task": 0})
    _, reward, terminated, _, info = env.step("INPUT(2, mend a kite)")
    assert (reward, terminated, info["is_success"]) == (0.0, False, False)
    # In a site of one article every word is common to all titles and finds nothing.
    assert env.engine.page.hits == frozenset()


def test_plain_and_packed_files_are_the_same(tmp_path: Path) -> None:
    plain = write(tmp_path)
    packed = tmp_path / "site.json.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert load_site(plain).articles == load_site(packed).articles


def test_a_site_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert load_site(path) is load_site(path)


def _set(*keys: Any, value: Any) -> Callable[[Any], None]:
    def change(content: Any) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (_set("format", value="something else"), r"expected format 'rememberer_nb/how-to-site'"),
        (_set("version", value=9), r"version: has version 9, expected 1"),
        (_set("articles", value={}), r"articles: expected a list of objects"),
        (_set("articles", 0, "title", value=3), r"articles\[0\]: expected 'title'"),
        (_set("articles", 0, "title", value="a\nb"), r"articles\[0\]: expected 'title'"),
        (_set("articles", 0, "views", value=-1), r"articles\[0\]: expected 'views'"),
        (_set("articles", 0, "views", value="many"), r"articles\[0\]: expected 'views'"),
        (_set("articles", 0, "authors", value=[]), r"articles\[0\]: has no author"),
        (_set("articles", 0, "authors", value=["Nobody"]), r"refers to 'Nobody'"),
        (_set("articles", 0, "category", value="Moon"), r"refers to 'Moon'"),
        (_set("articles", 0, "related", value=["How to Fly"]), r"refers to 'How to Fly'"),
        (_set("articles", 0, "parts", value="none"), r"parts: expected a list of objects"),
        (_set("categories", 1, "parent", value="Sea"), r"categories\[1\]: refers to 'Sea'"),
        (_set("authors", 0, "bio", value=None), r"authors\[0\]: expected 'bio'"),
        (_set("articles", value=[ARTICLE, ARTICLE]), r"articles\[1\]: .* occurs twice"),
        (_set("about", value="text"), r"about: expected 'about' to be a list"),
    ],
)
def test_damaged_sites_are_refused(
    tmp_path: Path, change: Callable[[Any], None], match: str
) -> None:
    content = copy.deepcopy(SITE)
    change(content)
    with pytest.raises(DataError, match=match) as caught:
        load_site(write(tmp_path, content))
    assert caught.value.path == tmp_path / "site.json"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\x1f\x8bbroken",
        gzip.compress(b'{"a": 1}', mtime=0)[:-6],
        b"\xff\xfe",
        b"[" * 10**5,
    ],
)
def test_files_that_are_no_json_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "site.json"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"site\.json: (cannot be read|is not JSON): "):
        load_site(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json"):
        WikiHowEnv(site=tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("goals", "match"),
    [
        ([], r"tasks\[0\]: expected 1 to 5 goals"),
        ([["search", "How to Mend a Kite"]] * 6, r"expected 1 to 5 goals"),
        ("search", r"expected 1 to 5 goals"),
        ([["search"]], r"expected \[kind, name\]"),
        ([["search", 3]], r"expected \[kind, name\]"),
        ([["search", "How to Fly"]], r"the site has no search 'How to Fly'"),
        ([["dance", "Ann Lee"]], r"the site has no dance 'Ann Lee'"),
        ([["references", ""]], r"the site has no references ''"),
        ([["author", "Nobody"]], r"the site has no author 'Nobody'"),
    ],
)
def test_damaged_tasks_are_refused(tmp_path: Path, goals: Any, match: str) -> None:
    path = write(tmp_path, tasks={**TASKS, "tasks": [{"kind": "x", "goals": goals}]})
    with pytest.raises(DataError, match=match):
        load_tasks(tmp_path / "tasks.json", path)


def test_tasks_of_another_format_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, tasks={**TASKS, "tasks": 3})
    with pytest.raises(DataError, match="tasks: expected a list"):
        WikiHowEnv(site=path)
    path = write(tmp_path, tasks=[])
    load_tasks.cache_clear()
    with pytest.raises(DataError, match="expected format 'rememberer_nb/how-to-tasks'"):
        WikiHowEnv(site=path)
