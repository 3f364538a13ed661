"""Environments: `gymnasium.Env` with text observations, and a profile each."""

from rememberer_nb.envs.profile import Profile, get_profile, register_profile


def _webshop() -> Profile:
    from rememberer_nb.envs.webshop.profile import WEBSHOP

    return WEBSHOP


register_profile("webshop", _webshop)

__all__ = ["Profile", "get_profile", "register_profile"]
