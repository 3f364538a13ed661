"""HTTP for both clients: a request and its answer, bounded in time, in size and in where it goes.

- **Time**: a request ends when its time is up, whatever the server sends meanwhile. (The timeouts
  of HTTP clients start anew with every byte.)
- **Size**: a body is decoded as it comes, and given up when it is longer than `max_bytes`.
- **Reach**: a redirect is followed on the same server alone, and counts as a request.

The requests are made by the `openai` client; its own retries, timeouts and redirects are off. What
it sends them with is httpx2, which comes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import weakref
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import httpx2
import openai

from rememberer_nb.errors import LLMEndpointError, LLMResponseError
from rememberer_nb.llms.endpoint.background import BackgroundLoop
from rememberer_nb.llms.endpoint.refusals import Answer, Failure
from rememberer_nb.llms.endpoint.secret import Endpoint

# A reply is a few kilobytes, 64 embeddings of 4096 numbers are six megabytes.
MAX_BYTES = 8 * 2**20
MAX_REDIRECTS = 3
_MAX_REFUSAL_BYTES = 2**16
_MAX_PROBLEM = 300
_PARTS_AT_ONCE = 64
_HEADERS = {"accept-encoding": "gzip, deflate", "content-type": "application/json"}
# Those that take bounded memory to decode, one at a time.
_ENCODINGS = ("", "identity", "gzip", "deflate")
_KEEPS_METHOD = (307, 308)
Result = TypeVar("Result")

# At these levels and below they log addresses and the server's headers, which may hold secrets.
for _name in ("httpx2", "httpcore2", "openai"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Transport:
    """Connections to one endpoint, and the thread that serves them.

    Parameters
    ----------
    endpoint : address and key.
    max_bytes : the longest body, decoded.

    Calls may come from several threads. `n_requests` counts every request sent.
    """

    def __init__(self, endpoint: Endpoint, *, max_bytes: int = MAX_BYTES):
        self.endpoint = endpoint
        self.n_requests = 0
        self._loop = BackgroundLoop()
        self._client = openai.AsyncOpenAI(
            api_key=endpoint.key,
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=None,
            default_headers=_HEADERS,
            http_client=_BoundedClient(max_bytes, base_url=endpoint.base_url),
        )
        # Whoever retrieves from a memory closes the memory at most.
        self._closing = weakref.finalize(self, _close, self._loop, self._client)

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Wait for a coroutine that uses `post`; see `BackgroundLoop.run`."""
        return self._loop.run(coroutine)

    def interrupt(self) -> None:
        """Cancel every call under way."""
        self._loop.interrupt()

    def close(self) -> None:
        """Cancel what is under way, close the connections, end the thread."""
        self._closing()

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        timeout_s: float,
        on_redirect: Callable[[], None] = lambda: None,
    ) -> Answer | Failure:
        """Send a request, and wait for its answer for at most `timeout_s`.

        Parameters
        ----------
        path : below the endpoint's address.
        body : JSON values.
        timeout_s : for everything, redirects included.
        on_redirect : called before a request is sent again to where the server says; may raise.

        Raises
        ------
        LLMEndpointError : redirected to another server, or too often.
        LLMResponseError : "too_large", the answer's body.
        """
        try:
            async with asyncio.timeout(max(0.0, timeout_s)):
                return await self._post(path, body, on_redirect)
        except TimeoutError:
            return Failure()

    async def _post(
        self, path: str, body: Mapping[str, Any], on_redirect: Callable[[], None]
    ) -> Answer | Failure:
        # Escaped as ASCII, since half a surrogate pair has no UTF-8.
        content = json.dumps(body).encode()
        for n_redirects in range(MAX_REDIRECTS + 1):
            if n_redirects:
                on_redirect()
            self.n_requests += 1
            result = await self._send(path, content)
            if isinstance(result, Failure):
                return result
            if not result.has_redirect_location:
                return Answer(result.status_code, result.headers, result.content)
            path = self._target(result)
        raise self._astray(f"redirects more than {MAX_REDIRECTS} times")

    async def _send(self, path: str, content: bytes) -> httpx2.Response | Failure:
        try:
            return await self._client.post(path, cast_to=httpx2.Response, content=content)
        except openai.APIStatusError as error:
            return error.response
        except openai.APIConnectionError as error:
            cause = error.__cause__
            problem = self.endpoint.scrub(f"{error} {cause or ''}".strip())
            return Failure(problem[:_MAX_PROBLEM], not isinstance(cause, httpx2.ConnectError))

    def _target(self, response: httpx2.Response) -> str:
        """Where to send the request again: another path of the same server."""
        here = response.request.url
        try:
            there = here.join(response.headers["location"])
        except httpx2.InvalidURL:
            raise self._astray("redirects to what is no address") from None
        if (there.scheme, there.host, there.port) != (here.scheme, here.host, here.port):
            netloc = there.netloc.decode("ascii", "replace")
            raise self._astray(f"redirects to another server, {there.scheme}://{netloc}")
        if response.status_code not in _KEEPS_METHOD:
            raise self._astray(f"redirects with status {response.status_code}, without the request")
        return str(here.copy_with(raw_path=there.raw_path))

    def _astray(self, what: str) -> LLMEndpointError:
        said = self.endpoint.scrub(f"{self.endpoint.host} {what}")[:_MAX_PROBLEM]
        return LLMEndpointError(f"{said}: set {self.endpoint.url_variable} to where it answers")


class _BoundedClient(openai.DefaultAsyncHttpxClient):
    """A client whose responses are read already, and no longer than they may be."""

    def __init__(self, max_bytes: int, **settings: Any):
        super().__init__(follow_redirects=False, **settings)
        self._max_bytes = max_bytes

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """The response to a request."""
        response = await super().send(request, **{**options, "stream": True})
        try:
            content = await self._read(response)
        finally:
            await response.aclose()
        # Nobody is to decode it again, nor by a charset that the server makes up.
        kept = [(n, v) for n, v in response.headers.multi_items() if not n.startswith("content-")]
        return httpx2.Response(response.status_code, headers=kept, content=content, request=request)

    async def _read(self, response: httpx2.Response) -> bytes:
        encoding = response.headers.get("content-encoding", "").strip().lower()
        limit = self._max_bytes if response.is_success else _MAX_REFUSAL_BYTES
        content, n_parts = bytearray(), 0
        if encoding in _ENCODINGS:
            async with contextlib.aclosing(response.aiter_bytes()) as parts:
                async for part in parts:
                    content += part
                    if len(content) > limit:
                        break
                    n_parts += 1
                    if n_parts % _PARTS_AT_ONCE == 0:
                        # More may have come already, but the time may be up, and others wait.
                        await asyncio.sleep(0)
        if not response.is_success:
            return bytes(content[:limit])
        if encoding not in _ENCODINGS:
            problem = f"the answer is encoded otherwise than was asked for: {encoding[:40]!r}"
            raise LLMResponseError(problem, name="wrong_encoding")
        if len(content) > limit:
            raise LLMResponseError(f"the answer is longer than {limit:,} bytes", name="too_large")
        return bytes(content)


def _close(loop: BackgroundLoop, client: openai.AsyncOpenAI) -> None:
    loop.close(client.close())
