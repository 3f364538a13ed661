"""The λ explorer: its numbers are the memory's, it changes nothing, and it survives an export."""

from __future__ import annotations

import re

import pytest

from rememberer_nb.config import RetrievalConfig
from rememberer_nb.display.widgets.retrieval import STATIC_WEIGHTS, LambdaExplorer, lambda_html
from rememberer_nb.display.widgets.static import static_notebook
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory

TASK, PAGE = "a blue lamp", "page of red things"


@pytest.fixture
def memory() -> ExperienceMemory:
    """Record 0 has the query's page, record 1 its task, record 2 neither."""
    memory = ExperienceMemory(
        RetrievalConfig(task_similarity="jaccard", observation_similarity="jaccard")
    )
    memory.insert("one green chair", PAGE)
    memory.insert(TASK, "something else entirely")
    memory.insert("<b>nasty</b>", "Page 1 (Total results: 3)")
    return memory


def ranks(explorer: LambdaExplorer) -> list[int]:
    """Record ids in the order shown."""
    return [hit.record.record_id for hit in explorer.hits]


def test_lambda_decides_between_the_same_page_and_the_same_task(memory):
    explorer = LambdaExplorer(memory, TASK, PAGE)
    explorer.task_weight = 0.0
    assert ranks(explorer)[0] == 0
    explorer.task_weight = 1.0
    assert ranks(explorer)[0] == 1


def test_the_panel_shows_the_parts_and_the_total(memory):
    explorer = LambdaExplorer(memory, TASK, PAGE, task_weight=0.25)
    # Record 0: f_g = 0 (no shared word), f_o = 1, so 0 + 0.75.
    assert "0.00 + 0.75 = <b>0.75</b>" in explorer.panel.value
    assert "0.25 + 0.00 = <b>0.25</b>" in explorer.panel.value


def test_ranks_that_moved_are_marked_against_the_start(memory):
    explorer = LambdaExplorer(memory, TASK, PAGE, task_weight=0.0)
    assert "was" not in explorer.panel.value
    explorer.task_weight = 1.0
    assert "▲ was 2" in explorer.panel.value
    assert "▼ was 1" in explorer.panel.value


def test_slider_and_number_move_together(memory):
    explorer = LambdaExplorer(memory, TASK, PAGE)
    explorer.typed.value = 0.75
    assert explorer.task_weight == 0.75
    explorer.slider.value = 0.25
    assert explorer.typed.value == 0.25


def test_it_starts_at_the_memory_s_own_weight():
    memory = ExperienceMemory(RetrievalConfig(task_weight=0.8))
    assert LambdaExplorer(memory, TASK, PAGE).task_weight == 0.8


def test_nothing_in_the_memory_changes(memory):
    before = (list(memory), memory.n_updates)
    explorer = LambdaExplorer(memory, TASK, PAGE)
    explorer.task_weight = 0.9
    explorer.to_html()
    assert (list(memory), memory.n_updates) == before


def test_the_static_form_has_a_column_per_weight_and_a_row_per_record(memory):
    page = lambda_html(memory, TASK, PAGE, n_hits=1)
    assert [f"λ = {w:g}" in page for w in STATIC_WEIGHTS] == [True] * 5
    # With one hit each, record 0 wins up to the tie at 0.5, record 1 above it.
    assert re.findall(r"<td>(record \d)", page) == ["record 0", "record 1"]
    assert page.count("#1<") == len(STATIC_WEIGHTS)
    assert "opacity:.45" in page


def test_bars_add_up_to_the_total(memory):
    page = lambda_html(memory, TASK, PAGE, n_hits=1, weights=[0.5])
    assert "left:0;width:0.0%" in page
    assert "left:0.0%;width:50.0%" in page


def test_texts_are_escaped_and_pages_named(memory):
    page = lambda_html(memory, TASK, PAGE, profile=WEBSHOP)
    assert "<b>nasty" not in page
    assert "&lt;b&gt;nasty" in page
    assert "record 2, results page" in page


def test_an_empty_memory_says_so():
    explorer = LambdaExplorer(ExperienceMemory(), TASK, PAGE)
    assert explorer.hits == ()
    assert "empty" in explorer.panel.value
    assert "empty" in explorer.to_html()


def test_the_export_keeps_the_static_form(memory):
    bundle = LambdaExplorer(memory, TASK, PAGE)._repr_mimebundle_()
    output = {"output_type": "display_data", "data": bundle, "metadata": {}}
    shown = static_notebook({"metadata": {}, "cells": [{"outputs": [output]}]})
    data = shown["cells"][0]["outputs"][0]["data"]
    assert set(data) == {"text/plain", "text/html"}
    assert "λ = 0.75" in data["text/html"]
    assert "<script" not in data["text/html"]


@pytest.mark.parametrize("weight", [-0.1, 1.1])
def test_a_weight_outside_its_range_is_refused(memory, weight):
    with pytest.raises(ConfigError, match="task_weight"):
        LambdaExplorer(memory, TASK, PAGE, task_weight=weight)
    explorer = LambdaExplorer(memory, TASK, PAGE)
    with pytest.raises(ConfigError, match="task_weight"):
        explorer.task_weight = weight


def test_at_least_one_hit_is_shown(memory):
    with pytest.raises(ConfigError, match="n_hits"):
        LambdaExplorer(memory, TASK, PAGE, n_hits=0)
