"""Shop pages as the stand-in reads them, and what its tables make of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.llms.offline.beliefs import Look, PageReading
from rememberer_nb.llms.offline.parse import Section
from rememberer_nb.llms.offline.webshop import ShopBeliefs
from rememberer_nb.llms.offline.webshop_tables import TABLES
from tests.llms.pages import (
    PRODUCTS,
    SEARCH_PAGE,
    SHOP,
    TASK,
    item_actions,
    item_page,
    results_actions,
    results_page,
    sub_page,
)

BELIEFS = ShopBeliefs()


def section(page: str, actions: list[str] | None = None, last: tuple[str, ...] = ()) -> Section:
    lines = tuple(line.strip() for line in page.strip().splitlines())
    return Section(TASK, lines, last_actions=last, available_actions=tuple(actions or ()))


def look(page: str, label: str, last: tuple[str, ...] = ()) -> Look:
    seen = section(page, last=last)
    found = BELIEFS.look(seen, BELIEFS.read(seen), f"click[{label}]")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (SEARCH_PAGE, "search"),
        (results_page(), "results"),
        (results_page((), total=0), "results"),
        (item_page(), "item"),
        (sub_page(), "sub"),
        ("Thank you for shopping with us!", ""),
        ("", ""),
    ],
)
def test_kinds_of_page(page: str, kind: str) -> None:
    assert BELIEFS.read(section(page)).page == kind


def test_products_by_hand() -> None:
    # fit: words of "soft red desk lamp" in the title; core: of "desk lamp"; place; price; visited.
    page = results_page(visited=["B000000002"])
    assert look(page, "b000000001") == ("product", (1 / 4, 1 / 2, 1.0, 1.0, 0.0))
    assert look(page, "b000000002") == ("product", (1.0, 1.0, 1 / 2, 1.0, 1.0))
    assert look(page, "b000000003") == ("product", (1.0, 1.0, 1 / 3, 0.0, 0.0))


def test_a_results_page_is_as_poor_as_its_best_unseen_product() -> None:
    good = BELIEFS.read(section(results_page(number=3)))
    assert good.features == (0.0, 0.0, pytest.approx(2 / 5), 0.0, 0.0)
    seen = ["B000000002", "B000000003"]
    poor = BELIEFS.read(section(results_page(visited=seen)))
    assert poor.features == pytest.approx((1 - (1 / 4 + 1 / 2) / 2, 0.0, 0.0, 0.0, 2 / 3))
    empty = BELIEFS.read(section(results_page((), total=0)))
    assert empty.features == (1.0, 0.0, 0.0, 1.0, 0.0)


def test_options_by_hand() -> None:
    # The task names "red" and "small"; small is chosen, so its group is settled.
    page = item_page(sizes="[[small]][large]")
    assert look(page, "red") == ("option", (1.0, 1.0, 0.0, 0.0, 0.0))
    assert look(page, "blue") == ("option", (0.0, 0.0, 0.0, 0.0, 1.0))
    assert look(page, "small") == ("option", (1.0, 1.0, 1.0, 1.0, 1.0))
    assert look(page, "large") == ("option", (0.0, 0.0, 1.0, 0.0, 0.0))


@pytest.mark.parametrize(
    ("colors", "sizes", "have"),
    [
        ("[blue][red]", "[small][large]", 0.0),
        ("[blue][[red]]", "[small][large]", 0.5),
        ("[[blue]][red]", "[[small]][large]", 0.5),
        ("[blue][[red]]", "[[small]][large]", 1.0),
        ("[blue][green]", "[large]", 1.0),
        ("", "", 1.0),
    ],
)
def test_share_of_the_wanted_options(colors: str, sizes: str, have: float) -> None:
    page = item_page(colors=colors, sizes=sizes)
    assert look(page, "buy now") == ("buy", (1.0, 1.0, 1.0, have))


def test_a_title_with_brackets_is_no_option() -> None:
    page = item_page(title="Soft Lamp [2 pack]", colors="", sizes="[s [tall]][m]")
    seen = section(page)
    assert BELIEFS.look(seen, BELIEFS.read(seen), "click[2 pack]") is None


def test_what_was_done_of_late_counts() -> None:
    last = ("click[description]", "click[< prev]", "Click[Back To  Search]", "click[reviews]")
    assert look(item_page(), "description", last).attributes[1] == 0.5
    assert look(item_page(), "features", last).attributes[1] == 0.0
    assert look(item_page(), "back to search", last).attributes[3] == 0.5
    twice = ("click[back to search]",) * 3
    assert look(results_page(), "back to search", twice).attributes[3] == 1.0


def test_a_template_becomes_queries_and_the_button_is_left_alone() -> None:
    seen = section(SEARCH_PAGE, ["click[search]", "search[<keywords>]"])
    candidates = BELIEFS.candidates(seen, BELIEFS.read(seen))
    assert len(candidates) == 6
    assert all(SHOP.match(action, seen.available_actions) == action for action in candidates)


@pytest.mark.parametrize(
    "action", ["", "click", "click[moon]", "buy[now]", "click[]", "press[buy now]", "search"]
)
def test_unknown_actions_are_ignored(action: str) -> None:
    seen = section(item_page())
    assert BELIEFS.look(seen, BELIEFS.read(seen), action) is None


def _check(reading: PageReading) -> None:
    assert all(0 <= feature <= 1 for feature in reading.features)
    for seen in reading.looks.values():
        assert all(0 <= value <= 1 for value in seen.attributes)
        for table in TABLES.values():
            table[seen.kind].prior(seen.attributes)


LINES = st.lists(
    st.sampled_from([*item_page().split("\n"), *results_page(number=2).split("\n")])
    | st.text(max_size=12),
    max_size=25,
)


@given(lines=LINES, task=st.sampled_from([TASK, "", "a [lamp"]))
def test_any_page_can_be_read(lines: list[str], task: str) -> None:
    _check(BELIEFS.read(Section(task, tuple(line.strip() for line in lines))))


def test_recorded_pages_are_understood(conformance_dir: Path) -> None:
    path = conformance_dir / "webshop_conformance/trace_simplified_human.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no recorded pages at {path}")
    n_read = 0
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            step = json.loads(line)
            page, labels = step["obs"]["text_rich"], step["avail"]["clickables"]
            seen = section(page, [f"click[{label}]" for label in labels if label != "search"])
            reading = BELIEFS.read(seen)
            _check(reading)
            assert list(BELIEFS.candidates(seen, reading)) == list(seen.available_actions)
            n_read += len(seen.available_actions)
    assert n_read > 1000


def test_both_tables_have_the_same_attributes_and_a_reason_for_each_number() -> None:
    novice, able = TABLES["novice"], TABLES["able"]
    kinds = {"search", "product", "option", "buy", "tab", "prev", "next", "back"}
    assert novice.keys() == able.keys() == kinds
    for kind in kinds:
        assert tuple(novice[kind].numbers) == tuple(able[kind].numbers)
        assert len(novice[kind].numbers) <= 5
        for table in (novice, able):
            for number in (table[kind].bias, *table[kind].numbers.values()):
                assert -1 <= number.value <= 1
                assert len(number.reason) > 10


def test_every_kind_of_action_on_a_page_has_a_belief() -> None:
    seen = section(results_page(number=2), results_actions(number=2))
    kinds = {found.kind for found in BELIEFS.candidates(seen, BELIEFS.read(seen)).values()}
    assert kinds == {"product", "next", "prev", "back"}
    seen = section(item_page(), item_actions())
    kinds = {found.kind for found in BELIEFS.candidates(seen, BELIEFS.read(seen)).values()}
    assert kinds == {"option", "buy", "tab", "prev", "back"}
    assert len(PRODUCTS) == 3
