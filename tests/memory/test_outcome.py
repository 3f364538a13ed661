"""An episode in numbers, by hand."""

from __future__ import annotations

import json

from rememberer_nb.elements import Decision, Episode, Prompt, Reply, Step, Task
from rememberer_nb.memory.outcome import Outcome

PROMPT = Prompt((), "", 5)


def episode(**settings: object) -> Episode:
    decisions = [
        Decision("a", prompt=PROMPT, reply=Reply("a", 10, 2)),
        Decision("b", prompt=PROMPT, reply=Reply("?", 20, 3), error="none", error_name="reply"),
        Decision("c", prompt=PROMPT, error="too late", error_name="timeout"),
        Decision("d", error="odd", error_name="timeout"),
    ]
    steps = tuple(Step(i, "o", (), "", d, 0.1) for i, d in enumerate(decisions))
    return Episode("e", "env", "agent", Task("7", "g", 7), steps, "end", True, **settings)


def test_by_hand() -> None:
    calls = [{"purpose": "reflection", "prompt_tokens": 4, "completion_tokens": 1, "error": None}]
    found = Outcome.of(episode(epoch=2, metadata={"position": 5, "calls": calls}))
    assert (found.task, found.epoch, found.position, found.is_success) == (7, 2, 5, True)
    # To the last bit: 0.1 four times, added up.
    assert (found.n_steps, found.total_reward) == (4, 0.1 + 0.1 + 0.1 + 0.1)
    # The last step asked nobody; the one before got no reply.
    assert (found.n_reply_errors, found.n_asked) == (3, 3)
    assert (found.prompt_tokens, found.completion_tokens) == (30, 5)
    assert (dict(found.failures), list(found.calls)) == ({"timeout": 1}, calls)
    assert Outcome.of(found) is found


def test_of_an_episode_that_is_part_of_no_run() -> None:
    found = Outcome.of(episode(metadata={"calls": "no list"}))
    assert (found.position, found.calls) == (None, "no list")
    assert Outcome.parse(found.to_text()) == found


def test_as_text() -> None:
    text = Outcome.of(episode(metadata={"position": 1})).to_text()
    assert json.loads(text) == [7, 0, 1, True, 4, 0.4, 3, 3, 30, 5, {"timeout": 1}, []]
    assert Outcome.parse(text) == Outcome.of(episode(metadata={"position": 1}))
