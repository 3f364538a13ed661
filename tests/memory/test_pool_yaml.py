"""Pool files: plain values and tuples come in; anything else is refused, and nothing is run."""

from __future__ import annotations

import datetime
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.errors import DataError
from rememberer_nb.memory import pool_yaml
from rememberer_nb.memory.pool_yaml import dump_yaml, load_yaml


@pytest.fixture
def load(tmp_path: Path):
    def load_text(text: str | bytes) -> object:
        path = tmp_path / "pool.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_yaml(path)

    return load_text


def test_tuples_and_the_lines_of_the_keys(load) -> None:
    text = (
        "? !!python/tuple [a, b]\n: {x: 1}\n\n? !!python/tuple\n- c\n- !!python/tuple [1, 2.0]\n: ~"
    )
    content, lines = load(text)
    assert content == {("a", "b"): {"x": 1}, ("c", (1, 2.0)): None}
    assert lines == [1, 4]


def test_merged_keys_have_their_lines(load) -> None:
    content, lines = load("<<:\n  b: 2\na: 1\n")
    assert (content, lines) == ({"b": 2, "a": 1}, [2, 3])


def test_anchors_within_reason(load) -> None:
    assert load("a: &x !!python/tuple [1]\nb: [*x, *x]")[0] == {"a": (1,), "b": [(1,), (1,)]}


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['touch {}']",
        "!!python/object/new:os.system ['touch {}']",
        "!!python/object:pathlib.Path {{}}",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/bytes aGk=",
        "!anything x",
    ],
)
def test_other_tags_are_refused_and_nothing_is_run(load, tmp_path: Path, tag: str) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(DataError, match=r"pool\.yaml: line 2: .*constructor"):
        load(f"a: 1\nb: {tag.format(trace)}")
    assert not trace.exists()


def _tower(opening: str, n_levels: int, n_copies: int) -> str:
    lines = [f"a0: &a0 {opening}[x, x]"]
    for i in range(1, n_levels):
        lines.append(f"a{i}: &a{i} {opening}[{', '.join([f'*a{i - 1}'] * n_copies)}]")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "bomb",
    [
        _tower("", 12, 10),
        _tower("!!python/tuple ", 60, 2) + "? *a59\n: 1\n",
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{i}: &a{i}\n  <<: [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
        f"a: &a {'x' * 200_000}\nb: [{', '.join(['*a'] * 1000)}]",
    ],
    ids=["lists", "tuples as key", "merges", "text"],
)
def test_bombs_are_refused_at_once(load, bomb: str) -> None:
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"line .*too large with its aliases written out"):
        load(bomb)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("text", ["&a [*a]", "a: &a {b: [*a]}", "&a !!python/tuple [*a]"])
def test_what_holds_itself_is_refused(load, text: str) -> None:
    with pytest.raises(DataError, match=r"line 1: .*holds itself"):
        load(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1, 2\nb: }", "line 2: is no memory pool: expected"),
        ("a: 1\n  b: 2", "line 2: "),
        ("a: *nothing", "line 1: .*undefined alias"),
        ("a: 1\na: 2", "line 1: .*a key stands twice"),
        ("? [a]\n: 1", "line 1: .*unhashable key"),
        ("a: !!python/tuple x", "line 1: .*a tuple must be a sequence"),
        ("a\n---\nb", "line 2: .*another document"),
        (b"\xff\xfe\x00", "unacceptable character"),
        (b"a: \xff\xff", "unacceptable character"),
        ("a: \x01", "unacceptable character #x0001"),
        (f"a: {'9' * 6000}", "no plain value: Exceeds the limit"),
        ("a: 2020-13-45", "no plain value: month"),
        ("[" * 3000, "no plain value: maximum recursion"),
        ("[" * 31 + "]" * 31, "line 1: .*nested too deeply"),
        (f"a: 1\nb: {'9' * 400}", r"line 2: .*9{20} is no number up to 1e"),
        (f"a: 1\nb: 0x{'f' * 5000}", r"line 2: .*0xf{18} is no number up to 1e"),
        ("a: .nan", r"line 1: .*\.nan is no number up to 1e"),
        ("a: -.inf", r"line 1: .*-\.inf is no number up to 1e"),
        ("a: 1.0e+999", r"line 1: .*1\.0e\+999 is no number up to 1e"),
    ],
)
def test_malformed_files_are_one_clear_error(load, text: str | bytes, problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        load(text)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.yaml", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            load_yaml(path)


def test_an_empty_file_is_nothing(load) -> None:
    assert load("") == (None, [])
    assert load("# only this") == (None, [])


def test_the_limit_is_on_what_it_amounts_to(load, monkeypatch: pytest.MonkeyPatch) -> None:
    # A mapping, a key and a text of 5 characters: 3 nodes and 6 characters.
    monkeypatch.setattr(pool_yaml, "MAX_EXPANDED", 306)
    assert load("a: hello")[0] == {"a": "hello"}
    with pytest.raises(DataError, match="too large"):
        load("a: hello!")


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(-1e100, 1e100), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(texts, st.tuples(texts, texts)), inner, max_size=3),
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, value) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(dump_yaml(value), encoding="utf-8", newline="")
    assert load_yaml(path)[0] == value


def test_dates_are_read_so_that_they_can_be_named(load) -> None:
    assert load("a: 2020-01-02")[0] == {"a": datetime.date(2020, 1, 2)}
