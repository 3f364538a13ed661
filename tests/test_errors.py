"""The error tree: as drawn, with file and field named, and safe to pickle."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path

import pytest

from rememberer_nb import errors
from rememberer_nb.elements import Reply
from rememberer_nb.errors import (
    BudgetError,
    CatalogueError,
    ConfigError,
    DataError,
    LLMAuthError,
    LLMError,
    LLMResponseError,
    LLMTimeoutError,
    MemoryFileError,
    MissingExtraError,
    NotebookError,
    RemembererError,
    ReplyError,
    TaskError,
    TranscriptError,
)

CLASSES = [
    item
    for _, item in inspect.getmembers(errors, inspect.isclass)
    if issubclass(item, Exception) and item.__module__ == errors.__name__
]


def test_the_drawn_tree_is_the_tree() -> None:
    """Each line of the docstring's tree, with its indentation, against the base classes."""
    above: dict[int, str] = {-1: ""}
    drawn = {}
    tree = (errors.__doc__ or "").split("::", 1)[1].split("The command line")[0]
    for line in filter(str.strip, tree.splitlines()):
        indent = next(i for i, letter in enumerate(line) if letter.isalpha())
        name = line[indent:].split()[0]
        above[indent] = name
        drawn[name] = above[max(i for i in above if i < indent)]
    assert drawn.keys() == {cls.__name__ for cls in CLASSES}
    for cls in CLASSES:
        if cls is not RemembererError:
            assert cls.__bases__[0].__name__ == drawn[cls.__name__]


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [(ConfigError, ValueError), (TaskError, LookupError), (MissingExtraError, ImportError)],
)
def test_errors_that_callers_may_expect(cls: type, builtin: type) -> None:
    assert issubclass(cls, builtin)


def test_data_errors_name_file_and_field() -> None:
    error = CatalogueError("is not JSON", path="items.json", field="line 3")
    assert str(error) == "items.json: line 3: is not JSON"
    assert (error.path, error.field) == (Path("items.json"), "line 3")
    assert str(DataError("is empty", path="a.json")) == "a.json: is empty"
    assert str(DataError("is empty", field="task")) == "task: is empty"
    assert str(DataError("is empty")) == "is empty"


def test_reply_errors_show_a_long_reply_in_part() -> None:
    error = ReplyError("no action", text="x" * 200 + "\n")
    assert error.text == "x" * 200 + "\n"
    assert str(error) == f"no action: '{'x' * 77}...'"


def test_llm_errors_are_counted_under_names_of_their_own() -> None:
    classes = [cls for cls in CLASSES if issubclass(cls, LLMError) and cls is not LLMResponseError]
    assert len({cls.name for cls in classes}) == len(classes) > 9
    assert LLMResponseError("cut off", name="truncated").name == "truncated"


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("gamma"),
        DataError("is empty", path="a.json", field="task"),
        CatalogueError("is empty", path="a.json"),
        MemoryFileError("is damaged", path="a.sqlite"),
        TranscriptError("no transcripts", path="a.ipynb"),
        TaskError("no task 900"),
        ReplyError("no action", text="I wait"),
        LLMError("no answer"),
        LLMTimeoutError("too late"),
        LLMResponseError("cut off", name="truncated", reply=Reply("go[", 5, 2)),
        LLMAuthError("no key"),
        BudgetError("used up"),
        NotebookError("cell 3"),
        MissingExtraError("xllamacpp", extra="llama"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_back_from_worker_processes(error: RemembererError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
