"""record_metrics refuses what JSON cannot hold."""

from __future__ import annotations

import pytest

from rememberer_nb.teaching.recorded import record_metrics


def test_shown_sorted(capsys: pytest.CaptureFixture[str]) -> None:
    record_metrics(b=1, a=[0.5, None])
    assert capsys.readouterr().out == 'metrics: {"a": [0.5, null], "b": 1}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_nan(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        record_metrics(x=value)


def test_no_objects() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        record_metrics(x=object())
