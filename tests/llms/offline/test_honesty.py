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
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rememberer_nb
from rememberer_nb.config import OfflineConfig, PromptConfig
from rememberer_nb.elements import Exemplar, Prompt, Situation, Task
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ReplyError
from rememberer_nb.llms.offline import OfflineLLM, Row
from rememberer_nb.prompting.prompts import build_prompt
from rememberer_nb.prompting.replies import ParsedReply, parse_advice_reply, parse_reply
from tests.llms.pages import (
    CONTENT_ACTIONS,
    HOW_TO,
    HOW_TO_RESULTS,
    HOW_TO_START,
    HOW_TO_TASK,
    MOVES,
    PRODUCTS,
    RESULTS_ACTIONS,
    SEARCH_PAGE,
    SHOP,
    START_ACTIONS,
    TASK,
    content_page,
    exemplar,
    item_actions,
    item_page,
    results_actions,
    results_page,
    sub_page,
)

PACKAGE = Path(rememberer_nb.__file__).parent


class Site(NamedTuple):
    """A kind of page, what can be done there, and an action to advise."""

    profile: Profile
    task: str
    page: str
    actions: Sequence[str]
    advised: str

    def exemplar(self, *advice: tuple[str, float | None], **changes: Any) -> Exemplar:
        """An example from this page with encouraged actions; `changes` as of `pages.exemplar`."""
        shown = {"task": self.task, "encouraged": advice, **changes}
        return exemplar(shown.pop("page", self.page), **shown)

    def ask(
        self, *exemplars: Exemplar, actions: Sequence[str] | None = None, form: str = "advice"
    ) -> Prompt:
        """The prompt on this page."""
        available = self.actions if actions is None else actions
        now = Situation(Task("0", self.task), self.page, tuple(available))
        return build_prompt(self.profile, now, exemplars, config=PromptConfig(reply_form=form))

    def read(self, text: str, form: str = "advice") -> ParsedReply:
        """What a reply says."""
        return {"advice": parse_advice_reply, "action": parse_reply}[form](
            text, self.actions, self.profile
        )


def shop(page: str, actions: Sequence[str], advised: str) -> Site:
    return Site(SHOP, TASK, page, actions, advised)


def how_to(page: str, actions: Sequence[str], advised: str) -> Site:
    return Site(HOW_TO, HOW_TO_TASK, page, actions, advised)


SUB_ACTIONS = ["click[back to search]", "click[< prev]"]
ITEM = shop(item_page(), item_actions(), "click[red]")
RESULTS = shop(results_page(), results_actions(), "click[b000000002]")
HITS = how_to(HOW_TO_RESULTS, RESULTS_ACTIONS, "CLICK(4)")
SITES = {
    "search": shop(SEARCH_PAGE, ["search[<keywords>]"], "search[soft red desk lamp]"),
    "results": RESULTS,
    "item": ITEM,
    "sub": shop(sub_page(), SUB_ACTIONS, "click[back to search]"),
    "start of the how-to site": how_to(HOW_TO_START, START_ACTIONS, "INPUT(2, mend kite)"),
    "hits of the how-to site": HITS,
    "content of the how-to site": how_to(content_page(), CONTENT_ACTIONS, "CLICK(6)"),
}
STRENGTHS = ("novice", "able")
sites = st.sampled_from(sorted(SITES)).map(SITES.__getitem__)
strengths = st.sampled_from(STRENGTHS)
values = st.integers(0, 100).map(lambda n: n / 100)
every_site = pytest.mark.parametrize("site", SITES.values(), ids=SITES)
every_strength = pytest.mark.parametrize("strength", STRENGTHS)
every_form = pytest.mark.parametrize("form", ["advice", "action"])


def stand_in(site: Site, strength: str = "novice", **changes: float) -> OfflineLLM:
    return OfflineLLM(
        site.profile.name,
        OfflineConfig(strength=strength, **changes),
        full_mark=site.profile.full_mark,
    )


# --- the same prompt and seed, the same reply; another seed, another draw -------------------------

_CHILD = """
import json, sys
from rememberer_nb.elements import Prompt
from rememberer_nb.envs import get_profile
from rememberer_nb.llms import make_llm
replies = []
for env, text in json.load(sys.stdin):
    for spec in ("offline", "offline:able"):
        llm = make_llm(spec, profile=get_profile(env))
        replies += [llm.complete(Prompt((), text, 0), seed=seed).text for seed in range(20)]
json.dump(replies, sys.stdout)
"""


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_same_reply_in_another_process(hash_seed: str) -> None:
    asked = []
    for site in SITES.values():
        discouraged = [(site.actions[-1], None)]
        advice = site.exemplar((site.advised, 0.75), discouraged=discouraged)
        asked += [(site, site.ask()), (site, site.ask(advice))]
    here = [
        stand_in(site, strength).complete(prompt, seed=seed).text
        for site, prompt in asked
        for strength in STRENGTHS
        for seed in range(20)
    ]
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=json.dumps([(site.profile.name, prompt.text) for site, prompt in asked]),
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(child.stdout) == here


@given(site=sites, strength=strengths, seed=st.integers(0, 2**63))
def test_same_prompt_and_seed_same_reply(site: Site, strength: str, seed: int) -> None:
    one, other = (stand_in(site, strength).complete(site.ask(), seed=seed) for _ in range(2))
    assert one == other


@every_strength
@pytest.mark.parametrize("name", ["search", "start of the how-to site"])
def test_other_seeds_reach_other_replies(name: str, strength: str) -> None:
    llm, asked = stand_in(SITES[name], strength), SITES[name].ask()
    assert len({llm.complete(asked, seed=seed).text for seed in range(50)}) > 2


@every_site
def test_it_reads_the_text_alone(site: Site) -> None:
    llm, asked = stand_in(site), site.ask()
    bare = Prompt(messages=(("user", "buy gold"),), text=asked.text, n_tokens=1)
    assert llm.complete(bare, seed=3) == llm.complete(asked, seed=3)
    assert llm.explain(bare) == llm.explain(asked)


@every_site
def test_draws_follow_the_probabilities(site: Site) -> None:
    llm, asked = stand_in(site, malformed_rate=0.0), site.ask()
    n_draws = 2000
    taken = [site.read(llm.complete(asked, seed=s).text).action for s in range(n_draws)]
    for row in llm.explain(asked).rows:
        spread = math.sqrt(row.probability * (1 - row.probability) / n_draws)
        assert abs(taken.count(row.action) / n_draws - row.probability) < 5 * spread + 1e-9


@every_strength
@every_site
def test_the_form_of_the_reply_changes_nothing_but_that(site: Site, strength: str) -> None:
    llm = stand_in(site, strength, malformed_rate=0.1)
    seen = {"advice": [], "action": []}
    for form, found in seen.items():
        asked = site.ask(form=form)
        for seed in range(100):
            try:
                said = site.read(llm.complete(asked, seed=seed).text, form)
            except ReplyError as error:
                found.append(error.reason)
            else:
                found.append((said.action, said.value, said.rationale))
    assert seen["advice"] == seen["action"]
    assert any(isinstance(each, str) for each in seen["advice"])


@every_site
def test_what_is_believed_worst_is_discouraged(site: Site) -> None:
    llm, asked = stand_in(site, malformed_rate=0.0), site.ask()
    beliefs = llm.believe(asked)
    worst = min(beliefs, key=lambda action: (beliefs[action], action))
    n_others = 0
    for seed in range(20):
        said = site.read(llm.complete(asked, seed=seed).text)
        assert [advice.action for advice in said.encouraged] == [said.action]
        n_others += said.action != worst
        bad = [] if said.action == worst else [worst]
        assert [advice.action for advice in said.discouraged] == bad
    assert n_others


# --- advice moves the score the right way ---------------------------------------------------------


@given(site=sites, strength=strengths, one=values, other=values)
def test_score_does_not_fall_as_the_advised_value_rises(
    site: Site, strength: str, one: float, other: float
) -> None:
    llm = stand_in(site, strength)
    low, high = (
        llm.believe(site.ask(site.exemplar((site.advised, value))))
        for value in sorted((one, other))
    )
    assert site.advised in low
    assert all(high[candidate] >= low[candidate] for candidate in low)


# Ever farther from `ITEM` and `HITS`, while the advised action itself looks the same on each: other
# chosen options, a title and price that fit less; hits and a search text that have less in common
# with what is wanted, then an instruction that asks for a search.
FARTHER = {
    "item": (
        ITEM,
        "click[red]",
        (
            item_page(),
            item_page(title="Soft Red Floor Lamp, Modern"),
            item_page(title="Soft Floor Lamp, Modern", sizes="[[small]][large]"),
            item_page(title="Plain Floor Chair", price="$45.0", sizes="[[small]][large]"),
        ),
    ),
    "hits": (
        HITS,
        "CLICK(5)",
        (
            HOW_TO_RESULTS,
            HOW_TO_RESULTS.replace("Mend a Kite</div>", "Sell a Kite</div>"),
            HOW_TO_RESULTS.replace("Kite</div>", "Goat</div>").replace("Mend", "Sell", 1),
            HOW_TO_RESULTS.replace("Kite</div>", "Goat</div>")
            .replace("Mend", "Sell", 1)
            .replace("mend a kite", "goats"),
        ),
    ),
}


@given(name=st.sampled_from(sorted(FARTHER)), strength=strengths, value=values)
def test_score_does_not_fall_as_the_pages_grow_alike(
    name: str, strength: str, value: float
) -> None:
    site, action, pages = FARTHER[name]
    llm = stand_in(site, strength)
    seen = [llm.explain(site.ask(site.exemplar((action, value), page=page))) for page in pages]
    likenesses = [e.likenesses[0] for e in seen]
    assert likenesses == sorted(set(likenesses), reverse=True)
    assert len(likenesses) == len(pages)
    row = seen[0].row(action)
    assert {e.row(action).evidence[0].action_likeness for e in seen} == {1.0}
    beliefs = [e.row(action).belief for e in seen]
    if value >= row.prior:
        assert beliefs == sorted(beliefs, reverse=True)
    distances = [abs(belief - value) for belief in beliefs]
    if value < row.prior - llm.config.label_weight:
        # Bad experience counts for more, too, the nearer it is.
        assert distances == sorted(distances)


# Words are added where they change neither the page's features nor the action's looks; a query's
# looks depend on the task, so there the action is compared through its likeness.
WORDIER = ("", " shade drum", " shade drum brass pull chain arm")


@given(
    site=st.sampled_from([site for site in SITES.values() if site.profile is SHOP]),
    strength=strengths,
)
def test_score_does_not_fall_as_the_tasks_grow_alike(site: Site, strength: str) -> None:
    before, comma, after = TASK.partition(",")
    advice = [
        site.exemplar((site.advised, 1.0), task=f"{before}{words}{comma}{after}")
        for words in WORDIER
    ]
    _check_falling(site, strength, site.advised, advice)


@every_strength
@pytest.mark.parametrize("action", MOVES)
def test_score_does_not_fall_as_the_instructions_grow_alike(action: str, strength: str) -> None:
    """On the how-to site what is wanted now is the instruction, which no link has a word of."""
    wanted = "Check the reference list"
    site = how_to(content_page(instruction=wanted), CONTENT_ACTIONS, action)
    pages = [content_page(instruction=f"{wanted}{words}") for words in WORDIER]
    advice = [site.exemplar((action, 1.0), page=page) for page in pages]
    _check_falling(site, strength, action, advice)


def _check_falling(site: Site, strength: str, action: str, advice: Sequence[Exemplar]) -> None:
    seen = [stand_in(site, strength).explain(site.ask(one)) for one in advice]
    likenesses = [e.likenesses[0] for e in seen]
    assert likenesses == sorted(set(likenesses), reverse=True)
    assert len(likenesses) == len(advice)
    beliefs = [e.row(action).belief for e in seen]
    assert beliefs == sorted(beliefs, reverse=True)


@every_strength
@every_site
def test_labels_alone_pull_towards_and_away(site: Site, strength: str) -> None:
    llm, action = stand_in(site, strength), site.advised
    bare = llm.believe(site.ask())[action]
    up = llm.believe(site.ask(site.exemplar((action, None))))[action]
    down = llm.believe(site.ask(site.exemplar(discouraged=[(action, None)])))[action]
    assert down < bare < up


# --- what should not matter does not --------------------------------------------------------------


@given(here=sites, there=sites, strength=strengths, value=values)
def test_an_exemplar_from_another_kind_of_page_changes_nothing(
    here: Site, there: Site, strength: str, value: float
) -> None:
    llm = stand_in(here, strength)
    foreign = there.exemplar((there.advised, value), discouraged=[(there.actions[-1], 0.0)])
    rows, bare = llm.explain(here.ask(foreign)).rows, llm.explain(here.ask()).rows
    assert (rows == bare) == (here != there)


@every_strength
@every_site
def test_without_exemplars_the_belief_is_the_prior(site: Site, strength: str) -> None:
    rows = stand_in(site, strength).explain(site.ask()).rows
    assert rows
    assert all(row.belief == row.prior and row.evidence == () for row in rows)


def _renamed(text: str) -> str:
    """Other names for products, other numbers for elements; what is renamed already stays."""
    for number, (asin, *_) in enumerate(PRODUCTS):
        for fold in (str.upper, str.lower):
            text = text.replace(fold(asin), fold(f"z9{7 - number}"))
    return re.sub(r'( id="|CLICK\(|INPUT\()(\d)\b', r"\g<1>7\2", text)


def _numbers(rows: Sequence[Row]) -> dict[str, tuple[object, ...]]:
    """What is known of each action, whatever it is called."""
    return {
        _renamed(row.action): (row.kind, row.attributes, row.prior, row.belief, len(row.evidence))
        for row in rows
    }


def _chances(rows: Sequence[Row]) -> Any:
    return pytest.approx({_renamed(row.action): row.probability for row in rows})


@every_strength
@pytest.mark.parametrize("site", [RESULTS, HITS], ids=["results", "hits of the how-to site"])
def test_renamed_ids_change_nothing(site: Site, strength: str) -> None:
    llm, asked = stand_in(site, strength), site.ask(site.exemplar((site.advised, 0.9)))
    there = dataclasses.replace(asked, text=_renamed(asked.text))
    assert there.text != asked.text
    rows, others = llm.explain(asked).rows, llm.explain(there).rows
    assert site.advised not in {row.action for row in others}
    assert _numbers(rows) == _numbers(others)
    assert {_renamed(row.action): row.probability for row in rows} == _chances(others)


@given(site=sites, strength=strengths, data=st.data())
def test_order_of_candidates_changes_nothing(
    site: Site, strength: str, data: st.DataObject
) -> None:
    llm, advice = stand_in(site, strength), site.exemplar((site.advised, 0.8))
    shuffled = data.draw(st.permutations(site.actions))
    rows = llm.explain(site.ask(advice)).rows
    others = llm.explain(site.ask(advice, actions=shuffled)).rows
    assert _numbers(rows) == _numbers(others)
    assert {_renamed(row.action): row.probability for row in rows} == _chances(others)


@every_site
def test_order_of_exemplars_changes_nothing_but_their_numbers(site: Site) -> None:
    one = site.exemplar((site.advised, 0.25))
    two = site.exemplar((site.actions[-1], 1.0))
    llm = stand_in(site)
    assert llm.believe(site.ask(one, two)) == pytest.approx(llm.believe(site.ask(two, one)))


# --- nothing else comes in ------------------------------------------------------------------------

ALLOWED = (
    "rememberer_nb.config",
    "rememberer_nb.system.plain",
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


def _is_malformed(site: Site, text: str, form: str) -> bool:
    try:
        site.read(text, form)
    except ReplyError:
        return True
    return False


@pytest.mark.parametrize("rate", [0.02, 0.3])
@every_form
@every_site
def test_malformed_replies_are_as_frequent_as_set(site: Site, form: str, rate: float) -> None:
    llm, asked = stand_in(site, malformed_rate=rate), site.ask(form=form)
    n_replies = 2000
    texts = [llm.complete(asked, seed=seed).text for seed in range(n_replies)]
    n_bad = sum(_is_malformed(site, text, form) for text in texts)
    spread = math.sqrt(n_replies * rate * (1 - rate))
    assert abs(n_bad - n_replies * rate) < 4 * spread


@every_strength
@every_form
@every_site
def test_each_malformed_reply_is_one_and_each_way_is_used(
    site: Site, form: str, strength: str
) -> None:
    llm, asked = stand_in(site, strength, malformed_rate=1.0), site.ask(form=form)
    texts = [llm.complete(asked, seed=seed).text for seed in range(1000)]
    assert [text for text in texts if not _is_malformed(site, text, form)] == []
    invented = [text for text in texts if " -> " in text]
    prose = [text for text in texts if text.endswith(".")]
    dropped = [text for text in texts if text and text not in {*invented, *prose}]
    assert invented and prose and dropped and "" in texts


@every_form
@every_site
def test_no_malformed_replies_when_switched_off(site: Site, form: str) -> None:
    llm, asked = stand_in(site, malformed_rate=0.0), site.ask(form=form)
    texts = [llm.complete(asked, seed=seed).text for seed in range(500)]
    assert not any(_is_malformed(site, text, form) for text in texts)
