"""Every view of every text: nothing in it acts, nothing is without bounds, nothing is lost."""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given, settings

from rememberer_nb.display.widgets import EpisodeInspector, episode_html
from rememberer_nb.display.widgets.html import step_html, wrap
from rememberer_nb.display.widgets.retrieval import LambdaExplorer
from rememberer_nb.elements import (
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
    Transition,
    Update,
)
from rememberer_nb.envs.profile import Profile
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.memory.views import html_table
from rememberer_nb.rlem import learn_episode
from rememberer_nb.system.plain import to_data
from tests.display.widgets.test_inspector import Reader
from tests.system.test_printable import ANY_TEXT, unfit
from tests.toy import TOY

MB = 1_000_000
MARKUP = (
    "<script>window.hacked = 1</script>",
    "' onmouseover='hacked()' x='",
    '" onfocus="hacked()" autofocus x="',
    "</style></pre></td></table></details><img src=x onerror=hacked()>",
    "<!-- <b> --!> ]]> &lt;i&gt; &#60;u&#62; \x00<s>",
    "}</style>{} url(http://x) @import 'x'; javascript:hacked()",
    "<svg/onload=hacked()>\u202e\x1b[2J\ud800",
)
ATTRIBUTES = {"class", "title", "style", "tabindex", "role", "open", "aria-label", "aria-hidden"}
TAGS = {
    "b", "bdi", "br", "code", "col", "colgroup", "details", "div", "i", "mark", "pre", "span",
    "style", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr",
}  # fmt: skip
# Of a bar, and of a column.
STYLE = re.compile(r"((left|width|background|opacity|color):[-#\w.%]+;?)*")


def episode_of(text: str, n_steps: int = 1) -> Episode:
    """An episode that holds the text wherever there is room for one."""
    record = Record(0, text, text, (text,), (ActionValue(text, 0.5, 1, rationale=text),))
    advice = (Advice(text, 0.5, text), Advice(f"{text} ", None, text, is_synthetic=True))
    exemplars = tuple(Exemplar(i, text, text, (text,), advice, advice) for i in range(3))
    prompt = Prompt(
        (("system", text), ("user", f"{text}\n## Now\n{text}")), text, 1,
        (LeftOut(text, text), LeftOut("an example", text, 0, 1)),
    )  # fmt: skip
    update = Update(0, text, 0, 0, text, 0, (1.0,), 1.0, 0.5, 1, True, 1.5, 0.5, 0.0, 0.75, 1)
    decision = Decision(
        text, text, (Hit(0, 1.0, 1.0, 1.0, record, ("g", "o")),), exemplars, prompt,
        Reply(text, model=text), text, text,
    )  # fmt: skip
    steps = tuple(
        Step(i, text, (text, f"click[{text}]"), text, decision, 0.5, updates=(update,))
        for i in range(n_steps)
    )
    return Episode(text, text, text, Task(text, text), steps, text)


def memory_of(text: str, n_records: int = 1) -> ExperienceMemory:
    """A memory whose every text is this one, but for a number."""
    memory = ExperienceMemory()
    for i in range(n_records):
        end = Transition(f"{i} {text}", f"{text}{i}", 1.0, "end", terminated=True, rationale=text)
        learn_episode(memory, f"{i} {text}", [end])
    return memory


def views(text: str, *, n_steps: int = 1, n_records: int = 1) -> dict[str, str]:
    """All HTML that is ever made of a memory or an episode."""
    memory, episode = memory_of(text, n_records), episode_of(text, n_steps)
    explorer = LambdaExplorer(memory, f"0 {text}", f"0 {text}", profile=named(text))
    hit = next(memory.retrieve(f"0 {text}", f"0 {text}"))
    return {
        "memory": memory._repr_html_(),
        "explanation": memory.explain(hit)._repr_html_(),
        "episode": episode_html(episode),
        "step": wrap(step_html(episode, 0, is_prompt_open=True)),
        "lambda": explorer.to_html(),
        "lambda_panel": explorer.panel.value,
        "table": html_table((text,), [(text,)]),
    }


def named(text: str) -> Profile:
    """A profile that calls every page by this name."""
    return dataclasses.replace(TOY, page_type=lambda page: text)


def check(source: str) -> Reader:
    """Well formed, of our own elements and attributes alone, and without anything that acts."""
    reader = Reader(source)
    assert reader.text is not None, "balanced"
    assert set(reader.tags) <= TAGS
    assert {name for name, _ in reader.attributes} <= ATTRIBUTES
    for name, value in reader.attributes:
        assert name != "style" or STYLE.fullmatch(value.replace(" ", ""))
    assert unfit(source) == []
    return reader


@pytest.mark.parametrize("text", MARKUP)
def test_no_markup_is_anything_but_text(text: str) -> None:
    for name, source in views(text).items():
        reader = check(source)
        assert "hacked" not in "".join(value for _, value in reader.attributes)
        for style in re.findall(r"<style>(.*?)</style>", source, re.DOTALL):
            assert "hacked" not in style
        if name == "episode" and not unfit(text):
            # Whole, as often as there are places for it; the task's stands by itself.
            assert reader.text.count(" ".join(text.split())) > 10


@given(ANY_TEXT)
@settings(max_examples=25, deadline=None)
def test_any_text_makes_sound_and_bounded_views(text: str) -> None:
    for source in views(text).values():
        check(source)
        assert len(source.encode()) < 60_000 + 300 * len(text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("piece", ["word ", "&", "\x00", "漢", "[", "a"])
def test_long_texts_are_cut(piece: str) -> None:
    text = piece * (MB // len(piece))
    for name, source in views(text).items():
        limit = 2 * MB if name == "episode" else MB
        assert len(source.encode()) < limit, name
        check(source)
        if name in ("memory", "episode", "step", "lambda", "lambda_panel"):
            assert "characters more" in source


@pytest.mark.slow
def test_long_memories_and_episodes_stay_small() -> None:
    text = "red lamp " * (MB // 9)
    made = views(text, n_steps=15, n_records=20)
    assert len(made["memory"].encode()) < MB
    assert len(made["episode"].encode()) < 2 * MB
    # Every step is there, with its page and a word for the rest of it.
    assert made["episode"].count("<details class='step'") == 15
    assert made["episode"].count("aria-label='Page'") == 16
    for index in range(15):
        assert f"whole in episode.steps[{index}]." in made["episode"]


def test_a_line_says_where_a_text_is_whole() -> None:
    text = "x" * 30_000
    made = views(text)
    assert "30,002" not in made["memory"]
    assert "29,502 characters more" in made["memory"]
    assert "whole in to_frame()." in made["memory"]
    assert "10,000 characters more" in made["step"]
    assert "whole in episode.steps[0]." in made["step"]
    assert "whole in memory.to_frame()." in made["lambda"]
    for source in views("short").values():
        assert "whole in" not in source


def test_long_lists_are_cut() -> None:
    (step,) = episode_of("a").steps
    record = step.decision.hits[0].record
    values = tuple(ActionValue(f"click[{i}]", 0.5, 1) for i in range(10_000))
    hits = tuple(
        Hit(i, 1.0, 1.0, 1.0, dataclasses.replace(record, record_id=i, action_values=values))
        for i in range(100)
    )
    update = dataclasses.replace(step.updates[0], rewards=(0.5,) * 10_000)
    prompt = Prompt((("user", "## a\n" * 10_000),), "", 1, (LeftOut("a", "b"),) * 100)
    decision = dataclasses.replace(step.decision, hits=hits, exemplars=(), prompt=prompt)
    step = dataclasses.replace(step, decision=decision, updates=(update,) * 100)
    source = step_html(dataclasses.replace(episode_of("a"), steps=(step,)), 0)
    assert len(source) < 300_000
    text = check(source).text
    assert "60 more records" in text
    assert "9,992 more actions in between" in text
    assert "9,960 more sections" in text
    assert "60 more updates" in text
    assert ", 0.50 and 9,960 more (γ = 1)" in text


def test_many_steps_are_cut() -> None:
    episode = episode_of("page " * 1_000, 2_000)
    source = episode_html(episode)
    assert len(source.encode()) < 2 * MB
    assert source.count("<details class='step'") == 200
    assert "… 1,800 more steps: EpisodeInspector(episode, step=200) shows them" in source
    assert "Step 1500 of 2000" in step_html(episode, 1_499)


def test_a_step_without_room_says_where_it_is() -> None:
    texts = tuple(Advice(f"{i} " + "&" * 200, 0.5, "&" * 200) for i in range(40))
    (step,) = episode_of("a").steps
    exemplars = tuple(Exemplar(i, "g", "o", (), texts) for i in range(40))
    decision = dataclasses.replace(step.decision, hits=(), exemplars=exemplars)
    episode = dataclasses.replace(
        episode_of("a"), steps=(dataclasses.replace(step, decision=decision),) * 2
    )
    assert "too large to be shown: episode.steps[1] holds it." in step_html(episode, 1)
    # What was not printed is not referred to.
    assert "as at step 1" not in episode_html(
        dataclasses.replace(
            episode,
            steps=tuple(dataclasses.replace(s, index=i) for i, s in enumerate(episode.steps)),
        )
    )


def test_the_data_is_never_changed() -> None:
    text = "\u202e\x1b\ud800" + "x" * 30_000
    memory, episode = memory_of(text), episode_of(text)
    before = to_data(episode), [to_data(record) for record in memory]
    memory._repr_html_()
    episode_html(episode, memory)
    EpisodeInspector(episode, memory=memory)
    assert (to_data(episode), [to_data(record) for record in memory]) == before
    assert memory.to_frame().task[0] == f"0 {text}"


def test_widgets_hold_and_print_what_can_be_sent() -> None:
    text = "\u202e\x1b[2J\ud800 " + "x" * MB
    inspector = EpisodeInspector(episode_of(text))
    explorer = LambdaExplorer(memory_of(text), text, text)
    bundles = (inspector._repr_mimebundle_(), explorer._repr_mimebundle_())
    for bundle in bundles:
        check(bundle["text/html"])
        assert unfit(bundle["text/plain"]) == []
        assert len(bundle["text/plain"]) < 200
    shown = [inspector.children[0].value, inspector.panel.value, explorer.panel.value]
    labels = [label for label, _ in inspector.picker.options]
    for part in (*shown, *labels):
        assert unfit(part) == []
        part.encode()
    assert all(len(label) <= 60 for label in labels)


def test_what_runs_from_right_to_left_is_isolated() -> None:
    text = "שלום 12"
    for name, source in views(text).items():
        if name != "table":
            assert "unicode-bidi: isolate" in source
    source = episode_html(episode_of(text))
    # Beside words and numbers of ours: who, where, task, model, error, reason, terms, left out.
    for around in ("<b>{}</b> in {}", "task {}, ", "Reply of {}: ", "</b>: {}. ", "because {}"):
        assert around.format(*[f"<bdi>{text}</bdi>"] * around.count("{}")) in source
