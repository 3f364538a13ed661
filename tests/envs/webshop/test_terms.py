"""Words and index terms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs.webshop.terms import STOP_WORDS, index_terms, split_terms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" _ __ . ' - ", []),
        ("t-shirts t.shirt tshirt", ["t", "shirts", "t.shirt", "tshirt"]),
        ("u.s. size 5.5 a.b.c.", ["u.s", "size", "5.5", "a.b.c"]),
        ("3,000 mah 3.5mm 1;2 a,b a;b", ["3,000", "mah", "3.5mm", "1;2", "a", "b", "a", "b"]),
        ("rock'n'roll 'quoted' 50's 5'6", ["rock'n'roll", "quoted", "50", "s", "5'6"]),
        ("x:y 4:3 a·b", ["x:y", "4", "3", "a·b"]),
        ("usb_c _lead trail_ 24/7 100%", ["usb_c", "_lead", "trail_", "24", "7", "100"]),
        ("naïve café l’oréal", ["naïve", "café", "l’oréal"]),
        ("½ inch 10² № ™", ["inch", "10"]),
        ("１２ pack straße", ["１２", "pack", "straße"]),
        ("i\u0307stanbul e\u0301t", ["i\u0307stanbul", "e\u0301t"]),
        ("漢字 かな カタカナ", ["漢", "字", "か", "な", "カタカナ"]),
        ("😀gift ไทยแลนด์", ["😀", "gift", "ไทยแลนด์"]),
        ("<b>bold</b> “limited”", ["b", "bold", "b", "limited"]),
    ],
)
def test_webshop_words(text: str, words: list[str]) -> None:
    assert split_terms(text) == words


def test_webshop_words_stop_at_255_characters() -> None:
    assert [len(word) for word in split_terms("a" * 600)] == [255, 255, 90]


def test_webshop_stop_words_are_the_33_of_lucene() -> None:
    assert len(STOP_WORDS) == 33
    assert index_terms(" ".join(sorted(STOP_WORDS))) == []


def test_webshop_stop_words_go_before_stemming() -> None:
    """The word "its" is none although its stem is; "the's" becomes one without its 's."""
    assert index_terms("its the's") == ["it"]


@pytest.mark.parametrize("apostrophe", "'’＇")
def test_webshop_possessives_are_dropped(apostrophe: str) -> None:
    assert index_terms(f"women{apostrophe}s shoes{apostrophe}") == ["women", "shoe"]


@given(st.text())
def test_webshop_words_are_parts_of_the_text_in_order(text: str) -> None:
    place = 0
    for word in split_terms(text):
        place = text.index(word, place) + len(word)
        assert any(character.isalnum() or ord(character) > 127 for character in word)


@given(st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)))
def test_webshop_plain_words_stay_whole(words: list[str]) -> None:
    assert split_terms("-".join(words)) == words
