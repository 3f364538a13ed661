"""Noun taggers."""

from __future__ import annotations

import importlib.util
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs.webshop.nouns import ListedNouns, get_tagger, light_nouns
from rememberer_nb.errors import ConfigError, DataError, MissingExtraError


@pytest.mark.parametrize(
    ("title", "nouns"),
    [
        ("", ()),
        ("For the 12 and more", ()),
        ("Comfortable Running Shoes for Women", ("shoes", "women")),
        ("Wedding Ring, Sterling Silver", ("wedding", "ring", "sterling", "silver")),
        ("Men's T-Shirt - T-Shirt", ("men", "s", "t", "shirt", "t", "shirt")),
        ("USB3 Cable 2 m_d", ("usb3", "cable", "m", "d")),
        ("Café Größe 3", ("café", "größe")),
        ("Truly Useful, Seamless, Waterproof, Famous Bag", ("bag",)),
    ],
)
def test_webshop_light_nouns(title: str, nouns: tuple[str, ...]) -> None:
    assert light_nouns(title) == nouns


@given(st.text())
def test_webshop_light_nouns_are_words_of_the_title(title: str) -> None:
    assert all(noun in title.lower() for noun in light_nouns(title))
    assert light_nouns(" ".join(light_nouns(title))) == light_nouns(title)


def test_webshop_listed_nouns_know_only_their_titles() -> None:
    tagger = get_tagger({"Red Lamp": ["lamp", "lamp"]})
    assert tagger("Red Lamp") == ("lamp", "lamp")
    with pytest.raises(DataError, match="'Blue Lamp': no nouns are listed"):
        tagger("Blue Lamp")


def test_webshop_listed_nouns_compare_and_travel_by_content() -> None:
    tagger = ListedNouns({"a": ["x"]})
    assert tagger == ListedNouns({"a": ("x",)}) == pickle.loads(pickle.dumps(tagger))
    assert hash(tagger) == hash(ListedNouns({"a": ["x"]}))
    assert tagger != ListedNouns({"a": ["y"]})


def test_webshop_taggers_by_name() -> None:
    assert get_tagger("light") is light_nouns
    assert get_tagger(str.split) is str.split
    with pytest.raises(ConfigError, match="light, spacy, got 'moon'"):
        get_tagger("moon")


@pytest.mark.skipif(importlib.util.find_spec("spacy") is not None, reason="spaCy is installed")
def test_webshop_spacy_missing_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"rememberer-nb\[spacy\]"):
        get_tagger("spacy")
