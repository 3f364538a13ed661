"""Episodes as rows: each text once, and what is read back equals what was written."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rememberer_nb.elements import (
    ActionScore,
    ActionValue,
    Advice,
    Decision,
    Episode,
    Exemplar,
    Hit,
    LeftOut,
    Prompt,
    Record,
    Reply,
    Step,
    Task,
    Update,
)
from rememberer_nb.errors import MemoryFileError
from rememberer_nb.memory.store.store import Store
from rememberer_nb.system.plain import to_data

PAGE = "a page of a shop, as long as pages are \ud83d\n[Buy Now] \n  [Back]"
# Texts that look like references, halves of characters side by side, long and short ones.
ODD = ("", "~", "~0", "^0", "^", "~x", "\ud83d\ude00", "\ud83d", "\x00", "\u2028", PAGE, 9 * "ab ")
texts = st.sampled_from(ODD) | st.text(st.characters(exclude_categories=()), max_size=50)
lists = st.lists(texts, max_size=4).map(tuple)
reals = st.floats(-1e99, 1e99)
counts = st.integers(0, 2**40)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | reals | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(texts, plain, max_size=3)
values = st.builds(
    ActionValue, texts, reals, counts, reals, texts, st.booleans(),
    st.lists(st.tuples(reals, counts), max_size=2).map(tuple),
)  # fmt: skip
records = st.builds(
    Record, counts, texts, texts, lists, st.lists(values, max_size=2).map(tuple), texts, mappings
)
advice = st.lists(st.builds(Advice, texts, st.none() | reals, texts, st.booleans()), max_size=2)
exemplars = st.builds(
    Exemplar, counts, texts, texts, lists, advice.map(tuple), advice.map(tuple)
)  # fmt: skip
left_out = st.builds(LeftOut, texts, texts, counts, st.none() | counts)
messages = st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
prompts = st.builds(
    Prompt, messages, texts, counts, st.lists(left_out, max_size=2).map(tuple),
    st.none() | mappings, st.sampled_from(["chat", "chat_turns", "completion"]),
)  # fmt: skip
scores = st.builds(ActionScore, texts, texts, reals, counts, reals, reals)
joined = messages.map(lambda found: Prompt(found, "\n\n".join(text for _, text in found), 1))
updates = st.builds(
    Update, st.integers(0, 9), texts, counts, counts, texts, st.integers(0, 1),
    st.lists(reals, max_size=2).map(tuple), reals, st.none() | reals, st.none() | counts,
    st.booleans(), reals, reals, reals, reals, counts,
    st.lists(st.tuples(counts, reals), max_size=2).map(tuple),
)  # fmt: skip


@st.composite
def episodes(draw: st.DrawFn) -> Episode:
    steps = []
    for index in range(draw(st.integers(0, 3))):
        hits = [
            Hit(rank, *draw(st.tuples(reals, reals, reals, records)), draw(st.tuples(texts, texts)))
            for rank in range(draw(st.integers(0, 2)))
        ]
        decision = Decision(
            draw(texts), draw(texts), tuple(hits), tuple(draw(st.lists(exemplars, max_size=2))),
            draw(st.none() | prompts | joined),
            draw(st.none() | st.builds(Reply, texts, counts, counts, reals, texts)),
            draw(st.none() | texts), draw(st.none() | texts),
            tuple(draw(advice)), tuple(draw(advice)), tuple(draw(st.lists(scores, max_size=2))),
        )  # fmt: skip
        found = tuple(draw(st.lists(updates, max_size=2)))
        steps.append(Step(index, draw(texts), draw(lists), "p", decision, draw(reals), True,
                          updates=found))  # fmt: skip
    task = Task(draw(texts), draw(texts), draw(counts))
    return Episode(
        draw(texts), draw(texts), draw(texts), task, tuple(steps), draw(texts), draw(st.booleans()),
        metadata=draw(mappings),
    )  # fmt: skip


def exact(episode: Episode) -> str:
    """Its data to the last digit, and the sign of a zero."""
    return json.dumps(to_data(episode), ensure_ascii=False)


@settings(max_examples=50)
@given(st.lists(episodes(), max_size=3), st.data())
def test_any_episode_is_read_back_equal(written: list[Episode], data: st.DataObject) -> None:
    """Whether or not the log holds its updates, and holds them alike."""
    all_updates = [u for episode in written for step in episode.steps for u in step.updates]
    logged = {u.update_id: u for u in all_updates if data.draw(st.booleans())}
    store = Store()
    store.write(updates=logged.values(), episodes=written)
    read = list(store.load_episodes())
    assert read == written
    assert list(map(exact, read)) == list(map(exact, written))
    assert list(store.wrong_rows()) == []


HEAD = "how to play, and how to reply, in so many words"


def episode(name: str, *, page: str = PAGE, updates: tuple[Update, ...] = ()) -> Episode:
    question = f"## Now\n| {page}\nReply:"
    prompt = Prompt((("system", HEAD), ("user", question)), f"{HEAD}\n\n{question}", 12)
    record = Record(3, "g", page, ("go[on]", "go[back]"), (ActionValue("go[on]", 0.5, 1),))
    decision = Decision("go[on]", hits=(Hit(0, 0.5, 0.25, 0.75, record, ("g", page)),))
    asked = Decision("go[on]", prompt=prompt, reply=Reply("go[on]", 12, 3))
    steps = (
        Step(0, page, ("go[on]", "go[back]"), "page", decision, 0.0),
        Step(1, page, ("go[on]",), "page", asked, 0.5, terminated=True, updates=updates),
    )
    return Episode(name, "shop", "tester", Task("7", "g", 7), steps, page)


def held_texts(store: Store) -> list[object]:
    rows = store.select("SELECT data FROM texts ORDER BY first")
    return [
        text
        for (data,) in rows
        for text in json.loads(zlib.decompress(data).decode("utf-8", "surrogatepass"))
    ]


def test_a_text_lies_in_the_file_once() -> None:
    store = Store()
    store.write(episodes=[episode("one"), episode("two"), episode("three", page=PAGE[::-1])])
    held = held_texts(store)
    # The page stands five times in each episode, and the head of the prompt once.
    assert [held.count(part) for part in (PAGE, PAGE[::-1], HEAD)] == [1, 1, 1]
    assert [part for part in held if isinstance(part, str)] == [PAGE, HEAD, PAGE[::-1]]
    assert store.count("texts") == 2
    assert [first for (first,) in store.select("SELECT first FROM texts")][1] == len(held) - 1
    assert [e.final_observation for e in store.load_episodes()] == [PAGE, PAGE, PAGE[::-1]]


def test_texts_of_equal_checksums_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "crc32", lambda _: 7)
    store = Store()
    written = [episode("one"), episode("two", page=PAGE[::-1]), episode("three")]
    store.write(episodes=written)
    assert list(store.load_episodes()) == written


def test_an_update_is_kept_by_its_id_if_the_log_tells_it_alike() -> None:
    update = Update(
        4, "e", 1, 3, "go[on]", 0, (0.5,), 1.0, None, None, False, 0.5, 1.0, 0.0, 0.5, 1
    )
    store = Store()
    store.write(updates=[update], episodes=[episode("e", updates=(update,))])
    store.write(episodes=[episode("none")])
    with_update, without = (len(data) for (data,) in store.select("SELECT data FROM episodes"))
    assert with_update < without + 10
    (read, _) = store.load_episodes()
    assert read.steps[1].updates == (update,)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM texts", "it lacks text 0, which an episode refers to"),
        ("DELETE FROM updates", "it lacks update 4, which an episode refers to"),
        ("UPDATE episodes SET texts = x'00'", "Error -5"),
        ("UPDATE texts SET data = x'00'", "Error -5"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, statement: str, problem: str) -> None:
    update = Update(
        4, "e", 1, 3, "go[on]", 0, (0.5,), 1.0, None, None, False, 0.5, 1.0, 0.0, 0.5, 1
    )
    store = Store(tmp_path / "m.sqlite")
    store.write(updates=[update], episodes=[episode("e", updates=(update,))])
    store._db().execute(statement)
    with pytest.raises(MemoryFileError, match=rf"m\.sqlite: is damaged: {problem}"):
        list(store.load_episodes())
    store.close()


def test_lists_that_are_read_are_the_reader_s_own() -> None:
    names = ["a name that is long enough to be stored", "another"]
    store = Store()
    written = Episode(
        "e", "env", "agent", Task("7", "g"), (), "", metadata={"a": names, "b": names}
    )
    store.write(episodes=[written])
    (read,) = store.load_episodes()
    read.metadata["a"].append("mine")
    assert read.metadata["b"] == names
