"""What a server takes: found out once from its first refusal or reply, and remembered.

The name "OpenAI-compatible" covers servers without JSON schemas and models without a temperature
or with another name for `max_tokens`. What a server says it does not support is left out from then
on; it is never left out silently on a mere guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt, Reply
from rememberer_nb.llms.endpoint.answers import check_schema, is_json_object

_FIELDS = 'the action under "action", the score under "value", the reason under "rationale".'
SCHEMA_HINT = f"Write this reply as one JSON object: {_FIELDS}"
LISTS_HINT = (
    'Write this reply as one JSON object with two lists, "encouraged" and "discouraged", of '
    f"objects: {_FIELDS}"
)
# Where a text that is to be continued would begin another example: this is no part of the reply.
_NEXT_EXAMPLE = "\n## "
_REFUSING = (400, 422)
_OPTIONAL = ("temperature", "seed", "stop")
_UNSUPPORTED = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|extra ",
    re.IGNORECASE,
)


class Features:
    """What is known of one server and model.

    `has_schema` is None until the server has answered, or refused, a request with a schema.

    >>> features = Features(LLMConfig(model="m", reply_format="text"))
    >>> body = features.body(Prompt((("user", "hi"),), "hi", 1), seed=7)
    >>> sorted(body)
    ['max_tokens', 'messages', 'model', 'seed', 'temperature']
    >>> features.adapt(400, "Unsupported value: 'temperature'", "temperature", body)
    True
    >>> "temperature" in features.body(Prompt((("user", "hi"),), "hi", 1), seed=7)
    False
    """

    def __init__(self, config: LLMConfig):
        self.config = config
        self.has_schema = {"auto": None, "schema": True, "text": False}[config.reply_format]
        self.left_out: set[str] = set()
        self.limit_name = "max_tokens"

    def body(self, prompt: Prompt, seed: int) -> dict[str, Any]:
        """The request for a prompt, with what the server is known, or may yet be found, to take."""
        config, schema = self.config, prompt.reply_schema
        is_text = prompt.channel == "completion"
        messages = [{"role": role, "content": text} for role, text in prompt.messages]
        asked: dict[str, Any] = {"prompt": prompt.text} if is_text else {"messages": messages}
        body: dict[str, Any] = {
            "model": config.model,
            **asked,
            self.limit_name: config.max_tokens,
            "temperature": config.temperature,
            "stop": [*config.stop, *([_NEXT_EXAMPLE] if is_text else [])] or None,
            "seed": seed if config.seed == "call" else config.seed,
        }
        # A text goes on as its examples do, whatever a schema says.
        if schema is not None and self.has_schema is not False and not is_text:
            hint = LISTS_HINT if "encouraged" in schema["properties"] else SCHEMA_HINT
            messages[0]["content"] += f"\n\n{hint}"
            form = {"name": "reply", "strict": True, "schema": dict(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return {
            name: value
            for name, value in body.items()
            if value is not None and name not in self.left_out
        }

    def adapt(self, status: int, message: str, param: str | None, body: Mapping[str, Any]) -> bool:
        """Learn from a refusal of `body`; True if the request is worth another try without it."""
        if status not in _REFUSING:
            return False
        if param is not None or _UNSUPPORTED.search(message):
            is_meant = {name for name in body if name == param or name in message}
            if _UNSUPPORTED.search(message) and self._leave_out(is_meant, message):
                return True
        if "response_format" in body and self.has_schema is None:
            self.has_schema = False
        return "response_format" in body and self.has_schema is False

    def doubt(self) -> None:
        """The request was refused without the schema, too: the schema was not to blame."""
        if self.config.reply_format == "auto":
            self.has_schema = None

    def accept(self, reply: Reply, prompt: Prompt, body: Mapping[str, Any]) -> None:
        """Learn from a reply to `body`, and check it against the schema.

        Raises
        ------
        LLMResponseError
            "wrong_schema", from a server that is known to have schemas or that sent JSON. Plain
            text from a server not yet known means that it passes over schemas: taken as text.
        """
        if "response_format" not in body or prompt.reply_schema is None:
            return
        if self.has_schema is not True and not is_json_object(reply.text):
            self.has_schema = False
            return
        check_schema(reply, prompt.reply_schema)
        self.has_schema = True

    def _leave_out(self, meant: set[str], message: str) -> bool:
        if "max_tokens" in meant and "max_completion_tokens" in message:
            self.limit_name = "max_completion_tokens"
            return True
        gone = meant.intersection(_OPTIONAL)
        self.left_out |= gone
        return bool(gone)
