"""Servers for the tests of real LLMs."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.local.fetch import model_path
from rememberer_nb.testing.local_server import completion, running, stand_in_server
from rememberer_nb.testing.tiny_model import write_tiny_gpt2_model

KEY = "sk-test-0123456789abcdef-DO-NOT-LEAK"
ROOT = Path(__file__).resolve().parent.parent.parent


class FaultServer:
    """The client's side of `fault_server`."""

    def __init__(self, url: str):
        self.url = url

    def play(self, *answers: dict[str, Any]) -> None:
        """Answer so from now on, the last one again and again."""
        self._ask("/script", json.dumps({"answers": answers}).encode())

    @property
    def log(self) -> list[dict[str, Any]]:
        """The completions asked for since `play`."""
        return self._ask("/log")["log"]

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + path, data=body, timeout=10) as answer:
            return json.loads(answer.read())


def reply(text: str | None, **changes: Any) -> dict[str, Any]:
    """The script's entry for a 200 answer with that text."""
    return {"body": completion(text, **changes)}


def refusal(status: int, message: str = "no", **more: Any) -> dict[str, Any]:
    """The script's entry for an error; `headers` and the error's own fields by name."""
    headers = more.pop("headers", {})
    return {"status": status, "body": {"error": {"message": message, **more}}, "headers": headers}


@pytest.fixture(scope="session")
def fault_server_process() -> Iterator[FaultServer]:
    code = f"import sys, runpy; sys.path.insert(0, {str(ROOT)!r}); "
    code += "runpy.run_module('tests.llms.fault_server', run_name='__main__')"
    with running([sys.executable, "-c", code]) as url:
        yield FaultServer(url)


@pytest.fixture
def server(
    fault_server_process: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultServer]:
    """The server, which the environment points at."""
    point_at(monkeypatch, fault_server_process.url)
    fault_server_process.play(reply("go[on] -> 0.5 on"))
    yield fault_server_process


@pytest.fixture
def stand_in(stand_in_process: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The offline stand-in as a server, which the environment points at."""
    point_at(monkeypatch, stand_in_process)
    return stand_in_process


@pytest.fixture(scope="session")
def stand_in_process() -> Iterator[str]:
    with stand_in_server() as url:
        yield url


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Set address and key."""
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def tiny_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of SmolLM2's kind; skips without the extra."""
    for name in ("xllamacpp", "gguf"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    return write_tiny_gpt2_model(tmp_path_factory.mktemp("gpt2") / "tiny.gguf")


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The real small model's file; skips where it has not been fetched."""
    for name in ("xllamacpp", "gguf"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")
    try:
        return model_path("smollm2")
    except ConfigError as error:
        pytest.skip(str(error))
