"""The inspector in a real JupyterLab and in an exported page, with a real browser."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from rememberer_nb.display.widgets import static_notebook
from rememberer_nb.display.widgets.html import episode_html
from tests.display.widgets.lab import browser_page, jupyter_lab, need_browser, run_notebook
from tests.display.widgets.sample import sample
from tests.display.widgets.test_hostile import MARKUP, episode_of, memory_of, views

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

_SOURCE = """\
from rememberer_nb.display.widgets import EpisodeInspector
from sample import sample

episode, memory = sample()
EpisodeInspector(episode, memory=memory)"""
_DRAWN_WIDTH = "document.querySelector('.rnb-inspector .rnb').getBoundingClientRect().width"


@pytest.fixture(autouse=True)
def _browser() -> None:
    need_browser()


def notebook() -> nbformat.NotebookNode:
    """One cell that makes a toy episode and shows the inspector."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(_SOURCE)], metadata={"kernelspec": kernel}
    )


# Where what stands behind a foreign text, on the same line, begins left of its end.
_MISPLACED = """() => [...document.querySelectorAll('bdi, code')].filter(element => {
  const after = element.nextSibling;
  if (!after || after.nodeType !== Node.TEXT_NODE || !after.data.trim()) return false;
  const range = document.createRange();
  const start = after.data.search(/\\S/);
  range.setStart(after, start);
  range.setEnd(after, start + 1);
  const [own, next] = [element.getBoundingClientRect(), range.getBoundingClientRect()];
  return own.width && Math.abs(own.top - next.top) < 8 && next.left < own.right - 1;
}).map(element => element.parentNode.textContent)"""


def test_nothing_stands_on_the_wrong_side_of_another_script() -> None:
    text = "שלום 12 \u202e עולם"
    memory = memory_of(text, 2)
    episode = episode_of(text)
    (step,) = episode.steps
    hits = tuple(memory.retrieve(f"0 {text}", f"0 {text}"))
    decision = dataclasses.replace(step.decision, hits=hits)
    step = dataclasses.replace(step, decision=decision)
    source = episode_html(dataclasses.replace(episode, steps=(step,)), memory)
    source = source.replace("<details>", "<details open>")
    assert "Shared terms" in source
    with browser_page() as page:
        page.set_content(source)
        assert page.evaluate(_MISPLACED) == []
        # Without isolation the numbers of the shared terms stand on the wrong side.
        page.set_content(source.replace("bdi>", "s>").replace("isolate", "normal"))
        assert page.evaluate(_MISPLACED.replace("'bdi, code'", "'s'")) != []


def test_no_markup_is_run() -> None:
    with browser_page() as page:
        for text in MARKUP:
            page.set_content("".join(views(text).values()), wait_until="domcontentloaded")
            page.evaluate(
                "document.querySelectorAll('*').forEach(e => "
                "e.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})))"
            )
            assert page.evaluate("window.hacked") is None
            assert page.locator("script, img, svg, iframe, [onload], [onerror]").count() == 0


def test_arrow_keys_step_through_the_episode(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook(), tmp_path / "notebooks/test.ipynb")
    with jupyter_lab(tmp_path) as url, browser_page() as page:
        for theme in ("Light", "Dark"):
            run_notebook(page, url, f"JupyterLab {theme}")
            slider = page.get_by_role("slider", name="Step of the episode")
            slider.wait_for(timeout=60_000)
            page.get_by_text("Step 1 of 4").wait_for()
            slider.focus()
            for step, line in ((2, "[B0LAMP0001]"), (3, "[< Prev]"), (4, "You have clicked small")):
                page.keyboard.press("ArrowRight")
                page.get_by_text(f"Step {step} of 4").wait_for()
                shown = page.get_by_role("group", name="Page").first.inner_text()
                assert line in shown
            page.keyboard.press("ArrowLeft")
            page.get_by_text("Step 3 of 4").wait_for()
            check_controls(page)
            assert page.evaluate("window.hacked") is None
            assert page.evaluate(_DRAWN_WIDTH) <= 900
            page.screenshot(path=tmp_path / f"inspector-{theme.lower()}.png")


def check_controls(page: Any) -> None:
    """Every control is found by its name and does its work."""
    page.get_by_role("button", name="Previous").click()
    page.get_by_text("Step 2 of 4").wait_for()
    page.get_by_role("button", name="Next").click()
    page.get_by_text("Step 3 of 4").wait_for()
    page.get_by_role("combobox", name="Go to").select_option(index=0)
    page.get_by_text("Step 1 of 4").wait_for()
    page.get_by_role("checkbox", name="Open the prompt").check()
    page.get_by_text("You are the customer of an online shop").wait_for()


def test_an_exported_page_shows_every_step_without_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbclient import NotebookClient
    from nbconvert import HTMLExporter

    here = Path(__file__).resolve()
    monkeypatch.setenv("PYTHONPATH", f"{here.parents[2]}:{here.parent}")
    nb = NotebookClient(
        notebook(), timeout=60, resources={"metadata": {"path": tmp_path}}
    ).execute()
    assert "widgets" in nb.metadata
    source, _ = HTMLExporter().from_notebook_node(static_notebook(nb))
    (tmp_path / "export.html").write_text(source, encoding="utf-8")
    episode, _ = sample()
    with browser_page() as page:
        page.route(re.compile("^https?:"), lambda route: route.abort())
        page.goto((tmp_path / "export.html").as_uri(), wait_until="domcontentloaded")
        for step in episode.steps:
            section = page.locator("details.step").nth(step.index)
            if not section.evaluate("section => section.open"):
                section.locator("summary").first.press("Enter")
            shown = section.get_by_role("group", name="Page").first.inner_text()
            for line in step.observation.split("\n"):
                assert " ".join(line.split()) in " ".join(shown.split())
        assert page.evaluate("window.hacked") is None
        page.screenshot(path=tmp_path / "export.png", full_page=True)
