"""Texts to words, as scikit-learn's default analyser splits them, in less time."""

from __future__ import annotations

import functools
import re

# A run of two word characters or more; the same matches as scikit-learn's `\\b\\w\\w+\\b`.
_WORD = re.compile(r"\w\w+")
# Bytes of ASCII texts: word characters in lower case, a space for the others.
_AS_WORDS = bytes(
    ord(chr(i).lower()) if i < 128 and (chr(i).isalnum() or chr(i) == "_") else ord(" ")
    for i in range(256)
)
# A step asks for an observation, then stores it, and a task is the same at every step of it.
_N_REMEMBERED = 64
_LONGEST_REMEMBERED = 20_000


def tokenize(text: str) -> list[str]:
    """Words of two or more characters, lower-cased: scikit-learn's default analyser.

    >>> tokenize("A red-hot LAMP, 12 in")
    ['red', 'hot', 'lamp', '12', 'in']
    """
    if text.isascii():
        words = text.encode().translate(_AS_WORDS).decode().split()
        return [word for word in words if len(word) > 1]
    return _WORD.findall(text.lower())


def split_words(text: str) -> list[str]:
    """As `tokenize`, remembered for a while; not to be changed."""
    return _remembered(text) if len(text) <= _LONGEST_REMEMBERED else tokenize(text)


_remembered = functools.lru_cache(maxsize=_N_REMEMBERED)(tokenize)
