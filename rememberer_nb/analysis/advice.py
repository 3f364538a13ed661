"""What an LLM does with advice: does it do what is encouraged, and leave what is discouraged?

A guide that knows the goals walks through each task, so the right action of every step is known; a
wrong one is drawn. The LLM is asked five times: without advice, and with one exemplar of this very
situation that encourages or discourages the right action, or the wrong one. Encouraged actions are
shown as worth a full mark, discouraged ones as worth nothing.

chosen        share of decisions in which the advised action is the likeliest
probability   mean probability of the advised action, the softmax of the scores

Scores are compared in two ways, from the same log-probabilities: per token, and minus that after an
empty prompt. Decisions of a task are not independent: a task counts once, by the mean over its
decisions, and intervals are over tasks (`metrics.bootstrap_interval`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm.auto import tqdm

from rememberer_nb.agents.prompting_agent import PromptingAgent
from rememberer_nb.analysis.influence import choice_of, whole_prompt
from rememberer_nb.analysis.metrics import (
    bootstrap_interval,
    difference_text,
    interval_text,
    plain_rows,
)
from rememberer_nb.analysis.questions import Question, find_questions
from rememberer_nb.config import ChoiceConfig, PromptConfig
from rememberer_nb.elements import ActionScore
from rememberer_nb.envs.profile import TextEnv, profile_of
from rememberer_nb.errors import ConfigError
from rememberer_nb.llms import LLM, close
from rememberer_nb.llms.wrapped import settings_of
from rememberer_nb.loop.build import Settings, build_env, build_llm

if TYPE_CHECKING:
    import pandas as pd

# What is advised, and which of the two actions.
KINDS = (
    ("encouraged", "right"),
    ("encouraged", "wrong"),
    ("discouraged", "wrong"),
    ("discouraged", "right"),
)
# Compared with the discouraged label in the place of no advice.
INSTEAD = "encouraged instead"
NORMALISATIONS = ("token", "empty")
MEASURES = ("chosen", "probability")
UNCLEAR = "not told apart"
# What was asked of a real model once, so that anyone can look at it.
RECORDED = "replay:smollm2_advice"
N_DECISIONS = 200


def advice_report(
    settings: Settings,
    tasks: Sequence[int],
    *,
    n_decisions: int = N_DECISIONS,
    seed: int = 0,
    is_shown: bool = False,
) -> dict[str, Any]:
    """Ask the settings' LLM in their environment; as `advice_rows`, put together.

    Returns
    -------
    dict
        n_decisions, tasks (those that were asked about), table (the plain rows of `advice_table`),
        and all of it as a text.

    Examples
    --------
    >>> recorded = Settings("wikihow", RECORDED, prompt=PromptConfig(template="brief"))
    >>> found = advice_report(recorded, [93])
    >>> found["n_decisions"], len(found["table"])
    (3, 24)
    """
    env = build_env(settings)
    llm = build_llm(env, settings)
    try:
        rows = advice_rows(
            env, llm, tasks,
            n_decisions=n_decisions, seed=seed, prompt=settings.prompt, is_shown=is_shown,
        )  # fmt: skip
        model = settings_of(llm)["llm"]
    finally:
        close(llm)
    table = plain_rows(advice_table(rows))
    n, asked = table[0]["n"], sorted({row["task"] for row in rows})
    head = (
        f"{settings.env}, {model}: {n} decisions of {len(asked)} development tasks, seed {seed}\n"
        "one exemplar of the very situation; means and 95 % bootstrap intervals over tasks"
    )
    text = f"{head}\n\n{advice_text(table)}"
    return {"n_decisions": n, "tasks": asked, "table": table, "text": text}


def advice_rows(
    env: TextEnv,
    llm: LLM,
    tasks: Sequence[int],
    *,
    n_decisions: int = N_DECISIONS,
    seed: int = 0,
    prompt: PromptConfig | None = None,
    is_shown: bool = False,
) -> list[dict[str, Any]]:
    """What the LLM does with each kind of advice, at the first decisions of the tasks.

    Parameters
    ----------
    llm : one that scores.
    tasks : their numbers, walked through in order until there are as many decisions.
    seed : of the wrong actions.
    prompt : template and channel, by default brief and "chat"; its budget is not kept to.
    is_shown : a progress bar on standard error.

    Returns
    -------
    list of dict
        A row per decision, normalisation and kind of advice: task, label, advised, normalisation,
        action, chosen and probability of the advised action, and both without advice
        (chosen_without, probability_without). 8 rows a decision, and 4 of "encouraged instead",
        whose `_without` are those with the label "discouraged".

    Raises
    ------
    ConfigError : the LLM does not score, or the environment has no guide.
    LLMError : the LLM has no scores.
    """
    agent = PromptingAgent(
        "advised",
        llm,
        profile_of(env),
        prompt=prompt or PromptConfig(template="brief"),
        choice=ChoiceConfig(choose="likelihood", normalisation="empty"),
    )
    say = choice_of(agent).template.say
    questions = islice(find_questions(env, say, tasks, seed=seed), n_decisions)
    bar = tqdm(questions, total=n_decisions, desc="advice", unit="decision", disable=not is_shown)
    return [row for question in bar for row in _answers(agent, question)]


def _answers(agent: PromptingAgent, question: Question) -> list[dict[str, Any]]:
    """The rows of a decision."""
    choice, now = choice_of(agent), question.situation
    asked = {kind: question.exemplar(*kind, agent.profile.full_mark) for kind in KINDS}
    without = _measured(choice.scores(now, whole_prompt(agent, now, ())))
    rows = []
    with_advice = {
        kind: _measured(choice.scores(now, whole_prompt(agent, now, [exemplar])))
        for kind, exemplar in asked.items()
    }
    compared = [(*kind, found, without) for kind, found in with_advice.items()]
    compared += [
        (INSTEAD, advised, with_advice["encouraged", advised], with_advice["discouraged", advised])
        for advised in ("wrong", "right")
    ]
    for label, advised, found, base in compared:
        action = getattr(question, advised)
        for name in NORMALISATIONS:
            row = {"task": now.task.number, "label": label, "advised": advised}
            row |= {"normalisation": name, "action": action, **found[name][action]}
            row |= {f"{key}_without": value for key, value in base[name][action].items()}
            rows.append(row)
    return rows


def _measured(scores: Sequence[ActionScore]) -> dict[str, dict[str, dict[str, float]]]:
    """Normalisation -> action -> chosen and probability."""
    from scipy.special import softmax

    values = {
        "token": [each.log_probability / each.n_tokens for each in scores],
        "empty": [each.score for each in scores],
    }
    found = {}
    for name, each in values.items():
        best = int(np.argmax(each))
        found[name] = {
            score.action: {"chosen": float(i == best), "probability": float(chance)}
            for i, (score, chance) in enumerate(zip(scores, softmax(each), strict=True))
        }
    return found


def advice_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Means over tasks, with 95 % bootstrap intervals over tasks.

    Parameters
    ----------
    rows : of `advice_rows`.

    Returns
    -------
    DataFrame
        A row per normalisation, kind of advice and measure: normalisation, label, advised, metric
        ("chosen" or "probability", of the advised action), mean, low, high, without (the mean
        without advice), change, change_low, change_high, verdict, n (decisions), n_tasks.

    Examples
    --------
    >>> row = {"label": "discouraged", "advised": "wrong", "normalisation": "token",
    ...     "chosen": 1.0, "probability": 0.5, "chosen_without": 0.0, "probability_without": 0.25}
    >>> table = advice_table([{"task": 1, **row}, {"task": 2, **row}])
    >>> table[["metric", "mean", "change", "verdict"]].values.tolist()
    [['chosen', 1.0, 1.0, 'raises'], ['probability', 0.5, 0.25, 'raises']]
    """
    import pandas as pd

    if not rows:
        raise ConfigError("no decisions: there is nothing to measure")
    found = []
    keys = ["normalisation", "label", "advised"]
    for names, group in pd.DataFrame(list(rows)).groupby(keys, sort=False):
        for metric in MEASURES:
            by_task = group.groupby("task")[[metric, f"{metric}_without"]].mean()
            advised, without = by_task.to_numpy().T
            low, high = bootstrap_interval(advised - without)
            row = dict(zip(keys, names, strict=True)) | {"metric": metric, "mean": advised.mean()}
            row |= dict(zip(("low", "high"), bootstrap_interval(advised), strict=True))
            row |= {"without": without.mean(), "change": (advised - without).mean()}
            row |= {"change_low": low, "change_high": high, "verdict": verdict(low, high)}
            found.append({**row, "n": len(group), "n_tasks": len(by_task)})
    order = {name: i for i, name in enumerate(NORMALISATIONS)}
    return pd.DataFrame(sorted(found, key=lambda row: order[row["normalisation"]]))


def verdict(low: float, high: float) -> str:
    """What an interval of a change says.

    >>> verdict(0.1, 0.2), verdict(-0.2, -0.1), verdict(-0.1, 0.1)
    ('raises', 'lowers', 'not told apart')
    """
    return "raises" if low > 0 else "lowers" if high < 0 else UNCLEAR


def advice_text(table: Sequence[Mapping[str, Any]]) -> str:
    """The plain rows of `advice_table`, for a terminal."""
    lines = []
    for name in NORMALISATIONS:
        lines += ["", f"normalisation: {name}"]
        for metric, title in zip(MEASURES, ("share chosen", "probability"), strict=True):
            lines.append(f"  {title:22}{'without':>9}{'with advice':>24}{'change':>27}")
            for row in table:
                if (row["normalisation"], row["metric"]) == (name, metric):
                    lines += [] if row["label"] == INSTEAD else [_line(row)]
    asked = {
        "discouraged": 'Does "discouraged" lower the probability of what it discourages?',
        INSTEAD: 'Does "encouraged" raise it above what "discouraged" makes of it?',
    }
    for label, question in asked.items():
        lines += ["", question]
        for row in table:
            if (row["label"], row["metric"]) == (label, "probability"):
                which = f"{row['normalisation']}, {row['advised']} action:"
                lines.append(f"  {which:21}{_change(row):>26}  {row['verdict']}")
    return "\n".join(lines[1:])


def _line(row: Mapping[str, Any]) -> str:
    text = f"    {row['label']:12} {row['advised']:7}{row['without']:>9.3f}"
    return f"{text}{interval_text(row):>24}{_change(row):>28}  {row['verdict']}"


def _change(row: Mapping[str, Any]) -> str:
    interval = {name: row[f"change_{name}"] for name in ("low", "high")}
    is_clear = row["verdict"] != UNCLEAR
    return difference_text({"mean": row["change"], **interval, "is_clear": is_clear})
