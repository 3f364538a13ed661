"""What was recorded of SmolLM2 is what SmolLM2 says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rememberer_nb.config import replace as reset
from rememberer_nb.config.reading import make_configs, read_config
from rememberer_nb.elements import Step
from rememberer_nb.envs import task_sets
from rememberer_nb.loop.build import Settings, build_agent, build_env, build_memory
from rememberer_nb.loop.training import train
from rememberer_nb.system.resources import data_path

REGISTERED = sorted(data_path("registered").glob("smollm2-*.toml"))


def first_steps(path: Path, llm: str) -> list[Step]:
    """Those of the first training episodes of seed 0: no test task is asked live."""
    settings = replace(Settings.of(make_configs(read_config(path))), llm=llm)
    env, tasks = build_env(settings), task_sets(settings.env)["S0"][:3]
    learning = settings.for_training()
    agent = build_agent("rememberer", env, learning, memory=build_memory(settings), seed=0)
    once = reset(learning.rollout, n_epochs=1)
    episodes = train(env, agent, tasks, seed=0, config=once)
    return [step for episode in episodes for step in episode.steps]


@pytest.mark.slow
@pytest.mark.parametrize("path", REGISTERED, ids=lambda path: path.stem)
def test_the_model_says_what_was_recorded(smollm2: Path, path: Path) -> None:
    if not data_path("recordings").joinpath(f"{path.stem}.jsonl.bz2").exists():
        pytest.skip("its recording is not bundled")
    recorded, live = (first_steps(path, llm) for llm in ("replay:smollm2", "smollm2"))
    n_compared = 0
    for one, other in zip(recorded, live, strict=False):
        for held, said in zip(one.decision.scores, other.decision.scores, strict=True):
            assert (held.action, held.n_tokens) == (said.action, said.n_tokens)
            off = abs(held.log_probability - said.log_probability) / held.n_tokens
            assert off <= 0.01
            n_compared += 1
        if one.action != other.action:
            # Another processor rounds in another way, and a draw may fall on the other side.
            break
    assert n_compared > 0
