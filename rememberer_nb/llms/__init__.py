"""LLMs behind one protocol; the default is the offline stand-in, which needs no network."""

from rememberer_nb.config import OfflineConfig
from rememberer_nb.envs.profile import Profile
from rememberer_nb.llms.offline import OfflineLLM
from rememberer_nb.llms.protocol import LLM, make_llm, register_llm


def _offline(detail: str, profile: Profile) -> LLM:
    config = OfflineConfig(strength=detail) if detail else OfflineConfig()
    return OfflineLLM(profile.name, config, full_mark=profile.full_mark)


register_llm("offline", _offline)

__all__ = ["LLM", "OfflineLLM", "make_llm", "register_llm"]
