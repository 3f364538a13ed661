"""The benchmark of local models prints what it promises; how fast they are is not tested here."""

from __future__ import annotations

from pathlib import Path

import pytest

from rememberer_nb.elements import ActionScore, Decision, Prompt, Situation, TextScore
from rememberer_nb.envs.tasks import development_tasks, task_sets
from rememberer_nb.errors import ConfigError
from rememberer_nb.loop.build import Settings, build_env
from rememberer_nb.testing.bench.local import _OneByOne, agreement, load, situations
from rememberer_nb.testing.bench.run import run_bench
from rememberer_nb.testing.tiny_model import write_tiny_gpt2_model

TIMES = {"median_ms", "p99_ms", "per_s"}
WORK = {"cpu_ms", "per_minute", "tokens_per_s", "prompt_tokens", "other_tokens", "n_errors"}
WAYS = {f"{way}_{key}" for way in ("fresh", "one_by_one") for key in ("median_ms", "cpu_ms")}
MORE = {*WAYS, "load_s", "peak_mib"}


@pytest.fixture
def extra() -> None:
    for name in ("xllamacpp", "gguf", "tokenizers"):
        pytest.importorskip(name, reason="needs the extra: pip install 'rememberer-nb[llama]'")


def test_bench_local(extra: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMEMBERER_MODELS", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    result = run_bench("local", n=3, seed=1)
    assert list(result) == [*("bench", "n", "machine", "model", "results", "agreement", "ratios")]
    assert (result["bench"], result["n"]) == ("local", 3)
    assert result["model"] == "tiny, random weights"
    ours, llama, reply = (result["results"][name] for name in ("ours", "llama.cpp", "reply"))
    assert set(ours) == set(llama) == TIMES | WORK | MORE
    assert set(reply) == TIMES | WORK
    assert ours["n_errors"] == llama["n_errors"] == 0
    for name in ("prompt_tokens", "other_tokens"):
        assert ours[name] == llama[name] > 1
    assert result["agreement"]["max"] <= 0.05
    assert result["agreement"]["same_action"] == 1
    assert ours["per_minute"] == pytest.approx(60 * ours["per_s"])
    for peer in ("llama.cpp", "reply"):
        ratio = result["results"][peer]["median_ms"] / ours["median_ms"]
        assert result["ratios"][peer] == pytest.approx(ratio)
    assert min(each[name] for each in (ours, llama) for name in TIMES | MORE - {"peak_mib"}) > 0


def test_agreement() -> None:
    def scored(*scores: tuple[str, float, int]) -> Decision:
        return Decision(
            action="",
            scores=tuple(
                ActionScore(text, text, total, n_tokens, total / n_tokens, 0)
                for text, total, n_tokens in scores
            ),
        )

    ours = [scored(("a", -1.0, 2), ("b", -3.0, 3)), scored(("c", -1.0, 1), ("search x", -9.0, 1))]
    theirs = [scored(("a", -2.5, 2), ("b", -3.0, 3)), scored(("c", -1.1, 1), ("search y", -2.0, 1))]
    found = agreement(list(zip(ours, theirs, strict=True)))
    # -0.5 and -1 a token for us, -1.25 and -1 for the other; then c for both.
    assert found["same_action"] == 0.5
    # 0.75, 0 and 0.1: what each wrote by itself is not compared.
    assert found["max"] == 0.75
    assert found["median"] == pytest.approx(0.1)


def test_pages_are_those_of_development_tasks() -> None:
    found = situations(25, seed=2)
    assert len(found) == 25
    tasks = build_env(Settings(env="wikihow")).unwrapped.tasks
    seen = {situation.task.text for situation in found}
    assert seen <= {tasks[number].text for number in development_tasks("wikihow")}
    assert not seen & {tasks[number].text for number in task_sets("wikihow")["test"]}
    assert situations(25, seed=2) == found != situations(25, seed=3)
    assert all(isinstance(situation, Situation) for situation in found)


def test_one_by_one_is_what_it_says() -> None:
    asked = []

    class Scores:
        name, settings = "scores", {}

        def complete(self, prompt: Prompt, *, seed: int = 0) -> None: ...
        def write(self, prompt: Prompt, **more: object) -> None: ...
        def score(self, prompt: Prompt, candidates: list[str]) -> tuple[TextScore, ...]:
            asked.append((prompt.text, candidates))
            return tuple(TextScore(-float(len(text)), 1) for text in candidates)

    found = _OneByOne(Scores()).score(Prompt((), "p", 1), [" a", " bcd"])
    assert found == (TextScore(-2.0, 1), TextScore(-4.0, 1))
    assert asked == [
        ("Another text.", [" x"]),
        ("p", [" a"]),
        ("Another text.", [" x"]),
        ("p", [" bcd"]),
    ]


def test_loading(extra: None, tmp_path: Path) -> None:
    path = write_tiny_gpt2_model(tmp_path / "tiny.gguf")
    for backend in ("numpy", "llama.cpp"):
        found = load(0.0, backend, str(path))
        assert found.keys() == {"load_s", "peak_mib"}
        assert found["load_s"] > 0


def test_too_few_decisions() -> None:
    with pytest.raises(ConfigError, match="n must be at least 1, got 0"):
        run_bench("local", n=0)
