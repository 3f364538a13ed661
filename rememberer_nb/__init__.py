"""REMEMBERER: an LLM agent that learns by reinforcement learning on an external memory.

The weights of the LLM stay fixed; what is learnt is kept in an experience memory and shown to the
LLM as exemplars (arXiv 2306.07929, NeurIPS 2023). Data enters at `envs`, goes down to `memory`, and
comes back; so do imports::

    errors, system, elements, config -> envs -> retrieval, prompting -> llms -> agents
         -> rlem -> memory -> loop        and what reads the loop: analysis -> experiments
         -> display -> teaching, testing -> cli

`loop.build` makes the parts from names. Values are in `elements`, settings in `config`, errors in
`errors`.

>>> import rememberer_nb as rnb
>>> memory = rnb.ExperienceMemory()
>>> steps = [rnb.Transition("o", "a", 1.0, "end", terminated=True)]
>>> rnb.learn_episode(memory, "g", steps)[0].q_after
1.0
"""

import importlib
from typing import Any

# Importing the environments registers them: gymnasium.make("rememberer_nb/WebShop-v0") works.
from rememberer_nb import envs as envs

_HOME = {
    "errors": (
        "RemembererError", "ConfigError", "DataError", "ReplyError", "LLMError", "LLMStopError",
        "TaskError",
    ),
    "elements": (
        "ActionValue", "Advice", "Decision", "Episode", "Exemplar", "Hit", "Prompt", "Record",
        "Reply", "Situation", "Step", "StepRandom", "Task", "Transition", "Update",
    ),
    "system.plain": ("from_data", "to_data"),
    "config": (
        "CapacityConfig", "ExemplarConfig", "LLMConfig", "OfflineConfig", "PromptConfig",
        "RetrievalConfig", "RlemConfig", "RolloutConfig", "RunConfig", "describe", "replace",
    ),
    "retrieval": ("JaccardSimilarity", "Similarity", "TfidfSimilarity", "register_similarity"),
    "memory": ("ExperienceMemory",),
    "memory.operations": ("filter_records", "merge", "split"),
    "memory.interchange": ("import_frame", "write_frame"),
    "memory.provenance": ("decision_records", "record_uses", "value_history"),
    "rlem": ("EpisodeLearner", "learn_episode", "n_step_return", "plan_targets"),
    "prompting.exemplars": ("build_exemplar", "select_exemplars"),
    "prompting.prompts": ("build_prompt", "estimate_tokens"),
    "prompting.replies": ("parse_advice_reply", "parse_reply"),
    "envs": ("EnvSpec", "Profile", "find_env", "get_profile", "make_env", "register_env"),
    "envs.tasks": ("task_numbers",),
    "llms": ("LLM", "OfflineLLM", "RecordingLLM", "ReplayLLM", "make_llm", "register_llm"),
    "agents.interface": ("Agent",),
    "agents.baselines": ("RandomAgent",),
    "agents.prompting_agent": ("PromptingAgent",),
    "agents.rememberer": ("rememberer",),
    "loop.parallel": ("Slots",),
    "loop.episode": ("run_episode",),
    "loop.training": ("Conduct", "evaluate", "train"),
    "memory.initial": ("read_initial",),
    "loop.build": ("Settings", "build_agent", "build_env", "build_llm", "build_memory"),
    "loop.costs": ("estimate_run", "llm_totals"),
    "analysis.metrics": (
        "bootstrap_interval", "episode_metrics", "paired_differences", "summary_table",
    ),
    "envs.webshop.logs.react": ("read_react",),
    "envs.webshop.logs.session_rewards": ("check_rewards",),
    "envs.webshop.logs.sessions": ("read_sessions",),
    "analysis.diagnosis": (
        "contradictions", "crossed_predictions", "holdout_predictions", "learn_memory",
        "near_duplicates", "split_episodes",
    ),
    "analysis.calibration": ("relation", "score_by_bin"),
    "experiments.comparison": ("Comparison", "compare", "epoch_rows"),
    "teaching.recorded": ("record_metrics",),
    "display.widgets": ("EpisodeInspector",),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    # Names are loaded when first used, so that importing the package costs next to nothing.
    if name == "__version__":
        from importlib.metadata import version

        return version("rememberer-nb")
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
