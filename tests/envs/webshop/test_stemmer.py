"""Porter's stemmer, branch by branch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.envs.webshop.stemmer import stem

# One word or more for every rule, with the stem worked out from the published rules.
STEMS = {
    "caresses": "caress", "ponies": "poni", "caress": "caress", "cats": "cat",
    "feed": "feed", "agreed": "agre", "plastered": "plaster", "bled": "bled",
    "motoring": "motor", "sing": "sing", "conflated": "conflat", "troubled": "troubl",
    "sized": "size", "hopping": "hop", "tanned": "tan", "falling": "fall", "hissing": "hiss",
    "fizzed": "fizz", "failing": "fail", "filing": "file", "happy": "happi", "sky": "sky",
    "relational": "relat", "conditional": "condit", "rational": "ration", "valenci": "valenc",
    "hesitanci": "hesit", "digitizer": "digit", "possibly": "possibl", "radically": "radic",
    "differently": "differ", "vilely": "vile", "analogously": "analog", "vietnamization": "vietnam",
    "predication": "predic", "operator": "oper", "feudalism": "feudal", "decisiveness": "decis",
    "hopefulness": "hope", "callousness": "callous", "formality": "formal", "sensitivity": "sensit",
    "sensibility": "sensibl", "archaeology": "archaeolog", "triplicate": "triplic",
    "formative": "form", "formalize": "formal", "electricity": "electr", "electrical": "electr",
    "hopeful": "hope", "goodness": "good", "revival": "reviv", "allowance": "allow",
    "inference": "infer", "airliner": "airlin", "gyroscopic": "gyroscop", "adjustable": "adjust",
    "defensible": "defens", "irritant": "irrit", "replacement": "replac", "adjustment": "adjust",
    "dependent": "depend", "adoption": "adopt", "communism": "commun", "activate": "activ",
    "angularity": "angular", "homologous": "homolog", "effective": "effect",
    "bowdlerize": "bowdler", "probate": "probat", "rate": "rate", "cease": "ceas",
    "controller": "control", "roll": "roll", "specced": "spec", "as": "as", "s": "s",
    "": "", "toy": "toi", "by": "by",
}  # fmt: skip


@pytest.mark.parametrize(("word", "expected"), STEMS.items())
def test_webshop_stems(word: str, expected: str) -> None:
    assert stem(word) == expected


@given(st.text(max_size=20))
def test_webshop_stems_never_grow_and_never_vanish(word: str) -> None:
    found = stem(word)
    assert len(found) <= len(word)
    assert bool(found) == bool(word)
