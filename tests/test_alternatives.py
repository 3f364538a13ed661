"""The named alternatives to the paper's choices, each by hand, and all of them off by default."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rememberer_nb.agents.rememberer import MemoryExemplars
from rememberer_nb.config import (
    CapacityConfig,
    ExemplarConfig,
    RetrievalConfig,
    RlemConfig,
    describe,
)
from rememberer_nb.elements import ActionValue, Hit, Record, Situation, Task, Transition
from rememberer_nb.errors import ConfigError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.prompting.exemplars import build_exemplar
from rememberer_nb.prompting.exploration import visit_bonus
from rememberer_nb.prompting.rankings import BySimilarity, TwoPhase, make_ranking
from rememberer_nb.retrieval.shares import similarity_shares
from rememberer_nb.rlem import bootstrap_value, learn_episode
from tests.toy import TOY

WORDWISE = RetrievalConfig(task_similarity="jaccard", observation_similarity="jaccard")


def known(memory: ExperienceMemory, observation: str, q_value: float, task: str = "g") -> None:
    learn_episode(memory, task, [Transition(observation, "b", q_value, "end", terminated=True)])


def step_to(observation: str, reward: float = 0.0) -> list[Transition]:
    """Two steps, the first of which bootstraps from a page that is not in memory."""
    return [
        Transition("start", "a", reward, observation),
        Transition(observation, "a", 0.0, "end", terminated=True),
    ]


def test_the_paper_is_the_default() -> None:
    assert (RetrievalConfig().ranking, RlemConfig().stand_in) == ("similarity", "nearest")
    assert (RlemConfig().initial_q, RlemConfig().initial_visits) == (0.0, 0)
    assert ExemplarConfig().exploration == 0.0
    assert isinstance(make_ranking(RetrievalConfig()), BySimilarity)
    for config in (RetrievalConfig(), RlemConfig(), ExemplarConfig(), CapacityConfig()):
        assert all(row["unit"] and row["source"] for row in describe(config))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (RetrievalConfig, {"ranking": "magic"}),
        (RetrievalConfig, {"n_candidates": 0}),
        (RlemConfig, {"stand_in": "magic"}),
        (RlemConfig, {"n_neighbours": 0}),
        (RlemConfig, {"initial_q": math.nan}),
        (RlemConfig, {"initial_visits": -1}),
        (ExemplarConfig, {"exploration": -0.1}),
        (ExemplarConfig, {"exploration": math.inf}),
    ],
)
def test_settings_out_of_range(kind: type, changes: dict) -> None:
    (name,) = changes
    with pytest.raises(ConfigError, match=name):
        kind(**changes)


# Two-phase retrieval


def hit(number: int, total: float, q_value: float) -> Hit:
    record = Record(number, "g", f"o{number}", (), (ActionValue("a", q_value, 1),))
    return Hit(number, total, total, total, record)


def test_two_phases_by_hand() -> None:
    hits = [hit(0, 0.9, 0.1), hit(1, 0.8, 0.7), hit(2, 0.7, 0.7), hit(3, 0.6, 1.0)]
    ranked = list(TwoPhase(3).rank(hits))
    # The best value of all is not among the three most similar; of equals the more similar.
    assert [h.record.record_id for h in ranked] == [1, 2, 0, 3]
    assert [h.rank for h in ranked] == [0, 1, 2, 3]
    assert [h.total for h in ranked] == [0.8, 0.7, 0.9, 0.6]
    assert list(TwoPhase(1).rank(hits)) == hits == list(BySimilarity().rank(hits))
    assert list(TwoPhase(3).rank([])) == []


def test_two_phases_look_no_further_than_asked() -> None:
    def endless():
        number = 0
        while True:
            yield hit(number, 1 / (1 + number), number % 2)
            number += 1

    ranked = TwoPhase(4).rank(endless())
    assert [next(ranked).record.record_id for _ in range(6)] == [1, 3, 0, 2, 4, 5]


def test_two_phases_choose_the_exemplars() -> None:
    memory = ExperienceMemory(WORDWISE)
    known(memory, "red lamp on a table", 0.1)
    known(memory, "red lamp on a chair", 0.9)
    known(memory, "nothing alike", 1.0)
    here = Situation(Task("0", "g"), "red lamp on a table", ())

    def shown(**settings: object) -> list[str]:
        config = RetrievalConfig(n_exemplars=1, **settings)
        source = MemoryExemplars(memory, TOY, config)
        _, exemplars, _ = source.select(here, np.random.default_rng(0))
        return [exemplar.observation for exemplar in exemplars]

    assert shown() == ["red lamp on a table"]
    assert shown(ranking="two_phase", n_candidates=2) == ["red lamp on a chair"]
    assert shown(ranking="two_phase", n_candidates=3) == ["nothing alike"]


# Several neighbours stand in together


def test_neighbours_by_hand() -> None:
    memory = ExperienceMemory(WORDWISE)
    known(memory, "x one", 0.9)
    known(memory, "x two", 0.3)
    config = RlemConfig(n_step=1, gamma=0.5, stand_in="kernel", n_neighbours=2)
    first, _ = learn_episode(memory, "g", step_to("x one three", 0.25), config=config)
    # Task 1; pages 2/3 and 1/4: totals 5/6 and 5/8, so shares 4/7 and 3/7.
    assert first.is_stand_in
    assert first.bootstrap_record_id == 0
    assert first.bootstrap_sources == ((0, pytest.approx(4 / 7)), (1, pytest.approx(3 / 7)))
    assert first.bootstrap_value == pytest.approx(0.9 * 4 / 7 + 0.3 * 3 / 7)
    assert first.target == pytest.approx(0.25 + 0.5 * first.bootstrap_value)


def test_a_known_page_needs_no_neighbours() -> None:
    memory = ExperienceMemory(WORDWISE)
    known(memory, "x one", 0.9)
    known(memory, "x two", 0.3)
    config = RlemConfig(n_step=1, stand_in="kernel")
    first, _ = learn_episode(memory, "g", step_to("x two"), config=config)
    assert (first.bootstrap_value, first.is_stand_in, first.bootstrap_sources) == (0.3, False, ())


def test_one_neighbour_is_the_nearest() -> None:
    updates = []
    for config in (
        RlemConfig(n_step=1, stand_in="kernel", n_neighbours=1),
        RlemConfig(n_step=1),
    ):
        memory = ExperienceMemory(WORDWISE)
        known(memory, "x one", 0.9)
        known(memory, "y two", 0.3)
        updates.append(learn_episode(memory, "g", step_to("x three"), config=config))
    assert updates[0] == updates[1]


def test_neighbours_that_are_nothing_alike_count_the_same() -> None:
    hits = [hit(0, 0.0, 1.0), hit(1, 0.0, 0.0)]
    assert similarity_shares(hits) == (0.5, 0.5)


def test_neighbours_with_two_tables() -> None:
    """The updated table chooses the action, the other one values it, for each neighbour."""
    b = ActionValue("b", 0.5, 2, tables=((0.9, 1), (0.1, 1)))
    c = ActionValue("c", 0.6, 2, tables=((0.5, 1), (0.7, 1)))
    one, other = Record(0, "g", "o", (), (b, c)), Record(1, "g", "p", (), (b,))
    assert (bootstrap_value(one, 0), bootstrap_value(one, 1)) == (0.1, 0.5)
    assert (bootstrap_value(other, 0), bootstrap_value(other, 1)) == (0.1, 0.9)


# Optimism


def test_optimism_in_a_running_mean() -> None:
    memory = ExperienceMemory(WORDWISE)
    config = RlemConfig(initial_q=1.0, initial_visits=2)
    q_values = []
    for reward in (0.0, 0.0, 1.0):
        end = [Transition("o", "a", reward, "end", terminated=True)]
        (update,) = learn_episode(memory, "g", end, config=config)
        q_values.append(update.q_after)
    # Two ones that were never seen, then 0, 0, 1.
    assert q_values == [pytest.approx(2 / 3), pytest.approx(2 / 4), pytest.approx(3 / 5)]
    assert memory.find("g", "o").value_of("a").n_visits == 3


def test_optimism_at_a_constant_rate() -> None:
    memory = ExperienceMemory(WORDWISE)
    config = RlemConfig(initial_q=1.0, learning_rate=0.5)
    for _ in range(2):
        end = [Transition("o", "a", 0.0, "end", terminated=True)]
        learn_episode(memory, "g", end, config=config)
    assert memory.find("g", "o").max_q == 0.25


def test_a_running_mean_without_initial_visits_forgets_the_initial_value() -> None:
    memory = ExperienceMemory(WORDWISE)
    end = [Transition("o", "a", 0.25, "end", terminated=True)]
    learn_episode(memory, "g", end, config=RlemConfig(initial_q=1.0))
    assert memory.find("g", "o").max_q == 0.25


def test_an_optimist_bootstraps_from_what_it_has_just_met() -> None:
    memory = ExperienceMemory(WORDWISE)
    steps = [
        Transition("p", "stay", 0.0, "p"),
        Transition("p", "go", 0.0, "end", terminated=True),
    ]
    config = RlemConfig(n_step=1, initial_q=0.5)
    first, _ = learn_episode(memory, "g", steps, config=config)
    assert first.bootstrap_value == 0.5


# The bonus of what was tried less


def test_bonus_by_hand() -> None:
    assert visit_bonus(0, 0) == 0
    assert visit_bonus(1, 3) == pytest.approx(math.sqrt(2 * math.log(4) / 2))
    assert visit_bonus(0, 10) > visit_bonus(1, 10) > visit_bonus(9, 10)


AVAILABLE = ("go[on]", "go[back]", "say[<words>]")


def encouraged(
    *held: tuple[str, float, int],
    c: float,
    available: tuple[str, ...] = AVAILABLE,
    seed: int = 0,
    use_synthetic: bool = True,
) -> list:
    values = tuple(ActionValue(*value) for value in held)
    made = build_exemplar(
        Record(0, "g", "o", available, values),
        TOY,
        np.random.default_rng(seed),
        ExemplarConfig(exploration=c, use_synthetic=use_synthetic),
    )
    return [(a.action, a.value, a.is_synthetic) for a in made.encouraged]


def test_what_was_tried_less_is_encouraged() -> None:
    held = [("a", 0.6, 9), ("b", 0.5, 1)]
    # N = 10: bonus 0.693 and 1.549; b wins once 0.856 c > 0.1. The value shown is its own.
    assert encouraged(*held, c=0.1, available=()) == [("a", 0.6, False)]
    assert encouraged(*held, c=0.13, available=()) == [("b", 0.5, False)]


def test_what_was_never_tried_is_encouraged_as_such() -> None:
    held = [("go[on]", 0.5, 9)]
    # N = 9: bonus 0.679 against 2.146; "say" is a template and is never advised.
    assert encouraged(*held, c=0.3) == [("go[on]", 0.5, False)]
    assert encouraged(*held, c=0.4) == [("go[back]", None, True)]
    # Without any visits there is nothing to be curious about yet.
    assert encouraged(c=0.4, available=("x", "y"), use_synthetic=False) == []
    drawn = {
        encouraged(("a", 0.0, 5), c=0.4, available=("x", "y"), seed=seed)[0] for seed in range(9)
    }
    assert drawn == {("x", None, True), ("y", None, True)}


def test_without_synthetic_advice_only_what_was_tried_is_explored() -> None:
    held = [("a", 0.6, 9), ("b", 0.5, 1)]
    for c in (0.1, 0.4, 99.0):
        ((action, value, is_synthetic),) = encouraged(*held, c=c, use_synthetic=False)
        assert (action, value, is_synthetic) == (("a", 0.6) if c == 0.1 else ("b", 0.5)) + (False,)
    made = build_exemplar(
        Record(0, "g", "o", AVAILABLE, (ActionValue("go[on]", 0.5, 9),)),
        TOY,
        np.random.default_rng(0),
        ExemplarConfig(exploration=2.0, use_synthetic=False),
    )
    assert not [a for a in (*made.encouraged, *made.discouraged) if a.is_synthetic]


def test_exploring_lifts_a_value_of_zero() -> None:
    assert encouraged(("a", 0.0, 1), c=0.0, available=()) == []
    assert encouraged(("a", 0.0, 1), c=0.2, available=()) == [("a", 0.0, False)]
    assert encouraged(("a", -5.0, 1), c=0.2, available=()) == []


def test_what_is_good_is_not_discouraged_for_the_sake_of_exploring() -> None:
    values = (ActionValue("go[on]", 0.9, 9),)
    made = build_exemplar(
        Record(0, "g", "o", AVAILABLE, values),
        TOY,
        np.random.default_rng(0),
        ExemplarConfig(exploration=2.0),
    )
    assert made.encouraged[0].action == "go[back]"
    assert "go[on]" not in [advice.action for advice in made.discouraged]
