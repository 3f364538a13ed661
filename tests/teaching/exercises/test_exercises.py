"""The checker itself: what it prints and returns, and unknown names."""

from __future__ import annotations

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.teaching.exercises import check, is_close


def test_a_right_answer_is_confirmed(capsys):
    assert check("03.3", "b") is True
    assert capsys.readouterr().out == "03.3: right\n"


def test_a_wrong_answer_gets_a_hint(capsys):
    assert check("03.3", "a") is False
    out = capsys.readouterr().out
    assert out.startswith("03.3: try it")
    assert "right" not in out


def test_dots_are_no_answer_yet(capsys):
    assert check("02.1", ...) is False
    assert "no answer yet" in capsys.readouterr().out


def test_an_unknown_exercise_is_an_error():
    with pytest.raises(ConfigError, match=r"notebook 03 has 03.1, 03.2, 03.3"):
        check("03.9", 1)


def test_an_unknown_notebook_is_an_error():
    with pytest.raises(ConfigError, match="'77'"):
        check("77.1", 1)


@pytest.mark.parametrize("answer", [None, "0.5", True, [0.5]])
def test_what_is_no_number_is_not_close(answer):
    assert not is_close(answer, 0.5)
