"""Replies: lenient reading, strict availability, and every text an answer or an error."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rememberer_nb.elements import Advice, Exemplar
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.errors import ReplyError
from rememberer_nb.prompting.prompts import format_output
from rememberer_nb.prompting.replies import ParsedReply, parse_advice_reply, parse_reply
from tests.toy import TOY

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
        "\n" * 100_000,
        "- click[moon]\n" * 10_000,
        "a\n" * 100_000,
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.parametrize("read", [parse_reply, parse_advice_reply])
def test_huge_replies_are_read_quickly(text: str, read: Callable[..., ParsedReply]) -> None:
    start = time.perf_counter()
    try:
        parsed = read(text, PAGE, WEBSHOP)
    except ReplyError:
        pass
    else:
        assert parsed.action == "click[red]"
    assert time.perf_counter() - start < 2


# --- lists of advice ------------------------------------------------------------------------------


def advised(text: str, **words: str) -> ParsedReply:
    return parse_advice_reply(text, PAGE, WEBSHOP, words)


def pairs(advice: tuple[Advice, ...]) -> list[tuple[str, float | None]]:
    return [(each.action, each.value) for each in advice]


RED, BUY, BACK = "click[red]", "click[buy now]", "click[< prev]"


@pytest.mark.parametrize(
    ("text", "encouraged", "discouraged"),
    [
        # It goes on after the cue "Encouraged:".
        (
            "\n- click[red] -> 0.5 why\nDiscouraged:\n- click[< prev] -> 0.1",
            [(RED, 0.5)],
            [(BACK, 0.1)],
        ),
        (" click[red] -> 0.5 why\nDiscouraged:\n- click[< prev]", [(RED, 0.5)], [(BACK, None)]),
        ("\n- click[red] -> 0.5\n- click[buy now] -> 0.4\n", [(RED, 0.5), (BUY, 0.4)], []),
        # It repeats the heading, in one way or another.
        ("Encouraged:\n- click[red] -> 0.5", [(RED, 0.5)], []),
        (
            "**Encouraged:**\n1. `click[red]` -> 0.5\n2. click[buy now]\n\n"
            "**Discouraged:**\n* click[< prev] -> 0",
            [(RED, 0.5), (BUY, None)],
            [(BACK, 0.0)],
        ),
        ("## Encouraged\n- **click[red]** -> 0.5\n## Discouraged\nnone", [(RED, 0.5)], []),
        (
            "Encouraged: click[red] -> 0.5\nDiscouraged: click[< prev] -> 0.1",
            [(RED, 0.5)],
            [(BACK, 0.1)],
        ),
        ("Discouraged:\n- click[< prev]\nEncouraged:\n- click[red]", [(RED, None)], [(BACK, None)]),
        # It thinks aloud first: what it goes through is not what it encourages.
        ("1. click[buy now]: too early\nEncouraged:\n- click[red] -> 0.5", [(RED, 0.5)], []),
        ("Not click[buy now] yet.\n- click[red] -> 0.5", [(RED, 0.5)], []),
        # It stops half way.
        ("\n- click[red] -> 0.5 why\nDiscou", [(RED, 0.5)], []),
        ("\n- click[red] -> 0.5 why\nDiscouraged:\n- click[< pr", [(RED, 0.5)], []),
        ("\n- click[red] -> 0.5 why\n- click[buy", [(RED, 0.5)], []),
        # It runs on, and invents examples.
        (
            "\n- click[red] -> 0.5\n\n## Example 3\nTask: x\nEncouraged:\n- click[buy now] -> 0.9",
            [(RED, 0.5)],
            [],
        ),
        (
            "\n- click[red] -> 0.5\n\nTask: x\nEncouraged:\n- click[buy now] -> 0.9",
            [(RED, 0.5)],
            [],
        ),
        ("Task: a lamp\nEncouraged:\n- click[red] -> 0.5", [(RED, 0.5)], []),
        # What is not available is passed over, and so is what its reason mentions.
        ("\n- click[moon] -> 0.9 not click[buy now]\n- click[red] -> 0.5", [(RED, 0.5)], []),
        ("\n- click[red] -> 0.5\nDiscouraged:\n- click[moon] -> 0", [(RED, 0.5)], []),
        # Said twice, the first counts.
        (
            "\n- click[red] -> 0.5\n- click[buy now] -> 0.4\n- click[red] -> 0.1",
            [(RED, 0.5), (BUY, 0.4)],
            [],
        ),
        (
            "\n- click[red] -> (not tried)\n- click[buy now] -> (not tried) why not",
            [(RED, None), (BUY, None)],
            [],
        ),
        # One line, or mere prose, will do.
        ("click[red] -> 0.5 it fits", [(RED, 0.5)], []),
        ("I would take click[red], since it fits", [(RED, None)], []),
        # JSON: as the schema has it, with plain lines, one object alone, cut off in either list.
        (
            '{"encouraged": [{"action": "click[red]", "value": 0.5, "rationale": "x"}], '
            '"discouraged": [{"action": "click[< prev]", "value": 0.1, "rationale": "y"}]}',
            [(RED, 0.5)],
            [(BACK, 0.1)],
        ),
        (
            '{"encouraged": ["click[red] -> 0.5 why"], "discouraged": "click[< prev]"}',
            [(RED, 0.5)],
            [(BACK, None)],
        ),
        ('{"action": "click[red]", "value": 0.5}', [(RED, 0.5)], []),
        (
            '{"encouraged": [{"action": "click[red]", "value": 0.5}, {"action": "click[buy',
            [(RED, 0.5)],
            [],
        ),
        (
            '{"encouraged": [{"action": "click[red]", "value": 0.5}], "discouraged": '
            '[{"action": "click[< prev]", "value": 0.9}, {"act',
            [(RED, 0.5)],
            [(BACK, 0.9)],
        ),
        (
            '{"encouraged": [{"action": "click[moon]"}, {"action": "click[red]"}]}',
            [(RED, None)],
            [],
        ),
    ],
)
def test_advice(text: str, encouraged: list, discouraged: list) -> None:
    read = advised(text)
    assert pairs(read.encouraged) == encouraged
    assert pairs(read.discouraged) == discouraged


@pytest.mark.parametrize(
    ("lines", "chosen"),
    [
        (("click[red] -> 0.2 a", "click[buy now] -> 0.7 b", "click[< prev] -> 0.5 c"), "b"),
        (("click[red] -> 0.7 a", "click[buy now] -> 0.7 b"), "a"),
        # One without a value comes last, behind a loss even; of those the first.
        (("click[red] a", "click[buy now] -> -0.5 b"), "b"),
        (("click[red] a", "click[buy now] b"), "a"),
        (("click[red] -> 0 a", "click[buy now] -> -1 b"), "a"),
    ],
)
def test_the_highest_predicted_value_is_taken(lines: tuple[str, ...], chosen: str) -> None:
    read = advised(
        "\n" + "\n".join(f"- {line}" for line in lines) + "\nDiscouraged:\n- click[a [b] c] -> 9"
    )
    assert read.rationale == chosen
    assert [each.rationale for each in read.encouraged if each.action == read.action] == [chosen]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no action in the reply"),
        ("\n- none\nDiscouraged:\n- none", "no action in the reply"),
        ("\n- click buy now -> 0.5", "no action in the reply"),
        ("Discouraged:\n- click[red] -> 0.1", "the reply encourages no action"),
        (
            '{"encouraged": [], "discouraged": [{"action": "click[red]"}]}',
            "the reply encourages no action",
        ),
        (
            "\n- click[moon] -> 0.9\n- click[sun]\nDiscouraged:\n- click[red]",
            "click[moon] is not available",
        ),
        ("\n- click[moon] -> 0.9 better than click[red]", "click[moon] is not available"),
        (
            '{"encouraged": [{"action": "wait", "rationale": "click[red]"}]}',
            "wait is not available",
        ),
    ],
)
def test_advice_refused(text: str, reason: str) -> None:
    with pytest.raises(ReplyError) as caught:
        advised(text)
    assert (caught.value.reason, caught.value.text) == (reason, text)


SAID = {
    "Red": "click[red]", "Red Lamp": "click[buy now]", "< Prev": "click[< prev]",
    'look for "<keywords>" now': "search[<keywords>]", "4": "click[a [b] c]",
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "action", "value"),
    [
        ("- Red -> 0.5", "click[red]", 0.5),
        ("red lamp", "click[buy now]", None),
        ("- Red lamp, brass -> 0.5", "click[buy now]", None),
        ("* **Red** -> 0.5", "click[red]", 0.5),
        ("- < Prev -> 0.5", "click[< prev]", 0.5),
        ("Encouraged: < Prev -> 0.5", "click[< prev]", 0.5),
        ("- 4 -> 0.5", "click[a [b] c]", 0.5),
        ('- look for "a lamp" now -> 0.5', "search[a lamp]", 0.5),
        ('- Look for "a lamp', "search[a lamp]", None),
        ('{"encouraged": [{"action": "Red Lamp", "value": 0.5}]}', "click[buy now]", 0.5),
        ("- click[red] -> 0.5", "click[red]", 0.5),
    ],
)
def test_words_for_actions(line: str, action: str, value: float | None) -> None:
    read = advised(f"\n{line}", **SAID)
    assert (read.action, read.value) == (action, value)


@pytest.mark.parametrize(
    "line", ["- Redder -> 0.5", "- Lamp", '- look for "<keywords>" now', "- 42"]
)
def test_words_for_nothing(line: str) -> None:
    with pytest.raises(ReplyError):
        advised(f"\n{line}", **SAID)


def test_where_case_matters_it_does() -> None:
    profile = dataclasses.replace(TOY, is_case_sensitive=True)
    available = ("go[A]", "go[a b]")
    assert parse_advice_reply("- go[A] -> 1", available, profile).action == "go[A]"
    with pytest.raises(ReplyError, match=r"go\[a\] is not available"):
        parse_advice_reply("- go[a] -> 1", available, profile)


reasons = st.lists(
    st.sampled_from(["fits", "0.3", "->", "click[red]", "click[moon]", "Discouraged:", "##", "a,"])
).map(lambda middle: " ".join(["since", *middle, "so"]))
one_advice = st.builds(
    Advice,
    st.sampled_from([*PAGE[1:], "search[red lamp]", "search[5]"]),
    st.none() | st.integers(-300, 300).map(lambda n: n / 100),
    st.just("") | reasons,
)
sides = st.lists(one_advice, max_size=4, unique_by=lambda advice: advice.action).map(tuple)


@given(sides.filter(bool), sides, st.booleans())
def test_any_advice_as_an_exemplar_has_it_is_read_back(
    encouraged: tuple[Advice, ...], discouraged: tuple[Advice, ...], has_cue: bool
) -> None:
    text = format_output(Exemplar(0, "", "", (), encouraged, discouraged))
    read = advised(text.removeprefix("Encouraged:") if has_cue else text)
    assert (read.encouraged, read.discouraged) == (encouraged, discouraged)
    values = [each.value for each in encouraged if each.value is not None]
    assert read.value == max(values, default=None)


# --- any reply ------------------------------------------------------------------------------------


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
            st.sampled_from(["action", "value", "rationale", "encouraged", "discouraged"]),
            inner | st.lists(inner, max_size=2),
            max_size=4,
        ),
    ).map(json.dumps),
)


@given(replies)
@example('{"action": "click[red]", "value": 1' + "0" * 400 + "}")
def test_any_reply_is_an_available_action_or_an_error(text: str) -> None:
    for read in (parse, advised, lambda text: advised(text, **SAID)):
        try:
            parsed = read(text)
        except ReplyError as error:
            assert error.text == text
            continue
        for each in (parsed, *parsed.encouraged, *parsed.discouraged):
            assert WEBSHOP.match(each.action, PAGE) == each.action
            assert not WEBSHOP.is_template(each.action)
            assert each.value is None or math.isfinite(each.value)
            assert len(each.rationale.splitlines()) <= 1
            (each.action + each.rationale).encode()


def test_a_reply_without_end_is_read_at_its_beginning() -> None:
    """What it says there counts, and a million mentions are not looked up one by one."""
    endless = "search[a lamp] -> 0.5 fine\n" + "click[nothing] " * 1_000_000
    assert parse(endless).action == "search[a lamp]"
    with pytest.raises(ReplyError, match="is not available"):
        parse("click[nothing] " * 1_000_000)
    with pytest.raises(ReplyError):
        parse("\ud83d" * 3_000_000)
