"""An LLM that copies what it is shown, by a rule that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

from rememberer_nb.elements import Prompt, Reply, TextScore

N_TOKENS = 2


class Copier:
    """ln P of an action: 0, and for each line of advice that names it 2 under "Encouraged:" and 1
    under "Discouraged:", plus the value. It writes "hello" into a text, with exemplars "copied".
    """

    name = "copier"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def score(self, prompt: Prompt, candidates: Sequence[str]) -> tuple[TextScore, ...]:
        """Of `N_TOKENS` tokens each."""
        self.asked.append(prompt.text)
        worth = dict.fromkeys(candidates, 0.0)
        label = 0.0
        for line in prompt.text.splitlines():
            label = {"Encouraged:": 2.0, "Discouraged:": 1.0}.get(line, label)
            words, arrow, value = line.removeprefix("-").partition(" ->")
            if arrow and words in worth:
                worth[words] += label + (0.0 if "(" in value else float(value))
        return tuple(TextScore(worth[words], N_TOKENS) for words in candidates)

    def write(self, prompt: Prompt, *, stop: Sequence[str], max_tokens: int = 24) -> Reply:
        """One word."""
        return Reply("copied" if "->" in prompt.text else "hello")
