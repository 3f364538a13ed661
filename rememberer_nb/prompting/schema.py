"""Replies held to the available actions, for servers that decode by grammar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rememberer_nb.elements import Prompt
from rememberer_nb.envs.profile import Profile

# A free text within an action: no brackets, quotes or line breaks, and no space in front.
_FREE_TEXT = r"""[^\x00-\x20\[\]()<>"\\][^\x00-\x1F\[\]()<>"\\]{0,59}"""
_MAX_RATIONALE = 200


def constrained(prompt: Prompt, available_actions: Sequence[str], profile: Profile) -> Prompt:
    """The prompt with a schema of replies that admits available actions alone.

    Other texts are bounded, so that no reply runs away.

    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> schema = {"properties": {"action": {"type": "string"}}}
    >>> prompt = constrained(Prompt((), "", 0, reply_schema=schema), ["click[a]"], WEBSHOP)
    >>> prompt.reply_schema["properties"]["action"]
    {'anyOf': [{'type': 'string', 'enum': ['click[a]']}]}
    """
    schema = prompt.reply_schema
    plain = [action for action in available_actions if not profile.is_template(action)]
    choices: list[dict[str, Any]] = [{"type": "string", "enum": plain}] if plain else []
    for action in available_actions:
        for placeholder in profile.placeholders:
            before, found, after = action.partition(placeholder)
            if found:
                pattern = f"^{_literal(before)}{_FREE_TEXT}{_literal(after)}$"
                choices.append({"type": "string", "pattern": pattern})
    if schema is None or not choices:
        return prompt
    properties = {
        name: {**kind, "maxLength": _MAX_RATIONALE} if kind.get("type") == "string" else kind
        for name, kind in schema["properties"].items()
    }
    allowed = {**properties, "action": {"anyOf": choices}}
    return replace(prompt, reply_schema={**schema, "properties": allowed})


def _literal(text: str) -> str:
    # re.escape escapes spaces, too, which grammars made from patterns do not know.
    return re.sub(r"([\^$.|?*+()\[\]{}])", r"\\\1", text)
