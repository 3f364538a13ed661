"""No artefact of a run holds the key, however the server sends it back."""

from __future__ import annotations

import base64
import contextlib
import html
import itertools
import json
import logging
import pickle
import re
import sqlite3
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import nbformat
import pytest

from rememberer_nb.cli import main
from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt
from rememberer_nb.errors import LLMError
from rememberer_nb.llms.endpoint.client import OpenAILLM
from rememberer_nb.llms.endpoint.embeddings import EmbeddingClient
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_llm, build_memory
from rememberer_nb.loop.training import train
from rememberer_nb.system.resources import notebooks_path
from rememberer_nb.teaching.report import write_html
from rememberer_nb.teaching.suite import run_notebook
from tests.llms.conftest import ROOT, point_at
from tests.llms.hostile_server import answer, hostile_server

KEY = "sk-test/0123456789abcdef-DO-NOT/LEAK"
# A long piece of it would give away the rest.
PIECES = re.compile("|".join(re.escape(KEY[i : i + 12]) for i in range(0, len(KEY) - 12, 4)))
PROMPT = Prompt((("user", "hello"),), "hello", 2)
FAST = LLMConfig(model="m", reply_format="text", max_retries=1, backoff_s=0.0, max_failures=None)

# How a server may write the key within a JSON text.
WAYS: dict[str, str] = {
    "literally": KEY,
    "one escape": KEY.replace("-", "\\u002d"),
    "all escapes": "".join(f"\\u{ord(c):04x}" for c in KEY),
    "all escapes, capitals": "".join(f"\\u{ord(c):04X}" for c in KEY),
    "slashes": KEY.replace("/", "\\/"),
    "escapes in a JSON text": "".join(f"\\\\u{ord(c):04x}" for c in KEY),
    "percent": quote(KEY, safe=""),
    "base64": base64.b64encode(f"me:{KEY}".encode()).decode(),
    "lines": KEY[:9] + "\\n" + KEY[9:],
}


def completion(content: str = '"click[search]"', **fields: str) -> bytes:
    """A completion whose parts are JSON as it is to be sent."""
    name, reason = fields.get("model", '"m"'), fields.get("finish_reason", '"stop"')
    message = f'{{"content": {content}, "refusal": {fields.get("refusal", "null")}}}'
    usage = '{"prompt_tokens": 9, "completion_tokens": 9}'
    choice = f'{{"message": {message}, "finish_reason": {reason}}}'
    return answer(f'{{"model": {name}, "choices": [{choice}], "usage": {usage}}}'.encode())


def failure(body: str, status: str = "400 Bad Request", *headers: str) -> bytes:
    return answer(body.encode(), *headers, status=status)


# Where the key is said; the argument is JSON without its quotes.
PLACES: dict[str, Callable[[str], bytes]] = {
    "reply": lambda key: completion(f'"search[shoes] -> 0.4 my key is {key}"'),
    "action": lambda key: completion(f'"search[{key}] -> 0.4 why not"'),
    "reply in JSON": lambda key: completion(
        json.dumps('{"action": "search[a]", "value": 0.4, "rationale": "%s"}') % key
    ),
    "reply in parts": lambda key: completion(
        f'[{{"text": "search[a] -> 0.4 {key[:11]}"}}, {{"text": "{key[11:]}"}}]'
        if "\\" not in key
        else f'[{{"text": "search[a] -> 0.4 {key}"}}]'
    ),
    "null reply": lambda key: completion("null", finish_reason=f'"{key}"'),
    "refusal": lambda key: completion("null", refusal=f'"I shall not say {key}"'),
    "refusal in a list": lambda key: completion("null", refusal=f'[{{"text": "{key}"}}]'),
    "model": lambda key: completion(model=f'"{key}"'),
    "cut off": lambda key: completion(f'"{key}"', finish_reason='"length"'),
    "no choices": lambda key: answer(f'{{"{key}": "{key}"}}'.encode()),
    "no JSON": lambda key: answer(f"<html>{key}</html>".encode()),
    "error": lambda key: failure(
        f'{{"error": {{"message": "{key}", "param": "{key}", "code": "{key}", "type": "{key}"}}}}'
    ),
    "detail": lambda key: failure(f'{{"detail": [{{"msg": "{key}"}}]}}', "422 Unprocessable"),
    "error, no JSON": lambda key: failure(f"<html>{key}</html>"),
    "busy": lambda key: failure(f'{{"error": "{key}"}}', "503 Busy", f"x-request-id: {key}"),
    "reason phrase": lambda key: failure("", f"503 {key}", f"retry-after: {key}"),
    "header": lambda key: b"HTTP/1.1 200 OK\r\n" + key.encode() + b"\r\n\r\n",
}


def decoded(text: str) -> Iterator[str]:
    """A text, and what it may be decoded to."""
    yield text
    yield "".join(text.split())
    seen = text
    for _ in range(3):
        seen = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), seen)
        seen = re.sub(r"\\+n", "", seen.replace("\\/", "/"))
        seen = html.unescape(unquote(seen))
        yield seen
    for piece in set(re.findall(r"[A-Za-z0-9+/_-]{16,}", text)):
        for start in range(4):
            usual = piece[start:].replace("-", "+").replace("_", "/")
            yield base64.b64decode(usual[: len(usual) // 4 * 4]).decode("latin-1")


def assert_no_key(data: bytes | str, where: str) -> None:
    text = data.decode("latin-1") if isinstance(data, bytes) else data
    for found in decoded(text):
        assert not PIECES.search(found), where


def assert_no_key_below(folder: Path) -> set[str]:
    """Look through all files; returns their names."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        assert_no_key(path.read_bytes(), path.name)
        if path.suffix in (".json", ".jsonl", ".ipynb"):
            lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            for line in lines:
                assert_no_key(json.dumps(json.loads(line), ensure_ascii=False), path.name)
        if path.suffix == ".sqlite":
            with contextlib.closing(sqlite3.connect(path)) as memory:
                assert_no_key("\n".join(memory.iterdump()), path.name)
    return {path.name for path in files}


def test_the_search_finds_what_it_is_to_find() -> None:
    for way in WAYS.values():
        with pytest.raises(AssertionError):
            assert_no_key(f"well: {way}.", "here")


@pytest.mark.parametrize("way", WAYS)
def test_every_place_and_every_way(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies and errors, as texts, as values and pickled, of both clients."""
    said: list[bytes] = []
    with hostile_server(lambda _: said) as server:
        point_at(monkeypatch, server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        llm, encode = OpenAILLM(FAST), EmbeddingClient("m", config=FAST)
        for place, make in PLACES.items():
            said[:] = [make(WAYS[way])]
            for ask in (lambda: llm.complete(PROMPT), lambda: encode(["hello"])):
                try:
                    found: Any = ask()
                except LLMError as error:
                    found = (error, error.reply, traceback.format_exception(error))
                assert_no_key(repr(found), place)
                assert_no_key(pickle.dumps(found), place)
        llm.close()
        encode.close()


def everything(key_ways: Iterable[str] = WAYS.values()) -> Iterator[bytes]:
    """Every place and way, again and again, with good replies in between."""
    good = completion('"search[red shoes] -> 0.4 good"')
    for way, make in itertools.cycle(itertools.product(key_ways, PLACES.values())):
        yield make(way)
        yield good


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A server that says everything; the environment points at it, and at an empty folder."""
    answers = everything()
    with hostile_server(lambda _: [next(answers)]) as server:
        point_at(monkeypatch, server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.chdir(tmp_path)
        yield server


@pytest.mark.slow
def test_runs_from_the_command_line(echo: Any, capsys, caplog, tmp_path: Path) -> None:
    """Recording, episodes, metrics, memory, standard output and error, logs."""
    with caplog.at_level(logging.DEBUG):
        status = main(
            ["train", "--tasks", "500:530", "--epochs", "1", "--max-steps", "6", "--llm",
             "openai:m", "--reply-format", "text", "--max-retries", "0", "--memory", "m.sqlite",
             "--record", "run.jsonl", "--out", "out", "--json"]
        )  # fmt: skip
    captured = capsys.readouterr()
    assert status == 0
    assert len(echo.requests) > len(WAYS) * len(PLACES)
    result = json.loads(captured.out)
    assert {"content_filter", "truncated", "null_content", "not_json"} <= set(result["llm_errors"])
    assert_no_key(captured.out + captured.err + caplog.text, "terminal")
    assert assert_no_key_below(tmp_path) >= {
        "run.jsonl", "episodes.jsonl", "metrics.json", "m.sqlite"}  # fmt: skip
    assert b"[hidden]" in (tmp_path / "m.sqlite").read_bytes()


@pytest.mark.slow
def test_a_memory_that_is_being_written(echo: Any, tmp_path: Path) -> None:
    """The log beside the file, too."""
    config = LLMConfig(model="m", reply_format="text", max_retries=0, max_failures=None)
    settings = Settings(llm="openai:m", llm_config=config)
    env = build_env(settings)
    llm = build_llm(env, settings)
    with build_memory(settings, tmp_path / "m.sqlite") as memory:
        agent = build_agent("rememberer", env, settings, memory=memory, seed=0, llm=llm)
        train(env, agent, range(500, 512))
        assert assert_no_key_below(tmp_path) >= {"m.sqlite", "m.sqlite-wal"}
        assert (tmp_path / "m.sqlite-wal").stat().st_size > 10_000
    llm.close()


@pytest.mark.slow
def test_an_executed_notebook_and_its_page(
    echo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    parameters = {
        "endpoint": "openai:m", "tasks": "0:12", "max_steps": 6, "n_seeds": 1,
        "record_to": str(tmp_path / "c.jsonl"),
    }  # fmt: skip
    output = tmp_path / "12.ipynb"
    run_notebook(notebooks_path("12_real_llm.ipynb"), output, parameters, is_shown=False)
    write_html(nbformat.read(output, as_version=4), tmp_path / "12.html", "12")
    assert len(echo.requests) > 60
    assert assert_no_key_below(tmp_path) >= {"12.ipynb", "12.html", "c.jsonl"}
