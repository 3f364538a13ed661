"""What of a prompt made an LLM choose as it did: one decision, asked again with parts changed.

The memory is changed, the question stays: exemplars and lines of advice are left out, values are
changed, labels exchanged, and each time the LLM says how likely it finds every action. Prompts are
built by the agent itself. Texts that the LLM wrote into actions (a search) are those of the
decision as shown in all variants, so that the same actions are compared.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rememberer_nb.agents.likelihood import LikelihoodChoice
from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.config import replace as reset
from rememberer_nb.elements import Advice, Episode, Exemplar, Prompt, Situation
from rememberer_nb.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

AS_SHOWN = "as shown"
COLUMNS = (
    "variant", "changed", "action", "words", "log_probability", "score", "probability", "chosen",
    "difference",
)  # fmt: skip
# What is to be shown is shown: the model's context is the limit.
_NO_BUDGET = 10**9
Exemplars = tuple[Exemplar, ...]
Lines = tuple[Advice, ...]


@dataclass(frozen=True, slots=True)
class Variant:
    """Exemplars that differ from those shown; `changed` says in what."""

    name: str
    changed: str
    exemplars: Exemplars


def influence(
    agent: PromptingAgent, situation: Situation, exemplars: Sequence[Exemplar]
) -> pd.DataFrame:
    """How likely each action is with the exemplars as shown, and with each of `variants`.

    Parameters
    ----------
    agent : chooses by likelihood (`ChoiceConfig(choose="likelihood")`).
    situation : what is decided on.
    exemplars : the most similar first; those that the agent's budget leaves out are not counted.

    Returns
    -------
    DataFrame
        A row per variant and action: variant, changed, action, words, log_probability (nats),
        score (normalised as the agent's settings say), probability (softmax of the scores),
        chosen (the best action that may be taken; nothing is drawn), difference (of probability to
        "as shown").

    Raises
    ------
    ConfigError : the agent chooses by the LLM's reply, or no action has words.
    LLMError : the LLM has no scores.

    Examples
    --------
    >>> from rememberer_nb.config import ChoiceConfig, PromptConfig
    >>> from rememberer_nb.elements import Reply, Task, TextScore
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> class Copying:
    ...     name = "copying"
    ...     def score(self, prompt, candidates):
    ...         return tuple(TextScore(float(prompt.text.count(c)), 1) for c in candidates)
    ...     def write(self, prompt, *, stop, max_tokens=24):
    ...         return Reply("lamp")
    >>> agent = PromptingAgent(
    ...     "copying", Copying(), WEBSHOP,
    ...     prompt=PromptConfig(template="brief"), choice=ChoiceConfig(choose="likelihood"),
    ... )
    >>> now = Situation(Task("7", "a lamp"), "[Item]", ("click[buy now]", "click[red]"))
    >>> shown = Exemplar(0, "a lamp", "[Item]", encouraged=(Advice("click[red]", 1.0),))
    >>> frame = influence(agent, now, [shown])
    >>> frame[["variant", "words", "chosen"]].values.tolist()[:4]
    [['as shown', 'buy now', False], ['as shown', 'red', True],
     ['no exemplars', 'buy now', True], ['no exemplars', 'red', False]]
    """
    import pandas as pd

    choice = choice_of(agent)
    prompt = agent.build(situation, exemplars, ())
    n_gone = sum(left.what == "exemplar" for left in prompt.left_out)
    shown = tuple(exemplars)[: len(exemplars) - n_gone]
    base = choice.scores(situation, prompt)
    if not base:
        raise ConfigError("no available action has words: there is nothing to score")
    asked = replace(situation, available_actions=tuple(score.action for score in base))
    scores = {shown: base}
    chances = {score.action: score.probability for score in base}
    rows = []
    for variant in variants(shown):
        if variant.exemplars not in scores:
            changed = whole_prompt(agent, situation, variant.exemplars)
            scores[variant.exemplars] = choice.scores(asked, changed)
        found = scores[variant.exemplars]
        best = choice.choose(found, situation)
        rows += [
            (variant.name, variant.changed, each.action, each.text, each.log_probability,
             each.score, each.probability, each is best, each.probability - chances[each.action])
            for each in found
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def step_influence(agent: PromptingAgent, episode: Episode, index: int) -> pd.DataFrame:
    """`influence` for a step of an episode that the agent has played.

    Raises
    ------
    ConfigError : also, there is no such step, or the agent's prompt for it is another one.
    """
    situation = situation_at(episode, index)
    decision = episode.steps[index].decision
    choice_of(agent)
    asked = None if decision.prompt is None else decision.prompt.text
    if agent.build(situation, decision.exemplars, ()).text != asked:
        raise ConfigError(
            f"step {index} of {episode.episode_id} was decided with another prompt, or none: "
            "template, budget and history must be the same"
        )
    return influence(agent, situation, decision.exemplars)


def situation_at(episode: Episode, index: int) -> Situation:
    """What was decided on at a step, from 0; `ConfigError` if there is no such step."""
    if not 0 <= index < len(episode.steps):
        n_steps = len(episode.steps)
        raise ConfigError(f"{episode.episode_id} has {n_steps} steps, from 0 on: no step {index}")
    step, before = episode.steps[index], episode.steps[:index]
    taken = tuple(each.action for each in before)
    return Situation(episode.task, step.observation, step.available_actions, taken, before)


def choice_of(agent: PromptingAgent) -> LikelihoodChoice:
    """How an agent scores; `ConfigError` if it chooses by the LLM's reply."""
    choice: LikelihoodChoice | None = getattr(agent, "likelihood", None)
    if choice is None:
        raise ConfigError(
            f"{agent.name} does not choose by likelihood: what it is shown has no measured "
            "influence (--choose likelihood)"
        )
    return choice


def whole_prompt(
    agent: PromptingAgent, situation: Situation, exemplars: Sequence[Exemplar]
) -> Prompt:
    """The agent's prompt with every exemplar in it, whatever its budget.

    A variant may be longer than what was shown, and must not lose an exemplar by it.
    """
    roomy = copy.copy(agent)
    roomy.prompt = reset(agent.prompt, max_tokens=_NO_BUDGET)
    return roomy.build(situation, exemplars, ())


def variants(shown: Exemplars) -> list[Variant]:
    """The exemplars as shown, and changed in each way that changes them.

    An exemplar without any advice left is gone; what is worth as much is worth as much as the
    encouraged action of its own exemplar.

    >>> one = Exemplar(4, "g", "o", encouraged=(Advice("a", 1.0),))
    >>> ["; ".join((variant.name, variant.changed)) for variant in variants((one,))][:3]
    ['as shown; ', 'no exemplars; all', 'exemplar left out; 1 (record 4)']
    """
    found = [Variant("no exemplars", "all", ())]
    for i, each in enumerate(shown):
        changed = f"{i + 1} (record {each.record_id})"
        found.append(Variant("exemplar left out", changed, shown[:i] + shown[i + 1 :]))
    for i, each in enumerate(shown):
        for j, line in enumerate(each.discouraged):
            rest = each.discouraged[:j] + each.discouraged[j + 1 :]
            less = (*shown[:i], replace(each, discouraged=rest), *shown[i + 1 :])
            found.append(Variant("discouraged left out", f"{i + 1}, {line.action}", less))
    for name, change in _CHANGES.items():
        found.append(Variant(name, "all", tuple(change(each) for each in shown)))
    found = [
        replace(each, exemplars=tuple(e for e in each.exemplars if e.encouraged or e.discouraged))
        for each in found
    ]
    return [Variant(AS_SHOWN, "", shown), *(each for each in found if each.exemplars != shown)]


def _worth(advice: Lines, value: float | None) -> Lines:
    return tuple(replace(line, value=value) for line in advice)


def _worth_as_much(exemplar: Exemplar) -> Exemplar:
    values = [line.value for line in exemplar.encouraged if line.value is not None]
    if not values:
        return exemplar
    return replace(exemplar, discouraged=_worth(exemplar.discouraged, max(values)))


def _changed(exemplar: Exemplar, encouraged: Lines, discouraged: Lines) -> Exemplar:
    return replace(exemplar, encouraged=encouraged, discouraged=discouraged)


_CHANGES: dict[str, Callable[[Exemplar], Exemplar]] = {
    "no discouraged": lambda e: _changed(e, e.encouraged, ()),
    "encouraged worth 0": lambda e: _changed(e, _worth(e.encouraged, 0.0), e.discouraged),
    "discouraged worth as much": _worth_as_much,
    "no values": lambda e: _changed(e, _worth(e.encouraged, None), _worth(e.discouraged, None)),
    "labels exchanged": lambda e: _changed(e, e.discouraged, e.encouraged),
}
