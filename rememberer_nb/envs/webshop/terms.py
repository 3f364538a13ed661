"""Text to index terms, as Lucene's English analysis does it: words, stop words, stems.

Words follow the word boundaries of Unicode Standard Annex 29. Every character is first mapped to
the letter of its class, so that one small regular expression over the classes finds the words.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from rememberer_nb.envs.webshop.stemmer import stem

_LUCENE_STOP_WORDS = """
    a an and are as at be but by for if in into is it no not of on or such that the their then
    there these they this to was will with
"""
STOP_WORDS = frozenset(_LUCENE_STOP_WORDS.split())
_MAX_WORD_LENGTH = 255
_APOSTROPHES = "'\u2019\uff07"

_BY_CHARACTER = {
    **dict.fromkeys("'", "Q"),
    **dict.fromkeys(".\u2018\u2019\u2024\ufe52\uff07\uff0e", "B"),
    **dict.fromkeys(":\u00b7\u0387\u055f\u2027\ufe13\ufe55\uff1a", "M"),
    **dict.fromkeys(",;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54", "N"),
    **dict.fromkeys("\uff0c\uff1b", "N"),
}
_BY_RANGE = (
    ("I", 0x3005, 0x3007), ("I", 0x3041, 0x3096), ("I", 0x309D, 0x309F), ("I", 0x3400, 0x4DBF),
    ("I", 0x4E00, 0x9FFF), ("I", 0xF900, 0xFAFF), ("I", 0x20000, 0x2FA1F), ("K", 0x30A0, 0x30FA),
    ("K", 0x30FC, 0x30FF), ("K", 0x31F0, 0x31FF), ("K", 0xFF66, 0xFF9F), ("T", 0x0E00, 0x0EFF),
    ("T", 0x1000, 0x109F), ("T", 0x1780, 0x17FF), ("P", 0x2600, 0x27BF), ("P", 0x1F300, 0x1FAFF),
)  # fmt: skip
_BY_CATEGORY = {"Nd": "D", "Nl": "L", "Pc": "E", "Mn": "x", "Mc": "x", "Me": "x", "Cf": "x"}


class _Classes(dict[int, str]):
    """Code point -> class, worked out when first asked for.

    L letter, D digit, E underscore and its kin, x combining, Q apostrophe, M joins letters,
    N joins digits, B joins both, I ideograph, K katakana, T South-East Asian letter, P pictograph.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        found = _BY_CHARACTER.get(character) or _BY_CATEGORY.get(category)
        if found is None and (category[0] == "L" or category == "So"):
            found = next((name for name, low, high in _BY_RANGE if low <= code <= high), None)
        if found is None:
            found = "L" if category[0] == "L" else " "
        self[code] = found
        return found


_CLASSES = _Classes()
_WORD = re.compile(
    r"(?:Lx*(?:[MBQ]x*(?=L))?|Dx*(?:[NBQ]x*(?=D))?|Ex*)+|(?:[KE]x*)+|(?:Tx*)+|[IP]x*"
)
# The same words where all characters are ASCII: no classes to look up.
_ASCII_WORD = re.compile(r"(?:[a-zA-Z]+(?:[.:'](?=[a-zA-Z]))?|[0-9]+(?:[.,;'](?=[0-9]))?|_+)+")


def split_terms(text: str) -> list[str]:
    """The words of a text, in order.

    >>> split_terms("women\u2019s t-shirts, 3.5mm & 1,000 mah usb_c rock'n'roll.")
    ['women\u2019s', 't', 'shirts', '3.5mm', '1,000', 'mah', 'usb_c', "rock'n'roll"]
    """
    if text.isascii():
        words = [word for word in _ASCII_WORD.findall(text) if word[0] != "_" or word.strip("_")]
    else:
        words = [
            text[match.start() : match.end()]
            for match in _WORD.finditer(text.translate(_CLASSES))
            if match[0].strip("Ex")
        ]
    if max(map(len, words), default=0) <= _MAX_WORD_LENGTH:
        return words
    return [
        word[start : start + _MAX_WORD_LENGTH]
        for word in words
        for start in range(0, len(word), _MAX_WORD_LENGTH)
    ]


def index_terms(text: str) -> list[str]:
    """The terms under which a lower-case text is indexed and searched, repetitions kept.

    >>> index_terms("the women's running shoes with laces")
    ['women', 'run', 'shoe', 'lace']
    """
    return [term for word in split_terms(text) if (term := _term(word)) is not None]


@functools.lru_cache(maxsize=65_536)
def _term(word: str) -> str | None:
    """A word's index term, None for a stop word."""
    if len(word) > 1 and word[-1] == "s" and word[-2] in _APOSTROPHES:
        word = word[:-2]
    return None if word in STOP_WORDS else stem(word)
