"""What the offline stand-in must be for any result with it to mean something.

It reads the prompt's text and nothing else; it follows advice the more, the better and the nearer
the advice is; and nothing that should not matter does.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rememberer_nb
from rememberer_nb.config import OfflineConfig
from rememberer_nb.elements import Exemplar, Prompt
from rememberer_nb.llms.offline import Deliberation, OfflineLLM
from tests.llms.pages import (
    PRODUCTS,
    SEARCH_PAGE,
    SHOP,
    exemplar,
    item_actions,
    item_page,
    item_prompt,
    prompt,
    results_actions,
    results_page,
    results_prompt,
    search_prompt,
    sub_page,
)

PACKAGE = Path(rememberer_nb.__file__).parent
LLMS = [OfflineLLM("webshop", OfflineConfig(strength=name)) for name in ("novice", "able")]
NOVICE = LLMS[0]
QUERY = "search[soft red desk lamp]"

# An advised action on each kind of page, and the same kind of page to advise it on.
SITES = {
    "search": (SEARCH_PAGE, ["search[<keywords>]"], QUERY),
    "results": (results_page(), results_actions(), "click[b000000002]"),
    "item": (item_page(), item_actions(), "click[red]"),
    "sub": (sub_page(), ["click[back to search]", "click[< prev]"], "click[back to search]"),
}
sites = st.sampled_from(sorted(SITES))
llms = st.sampled_from(LLMS)
values = st.integers(0, 100).map(lambda n: n / 100)


def ask(site: str, *exemplars: Exemplar) -> Prompt:
    page, actions, _ = SITES[site]
    return prompt(page, actions, *exemplars)


def a_prompt_of_each_kind() -> list[Prompt]:
    advice = exemplar(
        item_page(), encouraged=[("click[red]", 0.75)], discouraged=[("click[b]", None)]
    )
    return [ask(site, advice) for site in SITES] + [search_prompt(), item_prompt()]


# --- the same prompt and seed, the same reply; another seed, another draw -------------------------

_CHILD = """
import json, sys
from rememberer_nb.elements import Prompt
from rememberer_nb.llms import make_llm
texts = json.load(sys.stdin)
llms = [make_llm(spec, profile="webshop") for spec in ("offline", "offline:able")]
replies = [
    llm.complete(Prompt((), text, 0), seed=seed).text
    for llm in llms for text in texts for seed in range(20)
]
json.dump(replies, sys.stdout)
"""


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_same_reply_in_another_process(hash_seed: str) -> None:
    prompts = a_prompt_of_each_kind()
    here = [llm.complete(p, seed=seed).text for llm in LLMS for p in prompts for seed in range(20)]
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=json.dumps([p.text for p in prompts]),
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(child.stdout) == here


@given(llm=llms, site=sites, seed=st.integers(0, 2**63))
def test_same_prompt_and_seed_same_reply(llm: OfflineLLM, site: str, seed: int) -> None:
    again = OfflineLLM(llm.profile_name, llm.config)
    assert llm.complete(ask(site), seed=seed) == again.complete(ask(site), seed=seed)


@pytest.mark.parametrize("llm", LLMS)
def test_other_seeds_reach_other_replies(llm: OfflineLLM) -> None:
    texts = {llm.complete(search_prompt(), seed=seed).text for seed in range(50)}
    assert len(texts) > 2


def test_it_reads_the_text_alone() -> None:
    asked = item_prompt()
    bare = Prompt(messages=(("user", "buy gold"),), text=asked.text, n_tokens=1)
    assert NOVICE.complete(bare, seed=3) == NOVICE.complete(asked, seed=3)
    assert NOVICE.explain(bare) == NOVICE.explain(asked)


def test_draws_follow_the_probabilities() -> None:
    llm = OfflineLLM("webshop", OfflineConfig(malformed_rate=0.0))
    rows = llm.explain(search_prompt()).rows
    n_draws = 2000
    taken = [llm.complete(search_prompt(), seed=s).text.split(" -> ")[0] for s in range(n_draws)]
    for row in rows:
        spread = math.sqrt(row.probability * (1 - row.probability) / n_draws)
        assert abs(taken.count(row.action) / n_draws - row.probability) < 5 * spread + 1e-9


# --- advice moves the score the right way ---------------------------------------------------------


@given(llm=llms, site=sites, one=values, other=values)
def test_score_does_not_fall_as_the_advised_value_rises(
    llm: OfflineLLM, site: str, one: float, other: float
) -> None:
    page, _, action = SITES[site]
    low, high = (
        llm.score(ask(site, exemplar(page, encouraged=[(action, value)])))
        for value in sorted((one, other))
    )
    assert high[action] >= low[action]
    assert all(high[candidate] >= low[candidate] for candidate in low)


# Ever farther from "item_page()": other chosen options, then a title and price that fit less.
ITEM_STEPS = (
    item_page(),
    item_page(title="Soft Red Floor Lamp, Modern"),
    item_page(title="Soft Floor Lamp, Modern", sizes="[[small]][large]"),
    item_page(title="Plain Floor Chair", price="$45.0", sizes="[[small]][large]"),
)


@given(llm=llms, value=values)
def test_score_does_not_fall_as_the_pages_grow_alike(llm: OfflineLLM, value: float) -> None:
    # "click[red]" looks the same on each of these pages, so that the page alone is at work.
    action = "click[red]"
    prompts = [item_prompt(exemplar(p, encouraged=[(action, value)])) for p in ITEM_STEPS]
    explained = [llm.explain(p) for p in prompts]
    likenesses = [e.likenesses[0] for e in explained]
    assert likenesses == sorted(likenesses, reverse=True)
    assert len(set(likenesses)) == len(likenesses)
    row = explained[0].row(action)
    beliefs = [e.row(action).belief for e in explained]
    if value >= row.prior:
        assert beliefs == sorted(beliefs, reverse=True)
    distances = [abs(belief - value) for belief in beliefs]
    if value < row.prior - llm.config.label_weight:
        # Bad experience counts for more, too, the nearer it is.
        assert distances == sorted(distances)


@given(llm=llms, site=sites)
def test_score_does_not_fall_as_the_tasks_grow_alike(llm: OfflineLLM, site: str) -> None:
    page, _, action = SITES[site]
    tasks = (
        "i want a soft red desk lamp in size small, and price lower than 30.00 dollars",
        "i want a soft red desk lamp in size small shade drum, and price lower than 30.00 dollars",
        "i want a soft red desk lamp in size small shade drum brass pull chain arm, and price "
        "lower than 30.00 dollars",
    )
    # Words are added where they change neither the page's features nor the action's looks; a
    # query's looks depend on the task, so there the action is compared through its likeness.
    explained = [
        llm.explain(ask(site, exemplar(page, task=task, encouraged=[(action, 1.0)])))
        for task in tasks
    ]
    likenesses = [e.likenesses[0] for e in explained]
    assert likenesses == sorted(likenesses, reverse=True)
    beliefs = [e.row(action).belief for e in explained]
    assert beliefs == sorted(beliefs, reverse=True)


@pytest.mark.parametrize("llm", LLMS)
@pytest.mark.parametrize("site", sorted(SITES))
def test_labels_alone_pull_towards_and_away(llm: OfflineLLM, site: str) -> None:
    page, _, action = SITES[site]
    bare = llm.score(ask(site))[action]
    up = llm.score(ask(site, exemplar(page, encouraged=[(action, None)])))[action]
    down = llm.score(ask(site, exemplar(page, discouraged=[(action, None)])))[action]
    assert down < bare < up


# --- what should not matter does not --------------------------------------------------------------


@given(llm=llms, here=sites, there=sites, value=values)
def test_an_exemplar_from_another_kind_of_page_changes_nothing(
    llm: OfflineLLM, here: str, there: str, value: float
) -> None:
    page, _, action = SITES[there]
    foreign = exemplar(page, encouraged=[(action, value)], discouraged=[("click[< prev]", 0.0)])
    rows, bare = llm.explain(ask(here, foreign)).rows, llm.explain(ask(here)).rows
    assert (rows == bare) == (here != there)


@given(llm=llms, site=sites)
def test_without_exemplars_the_belief_is_the_prior(llm: OfflineLLM, site: str) -> None:
    rows = llm.explain(ask(site)).rows
    assert rows
    assert all(row.belief == row.prior and row.evidence == () for row in rows)


def _renamed(text: str) -> str:
    for number, (asin, *_) in enumerate(PRODUCTS):
        for fold in (str.upper, str.lower):
            text = text.replace(fold(asin), fold(f"z9{7 - number}"))
    return text


def _numbers(explanation: Deliberation) -> dict[str, tuple[object, ...]]:
    return {
        _renamed(row.action): (row.kind, row.attributes, row.prior, row.belief, len(row.evidence))
        for row in explanation.rows
    }


@pytest.mark.parametrize("llm", LLMS)
def test_renamed_ids_change_nothing(llm: OfflineLLM) -> None:
    advice = [exemplar(results_page(), encouraged=[("click[b000000002]", 0.9)])]
    asked = results_prompt(*advice)
    renamed = dataclasses.replace(asked, text=_renamed(asked.text))
    assert renamed.text != asked.text
    assert _numbers(llm.explain(asked)) == _numbers(llm.explain(renamed))
    chances = [
        {_renamed(row.action): row.probability for row in llm.explain(p).rows}
        for p in (asked, renamed)
    ]
    assert chances[0] == pytest.approx(chances[1])


@given(llm=llms, site=sites, data=st.data())
def test_order_of_candidates_changes_nothing(
    llm: OfflineLLM, site: str, data: st.DataObject
) -> None:
    page, actions, action = SITES[site]
    advice = exemplar(page, encouraged=[(action, 0.8)])
    shuffled = data.draw(st.permutations(actions))
    rows = llm.explain(prompt(page, actions, advice)).rows
    others = llm.explain(prompt(page, shuffled, advice)).rows
    assert _numbers(Deliberation("", (), (), rows)) == _numbers(Deliberation("", (), (), others))
    chances = {row.action: row.probability for row in others}
    assert chances == pytest.approx({row.action: row.probability for row in rows})


def test_order_of_exemplars_changes_nothing_but_their_numbers() -> None:
    one = exemplar(item_page(), encouraged=[("click[red]", 0.25)])
    two = exemplar(item_page(title="Soft Lamp"), encouraged=[("click[buy now]", 1.0)])
    assert NOVICE.score(item_prompt(one, two)) == pytest.approx(NOVICE.score(item_prompt(two, one)))


# --- nothing else comes in ------------------------------------------------------------------------

ALLOWED = (
    "rememberer_nb.config",
    "rememberer_nb.elements",
    "rememberer_nb.errors",
    "rememberer_nb.llms.offline",
    "rememberer_nb.prompting.prompts",
)
# A clock, a random generator, files and the network have no place in a pure function.
STANDARD = {
    "__future__",
    "collections",
    "dataclasses",
    "functools",
    "hashlib",
    "json",
    "math",
    "numpy",
    "re",
    "typing",
}


def test_static_check_of_its_imports() -> None:
    paths = sorted((PACKAGE / "llms" / "offline").rglob("*.py"))
    assert len(paths) >= 6
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path.name}: relative import"
                names = [node.module or ""]
            for name in names:
                is_own = name.startswith(ALLOWED)
                assert is_own or name.split(".")[0] in STANDARD, f"{path.name} imports {name}"


def test_static_check_of_what_it_calls() -> None:
    for path in (PACKAGE / "llms" / "offline").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not names & {"open", "eval", "exec", "hash", "id", "input", "globals", "__import__"}
        assert not attributes & {"random", "default_rng", "seed", "messages", "left_out"}
        assert not any(isinstance(node, ast.Global | ast.Nonlocal) for node in ast.walk(tree))


# --- malformed replies ----------------------------------------------------------------------------


def _is_malformed(text: str, actions: list[str]) -> bool:
    found = SHOP.action_pattern.findall(text)
    return not any(SHOP.match(action, actions) for action in found)


@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_malformed_replies_are_as_frequent_as_set(rate: float) -> None:
    llm = OfflineLLM("webshop", OfflineConfig(malformed_rate=rate))
    n_replies = 4000
    asked = item_prompt()
    texts = [llm.complete(asked, seed=seed).text for seed in range(n_replies)]
    bad = [text for text in texts if _is_malformed(text, item_actions())]
    spread = math.sqrt(n_replies * rate * (1 - rate))
    assert abs(len(bad) - n_replies * rate) < 4 * spread
    dropped = [text for text in bad if text.startswith("click ")]
    invented = [text for text in bad if text.startswith("click[")]
    prose = [text for text in bad if text and not text.startswith("click")]
    assert dropped and invented and prose and "" in bad


def test_no_malformed_replies_when_switched_off() -> None:
    llm = OfflineLLM("webshop", OfflineConfig(malformed_rate=0.0))
    texts = [llm.complete(item_prompt(), seed=seed).text for seed in range(500)]
    assert not any(_is_malformed(text, item_actions()) for text in texts)
