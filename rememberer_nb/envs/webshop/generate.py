"""Catalogues of any size for measuring: the bundled products recombined, with many more words.

Each product takes the frame of a bundled one and gains an invented brand and words drawn from a
Zipf-like vocabulary: common words first, then ever rarer invented ones. What matters to a search
engine is like a large real shop's: a few terms in half of the documents, most terms in almost
none, documents of very different lengths. What the products mean is nonsense.
"""

from __future__ import annotations

import functools
import gzip
import json
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from rememberer_nb.envs.webshop.catalogue import read_shop_json

FILES = {
    "items": "items_shuffle.json",
    "attributes": "items_ins_v2.json",
    "instructions": "items_human_ins.json",
}
# As many people's instructions for each product as the original has (12,087 for 1.18 million), but
# no fewer than this for a small catalogue.
_INSTRUCTION_SHARE = 0.0102
_MIN_INSTRUCTIONS = 800
_ZIPF_EXPONENT = 1.05
_WORDS_PER_PRODUCT = 0.6
_MEDIAN_EXTRA_WORDS = 45
_EXTRA_WORDS_SPREAD = 0.9
_MAX_EXTRA_WORDS = 1500
_TITLE_WORDS = (3, 12)
_BATCH = 1000
_SYLLABLES = [c + v for c in "bdfghjklmnprstvwz" for v in ("a", "e", "i", "o", "u", "ar", "en")]
_ASIN_SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ASIN_SPACE = 36**8
# Odd and no multiple of 3, so multiplying permutes the asins.
_ASIN_STEP = 1_140_671_485_837


@dataclass(frozen=True, slots=True)
class _Templates:
    """The bundled shop's rows, their attributes and instructions, and its words by frequency."""

    rows: list[dict[str, Any]]
    attributes: dict[str, dict[str, Any]]
    instructions: dict[str, list[dict[str, Any]]]
    sentences: list[str]
    words: list[str]


def _templates(files: dict[str, Path]) -> _Templates:
    rows = read_shop_json(files["items"])
    sentences = [s for row in rows for s in (*row["small_description"], row["full_description"])]
    counts = Counter(word for text in sentences for word in text.lower().split())
    counts.update(word for row in rows for word in row["name"].split())
    return _Templates(
        rows,
        read_shop_json(files["attributes"]),
        read_shop_json(files["instructions"]),
        [sentence for sentence in sentences if sentence],
        [word for word, _ in counts.most_common()],
    )


@functools.lru_cache(maxsize=1 << 17)
def _invent(number: int) -> str:
    """A pronounceable word for each number; every fourth carries digits, as models do.

    >>> _invent(5), _invent(6), _invent(500)
    ('bebe', 'bebi', 'benbeba28')
    """
    number, kind = divmod(number, 4)
    digits = str(number % 97) if kind == 0 and number else ""
    word = ""
    while number or len(word) < 2:
        number, syllable = divmod(number, len(_SYLLABLES))
        word += _SYLLABLES[syllable]
    return word + _SYLLABLES[kind] + digits


def _asin(number: int) -> str:
    rest = number * _ASIN_STEP % _ASIN_SPACE
    signs = []
    for _ in range(8):
        rest, sign = divmod(rest, 36)
        signs.append(_ASIN_SIGNS[sign])
    return "B0" + "".join(signs)


class _Maker:
    """Makes products in batches from one generator."""

    def __init__(self, templates: _Templates, n_products: int, rng: np.random.Generator):
        self._templates, self._rng = templates, rng
        self._n_words = len(templates.words) + 3000 + int(n_products * _WORDS_PER_PRODUCT)
        self._n_brands = 200 + n_products // 20
        n_instructed = len(templates.instructions)
        wanted = max(_INSTRUCTION_SHARE * n_products, _MIN_INSTRUCTIONS)
        per_row = len(templates.rows) / n_instructed
        self._instructed_share = min(1.0, wanted / n_products * per_row)

    def _ranks(self, n: int, n_all: int) -> NDArray[np.int64]:
        """n ranks from 0, Zipf-distributed over n_all."""
        power = 1 - _ZIPF_EXPONENT
        drawn = ((n_all**power - 1) * self._rng.random(n) + 1) ** (1 / power)
        return np.minimum(drawn.astype(np.int64), n_all) - 1

    def _word(self, rank: int) -> str:
        common = self._templates.words
        return common[rank] if rank < len(common) else _invent(rank - len(common))

    def batch(self, first: int, n: int) -> Iterator[tuple[dict[str, Any], Any, Any]]:
        """n products: the row, its attributes (or None) and its instructions (or None)."""
        rng, templates = self._rng, self._templates
        n_title = rng.integers(*_TITLE_WORDS, n)
        extra = np.exp(rng.normal(math.log(_MEDIAN_EXTRA_WORDS), _EXTRA_WORDS_SPREAD, n))
        n_extra = np.minimum(extra.astype(int), _MAX_EXTRA_WORDS)
        words = map(self._word, self._ranks(int((n_title + n_extra).sum()), self._n_words).tolist())
        draws = zip(
            rng.integers(len(templates.rows), size=n).tolist(),
            self._ranks(n, self._n_brands).tolist(),
            n_title.tolist(),
            n_extra.tolist(),
            rng.integers(len(templates.sentences), size=(n, 3)).tolist(),
            rng.random((n, 3)).tolist(),
            strict=True,
        )
        for number, (template, brand, n_in_title, n_more, picked, shares) in enumerate(
            draws, first
        ):
            row = dict(templates.rows[template])
            sentences = [templates.sentences[i] for i in picked]
            row["brand"] = f"{_invent(7 * brand + 1)}{_invent(brand)}".capitalize()
            title = " ".join([next(words) for _ in range(n_in_title)])
            more = " ".join([next(words) for _ in range(n_more)])
            row["name"] = f"{row['brand']} {row['name']}, {title}"
            row["full_description"] = f"{row['full_description']} {sentences[0]} {more}."
            row["small_description"] = [*row["small_description"], *sentences[1:]]
            row["pricing"] = _pricing(shares[0], shares[1])
            old, row["asin"] = row["asin"], _asin(number)
            row["images"] = [
                f"https://m.example.com/images/{row['asin']}-{i}.jpg" for i in range(4)
            ]
            is_wanted = shares[2] < self._instructed_share
            wanted = templates.instructions.get(old) if is_wanted else None
            instructions = self._instructions(row, wanted, title, shares[1])
            yield row, templates.attributes.get(old), instructions

    def _instructions(
        self, row: dict[str, Any], wanted: Any, title: str, share: float
    ) -> list[dict[str, Any]] | None:
        """A bundled instruction, which mostly names in addition what is new in the product."""
        if not wanted:
            return None
        text = wanted[0]["instruction"].rstrip(".")
        if share < 0.3:
            text += f" from {row['brand']}"
        elif share < 0.7:
            text += f" with {' '.join(title.split()[-2:])}"
        return [dict(wanted[0], asin=row["asin"], instruction=f"{text.lower()}.")]


def _pricing(share: float, level: float) -> str:
    """One price for six in ten products, a range for three, none for one."""
    low = 4 + 300 * level**3
    if share < 0.6:
        return f"${low:.2f}"
    return f"${low:.2f} - ${low * (1 + share):.2f}" if share < 0.9 else ""


class _JsonFile:
    """A JSON list or object written element by element."""

    def __init__(self, file: TextIO, brackets: str):
        self._file, self._end, self._separator = file, brackets[1], ""
        file.write(brackets[0])

    def add(self, value: Any, key: str = "") -> None:
        name = f"{json.dumps(key)}: " if key else ""
        self._file.write(f"{self._separator}{name}{json.dumps(value)}")
        self._separator = ",\n"

    def finish(self) -> None:
        self._file.write(self._end)


def _open(path: Path) -> TextIO:
    if path.suffix != ".gz":
        return path.open("w", encoding="utf-8")
    return gzip.open(path, "wt", compresslevel=1, encoding="utf-8")  # type: ignore[return-value]


def generate_catalogue(
    folder: str | Path,
    n_products: int,
    files: dict[str, Path],
    *,
    seed: int = 0,
    is_gzipped: bool = False,
    show_progress: bool = False,
) -> dict[str, Path]:
    """Write a catalogue of `n_products` in WebShop's three file formats into a folder.

    Parameters
    ----------
    files : the catalogue to recombine: `items`, `attributes`, `instructions` (`env.locate_files`).
    seed : the same seed and size give the same content.

    Returns
    -------
    dict
        `items`, `attributes` and `instructions`: the files written.

    Examples
    --------
    >>> import tempfile
    >>> from rememberer_nb.envs.webshop.env import locate_files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = generate_catalogue(folder, 20, locate_files(), seed=1)
    ...     len(read_shop_json(made["items"]))
    20
    """
    paths = {
        name: Path(folder, f"{stem}.gz" if is_gzipped else stem) for name, stem in FILES.items()
    }
    maker = _Maker(_templates(files), n_products, np.random.default_rng(seed))
    with ExitStack() as stack:
        texts = [stack.enter_context(_open(path)) for path in paths.values()]
        pairs = zip(texts, ("[]", "{}", "{}"), strict=True)
        items, attributes, instructions = (_JsonFile(text, marks) for text, marks in pairs)
        bar = stack.enter_context(
            tqdm(total=n_products, desc="generate", unit=" products", disable=not show_progress)
        )
        for first in range(0, n_products, _BATCH):
            n = min(_BATCH, n_products - first)
            for row, mined, wanted in maker.batch(first, n):
                items.add(row)
                if mined is not None:
                    attributes.add(mined, row["asin"])
                if wanted is not None:
                    instructions.add(wanted, row["asin"])
            bar.update(n)
        for file in (items, attributes, instructions):
            file.finish()
    return paths
