"""LLMs behind one protocol; the default is the offline stand-in, which needs no network.

Specs for `make_llm` and the command line::

    offline, offline:able      the stand-in
    openai:MODEL               any OpenAI-compatible endpoint; key and address from the environment
    llama.cpp:FILE.gguf        a local model (extra `llama`)
    smollm2, gemma3-270m       one that `rememberer-nb model get` has fetched; with ":numpy" or
                               ":llama.cpp", who computes its scores
    record:FILE:SPEC           another one of these, every call kept in a file
    replay:FILE                the calls of such a file, for nothing
    replay:smollm2             the bundled recording of a real model
"""

from collections.abc import Callable
from pathlib import Path

from rememberer_nb.config import LLMConfig, OfflineConfig, replace
from rememberer_nb.envs.profile import Profile
from rememberer_nb.errors import ConfigError, DataError
from rememberer_nb.llms.budget import with_budget
from rememberer_nb.llms.local.catalogue import MODELS, find_model
from rememberer_nb.llms.offline import OfflineLLM
from rememberer_nb.llms.protocol import LLM, make_llm, register_configured_llm
from rememberer_nb.llms.replay.recorder import RecordingLLM, ReplayLLM
from rememberer_nb.llms.wrapped import close, interrupt
from rememberer_nb.system.resources import data_path


def register_llm(name: str, factory: Callable[[str, Profile], LLM]) -> None:
    """Make an LLM known by name; `factory(detail, profile)` runs when it is asked for.

    `detail` is what follows the colon of a spec, "" without one. A run's budget holds for it, too.
    """
    register_configured_llm(
        name, lambda detail, profile, config, _: with_budget(factory(detail, profile), config)
    )


def _offline(detail: str, profile: Profile, config: LLMConfig, offline: OfflineConfig) -> LLM:
    offline = replace(offline, strength=detail) if detail else offline
    return with_budget(OfflineLLM(profile.name, offline, full_mark=profile.full_mark), config)


def _openai(detail: str, profile: Profile, config: LLMConfig, _: OfflineConfig) -> LLM:
    from rememberer_nb.llms.endpoint.client import OpenAILLM

    if detail and config.model not in ("", detail):
        raise ConfigError(f"two models are named: {config.model!r} and {detail!r}")
    return with_budget(OpenAILLM(replace(config, model=detail or config.model)), config)


def _llama_cpp(detail: str, profile: Profile, config: LLMConfig, _: OfflineConfig) -> LLM:
    from rememberer_nb.llms.local.model import LocalLLM

    llm = LocalLLM(f"llama.cpp:{detail}", detail, backend="llama.cpp", config=config)
    return with_budget(llm, config)


def _fetched(name: str, detail: str, config: LLMConfig) -> LLM:
    from rememberer_nb.llms.local.fetch import model_path
    from rememberer_nb.llms.local.model import LocalLLM, check_backend

    model, spec = find_model(name), f"{name}:{detail}" if detail else name
    backend = detail or model.backend
    check_backend(backend)
    llm = LocalLLM(spec, model_path(name), backend=backend, config=config, known=model)
    return with_budget(llm, config)


def _record(detail: str, profile: Profile, config: LLMConfig, offline: OfflineConfig) -> LLM:
    path, _, spec = detail.partition(":")
    if not path or not spec:
        raise ConfigError(f"expected record:FILE:LLM, got record:{detail}")
    return RecordingLLM(make_llm(spec, profile=profile, config=config, offline=offline), path)


def _replay(detail: str, profile: Profile, config: LLMConfig, _: OfflineConfig) -> LLM:
    if not detail:
        raise ConfigError("expected replay:FILE, got no file")
    return ReplayLLM(_bundled(detail, profile) or detail)


def _bundled(name: str, profile: Profile) -> Path | None:
    """The bundled recording of that name for an environment, if there is one."""
    if not name.isidentifier():
        return None
    try:
        return data_path("recordings", f"{name}-{profile.name}.jsonl.bz2")
    except DataError:
        return None


register_configured_llm("offline", _offline)
register_configured_llm("openai", _openai)
register_configured_llm("llama.cpp", _llama_cpp)
for _name in MODELS:
    register_configured_llm(
        _name, lambda detail, profile, config, _, name=_name: _fetched(name, detail, config)
    )
register_configured_llm("record", _record)
register_configured_llm("replay", _replay)

__all__ = [
    "LLM",
    "OfflineLLM",
    "RecordingLLM",
    "ReplayLLM",
    "close",
    "interrupt",
    "make_llm",
    "register_configured_llm",
    "register_llm",
]
