"""The scripted visitors of the how-to site."""

from __future__ import annotations

import pytest

from rememberer_nb import build_agent, episode_metrics, evaluate, make_env, run_episode
from rememberer_nb.envs.wikihow.oracle import shortest_path
from rememberer_nb.envs.wikihow.visitors import FirstHitVisitor, OracleVisitor


@pytest.fixture(scope="module")
def env():
    return make_env("wikihow")


def test_the_oracle_takes_a_shortest_way(env):
    visitor = OracleVisitor(env.unwrapped)
    for number in range(90, 100):
        episode = run_episode(env, visitor, number)
        assert episode.is_success and episode.terminated
        assert [s.action for s in episode.steps] == list(shortest_path(env.unwrapped, number))


def test_the_first_hit_visitor_types_the_instruction_and_opens_the_first_article(env):
    episode = run_episode(env, FirstHitVisitor(), 91)
    typed, opened = episode.steps[:2]
    wish = typed.observation.rsplit("Instruction: ", 1)[1].strip()
    assert typed.action == f"INPUT(2, {wish})"
    number = opened.action.removeprefix("CLICK(").removesuffix(")")
    clicked = next(x for x in opened.observation.split("\n") if f'id="{number}"' in x)
    assert ">How to " in clicked
    before = opened.observation.split(clicked)[0]
    assert ">How to " not in before


def test_it_goes_on_to_read_and_never_types_the_same_twice(env):
    for number in range(90, 110):
        episode = run_episode(env, FirstHitVisitor(), number)
        typed = [s.action for s in episode.steps if s.action.startswith("INPUT")]
        assert len(typed) == len(set(typed))
        assert all(
            s.action.startswith(("INPUT", "CLICK", "SCROLL(DOWN)", "GOBACK")) for s in episode.steps
        )


def test_guessing_first_hit_and_knowing_stand_in_this_order(env):
    tasks = range(90, 120)
    agents = (build_agent("random", env), FirstHitVisitor(), OracleVisitor(env.unwrapped))
    rewards = [episode_metrics(evaluate(env, a, tasks))["mean_reward"] for a in agents]
    assert rewards == sorted(rewards) and len(set(rewards)) == 3
