"""Secrets are found in every spelling, and nothing else is."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.llms.endpoint.hiding import hidden_pattern
from rememberer_nb.llms.endpoint.secret import HIDDEN, Endpoint
from tests.llms.conftest import KEY

ENDPOINT = Endpoint("https://me:pass-w%2Frd@host/v1?code=query/secret", "sk-a/b+c_" + KEY[3:])


def escaped(text: str, form: str) -> str:
    return "".join(form.format(ord(c), c) for c in text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "capitals": str.upper,
    "JSON": json.dumps,
    "JSON, one character": lambda key: key.replace("-", "\\u002d"),
    "JSON, capitals": lambda key: key.replace("k", "\\u006B").replace("-", "\\u002D"),
    "JSON, every character": lambda key: escaped(key, "\\u{:04x}"),
    "JSON, slashes": lambda key: key.replace("/", "\\/"),
    "JSON in JSON": lambda key: json.dumps(json.dumps(escaped(key, "\\u{:04X}"))),
    "JSON, the backslash too": lambda key: escaped(key, "\\u005cu{:04x}"),
    "JavaScript": lambda key: escaped(key, "\\u{{{:x}}}"),
    "Python": lambda key: escaped(key, "\\U{:08x}"),
    "bytes": lambda key: escaped(key, "\\x{:02x}"),
    "percent": lambda key: quote(key, safe=""),
    "percent, every character": lambda key: escaped(key, "%{:02x}"),
    "percent twice": lambda key: quote(quote(key, safe=""), safe=""),
    "HTML": lambda key: escaped(key, "&#{};"),
    "HTML, hexadecimal": lambda key: escaped(key, "&#x{:X};"),
    "hexadecimal": lambda key: key.encode().hex(),
    "hexadecimal, capitals": lambda key: key.encode().hex().upper(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of more": lambda key: base64.b64encode(f"me:{key}".encode()).decode(),
    "base64 of still more": lambda key: base64.b64encode(f"you:{key}!".encode()).decode(),
    "base64 for addresses": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "lines": lambda key: "\n".join([key[:7], key[7:20], key[20:]]),
    "escaped lines": lambda key: f"{key[:9]}\\n{key[9:]}",
    "UTF-16": lambda key: key.encode("utf-16-le").decode("latin-1"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("secret", [ENDPOINT.key, "pass-w/rd", "pass-w%2Frd", "query/secret"])
def test_secrets_are_hidden_in_every_spelling(spelling: str, secret: str) -> None:
    found = ENDPOINT.hide(f"so: {SPELLINGS[spelling](secret)} it is")
    assert HIDDEN in found
    # All that may be left are ends that base64 shares with what stands beside it ("you:", "!").
    assert len(found) <= len(f"so: {HIDDEN} it is") + 12
    assert found.startswith("so: ")
    assert found.endswith(" it is")


@given(st.text(st.sampled_from("sk-a/b+c_0123é\n"), max_size=60), st.sampled_from([*SPELLINGS]))
def test_what_is_decoded_later_holds_no_key(before: str, spelling: str) -> None:
    secret = ENDPOINT.key
    text = ENDPOINT.hide(before + SPELLINGS[spelling](secret) + before)
    assert secret not in text
    assert secret not in json.loads(json.dumps(text))
    assert secret not in text.encode().decode("unicode_escape", "replace")


@given(st.text())
def test_harmless_texts_stay_as_they_are(text: str) -> None:
    assert Endpoint("http://localhost/v1", KEY).hide(text) == text


def test_names_and_values_of_json() -> None:
    data = {KEY: [f"a {KEY}", 3, None, {"deep": [KEY]}]}
    assert Endpoint("http://localhost/v1", KEY).hide_all(data) == {
        HIDDEN: [f"a {HIDDEN}", 3, None, {"deep": [HIDDEN]}]
    }


@pytest.mark.parametrize(
    "bad",
    ["\\n", "n", "n ", "\\", "%25", "&amp;", "n\\\\n", "nr", "\\u005c", "&#0", "\\u0000"],
)
@pytest.mark.parametrize(
    "secret", ["nnnnrrrrtttt", "\\\\\\\\\\\\", "n \t\n\r n", "%25%25", "&#&#&#"]
)
def test_no_text_is_slow(secret: str, bad: str) -> None:
    pattern = hidden_pattern((secret,))
    text = bad * (60_000 // len(bad)) + "!"
    started = time.perf_counter()
    pattern.sub(HIDDEN, text)
    assert time.perf_counter() - started < 1.5
