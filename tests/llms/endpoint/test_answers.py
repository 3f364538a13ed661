"""From a server's body to a reply, or a named error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.errors import LLMResponseError
from rememberer_nb.llms.endpoint.answers import check_schema, is_json_object, read_answer
from rememberer_nb.prompting.prompts import REPLY_SCHEMA

PROMPT = Prompt((("user", "hello"),), "hello", 42)


def body(message: Any = None, **choice: Any) -> str:
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return json.dumps({"choices": [{"message": message, **choice}], "usage": usage})


def read(text: str) -> Reply:
    return read_answer(text, PROMPT, model="asked", latency_s=0.5)


def test_a_reply() -> None:
    assert read(body({"content": "hi"}, finish_reason="stop")) == Reply("hi", 7, 3, 0.5, "asked")


def test_an_empty_text_is_a_reply() -> None:
    assert read(body({"content": ""})).text == ""


@pytest.mark.parametrize(
    ("text", "name", "complaint"),
    [
        ("", "not_json", "is not JSON: ''"),
        ("<html>\n<b>502</b>", "not_json", "is not JSON: '<html> <b>502</b>'"),
        ("{" * 100_000, "not_json", r"\.\.\.'"),
        ("[]", "empty_choices", "no choices"),
        ("null", "empty_choices", "no choices"),
        ("{}", "empty_choices", "no choices"),
        ('{"choices": [null]}', "empty_choices", "no choices"),
        ('{"error": {"message": "busy"}}', "empty_choices", "busy"),
        (body(None), "null_content", "no text"),
        (body({"content": None}, finish_reason="tool_calls"), "null_content", "'tool_calls'"),
        (body({"content": 3}), "null_content", "no text"),
        (body({"content": []}), "null_content", "no text"),
        (body({"content": None, "refusal": "I must not"}), "content_filter", "'I must not'"),
        (body({"content": "a"}, finish_reason="content_filter"), "content_filter", "withheld"),
        (body({"content": "click["}, finish_reason="length"), "truncated", "3 tokens: raise max"),
        (body({"content": None}, finish_reason="length"), "truncated", "raise max_tokens"),
    ],
)
def test_named_errors(text: str, name: str, complaint: str) -> None:
    with pytest.raises(LLMResponseError, match=complaint) as caught:
        read(text)
    assert caught.value.name == name
    assert "\n" not in str(caught.value)
    if name in ("truncated", "content_filter", "null_content"):
        assert (caught.value.reply.prompt_tokens, caught.value.reply.completion_tokens) == (7, 3)


@pytest.mark.parametrize("usage", [None, [], {}, {"prompt_tokens": "7"}])
def test_missing_counts_are_estimated(usage: Any) -> None:
    data = {"choices": [{"message": {"content": "twelve chars"}}], "usage": usage}
    found = read(json.dumps(data))
    assert (found.prompt_tokens, found.completion_tokens) == (42, 3)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choices", "message", "content", "usage"]), inner)
    ),
)


@given(json_values)
def test_whatever_comes_it_is_a_reply_or_a_named_error(data: Any) -> None:
    try:
        assert isinstance(read(json.dumps(data)).text, str)
    except LLMResponseError as error:
        assert error.name


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"action": "a", "value": 1, "rationale": "r"}', None),
        ('{"action": "a", "value": 0.5, "rationale": ""}', None),
        ("go[on]", "no JSON object"),
        ('["action"]', "no JSON object"),
        ('{"action": "a", "value": 1}', "lacks rationale"),
        ("{}", "lacks action, value, rationale"),
        ('{"action": 1, "value": 1, "rationale": "r"}', "wrong type of action"),
        ('{"action": "a", "value": true, "rationale": "r"}', "wrong type of value"),
        ('{"action": "a", "value": "1", "rationale": null}', "wrong type of value, rationale"),
    ],
)
def test_schemas(text: str, complaint: str | None) -> None:
    reply = Reply(text, 7, 3)
    if complaint is None:
        check_schema(reply, REPLY_SCHEMA)
        return
    with pytest.raises(LLMResponseError, match=complaint) as caught:
        check_schema(reply, REPLY_SCHEMA)
    assert (caught.value.name, caught.value.reply) == ("wrong_schema", reply)


@pytest.mark.parametrize(("text", "is_one"), [("{}", True), ("[]", False), ("{", False), ("", 0)])
def test_json_objects(text: str, is_one: bool) -> None:
    assert is_json_object(text) == is_one
