"""Exemplars: the rules of advice by hand, synthetic advice, and skipped hits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rememberer_nb.agents.baselines import fixed_exemplars
from rememberer_nb.config import ExemplarConfig
from rememberer_nb.elements import ActionValue, Advice, Exemplar, Hit, Record
from rememberer_nb.prompting.exemplars import build_exemplar, select_exemplars
from tests.toy import TOY

AVAILABLE = ("go[on]", "go[back]", "say[<words>]", "open[door]")
PUBLISHED = ExemplarConfig(published_rule=True)
NO_SYNTHETIC = ExemplarConfig(use_synthetic=False)


def record(*held: tuple[str, float, int], available: tuple[str, ...] = AVAILABLE) -> Record:
    values = tuple(ActionValue(*value, rationale=f"why {value[0]}") for value in held)
    return Record(5, "g", "o", available, values)


def build(made: Record, config: ExemplarConfig | None = None, seed: int = 0) -> Exemplar:
    return build_exemplar(made, TOY, np.random.default_rng(seed), config)


def sides(*held: tuple[str, float, int], config: ExemplarConfig = NO_SYNTHETIC) -> tuple:
    made = build(record(*held), config)
    return tuple(a.action for a in made.encouraged), tuple(a.action for a in made.discouraged)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([("a", 0.9, 1), ("b", 0.1, 1), ("c", 0.5, 1)], (("a",), ("b",))),
        ([("a", 0.9, 1)], (("a",), ())),
        # Encouraged only above 0.
        ([("a", 0.0, 1)], ((), ("a",))),
        ([("a", -0.5, 1), ("b", -0.9, 1)], ((), ("b",))),
        # The gap must be the margin, 0.05; rounding of 0.15 - 0.1 does not matter.
        ([("a", 0.15, 1), ("b", 0.1, 1)], (("a",), ("b",))),
        ([("a", 0.5, 1), ("b", 0.45, 1)], (("a",), ("b",))),
        ([("a", 0.5, 1), ("b", 0.46, 1)], (("a",), ())),
        ([("a", 0.5, 1), ("b", 0.5, 1)], (("a",), ())),
        # Ties by visits, then by text, on both sides.
        ([("a", 0.9, 1), ("b", 0.9, 2), ("c", 0.1, 1), ("d", 0.1, 2)], (("b",), ("d",))),
        ([("b", 0.9, 1), ("a", 0.9, 1), ("d", 0.1, 1), ("c", 0.1, 1)], (("a",), ("c",))),
        ([], ((), ())),
    ],
)
def test_rule_by_hand(held: list[tuple[str, float, int]], expected: tuple) -> None:
    assert sides(*held) == expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ([("a", 0.9, 1), ("b", 0.1, 1)], (("a",), ())),
        ([("a", 0.9, 1), ("b", 0.0, 1)], (("a",), ("b",))),
        ([("a", 0.01, 1), ("b", -0.01, 1)], (("a",), ("b",))),
        ([("a", 0.0, 1)], ((), ("a",))),
    ],
)
def test_published_rule_by_hand(held: list[tuple[str, float, int]], expected: tuple) -> None:
    config = ExemplarConfig(published_rule=True, use_synthetic=False)
    assert sides(*held, config=config) == expected


def test_a_margin_of_one_own() -> None:
    config = ExemplarConfig(margin=0.5, use_synthetic=False)
    assert sides(("a", 0.9, 1), ("b", 0.5, 1), config=config) == (("a",), ())
    assert sides(("a", 0.9, 1), ("b", 0.4, 1), config=config) == (("a",), ("b",))


def test_advice_carries_value_and_reason() -> None:
    made = build(record(("go[on]", 0.9, 1), ("go[back]", 0.1, 1)))
    assert made.encouraged == (Advice("go[on]", 0.9, "why go[on]"),)
    assert made.discouraged == (Advice("go[back]", 0.1, "why go[back]"),)
    assert (made.record_id, made.task, made.observation) == (5, "g", "o")


@pytest.mark.parametrize("seed", range(20))
def test_a_missing_side_is_drawn_from_what_was_not_tried(seed: int) -> None:
    made = build(record(("go[on]", 0.9, 1)), seed=seed)
    (advice,) = made.discouraged
    assert advice.action in ("go[back]", "open[door]")
    assert (advice.is_synthetic, advice.value, advice.rationale) == (True, None, "")
    assert not made.encouraged[0].is_synthetic
    made = build(record(("go[on]", 0.0, 1)), seed=seed)
    assert made.encouraged[0].action in ("go[back]", "open[door]")
    assert made.encouraged[0].is_synthetic
    assert not made.discouraged[0].is_synthetic


def test_draws_are_seeded_and_vary() -> None:
    made = record(("go[on]", 0.9, 1))
    drawn = [build(made, seed=seed).discouraged[0].action for seed in range(20)]
    assert drawn == [build(made, seed=seed).discouraged[0].action for seed in range(20)]
    assert set(drawn) == {"go[back]", "open[door]"}


def test_both_sides_missing_never_get_the_same_action() -> None:
    for seed in range(20):
        made = build(record(available=("go[on]", "go[back]")), seed=seed)
        assert {made.encouraged[0].action, made.discouraged[0].action} == {"go[on]", "go[back]"}


def test_no_draw_where_nothing_is_left() -> None:
    made = build(record(("go[on]", 0.9, 1), available=("go[on]", "say[<words>]")))
    assert (len(made.encouraged), made.discouraged) == (1, ())


@pytest.mark.parametrize(("synthetic_value", "shown"), [("none", None), ("zero", 0.0)])
def test_the_value_of_synthetic_advice(synthetic_value: str, shown: float | None) -> None:
    config = ExemplarConfig(synthetic_value=synthetic_value)
    assert build(record(("go[on]", 0.9, 1)), config).discouraged[0].value == shown


def test_a_random_value_comes_from_the_generator() -> None:
    config = ExemplarConfig(synthetic_value="random")
    made = record(("go[on]", 0.9, 1))
    values = [build(made, config, seed).discouraged[0].value for seed in range(10)]
    assert values == [build(made, config, seed).discouraged[0].value for seed in range(10)]
    assert len(set(values)) == 10
    assert all(0 <= value < 1 for value in values)


def test_ablations() -> None:
    tried_both = record(("go[on]", 0.9, 1), ("go[back]", 0.1, 1))
    made = build(tried_both, ExemplarConfig(use_discouraged=False))
    assert (len(made.encouraged), made.discouraged) == (1, ())
    made = build(record(("go[on]", 0.9, 1)), ExemplarConfig(use_discouraged=False))
    assert made.discouraged == ()
    made = build(record(("go[on]", 0.0, 1)), ExemplarConfig(use_discouraged=False))
    assert made.encouraged[0].is_synthetic
    assert build(tried_both, NO_SYNTHETIC).discouraged[0].action == "go[back]"


actions = st.sampled_from([*AVAILABLE, "open[other]"])
held_values = st.lists(
    st.tuples(actions, st.sampled_from([-0.5, 0.0, 0.02, 0.5, 1.0]), st.integers(0, 3)),
    unique_by=lambda value: value[0],
    max_size=4,
)


@given(held_values, st.booleans(), st.booleans(), st.integers(0, 9))
def test_advice_never_contradicts_itself(
    held: list[tuple[str, float, int]], published: bool, synthetic: bool, seed: int
) -> None:
    config = ExemplarConfig(published_rule=published, use_synthetic=synthetic)
    made = build(record(*held), config, seed)
    assert len(made.encouraged) <= 1
    assert len(made.discouraged) <= 1
    tried = {action for action, _, _ in held}
    both = [*made.encouraged, *made.discouraged]
    assert len({advice.action for advice in both}) == len(both)
    for advice in both:
        assert advice.is_synthetic == (advice.action not in tried)
        assert not (advice.is_synthetic and TOY.is_template(advice.action))
        assert synthetic or not advice.is_synthetic
    for advice in made.encouraged:
        assert advice.is_synthetic or advice.value == max(q for _, q, _ in held) > 0


# Selection


def hits(*records: Record) -> list[Hit]:
    return [Hit(i, 1.0 - i / 10, 0.5, 0.5, made) for i, made in enumerate(records)]


def numbered(record_id: int, observation: str = "o", n_values: int = 1) -> Record:
    values = (ActionValue("go[on]", 0.9, 1),)[:n_values]
    return Record(record_id, "g", observation, (), values)


def select(found: list[Hit], n_exemplars: int, **changes: object) -> tuple:
    config = ExemplarConfig(**changes)
    return select_exemplars(found, n_exemplars, TOY, np.random.default_rng(0), config=config)


def test_the_first_m_hits_the_most_similar_first() -> None:
    found = hits(numbered(3), numbered(1), numbered(2))
    seen, exemplars, left_out = select(found, 2)
    assert [made.record_id for made in exemplars] == [3, 1]
    assert seen == tuple(found[:2])
    assert left_out == ()


def test_over_budget_the_next_hit_is_tried() -> None:
    found = hits(numbered(3, "long " * 500), numbered(1, n_values=0), numbered(2), numbered(4))
    seen, exemplars, left_out = select(found, 1, max_tokens=100)
    assert [made.record_id for made in exemplars] == [2]
    assert [hit.record.record_id for hit in seen] == [3, 1, 2]
    assert [(gone.what, gone.record_id) for gone in left_out] == [("exemplar", 3), ("exemplar", 1)]
    assert left_out[0].why == f"exemplar of {left_out[0].n_tokens} tokens, budget 100"
    assert left_out[0].n_tokens > 600
    assert left_out[1].why == "no advice to give"


def test_hits_are_taken_only_as_needed() -> None:
    taken = []

    def lazily():
        for hit in hits(*(numbered(i) for i in range(9))):
            taken.append(hit)
            yield hit

    select(lazily(), 3)
    assert len(taken) == 3
    select(lazily(), 0)
    assert len(taken) == 3


def test_fewer_hits_than_wanted() -> None:
    assert len(select(hits(numbered(1)), 5)[1]) == 1
    assert select([], 5) == ((), (), ())


def test_another_count_of_tokens() -> None:
    found = hits(numbered(1))
    rng = np.random.default_rng(0)
    result = select_exemplars(found, 1, TOY, rng, count_tokens=lambda text: 10**6)
    assert result[1] == ()
    assert result[2][0].n_tokens == 10**6


def test_fixed_exemplars_are_a_seeded_draw_without_replacement() -> None:
    pool = [numbered(i) for i in range(10)]

    def draw(seed: int, n_exemplars: int = 3) -> list[int]:
        made = fixed_exemplars(pool, n_exemplars, TOY, np.random.default_rng(seed))
        return [exemplar.record_id for exemplar in made]

    assert draw(1) == draw(1) != draw(2)
    assert len(set(draw(1))) == 3
    assert sorted(draw(1, 50)) == list(range(10))
    assert fixed_exemplars([], 2, TOY, np.random.default_rng(0)) == ()
