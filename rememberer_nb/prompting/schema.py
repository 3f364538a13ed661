"""What a JSON reply looks like; held to the available actions where a server decodes by grammar."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rememberer_nb.elements import Prompt
from rememberer_nb.envs.profile import Profile

REPLY_SCHEMA = {
    "type": "object",
    "properties": {
        "action": {"type": "string"},
        "value": {"type": "number"},
        "rationale": {"type": "string"},
    },
    "required": ["action", "value", "rationale"],
    "additionalProperties": False,
}

ADVICE_SCHEMA = {
    "type": "object",
    "properties": {
        "encouraged": {"type": "array", "items": REPLY_SCHEMA},
        "discouraged": {"type": "array", "items": REPLY_SCHEMA},
    },
    "required": ["encouraged", "discouraged"],
    "additionalProperties": False,
}

# A free text within an action: no brackets, quotes or line breaks, and no space in front.
_FREE_TEXT = r"""[^\x00-\x20\[\]()<>"\\][^\x00-\x1F\[\]()<>"\\]{0,59}"""
# Characters (half of them in a list), and pieces of advice on a side.
_MAX_RATIONALE = 200
_MAX_ADVICE = 2


def constrained(prompt: Prompt, available_actions: Sequence[str], profile: Profile) -> Prompt:
    """The prompt with a schema of replies that admits available actions alone.

    Other texts are bounded, so that no reply runs away.

    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> prompt = constrained(Prompt((), "", 0, reply_schema=REPLY_SCHEMA), ["click[a]"], WEBSHOP)
    >>> prompt.reply_schema["properties"]["action"]
    {'anyOf': [{'type': 'string', 'enum': ['click[a]']}]}
    """
    plain = [action for action in available_actions if not profile.is_template(action)]
    choices: list[dict[str, Any]] = [{"type": "string", "enum": plain}] if plain else []
    for action in available_actions:
        for placeholder in profile.placeholders:
            before, found, after = action.partition(placeholder)
            if found:
                pattern = f"^{_literal(before)}{_FREE_TEXT}{_literal(after)}$"
                choices.append({"type": "string", "pattern": pattern})
    if prompt.reply_schema is None or not choices:
        return prompt
    return replace(prompt, reply_schema=_held(prompt.reply_schema, {"anyOf": choices}))


def _held(
    schema: Mapping[str, Any], action: Mapping[str, Any], max_text: int = _MAX_RATIONALE
) -> dict[str, Any]:
    """The schema of an object with bounds on its texts and lists, and on what an action may be."""
    properties = {}
    for name, kind in schema["properties"].items():
        if name == "action":
            properties[name] = action
        elif kind.get("type") == "string":
            properties[name] = {**kind, "maxLength": max_text}
        elif kind.get("type") == "array":
            items = _held(kind["items"], action, max_text // 2)
            fewest = int(name == "encouraged")
            bounds = {"minItems": fewest, "maxItems": _MAX_ADVICE}
            properties[name] = {**kind, "items": items, **bounds}
        else:
            properties[name] = kind
    return {**schema, "properties": properties}


def _literal(text: str) -> str:
    # re.escape escapes spaces, too, which grammars made from patterns do not know.
    return re.sub(r"([\^$.|?*+()\[\]{}])", r"\\\1", text)
