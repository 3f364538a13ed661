"""What a cell shows is joined as nbclient would, in linear time, and clipped."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.teaching.clipping import MAX_SHOWN, MAX_TEXT, Stream, clip_display, clip_outputs
from rememberer_nb.teaching.recorded import METRICS_MIME


def joined(pieces: list[str]) -> str:
    stream = Stream()
    for piece in pieces:
        stream.add(piece)
    return stream.text


@given(st.lists(st.text(alphabet="ab\r\n", max_size=6), max_size=8))
def test_pieces_make_what_they_make_together(pieces: list[str]) -> None:
    """The definition: all up to a carriage return that no line feed follows is taken back."""
    assert joined(pieces) == re.sub(r".*\r(?=[^\n])", "", "".join(pieces))


def test_both_ends_are_kept() -> None:
    half = MAX_TEXT // 2
    pieces = ["a" * half, "b" * 1_000_000, "c" * 7, "d" * half]
    expected = "a" * half + "\n[... 1,000,007 characters left out ...]\n" + "d" * half
    assert joined(pieces) == expected
    assert joined(["".join(pieces)]) == expected
    assert clip_outputs("".join(pieces)) == expected


def test_what_fits_is_left_alone() -> None:
    assert joined(["a" * MAX_TEXT]) == clip_outputs("a" * MAX_TEXT) == "a" * MAX_TEXT


def test_a_long_progress_bar_is_its_last_state() -> None:
    assert joined([f"\r{n:05d}" + "." * 90 for n in range(20_000)] + ["\n"]) == (
        "19999" + "." * 90 + "\n"
    )


def test_time_grows_with_the_length_alone() -> None:
    started = time.process_time()
    joined(["x" * 5_000_000])
    joined(["x" * 100] * 20_000)
    joined(["ab\r"] * 20_000)
    assert time.process_time() - started < 2.0


def test_metrics_are_kept_of_a_display_that_is_too_large() -> None:
    content = {"data": {"text/html": "x" * 10, METRICS_MIME: {"a": 1}, "text/plain": "y"}}
    assert clip_display(content, MAX_SHOWN - 11) == 11
    assert content["data"]["text/html"] == "x" * 10
    clip_display(content, MAX_SHOWN - 10)
    assert content["data"] == {
        "text/plain": "[an output of 11 characters left out: the cell shows too much]",
        METRICS_MIME: {"a": 1},
    }
