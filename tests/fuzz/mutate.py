"""Valid inputs made invalid: bytes, JSON values and texts, each with a few things changed."""

from __future__ import annotations

import copy
import csv
import io
import json
import random
from collections.abc import Callable
from typing import Any

# What JSON text can hold, though Python itself would not write it.
RAW = (
    "NaN", "-Infinity", "1e999", "-1e999", "1e308", "9" * 400, "9" * 5000, "-0.0", "1e-400",
    "[" * 2000 + "]" * 2000, '{"a":' * 150 + "1" + "}" * 150, "[" * 90 + "]" * 90,
    '{"a": 1, "a": 2}', '"\\ud800"', '"\\u0000"', "nul", "", "0x10", "[1,]", "'a'", "01",
)  # fmt: skip
TEXTS = (
    "", " ", "\r\n", "\n", "\t", "\0", "\x1b[31m", "\u202e", "\ud800", "\ufeff", "\u2028", "é",
    "a" * 5000, "[" * 3000, "\\", '"', "'", "<b>&", "%s {x}", "../../x", "1e999", "nan", "None",
    "click[buy now]", "search[", "-----------------\n0\n", "Instruction:\n", "[Search]", ";" * 50,
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e300,
    -1e308, 5e-324, [], {}, [[]], [None], {"": None}, {"a": {"a": 1}}, [1, "a"], [[1, 2, 3]],
)  # fmt: skip
Path = tuple[Any, ...]


class Mutator:
    """Changes drawn from one generator: equal seeds make equal changes."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def some(self, most: int = 3) -> range:
        """How many changes to make: mostly one."""
        return range(self.rng.choice((1, 1, 1, 2, most)))

    def bytes(self, data: bytes) -> bytes:
        """Bytes flipped, cut off, repeated, taken out or put in."""
        made = bytearray(data)
        for _ in self.some(8):
            at = self.rng.randrange(len(made) + 1)
            size = self.rng.choice((1, 1, 2, 16, 500))
            change = self.rng.choice(("flip", "flip", "cut", "repeat", "remove", "insert"))
            if change == "flip" and at < len(made):
                made[at] ^= 1 << self.rng.randrange(8)
            elif change == "cut":
                del made[at:]
            elif change == "repeat":
                made[at:at] = made[at : at + size] * self.rng.choice((1, 3))
            elif change == "remove":
                del made[at : at + size]
            elif change == "insert":
                made[at:at] = self.rng.choice((self.rng.randbytes(size), b"\xff", b"\0" * size))
        return bytes(made)

    def text(self, text: str) -> str:
        """Lines and characters of a text changed; odd texts put in."""
        for _ in self.some(5):
            lines = text.split("\n")
            at = self.rng.randrange(len(lines))
            change = self.rng.randrange(6)
            if change == 0:
                lines.insert(at, self.odd_text())
            elif change == 1:
                del lines[at]
            elif change == 2:
                lines[at:at] = lines[at : at + 3] * self.rng.choice((1, 2, 50))
            elif change == 3:
                cut = self.rng.randrange(len(lines[at]) + 1)
                lines[at] = lines[at][:cut] + self.odd_text() + lines[at][cut:]
            elif change == 4:
                other = self.rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            else:
                lines[at] = "".join(
                    self.rng.choice((c, "9" * 400, "-", "1e999")) if c.isdigit() else c
                    for c in lines[at]
                )
            text = "\n".join(lines)
        return text

    def odd_text(self) -> str:
        """A text that breaks things, or a few random characters."""
        if self.rng.random() < 0.7:
            return self.rng.choice(TEXTS)
        return "".join(chr(self.rng.choice((self.rng.randrange(128), self.rng.randrange(0x11000))))
                       for _ in range(self.rng.randrange(12)))  # fmt: skip

    def json(self, value: Any, dump: Callable[..., str] = json.dumps) -> str:
        """A JSON text of the value with parts replaced, lost, doubled or moved."""
        value = copy.deepcopy(value)
        raw: dict[str, str] = {}
        for _ in self.some():
            value = self._change(value, raw)
        text = dump(value)
        for token, written in raw.items():
            text = text.replace(json.dumps(token), written)
        return text

    def json_lines(self, values: list[Any]) -> str:
        """JSON Lines, one or two of them changed, lost, doubled or swapped."""
        lines = [json.dumps(value) for value in values]
        for _ in self.some(2):
            at = self.rng.randrange(len(lines))
            change = self.rng.randrange(8)
            if change == 0 and len(lines) > 1:
                del lines[at]
            elif change == 1:
                lines.insert(at, lines[self.rng.randrange(len(lines))])
            elif change == 2:
                lines[at] = self.text(lines[at])
            else:
                lines[at] = self.json(values[at % len(values)])
        return "\n".join(lines) + self.rng.choice(("\n", "\n", "", "\r\n"))

    def _change(self, value: Any, raw: dict[str, str]) -> Any:
        path = self._place(value)
        if not path:
            return self._odd(value, raw)
        parent = value
        for key in path[:-1]:
            parent = parent[key]
        key = path[-1]
        change = self.rng.randrange(8)
        if change == 0:
            del parent[key]
        elif change == 1 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(self.rng.choice(parent)))
        elif change == 2 and isinstance(parent, dict):
            parent[self.odd_text()] = parent.pop(key)
        elif change == 3 and isinstance(parent, dict):
            other = self.rng.choice(list(parent))
            parent[key], parent[other] = parent[other], parent[key]
        else:
            parent[key] = self._odd(parent[key], raw)
        return value

    def _place(self, value: Any) -> Path:
        """A place inside, level by level, so that a small field is as likely as a long list."""
        path: Path = ()
        while isinstance(value, dict | list) and value and self.rng.random() < 0.85:
            keys = list(value) if isinstance(value, dict) else range(len(value))
            path = (*path, self.rng.choice(keys))
            value = value[path[-1]]
        return path

    def _odd(self, old: Any, raw: dict[str, str]) -> Any:
        kind = self.rng.randrange(5)
        if kind == 0 or (kind == 1 and isinstance(old, int | float)):
            token = f"@raw{len(raw)}@"
            raw[token] = self.rng.choice(RAW)
            return token
        if kind == 1 or (kind == 2 and isinstance(old, str)):
            return self.odd_text() if kind == 1 else self.text(str(old))
        if kind == 2 and isinstance(old, int | float):
            return self.rng.choice((-old, old + 1, old * 2**60, str(old), [old], float(old)))
        return copy.deepcopy(self.rng.choice(VALUES))

    def csv(self, text: str) -> str:
        """A table with a cell or two replaced; else changed as any text."""
        if self.rng.random() < 0.4:
            return self.text(text)
        rows = list(csv.reader(io.StringIO(text, newline="")))
        for _ in self.some():
            row = self.rng.choice(rows)
            cell = self.rng.randrange(len(row))
            row[cell] = self.rng.choice((self.json(row[cell]), self.odd_text(), self._raw()))
        made = io.StringIO(newline="")
        csv.writer(made, quoting=csv.QUOTE_ALL).writerows(rows)
        return made.getvalue()

    def _raw(self) -> str:
        return self.rng.choice((*RAW, *map(json.dumps, VALUES)))
