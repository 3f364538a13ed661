"""Similarities by name: their factories, families of them, and mixtures."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from rememberer_nb.errors import ConfigError
from rememberer_nb.retrieval.mixed import MixedSimilarity
from rememberer_nb.retrieval.similarity import Similarity

_FACTORIES: dict[str, Callable[[], Similarity] | str] = {}


def register_similarity(name: str, factory: Callable[[], Similarity] | str) -> None:
    """Make a similarity known by name, for configs and the command line.

    A factory that is expensive to import may be given as "module:function".
    """
    _FACTORIES[name] = factory


_FAMILIES: dict[str, Callable[[str], Similarity] | str] = {}


def register_family(name: str, factory: Callable[[str], Similarity] | str) -> None:
    """Make similarities known as "name:detail"; `factory(detail)` runs when one is asked for.

    It may be given as "module:function", too. A name that is registered whole goes first.
    """
    _FAMILIES[name] = factory


def make_similarity(name: str) -> Similarity:
    """A new, empty similarity of that name, or a mixture: "a+b" equally, "9*a+b" by weight.

    >>> import rememberer_nb.retrieval
    >>> make_similarity("jaccard").name
    'jaccard'
    >>> make_similarity("9*page_pattern+instruction_relevance").weights
    (0.9, 0.1)
    >>> make_similarity("magic")
    Traceback (most recent call last):
    ...
    rememberer_nb.errors.ConfigError: no similarity is named 'magic'; known: embedding:...
    """
    if name in _FACTORIES:
        return _loaded(_FACTORIES[name])()
    family, colon, detail = name.partition(":")
    if colon and family in _FAMILIES and "+" not in name:
        return _loaded(_FAMILIES[family])(detail)
    parts = name.split("+")
    if len(parts) > 1:
        return MixedSimilarity([_weighted(part, name) for part in parts], name=name)
    known = ", ".join(sorted([*_FACTORIES, *(f"{family}:..." for family in _FAMILIES)]))
    raise ConfigError(f"no similarity is named {name!r:.80}; known: {known}")


def _loaded(factory: Callable[..., Similarity] | str) -> Callable[..., Similarity]:
    if not isinstance(factory, str):
        return factory
    module, _, name = factory.partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def _weighted(part: str, name: str) -> tuple[float, Similarity]:
    weight, star, rest = part.partition("*")
    if not star:
        return 1.0, make_similarity(part.strip())
    try:
        return float(weight), make_similarity(rest.strip())
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{weight!r} in {name!r} is no weight; expected 'a+b', '9*a+b'") from None
