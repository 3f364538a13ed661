"""Settings by name, and as TOML: read, refused, written and read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import STAGES, replace
from rememberer_nb.config.reading import (
    SETTINGS,
    make_configs,
    read_config,
    read_setting,
    to_toml,
)
from rememberer_nb.errors import ConfigError, DataError


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "run.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_file_by_hand(file) -> None:
    text = '[rlem]\ngamma = 1\nn_step = "none"\n[llm]\nstop = ["END"]\n[capacity]\n'
    assert read_config(file(text)) == {
        "rlem.gamma": 1.0,
        "rlem.n_step": None,
        "llm.stop": ("END",),
    }
    assert read_config(file("")) == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[rlem]\ngama = 1", "there is no setting rlem.gama; did you mean rlem.gamma?"),
        ("[rlm]\ngamma = 1", "there is no setting rlm.gamma; did you mean rlem.gamma?"),
        ("[rlm]", "there is no setting rlm; did you mean rlem?"),
        ("gamma = 1", "there is no setting gamma; did you mean rlem.gamma?"),
        ("rlem = 1", "rlem must be a table of settings, [rlem]"),
        ("[[rlem]]\ngamma = 1", "rlem must be a table of settings, [rlem]"),
        ("[rlem]\ngamma = 2", "rlem.gamma must be in [0, 1], got 2.0"),
        ("[rlem]\ngamma = '0.9'", "rlem.gamma must be in [0, 1], got '0.9'"),
        ("[rlem]\nn_step = true", "rlem.n_step must be a whole number of at least 1 or None, got"),
        ("[rlem]\ndouble = 1", "rlem.double must be true or false, got 1"),
        ("[rlem]\ngamma = 2020-01-01", "rlem.gamma must be in [0, 1], got datetime.date"),
        ("[llm]\nstop = [1]", "llm.stop must be a tuple of texts, got (1,)"),
        ("[rlem\ngamma = 1", "is not TOML: "),
        ("[rlem]\ngamma = 1\ngamma = 1", "is not TOML: "),
        ("[rlem]\nn_step = " + "9" * 5000, "is not TOML: "),
        ("a = " + "[" * 5000, "is not TOML: "),
    ],
)
def test_what_is_wrong_is_said_with_file_and_name(file, text: str, problem: str) -> None:
    path = file(text)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: {problem}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '[llm]\napi_key = "sk-1"',
        '[llm]\nOPENAI_API_KEY = "sk-1"',
        '[llm]\nbase_url = "http://sk-1"',
        '[openai]\napi_key = "sk-1"',
        'api_key = "sk-1"',
        '[llm.model]\napi_key = "sk-1"',
        '[llm.api]\nkey = "sk-1"',
    ],
)
def test_keys_are_refused_and_not_repeated(file, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(file(text))
    assert "sk-1" not in str(caught.value)
    assert "environment" in str(caught.value) or "got a table" in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.toml: cannot be read: no such file"):
        read_config(tmp_path / "absent.toml")
    (tmp_path / "b.toml").write_bytes(b"[rlem]\n# \xff")
    with pytest.raises(DataError, match="line 2"):
        read_config(tmp_path / "b.toml")


def test_texts_are_checked_too() -> None:
    assert read_setting("llm.stop", "a\nb") == ("a\nb",)
    with pytest.raises(ConfigError, match=r"rlem.gamma must be in \[0, 1\], got '1,0'"):
        read_setting("rlem.gamma", "1,0")
    with pytest.raises(ConfigError, match=r"there is no setting a+; the tables are"):
        read_setting("a" * 1000, "1")


def test_configs_of_values() -> None:
    configs = make_configs({"rlem.gamma": 0.5, "run.tasks": "S1"})
    assert list(configs) == list(STAGES)
    assert (configs["rlem"].gamma, configs["run"].tasks) == (0.5, "S1")
    assert configs["capacity"] == STAGES["capacity"]()


def test_what_is_written_says_all(file) -> None:
    written = to_toml(make_configs({}))
    assert "gamma = 1.0  # 1 per step; paper; γ: discount, in [0, 1]\n" in written
    assert 'max_records = "none"  # records; ours; ' in written
    assert read_config(file(written)).keys() == SETTINGS.keys()


@given(
    gamma=st.floats(0, 1),
    margin=st.floats(0, allow_infinity=False),
    n_step=st.none() | st.integers(1),
    stop=st.lists(st.text()).map(tuple),
    model=st.text(),
    double=st.booleans(),
)
def test_what_is_written_is_read_again(
    tmp_path_factory, gamma, margin, n_step, stop, model, double
) -> None:
    configs = make_configs({"rlem.gamma": gamma, "rlem.n_step": n_step, "rlem.double": double})
    configs["llm"] = replace(configs["llm"], stop=stop, model=model)
    configs["exemplar"] = replace(configs["exemplar"], margin=margin)
    path = tmp_path_factory.mktemp("written") / "config.toml"
    path.write_bytes(to_toml(configs).encode("utf-8"))
    assert make_configs(read_config(path)) == configs
