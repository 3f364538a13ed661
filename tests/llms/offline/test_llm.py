"""The stand-in's replies, its inside, and ugly prompts."""

from __future__ import annotations

import json
import math
import statistics
import time

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.config import OfflineConfig, PromptConfig
from rememberer_nb.elements import Prompt
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms.offline import Likeness, OfflineLLM
from rememberer_nb.llms.offline.beliefs import Number
from rememberer_nb.llms.offline.webshop import ShopBeliefs
from tests.llms.pages import (
    SHOP,
    exemplar,
    item_actions,
    item_page,
    item_prompt,
    prompt,
    results_page,
    search_prompt,
    sub_page,
)

SURE = OfflineConfig(malformed_rate=0.0)
LLM = OfflineLLM("webshop", SURE)


def test_one_belief_by_hand() -> None:
    # "red" is named and best, but not first: 0.35 + 0.20 + 0.05. The exemplar is the page itself,
    # so K = k = 1 and the belief is (0.2 · 0.6 + 1 · 1) / 1.2, plus the label's 0.05 / 1.2.
    asked = item_prompt(exemplar(item_page(), encouraged=[("click[red]", 1.0)]))
    row = LLM.explain(asked).row("click[red]")
    assert row.kind == "option"
    assert dict(row.attributes) == {
        "named": 1.0,
        "best": 1.0,
        "settled": 0.0,
        "clicked": 0.0,
        "first": 0.0,
    }
    assert row.prior == pytest.approx(0.60)
    assert row.belief == pytest.approx((0.2 * 0.6 + 1.0) / 1.2 + 0.05 / 1.2)
    (evidence,) = row.evidence
    assert evidence == (1, "click[red]", True, 1.0, 1.0, row.prior, 1.0)


def test_advice_carries_over_to_like_actions_only() -> None:
    # "blue" differs from "red" in named, best and first: k = e^(−3 · 3). "buy" is another kind.
    asked = item_prompt(exemplar(item_page(), encouraged=[("click[red]", 1.0)]))
    blue = LLM.explain(asked).row("click[blue]")
    assert blue.evidence[0].action_likeness == pytest.approx(math.exp(-9))
    assert LLM.explain(asked).row("click[buy now]").evidence == ()


def test_advice_carries_over_to_products_with_other_names() -> None:
    products = (("X1", "Soft Red Desk Lamp", "$9.0"), ("X2", "Chair", "$9.0"))
    good = exemplar(results_page(products), encouraged=[("click[x1]", 1.0)])
    here = [("Y1", "Soft Red Desk Lamp", "$8.0"), ("Y2", "Chair", "$8.0")]
    asked = prompt(results_page(here), ["click[y1]", "click[y2]"], good)
    like, unlike = (LLM.explain(asked).row(f"click[{label}]") for label in ("y1", "y2"))
    assert like.evidence[0].action_likeness == 1.0
    assert unlike.evidence[0].action_likeness < 0.01


def test_keyword_queries_gain_from_keyword_queries() -> None:
    task = "i need a tall oak book shelf with doors, and price lower than 90.00 dollars"
    page = f"WebShop\nInstruction:\n{task}\n[Search]"
    good = exemplar(page, task=task, encouraged=[("search[tall oak book shelf]", 1.0)])
    before, after = LLM.believe(search_prompt()), LLM.believe(search_prompt(good))
    gains = {action: after[action] - before[action] for action in before}
    assert max(gains, key=gains.__getitem__) == "search[soft red desk lamp]"


@pytest.mark.parametrize("strength", ["novice", "able"])
def test_habits(strength: str) -> None:
    llm = OfflineLLM("webshop", OfflineConfig(strength=strength))
    queries = llm.believe(search_prompt())
    sentence = max(queries, key=len)
    options = llm.believe(item_prompt())
    ready = llm.believe(
        prompt(item_page(colors="[blue][[red]]", sizes="[[small]][large]"), item_actions())
    )
    assert (max(queries, key=queries.__getitem__) == sentence) == (strength == "novice")
    assert options["click[red]"] > options["click[blue]"]
    assert max(ready, key=ready.__getitem__) == "click[buy now]"


def test_reply_line_and_counts() -> None:
    asked = prompt(sub_page(), ["click[< prev]"])
    reply = LLM.complete(asked)
    line = "click[< prev] -> 0.60 nothing can be bought on this page"
    # Nothing else can be done, so nothing is discouraged.
    assert reply.text == f"\n- {line}"
    assert (reply.prompt_tokens, reply.completion_tokens) == (math.ceil(len(asked.text) / 4), 15)
    assert (reply.latency_s, reply.model) == (0.0, "offline:novice")
    asked = prompt(sub_page(), ["click[< prev]"], config=PromptConfig(reply_form="action"))
    assert LLM.complete(asked).text == line


def test_lists_look_like_an_exemplar() -> None:
    asked = item_prompt()
    beliefs = LLM.believe(asked)
    text = LLM.complete(asked, seed=1).text
    head, good, title, bad = text.split("\n")
    assert (head, title) == ("", "Discouraged:")
    worst = min(beliefs, key=lambda action: (beliefs[action], action))
    assert bad.startswith(f"- {worst} -> {beliefs[worst]:.2f} ")
    action = good.removeprefix("- ").partition(" -> ")[0]
    assert good.startswith(f"- {action} -> {beliefs[action]:.2f} ")


def test_full_marks_scale_values_both_ways() -> None:
    # A shop that pays 5: advice of 2.5 means half a full mark, as 0.5 does in one that pays 1.
    fives = OfflineLLM("webshop", SURE, full_mark=5.0)
    page, actions = sub_page(), ["click[< prev]"]
    in_fives = prompt(page, actions, exemplar(page, encouraged=[("click[< prev]", 2.5)]))
    in_ones = prompt(page, actions, exemplar(page, encouraged=[("click[< prev]", 0.5)]))
    assert fives.believe(in_fives) == LLM.believe(in_ones)
    belief = LLM.believe(in_ones)["click[< prev]"]
    assert fives.complete(in_fives).text.split()[3:5] == ["->", f"{5 * belief:.2f}"]
    assert fives.complete(in_fives).text.endswith("the like of it scored 2.50 before")


def test_reasons_stand_alone() -> None:
    """They are kept as rationales and shown in other prompts, which have other examples."""
    page = sub_page()
    advice = [exemplar(page, encouraged=[("click[< prev]", 0.25 * i)]) for i in (1, 3)]
    text = LLM.complete(prompt(page, ["click[< prev]"], *advice)).text
    assert "the like of it scored" in text
    assert "example" not in text


def test_blind_to_values_only_labels_count() -> None:
    blind = OfflineLLM("webshop", OfflineConfig(malformed_rate=0.0, reads_values=False))
    shown = [item_prompt(exemplar(item_page(), encouraged=[("click[red]", v)])) for v in (0, 0.9)]
    rows = [blind.explain(asked).row("click[red]") for asked in shown]
    # K = k = 1: the label's 0.05 · 1 / 1.2, whatever stands beside the action.
    assert [row.belief for row in rows] == [pytest.approx(rows[0].prior + 0.05 / 1.2)] * 2
    assert "scored" not in blind.complete(shown[1], seed=3).text
    bare = item_prompt(exemplar(item_page(), encouraged=[("click[red]", None)]))
    assert blind.believe(shown[1]) == blind.believe(bare) == LLM.believe(bare)


def test_settings_tell_apart_all_that_changes_a_reply() -> None:
    base = OfflineLLM("webshop")
    others = [
        OfflineLLM("wikihow"),
        OfflineLLM("webshop", OfflineConfig(strength="able")),
        OfflineLLM("webshop", OfflineConfig(temperature=0.5)),
        OfflineLLM("webshop", OfflineConfig(prior_weight=0.5)),
        OfflineLLM("webshop", OfflineConfig(label_weight=0.0)),
        OfflineLLM("webshop", OfflineConfig(malformed_rate=0.5)),
        OfflineLLM("webshop", OfflineConfig(reads_values=False)),
        OfflineLLM("webshop", full_mark=3.0),
        OfflineLLM("webshop", likeness=Likeness(page=1.0)),
    ]
    seen = [json.dumps(llm.settings, sort_keys=True) for llm in (base, *others)]
    assert len(set(seen)) == len(seen)
    assert base.settings == OfflineLLM("webshop").settings
    assert base.settings["llm"] == "offline:novice"
    for setting in attrs.fields(OfflineConfig):
        assert setting.name in base.settings


def test_settings_see_another_table_of_beliefs(monkeypatch: pytest.MonkeyPatch) -> None:
    before = LLM.settings
    known = ShopBeliefs.tables["novice"]
    buy = known["buy"].but(fit=Number(0.25, "the title has the words of the task"))
    monkeypatch.setattr(ShopBeliefs, "tables", {"novice": {**known, "buy": buy}})
    assert {k for k in before if LLM.settings[k] != before[k]} == {"beliefs"}
    reason = known["buy"].but(fit=Number(0.20, "so it is"))
    monkeypatch.setattr(ShopBeliefs, "tables", {"novice": {**known, "buy": reason}})
    assert LLM.settings["beliefs"] != before["beliefs"]


def test_the_number_in_the_reply_stays_within_the_marks() -> None:
    page = sub_page()
    for value, shown in ((9.0, "1.00"), (-9.0, "0.00")):
        asked = prompt(
            page, ["click[< prev]"], exemplar(page, encouraged=[("click[< prev]", value)])
        )
        assert LLM.complete(asked).text.startswith(f"\n- click[< prev] -> {shown} ")


def test_temperature_decides_how_sure() -> None:
    cold = OfflineLLM("webshop", OfflineConfig(temperature=0.001, malformed_rate=0.0))
    assert max(row.probability for row in cold.explain(search_prompt()).rows) > 0.999
    hot = OfflineLLM("webshop", OfflineConfig(temperature=100.0))
    chances = [row.probability for row in hot.explain(search_prompt()).rows]
    assert chances == pytest.approx([1 / 6] * 6, abs=0.01)


def test_the_table_is_flat() -> None:
    rows = LLM.explain(item_prompt()).table()
    assert [row["action"] for row in rows] == item_actions()
    assert rows[-1]["named"] == 0.0
    assert sum(row["probability"] for row in rows) == pytest.approx(1.0)
    with pytest.raises(KeyError, match="moon"):
        LLM.explain(item_prompt()).row("click[moon]")


@pytest.mark.parametrize("text", ["", "hello", "## Now\n", "## Example 1\n## Now\nTask: x\nPage:"])
def test_nothing_to_choose_from_is_no_reply_of_use(text: str) -> None:
    reply = LLM.complete(Prompt((), text, 0))
    assert SHOP.action_pattern.search(reply.text) is None
    assert LLM.explain(Prompt((), text, 0)).rows == ()


@given(text=st.text(max_size=200), seed=st.integers())
def test_any_text_gets_an_answer(text: str, seed: int) -> None:
    asked = item_prompt().text
    for whole in (text, asked + text, asked.replace("Page:", text)):
        LLM.complete(Prompt((), whole, 0), seed=seed)


def test_lone_surrogates_are_text_too() -> None:
    assert LLM.complete(Prompt((), item_prompt().text + "\ud800", 0)).text


@pytest.mark.parametrize("full_mark", [0.0, -1.0, math.nan])
def test_full_mark_is_checked(full_mark: float) -> None:
    with pytest.raises(ConfigError, match="full_mark must be above 0"):
        OfflineLLM("webshop", full_mark=full_mark)


def test_a_decision_is_quick() -> None:
    # Two exemplars; texts differ from call to call, so that nothing but exemplars is remembered.
    advice = [
        exemplar(item_page(title=f"Lamp {i}"), encouraged=[("click[red]", 0.5)]) for i in range(2)
    ]
    prompts = [
        prompt(item_page(title=f"Soft Lamp {i}"), item_actions(), *advice) for i in range(200)
    ]
    times = []
    for asked in prompts:
        start = time.perf_counter()
        LLM.complete(asked, seed=1)
        times.append(time.perf_counter() - start)
    # The aim is 0.7 ms; the bound leaves room for a busy machine.
    assert statistics.median(times) < 0.003
