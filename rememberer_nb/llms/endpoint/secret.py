"""The key and the address of an endpoint: read from the environment, kept out of everything else.

No text that leaves `rememberer_nb.llms` (replies, error messages, recordings) holds the key,
however a server writes it (`hiding`).
"""

from __future__ import annotations

import functools
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from rememberer_nb.errors import ConfigError, LLMAuthError
from rememberer_nb.llms.endpoint.hiding import hidden_pattern

DEFAULT_URL = "https://api.openai.com/v1"
NO_KEY = "none"
HIDDEN = "[hidden]"
# A shorter secret would take harmless words out of replies.
_MIN_LENGTH = 6
_KEY_LIKE = re.compile(r"\b(?:sk|rk|pk)-[\w*.-]{6,}|(?i:\bbearer\s+)[\w*.~+/-]{6,}=*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and with which key; its text shows neither key nor password.

    `prefix` begins the names of the variables that it comes from, for messages that name them.
    """

    base_url: str = field(repr=False)
    key: str = field(repr=False)
    prefix: str = field(default="OPENAI", repr=False)

    @property
    def host(self) -> str:
        """The address's host and port, which is the most that an error message says of it."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    @property
    def key_variable(self) -> str:
        """Where the key comes from."""
        return f"{self.prefix}_API_KEY"

    @property
    def url_variable(self) -> str:
        """Where the address comes from."""
        return f"{self.prefix}_BASE_URL"

    def hide(self, text: str) -> str:
        """The text without the key and the address's secrets, in whatever spelling."""
        pattern = _pattern(self)
        return text if pattern is None else pattern.sub(HIDDEN, text)

    def hide_all(self, data: Any) -> Any:
        """JSON values with `hide` done to every text in them, names too.

        Raises
        ------
        RecursionError : they are nested too deep.
        """
        pattern = _pattern(self)
        return data if pattern is None else _hide_all(data, pattern)

    def scrub(self, text: str) -> str:
        """The same as `hide`, on one line and without whatever else looks like a key: for errors.

        >>> Endpoint(DEFAULT_URL, "my-secret").scrub("wrong key my-secret, sk-abc***xyz")
        'wrong key [hidden], [hidden]'
        """
        return _KEY_LIKE.sub(HIDDEN, " ".join(self.hide(text).split()))


@functools.lru_cache(maxsize=16)
def _pattern(endpoint: Endpoint) -> re.Pattern[str] | None:
    """What matches the secrets of an endpoint; None if it has none."""
    parts = urlsplit(endpoint.base_url)
    values = [value for _, value in parse_qsl(parts.query)]
    password = parts.password or ""
    found = {endpoint.key, password, unquote(password), *values}
    secrets = (secret for secret in found if len(secret) >= _MIN_LENGTH)
    return hidden_pattern(tuple(sorted(secrets, key=len, reverse=True)))


def endpoint_from_environment(
    environment: Mapping[str, str] = os.environ, *, prefix: str = "OPENAI"
) -> Endpoint:
    """Key and address from `OPENAI_API_KEY` and `OPENAI_BASE_URL`, or of another prefix.

    A server on this machine or in a private network needs no key.

    Raises
    ------
    LLMAuthError : no key; the message says what to set.
    ConfigError : the address cannot be read.

    >>> endpoint_from_environment({"OPENAI_BASE_URL": "http://127.0.0.1:8080/v1"}).key
    'none'
    >>> endpoint_from_environment({})
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.LLMAuthError: no API key: set OPENAI_API_KEY ...
    """
    base_url = environment.get(f"{prefix}_BASE_URL", "").strip() or DEFAULT_URL
    key = environment.get(f"{prefix}_API_KEY", "").strip()
    endpoint = Endpoint(base_url, key or NO_KEY, prefix)
    try:
        parts = urlsplit(base_url)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine:
        # The address itself may hold a password, so it is not quoted.
        raise ConfigError(
            f"{endpoint.url_variable} must be an address such as http://localhost:8080/v1"
        )
    if not key.isprintable() or not key.isascii():
        raise ConfigError(f"{endpoint.key_variable} must be printable ASCII on one line")
    if not key and not _is_near(parts.hostname or ""):
        raise LLMAuthError(
            f"no API key: set {endpoint.key_variable} for {parts.hostname}, or "
            f"{endpoint.url_variable} for another server (one on this machine needs no key)"
        )
    return endpoint


def _hide_all(data: Any, pattern: re.Pattern[str]) -> Any:
    if isinstance(data, str):
        return pattern.sub(HIDDEN, data)
    if isinstance(data, list):
        return [_hide_all(value, pattern) for value in data]
    if isinstance(data, dict):
        return {_hide_all(name, pattern): _hide_all(data[name], pattern) for name in data}
    return data


def _is_near(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
