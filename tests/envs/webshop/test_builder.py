"""Building an index: what it counts, what it refuses, and what it leaves behind: nothing."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.cli import main
from rememberer_nb.envs.webshop import builder
from rememberer_nb.envs.webshop.builder import build_index
from rememberer_nb.envs.webshop.catalogue import load_products
from rememberer_nb.envs.webshop.disk import DiskCatalogue
from rememberer_nb.errors import CatalogueError

WriteFiles = Callable[..., dict[str, Path]]


def names(folder: Path) -> set[str]:
    """What lies in a folder."""
    return {path.name for path in folder.iterdir()}


def test_webshop_builder_counts_and_keeps(write_files: WriteFiles, tmp_path: Path) -> None:
    files = write_files()
    counts = build_index(**files, out=tmp_path / "deep" / "index")
    assert (counts["products"], counts["instructions"]) == (3, 3)
    assert counts["bytes"] == sum(f.stat().st_size for f in (tmp_path / "deep/index").iterdir())
    assert names(tmp_path / "deep") == {"index"}
    kept = tuple(DiskCatalogue(tmp_path / "deep" / "index").products)
    assert kept == load_products(files["items"], files["attributes"])


def test_webshop_builder_reads_gzipped_files(write_files: WriteFiles, tmp_path: Path) -> None:
    packed = {}
    for name, path in write_files().items():
        packed[name] = path.with_suffix(".json.gz")
        packed[name].write_bytes(gzip.compress(path.read_bytes()))
    assert build_index(**packed, out=tmp_path / "index")["products"] == 3


def test_webshop_builder_replaces_an_index_and_nothing_else(
    write_files: WriteFiles, items: list[dict[str, Any]], tmp_path: Path
) -> None:
    files, out = write_files(), tmp_path / "index"
    out.mkdir()
    build_index(**files, out=out)
    old = DiskCatalogue(out)
    write_files(items=items[:1])
    assert build_index(**files, out=out)["products"] == 1
    assert len(DiskCatalogue(out).products) == 1
    assert old.products[2].title == "Desk Chair"
    (other := tmp_path / "papers").mkdir()
    (other / "letter").write_text("dear")
    (other / "index.json").write_text('{"format": "papers"}')
    with pytest.raises(CatalogueError, match="papers: is no shop index, so it is not replaced"):
        build_index(**files, out=other)
    assert (other / "letter").read_text() == "dear"
    with pytest.raises(CatalogueError, match="is a file"):
        build_index(**files, out=other / "letter")
    with pytest.raises(CatalogueError, match="cannot be made"):
        build_index(**files, out=other / "letter" / "below")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"asin": None}, r"items_shuffle\.json: product 1: 'asin' should be str"),
        ({"name": 3}, r"items_shuffle\.json: product B000000002: 'name' should be str, got 3"),
        ({"pricing": "-$3.00"}, "product B000000002: negative price"),
        ({"pricing": "$"}, "product B000000002: price '\\$' is not a number"),
        ({"small_description": [1]}, "product B000000002: 'small_description' should be str"),
        ({"customization_options": {"size": [{}]}}, "product B000000002: 'customization_options"),
    ],
)
def test_webshop_builder_names_the_product_that_is_wrong(
    write_files: WriteFiles,
    items: list[dict[str, Any]],
    tmp_path: Path,
    changes: dict[str, Any],
    told: str,
) -> None:
    items[1] |= changes
    files = write_files(items=items)
    before = names(tmp_path)
    with pytest.raises(CatalogueError, match=told):
        build_index(**files, out=tmp_path / "index")
    assert names(tmp_path) == before


@pytest.mark.parametrize("name", ["items", "attributes", "instructions"])
def test_webshop_builder_refuses_cut_off_and_missing_files(
    write_files: WriteFiles, tmp_path: Path, name: str
) -> None:
    files = write_files()
    whole = files[name].read_bytes()
    before = names(tmp_path)
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        files[name].write_bytes(whole[:length])
        with pytest.raises(CatalogueError, match=files[name].name):
            build_index(**files, out=tmp_path / "index")
    files[name].unlink()
    with pytest.raises(CatalogueError, match=rf"{files[name].name}: .*no such file"):
        build_index(**files, out=tmp_path / "index")
    assert names(tmp_path) == before - {files[name].name}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"items": {}}, "items_shuffle.json: should be a list of products"),
        ({"items": []}, "items_shuffle.json: holds no product"),
        ({"items": [{"asin": "nan"}]}, "holds no product"),
        ({"items": [{"name": "lamp"}]}, "product 0: lacks the field 'asin'"),
        ({"items": [["B1"]]}, "product 0: should be an object"),
        ({"attributes": []}, "items_ins_v2.json: should be an object by asin"),
        ({"attributes": {"B9": 1}}, "items_ins_v2.json: B9: should be dict, got 1"),
        ({"attributes": {"B000000001": {"attributes": "x"}}}, "'attributes' should be list"),
        ({"instructions": {"B1": [1]}}, "items_human_ins.json: product B1: should be objects"),
        ({"instructions": {"B1": 1}}, "items_human_ins.json: B1: should be list"),
    ],
)
def test_webshop_builder_refuses_files_of_another_form(
    write_files: WriteFiles, tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(CatalogueError, match=told):
        build_index(**write_files(**changed), out=tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_webshop_builder_killed_leaves_nothing_that_passes_for_an_index(
    write_files: WriteFiles, tmp_path: Path
) -> None:
    """The process ends at once, after all files but the manifest were written."""
    files = {name: str(path) for name, path in write_files().items()}
    code = (
        "import os, sys, json\n"
        "from rememberer_nb.envs.webshop import builder\n"
        "builder.write_manifest = lambda *_: os._exit(9)\n"
        "builder.build_index(**json.loads(sys.argv[1]))\n"
    )
    content = json.dumps({**files, "out": str(tmp_path / "shop" / "index")})
    assert subprocess.run([sys.executable, "-c", code, content]).returncode == 9
    (left,) = (tmp_path / "shop").iterdir()
    assert left.name.endswith(".part")
    for folder in (left, left / "new"):
        with pytest.raises(CatalogueError, match="is no shop index"):
            DiskCatalogue(folder)


def test_webshop_builder_cleans_up_when_the_disk_is_full(
    write_files: WriteFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    files = write_files()
    build_index(**files, out=tmp_path / "index")
    before = names(tmp_path)
    monkeypatch.setattr(builder, "write_manifest", full)
    with pytest.raises(CatalogueError, match=r"index: cannot be written: .*No space left"):
        build_index(**files, out=tmp_path / "index")
    assert names(tmp_path) == before
    assert len(DiskCatalogue(tmp_path / "index").products) == 3


def test_webshop_index_command(
    write_files: WriteFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(path) for path in write_files().values()]
    out = str(tmp_path / "index")
    assert main(["webshop", "index", *files, "--out", out, "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["out"], result["products"]) == (out, 3)
    assert "products" in printed.err
    os.truncate(files[0], 100)
    assert main(["webshop", "index", *files, "--out", out]) == 1
    assert "items_shuffle.json: product 0: is cut off" in capsys.readouterr().err


def test_webshop_builder_writes_where_a_link_leads(write_files: WriteFiles, tmp_path: Path) -> None:
    link, loop = tmp_path / "link", tmp_path / "loop"
    link.symlink_to(tmp_path / "far")
    for _ in range(2):
        build_index(**write_files(), out=link)
        assert link.is_symlink()
        assert len(DiskCatalogue(tmp_path / "far").products) == 3
    loop.symlink_to(loop)
    with pytest.raises(CatalogueError, match="loop: is a file or an odd link"):
        build_index(**write_files(), out=loop)
