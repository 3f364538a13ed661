"""Learning from logged episodes, so that importing a log again adds what is missing and no more."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from tqdm.auto import tqdm

from rememberer_nb.elements import Episode
from rememberer_nb.errors import DataError
from rememberer_nb.memory import ExperienceMemory
from rememberer_nb.rlem import learn_episode


def learn_logged(
    memory: ExperienceMemory, episodes: Sequence[Episode], *, is_shown: bool = False
) -> int:
    """Learn from the episodes that the memory does not hold, a commit each.

    Returns how many it held. An import that was stopped, or killed, is so continued by the same
    call, and ends with the memory of one that never was. An episode is known if one of that id and
    of those contents was kept; its metadata (the file's name, the place in it) and the task's
    number may differ.

    Parameters
    ----------
    is_shown : whether to show a progress bar.

    Raises
    ------
    DataError
        An id is known with other contents. Nothing has been learnt then.
    """
    fresh = list(_fresh(memory, episodes))
    for episode in tqdm(fresh, desc="learn", unit="episode", leave=False, disable=not is_shown):
        with memory.all_or_nothing():
            learn_episode(
                memory, episode.task.text, episode.transitions(), episode_id=episode.episode_id
            )
            memory.commit(episode)
    return len(episodes) - len(fresh)


def _fresh(memory: ExperienceMemory, episodes: Sequence[Episode]) -> Iterator[Episode]:
    wanted = {episode.episode_id for episode in episodes}
    known = {e.episode_id: _contents(e) for e in memory.each_episode() if e.episode_id in wanted}
    for episode in episodes:
        contents = _contents(episode)
        if known.setdefault(episode.episode_id, contents) is contents:
            yield episode
        elif known[episode.episode_id] != contents:
            source = episode.metadata.get("source", "the log")
            raise DataError(
                f"episode {episode.episode_id!r} of {source} is known with other contents: "
                "learn that log into a memory of its own; nothing was learnt",
                path=memory.path,
            )


def _contents(episode: Episode) -> Episode:
    # A task's number is its place among the logs that were read together.
    task = dataclasses.replace(episode.task, number=0)
    return dataclasses.replace(episode, task=task, metadata={})
