"""How the stand-in draws: by a hash of call seed and prompt, whatever form it asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from rememberer_nb.llms.offline.beliefs import Row
from rememberer_nb.prompting.prompts import ACTION, ADVICE


def _in_one_line(text: str) -> str:
    """A prompt that asks for advice, as one that asks for an action."""
    if not text.endswith(ADVICE.cue):
        return text
    asked = text.removesuffix(ADVICE.cue).replace(ADVICE.how_to_reply, ACTION.how_to_reply, 1)
    return asked + ACTION.cue


def draws(seed: int, text: str) -> tuple[float, float]:
    """Two numbers in [0, 1) that depend on nothing but seed and prompt, not on the reply's form."""
    drawn = f"{seed}\n{_in_one_line(text)}".encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(drawn, digest_size=16).digest()
    return (
        int.from_bytes(digest[:8], "big") / 2**64,
        int.from_bytes(digest[8:], "big") / 2**64,
    )


def choose_row(rows: Sequence[Row], draw: float) -> Row | None:
    """The row whose share of [0, 1) holds the draw, the actions in order of their texts."""
    reached = 0.0
    chosen = None
    for chosen in sorted(rows, key=lambda row: row.action):
        reached += chosen.probability
        if draw < reached:
            break
    return chosen
