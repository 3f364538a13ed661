"""The episode inspector and its static form."""

from __future__ import annotations

import dataclasses
import html
from html.parser import HTMLParser
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.display.widgets import EpisodeInspector, episode_html, static_notebook
from rememberer_nb.display.widgets.cards import Scale
from rememberer_nb.display.widgets.html import step_html, updates_html
from rememberer_nb.display.widgets.page import action_names, page_html
from rememberer_nb.elements import (
    ActionScore,
    ActionValue,
    Advice,
    Decision,
    Episode,
    Exemplar,
    Prompt,
    Reply,
    Step,
    Task,
    Update,
)
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.system.plain import to_data
from rememberer_nb.system.templates import as_number
from tests.display.widgets.sample import NASTY, sample, skipping_sample

VIEW = "application/vnd.jupyter.widget-view+json"
STAGES = ("Page", "Retrieved", "Prompt", "Action", "Learnt")


class Reader(HTMLParser):
    """The elements, attributes and text that a browser would make of some HTML."""

    def __init__(self, source: str):
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("br", "col", "img"):
            self._open.append(tag)
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes nothing"
        self._break(tag)

    def _break(self, tag: str) -> None:
        if tag in ("div", "td", "th", "tr", "details", "summary", "pre"):
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """The visible text, white space folded."""
        assert not self._open, f"left open: {self._open}"
        return " ".join("".join(self.texts).split())


@pytest.fixture(scope="module")
def made() -> tuple[Episode, ExperienceMemory]:
    """A solved episode with a reply error in it, and its memory."""
    return sample()


@pytest.fixture(scope="module")
def episode(made: tuple[Episode, ExperienceMemory]) -> Episode:
    """The episode alone."""
    return made[0]


def bare(*steps: Step, **fields: Any) -> Episode:
    """An episode made by hand."""
    return Episode("e", "env", "agent", Task("0", "a task"), steps, "", **fields)


# The static form


def test_static_form_has_every_stage_of_every_step(episode: Episode) -> None:
    text = Reader(episode_html(episode)).text
    for step in episode.steps:
        assert f"Step {step.index + 1} · {step.action}" in text
        for line in step.observation.splitlines():
            assert " ".join(line.split()) in text
    for stage in STAGES:
        assert episode_html(episode).count(f"<div class='name'>{stage}<") == len(episode.steps)
    assert "✓ success" in text
    assert "reward 1.00" in text
    assert "Thank you for shopping with us!" in text


def test_static_form_is_inert_and_fetches_nothing(
    made: tuple[Episode, ExperienceMemory],
) -> None:
    source = episode_html(*made)
    reader = Reader(source)
    assert {"script", "img", "iframe", "link", "object", "input"}.isdisjoint(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert not [name for name, _ in reader.attributes if name in ("src", "href", "srcset")]
    assert "http" not in source
    assert "url(" not in source
    assert "@import" not in source
    assert html.escape(NASTY) in source
    assert NASTY in reader.text


def test_static_form_is_small(episode: Episode) -> None:
    def long(step: Step, index: int) -> Step:
        prompt = step.decision.prompt
        assert prompt is not None
        system, user = prompt.messages
        page = f"[Back to Search]\nstep {index}\n" + "a long description of a product. " * 45
        shown = page.replace("\n", "\n| ")
        examples = f"## Example 1\n{index + 1000} {page}\n## Example 2\n{index + 2000} {page}"
        now = ("user", f"{user[1].partition('## Now')[0]}{examples}\n## Now\nPage:\n| {shown}\n")
        long_prompt = dataclasses.replace(prompt, messages=(system, now))
        decision = dataclasses.replace(step.decision, prompt=long_prompt)
        return dataclasses.replace(step, index=index, observation=page, decision=decision)

    steps = tuple(long(episode.steps[i % len(episode.steps)], i) for i in range(15))
    source = episode_html(dataclasses.replace(episode, steps=steps))
    assert len(source.encode()) < 150_000


def test_a_section_of_the_prompt_is_printed_once(episode: Episode) -> None:
    source = html.unescape(episode_html(episode))
    assert source.count("You are the customer of an online shop") == 1
    assert "[system message: as at step 1]" in source
    assert source.count("[the page above]") == len(episode.steps)
    # Alone, a step shows its whole prompt.
    alone = html.unescape(step_html(episode, 3))
    assert alone.count("You are the customer of an online shop") == 1
    prompt = episode.steps[3].decision.prompt
    assert prompt is not None
    assert " ".join(prompt.text.split()) in " ".join(Reader(step_html(episode, 3)).text.split())


def test_reply_error_is_shown_with_the_fallback(episode: Episode) -> None:
    text = Reader(step_html(episode, 0)).text
    assert "Well, I would rather not." in text
    assert "Reply error: no action in the reply" in text
    assert f"Action {episode.steps[0].action}" in text
    assert "Reply error" not in Reader(step_html(episode, 1)).text


def test_retrieved_records_with_similarities_values_and_advice(episode: Episode) -> None:
    first, second = episode.steps[1].decision.hits
    text = Reader(step_html(episode, 1)).text
    for hit, place in ((first, 2), (second, 1)):
        card = f"{hit.rank + 1}. record {hit.record.record_id} example {place} in the prompt"
        assert card in text
        assert (
            f"the same task total {as_number(hit.total)} task {as_number(hit.task_similarity)}"
            in text
        )
    best = first.record.best
    assert best is not None
    assert f"{best.action} {as_number(best.q_value)} ×{best.n_visits} ▲ encouraged" in text


def test_synthetic_advice_is_not_tried(episode: Episode) -> None:
    synthetic = [
        (step.index, advice.action)
        for step in episode.steps
        for exemplar in step.decision.exemplars
        for advice in (*exemplar.encouraged, *exemplar.discouraged)
        if advice.is_synthetic
    ]
    assert synthetic
    for index, action in synthetic:
        text = Reader(step_html(episode, index)).text
        assert f"{action} not tried ▲ encouraged · drawn at random" in text or (
            f"{action} not tried ▼ discouraged · drawn at random" in text
        )


def test_a_value_printed_for_synthetic_advice_is_told() -> None:
    advice = Advice("click[a]", 0.0, is_synthetic=True)
    exemplar = Exemplar(7, "another task", "page", discouraged=(advice,))
    decision = Decision("click[b]", exemplars=(exemplar,))
    text = Reader(step_html(bare(Step(0, "page", (), "", decision, 0.0)), 0)).text
    assert "Fixed. record 7 example 1 in the prompt another task" in text
    assert "not tried, shown as 0.00" in text


def test_skipped_hits_say_why() -> None:
    episode = skipping_sample()
    step = episode.steps[0]
    assert step.decision.prompt is not None
    assert step.decision.prompt.left_out
    text = Reader(step_html(episode, 0)).text
    for item in step.decision.prompt.left_out:
        assert f"record {item.record_id} skipped: {item.why}" in text
    assert "example 1 in the prompt" not in text


def test_updates_can_be_worked_out_again(episode: Episode) -> None:
    # Two rewards of 0, then γ² · 0.9 = 0.81 · 0.9 = 0.729 from the record of the product's page.
    text = Reader(step_html(episode, 1)).text
    assert "0.00 + γ2 · 0.90 = 0.73" in text
    assert "rewards 0.00, 0.00 (γ = 0.9); 0.90 = max Q of record 3" in text
    assert "0.00 → 0.73 ▲" in text


def test_updates_of_a_stand_in_and_of_an_end() -> None:
    update = Update(5, "e", 0, 3, "a", 0, (1.0, 0.5), 0.5, 0.4, 9, True, 1.35, 0.5, 2.0, 1.675, 2)
    step = Step(1, "o", (), "", Decision("a"), 0.5, updates=(update,))
    text = Reader(updates_html(step)).text
    assert "1.25 + γ2 · 0.40 = 1.35" in text
    assert "max Q of record 9, the most similar one, which stands in" in text
    assert "2.00 → 1.68 ▼" in text
    end = dataclasses.replace(update, bootstrap_value=None, target=1.25, q_before=0, q_after=0)
    text = Reader(updates_html(dataclasses.replace(step, updates=(end,)))).text
    assert "nothing bootstrapped" in text
    assert "0.00 → 0.00 =" in text


def test_a_step_without_updates_says_why(episode: Episode) -> None:
    assert "no target was complete yet" in step_html(episode, 0)
    frozen = bare(Step(0, "o", (), "", Decision("a"), 0.0), epoch=-1)
    assert "the memory was not learning" in step_html(frozen, 0)


def test_agents_without_llm_or_memory_show_empty_stages() -> None:
    text = Reader(step_html(bare(Step(0, "o", (), "", Decision("a"), 0.0)), 0)).text
    assert "This agent asks no LLM." in text
    assert "Nothing was retrieved." in text
    assert "Action a" in text


def test_the_last_step_says_how_the_episode_ended(episode: Episode) -> None:
    assert "terminated: the episode ends" in step_html(episode, 3)
    assert "terminated" not in step_html(episode, 2)
    cut = bare(Step(0, "o", (), "", Decision("a"), 0.0, truncated=True))
    assert "truncated: step limit" in step_html(cut, 0)
    assert "step limit reached" in episode_html(cut)
    assert "✗ no success" in episode_html(cut)


def test_memory_adds_the_shared_terms(made: tuple[Episode, ExperienceMemory]) -> None:
    episode, memory = made
    assert "Shared terms" not in step_html(episode, 1)
    assert "Shared terms" in step_html(episode, 1, memory)
    assert "lamp 0." in Reader(step_html(episode, 1, memory)).text
    # Another memory has other records, even where the ids are the same.
    assert "No longer in memory" in step_html(episode, 1, ExperienceMemory())


@given(st.text(), st.text(), st.text())
def test_any_text_is_escaped(page: str, action: str, reply: str) -> None:
    prompt = Prompt((("user", page),), page, 1)
    decision = Decision(action, reply, prompt=prompt, reply=Reply(reply), error=reply)
    episode = bare(Step(0, page, (action, page), action, decision, 0.0))
    plain = bare(Step(0, "", (), "", Decision("", "a", prompt=prompt, reply=Reply("")), 0.0))
    allowed = {*Reader(episode_html(plain)).tags, "mark", "br", "sup"}
    assert set(Reader(episode_html(episode)).tags) <= allowed


# Pages


@pytest.mark.parametrize(
    ("page", "available", "action", "marked", "chosen"),
    [
        ("[Buy Now]\n[< Prev]", ["click[buy now]", "click[< prev]"], "click[buy now]", 1, "[Buy"),
        ("size [[small]][large]", ["click[small]"], "click[small]", 0, "[[small]]"),
        ("WebShop\n[Search]", ["search[<keywords>]"], "search[red lamp]", 0, "[Search]"),
        (
            "[button] Buy Now [button_]\n[clicked button] red [clicked button_]",
            ["click[buy now]", "click[red]"],
            "click[red]",
            1,
            "[clicked button] red",
        ),
        (
            "a lamp [SEP] Buy Now [SEP] red",
            ["click[buy now]", "click[red]"],
            "click[red]",
            1,
            "red",
        ),
        (
            '<div id="3" clickable="true">How to</div>\n<p id="4">no</p>',
            ["CLICK(3)", "SCROLL(UP)"],
            "CLICK(3)",
            0,
            "&lt;div id=&quot;3&quot; clickable=&quot;true&quot;&gt;How to",
        ),
        ("[not offered] a [b", ["click[c]"], "click[c]", 0, None),
    ],
)
def test_labels_are_marked(
    page: str, available: list[str], action: str, marked: int, chosen: str | None
) -> None:
    source = page_html(page, available, action)
    assert source.count("class='label'") == marked
    assert source.count("class='chosen'") == (chosen is not None)
    if chosen is not None:
        assert f"title='chosen'>{chosen}" in source


def test_action_names() -> None:
    assert action_names("click[size: [x]]") == ("click", "size: [x]")
    assert action_names("INPUT(12, a, b)") == ("input", "12")
    assert action_names("GOBACK") == ("goback", "")


# What the LLM believes


def predicting(episode: Episode, **fields: Any) -> str:
    """The text of a step with other predictions, and its reply's."""
    step = episode.steps[1]
    decision = dataclasses.replace(step.decision, **fields)
    return Reader(step_html(bare(dataclasses.replace(step, index=0, decision=decision)), 0)).text


def test_predictions_beside_the_memory(episode: Episode) -> None:
    first = episode.steps[1].decision.hits[0].record
    best = first.best
    assert best is not None
    said = (Advice(best.action, 0.3, "it fits"), Advice("click[moon]"))
    text = predicting(
        episode, predicted_encouraged=said, predicted_discouraged=(Advice("click[sun]", -1e9),)
    )
    known = f"{as_number(best.q_value)} ×{best.n_visits}, record {first.record_id}"
    assert f"▲ encouraged {best.action} 0.30 {known}" in text
    assert "▲ encouraged click[moon] none not tried there" in text
    assert "▼ discouraged click[sun] -1e+09 not tried there" in text


def test_without_predictions_there_is_no_table(episode: Episode) -> None:
    text = predicting(episode, predicted_encouraged=())
    assert "the LLM's value" not in text and "P(action)" not in text


def test_how_likely_each_action_is(episode: Episode) -> None:
    scores = tuple(
        ActionScore(action, words, log_p, 2, log_p / 2, p)
        for action, words, log_p, p in (
            ("click[a]", "the <b> one", -3.0, 0.25),
            ("click[b]", "the other", -1.0, 0.7),
        )
    )
    text = predicting(episode, action="click[a]", scores=scores)
    # The likeliest first, whatever was drawn.
    assert (
        "click[b] 0.70 the other -1.00, 2 tokens click[a] 0.25 the <b> one -3.00, 2 tokens" in text
    )
    many = tuple(dataclasses.replace(scores[0], action=f"click[{n}]") for n in range(50))
    assert "10 more actions, less likely" in predicting(episode, scores=many)


# Bars


def test_scale_spans_by_hand() -> None:
    assert Scale().span(0.25) == (0.0, 25.0)
    assert Scale(-1.0, 3.0).span(-1.0) == (0.0, 25.0)
    assert Scale(-1.0, 3.0).span(1.0) == (25.0, 25.0)
    # What lies beyond the scale ends with it.
    assert Scale(-1.0, 3.0).span(1e300) == (25.0, 75.0)
    assert Scale(-1.0, 3.0).span(-9.0) == (0.0, 25.0)


def test_scale_covers_the_episode(episode: Episode) -> None:
    assert Scale.of(episode) == Scale(0.0, 1.0)
    hit = episode.steps[0].decision.hits[0]
    record = dataclasses.replace(hit.record, action_values=(ActionValue("a", -2.0, 1),))
    decision = Decision("a", hits=(dataclasses.replace(hit, record=record),))
    low = bare(Step(0, "o", (), "", decision, 0.0))
    assert Scale.of(low) == Scale(-2.0, 1.0)
    assert "left:0%;width:66.7%" in step_html(low, 0)


def test_a_record_with_many_actions_stays_short(episode: Episode) -> None:
    values = tuple(ActionValue(f"click[{i}]", 1 - i / 20, 1) for i in range(20))
    hit = episode.steps[0].decision.hits[0]
    record = dataclasses.replace(hit.record, action_values=values)
    worst = Advice("click[19]", 0.05)
    exemplar = Exemplar(record.record_id, "g", "o", discouraged=(worst,))
    decision = Decision("a", hits=(dataclasses.replace(hit, record=record),), exemplars=(exemplar,))
    text = Reader(step_html(bare(Step(0, "o", (), "", decision, 0.0)), 0)).text
    assert "click[7]" in text
    assert "click[8]" not in text
    assert "click[19] 0.05 ×1 ▼ discouraged" in text
    assert "11 more actions in between" in text


# The widget


def test_slider_changes_the_step(episode: Episode) -> None:
    inspector = EpisodeInspector(episode)
    assert "Step 1 of 4" in inspector.panel.value
    inspector.slider.value = 2
    assert "Step 2 of 4" in inspector.panel.value
    assert "[B0LAMP0001]" in inspector.panel.value
    assert inspector.picker.value == 2
    assert inspector.step == 1


def test_buttons_and_list_move_and_stop_at_the_ends(episode: Episode) -> None:
    inspector = EpisodeInspector(episode, step=2)
    inspector.next.click()
    assert inspector.step == 3
    assert inspector.next.disabled
    inspector.next.click()
    assert inspector.step == 3
    inspector.picker.value = 1
    assert inspector.step == 0
    assert inspector.previous.disabled
    assert not inspector.next.disabled


def test_the_prompt_stays_open_while_stepping(episode: Episode) -> None:
    inspector = EpisodeInspector(episode)
    assert "<details open>" not in inspector.panel.value
    inspector.show_prompt.value = True
    inspector.step = 1
    assert "<details open>" in inspector.panel.value


def test_every_control_has_a_description(episode: Episode) -> None:
    inspector = EpisodeInspector(episode)
    for control in inspector.children[1].children:
        assert control.description


def test_the_episode_is_never_changed(made: tuple[Episode, ExperienceMemory]) -> None:
    episode, memory = made
    before, n_records, n_updates = to_data(episode), len(memory), memory.n_updates
    inspector = EpisodeInspector(episode, memory=memory)
    for index in range(len(episode.steps)):
        inspector.step = index
    inspector.to_html()
    assert to_data(episode) == before
    assert (len(memory), memory.n_updates) == (n_records, n_updates)


@pytest.mark.parametrize("step", [-1, 4])
def test_no_such_step(episode: Episode, step: int) -> None:
    with pytest.raises(ConfigError, match=rf"\[0, 4\).*got {step}"):
        EpisodeInspector(episode, step=step)
    with pytest.raises(ConfigError, match="step must be"):
        EpisodeInspector(episode).step = step
    with pytest.raises(ConfigError, match="step must be"):
        step_html(episode, step)


def test_an_episode_without_steps() -> None:
    inspector = EpisodeInspector(bare())
    assert len(inspector.children) == 1
    assert "no steps" in inspector.to_html()


def test_the_display_has_a_view_and_a_static_form(episode: Episode) -> None:
    bundle = EpisodeInspector(episode)._repr_mimebundle_()
    assert VIEW in bundle
    assert bundle["text/html"] == episode_html(episode)
    assert bundle["text/plain"] == f"EpisodeInspector({episode.episode_id!r}, 4 steps)"


# Notebooks without a kernel


def notebook_with(*data: dict[str, Any]) -> nbformat.NotebookNode:
    """A notebook whose one cell shows these mime bundles."""
    outputs = [
        nbformat.v4.new_output("display_data", data=d, metadata={VIEW: {"a": 1}}) for d in data
    ]
    cell = nbformat.v4.new_code_cell("show()", outputs=outputs)
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}})


def test_static_notebook_drops_views_and_state() -> None:
    view = {"model_id": "x", "version_major": 2, "version_minor": 0}
    nb = notebook_with(
        {VIEW: view, "text/html": "<b>1</b>"}, {VIEW: view, "text/plain": "bar"}, {VIEW: view},
        {"text/html": "<i>2</i>"},
    )  # fmt: skip
    nb.cells[0].outputs.append(nbformat.v4.new_output("stream", text="hello"))
    nb.cells.append(nbformat.v4.new_markdown_cell("words"))
    before = nbformat.writes(nb)
    result = static_notebook(nb)
    assert nbformat.writes(nb) == before
    nbformat.validate(result)
    assert "widgets" not in result.metadata
    outputs = result.cells[0].outputs
    assert [o.get("data") for o in outputs] == [
        {"text/html": "<b>1</b>"}, {"text/plain": "bar"}, {"text/html": "<i>2</i>"}, None,
    ]  # fmt: skip
    assert outputs[0].metadata == {}
    assert static_notebook(result) == result


def test_an_export_shows_the_static_form(episode: Episode) -> None:
    from nbconvert import HTMLExporter

    nb = notebook_with(EpisodeInspector(episode)._repr_mimebundle_())
    source, _ = HTMLExporter().from_notebook_node(static_notebook(nb))
    assert VIEW not in source
    for step in episode.steps:
        assert f"<b>Step {step.index + 1}</b>" in source
        assert f"<code>{html.escape(step.action)}</code>" in source
