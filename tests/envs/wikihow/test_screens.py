"""Screens: one element per line, ids in order, viewports, and the style of the published ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from rememberer_nb.envs.wikihow.env import WikiHowEnv
from rememberer_nb.envs.wikihow.screens import (
    STATUS_BAR,
    VIEW_HEIGHT,
    Page,
    Place,
    ScreenElement,
    _cut,
    escape,
    lay_out,
)

LINE = re.compile(
    r'<(button|img|input|div|p)(?: class="[^"]*")?(?: alt="[^"]*")?(?: value="[^"]*")?'
    r'(?: type="text")? id="(\d+)" clickable="(true|false)">(?:([^<>]*)</\1>)?'
)
STATUS_LINE = re.compile(r'<div class="statusBarBackground" id="\d+" clickable="false"></div>')


@pytest.fixture(scope="module")
def env() -> WikiHowEnv:
    return WikiHowEnv()


@pytest.fixture(scope="module")
def pages(env: WikiHowEnv) -> list[Page]:
    site, build = env.engine.site, env.engine.pages.page
    places = [Place(kind) for kind in ("start", "search", "menu", "about")]
    for kind, rows in (
        ("article", site.articles),
        ("author", site.authors),
        ("category", site.categories),
    ):
        places += [Place(kind, i) for i in range(len(rows))]
    places += [Place("results", article.title) for article in site.articles[:40]]
    places += [Place("results", text) for text in ("xyzzy", '"<&>" bread', "a")]
    return [build(place) for place in places]


def test_every_line_is_one_element_with_ids_from_zero(pages: list[Page]) -> None:
    n_screens = 0
    for page in pages:
        for screen in page.screens:
            n_screens += 1
            lines = screen.text.split("\n")
            found = [LINE.fullmatch(line) for line in lines]
            assert all(found), page.place
            assert [int(f[2]) for f in found] == list(range(len(lines)))
            assert STATUS_LINE.fullmatch(lines[-1])
            assert screen.n_elements == len(lines)
            pressable = {int(f[2]) for f in found if f[3] == "true"}
            assert pressable == set(screen.targets)
            assert screen.fields <= pressable
    assert n_screens > 1000


def test_every_screen_can_be_searched_from_and_no_screen_is_long(pages: list[Page]) -> None:
    for page in pages:
        for screen in page.screens:
            assert screen.fields
            assert len(screen.text) < 4500, page.place


def test_available_actions_are_fields_then_clicks_then_scrolls(pages: list[Page]) -> None:
    order = ("INPUT", "CLICK", "SCROLL")
    for page in pages:
        for i, screen in enumerate(page.screens):
            kinds = [action.partition("(")[0] for action in screen.available_actions]
            assert [k for o in order for k in kinds if k == o] == kinds
            assert ("SCROLL(UP)" in screen.available_actions) == (i > 0)
            assert ("SCROLL(DOWN)" in screen.available_actions) == (i < len(page.screens) - 1)


def test_all_links_lead_somewhere(env: WikiHowEnv, pages: list[Page]) -> None:
    targets = {t for page in pages for s in page.screens for t in s.targets.values() if t}
    assert {t.kind for t in targets} == {
        "about", "article", "author", "category", "menu", "references", "search", "start",
    }  # fmt: skip
    for target in targets:
        assert env.engine.pages.page(target).screens


def test_the_published_screens_have_the_same_shape(conformance_dir: Path) -> None:
    class Loader(yaml.SafeLoader):
        """Plain YAML and tuples."""

    Loader.add_constructor(
        "tag:yaml.org,2002:python/tuple", lambda load, node: tuple(load.construct_sequence(node))
    )
    files = sorted((conformance_dir / "rememberer_pools").glob("*.q.yaml"))
    screens = [key[0] for path in files for key in yaml.load(path.read_text("utf-8"), Loader)]
    assert len(screens) == 44
    for screen in screens:
        lines = screen.splitlines()
        numbers = [int(found[2]) for line in lines if (found := LINE.fullmatch(line))]
        assert numbers == list(range(len(lines)))
        assert STATUS_LINE.fullmatch(lines[-1])


def test_the_start_screen_is_the_published_one(conformance_dir: Path, env: WikiHowEnv) -> None:
    pool = (conformance_dir / "rememberer_pools" / "init_pool.q.yaml").read_text("utf-8")
    for line in env.engine.pages.page(Place("start")).screens[0].text.split("\n"):
        assert line in pool


@pytest.mark.parametrize(
    ("element", "line"),
    [
        (ScreenElement("p", "a < b & c"), '<p id="7" clickable="false">a &lt; b &amp; c</p>'),
        (ScreenElement("img", "", 'alt="x"', True), '<img alt="x" id="7" clickable="true">'),
        (
            ScreenElement("button", "Approved", "", True),
            '<button id="7" clickable="true">Approved</button>',
        ),
        (STATUS_BAR, '<div class="statusBarBackground" id="7" clickable="false"></div>'),
    ],
)
def test_lines_by_hand(element: ScreenElement, line: str) -> None:
    assert element.line(7) == line


def test_escaped_values_stay_inside_their_quotes(env: WikiHowEnv) -> None:
    page = env.engine.pages.page(Place("results", 'a "b" <c>'))
    assert 'value="a &quot;b&quot; &lt;c&gt; " type="text"' in page.screens[0].text
    assert escape("plain words") == "plain words"


def test_heights_by_hand() -> None:
    # 45 characters to a line of 24 pixels, 8 pixels between elements.
    assert ScreenElement("p", "x" * 45).pixels == 32
    assert ScreenElement("p", "x" * 46).pixels == 56
    assert ScreenElement("p").pixels == 32
    assert ScreenElement("p", "x" * 99, height=5).pixels == 5


def test_what_the_edge_cuts_is_shown_twice_and_what_fits_exactly_is_not() -> None:
    exact = [ScreenElement("p", str(i), height=VIEW_HEIGHT // 2) for i in range(4)]
    assert [len(view) for view in _cut(exact)] == [2, 2]
    tall = [ScreenElement("p", str(i), height=2 * VIEW_HEIGHT) for i in range(3)]
    assert [[e.text for e in view] for view in _cut(tall)] == [["0"], ["1"], ["2"]]
    assert _cut([]) == [[]]


def test_every_element_of_a_long_page_is_in_some_viewport() -> None:
    body = [ScreenElement("p", f"line {i}", height=37) for i in range(200)]
    header = (ScreenElement("div", "first"),)
    page = lay_out(Place("about"), header, body, later_header=(ScreenElement("div", "later"),))
    texts = [screen.text for screen in page.screens]
    assert all(any(f">line {i}<" in text for text in texts) for i in range(200))
    assert [">first<" in text for text in texts] == [True] + [False] * (len(texts) - 1)
    assert all(">later<" in text for text in texts[1:])


def test_anchors_are_found_and_missing_ones_are_at_the_top() -> None:
    body = [ScreenElement("p", height=VIEW_HEIGHT)] * 3 + [ScreenElement("p", "here", anchor="x")]
    page = lay_out(Place("about"), (), body)
    assert page.screen_of("x") == 3
    assert page.screen_of("y") == 0
