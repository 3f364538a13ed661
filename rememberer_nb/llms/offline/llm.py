"""The stand-in itself: from a prompt's text to a reply, and all that went into it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rememberer_nb.config import OfflineConfig
from rememberer_nb.elements import Advice, Exemplar, Prompt, Reply
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.offline.beliefs import (
    Advised,
    Beliefs,
    Likeness,
    Look,
    PageReading,
    Row,
    situation_likeness,
    softmax,
    weigh,
)
from rememberer_nb.llms.offline.draw import choose_row, draws
from rememberer_nb.llms.offline.parse import (
    AdviceLine,
    Section,
    parse_section,
    split_advice,
    split_prompt,
)
from rememberer_nb.llms.offline.pins import table_sha256
from rememberer_nb.llms.offline.webshop import ShopBeliefs
from rememberer_nb.llms.offline.wikihow import HowToBeliefs
from rememberer_nb.prompting.prompts import ADVICE, estimate_tokens, format_advice
from rememberer_nb.system.plain import to_data

_BELIEFS: dict[str, Beliefs] = {
    beliefs.name: beliefs for beliefs in (ShopBeliefs(), HowToBeliefs())
}

# Raised by one with every change of the code in this folder that changes a reply.
VERSION = 4
_PROSE = "I would rather have another look at this before I decide."


@dataclass(frozen=True, slots=True)
class Deliberation:
    """How the stand-in sees a prompt.

    Parameters
    ----------
    page : the kind of page it takes the present one for.
    features : the page's features, each in [0, 1].
    likenesses : K of each exemplar, in the prompt's order.
    rows : one per candidate action, in the prompt's order.
    """

    page: str
    features: tuple[float, ...]
    likenesses: tuple[float, ...]
    rows: tuple[Row, ...]

    def row(self, action: str) -> Row:
        """The row of one action; a `KeyError` if it is no candidate."""
        for row in self.rows:
            if row.action == action:
                return row
        raise KeyError(action)

    def table(self) -> list[dict[str, Any]]:
        """One plain dict per candidate, for a data frame: attributes in columns of their own."""
        return [
            {
                "action": row.action,
                "kind": row.kind,
                **dict(row.attributes),
                "prior": row.prior,
                "belief": row.belief,
                "probability": row.probability,
                "n_evidence": len(row.evidence),
            }
            for row in self.rows
        ]


@dataclass(frozen=True)
class OfflineLLM:
    """An LLM's stand-in: a pure function of prompt text, environment, settings and call seed.

    Parameters
    ----------
    profile_name : the environment whose pages it can read ("webshop", "wikihow").
    config : strength, temperature, prior weight, label weight, share of malformed replies.
    full_mark : the total reward of a solved task; values in prompts and replies share its unit.
    likeness : how fast advice loses its hold as pages, tasks and actions differ.

    Raises
    ------
    ConfigError : it knows no such environment.

    Examples
    --------
    >>> from rememberer_nb.elements import Situation, Task
    >>> from rememberer_nb.envs import get_profile
    >>> from rememberer_nb.prompting.prompts import build_prompt
    >>> now = Situation(Task("7", "a red lamp"), "[Search]", ("search[<keywords>]",))
    >>> prompt = build_prompt(get_profile("webshop"), now)
    >>> llm = OfflineLLM("webshop")
    >>> llm.complete(prompt, seed=7).text.splitlines()[1]
    '- search[a red lamp] -> 0.50 it says what is wanted'
    >>> [(row.action, round(row.prior, 3)) for row in llm.explain(prompt).rows]
    [('search[a red lamp]', 0.5), ('search[red lamp]', 0.45)]
    """

    profile_name: str = "webshop"
    config: OfflineConfig = field(default_factory=OfflineConfig)
    full_mark: float = 1.0
    likeness: Likeness = field(default_factory=Likeness)

    def __post_init__(self) -> None:
        if self.profile_name not in _BELIEFS:
            known = ", ".join(sorted(_BELIEFS))
            raise ConfigError(
                f"the offline stand-in cannot read {self.profile_name!r}; it reads {known}"
            )
        if not self.full_mark > 0:
            raise ConfigError(f"full_mark must be above 0, got {self.full_mark!r}")

    @property
    def name(self) -> str:
        """The spec that `make_llm` makes it from."""
        return f"offline:{self.config.strength}"

    @property
    def settings(self) -> dict[str, Any]:
        """All that a reply depends on besides the prompt and the call seed, as plain values."""
        return {
            "llm": self.name,
            "version": VERSION,
            "environment": self.profile_name,
            "full_mark": self.full_mark,
            **to_data(self.config),
            "likeness": dataclasses.asdict(self.likeness),
            "beliefs": table_sha256(self._table)[:16],
        }

    def complete(self, prompt: Prompt, *, seed: int = 0) -> Reply:
        """One reply, drawn by a hash of the call seed and the prompt's text.

        The form is the one that the text ends in; the draw is the same in both. Token counts are
        estimates (`prompts.estimate_tokens`); no time is measured.
        """
        explanation, section = self._look(prompt.text)
        is_advice = prompt.text.endswith(ADVICE.cue)
        draw_fault, draw_action = draws(seed, prompt.text)
        rate = self.config.malformed_rate
        row = choose_row(explanation.rows, draw_action)
        if row is None or draw_fault < rate:
            text = self._malformed(row, section, draw_fault / rate if row is not None else 0.0)
            text = f"{ADVICE.opening}{text}" if is_advice and text else text
        elif is_advice:
            text = self._lists(row, explanation.rows)
        else:
            text = format_advice(self._advice(row))
        return Reply(
            text,
            prompt_tokens=estimate_tokens(prompt.text),
            completion_tokens=estimate_tokens(text),
            model=self.name,
        )

    def explain(self, prompt: Prompt) -> Deliberation:
        """Everything that goes into the choice; the same for every call seed."""
        return self._look(prompt.text)[0]

    def believe(self, prompt: Prompt) -> dict[str, float]:
        """Q(a) of every candidate, in full marks."""
        return {row.action: row.belief for row in self.explain(prompt).rows}

    def _look(self, text: str) -> tuple[Deliberation, Section]:
        beliefs = _BELIEFS[self.profile_name]
        blocks, now = split_prompt(text)
        section = parse_section(now)
        reading = beliefs.read(section)
        advised, likenesses = self._advised(beliefs, reading, blocks)
        rows = self._rows(beliefs.candidates(section, reading), advised)
        return Deliberation(reading.page, reading.features, likenesses, rows), section

    def _advised(
        self, beliefs: Beliefs, reading: PageReading, blocks: Sequence[str]
    ) -> tuple[list[Advised], tuple[float, ...]]:
        advised, likenesses = [], []
        for number, block in enumerate(blocks, start=1):
            there, lines = _read_exemplar(beliefs, block)
            alike = situation_likeness(reading, there, self.likeness)
            likenesses.append(alike)
            for line, look in lines:
                is_read = self.config.reads_values and line.value is not None
                value = line.value / self.full_mark if is_read else None
                prior = self._table[look.kind].prior(look.attributes)
                advised.append(
                    Advised(number, line.action, look, prior, value, line.is_encouraged, alike)
                )
        return advised, tuple(likenesses)

    def _rows(self, candidates: dict[str, Look], advised: Sequence[Advised]) -> tuple[Row, ...]:
        table = self._table
        judged = []
        for look in candidates.values():
            prior = table[look.kind].prior(look.attributes)
            judged.append((prior, *weigh(look, prior, advised, self.config, self.likeness)))
        chances = softmax([belief for _, belief, _ in judged], self.config.temperature)
        return tuple(
            Row(
                action,
                look.kind,
                tuple(zip(table[look.kind].numbers, look.attributes, strict=True)),
                prior,
                belief,
                chance,
                evidence,
            )
            for (action, look), (prior, belief, evidence), chance in zip(
                candidates.items(), judged, chances, strict=True
            )
        )

    @property
    def _table(self) -> Any:
        return _BELIEFS[self.profile_name].tables[self.config.strength]

    def _lists(self, row: Row, rows: Sequence[Row]) -> str:
        """The choice, and what is believed to be worst, as an exemplar goes on after the cue."""
        worst = min(rows, key=lambda each: (each.belief, each.action))
        bad = () if worst is row else (self._advice(worst),)
        said = Exemplar(0, "", "", (), (self._advice(row),), bad)
        return ADVICE.format_output(said).removeprefix(ADVICE.cue.strip())

    def _advice(self, row: Row) -> Advice:
        value = min(max(row.belief, 0.0), 1.0) * self.full_mark
        return Advice(row.action, value, self._rationale(row))

    def _rationale(self, row: Row) -> str:
        tried = [line for line in row.evidence if line.value is not None]
        best = max(tried, default=None, key=lambda e: e.situation_likeness * e.action_likeness)
        if best is not None:
            weight = best.situation_likeness * best.action_likeness
            if weight > self.config.prior_weight:
                value = best.value * self.full_mark
                # The reason may be kept and shown beside other examples: it names none of these.
                return f"the like of it scored {value:.2f} before"
        attributes = [value for _, value in row.attributes]
        return self._table[row.kind].reason(attributes)

    def _malformed(self, row: Row | None, section: Section, draw: float) -> str:
        """A reply without an available action; `draw` in [0, 1) picks the way it fails."""
        invented = [
            action
            for action in _BELIEFS[self.profile_name].unavailable
            if action not in section.available_actions
        ]
        ways = [_PROSE, ""]
        if row is not None:
            bare = row.action.translate({ord(mark): " " for mark in "[]()"}).strip()
            # An action without brackets stays one when they are dropped.
            ways += [bare] if bare != row.action else []
        if invented:
            ways.append(f"{invented[0]} -> {self.full_mark / 2:.2f} that should do it")
        return ways[int(draw * len(ways))]


# The same records come back step after step, sometimes with other advice: each text is read once.
@functools.lru_cache(maxsize=2048)
def _read_exemplar(
    beliefs: Beliefs, block: str
) -> tuple[PageReading, tuple[tuple[AdviceLine, Look], ...]]:
    page, advice = split_advice(block)
    section, reading = _read_page(beliefs, page)
    lines = parse_section(advice).advice
    looks = [(line, beliefs.look(section, reading, line.action)) for line in lines]
    return reading, tuple((line, look) for line, look in looks if look is not None)


@functools.lru_cache(maxsize=2048)
def _read_page(beliefs: Beliefs, text: str) -> tuple[Section, PageReading]:
    section = parse_section(text)
    return section, beliefs.read(section)
