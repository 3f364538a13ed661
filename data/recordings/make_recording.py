"""Make the bundled recording: python data/recordings/make_recording.py [--check]

Rememberer (memory E0, frozen) shops for the first ten tasks, five steps at most, with a model whose
weights are random, served by llama.cpp: what notebook 12 replays. Each reply is one line
(`--reply-form action`), noise that keeps to the schema; the file shows what a recording is and that
the way to a real server works, and nothing else. `--check` writes nothing and exits with status 1
if the file cannot be replayed. Needs the package with the extra `llama` (`--check` does not); run
it from the top of a checkout.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from rememberer_nb.config import LLMConfig, PromptConfig, RolloutConfig
from rememberer_nb.elements import Episode
from rememberer_nb.errors import ReplayError
from rememberer_nb.llms import LLM, RecordingLLM, ReplayLLM, close
from rememberer_nb.loop.build import Settings, build_agent, build_env
from rememberer_nb.loop.training import evaluate

PATH = Path(__file__).resolve().parent / "random_weights_shop.jsonl"
MODEL = "tiny-random-weights.gguf"
TASKS = range(10)
# Hot, so that even this model does different things.
CONFIG = LLMConfig(temperature=2.0)


def play(llm: LLM) -> list[Episode]:
    """The ten episodes."""
    settings = Settings(
        rollout=RolloutConfig(max_steps=5), prompt=PromptConfig(reply_form="action")
    )
    env = build_env(settings)
    return evaluate(env, build_agent("rememberer", env, settings, llm=llm), list(TASKS))


def record() -> list[Episode]:
    """Ask the model, and write the file."""
    from rememberer_nb.llms.local.llama_cpp import LlamaCppLLM
    from rememberer_nb.testing.tiny_model import write_tiny_model

    with tempfile.TemporaryDirectory() as folder:
        model = LlamaCppLLM(write_tiny_model(Path(folder, MODEL)), CONFIG)
        try:
            PATH.unlink(missing_ok=True)
            return play(RecordingLLM(model, PATH))
        finally:
            close(model)


def main() -> int:
    """Write or check; the exit status."""
    parser = argparse.ArgumentParser(description="Make the bundled recording.")
    parser.add_argument("--check", action="store_true", help="only see that it can be replayed")
    is_check = parser.parse_args().check
    try:
        episodes = play(ReplayLLM(PATH)) if is_check else record()
    except ReplayError as error:
        print(error, file=sys.stderr)
        return 1
    n_calls = sum(len(episode.steps) for episode in episodes)
    print(f"{PATH.name}: {n_calls} calls, {PATH.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
