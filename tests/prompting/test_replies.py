"""Replies: lenient reading, strict availability, and every text an answer or an error."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.errors import ReplyError
from rememberer_nb.prompting.replies import ParsedReply, parse_reply

PAGE = ("search[<keywords>]", "click[buy now]", "click[< prev]", "click[a [b] c]", "click[red]")


def parse(text: str) -> ParsedReply:
    return parse_reply(text, PAGE, WEBSHOP)


@pytest.mark.parametrize(
    ("text", "action", "value", "rationale"),
    [
        ("click[buy now] -> 0.9 it fits", "click[buy now]", 0.9, "it fits"),
        ("click[buy now]", "click[buy now]", None, ""),
        ("click[buy now] -> 0.9", "click[buy now]", 0.9, ""),
        ("click[buy now] -> it fits", "click[buy now]", None, "it fits"),
        ("click[buy now] → 1", "click[buy now]", 1.0, ""),
        ("click[buy now] -> -0.5 a loss", "click[buy now]", -0.5, "a loss"),
        ("click[buy now] -> 0.9. It fits.", "click[buy now]", 0.9, "It fits"),
        ("click[buy now] -> (0.9) it fits", "click[buy now]", 0.9, "it fits"),
        ("click[buy now] -> .9 it fits", "click[buy now]", 0.9, "it fits"),
        ("click[buy now] -> -.5", "click[buy now]", -0.5, ""),
        ("click[buy now]. It fits.", "click[buy now]", None, "It fits"),
        ("click[buy now] -> [0.9] (it fits)", "click[buy now]", 0.9, "(it fits)"),
        ("click[buy now]: 5e-1, it fits", "click[buy now]", 0.5, "it fits"),
        ("click[buy now] -> 2of3 fit", "click[buy now]", None, "2of3 fit"),
        ("click[buy now] -> 1.2.3 fits", "click[buy now]", None, "1.2.3 fits"),
        ("1. click[buy now] -> 0.9 it fits", "click[buy now]", 0.9, "it fits"),
        ("  - **click[buy now]** -> 0.9 it fits", "click[buy now]", 0.9, "it fits"),
        ("`click[buy now]` -> 0.9 it fits", "click[buy now]", 0.9, "it fits"),
        ('"click[buy now]" -> 0.9 it fits', "click[buy now]", 0.9, "it fits"),
        ("Reply: Click[Buy Now] -> 0.9 it fits", "click[buy now]", 0.9, "it fits"),
        ("Action: search[red lamp] -> 0.5", "search[red lamp]", 0.5, ""),
        ("search [red lamp]", "search[red lamp]", None, ""),
        (
            "I have read it all.\n\nclick[< prev] -> 0.2 wrong one",
            "click[< prev]",
            0.2,
            "wrong one",
        ),
        ("click[moon] is gone, so click[red] -> 0.3", "click[red]", 0.3, ""),
        ("click[moon]\nclick[red]", "click[red]", None, ""),
        ("click[a [b] c] -> 0.4 odd label", "click[a [b] c]", 0.4, "odd label"),
        ("CLICK[A [B] C] -> 0.4", "click[a [b] c]", 0.4, ""),
        ("Encouraged:\n- click[red] -> 0.5\nDiscouraged:\n- click[< prev]", "click[red]", 0.5, ""),
        ("Discouraged: click[red]\nEncouraged: click[< prev]", "click[< prev]", None, ""),
        (
            "## Discouraged\nclick[red] -> 0\n## Encouraged\nclick[< prev]",
            "click[< prev]",
            None,
            "",
        ),
        ("Avoid: click[red]\nEncouraged: click[buy now]", "click[buy now]", None, ""),
    ],
)
def test_lines(text: str, action: str, value: float | None, rationale: str) -> None:
    assert parse(text) == ParsedReply(action, value, rationale)


@pytest.mark.parametrize(
    ("text", "action", "value", "rationale"),
    [
        (
            '{"action": "click[buy now]", "value": 0.9, "rationale": "it  fits"}',
            "click[buy now]",
            0.9,
            "it fits",
        ),
        ('{"action": "click[a [b] c]"}', "click[a [b] c]", None, ""),
        ('{"action": "search[a [b]]", "value": "0.5"}', "search[a [b]]", 0.5, ""),
        ('```json\n{"action": "click[red]", "value": 1}\n```', "click[red]", 1.0, ""),
        ('Sure {here}: {"action": "click[red]", "value": null}', "click[red]", None, ""),
        ('{"thought": {}} {"action": "click[red]", "value": [1]}', "click[red]", None, ""),
        ('{"action": "click[red]", "value": NaN}', "click[red]", None, ""),
        ('{"action": "click[red]", "value": 1e999}', "click[red]", None, ""),
        ('{"action": "click[red]", "rationale": 3}', "click[red]", None, ""),
        ('{"action": "search[red\\nlamp]"}', "search[red lamp]", None, ""),
        ('{"action": 3}\nclick[red]', "click[red]", None, ""),
        ('{"action": "click[red]", "value": 0.5', "click[red]", None, '"value": 0.5'),
    ],
)
def test_json(text: str, action: str, value: float | None, rationale: str) -> None:
    parsed = parse(text)
    assert (parsed.action, parsed.value) == (action, value)
    if not text.endswith("0.5"):
        assert parsed.rationale == rationale


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no action in the reply"),
        ("I would rather wait.", "no action in the reply"),
        ("click buy now", "no action in the reply"),
        ("click[moon] -> 0.9", "click[moon] is not available"),
        ("click[moon]\nclick[sun]", "click[moon] is not available"),
        ("search[<keywords>] -> 0.9", "search[<keywords>] is not available"),
        ('{"action": "search[<keywords>]"}', "search[<keywords>] is not available"),
        ('{"action": "click[moon]"}', "click[moon] is not available"),
        ('{"action": "wait"}', "wait is not available"),
        ("Discouraged: click[red]", "no action in the reply"),
        ("Avoid:\n1. click[red] -> 0.0\n2. click[< prev]", "no action in the reply"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse(text)
    assert (caught.value.reason, caught.value.text) == (reason, text)


def test_an_action_that_the_reason_mentions_was_not_chosen() -> None:
    text = '{"action": "click[moon]", "value": 0.2, "rationale": "better than click[buy now]"}'
    with pytest.raises(ReplyError, match=r"click\[moon\] is not available"):
        parse(text)


def test_nothing_is_available() -> None:
    with pytest.raises(ReplyError, match="is not available"):
        parse_reply("click[buy now]", (), WEBSHOP)


def test_half_a_character_is_made_whole() -> None:
    parsed = parse('{"action": "search[\\ud83d lamp]", "rationale": "half \\ud83d"}')
    assert parsed == ParsedReply("search[? lamp]", None, "half ?")
    assert parse("search[\ud83d lamp]").action == "search[? lamp]"


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"action": ' + "[" * 50_000,
        "click[" * 50_000,
        "search " * 50_000,
        "click[red" * 20_000,
        " " * 200_000 + "wait",
        "-> " * 100_000,
        "#" * 200_000,
        "discouraged " * 20_000,
        "\x00" * 100_000,
        '{"action": "click[red]", "value": ' + "9" * 10_000 + "}",
        "click[red] -> " + "9" * 100_000,
        "click[red] -> " + "-" * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_huge_replies_are_read_quickly(text: str) -> None:
    start = time.perf_counter()
    try:
        parsed = parse(text)
    except ReplyError:
        pass
    else:
        assert parsed.action == "click[red]"
    assert time.perf_counter() - start < 2


WORDS = (
    'click[ ] search[x] { } "action": "click[red]" -> 0.5 nan Discouraged: encouraged ``` -1e400 ##'
)
ODD = ("\n", "\x00", "\ud83d", "İ", "\u2028")
fragments = st.sampled_from([*PAGE, *WORDS.split(), *ODD])
replies = st.one_of(
    st.text(max_size=200),
    st.lists(fragments, max_size=15).map(" ".join),
    st.recursive(
        st.none() | st.floats() | st.text(max_size=5) | fragments,
        lambda inner: st.dictionaries(
            st.sampled_from(["action", "value", "rationale", "x"]), inner, max_size=4
        ),
    ).map(json.dumps),
)


@given(replies)
@example('{"action": "click[red]", "value": 1' + "0" * 400 + "}")
def test_any_reply_is_an_available_action_or_an_error(text: str) -> None:
    try:
        parsed = parse(text)
    except ReplyError as error:
        assert error.text == text
        return
    assert WEBSHOP.match(parsed.action, PAGE) == parsed.action
    assert not WEBSHOP.is_template(parsed.action)
    assert parsed.value is None or math.isfinite(parsed.value)
    assert len(parsed.rationale.splitlines()) <= 1
    (parsed.action + parsed.rationale).encode()


def test_a_reply_without_end_is_read_at_its_beginning() -> None:
    """What it says there counts, and a million mentions are not looked up one by one."""
    endless = "search[a lamp] -> 0.5 fine\n" + "click[nothing] " * 1_000_000
    assert parse(endless).action == "search[a lamp]"
    with pytest.raises(ReplyError, match="is not available"):
        parse("click[nothing] " * 1_000_000)
    with pytest.raises(ReplyError):
        parse("\ud83d" * 3_000_000)
