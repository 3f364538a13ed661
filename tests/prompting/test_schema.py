"""Schemas held to the available actions, in both forms of reply."""

from __future__ import annotations

import json

import pytest

from rememberer_nb.elements import Prompt
from rememberer_nb.prompting.schema import ADVICE_SCHEMA, REPLY_SCHEMA, constrained
from tests.toy import TOY

ACTIONS = ("go[on]", "go[a (b)]", "say[<words>]")
FREE = r"""[^\x00-\x20\[\]()<>"\\][^\x00-\x1F\[\]()<>"\\]{0,59}"""
HELD = {
    "anyOf": [
        {"type": "string", "enum": ["go[on]", "go[a (b)]"]},
        {
            "type": "string",
            "pattern": rf"^say\[{FREE}\]$",
        },
    ]
}


def held(schema: dict | None, actions: tuple[str, ...] = ACTIONS) -> dict | None:
    return constrained(Prompt((), "", 0, reply_schema=schema), actions, TOY).reply_schema


def test_one_line() -> None:
    assert held(REPLY_SCHEMA)["properties"] == {
        "action": HELD,
        "value": {"type": "number"},
        "rationale": {"type": "string", "maxLength": 200},
    }


def test_both_lists() -> None:
    found = held(ADVICE_SCHEMA)
    assert found["required"] == ["encouraged", "discouraged"]
    for name, fewest in (("encouraged", 1), ("discouraged", 0)):
        side = found["properties"][name]
        assert (side["minItems"], side["maxItems"]) == (fewest, 2)
        assert side["items"]["properties"]["action"] == HELD
        assert side["items"]["properties"]["rationale"] == {"type": "string", "maxLength": 100}
        assert side["items"]["required"] == ["action", "value", "rationale"]


@pytest.mark.parametrize(("schema", "actions"), [(None, ACTIONS), (ADVICE_SCHEMA, ())])
def test_nothing_to_hold(schema: dict | None, actions: tuple[str, ...]) -> None:
    assert held(schema, actions) == schema


def test_the_schemas_themselves_are_left_alone() -> None:
    before = json.dumps([ADVICE_SCHEMA, REPLY_SCHEMA])
    held(ADVICE_SCHEMA), held(REPLY_SCHEMA)
    assert json.dumps([ADVICE_SCHEMA, REPLY_SCHEMA]) == before
