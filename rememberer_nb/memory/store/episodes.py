"""Episodes as rows: what several of them say is stored once.

An episode is mostly texts that the file holds already: pages, tasks, lists of actions, the head of
the prompts. Each lies once in the table `texts`, where a row has those that one episode was the
first to say; `text_index` finds one by its CRC-32. The row of an episode lists the ids of its
texts, and holds the rest as JSON, in which

- "~3" stands for the text or list of texts at place 3 of that list (a text that itself begins with
  ~ or ^ is always put there),
- ["^4", ...] for a mapping with the keys at place 4 and the values that follow,
- a number among a step's updates for that update of the log,
- and no text of a prompt for its messages with an empty line between them.

The JSON is compressed with the texts as a prompt shows them for a dictionary: so the last message
of a prompt, which is the only one like it, takes little more than what is new in it.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from rememberer_nb.elements import Episode
from rememberer_nb.errors import DataError
from rememberer_nb.memory.outcome import Outcome
from rememberer_nb.memory.store.format import (
    EPISODE_COLUMNS,
    TEXT_COLUMNS,
    UPDATE_COLUMNS,
    USE_COLUMNS,
    Row,
    as_cell,
    checksum,
    marks,
    read_update,
)
from rememberer_nb.system.plain import from_data, to_data

# A text, or several: names of fields, available actions.
Part = str | tuple[str, ...]

# Characters: what is shorter takes less room where it stands.
_MIN_TEXT = 40
_MAX_HELD = 20_000


def write_episode(db: sqlite3.Connection, episode: Episode) -> None:
    """Add an episode, and note which records its decisions looked at, and were shown."""
    row = episode_row(db, episode)
    new = db.execute(
        f"INSERT INTO episodes ({EPISODE_COLUMNS}, checksum) VALUES ({marks(5)})",
        (*row, checksum(row)),
    )
    write_uses(db, episode, new.lastrowid)


def write_uses(db: sqlite3.Connection, episode: Episode, number: int | None) -> None:
    """Note which records the decisions of the episode of that number looked at."""
    for step in episode.steps:
        shown = {exemplar.record_id for exemplar in step.decision.exemplars}
        db.executemany(
            f"INSERT INTO uses ({USE_COLUMNS}) VALUES ({marks(6)})",
            [
                (
                    hit.record.record_id, number, step.index, hit.rank, hit.total,
                    hit.record.record_id in shown,
                )
                for hit in step.decision.hits
            ],
        )  # fmt: skip


def episode_row(db: sqlite3.Connection, episode: Episode) -> Row:
    """In the order of `EPISODE_COLUMNS`; its texts, and its updates, are in the file then."""
    tree = _read_json(_json(to_data(episode)))
    messages = list(_shortened(db, tree))
    parts: dict[Part, int] = {}
    content = _json([_packed(tree, parts), messages])
    ids = Texts(db).put(parts)
    packer = zlib.compressobj(9, zdict=_dictionary(parts))
    data = packer.compress(content) + packer.flush()
    outcome = Outcome.of(episode).to_text()
    return as_cell(episode.episode_id), outcome, zlib.compress(_json(ids), 9), data


def read_whole(data: bytes) -> Episode:
    """An episode as older formats have it: all of it, compressed JSON."""
    return from_data(Episode, _read_json(zlib.decompress(data)))


class Texts:
    """The texts of a file; some of them are held in RAM, once for all episodes that are read."""

    def __init__(self, db: sqlite3.Connection):
        self._db = db
        self._held: dict[int, Part] = {}

    def read_episode(self, ids: bytes, data: bytes) -> Episode:
        """From the cells `texts` and `data` of an episode's row."""
        if not ids:
            return read_whole(data)
        parts = [self._get(text_id) for text_id in _read_json(zlib.decompress(ids))]
        packer = zlib.decompressobj(zdict=_dictionary(parts))
        packed, messages = _read_json(packer.decompress(data) + packer.flush())
        tree = _unpacked(packed, parts)
        left = iter(messages)
        for step in tree["steps"]:
            step["updates"] = [self._update(update) for update in step["updates"]]
            if prompt := step["decision"]["prompt"]:
                if prompt["messages"]:
                    prompt["messages"][-1][1] = next(left)
                if prompt["text"] is None:
                    prompt["text"] = _joined(prompt)
        return from_data(Episode, tree)

    def put(self, parts: Iterable[Part]) -> list[int]:
        """The ids of parts; those that are new become a row."""
        query = "SELECT first + n_texts FROM texts ORDER BY first DESC LIMIT 1"
        first = (self._db.execute(query).fetchone() or (0,))[0]
        ids: list[int] = []
        new: list[bytes] = []
        for part in parts:
            content = _json(part)
            found = self._find(part, zlib.crc32(content))
            ids.append(first + len(new) if found is None else found)
            if found is None:
                new.append(content)
        if new:
            row = (first, len(new), zlib.compress(b"[%s]" % b",".join(new), 9))
            query = f"INSERT INTO texts ({TEXT_COLUMNS}, checksum) VALUES ({marks(4)})"
            self._db.execute(query, (*row, checksum(row)))
            index = [(zlib.crc32(content), first + place) for place, content in enumerate(new)]
            self._db.executemany("INSERT INTO text_index (crc, text_id) VALUES (?, ?)", index)
        return ids

    def _find(self, part: Part, crc: int) -> int | None:
        query = "SELECT text_id FROM text_index WHERE crc = ?"
        found = self._db.execute(query, (crc,)).fetchall()
        return next((text_id for (text_id,) in found if self._get(text_id) == part), None)

    def _get(self, text_id: int) -> Part:
        if text_id not in self._held:
            if len(self._held) > _MAX_HELD:
                self._held.clear()
            query = f"SELECT {TEXT_COLUMNS} FROM texts WHERE first <= ? ORDER BY first DESC LIMIT 1"
            for first, _, data in self._db.execute(query, (text_id,)):
                read = _read_json(zlib.decompress(data))
                parts = (part if isinstance(part, str) else tuple(part) for part in read)
                self._held.update(enumerate(parts, start=first))
        if text_id not in self._held:
            raise DataError(f"it lacks text {text_id}, which an episode refers to")
        return self._held[text_id]

    def _update(self, update: Any) -> Any:
        if not isinstance(update, int):
            return update
        if (found := _logged(self._db, update)) is None:
            raise DataError(f"it lacks update {update}, which an episode refers to")
        return found


def _shortened(db: sqlite3.Connection, tree: Any) -> Iterator[str]:
    """Take out of an episode's data what can be worked out again; yields the last messages."""
    for step in tree["steps"]:
        step["updates"] = [_unless_logged(db, update) for update in step["updates"]]
        if prompt := step["decision"]["prompt"]:
            if prompt["text"] == _joined(prompt):
                prompt["text"] = None
            if prompt["messages"]:
                message = prompt["messages"][-1]
                yield message[1]
                message[1] = None


def _joined(prompt: Any) -> str:
    return "\n\n".join(text for _, text in prompt["messages"])


def _unless_logged(db: sqlite3.Connection, update: Any) -> Any:
    """An update, or the id alone of one that the log tells alike, to the last digit."""
    update_id = update["update_id"]
    return update_id if _json(_logged(db, update_id)) == _json(update) else update


def _logged(db: sqlite3.Connection, update_id: int) -> Any:
    """An update of the log as JSON has it; None if there is none."""
    query = f"SELECT {UPDATE_COLUMNS} FROM updates WHERE update_id = ?"
    row = db.execute(query, (update_id,)).fetchone()
    return None if row is None else _read_json(_json(to_data(read_update(row))))


def _packed(node: Any, parts: dict[Part, int]) -> Any:
    """The same with references; `parts` grows by what they refer to."""
    if isinstance(node, dict):
        keys = parts.setdefault(tuple(node), len(parts))
        return [f"^{keys}", *(_packed(value, parts) for value in node.values())]
    is_texts = isinstance(node, list) and all(isinstance(item, str) for item in node)
    # What is available; a pair is a task and its page, or a message and whose it is.
    if is_texts and len(node) > 2 and sum(map(len, node)) >= _MIN_TEXT:
        return f"~{parts.setdefault(tuple(node), len(parts))}"
    if isinstance(node, list):
        return [_packed(item, parts) for item in node]
    if isinstance(node, str) and (len(node) >= _MIN_TEXT or node.startswith(("~", "^"))):
        return f"~{parts.setdefault(node, len(parts))}"
    return node


def _unpacked(node: Any, parts: list[Part]) -> Any:
    if isinstance(node, list):
        head = node[0] if node else None
        if isinstance(head, str) and head.startswith("^"):
            values = [_unpacked(value, parts) for value in node[1:]]
            return dict(zip(parts[int(head[1:])], values, strict=True))
        return [_unpacked(item, parts) for item in node]
    if isinstance(node, str) and node.startswith("~"):
        part = parts[int(node[1:])]
        return part if isinstance(part, str) else list(part)
    return node


def _dictionary(parts: Iterable[Part]) -> bytes:
    """Pages behind bars and actions as bullets, as prompts have them; a hint, and fixed for all
    time: what was compressed with one dictionary cannot be read with another.
    """
    shown = [
        "| " + "\n| ".join(line.strip(" ") for line in part.split("\n"))
        if isinstance(part, str)
        else "- " + "\n- ".join(part)
        for part in parts
    ]
    return _json("\n".join(shown))


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _json(value: Any) -> bytes:
    """With every character as it is: escaped, two halves of a pair would be read as one."""
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def _read_json(content: bytes) -> Any:
    return json.loads(content.decode("utf-8", "surrogatepass"))
