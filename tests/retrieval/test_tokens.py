"""Words against scikit-learn's analyser, by both ways of splitting."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from rememberer_nb.retrieval import tokens
from rememberer_nb.retrieval.tokens import split_words, tokenize

analyse = TfidfVectorizer().build_analyzer()
ascii_texts = st.text(st.characters(max_codepoint=127), max_size=60)


@given(st.one_of(ascii_texts, st.text(max_size=40)))
@example("a\x1cb cd\x1def\x85gh_1 __ I'm 2.50 B0_X")
@example("Straße İstanbul ΣΊΣΥΦΟΣ ﬁne x² १२ naïve_1 日本語")
@example("\ud800 lone lamp")
@example("".join(map(chr, range(128))))
def test_tokens_are_scikit_learns(text: str) -> None:
    assert tokenize(text) == analyse(text)


def test_only_short_texts_are_remembered() -> None:
    long = "lamp " * tokens._LONGEST_REMEMBERED
    assert split_words("x red lamp") == ["red", "lamp"]
    assert split_words("x red lamp") is split_words("x red lamp")
    assert split_words(long) == ["lamp"] * tokens._LONGEST_REMEMBERED
    assert split_words(long) is not split_words(long)
