"""A pattern that finds a secret in a text, however the text spells it.

A server may write back what it was sent: as it is, with JSON or HTML escapes, percent signs, base64
or hexadecimal digits, in capitals, over several lines. Decoding a body undoes one of these, and a
reply is decoded again where it holds JSON; so the pattern is used on decoded texts and knows all of
these spellings of every character.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterator

# All repeats are bounded: a text made to be slow must not be.
# Backslashes, escaped in turn.
_BACKSLASHES = r"\\(?:\\|u005[cC]){0,7}"
_BETWEEN = rf"(?:[\s\x00]|{_BACKSLASHES}(?:[nrt]|u000[09aAdD])){{0,8}}"
# A shorter piece of base64 would be found in harmless texts.
_MIN_BASE64 = 8


@functools.lru_cache(maxsize=16)
def hidden_pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """What matches any of the secrets; None if there are none.

    >>> pattern = hidden_pattern(("top/secret",))
    >>> [bool(pattern.search(text)) for text in (
    ...     "a top/secret", r"top\\/secret", r"top\\u002FSecret", "top%2fsecret", "to\\np/secret")]
    [True, True, True, True, True]
    >>> pattern.search(base64.b64encode(b"user:top/secret").decode()).group()
    '0b3Avc2VjcmV0'
    """
    spellings = [spelling for secret in secrets for spelling in _spellings(secret)]
    return re.compile("|".join(spellings)) if spellings else None


def _spellings(secret: str) -> Iterator[str]:
    yield _BETWEEN.join(_character(character) for character in secret)
    data = secret.encode(errors="surrogatepass")
    yield "".join(_digits(f"{byte:02x}") for byte in data)
    for offset in range(3):
        # What comes before the secret shifts it by 0, 1 or 2 bytes; the edges depend on it.
        start, end = -(-offset * 8 // 6), (offset + len(data)) * 8 // 6
        text = base64.b64encode(bytes(offset) + data).decode()[start:end]
        if len(text) >= _MIN_BASE64:
            yield "".join(_base64(character) for character in text)


def _character(character: str) -> str:
    code, digits = ord(character), _digits(f"{ord(character):x}")
    # JSON, Python and JavaScript; letters have no plain escape, or "\n" would be an n.
    escapes = [rf"[uU]0{{0,6}}{digits}", rf"u\{{0{{0,6}}{digits}\}}", rf"x0?{digits}"]
    escapes += [] if character.isalnum() else [re.escape(character)]
    utf8 = character.encode(errors="surrogatepass")
    number = rf"(?:0{{0,6}}{code}(?!\d)|[xX]0{{0,6}}{digits}(?![\da-fA-F]))"
    spelt = [
        *map(re.escape, sorted({character.lower(), character.upper(), character})),
        rf"{_BACKSLASHES}(?:{'|'.join(escapes)})",
        "".join(rf"%(?:25){{0,4}}{_digits(f'{byte:02x}')}" for byte in utf8),
        rf"&(?:amp;){{0,4}}#{number};?",
    ]
    # Each begins with one known character, so a search skips to where one of these stands.
    return f"(?:{'|'.join(spelt)})"


def _base64(character: str) -> str:
    if character == "/":
        return r"(?:\\{0,8}/|_|%2[fF])"
    return r"(?:\+|-|%2[bB])" if character == "+" else character


def _digits(text: str) -> str:
    """Hexadecimal digits in small letters or capitals."""
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in text)
