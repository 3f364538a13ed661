"""Time, size and reach of a request, against servers that keep to nothing; both clients alike."""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable

import pytest

from rememberer_nb.config import LLMConfig
from rememberer_nb.elements import Prompt
from rememberer_nb.errors import LLMEndpointError, LLMError, LLMResponseError, LLMTimeoutError
from rememberer_nb.llms.endpoint.client import OpenAILLM
from rememberer_nb.llms.endpoint.embeddings import EmbeddingClient
from rememberer_nb.llms.endpoint.secret import Endpoint
from rememberer_nb.llms.endpoint.transport import MAX_REDIRECTS
from rememberer_nb.testing.local_server import completion
from tests.llms.conftest import KEY, ROOT
from tests.llms.hostile_server import HostileServer, answer, dripping, hostile_server

PROMPT = Prompt((("user", "the whole prompt"),), "the whole prompt", 4)
DEADLINE_S = 1.0
# What the deadline may be passed by.
SLACK_S = 1.0
BOUNDED = LLMConfig(
    model="m", reply_format="text", timeout_s=60.0, deadline_s=DEADLINE_S, max_retries=0
)
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
GOOD = {"completions": completion("go[on]"), "embeddings": {"data": [{"embedding": [1.0]}]}}
CLIENTS = ("completions", "embeddings")


def ask(client: str, base_url: str, config: LLMConfig = BOUNDED) -> tuple[object, int]:
    """What the client's answer is, and how many requests it says it took."""
    endpoint = Endpoint(base_url, KEY)
    if client == "completions":
        llm = OpenAILLM(config, endpoint=endpoint)
        try:
            return llm.complete(PROMPT).text, llm.n_requests
        finally:
            llm.close()
    encode = EmbeddingClient("m", endpoint=endpoint, config=config)
    try:
        return encode(["the whole prompt"]).tolist(), encode.n_requests
    finally:
        encode.close()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def slow_body(path: str) -> Iterable[bytes | float]:
    return itertools.chain([CHUNKED], dripping(chunk(b" "), 0.05))


def slow_headers(path: str) -> Iterable[bytes | float]:
    return itertools.chain([b"HTTP/1.1 200 OK\r\n"], dripping(b"x-more: 1\r\n", 0.05))


def slow_status(path: str) -> Iterable[bytes | float]:
    return itertools.chain([b"HTTP/1.1 200 "], dripping(b"O", 0.05))


def endless_hints(path: str) -> Iterable[bytes | float]:
    return itertools.repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)


def now_and_then_a_hint(path: str) -> Iterable[bytes | float]:
    return dripping(b"HTTP/1.1 100 Continue\r\n\r\n", 0.05)


def silent(path: str) -> Iterable[bytes | float]:
    return [60.0]


def tiny_chunks(path: str) -> Iterable[bytes | float]:
    return itertools.chain([CHUNKED], dripping(chunk(b" ") * 1000, 0.005))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "script",
    [slow_body, slow_headers, slow_status, endless_hints, now_and_then_a_hint, silent, tiny_chunks],
)
def test_the_deadline_holds_whatever_is_sent(client: str, script) -> None:
    with hostile_server(script) as server:
        started = time.monotonic()
        with pytest.raises(LLMTimeoutError, match="no answer in time after 1 try"):
            ask(client, server.base_url)
        assert DEADLINE_S - 0.05 <= time.monotonic() - started <= DEADLINE_S + SLACK_S


@pytest.mark.parametrize("client", CLIENTS)
def test_the_deadline_is_for_all_tries_together(client: str) -> None:
    config = LLMConfig(
        model="m", timeout_s=0.3, deadline_s=1.0, max_retries=50, backoff_s=0.01, max_backoff_s=0.01
    )
    with hostile_server(slow_body) as server:
        started = time.monotonic()
        with pytest.raises(LLMTimeoutError):
            ask(client, server.base_url, config)
        assert 0.6 <= time.monotonic() - started <= DEADLINE_S + SLACK_S
        assert 3 <= len(server.requests) <= 4


def endless_body(path: str) -> Iterable[bytes | float]:
    return itertools.chain([CHUNKED], itertools.repeat(chunk(b" " * 2**20)))


def endless_promise(path: str) -> Iterable[bytes | float]:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"
    return itertools.chain([head], itertools.repeat(b"9" * 2**20))


def many_lists(path: str) -> Iterable[bytes | float]:
    # In Python each of these takes some sixty bytes.
    return [answer(b"[" + b"[]," * (2 * 2**20) + b"0]")]


@functools.cache
def bomb(size: int, wrap: str = "gzip") -> bytes:
    if wrap == "gzip":
        return gzip.compress(b" " * size, 1)
    packer = zlib.compressobj(wbits=15 if wrap == "deflate" else -15)
    return packer.compress(b" " * size) + packer.flush()


def gzip_bomb(path: str) -> Iterable[bytes | float]:
    return [answer(bomb(2**28), "content-encoding: gzip")]


def deflate_bomb(path: str) -> Iterable[bytes | float]:
    return [answer(bomb(2**28, "deflate"), "content-encoding: deflate")]


def bomb_in_a_bomb(path: str) -> Iterable[bytes | float]:
    return [answer(gzip.compress(bomb(2**28)), "content-encoding: gzip, gzip")]


def brotli(path: str) -> Iterable[bytes | float]:
    return [answer(b"\x0b\x02\x80[]\x03", "content-encoding: br")]


SIZES = {
    "endless_body": "too_large",
    "endless_promise": "too_large",
    "many_lists": "too_large",
    "gzip_bomb": "too_large",
    "deflate_bomb": "too_large",
    "bomb_in_a_bomb": "wrong_encoding",
    "brotli": "wrong_encoding",
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("script", ["endless_body", "endless_promise", "brotli", "deflate_bomb"])
def test_what_is_too_large_is_given_up(client: str, script: str) -> None:
    with hostile_server(globals()[script]) as server:
        with pytest.raises(LLMResponseError) as caught:
            ask(client, server.base_url, LLMConfig(model="m", deadline_s=30.0))
        assert caught.value.name == SIZES[script]
        assert len(server.requests) == 1


_MEASURED = """
import json, resource, sys
from tests.llms.endpoint.test_transport import ask
from rememberer_nb.config import LLMConfig
from rememberer_nb.errors import LLMError
import rememberer_nb.llms.endpoint.transport

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before, name = peak(), None
try:
    ask(sys.argv[1], sys.argv[2], LLMConfig(model="m", deadline_s=60.0, max_retries=0))
except LLMError as error:
    name = error.name
print(json.dumps([name, peak() - before]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("script", SIZES)
def test_memory_stays_small(client: str, script: str) -> None:
    with hostile_server(globals()[script]) as server:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURED, client, server.base_url],
            capture_output=True, text=True, check=True, timeout=90, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    name, more_mb = json.loads(done.stdout)
    assert name == SIZES[script]
    assert more_mb < 200


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_what_is_packed_is_unpacked(client: str, encoding: str) -> None:
    body = json.dumps(GOOD[client]).encode()
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}[encoding]
    with hostile_server(lambda _: [answer(pack(body), f"content-encoding: {encoding}")]) as server:
        assert ask(client, server.base_url)[0] in ("go[on]", [[1.0]])
        assert b"accept-encoding: gzip, deflate\r\n" in server.requests[0].lower()


def redirect(to: str, status: str = "307 Temporary Redirect") -> bytes:
    return answer(b"", f"location: {to}", status=status)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_redirect_on_the_same_server_is_followed_and_counted(client: str) -> None:
    def script(path: str) -> Iterable[bytes]:
        hops = {"/v1": "/a?b=c", "/a?": f"http://127.0.0.1:{server.port}/c"}
        body = json.dumps(GOOD[client]).encode()
        return [redirect(hops[path[:3]]) if path[:3] in hops else answer(body)]

    with hostile_server(script) as server:
        found, n_requests = ask(client, server.base_url)
        assert found in ("go[on]", [[1.0]])
        assert n_requests == len(server.requests) == 3 <= MAX_REDIRECTS + 1
        assert all(b"the whole prompt" in request for request in server.requests)
        assert all(KEY.encode() in request for request in server.requests)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 T", "308 P"])
def test_nothing_goes_to_another_server(client: str, status: str) -> None:
    with hostile_server(lambda _: [answer(b"{}")]) as other:
        script = [redirect(f"http://localhost:{other.port}/v1?key={KEY}", status)]
        with hostile_server(lambda _: script) as server:
            with pytest.raises(
                LLMEndpointError, match=r"another server.*set OPENAI_BASE"
            ) as caught:
                ask(client, server.base_url)
            assert len(server.requests) == 1
        assert other.requests == []
    assert f"http://localhost:{other.port}" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("location", "status", "complaint", "n_requests"),
    [
        ("/v1/again", "307 T", "redirects more than 3 times", 4),
        ("https://127.0.0.1/v1", "308 P", "redirects to another server", 1),
        ("//evil.example/v1", "307 T", "to another server, http://evil.example", 1),
        ("/v1/there", "302 Found", "with status 302, without the request", 1),
        ("http://[", "307 T", "redirects to another server", 1),
        ("/" + "a" * 70_000, "307 T", "to what is no address", 1),
        (f"http://{KEY.lower()}.example/", "307 T", r"http://\[hidden\]\.example", 1),
    ],
)
def test_redirects_that_lead_nowhere(
    client: str, location: str, status: str, complaint: str, n_requests: int
) -> None:
    with hostile_server(lambda _: [redirect(location, status)]) as server:
        with pytest.raises(LLMEndpointError, match=complaint):
            ask(client, server.base_url)
        assert len(server.requests) == n_requests


ODD = {
    "a charset that is none": answer(b"{}", "content-type: text/html; charset=hex"),
    "a charset that is none, refused": answer(
        b"7b7d", "content-type: text/html; charset=hex", status="400 Bad Request"
    ),
    "a redirect to nowhere": answer(b"{}", status="302 Found"),
    "no body": answer(b"", status="204 No Content"),
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "an endless refusal": b"HTTP/1.1 503 Busy\r\n\r\n" + b"busy " * 200_000,
    "a packed refusal": answer(bomb(2**24), "content-encoding: br", status="400 Bad Request"),
    "half a gzip": answer(gzip.compress(b"{}")[:9], "content-encoding: gzip"),
    "not a gzip": answer(b"{}", "content-encoding: gzip"),
    "not HTTP": b"220 mail.example ESMTP\r\n",
    "a header that is none": b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n{}",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"x-more: 1\r\n" * 50_000 + b"\r\n{}",
    "a length that is none": b"HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\n{}",
    "deep JSON": answer(b"[" * 90_000),
    "deep JSON, refused": answer(b"[" * 60_000, status="400 Bad Request"),
    "a number without end": answer(b'{"usage": ' + b"9" * 10_000 + b"}"),
    "not UTF-8": answer(b'{"error": "\xff\xfe"}', status="422 Unprocessable"),
    "an error that is a text": answer(b'{"error": "no"}', status="400 Bad Request"),
    "an error of lists": answer(
        b'{"error": {"message": [1], "param": {}, "code": [], "type": 3}}', status="422 U"
    ),
    "a wait without end": answer(
        b"{}", "retry-after: Fri, 01 May 2026 12:00:30 +99999999", status="503 Busy"
    ),
}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", ODD)
def test_odd_answers_are_named_errors(client: str, case: str) -> None:
    def script(path: str) -> Iterable[bytes]:
        yield ODD[case]
        # Where no length was given, the end of the connection is the end of the body.
        raise ConnectionAbortedError

    with hostile_server(script) as server, pytest.raises(LLMError) as caught:
        ask(client, server.base_url)
    assert caught.value.name not in ("", "llm")
    assert len(str(caught.value)) < 600


def test_the_libraries_logs_stay_silent(caplog: pytest.LogCaptureFixture) -> None:
    """They would show the address, and headers that may echo the key."""
    body = json.dumps(GOOD["completions"]).encode()
    with (
        hostile_server(
            lambda _: [answer(body, f"x-request-id: {KEY}", f"x-echo: {KEY}")]
        ) as server,
        caplog.at_level("DEBUG"),
    ):
        ask("completions", server.base_url)
    assert KEY not in caplog.text


def test_an_unused_server_is_closed() -> None:
    with hostile_server(silent) as server:
        assert isinstance(server, HostileServer)
    assert not any(thread.is_alive() for thread in server._threads)
