"""The key and the address of an endpoint: read from the environment, kept out of everything else.

No text that leaves `rememberer_nb.llms` (replies, error messages, recordings) holds the key.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from rememberer_nb.errors import ConfigError, LLMAuthError

KEY_VARIABLE = "OPENAI_API_KEY"
URL_VARIABLE = "OPENAI_BASE_URL"
DEFAULT_URL = "https://api.openai.com/v1"
NO_KEY = "none"
HIDDEN = "[hidden]"
# A shorter secret would take harmless words out of replies.
_MIN_LENGTH = 6
_KEY_LIKE = re.compile(r"\b(?:sk|rk|pk)-[\w*.-]{6,}|(?i:\bbearer\s+)[\w*.~+/-]{6,}=*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and with which key; its text shows neither key nor password."""

    base_url: str = field(repr=False)
    key: str = field(repr=False)

    @property
    def host(self) -> str:
        """The address's host and port, which is the most that an error message says of it."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def hide(self, text: str) -> str:
        """The text without the key and the address's secrets."""
        for secret in self._secrets():
            text = text.replace(secret, HIDDEN)
        return text

    def scrub(self, text: str) -> str:
        """The same, without whatever else looks like a key: for error messages, not for replies.

        >>> Endpoint(DEFAULT_URL, "my-secret").scrub("wrong key my-secret, sk-abc***xyz")
        'wrong key [hidden], [hidden]'
        """
        return _KEY_LIKE.sub(HIDDEN, self.hide(text))

    def _secrets(self) -> list[str]:
        parts = urlsplit(self.base_url)
        values = [value for _, value in parse_qsl(parts.query)]
        found = {self.key, parts.password or "", *values}
        return sorted((s for s in found if len(s) >= _MIN_LENGTH), key=len, reverse=True)


def endpoint_from_environment(environment: Mapping[str, str] = os.environ) -> Endpoint:
    """Key and address from `OPENAI_API_KEY` and `OPENAI_BASE_URL`.

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
    base_url = environment.get(URL_VARIABLE, "").strip() or DEFAULT_URL
    key = environment.get(KEY_VARIABLE, "").strip()
    try:
        parts = urlsplit(base_url)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine:
        # The address itself may hold a password, so it is not quoted.
        raise ConfigError(f"{URL_VARIABLE} must be an address such as http://localhost:8080/v1")
    if not key and not _is_near(parts.hostname or ""):
        raise LLMAuthError(
            f"no API key: set {KEY_VARIABLE} for {parts.hostname}, or {URL_VARIABLE} for another "
            "server (one on this machine needs no key)"
        )
    return Endpoint(base_url, key or NO_KEY)


def _is_near(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
