"""The how-to site as the stand-in reads it."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import OfflineConfig
from rememberer_nb.elements import Exemplar, Prompt, Situation, Task
from rememberer_nb.envs import development_tasks, make_env
from rememberer_nb.llms.offline import OfflineLLM
from rememberer_nb.llms.offline.beliefs import Look
from rememberer_nb.llms.offline.parse import Section
from rememberer_nb.llms.offline.wikihow import HowToBeliefs
from rememberer_nb.llms.offline.wikihow_tables import TABLES
from rememberer_nb.prompting.prompts import build_prompt
from tests.llms.pages import HOW_TO, RESULTS_ACTIONS, START_ACTIONS, exemplar
from tests.llms.pages import HOW_TO_RESULTS as RESULTS
from tests.llms.pages import HOW_TO_START as START
from tests.llms.pages import HOW_TO_TASK as TASK

SITE = dataclasses.replace(HOW_TO, full_mark=2.0)
LLMS = [
    OfflineLLM("wikihow", OfflineConfig(strength=name, malformed_rate=0.0), full_mark=2.0)
    for name in TABLES
]
BELIEFS = HowToBeliefs()


def ask(page: str, actions: list[str], *exemplars: Exemplar) -> Prompt:
    return build_prompt(SITE, Situation(Task("0", TASK), page, tuple(actions)), exemplars)


def look(page: str, action: str, last: tuple[str, ...] = ()) -> Look | None:
    section = Section(TASK, tuple(page.split("\n")), last_actions=last)
    return BELIEFS.look(section, BELIEFS.read(section), action)


def test_kinds_and_attributes_by_hand() -> None:
    assert look(RESULTS, "CLICK(4)") == ("link", (1.0, 1.0, 1.0, 1 / 2, 0.0))
    assert look(RESULTS, "CLICK(3)", ("click(3)",)) == ("link", (0.5, 0.5, 0.0, 1.0, 0.5))
    assert look(START, "CLICK(0)") == ("button", (0.0, 0.0, 0.0))
    assert look(START, "SCROLL(DOWN)") == ("scroll", (1.0, 1.0, 1.0, 0.0))
    assert look(RESULTS, "GOBACK") == ("goback", (0.0, 0.0, 0.0))
    assert look(START, "INPUT(2, mend kite now)") == ("input", (1.0, pytest.approx(1 / 3), 1, 0, 0))
    assert look(RESULTS, "INPUT(1, kite)") == ("input", (0.5, 0.0, 0.0, 0.5, 0.0))
    assert look(RESULTS, "CLICK(99)") is None


@pytest.mark.parametrize("llm", LLMS)
def test_the_plain_way_is_the_likeliest(llm: OfflineLLM) -> None:
    start, results = (
        llm.explain(p) for p in (ask(START, START_ACTIONS), ask(RESULTS, RESULTS_ACTIONS))
    )
    assert (start.page, results.page) == ("start", "results")
    assert max(start.rows, key=lambda row: row.probability).action.startswith("INPUT(2, ")
    assert max(results.rows, key=lambda row: row.probability).action == "CLICK(4)"
    assert {row.kind for row in (*start.rows, *results.rows)} == set(TABLES["novice"])


@pytest.mark.parametrize("llm", LLMS)
def test_advice_counts_by_likeness(llm: OfflineLLM) -> None:
    # The same page: K = k = 1; a value of 1 is half of the full mark of 2.
    advice = exemplar(RESULTS, task=TASK, encouraged=[("CLICK(5)", 1.0)])
    row = llm.explain(ask(RESULTS, RESULTS_ACTIONS, advice)).row("CLICK(5)")
    assert row.belief == pytest.approx((0.2 * row.prior + 0.5) / 1.2 + 0.05 / 1.2)
    foreign = exemplar(START, task=TASK, encouraged=[("CLICK(0)", 2.0)])
    bare = llm.explain(ask(RESULTS, RESULTS_ACTIONS)).rows
    assert llm.explain(ask(RESULTS, RESULTS_ACTIONS, foreign)).rows == bare
    assert all(row.belief == row.prior for row in bare)


def test_a_category_s_field_is_no_list_of_hits() -> None:
    line = '<input class="category banner search input" type="text" id="3" clickable="true">'
    page = "\n".join([line, *RESULTS.split("\n")[1:], *START.split("\n")] * 2)
    assert BELIEFS.read(Section(TASK, tuple(page.split("\n")))).page == "content"


def test_what_cannot_be_pressed_is_not_looked_at() -> None:
    wanted = '<div id="9" clickable="false">How to Mend a Kite</div>'
    page = RESULTS.replace("How to Mend a Kite</div>", "How to Fly</div>") + "\n" + wanted
    reading = BELIEFS.read(Section(TASK, tuple(page.split("\n"))))
    assert "click(9)" not in reading.looks
    assert reading.features[0] == 0.5


def test_start_pages_of_the_bundled_site_are_known() -> None:
    env = make_env("wikihow")
    for number in development_tasks("wikihow"):
        page, _ = env.reset(seed=0, options={"task": number})
        assert BELIEFS.read(Section(TASK, tuple(page.split("\n")))).page == "start"


def test_tables_are_whole() -> None:
    for kind, belief in TABLES["novice"].items():
        assert tuple(belief.numbers) == tuple(TABLES["able"][kind].numbers)
        assert len(belief.numbers) <= 5
        assert all(math.isfinite(n.value) and len(n.reason) > 10 for n in belief.numbers.values())


@given(
    lines=st.lists(st.sampled_from((START + "\n" + RESULTS).split("\n")) | st.text(max_size=12)),
    action=st.sampled_from(RESULTS_ACTIONS) | st.text(max_size=12),
)
def test_any_page_can_be_read(lines: list[str], action: str) -> None:
    section = Section(TASK, tuple(lines), available_actions=(action,))
    reading = BELIEFS.read(section)
    for seen in (*reading.looks.values(), *BELIEFS.candidates(section, reading).values()):
        assert all(0 <= value <= 1 for value in seen.attributes)
        TABLES["novice"][seen.kind].prior(seen.attributes)
