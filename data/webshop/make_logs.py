"""Make the bundled shop logs: python data/webshop/make_logs.py [--check]

Agents that do not learn shop in the bundled shop, and what a person would see in a terminal is
printed in the format of ReAct's WebShop transcripts: the offline stand-in for an LLM, as a novice
and as an able shopper, without exemplars, and an agent that acts at random. Some tasks are tried
twice, by different agents. The script reads its print back and refuses to write one that differs
from what happened. `--check` writes nothing and exits with status 1 if the file differs.
Needs the package (run it from the top of a checkout).
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rememberer_nb.elements import Episode
from rememberer_nb.envs.webshop.logs.react import read_react, summarise
from rememberer_nb.envs.webshop.logs.shop_pages import LoggedPage
from rememberer_nb.loop.build import Settings, build_agent, build_env
from rememberer_nb.loop.episode import run_episode

HERE = Path(__file__).resolve().parent
NAME = Path("logs", "bundled_shop.txt.gz")
SEED = 20220427
TASKS = range(100, 400)
N_TASKS, N_TWICE = 110, 40
# (share of the episodes, agent, LLM)
AGENTS = (
    (0.45, "llm_only", "offline:able"),
    (0.4, "llm_only", "offline"),
    (0.15, "random", "offline"),
)
HEADING = "Transcripts of offline agents in the bundled shop. Made by make_logs.py.\n\n"


def plan(rng: np.random.Generator) -> list[tuple[int, int]]:
    """(task, number in `AGENTS`) of each episode; a task never meets the same agent twice."""
    tasks = rng.choice(TASKS, size=N_TASKS, replace=False)
    shares = np.array([share for share, _, _ in AGENTS])
    jobs = []
    for i, task in enumerate(tasks.tolist()):
        n_tries = 2 if i < N_TWICE else 1
        agents = rng.choice(len(AGENTS), size=n_tries, replace=False, p=shares)
        jobs += [(task, int(agent)) for agent in agents]
    return [jobs[i] for i in rng.permutation(len(jobs))]


def play(jobs: Sequence[tuple[int, int]]) -> list[Episode]:
    """The episodes, in order."""
    settings = [Settings(llm=llm) for _, _, llm in AGENTS]
    env = build_env(settings[0])
    agents = [
        build_agent(name, env, setting)
        for (_, name, _), setting in zip(AGENTS, settings, strict=True)
    ]
    return [
        run_episode(env, agents[agent], task, seed=SEED, position=i)
        for i, (task, agent) in enumerate(jobs)
    ]


def transcript(episodes: Sequence[Episode]) -> str:
    """All episodes in print."""
    parts, scores = [HEADING], []
    for i, episode in enumerate(episodes, start=1):
        scores.append(episode.total_reward)
        mean, success = sum(scores) / i, sum(score == 1 for score in scores) / i
        body = "".join(f"Action: {a}\nObservation: {o}\n\n" for a, o in _exchanges(episode))
        results = f"{i} {mean} {success} 0.0"
        parts.append(f"{'-' * 17}\n{episode.task.number}\n{body}{results}\n{'-' * 13}\n")
    return "".join(parts)


def _exchanges(episode: Episode) -> Iterator[tuple[str, str]]:
    seen = [step.observation.rstrip() for step in episode.steps]
    yield "reset", seen[0]
    page = LoggedPage(seen[0])
    for step, after in zip(episode.steps, [*seen[1:], ""], strict=True):
        if step.decision.rationale:
            yield f"think[{' '.join(step.decision.rationale.split())}]", "OK."
        if step.terminated:
            yield step.action, f"Your score (min 0.0, max 1.0): {step.reward}"
        elif step.action == "click[search]":
            yield step.action, "Invalid action!"
        else:
            after = after or episode.final_observation.rstrip()
            answer, page = _answer(page, step.action, after)
            yield step.action, answer


def _answer(page: LoggedPage, action: str, after: str) -> tuple[str, LoggedPage]:
    """What is printed: the click on an option where that tells the new page, else the page."""
    label = action.removeprefix("click[").removesuffix("]")
    chosen = page.click_option(label)
    return (
        (f"You have clicked {label}.", chosen)
        if chosen.show() == after
        else (after, LoggedPage(after))
    )


def same(told: Episode, happened: Episode) -> bool:
    """Whether an episode read back is what happened, line ends aside."""
    steps = [(s.observation, s.action, s.reward, s.terminated, s.truncated) for s in told.steps]
    return told.task.text == " ".join(happened.task.text.split()) and steps == [
        (s.observation.rstrip(), s.action, s.reward, s.terminated, s.truncated)
        for s in happened.steps
    ]


def make_log() -> tuple[str, dict[str, Any]]:
    """The print and its numbers, read back and compared with what happened."""
    episodes = play(plan(np.random.default_rng(SEED)))
    text = transcript(episodes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.txt")
        path.write_text(text, encoding="utf-8")
        told = read_react(path)
    for one, other in zip(told, episodes, strict=True):
        if not same(one, other):
            raise SystemExit(f"{other.episode_id} cannot be read back from its print")
    return text, summarise(told)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the file; the exit status."""
    parser = argparse.ArgumentParser(description="Make the bundled shop logs.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder (default: this script's)")
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    options = parser.parse_args(arguments)
    path = options.out / NAME
    text, counts = make_log()
    print(", ".join(f"{name}: {value}" for name, value in counts.items()))
    if not options.check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
        print(f"{path.name}: {path.stat().st_size} bytes")
    elif not path.is_file() or gzip.decompress(path.read_bytes()).decode("utf-8") != text:
        print(f"{path} differs from what the agents do", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
