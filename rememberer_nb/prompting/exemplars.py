"""Records to exemplars: which action to encourage, which to discourage (paper, section 3.3).

Encouraged is the action with the highest Q, if above 0; discouraged the one with the lowest, if it
lies at least a margin below the encouraged one (or nothing is encouraged). Ties go to the more
visited, then by text. A missing side is filled with an action that the record has not tried,
flagged `is_synthetic`.

With `exploration` c > 0 what has been tried less is encouraged sooner, see `exploration`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rememberer_nb.config import ExemplarConfig
from rememberer_nb.elements import Advice, Exemplar, Hit, LeftOut, Record
from rememberer_nb.envs.profile import Profile
from rememberer_nb.prompting.exploration import draw, explored
from rememberer_nb.prompting.prompts import ADVICE, CountTokens, Template, estimate_tokens

# A gap of exactly the margin counts, whatever the last bits of the difference say.
_ROUNDING = 1e-9


def build_exemplar(
    record: Record,
    profile: Profile,
    rng: np.random.Generator,
    config: ExemplarConfig | None = None,
) -> Exemplar:
    """Write a record as a worked example.

    Parameters
    ----------
    record : the record, with its available actions.
    profile : tells which available actions are templates, which are never drawn.
    rng : draws synthetic advice; not used where both sides are known.

    Examples
    --------
    >>> from rememberer_nb.elements import ActionValue
    >>> from rememberer_nb.envs.webshop.profile import WEBSHOP
    >>> values = (ActionValue("click[a]", 0.9, 2), ActionValue("click[b]", 0.1, 1))
    >>> record = Record(0, "g", "o", ("click[a]", "click[b]"), values)
    >>> exemplar = build_exemplar(record, WEBSHOP, np.random.default_rng(0))
    >>> exemplar.encouraged[0].action, exemplar.discouraged[0].action
    ('click[a]', 'click[b]')
    """
    config = config or ExemplarConfig()
    tried = {value.action for value in record.action_values}
    untried = [
        action
        for action in record.available_actions
        if action not in tried and not profile.is_template(action)
    ]
    fresh = untried if config.use_synthetic else []
    encouraged = explored(record, fresh, rng, config) if config.exploration else ()
    encouraged = encouraged or _encouraged(record)
    discouraged = _discouraged(record, encouraged, config) if config.use_discouraged else ()
    if config.use_synthetic and not encouraged:
        encouraged = draw(untried, rng, config)
    if config.use_synthetic and config.use_discouraged and not discouraged:
        taken = {advice.action for advice in encouraged}
        discouraged = draw([a for a in untried if a not in taken], rng, config)
    return Exemplar(
        record_id=record.record_id,
        task=record.task,
        observation=record.observation,
        available_actions=record.available_actions,
        encouraged=encouraged,
        discouraged=discouraged,
    )


def select_exemplars(
    hits: Iterable[Hit],
    n_exemplars: int,
    profile: Profile,
    rng: np.random.Generator,
    *,
    config: ExemplarConfig | None = None,
    count_tokens: CountTokens = estimate_tokens,
    template: Template = ADVICE,
) -> tuple[tuple[Hit, ...], tuple[Exemplar, ...], tuple[LeftOut, ...]]:
    """The first m hits that can be shown, as exemplars, the most similar first.

    A hit whose exemplar has no advice, or, written as in `template`, is over `config.max_tokens`
    is skipped, the skip is recorded, and the next hit takes its place. Returns the hits looked at,
    the exemplars, and what was left out.
    """
    config = config or ExemplarConfig()
    seen: list[Hit] = []
    exemplars: list[Exemplar] = []
    left_out: list[LeftOut] = []
    hits = iter(hits)
    while len(exemplars) < n_exemplars and (hit := next(hits, None)) is not None:
        seen.append(hit)
        exemplar = build_exemplar(hit.record, profile, rng, config)
        n_tokens = count_tokens(template.exemplar(exemplar, 1))
        why = _why_not(exemplar, n_tokens, config)
        if why:
            left_out.append(LeftOut("exemplar", why, n_tokens, record_id=hit.record.record_id))
        else:
            exemplars.append(exemplar)
    return tuple(seen), tuple(exemplars), tuple(left_out)


def _why_not(exemplar: Exemplar, n_tokens: int, config: ExemplarConfig) -> str:
    if not exemplar.encouraged and not exemplar.discouraged:
        return "no advice to give"
    if n_tokens > config.max_tokens:
        return f"exemplar of {n_tokens} tokens, budget {config.max_tokens}"
    return ""


def _encouraged(record: Record) -> tuple[Advice, ...]:
    best = record.best
    if best is None or best.q_value <= 0:
        return ()
    return (Advice(best.action, best.q_value, best.rationale),)


def _discouraged(
    record: Record, encouraged: tuple[Advice, ...], config: ExemplarConfig
) -> tuple[Advice, ...]:
    taken = {advice.action for advice in encouraged}
    values = [value for value in record.action_values if value.action not in taken]
    if not values:
        return ()
    worst = min(values, key=lambda v: (v.q_value, -v.n_visits, v.action))
    top = encouraged[0].value if encouraged else None
    if encouraged and encouraged[0].is_synthetic:
        # What is to be explored has no value of its own: the best that is known takes its place.
        top = record.max_q
    if config.published_rule:
        is_bad = worst.q_value <= 0
    else:
        is_bad = top is None or top - worst.q_value >= config.margin - _ROUNDING
    return (Advice(worst.action, worst.q_value, worst.rationale),) if is_bad else ()
