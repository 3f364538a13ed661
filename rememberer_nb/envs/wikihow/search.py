"""The site's search: titles by their words, near-misses included.

score = cos(query, title) · (0.5 + 0.5 · readership), where both sides are sets of Porter stems
weighted by idf = ln(N / df) (so "how" and "to", which every title has, count nothing), and the
readership is ln(views) scaled to [0, 1]. A much read near-miss can stand before the exact title.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from rememberer_nb.envs.webshop.stemmer import stem
from rememberer_nb.envs.wikihow.site import Article

MAX_HITS = 10
_READERSHIP_SHARE = 0.5
_WORD = re.compile(r"[^\W_]+")


def title_stems(text: str) -> frozenset[str]:
    """The stems of a text's words.

    >>> sorted(title_stems("How to Mend Kites"))
    ['how', 'kite', 'mend', 'to']
    """
    return frozenset(stem(word) for word in _WORD.findall(text.lower()))


class SearchIndex:
    """Finds articles by the words of their titles.

    >>> from rememberer_nb.envs.wikihow.env import WikiHowEnv
    >>> site = WikiHowEnv().engine.site
    >>> hits = SearchIndex(site.articles).find("clean a suitcase")
    >>> len(hits) <= MAX_HITS, "Suitcase" in site.articles[hits[0]].title
    (True, True)
    """

    def __init__(self, articles: Sequence[Article]):
        stems = [title_stems(article.title) for article in articles]
        holders: dict[str, list[int]] = {}
        for number, words in enumerate(stems):
            for word in words:
                holders.setdefault(word, []).append(number)
        self._idf = {word: math.log(len(articles) / len(who)) for word, who in holders.items()}
        self._holders = holders
        lengths = [math.sqrt(sum(self._idf[w] ** 2 for w in sorted(words))) for words in stems]
        self._weights = [
            factor / length if length else 0.0
            for factor, length in zip(_readership(articles), lengths, strict=True)
        ]

    def find(self, query: str) -> tuple[int, ...]:
        """Numbers of at most `MAX_HITS` articles, best first; ties in the order of the site."""
        scores: dict[int, float] = {}
        # The length of the query scales all scores alike and changes no order.
        for word in sorted(title_stems(query)):
            square = self._idf.get(word, 0.0) ** 2
            if square:
                for number in self._holders[word]:
                    scores[number] = scores.get(number, 0.0) + square
        ranked = sorted(
            scores, key=lambda number: (-scores[number] * self._weights[number], number)
        )
        return tuple(ranked[:MAX_HITS])


def _readership(articles: Sequence[Article]) -> list[float]:
    logs = [math.log(article.views) for article in articles]
    low, high = min(logs, default=0.0), max(logs, default=0.0)
    spread = (high - low) or 1.0
    return [1 - _READERSHIP_SHARE * (high - value) / spread for value in logs]
