"""The profile: actions in free text, kinds of pages."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs import get_profile
from rememberer_nb.envs.wikihow.env import WikiHowEnv
from rememberer_nb.envs.wikihow.profile import WIKIHOW, page_type
from rememberer_nb.envs.wikihow.screens import Place
from rememberer_nb.errors import ReplyError
from rememberer_nb.prompting.replies import parse_reply

AVAILABLE = ("INPUT(2, <text>)", "CLICK(0)", "CLICK(12)", "SCROLL(DOWN)", "GOBACK")


def test_it_is_registered() -> None:
    assert get_profile("wikihow") is WIKIHOW
    assert WikiHowEnv().profile is WIKIHOW
    assert WIKIHOW.full_mark == 1.0


@pytest.mark.parametrize(
    ("reply", "action", "value"),
    [
        ("INPUT(2, bake rye bread) -> 3.0 the words", "INPUT(2, bake rye bread)", 3.0),
        (
            "`input( 2, buy stocks (for beginners))` -> 1",
            "INPUT(2, buy stocks (for beginners))",
            1.0,
        ),
        ("1. CLICK(12) -> 0.5 its title", "CLICK(12)", 0.5),
        ("click( 12 )", "CLICK(12)", None),
        ("I scroll(down) now", "SCROLL(DOWN)", None),
        ("GOBACK -> 0.1", "GOBACK", 0.1),
        ("goback() -> 0.1", "GOBACK", 0.1),
        ('{"action": "CLICK(0)", "value": 2}', "CLICK(0)", 2.0),
    ],
)
def test_replies_are_read(reply: str, action: str, value: float | None) -> None:
    parsed = parse_reply(reply, AVAILABLE, WIKIHOW)
    assert (parsed.action, parsed.value) == (action, value)


@pytest.mark.parametrize(
    "reply",
    ["CLICK(1)", "CLICK(100000)", "INPUT(3, bread)", "INPUT(2, <text>)", "SCROLL(UP)", "no"],
)
def test_what_is_not_available_is_not_read(reply: str) -> None:
    with pytest.raises(ReplyError):
        parse_reply(reply, AVAILABLE, WIKIHOW)


@given(st.text(alphabet="INPUTCLK(),20 ab)\n", max_size=300))
def test_the_pattern_reads_any_text(text: str) -> None:
    for found in WIKIHOW.action_pattern.finditer(text):
        assert found.group().upper().startswith(("INPUT", "CLICK", "SCROLL", "GOBACK"))


def test_every_screen_tells_its_kind() -> None:
    env = WikiHowEnv()
    places = [Place(kind) for kind in ("start", "search", "menu", "about")]
    places += [Place(kind, i) for kind in ("article", "author", "category") for i in range(42)]
    places += [Place("results", "bread"), Place("results", 'say "how"'), Place("results", "xyz")]
    for place in places:
        for screen in env.engine.pages.page(place).screens:
            assert page_type(screen.text) == place.kind
    assert page_type("a line of text") == ""


def test_the_published_screens_tell_their_kind(conformance_dir: Path) -> None:
    class Loader(yaml.SafeLoader):
        """Plain YAML and tuples."""

    Loader.add_constructor(
        "tag:yaml.org,2002:python/tuple", lambda load, node: tuple(load.construct_sequence(node))
    )
    files = sorted((conformance_dir / "rememberer_pools").glob("*.q.yaml"))
    counts = Counter(
        page_type(key[0]) for path in files for key in yaml.load(path.read_text("utf-8"), Loader)
    )
    assert counts == {"start": 13, "results": 13, "article": 7, "category": 7, "author": 4}
