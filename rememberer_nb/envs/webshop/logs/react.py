"""ReAct's WebShop transcripts as episodes that can be learnt from, inspected and replayed."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rememberer_nb.elements import Decision, Episode, Reply, Step, Task
from rememberer_nb.envs.webshop.logs.react_log import LoggedEpisode, LoggedStep, read_log
from rememberer_nb.envs.webshop.logs.shop_pages import LoggedPage, logged_actions
from rememberer_nb.envs.webshop.profile import WEBSHOP
from rememberer_nb.errors import ConfigError, TranscriptError, shown

INVALID = "invalid action"

_BUY = "click[buy now]"
_ACKNOWLEDGED = "OK."
_REFUSED = "Invalid action!"
_BLANK_PAGE_ACTIONS = ("click[back to search]",)
_CLICKED = re.compile(r"You have clicked (.*)\.")
_SCORE = re.compile(r"^Your score \(min 0\.0, max 1\.0\):(.*)$", re.MULTILINE)
# A warning of the interpreter that came out amid the print, with the source line it quotes.
_WARNING = re.compile(r"^\S.*\.py:\d+: \w*Warning: .*(?:\n  .*)?$", re.MULTILINE)


def read_react(path: str | Path) -> tuple[Episode, ...]:
    """Read ReAct's printed WebShop transcripts.

    Parameters
    ----------
    path : a Jupyter notebook (never executed), whose stream outputs hold the print, or a text file
        with the same print; either may be gzipped.

    Returns
    -------
    tuple of Episode
        In the order of the file. Steps are the actions that reach the shop; thoughts before an
        action are its rationale, joined by spaces, and thoughts after the last action are
        `metadata["trailing_rationale"]`. The raw action is `step.decision.reply.text`.

        The observation of a step is the page that the shop was showing. The log prints a page once
        and then only confirms option clicks; the page is carried on with these clicks in the
        shop's simplified format. Refused actions are steps with `decision.error`, written as
        logged; they leave the page as it is. A search that printed nothing leads to an empty page,
        from which the shop leads only back. Everything that the log does print stands as printed.

        The reward of a purchase is its printed score in [0, 1], 0 where none was printed. The
        episode terminates with it; any other end is the log's limit of 15 tries, a truncation,
        whose final observation is the page carried to the end.

    Raises
    ------
    TranscriptError
        If the file is missing or unreadable, holds no transcript, or holds one that cannot be
        followed. Nothing is returned then.

    Examples
    --------
    >>> import tempfile
    >>> log = '''-----------------
    ... 0
    ... Action: reset
    ... Observation:
    ... Webshop
    ... Instruction:
    ... a red lamp
    ... [Search]
    ...
    ... Action: think[Lamps first.]
    ... Observation: OK.
    ...
    ... Action: search[lamp]
    ... Observation:
    ... [Back to Search]
    ... Page 1 (Total results: 0)
    ...
    ... 1 0.0 0.0 0.0
    ... -------------
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "log.txt").write_text(log)
    ...     (episode,) = read_react(Path(folder) / "log.txt")
    >>> episode.task.text, episode.truncated
    ('a red lamp', True)
    >>> [(step.action, step.decision.rationale) for step in episode.steps]
    [('search[lamp]', 'Lamps first.')]
    """
    path = Path(path)
    logged = read_log(path)
    attempts: Counter[int] = Counter()
    episodes = []
    for episode in logged:
        attempts[episode.number] += 1
        episodes.append(_to_episode(episode, path, attempts[episode.number]))
    return tuple(episodes)


def summarise(episodes: Sequence[Episode]) -> dict[str, Any]:
    """Counts and mean results.

    `mean_score` is the mean total reward, in [0, 1]; `success_rate` the share of episodes with the
    full mark; `purchases` the number of episodes that ended in one; `transitions` the number of
    actions that reached the shop. No episodes at all raise `ConfigError`.

    >>> bought = Step(0, "page", (), "item", Decision("click[buy now]"), 0.5, terminated=True)
    >>> summarise([Episode("e", "webshop", "react", Task("0", "a lamp"), (bought,), "")])
    {'episodes': 1, 'mean_score': 0.5, 'success_rate': 0.0, 'purchases': 1, 'transitions': 1}
    """
    if not episodes:
        raise ConfigError("there are no episodes to summarise")
    return {
        "episodes": len(episodes),
        "mean_score": math.fsum(e.total_reward for e in episodes) / len(episodes),
        "success_rate": sum(e.is_success for e in episodes) / len(episodes),
        "purchases": sum(e.terminated for e in episodes),
        "transitions": sum(len(e.steps) for e in episodes),
    }


@dataclass
class _Follower:
    """Walks through one episode with the page that the shop shows at each moment."""

    page: LoggedPage
    path: Path
    where: str
    steps: list[Step] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    end_text: str | None = None

    def follow(self, logged: LoggedStep) -> None:
        """Take one printed action, a thought or a step in the shop."""
        if self.end_text is not None:
            raise self._unfollowable("goes on after the purchase")
        answer = _clean(logged.after)
        if logged.action.startswith("think"):
            self.thoughts.append(_thought(logged.action))
        else:
            self.steps.append(self._step(logged.action, answer))
            self.thoughts = []
        self.page = _next_page(self.page, answer)

    def _step(self, raw: str, answer: str) -> Step:
        is_refused = answer == _REFUSED
        action = raw if is_refused else _normalise(raw)
        is_purchase = action == _BUY and not is_refused
        if is_purchase:
            self.end_text = answer
        observation = self.page.show()
        return Step(
            index=len(self.steps),
            observation=observation,
            available_actions=logged_actions(observation) if observation else _BLANK_PAGE_ACTIONS,
            page_type=WEBSHOP.page_type(observation),
            decision=Decision(
                action=action,
                rationale=self.rationale,
                reply=Reply(text=raw),
                error=INVALID if is_refused else None,
            ),
            reward=self._score(answer) if is_purchase else 0.0,
            terminated=is_purchase,
        )

    def _score(self, answer: str) -> float:
        found = _SCORE.search(answer)
        if found is None:
            return 0.0
        try:
            score = float(found[1])
        except ValueError:
            score = math.nan
        if not 0 <= score <= 1:
            raise self._unfollowable(f"a score must be in [0, 1], got {shown(found[1].strip())}")
        return score

    def _unfollowable(self, problem: str) -> TranscriptError:
        return TranscriptError(problem, path=self.path, field=self.where)

    @property
    def rationale(self) -> str:
        """The thoughts since the last action."""
        return " ".join(thought for thought in self.thoughts if thought)


def _to_episode(logged: LoggedEpisode, path: Path, attempt: int) -> Episode:
    follower = _Follower(LoggedPage(_clean(logged.first_page)), path, logged.where)
    for step in logged.steps:
        follower.follow(step)
    steps = follower.steps
    if follower.end_text is None and steps:
        steps[-1] = replace(steps[-1], truncated=True)
    metadata: dict[str, Any] = {
        "source": path.name,
        "where": logged.where,
        "printed_mean_score": logged.mean_score,
        "printed_success_rate": logged.success_rate,
    }
    if follower.rationale:
        metadata["trailing_rationale"] = follower.rationale
    task_id = f"react_{logged.number}"
    return Episode(
        episode_id=task_id if attempt == 1 else f"{task_id}_{attempt}",
        env=WEBSHOP.name,
        agent="react",
        task=Task(task_id, logged.instruction, number=logged.number),
        steps=tuple(steps),
        final_observation=follower.page.show() if follower.end_text is None else follower.end_text,
        is_success=any(step.reward == WEBSHOP.full_mark for step in steps),
        metadata=metadata,
    )


def _clean(printed: str) -> str:
    """An answer without the interpreter's warnings; a page keeps one newline in front."""
    text = _WARNING.sub("", printed)
    page = text.strip()
    return f"\n{page}" if page and text.startswith("\n") else page


def _next_page(page: LoggedPage, answer: str) -> LoggedPage:
    if answer in (_ACKNOWLEDGED, _REFUSED):
        return page
    clicked = _CLICKED.fullmatch(answer)
    return page.click_option(clicked[1]) if clicked else LoggedPage(answer)


def _normalise(raw: str) -> str:
    """An accepted action as the shop lists it: a click's label in lower case, closed brackets."""
    verb, bracket, rest = raw.partition("[")
    if not bracket or verb not in ("click", "search"):
        return raw
    inside, closing, _ = rest.rpartition("]")
    label = inside if closing else rest
    return f"{verb}[{label.lower() if verb == 'click' else label}]"


def _thought(raw: str) -> str:
    return raw.removeprefix("think").removeprefix("[").removesuffix("]").strip()
