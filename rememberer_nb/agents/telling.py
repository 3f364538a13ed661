"""What an agent says of itself, and what it is told of episodes that are over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rememberer_nb.agents.interface import Agent
from rememberer_nb.elements import Episode
from rememberer_nb.errors import ConfigError, LLMStopError
from rememberer_nb.system.plain import plain


def describe_agent(agent: Agent) -> dict[str, Any]:
    """An agent's `describe()` as JSON gives it back.

    Raises
    ------
    ConfigError : it has none, or one that JSON has no form for.
    """
    describe = getattr(agent, "describe", None)
    if describe is None:
        raise ConfigError(
            f"the agent {agent.name!r} has no describe(): what its decisions depend on is noted "
            "with its training, so that it can be resumed"
        )
    try:
        return dict(plain(describe()))
    except ConfigError as error:
        raise ConfigError(f"describe() of the agent {agent.name!r}: {error}") from error


def after_episodes(
    agent: Agent, episodes: Sequence[Episode]
) -> tuple[list[Episode], BaseException | None]:
    """Show an agent the training episodes that are over, if it has a method `after_episode`.

    It may return an episode with more metadata. What stops the run meanwhile (`LLMStopError`,
    Ctrl-C) is returned rather than raised: the episodes are whole and are to be kept first.
    """
    after = getattr(agent, "after_episode", None)
    told: list[Episode] = []
    stop: BaseException | None = None
    for episode in episodes:
        try:
            told.append(episode if after is None or stop else after(episode))
        except (LLMStopError, KeyboardInterrupt) as error:
            stop = error
            told.append(episode)
    return told, stop
