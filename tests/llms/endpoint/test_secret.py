"""Keys and addresses."""

from __future__ import annotations

import pytest

from rememberer_nb.errors import ConfigError, LLMAuthError
from rememberer_nb.llms.endpoint.secret import DEFAULT_URL, Endpoint, endpoint_from_environment


@pytest.mark.parametrize(
    ("url", "key", "expected"),
    [
        (None, "k", (DEFAULT_URL, "k")),
        ("", " k \n", (DEFAULT_URL, "k")),
        ("https://other.example/v1", "k", ("https://other.example/v1", "k")),
        ("http://localhost:8080/v1", None, ("http://localhost:8080/v1", "none")),
        ("http://127.0.0.1:1/v1", "", ("http://127.0.0.1:1/v1", "none")),
        ("http://[::1]:1/v1", None, ("http://[::1]:1/v1", "none")),
        ("http://192.168.1.7/v1", None, ("http://192.168.1.7/v1", "none")),
        ("http://box.local/v1", None, ("http://box.local/v1", "none")),
        ("http://localhost/v1", "k", ("http://localhost/v1", "k")),
    ],
)
def test_from_the_environment(url: str | None, key: str | None, expected: tuple) -> None:
    given = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": key}
    found = endpoint_from_environment({k: v for k, v in given.items() if v is not None})
    assert (found.base_url, found.key) == expected


@pytest.mark.parametrize("url", [None, "https://api.other.example/v1", "https://8.8.8.8/v1"])
def test_no_key_for_a_server_elsewhere(url: str | None) -> None:
    with pytest.raises(LLMAuthError, match="set OPENAI_API_KEY for") as caught:
        endpoint_from_environment({"OPENAI_BASE_URL": url} if url else {})
    assert "OPENAI_BASE_URL" in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://x/v1", "http://", "http://x:port/", "x"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL must be an address"):
        endpoint_from_environment({"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"})


def test_a_password_in_a_wrong_address_is_not_quoted() -> None:
    with pytest.raises(ConfigError) as caught:
        endpoint_from_environment({"OPENAI_BASE_URL": "ftp://me:pass-word@x/"})
    assert "pass-word" not in str(caught.value)


def test_what_is_hidden() -> None:
    endpoint = Endpoint("https://me:pass-word@host:8/v1?code=query-secret&v=1", "the-key-itself")
    text = "the-key-itself pass-word query-secret v=1 sk-proj-abc*****xyz Bearer abcdef12345=="
    assert endpoint.hide(text) == (
        "[hidden] [hidden] [hidden] v=1 sk-proj-abc*****xyz Bearer abcdef12345=="
    )
    assert endpoint.scrub(text) == "[hidden] [hidden] [hidden] v=1 [hidden] [hidden]"
    assert endpoint.host == "host:8"
    assert repr(endpoint) == "Endpoint()"


def test_short_secrets_leave_words_alone() -> None:
    assert Endpoint(DEFAULT_URL, "none").scrub("none of it") == "none of it"
    assert Endpoint(DEFAULT_URL, "").hide("as it is") == "as it is"


@pytest.mark.parametrize("key", ["two\nlines", "non-ascii-ключ", "a\x00b"])
def test_keys_that_no_header_can_hold(key: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY must be printable ASCII") as caught:
        endpoint_from_environment({"OPENAI_API_KEY": key})
    assert key not in str(caught.value)


def test_messages_name_the_variables_of_their_endpoint() -> None:
    with pytest.raises(LLMAuthError, match=r"set EMBEDDING_API_KEY for .* or EMBEDDING_BASE_URL"):
        endpoint_from_environment(
            {"EMBEDDING_BASE_URL": "https://x.example/v1"}, prefix="EMBEDDING"
        )
